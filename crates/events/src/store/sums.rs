//! Counts by minute and by hour, written with the records that they count.

use std::collections::{HashMap, HashSet};

use rusqlite::{Transaction, params};

use super::columns::{EventColumns, TrafficColumns};

/// What is counted by. Numbers are those in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// Events by nothing further.
    All = 0,
    /// Events by their kinds of attack.
    Attack = 1,
    /// Events by rules that matched.
    Rule = 2,
    /// Events by the client's address.
    Source = 3,
    /// Events by kind.
    Kind = 4,
    /// Requests, from L7 records, by the class of their answer: `2xx`. Their actions are `requests`, `blocked` and
    /// `would_block`, of which the first counts all.
    Requests = 5,
    /// Requests, from L7 records, by who asked.
    Edge = 6,
}

/// A question for sums.
#[derive(Clone, Debug)]
pub struct SumQuery {
    /// By what.
    pub dimension: Dimension,
    /// From when, in milliseconds since 1970; the minute that it is in counts.
    pub from_unix_millis: u64,
    /// Until when; the minute that it is in does not count, unless it is its first millisecond.
    pub to_unix_millis: u64,
    /// Of one service alone.
    pub service: Option<String>,
    /// By service as well.
    pub by_service: bool,
    /// By time as well: so many minutes make a step. A multiple of 60 is answered from the hours.
    pub step_minutes: Option<u64>,
    /// How many sums at most; without steps the largest are given.
    pub limit: usize,
}

/// A sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// When the step begins, in milliseconds since 1970; `None` without steps.
    pub start_unix_millis: Option<u64>,
    /// The service; empty when they are not told apart.
    pub service: String,
    /// The value of the dimension. Empty: values that were too many to be counted one by one.
    pub value: String,
    /// The action.
    pub action: String,
    /// How many.
    pub count: u64,
}

/// Different values of a dimension that are counted one by one, of each minute or hour and service. An attack from a
/// million addresses must not make a million sums.
const VALUES_MAX: usize = 1_000;
/// Different rows that one minute or hour may have in all.
const ROWS_MAX: usize = 50_000;

pub(super) const MINUTE: i64 = 1;
pub(super) const HOUR: i64 = 60;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Cell {
    dimension: Dimension,
    width: i64,
    start: i64,
    service: Box<str>,
    value: Box<str>,
    action: Box<str>,
}

/// Counts of a batch on their way to the file.
#[derive(Debug, Default)]
pub(super) struct Sums {
    cells: HashMap<Cell, u64>,
}

/// Dimension, width, start and service: cells that differ in value and action alone.
type Family = (Dimension, i64, i64, Box<str>);

/// Which values the last minutes and hours have, so that their number stays bounded.
#[derive(Debug, Default)]
pub(super) struct Known {
    values: HashMap<Family, HashSet<Box<str>>>,
    rows: HashMap<(i64, i64), usize>,
}

impl Sums {
    pub(super) fn event(&mut self, unix_millis: u64, columns: &EventColumns<'_>, rules: &[i64]) {
        let mut add = |dimension, value: &str| {
            self.add(dimension, unix_millis, &columns.service, value, &columns.action, 1);
        };
        add(Dimension::All, "");
        add(Dimension::Kind, &columns.kind);
        add(Dimension::Source, &columns.source.ip);
        match &columns.attacks[..] {
            [] => columns.attack.iter().for_each(|attack| add(Dimension::Attack, attack)),
            attacks => attacks.iter().for_each(|attack| add(Dimension::Attack, attack)),
        }
        rules.iter().for_each(|rule| add(Dimension::Rule, &rule.to_string()));
    }

    pub(super) fn traffic(&mut self, unix_millis: u64, columns: &TrafficColumns<'_>) {
        let (service, source, class) = (&*columns.service, columns.source(), columns.class());
        let counts =
            [("requests", columns.count), ("blocked", columns.blocked), ("would_block", columns.would_block)];
        for (action, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            self.add(Dimension::Requests, unix_millis, service, class, action, count);
            self.add(Dimension::Edge, unix_millis, service, &source, action, count);
        }
    }

    fn add(
        &mut self,
        dimension: Dimension,
        millis: u64,
        service: &str,
        value: &str,
        action: &str,
        count: u64,
    ) {
        let minute = (millis / 60_000) as i64;
        for (width, start) in [(MINUTE, minute), (HOUR, minute - minute % HOUR)] {
            let cell = Cell {
                dimension,
                width,
                start,
                service: service.into(),
                value: value.into(),
                action: action.into(),
            };
            *self.cells.entry(cell).or_default() += count;
        }
    }

    /// Adds them to the file.
    pub(super) fn write(self, known: &mut Known, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut add = transaction.prepare(
            "INSERT INTO sum (dimension, width, start, service, value, action, count) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
        )?;
        let mut cells: Vec<(Cell, u64)> = self.cells.into_iter().collect();
        // In the order of the table, so that neighbours are written together.
        cells.sort_unstable_by(|(a, _), (b, _)| {
            let key = |cell: &Cell| (cell.dimension as i64, cell.width, cell.start);
            (key(a), &a.service, &a.value, &a.action).cmp(&(key(b), &b.service, &b.value, &b.action))
        });
        for (cell, count) in cells {
            let value = if known.has_room(&cell) { &*cell.value } else { "" };
            let dimension = cell.dimension as i64;
            add.execute(params![
                dimension,
                cell.width,
                cell.start,
                &*cell.service,
                value,
                &*cell.action,
                count as i64
            ])?;
        }
        known.forget();
        Ok(())
    }
}

impl Known {
    fn has_room(&mut self, cell: &Cell) -> bool {
        let rows = self.rows.entry((cell.width, cell.start)).or_default();
        let values =
            self.values.entry((cell.dimension, cell.width, cell.start, cell.service.clone())).or_default();
        if values.contains(&cell.value) {
            return true;
        }
        if values.len() >= VALUES_MAX || *rows >= ROWS_MAX {
            return false;
        }
        *rows += 1;
        values.insert(cell.value.clone());
        true
    }

    /// Keeps the last minutes and hours alone.
    fn forget(&mut self) {
        const STARTS_MAX: usize = 16;
        if self.rows.len() <= STARTS_MAX {
            return;
        }
        let newest = |width: i64, rows: &HashMap<(i64, i64), usize>| {
            rows.keys().filter(|key| key.0 == width).map(|key| key.1).max().unwrap_or_default()
        };
        let (minute, hour) = (newest(MINUTE, &self.rows), newest(HOUR, &self.rows));
        let keeps = |width: i64, start: i64| match width {
            MINUTE => start > minute - 3,
            _ => start > hour - 2 * HOUR,
        };
        self.rows.retain(|(width, start), _| keeps(*width, *start));
        self.values.retain(|(_, width, start, _), _| keeps(*width, *start));
    }
}
