//! What reads files, while somebody else writes them.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use palisade_model::{EventId, Moment};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

use super::counts;
use super::sums::{ByValue, HOUR, MINUTE, OVERALL, count};
use super::{
    Cursor, EventStore, Filter, NUMBER_BITS, NUMBER_MASK, Order, Page, StoreError, Sum, SumQuery, Table,
    first_row_at, row_of, schema, writer,
};
use crate::bus::Record;

/// Reads a folder. Files are opened when they are asked for the first time, and closed once they are gone.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    open: Mutex<HashMap<PathBuf, Connection>>,
    patience: Option<Duration>,
}

/// Records of one page at most.
const PAGE_MAX: usize = 10_000;
/// Rows that one page looks at in a file for a query that SQL does not understand.
const LOOKED_AT_MAX: usize = 200_000;
/// Steps of SQLite's machine between two looks at the clock: some tens of microseconds.
const STEPS_BETWEEN_LOOKS: i32 = 2_000;
/// Rows that are fetched at a time then.
const FETCHED_AT_ONCE: usize = 5_000;
/// Different values that are counted at most, of each file.
const GROUPS_MAX: usize = 10_000;

impl Reader {
    /// A reader of a folder, which need not be there yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), open: Mutex::default(), patience: None }
    }

    /// The same, whose questions end in [`StoreError::TooLong`] after this time.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// Does something with each file that can hold rows of a range, in their order, until it has enough: files from the row
    /// on that it names are passed over then.
    fn each_file(
        &self,
        rows: (i64, i64),
        table: Table,
        order: Order,
        work: &mut Work<'_>,
    ) -> Result<(), StoreError> {
        let files = writer::files(&self.folder)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = self.patience.map(|patience| Instant::now() + patience);
        open.retain(|path, _| files.iter().any(|file| file.path == *path));
        let mut ranges = Vec::new();
        for file in &files {
            if !open.contains_key(&file.path) {
                match schema::open_to_read(&file.path) {
                    Ok(connection) => drop(open.insert(file.path.clone(), connection)),
                    // It has just gone, or is not one: others can still be read.
                    Err(_) if !file.path.exists() => continue,
                    Err(error) if error.is_broken_file() => continue,
                    Err(error) => return Err(error),
                }
            }
            let Some(connection) = open.get(&file.path) else { continue };
            match range_of(connection, table) {
                Ok(Some((first, last))) if first <= rows.1 && last >= rows.0 => {
                    ranges.push((file.path.clone(), (first, last)));
                }
                Ok(_) => {}
                // Without its tables yet.
                Err(_) if schema::version(connection).is_ok_and(|version| version == 0) => {}
                Err(error) => return Err(StoreError::Sqlite { path: file.path.clone(), error }),
            }
        }
        match order {
            Order::NewestFirst => ranges.sort_unstable_by_key(|(_, (_, last))| std::cmp::Reverse(*last)),
            Order::OldestFirst => ranges.sort_unstable_by_key(|(_, (first, _))| *first),
        }
        let mut until = None;
        for (path, (first, last)) in ranges {
            // Files overlap where records came late: one that begins beyond what is wanted, and all after it, have nothing.
            let is_beyond = |until: i64| match order {
                Order::NewestFirst => last < until,
                Order::OldestFirst => first > until,
            };
            if until.is_some_and(is_beyond) {
                break;
            }
            let Some(connection) = open.get_mut(&path) else { continue };
            if let Some(deadline) = deadline {
                let is_over = move || Instant::now() >= deadline;
                let watched = connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_over));
                watched.map_err(|error| StoreError::Sqlite { path: path.clone(), error })?;
            }
            until = work(connection).map_err(|error| match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::OperationInterrupted) => StoreError::TooLong,
                _ => StoreError::Sqlite { path: path.clone(), error },
            })?;
        }
        Ok(())
    }
}

impl Reader {
    /// An event and its row.
    fn found(&self, id: EventId) -> Result<Option<(i64, Record)>, StoreError> {
        let first = row_of(id);
        let rows = (first_row_at(id.unix_millis()), first | NUMBER_MASK);
        let wanted = id.0.to_be_bytes();
        let mut found = None;
        self.each_file(rows, Table::Events, Order::NewestFirst, &mut |connection| {
            let json = schema::json_of("event", schema::version(connection)?);
            let mut statement = connection.prepare(&format!(
                "SELECT r.seq, r.id, {json} FROM event r WHERE r.seq BETWEEN ? AND ? AND r.id = ?"
            ))?;
            let mut answer = statement.query((rows.0, rows.1, &wanted[..]))?;
            if let Some(row) = answer.next()? {
                found = Some(record(row)?);
            }
            Ok(found.is_some().then_some(i64::MAX))
        })?;
        Ok(found)
    }
}

/// Where a page of so many ends: behind those that share the row of its last.
fn end_of_page(found: &[(i64, Record)], limit: usize) -> usize {
    let Some((last, _)) = limit.checked_sub(1).and_then(|last| found.get(last)) else { return found.len() };
    limit + found[limit..].iter().take_while(|(row, _)| row == last).count()
}

impl EventStore for Reader {
    fn page(
        &self,
        table: Table,
        filter: &Filter,
        order: Order,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let filter = filter.narrowed();
        let rows = filter.rows(order, after);
        let mut found: Vec<(i64, Record)> = Vec::new();
        // Where a file was not looked at to its end: beyond this row the page knows nothing.
        let mut horizon: Option<i64> = None;
        self.each_file(rows, table, order, &mut |connection| {
            let (mut own, looked_until) = look(connection, table, &filter, rows, order, limit)?;
            found.append(&mut own);
            horizon = match (horizon, looked_until, order) {
                (Some(a), Some(b), Order::NewestFirst) => Some(a.max(b)),
                (Some(a), Some(b), Order::OldestFirst) => Some(a.min(b)),
                (a, b, _) => a.or(b),
            };
            match order {
                Order::NewestFirst => found.sort_by_key(|(row, _)| std::cmp::Reverse(*row)),
                Order::OldestFirst => found.sort_by_key(|(row, _)| *row),
            }
            // One more than the page takes is enough to know that there are more.
            let end = end_of_page(&found, limit);
            found.truncate(end + 1);
            Ok(found.get(end).map(|(row, _)| *row).or(horizon))
        })?;
        if let Some(horizon) = horizon {
            found.retain(|(row, _)| match order {
                Order::NewestFirst => *row >= horizon,
                Order::OldestFirst => *row <= horizon,
            });
        }
        let end = end_of_page(&found, limit);
        let more = found.len() > end;
        found.truncate(end);
        let (places, items): (Vec<Cursor>, Vec<Record>) =
            found.into_iter().map(|(row, record)| (Cursor(row), record)).unzip();
        let next = if more { places.last().copied() } else { horizon.map(Cursor) };
        Ok(Page { items, places, next })
    }

    fn event(&self, id: EventId) -> Result<Option<Record>, StoreError> {
        Ok(self.found(id)?.map(|(_, record)| record))
    }

    fn before(&self, id: EventId) -> Result<Cursor, StoreError> {
        let row = self.found(id)?.map_or_else(|| row_of(id), |(row, _)| row);
        Ok(Cursor(row.saturating_sub(1)))
    }

    fn sums(&self, query: &SumQuery) -> Result<Vec<Sum>, StoreError> {
        let SumQuery { dimension, service, by_service, step_minutes, .. } = query;
        let from = (query.from_unix_millis / 60_000) as i64;
        let to = query.to_unix_millis.div_ceil(60_000) as i64;
        let rows = (first_row_at(query.from_unix_millis), i64::MAX);
        let step = step_minutes.map(|step| step.max(1) as i64);
        // Whole hours come from the hours; what is left at both ends from the minutes.
        let by_hour = step.is_none_or(|step| step % HOUR == 0);
        let first_hour = from + (HOUR - from % HOUR) % HOUR;
        let last_hour = to - to % HOUR;
        let ranges: Vec<(i64, i64, i64)> = if by_hour && first_hour < last_hour {
            vec![(MINUTE, from, first_hour), (HOUR, first_hour, last_hour), (MINUTE, last_hour, to)]
        } else {
            vec![(MINUTE, from, to)]
        };
        let table = match dimension {
            super::Dimension::Requests | super::Dimension::Edge => Table::Traffic,
            _ => Table::Events,
        };
        let overall = service.is_none() && !by_service;
        let mut sums: HashMap<(i64, String), ByValue> = HashMap::new();
        self.each_file(rows, table, Order::NewestFirst, &mut |connection| {
            let version = schema::version(connection)?;
            let dimension = match overall && version >= schema::OVERALL_SINCE {
                true => *dimension as i64 + OVERALL,
                false => *dimension as i64,
            };
            let mut add = |start: i64, service: &str, value: &str, action: &str, by: u64| {
                let start = step.map_or(0, |step| start / step * step);
                let service = if *by_service { service } else { "" };
                let values = sums.entry((start, service.to_owned())).or_default();
                match values.get_mut(value) {
                    Some(actions) => count(actions, action, by),
                    None => drop(values.insert(value.into(), vec![(action.into(), by)])),
                }
            };
            for (width, from, to) in ranges.iter().filter(|(_, from, to)| from < to) {
                let asked = Family { dimension, range: (*width, *from, *to), service: service.as_deref() };
                asked.each_sum(connection, version, &mut add)?;
            }
            Ok(None)
        })?;
        let sums = sums.into_iter().flat_map(|((start, service), values)| {
            values.into_iter().flat_map(move |(value, actions)| {
                let service = service.clone();
                actions.into_iter().map(move |(action, count)| Sum {
                    start_unix_millis: step.map(|_| start as u64 * 60_000),
                    service: service.clone(),
                    value: value.to_string(),
                    action: action.into(),
                    count,
                })
            })
        });
        let mut sums: Vec<Sum> = sums.collect();
        sums.sort_unstable_by(|a, b| {
            let by_count = if step.is_none() { b.count.cmp(&a.count) } else { Ordering::Equal };
            by_count.then_with(|| place_of(a).cmp(&place_of(b)))
        });
        sums.truncate(query.limit);
        Ok(sums)
    }

    fn groups(
        &self,
        table: Table,
        filter: &Filter,
        field: &str,
        limit: usize,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let filter = filter.narrowed();
        let rows = filter.rows(Order::NewestFirst, None);
        let mut groups: HashMap<String, u64> = HashMap::new();
        self.each_file(rows, table, Order::NewestFirst, &mut |connection| {
            if lacks_dataplanes(connection, &filter)? {
                return Ok(None);
            }
            let place = (table, schema::version(connection)?);
            if filter.is_all_sql() {
                let statement = filter.group(place, rows, &json_path(field), GROUPS_MAX);
                let mut prepared = connection.prepare(&statement.sql)?;
                let mut answer = prepared.query(params_from_iter(statement.values))?;
                while let Some(row) = answer.next()? {
                    *groups.entry(row.get(0)?).or_default() += row.get::<_, i64>(1)? as u64;
                }
                return Ok(None);
            }
            let statement = filter.select(place, rows, Order::NewestFirst, LOOKED_AT_MAX);
            let mut prepared = connection.prepare(&statement.sql)?;
            let mut answer = prepared.query(params_from_iter(statement.values))?;
            while let Some(row) = answer.next()? {
                let json: String = row.get(2)?;
                if filter.admits(table, &json) {
                    let value = value_at(&json, field);
                    if groups.len() < GROUPS_MAX || groups.contains_key(&value) {
                        *groups.entry(value).or_default() += 1;
                    }
                }
            }
            Ok(None)
        })?;
        let mut groups: Vec<(String, u64)> = groups.into_iter().collect();
        groups.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        groups.truncate(limit);
        Ok(groups)
    }
}

/// By what sums are in order that are as large as each other.
fn place_of(sum: &Sum) -> (Option<u64>, &str, &str, &str) {
    (sum.start_unix_millis, &sum.service, &sum.value, &sum.action)
}

/// Families of sums in a file: those of a dimension, of a width from a start to another, of a service or all.
struct Family<'q> {
    dimension: i64,
    range: (i64, i64, i64),
    service: Option<&'q str>,
}

impl Family<'_> {
    /// Gives each sum: start, service, value, action, count.
    fn each_sum(
        &self,
        connection: &Connection,
        version: i64,
        add: &mut impl FnMut(i64, &str, &str, &str, u64),
    ) -> rusqlite::Result<()> {
        let packed = version >= schema::PACKED_SINCE;
        let counted = if packed { "counts" } else { "value, action, count" };
        let of_service = if self.service.is_some() { "AND service = ?" } else { "" };
        let mut statement = connection.prepare_cached(&format!(
            "SELECT start, service, {counted} FROM sum
             WHERE dimension = ? AND width = ? AND start >= ? AND start < ? {of_service}"
        ))?;
        let (width, from, to) = self.range;
        let mut values: Vec<Sql> = [self.dimension, width, from, to].map(Sql::from).into();
        values.extend(self.service.map(|service| Sql::from(service.to_owned())));
        let mut answer = statement.query(params_from_iter(values))?;
        while let Some(row) = answer.next()? {
            let start: i64 = row.get(0)?;
            let service = row.get_ref(1)?.as_str()?;
            if packed {
                // What is damaged is not told; what is before it is.
                let _ = counts::each(row.get_ref(2)?.as_blob()?, |value, action, by| {
                    add(start, service, value, action, by);
                });
            } else {
                let count: i64 = row.get(4)?;
                add(start, service, row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?, count as u64);
            }
        }
        Ok(())
    }
}

/// The first and the last row of a table.
fn range_of(connection: &Connection, table: Table) -> rusqlite::Result<Option<(i64, i64)>> {
    let sql = match table {
        Table::Events => "SELECT (SELECT min(seq) FROM event), (SELECT max(seq) FROM event)",
        Table::Traffic => "SELECT (SELECT min(seq) FROM traffic), (SELECT max(seq) FROM traffic)",
    };
    let mut statement = connection.prepare_cached(sql)?;
    let range = statement.query_row([], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get(1)?)))?;
    Ok(range.0.zip(range.1))
}

/// Looks at a file; gives the row beyond which nothing is wanted any more.
type Work<'w> = dyn FnMut(&Connection) -> rusqlite::Result<Option<i64>> + 'w;

/// What one file has for a page: one record more than asked for, to know whether there are more, and where it stopped when
/// it has looked at all that it may.
type Looked = (Vec<(i64, Record)>, Option<i64>);

fn look(
    connection: &Connection,
    table: Table,
    filter: &Filter,
    rows: (i64, i64),
    order: Order,
    limit: usize,
) -> rusqlite::Result<Looked> {
    let mut found = Vec::new();
    if lacks_dataplanes(connection, filter)? {
        return Ok((found, None));
    }
    let mut range = rows;
    let mut looked_at = 0;
    let at_once = if filter.is_all_sql() { limit + 1 } else { FETCHED_AT_ONCE };
    let place = (table, schema::version(connection)?);
    loop {
        let statement = filter.select(place, range, order, at_once);
        let mut prepared = connection.prepare(&statement.sql)?;
        let mut answer = prepared.query(params_from_iter(statement.values))?;
        let mut fetched = 0;
        let mut last = None;
        while let Some(row) = answer.next()? {
            let (number, record) = record(row)?;
            (fetched, last) = (fetched + 1, Some(number));
            if filter.admits(table, &record.json) {
                found.push((number, record));
                if found.len() > limit {
                    return Ok((found, None));
                }
            }
        }
        looked_at += fetched;
        let Some(last) = last.filter(|_| fetched == at_once) else { return Ok((found, None)) };
        if looked_at >= LOOKED_AT_MAX {
            return Ok((found, Some(last)));
        }
        match order {
            Order::NewestFirst => range.1 = last - 1,
            Order::OldestFirst => range.0 = last + 1,
        }
    }
}

/// Whether a data plane is asked for in a file that knows none.
fn lacks_dataplanes(connection: &Connection, filter: &Filter) -> rusqlite::Result<bool> {
    Ok(filter.dataplane.is_some() && schema::version(connection)? < schema::DATAPLANES_SINCE)
}

fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Record)> {
    let number: i64 = row.get(0)?;
    let id: Vec<u8> = row.get(1)?;
    let json: String = row.get(2)?;
    let id = EventId(id.try_into().map_or(0, u128::from_be_bytes));
    Ok((number, Record { id, time: Moment((number >> NUMBER_BITS) as u64), json: json.into() }))
}

/// `source.ip` as SQLite's JSON functions want it.
fn json_path(field: &str) -> String {
    let keys = field.split('.').map(|key| format!(".\"{}\"", key.replace('"', "")));
    format!("${}", keys.collect::<String>())
}

fn value_at(json: &str, field: &str) -> String {
    let record: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let value = field.split('.').try_fold(&record, |value, key| value.get(key));
    match value {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
