//! What writes files, and takes them away when they are too old or too many.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use palisade_model::Calendar;
use rusqlite::{Connection, Statement, Transaction, params};

use super::columns::{EventColumns, TrafficColumns};
use super::sums::{Known, Sums};
use super::{NUMBER_MASK, StoreError, row_of, schema};
use crate::bus::{Batch, Record};

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Files that were begun longer ago than this go, once another is being written.
    pub age: Duration,
    /// Bytes of all files together; the oldest go first. At least the file that is being written stays.
    pub bytes_max: u64,
}

impl Retention {
    /// How large a file may grow: an eighth of all, so that what goes at once is not much.
    fn part_bytes_max(&self) -> u64 {
        (self.bytes_max / 8).clamp(256 * 1024, 1024 * 1024 * 1024)
    }
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Records that are new.
    pub written: u64,
    /// Records that were there already.
    pub known: u64,
}

/// Writes to a folder. There may be one only at a time.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    retention: Retention,
    current: Option<Part>,
    known: Known,
}

/// The file that is being written.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    day: String,
    connection: Connection,
}

impl Writer {
    /// A writer to a folder, which is made where it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path, retention: Retention) -> Result<Self, StoreError> {
        // What clients sent stands in it: nobody else need read that.
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| StoreError::Folder { path: folder.to_owned(), error })?;
        remove_gone(folder);
        Ok(Self { folder: folder.to_owned(), retention, current: None, known: Known::default() })
    }

    /// Writes a batch, all of it or nothing. Records whose id is there already are passed over.
    ///
    /// # Errors
    /// When it could not be written; the batch is lost then, unless it is given again.
    pub fn append(&mut self, batch: &Batch, unix_millis: u64) -> Result<Appended, StoreError> {
        let path = self.current(unix_millis)?.path.clone();
        let failed = |error| StoreError::Sqlite { path: path.clone(), error };
        let Some(part) = &mut self.current else { unreachable!("it was opened above") };
        let written = write(&mut part.connection, batch, &mut self.known).map_err(failed);
        if written.as_ref().is_err_and(StoreError::is_broken_file) {
            self.set_aside();
        } else if written.is_err() {
            // After an error a connection is begun anew, as is the knowledge of what was counted.
            self.current = None;
            self.known = Known::default();
        }
        written
    }

    /// The file for this day, which has room.
    fn current(&mut self, unix_millis: u64) -> Result<&mut Part, StoreError> {
        let day = day_of(unix_millis);
        let has_room =
            |part: &Part| part.day == day && bytes_of(&part.path) < self.retention.part_bytes_max();
        if !self.current.as_ref().is_some_and(has_room) {
            self.current = None;
            self.current = Some(self.open_part(day)?);
        }
        Ok(self.current.as_mut().expect("it was opened just now"))
    }

    fn open_part(&mut self, day: String) -> Result<Part, StoreError> {
        let files = files(&self.folder)?;
        let last = files.iter().rev().find(|file| file.day == day);
        let number = match last {
            Some(last) if last.bytes < self.retention.part_bytes_max() => last.number,
            Some(last) => last.number + 1,
            None => 0,
        };
        // A file that cannot be written any more is left as it is, for whoever can read it.
        for number in number..number + PARTS_TRIED_MAX {
            let path = self.folder.join(format!("{day}.{number:03}.{EXTENSION}"));
            match schema::open_to_write(&path) {
                Ok(connection) => {
                    // It knows the sums of the file that was written.
                    self.known = Known::default();
                    return Ok(Part { path, day, connection });
                }
                Err(error) if error.is_broken_file() || matches!(error, StoreError::Newer { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Folder {
            path: self.folder.clone(),
            error: std::io::Error::other("none of its files of today can be written"),
        })
    }

    /// Leaves a broken file as it is, under another name.
    fn set_aside(&mut self) {
        if let Some(part) = self.current.take() {
            let Part { path, connection, .. } = part;
            drop(connection);
            let _ = fs::rename(&path, path.with_extension("broken"));
        }
        self.known = Known::default();
    }

    /// Takes away what is too old, and the oldest of what is too much. Gives how many files went.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn retain(&mut self, unix_millis: u64) -> Result<u64, StoreError> {
        let files = files(&self.folder)?;
        let age = u64::try_from(self.retention.age.as_millis()).unwrap_or(u64::MAX);
        // A day's file holds what came until its end.
        let oldest = day_of(unix_millis.saturating_sub(age));
        let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let mut gone = 0;
        for file in &files {
            let is_current = self.current.as_ref().is_some_and(|part| part.path == file.path);
            if !is_current && (file.day < oldest || bytes > self.retention.bytes_max) {
                remove(&file.path);
                bytes -= file.bytes;
                gone += 1;
            }
        }
        Ok(gone)
    }

    /// Lets the file that is being written grow by so many pages more, as a full disk would.
    #[cfg(test)]
    pub(super) fn pages_max(&mut self, more: i64) {
        let part = self.current.as_mut().expect("something was written");
        let pages: i64 = part.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        part.connection.pragma_update_and_check(None, "max_page_count", pages + more, |_| Ok(())).unwrap();
    }

    /// Bytes of all files.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        Ok(files(&self.folder)?.iter().map(|file| file.bytes).sum())
    }
}

fn write(connection: &mut Connection, batch: &Batch, known: &mut Known) -> rusqlite::Result<Appended> {
    let transaction = connection.transaction()?;
    let mut appended = Appended::default();
    let mut sums = Sums::default();
    let mut statements = Statements::prepare(&transaction)?;
    for record in batch.events.iter().chain(&batch.alerts) {
        match statements.event(record, &mut sums)? {
            true => appended.written += 1,
            false => appended.known += 1,
        }
    }
    for record in &batch.traffic {
        match statements.traffic(record, &mut sums)? {
            true => appended.written += 1,
            false => appended.known += 1,
        }
    }
    drop(statements);
    sums.write(known, &transaction)?;
    transaction.commit()?;
    Ok(appended)
}

/// What a batch is written by, prepared once for all of it.
struct Statements<'t> {
    event: Statement<'t>,
    event_id: Statement<'t>,
    rule: Statement<'t>,
    text: Statement<'t>,
    traffic: Statement<'t>,
    traffic_id: Statement<'t>,
}

impl<'t> Statements<'t> {
    fn prepare(transaction: &'t Transaction<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            event: transaction.prepare(
                "INSERT OR IGNORE INTO event (seq, id, kind, action, service, source, attack, json)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            event_id: transaction.prepare("SELECT id FROM event WHERE seq = ?")?,
            rule: transaction.prepare("INSERT OR IGNORE INTO event_rule (rule, seq) VALUES (?, ?)")?,
            text: transaction.prepare("INSERT INTO event_text (rowid, text) VALUES (?, ?)")?,
            traffic: transaction.prepare(
                "INSERT OR IGNORE INTO traffic (seq, id, service, source, code, json) VALUES (?, ?, ?, ?, ?, ?)",
            )?,
            traffic_id: transaction.prepare("SELECT id FROM traffic WHERE seq = ?")?,
        })
    }

    /// Writes an event; tells whether it is new.
    fn event(&mut self, record: &Record, sums: &mut Sums) -> rusqlite::Result<bool> {
        let columns = EventColumns::of(&record.json);
        let insert = |row: i64, id: &[u8]| {
            self.event.execute(params![
                row,
                id,
                columns.kind,
                columns.action,
                columns.service,
                columns.source.ip,
                columns.attack(),
                &*record.json
            ])
        };
        let Some(row) = place(record, insert, &mut self.event_id)? else { return Ok(false) };
        let rules = columns.rule_ids();
        for rule in &rules {
            self.rule.execute([*rule, row])?;
        }
        self.text.execute(params![row, columns.text()])?;
        sums.event(record.time.0, &columns, &rules);
        Ok(true)
    }

    /// Writes an L7 record; tells whether it is new.
    fn traffic(&mut self, record: &Record, sums: &mut Sums) -> rusqlite::Result<bool> {
        let columns = TrafficColumns::of(&record.json);
        let source = columns.source();
        let insert = |row: i64, id: &[u8]| {
            self.traffic.execute(params![
                row,
                id,
                columns.service,
                source,
                columns.response_code,
                &*record.json
            ])
        };
        let row = place(record, insert, &mut self.traffic_id)?;
        if row.is_some() {
            sums.traffic(record.time.0, &columns);
        }
        Ok(row.is_some())
    }
}

/// Finds the row of a record and inserts it there; `None` where it is there already. Of two records of the same
/// millisecond and number, which are of two processes, the second takes the next free row.
fn place(
    record: &Record,
    mut insert: impl FnMut(i64, &[u8]) -> rusqlite::Result<usize>,
    id_at: &mut Statement<'_>,
) -> rusqlite::Result<Option<i64>> {
    let id = record.id.0.to_be_bytes();
    let first = row_of(record.id);
    let end = first | NUMBER_MASK;
    for row in first..=end.min(first + PLACES_TRIED_MAX) {
        if insert(row, &id)? > 0 {
            return Ok(Some(row));
        }
        if id_at.query_row([row], |found| found.get::<_, Vec<u8>>(0))? == id {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Rows that are tried for one record; two processes meet in one once in a million.
const PLACES_TRIED_MAX: i64 = 64;
/// Files of a day that are passed over because they are broken.
const PARTS_TRIED_MAX: u32 = 16;
const EXTENSION: &str = "sqlite";
/// Of a file that is being taken away.
const GONE: &str = "gone";

/// A file of the store.
#[derive(Debug)]
pub(super) struct StoreFile {
    pub(super) path: PathBuf,
    pub(super) day: String,
    pub(super) number: u32,
    pub(super) bytes: u64,
}

/// The files of a folder, the oldest first. A folder that is not there has none.
pub(super) fn files(folder: &Path) -> Result<Vec<StoreFile>, StoreError> {
    let failed = |error| StoreError::Folder { path: folder.to_owned(), error };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let mut parts = name.split('.');
        let (Some(day), Some(number), Some(EXTENSION), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let Ok(number) = number.parse() else { continue };
        if day.len() == 10 {
            files.push(StoreFile { day: day.to_owned(), number, bytes: bytes_of(&path), path });
        }
    }
    files.sort_unstable_by(|a, b| (&a.day, a.number).cmp(&(&b.day, b.number)));
    Ok(files)
}

/// Bytes of a file and of its log.
fn bytes_of(path: &Path) -> u64 {
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    bytes(path) + bytes(&beside(path, "-wal"))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Takes a file out of the store at once; its bytes go on a thread of their own, since a file system takes a while for many of
/// them. Whoever reads it still has it until they close it; nobody waits for them.
fn remove(path: &Path) {
    for path in [&beside(path, "-wal"), &beside(path, "-shm")] {
        let _ = fs::remove_file(path);
    }
    let gone = path.with_extension(GONE);
    if fs::rename(path, &gone).is_err() {
        return;
    }
    let removed = gone.clone();
    let removing = move || drop(fs::remove_file(removed));
    if std::thread::Builder::new().name("event-store-old".into()).spawn(removing).is_err() {
        let _ = fs::remove_file(gone);
    }
}

/// Takes away what a process that ended meanwhile had begun to.
fn remove_gone(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == GONE) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn day_of(unix_millis: u64) -> String {
    Calendar::new(unix_millis, 0).rfc3339()[..10].to_owned()
}
