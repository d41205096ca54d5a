//! What a file of the store looks like, and how an older one becomes a newer one.

use std::path::Path;
use std::time::Duration;

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OpenFlags};

use super::StoreError;
use super::packed::unpack;

/// The version of what is below. Files of older versions are read, and never written on.
pub const SCHEMA_VERSION: i64 = 4;

/// `PALI`: what `file` may know a file by.
const APPLICATION_ID: i64 = 0x5041_4c49;

/// What a new file has.
///
/// `seq` is time and number of a row; `record` is its JSON, [packed](super::packed) with the dictionary of its table. Columns
/// beside it are what filters ask for; what is empty in nearly all rows is in no index there. `sum` holds
/// [counts](super::counts) by minute (`width` 1) and hour (60), `start` in minutes since 1970; `dimension` is one of
/// `Dimension`, and 100 more over all services. `stream` is how far the records of each way to here are in the store: it is
/// written in the transaction of the records, so that whoever was killed in between sends them again, and they are known.
/// Words of a transaction are a segment of their own; so many small ones as `crisismerge` says are merged at once, and larger
/// ones by `automerge`: with fewer each word is written again more often.
const TABLES: &str = "
CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    action TEXT NOT NULL,
    service TEXT NOT NULL,
    source TEXT NOT NULL,
    attack TEXT NOT NULL,
    dataplane TEXT NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX event_kind ON event (kind);
CREATE INDEX event_action ON event (action);
CREATE INDEX event_service ON event (service);
CREATE INDEX event_service_action ON event (service, action);
CREATE INDEX event_source ON event (source);
CREATE INDEX event_attack ON event (attack) WHERE attack != '';
CREATE INDEX event_dataplane ON event (dataplane) WHERE dataplane != '';
CREATE TABLE event_rule (rule INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (rule, seq)) WITHOUT ROWID;
CREATE VIRTUAL TABLE event_text USING fts5 (
    text, content = '', detail = none, columnsize = 0, tokenize = 'unicode61 remove_diacritics 0'
);
INSERT INTO event_text (event_text, rank) VALUES ('automerge', 8);
INSERT INTO event_text (event_text, rank) VALUES ('crisismerge', 64);
CREATE TABLE traffic (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    service TEXT NOT NULL,
    source TEXT NOT NULL,
    code TEXT NOT NULL,
    dataplane TEXT NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX traffic_service ON traffic (service);
CREATE INDEX traffic_source ON traffic (source);
CREATE INDEX traffic_dataplane ON traffic (dataplane) WHERE dataplane != '';
CREATE TABLE dictionary (name TEXT PRIMARY KEY, text BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE sum (
    id INTEGER PRIMARY KEY,
    dimension INTEGER NOT NULL,
    width INTEGER NOT NULL,
    start INTEGER NOT NULL,
    service TEXT NOT NULL,
    counts BLOB NOT NULL
);
CREATE UNIQUE INDEX sum_family ON sum (dimension, width, start, service);
CREATE TABLE stream (name TEXT PRIMARY KEY, last INTEGER NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;
";

/// The first version whose files have sums over all services.
pub(crate) const OVERALL_SINCE: i64 = 2;
/// The first version whose files know data planes.
pub(crate) const DATAPLANES_SINCE: i64 = 3;
/// The first version whose files have packed records, and counts of a family in one row.
pub(crate) const PACKED_SINCE: i64 = 4;

/// Statements of a connection that stay prepared: more than the writer has.
const STATEMENTS_MAX: usize = 32;

/// How long a reader or the writer waits for the other at a checkpoint.
const BUSY: Duration = Duration::from_secs(2);

/// Opens a file to write it; makes it where it is not there. `None`: it is of an older version, and the next one is to be begun.
pub(crate) fn open_to_write(path: &Path) -> Result<Option<Connection>, StoreError> {
    let failed = |error| StoreError::Sqlite { path: path.to_owned(), error };
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    match version(&connection).map_err(failed)? {
        0 | SCHEMA_VERSION => {}
        found if found > SCHEMA_VERSION => return Err(StoreError::Newer { path: path.to_owned(), found }),
        _ => return Ok(None),
    }
    let mut prepare = || -> rusqlite::Result<()> {
        // With the log beside the file a process that is killed loses nothing that was committed, and readers and the
        // writer do not wait for each other. A crash of the system may cost the last transactions, never the file.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.pragma_update(None, "cache_size", -32_000)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let transaction = connection.transaction()?;
        if version(&transaction)? == 0 {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        transaction.commit()
    };
    prepare().map_err(failed)?;
    Ok(Some(connection))
}

/// Opens a file to read it.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error| StoreError::Sqlite { path: path.to_owned(), error };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let found = connection
        .busy_timeout(BUSY)
        .and_then(|()| add_unpacked(&connection))
        .and_then(|()| version(&connection))
        .map_err(failed)?;
    match found {
        // 0: made this moment, and nothing is in it.
        0..=SCHEMA_VERSION => Ok(connection),
        found => Err(StoreError::Newer { path: path.to_owned(), found }),
    }
}

/// What a file has.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// The JSON of a row `r` as SQL has it, by the version of its file.
pub(crate) fn json_of(table: &str, version: i64) -> String {
    match version {
        ..PACKED_SINCE => "r.json".to_owned(),
        // Asked for once in a statement, not once a row.
        _ => format!("unpacked(r.record, (SELECT text FROM dictionary WHERE name = '{table}'))"),
    }
}

/// The JSON of a packed record: `unpacked(record, dictionary or NULL)`.
fn add_unpacked(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("unpacked", 2, flags, |context| {
        let dictionary = context.get_raw(1).as_blob_or_null()?.unwrap_or_default();
        let text = unpack(context.get_raw(0).as_blob()?, dictionary);
        text.ok_or_else(|| rusqlite::Error::UserFunctionError("a record is damaged".into()))
    })
}
