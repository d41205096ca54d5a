//! The event store: what was decided, kept on this machine and asked for by time, by filter, by text and in sums.
//!
//! ```text
//! Subscription ──> Keeper (one thread) ──> Writer ──> 2026-11-22.000.sqlite   one transaction a batch: rows, minute and
//!                                                     2026-11-22.001.sqlite   hour sums, words
//! console, CLI ──> Reader ──────────────────────────> all of them, read-only
//! ```
//!
//! The idea to hold: a row's number *is* its time. Its upper bits are the milliseconds, its lower ones count, so that a
//! range of time is a range of rows in the table, in each index and in the word index alike, and a cursor that is a row's
//! number stays where it was whatever is added. Files are begun for each day and whenever one has grown large: what is too
//! old or too much goes as a file, without a word to who writes.
//!
//! Sums by minute and by hour are written with the rows, so that an overview of a day reads thousands of rows and not
//! millions. Records are packed: a file of a million events is mostly what differs between them.
//!
//! A process that is killed loses what had not been committed: at most one batch. A disk that is full costs the events
//! that cannot be written; requests do not wait for it.

mod columns;
mod counts;
mod filter;
mod heavy;
mod keeper;
mod packed;
mod reader;
mod schema;
mod sums;
mod writer;

use std::path::PathBuf;

pub use filter::{Cursor, Filter, FilterError, Order};
pub use keeper::{Intake, Keeper, KeeperCounts};
pub use reader::Reader;
pub use schema::SCHEMA_VERSION;
pub use sums::{Dimension, EDGE_ATTACK_SEPARATOR, Sum, SumQuery};
pub use writer::{Appended, Portion, Retention, Writer};

use crate::bus::Record;
use palisade_model::EventId;

/// Which records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Events.
    Events,
    /// L7 records.
    Traffic,
}

impl Table {
    /// Its name in a file.
    fn name(self) -> &'static str {
        match self {
            Self::Events => "event",
            Self::Traffic => "traffic",
        }
    }
}

/// Some records, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The records, in the order that was asked for: as many as were asked for at most, and those that share the last one's row
    /// in files that overlap, since no cursor could stand between them.
    pub items: Vec<Record>,
    /// For each of them, where a page begins that goes on behind it. Those that share a row have the same.
    pub places: Vec<Cursor>,
    /// Where the next page begins; `None` where there is nothing further. With a query that few records answer a page may
    /// be shorter than asked for, even empty, and have one.
    pub next: Option<Cursor>,
}

/// What reads events, wherever they are kept.
pub trait EventStore {
    /// A page of records.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn page(
        &self,
        table: Table,
        filter: &Filter,
        order: Order,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// One event by its id.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn event(&self, id: EventId) -> Result<Option<Record>, StoreError>;

    /// Right before an event, whatever row it has: where it is itself the first of a page, the oldest first. Where it is no longer
    /// there, before the first row that it could have had.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn before(&self, id: EventId) -> Result<Cursor, StoreError>;

    /// Sums, the largest first, or by time where that is asked for.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn sums(&self, query: &SumQuery) -> Result<Vec<Sum>, StoreError>;

    /// How many records have which value of a field, the most frequent first, at most `limit`. Looks at every record of
    /// the filter.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn groups(
        &self,
        table: Table,
        filter: &Filter,
        field: &str,
        limit: usize,
    ) -> Result<Vec<(String, u64)>, StoreError>;
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be opened, read or written.
    #[error("{}: {error}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        error: rusqlite::Error,
    },
    /// The folder could not be read or made.
    #[error("{}: {error}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file was written by a later version.
    #[error("{} has schema {found}, and this version knows {SCHEMA_VERSION} at most: use the version that wrote it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
    },
    /// A question took longer than a [`Reader`] may ask.
    #[error("that takes too long: ask for less time, or by service, rule, source or action as well")]
    TooLong,
}

impl StoreError {
    /// Whether the file itself is no database any more.
    pub(crate) fn is_broken_file(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let Self::Sqlite { error, .. } = self else { return false };
        matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
    }
}

/// The row of an id.
pub(crate) fn row_of(id: EventId) -> i64 {
    let number = (id.0 & u128::from(NUMBER_MASK as u64)) as i64;
    first_row_at(id.unix_millis()) | number
}

/// The first row that a millisecond can have.
pub(crate) fn first_row_at(unix_millis: u64) -> i64 {
    // 43 bits of milliseconds last until the year 2248.
    ((unix_millis.min((1 << 43) - 1)) as i64) << NUMBER_BITS
}

const NUMBER_BITS: u32 = 20;
const NUMBER_MASK: i64 = (1 << NUMBER_BITS) - 1;

#[cfg(test)]
mod tests;
