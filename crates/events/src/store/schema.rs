//! What a file of the store looks like, and how an older one becomes a newer one.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::StoreError;

/// The version of what is below. Older files are brought up to it when they are written; readers know all of them.
pub const SCHEMA_VERSION: i64 = 3;

/// `PALI`: what `file` may know a file by.
const APPLICATION_ID: i64 = 0x5041_4c49;

/// Version 1.
///
/// `seq` is time and number of a row; `json` is the record. Columns beside it are what filters ask for. `sum` holds counts
/// by minute (`width` 1) and hour (60), `start` in minutes since 1970; `dimension` is one of `Dimension`.
const VERSION_1: &str = "
CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    action TEXT NOT NULL,
    service TEXT NOT NULL,
    source TEXT NOT NULL,
    attack TEXT NOT NULL,
    json TEXT NOT NULL
);
CREATE INDEX event_kind ON event (kind);
CREATE INDEX event_action ON event (action);
CREATE INDEX event_service ON event (service);
CREATE INDEX event_service_action ON event (service, action);
CREATE INDEX event_source ON event (source);
CREATE INDEX event_attack ON event (attack);
CREATE TABLE event_rule (rule INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (rule, seq)) WITHOUT ROWID;
CREATE VIRTUAL TABLE event_text USING fts5 (
    text, content = '', detail = none, columnsize = 0, tokenize = 'unicode61 remove_diacritics 0'
);
CREATE TABLE traffic (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    service TEXT NOT NULL,
    source TEXT NOT NULL,
    code TEXT NOT NULL,
    json TEXT NOT NULL
);
CREATE INDEX traffic_service ON traffic (service);
CREATE INDEX traffic_source ON traffic (source);
CREATE TABLE sum (
    dimension INTEGER NOT NULL,
    width INTEGER NOT NULL,
    start INTEGER NOT NULL,
    service TEXT NOT NULL,
    value TEXT NOT NULL,
    action TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (dimension, width, start, service, value, action)
) WITHOUT ROWID;
";

/// Version 2: sums over all services as well, their `dimension` 100 more.
const VERSION_2: &str = "
INSERT INTO sum (dimension, width, start, service, value, action, count)
    SELECT dimension + 100, width, start, '', value, action, sum(count) FROM sum GROUP BY 1, 2, 3, 5, 6;
";

/// Version 3: which data plane a record came from, and how far the records of each way to here are in the store. The latter
/// is written in the transaction of the records: whoever was killed in between sends them again, and they are known.
const VERSION_3: &str = "
ALTER TABLE event ADD COLUMN dataplane TEXT NOT NULL DEFAULT '';
CREATE INDEX event_dataplane ON event (dataplane);
ALTER TABLE traffic ADD COLUMN dataplane TEXT NOT NULL DEFAULT '';
CREATE INDEX traffic_dataplane ON traffic (dataplane);
CREATE TABLE stream (name TEXT PRIMARY KEY, last INTEGER NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;
";

/// The first version whose files know data planes.
pub(crate) const DATAPLANES_SINCE: i64 = 3;

/// How long a reader or the writer waits for the other at a checkpoint.
const BUSY: Duration = Duration::from_secs(2);

/// Opens a file to write it; makes it where it is not there, and brings it up to this version.
pub(crate) fn open_to_write(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error| StoreError::Sqlite { path: path.to_owned(), error };
    let mut connection = Connection::open(path).map_err(failed)?;
    let prepare = || -> rusqlite::Result<()> {
        connection.busy_timeout(BUSY)?;
        // With the log beside the file a process that is killed loses nothing that was committed, and readers and the
        // writer do not wait for each other. A crash of the system may cost the last transactions, never the file.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.pragma_update(None, "cache_size", -32_000)?;
        Ok(())
    };
    prepare().map_err(failed)?;
    upgrade(&mut connection, path)?;
    Ok(connection)
}

/// Opens a file to read it.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error| StoreError::Sqlite { path: path.to_owned(), error };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    let found = version(&connection).map_err(failed)?;
    match found {
        // 0: made this moment, and nothing is in it.
        0..=SCHEMA_VERSION => {}
        found => return Err(StoreError::Newer { path: path.to_owned(), found }),
    }
    Ok(connection)
}

/// What a file has.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn upgrade(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::Sqlite { path: path.to_owned(), error };
    let found = version(connection).map_err(failed)?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found });
    }
    // Each step takes a file from a version to the next one, in one transaction with the version's number.
    for from in found..SCHEMA_VERSION {
        let step = match from {
            0 => VERSION_1,
            1 => VERSION_2,
            2 => VERSION_3,
            _ => unreachable!("a step for each version below {SCHEMA_VERSION}"),
        };
        let mut take = || -> rusqlite::Result<()> {
            let transaction = connection.transaction()?;
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", from + 1)?;
            transaction.commit()
        };
        take().map_err(failed)?;
    }
    Ok(())
}
