//! What writes files, and takes them away when they are too old or too many.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use palisade_model::Calendar;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Transaction, params};

use super::columns::{EventColumns, TrafficColumns};
use super::packed::Packer;
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
    durable: bool,
    current: Option<Part>,
    known: Known,
    /// How far each way to here is in the store; `None` before somebody asked.
    streams: Option<BTreeMap<Box<str>, Reached>>,
}

/// The file that is being written.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    day: String,
    connection: Connection,
    packers: Packers,
    /// All ways to here stand in it, not only those that were used since it was begun.
    has_streams: bool,
}

/// What packs the records of a file's tables.
#[derive(Debug)]
struct Packers {
    event: Packer,
    traffic: Packer,
}

impl Packers {
    /// With the dictionaries of a file.
    fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let packer = |name: &str| -> rusqlite::Result<Packer> {
            let text = "SELECT text FROM dictionary WHERE name = ?";
            let found = connection.query_row(text, [name], |row| row.get(0)).optional()?;
            Ok(Packer::new(found.unwrap_or_default()))
        };
        Ok(Self { event: packer("event")?, traffic: packer("traffic")? })
    }
}

/// Records of another process on their way into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portion {
    /// The way that they come: whose, and which of its spools.
    pub stream: Box<str>,
    /// The number of the last of them on that way. Numbers grow.
    pub last: u64,
    /// The records.
    pub batch: Batch,
}

/// How far a way to here is in the store.
#[derive(Clone, Copy, Debug)]
struct Reached {
    last: u64,
    /// When that was, in milliseconds since 1970.
    time: u64,
}

/// Ways that nothing came by for so long are forgotten: whoever begins anew has another.
const STREAM_AGE_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
/// Ways that are known at most; those that were quiet for longest are forgotten.
const STREAMS_MAX: usize = 100_000;

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
        Ok(Self {
            folder: folder.to_owned(),
            retention,
            durable: false,
            current: None,
            known: Known::default(),
            streams: None,
        })
    }

    /// The same, for records that nobody has once they are written: each transaction waits for the disk, so that a crash of
    /// the system does not cost what was said to be kept.
    #[must_use]
    pub fn durable(self) -> Self {
        Self { durable: true, ..self }
    }

    /// Writes a batch, all of it or nothing. Records whose id is there already are passed over.
    ///
    /// # Errors
    /// When it could not be written; the batch is lost then, unless it is given again.
    pub fn append(&mut self, batch: &Batch, unix_millis: u64) -> Result<Appended, StoreError> {
        self.append_all(&[batch], unix_millis)
    }

    /// Writes batches, all of them or nothing: fewer transactions for whoever is behind.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_all(&mut self, batches: &[&Batch], unix_millis: u64) -> Result<Appended, StoreError> {
        self.transact(unix_millis, |part, known| write(part, batches, known, |_| Ok(())))
    }

    /// Writes what other processes sent, all of it or nothing, with how far each of their ways has come: a portion that is
    /// in the store already is passed over, wherever its sender or we were killed. Gives whether each is new, in order.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn take_in(&mut self, portions: &[Portion], unix_millis: u64) -> Result<Vec<bool>, StoreError> {
        let mut streams = std::mem::take(self.streams()?);
        let mut moved = BTreeMap::new();
        let is_new: Vec<bool> = portions
            .iter()
            .map(|portion| {
                let reached = moved.get(&portion.stream).or_else(|| streams.get(&portion.stream));
                let is_new = reached.is_none_or(|reached: &Reached| reached.last < portion.last);
                if is_new {
                    moved.insert(portion.stream.clone(), Reached { last: portion.last, time: unix_millis });
                }
                is_new
            })
            .collect();
        let new: Vec<&Batch> =
            portions.iter().zip(&is_new).filter_map(|(portion, new)| new.then_some(&portion.batch)).collect();
        let written = if moved.is_empty() {
            Ok(())
        } else {
            self.transact(unix_millis, |part, known| {
                let carried = (!part.has_streams).then_some(&streams).into_iter().flatten();
                write(part, &new, known, |transaction| {
                    let mut reached = transaction.prepare_cached(
                        "INSERT OR REPLACE INTO stream (name, last, time) VALUES (?, ?, ?)",
                    )?;
                    for (name, Reached { last, time }) in carried.chain(&moved) {
                        reached.execute(params![name, *last as i64, *time as i64])?;
                    }
                    Ok(())
                })?;
                part.has_streams = true;
                Ok(())
            })
        };
        if written.is_ok() {
            streams.extend(moved);
        }
        self.streams = Some(streams);
        written.map(|()| is_new)
    }

    /// The number of the last record of a way that is in the store; 0 where there is none.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn reached(&mut self, stream: &str) -> Result<u64, StoreError> {
        Ok(self.streams()?.get(stream).map_or(0, |reached| reached.last))
    }

    /// What all files say of ways to here.
    fn streams(&mut self) -> Result<&mut BTreeMap<Box<str>, Reached>, StoreError> {
        if self.streams.is_none() {
            let mut streams: BTreeMap<Box<str>, Reached> = BTreeMap::new();
            for file in files(&self.folder)? {
                // Another cannot be read: what it held is not to be had either.
                let Ok(connection) = schema::open_to_read(&file.path) else { continue };
                for (name, found) in streams_of(&connection).unwrap_or_default() {
                    let reached = streams.entry(name).or_insert(found);
                    reached.last = reached.last.max(found.last);
                    reached.time = reached.time.max(found.time);
                }
            }
            forget(&mut streams);
            self.streams = Some(streams);
        }
        Ok(self.streams.as_mut().expect("it was filled just now"))
    }

    /// Writes to the file for this day.
    fn transact<T>(
        &mut self,
        unix_millis: u64,
        write: impl FnOnce(&mut Part, &mut Known) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let path = self.current(unix_millis)?.path.clone();
        let failed = |error| StoreError::Sqlite { path: path.clone(), error };
        let Some(part) = &mut self.current else { unreachable!("it was opened above") };
        let written = write(part, &mut self.known).map_err(failed);
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
                Ok(Some(connection)) => {
                    let failed = |error| StoreError::Sqlite { path: path.clone(), error };
                    // It knows the sums of the file that was written.
                    self.known = Known::default();
                    if self.durable {
                        connection.pragma_update(None, "synchronous", "full").map_err(failed)?;
                    }
                    let packers = Packers::of(&connection).map_err(failed)?;
                    return Ok(Part { path, day, connection, packers, has_streams: false });
                }
                // Of an older version: it stays as it is, and the next one goes on.
                Ok(None) => {}
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

/// Writes batches, and what is to be written with them, in one transaction.
fn write(
    Part { connection, packers, .. }: &mut Part,
    batches: &[&Batch],
    known: &mut Known,
    with: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<Appended> {
    let transaction = connection.transaction()?;
    let mut appended = Appended::default();
    let mut sums = Sums::default();
    let mut statements = Statements::prepare(&transaction)?;
    for batch in batches {
        for record in batch.events.iter().chain(&batch.alerts) {
            match statements.event(record, &mut packers.event, &mut sums)? {
                true => appended.written += 1,
                false => appended.known += 1,
            }
        }
        for record in &batch.traffic {
            match statements.traffic(record, &mut packers.traffic, &mut sums)? {
                true => appended.written += 1,
                false => appended.known += 1,
            }
        }
    }
    drop(statements);
    sums.write(known, &transaction)?;
    with(&transaction)?;
    transaction.commit()?;
    Ok(appended)
}

/// Ways to here, as one file has them.
fn streams_of(connection: &Connection) -> rusqlite::Result<Vec<(Box<str>, Reached)>> {
    if schema::version(connection)? < schema::DATAPLANES_SINCE {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT name, last, time FROM stream")?;
    let rows = statement.query_map([], |row| {
        let (last, time): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok((row.get::<_, String>(0)?.into(), Reached { last: last as u64, time: time as u64 }))
    })?;
    rows.collect()
}

/// Forgets ways that nothing came by for long, as seen from the last that something came by.
fn forget(streams: &mut BTreeMap<Box<str>, Reached>) {
    let latest = streams.values().map(|reached| reached.time).max().unwrap_or_default();
    streams.retain(|_, reached| reached.time + STREAM_AGE_MS_MAX >= latest);
    if streams.len() > STREAMS_MAX {
        let mut times: Vec<u64> = streams.values().map(|reached| reached.time).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        let oldest = times[STREAMS_MAX];
        streams.retain(|_, reached| reached.time > oldest);
    }
}

/// What a batch is written by, prepared once for all of it.
struct Statements<'t> {
    event: CachedStatement<'t>,
    event_id: CachedStatement<'t>,
    event_last: CachedStatement<'t>,
    rule: CachedStatement<'t>,
    text: CachedStatement<'t>,
    traffic: CachedStatement<'t>,
    traffic_id: CachedStatement<'t>,
    traffic_last: CachedStatement<'t>,
    dictionary: CachedStatement<'t>,
}

impl<'t> Statements<'t> {
    fn prepare(transaction: &'t Transaction<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            event: transaction.prepare_cached(
                "INSERT OR IGNORE INTO event (seq, id, kind, action, service, source, attack, dataplane, record)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            event_id: transaction.prepare_cached("SELECT id FROM event WHERE seq = ?")?,
            event_last: transaction.prepare_cached("SELECT max(seq) FROM event WHERE seq BETWEEN ? AND ?")?,
            rule: transaction.prepare_cached("INSERT OR IGNORE INTO event_rule (rule, seq) VALUES (?, ?)")?,
            text: transaction.prepare_cached("INSERT INTO event_text (rowid, text) VALUES (?, ?)")?,
            traffic: transaction.prepare_cached(
                "INSERT OR IGNORE INTO traffic (seq, id, service, source, code, dataplane, record)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?,
            traffic_id: transaction.prepare_cached("SELECT id FROM traffic WHERE seq = ?")?,
            traffic_last: transaction.prepare_cached("SELECT max(seq) FROM traffic WHERE seq BETWEEN ? AND ?")?,
            dictionary: transaction.prepare_cached("INSERT INTO dictionary (name, text) VALUES (?, ?)")?,
        })
    }

    /// Writes an event; tells whether it is new.
    fn event(&mut self, record: &Record, packer: &mut Packer, sums: &mut Sums) -> rusqlite::Result<bool> {
        let columns = EventColumns::of(&record.json);
        let packed = self.pack("event", packer, record)?;
        let insert = |row: i64, id: &[u8]| {
            self.event.execute(params![
                row,
                id,
                columns.kind,
                columns.action,
                columns.service,
                columns.source.ip,
                columns.attack(),
                columns.dataplane,
                packed
            ])
        };
        let Some(row) = place(record, insert, &mut self.event_id, &mut self.event_last)? else {
            return Ok(false);
        };
        let rules = columns.rule_ids();
        for rule in &rules {
            self.rule.execute([*rule, row])?;
        }
        self.text.execute(params![row, columns.text()])?;
        sums.event(record.time.0, &columns, &rules);
        Ok(true)
    }

    /// The record as it lies in the file. Where the file has no dictionary yet it may get one by this.
    fn pack(&mut self, table: &str, packer: &mut Packer, record: &Record) -> rusqlite::Result<Vec<u8>> {
        if let Some(dictionary) = packer.learn(&record.json) {
            self.dictionary.execute(params![table, dictionary])?;
        }
        Ok(packer.pack(&record.json))
    }

    /// Writes an L7 record; tells whether it is new.
    fn traffic(&mut self, record: &Record, packer: &mut Packer, sums: &mut Sums) -> rusqlite::Result<bool> {
        let columns = TrafficColumns::of(&record.json);
        let packed = self.pack("traffic", packer, record)?;
        let source = columns.source();
        let insert = |row: i64, id: &[u8]| {
            self.traffic.execute(params![
                row,
                id,
                columns.service,
                source,
                columns.response_code,
                columns.dataplane,
                packed
            ])
        };
        let row = place(record, insert, &mut self.traffic_id, &mut self.traffic_last)?;
        if row.is_some() {
            sums.traffic(record.time.0, &columns);
        }
        Ok(row.is_some())
    }
}

/// Finds the row of a record and inserts it there; `None` where it is there already. Of two records of the same
/// millisecond and number, which are of two processes, the second takes the next free row; where many processes meet, the one
/// after all that there are in the millisecond.
fn place(
    record: &Record,
    mut insert: impl FnMut(i64, &[u8]) -> rusqlite::Result<usize>,
    id_at: &mut CachedStatement<'_>,
    last: &mut CachedStatement<'_>,
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
    let last: i64 = last.query_row([first, end], |row| row.get(0))?;
    // A millisecond has room for a million; where its end is taken, somebody says that it counted so far.
    for row in (last + 1..=end).take(1).chain((first + PLACES_TRIED_MAX + 1..end).take(FULL_TRIED_MAX)) {
        if insert(row, &id)? > 0 {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// Rows that are tried for a record whose millisecond has somebody at its end.
const FULL_TRIED_MAX: usize = 100_000;
/// Rows that are tried for one record one by one; two processes meet in one once in a million.
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
