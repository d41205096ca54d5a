//! Counts by minute and by hour, written with the records that they count: of each service, and over all of them.
//!
//! How many sums there are is bounded whatever clients do: of each minute or hour a service keeps the values that came most
//! ([`Heavy`]), and counts all others together.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{CachedStatement, Transaction, params};

use super::columns::{EventColumns, TrafficColumns};
use super::counts;
use super::heavy::Heavy;

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
    /// Requests, from L7 records, by who asked. Beside the actions of [`Self::Requests`] there is `errors`: answers 5xx, and
    /// none at all.
    Edge = 6,
    /// Events by the client's country, where that is known.
    Country = 7,
    /// Events by who asked and by their kinds of attack: both in one value, [`EDGE_ATTACK_SEPARATOR`] between them.
    EdgeAttack = 8,
}

/// Between who asked and the kind of attack.
pub const EDGE_ATTACK_SEPARATOR: char = '\u{1f}';

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

/// Different values of a dimension that are counted one by one, of each minute or hour and service: the most frequent. An
/// attack from a million addresses must not make a million sums.
const VALUES_OF_MINUTE_MAX: usize = 128;
const VALUES_OF_HOUR_MAX: usize = 256;
/// Different values that one minute or hour may have in all.
const VALUES_MAX: usize = 50_000;

pub(super) const MINUTE: i64 = 1;
pub(super) const HOUR: i64 = 60;

/// Added to the number of a dimension: the same over all services.
pub(super) const OVERALL: i64 = 100;

/// Counts of a batch on their way to the file: by dimension, minute and service, then by value and action.
#[derive(Debug, Default)]
pub(super) struct Sums {
    cells: HashMap<(Dimension, i64, Box<str>), ByValue>,
}

/// How many of each action; there are few actions.
pub(super) type Actions = Vec<(Box<str>, u64)>;
/// How many of each action, of each value.
pub(super) type ByValue = HashMap<Box<str>, Actions>;

/// Adds a count of an action.
pub(super) fn count(actions: &mut Actions, action: &str, count: u64) {
    match actions.iter_mut().find(|(own, _)| **own == *action) {
        Some((_, own)) => *own += count,
        None => actions.push((action.into(), count)),
    }
}

/// Adds the counts of others.
fn merge(into: &mut ByValue, others: &ByValue) {
    for (value, actions) in others {
        match into.get_mut(value) {
            Some(own) => actions.iter().for_each(|(action, by)| count(own, action, *by)),
            None => drop(into.insert(value.clone(), actions.clone())),
        }
    }
}

/// Sums that differ in value and action alone: dimension (with [`OVERALL`]), width, start and service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Family {
    dimension: i64,
    width: i64,
    start: i64,
    service: Box<str>,
}

/// What the last minutes and hours of the file that is written have.
#[derive(Debug, Default)]
pub(super) struct Known {
    families: HashMap<Family, Kept>,
    values: HashMap<(i64, i64), usize>,
}

impl Sums {
    pub(super) fn event(&mut self, unix_millis: u64, columns: &EventColumns<'_>, rules: &[i64]) {
        // An alert counts what has been counted, and losses are no decision.
        if matches!(&*columns.kind, "alert" | "dropped") {
            return;
        }
        let mut add = |dimension, value: &str| {
            self.add(dimension, unix_millis, &columns.service, value, &columns.action, 1);
        };
        add(Dimension::All, "");
        add(Dimension::Kind, &columns.kind);
        add(Dimension::Source, &columns.source.ip);
        if !columns.source.country.is_empty() {
            add(Dimension::Country, &columns.source.country);
        }
        let source = columns.source.workload();
        let mut attack = |attack: &str| {
            add(Dimension::Attack, attack);
            add(Dimension::EdgeAttack, &format!("{source}{EDGE_ATTACK_SEPARATOR}{attack}"));
        };
        match &columns.attacks[..] {
            [] => columns.attack.iter().for_each(|own| attack(own)),
            attacks => attacks.iter().for_each(|own| attack(own)),
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
        if matches!(class, "5xx" | "none") && columns.count > 0 {
            self.add(Dimension::Edge, unix_millis, service, &source, "errors", columns.count);
        }
    }

    fn add(&mut self, dimension: Dimension, millis: u64, service: &str, value: &str, action: &str, by: u64) {
        let values = self.cells.entry((dimension, (millis / 60_000) as i64, service.into())).or_default();
        match values.get_mut(value) {
            Some(actions) => count(actions, action, by),
            None => drop(values.insert(value.into(), vec![(action.into(), by)])),
        }
    }

    /// Adds them to the file.
    pub(super) fn write(&self, known: &mut Known, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut families: Vec<(Family, &ByValue)> = Vec::with_capacity(self.cells.len() * 4);
        for ((dimension, minute, service), values) in &self.cells {
            for (width, start) in [(MINUTE, *minute), (HOUR, minute - minute % HOUR)] {
                for (dimension, service) in
                    [(*dimension as i64, &**service), (*dimension as i64 + OVERALL, "")]
                {
                    families.push((Family { dimension, width, start, service: service.into() }, values));
                }
            }
        }
        // In the order of the table, so that neighbours are written together, and those of one family once.
        families.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut statements = Statements {
            find: transaction.prepare_cached(
                "SELECT id, counts FROM sum WHERE dimension = ? AND width = ? AND start = ? AND service = ?",
            )?,
            begin: transaction.prepare_cached(
                "INSERT INTO sum (dimension, width, start, service, counts) VALUES (?, ?, ?, ?, ?)",
            )?,
            set: transaction.prepare_cached("UPDATE sum SET counts = ? WHERE id = ?")?,
        };
        let mut families = families.into_iter().peekable();
        while let Some((family, sums)) = families.next() {
            let mut sums = Cow::Borrowed(sums);
            while let Some((_, more)) = families.next_if(|(next, _)| *next == family) {
                merge(sums.to_mut(), more);
            }
            known.add(family, &sums, &mut statements)?;
        }
        known.forget();
        Ok(())
    }
}

struct Statements<'t> {
    find: CachedStatement<'t>,
    begin: CachedStatement<'t>,
    set: CachedStatement<'t>,
}

impl Known {
    /// Adds sums to those of a family, here and in the file.
    fn add(
        &mut self,
        family: Family,
        sums: &ByValue,
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<()> {
        let Family { width, start, .. } = family;
        let all = self.values.entry((width, start)).or_default();
        let Kept { row, heavy } = match self.families.entry(family) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let kept = Kept::read(entry.key(), statements)?;
                *all += kept.heavy.len();
                entry.insert(kept)
            }
        };
        let values_max = if width == MINUTE { VALUES_OF_MINUTE_MAX } else { VALUES_OF_HOUR_MAX };
        let before = heavy.len();
        heavy.add(sums, values_max.min(before + VALUES_MAX.saturating_sub(*all)));
        *all = *all + heavy.len() - before;
        statements.set.execute(params![heavy.to_bytes(), *row])?;
        Ok(())
    }

    /// Keeps the last minutes and hours alone; others are read again where they are needed.
    fn forget(&mut self) {
        const STARTS_MAX: usize = 16;
        if self.values.len() <= STARTS_MAX {
            return;
        }
        let newest = |width: i64, starts: &HashMap<(i64, i64), usize>| {
            starts.keys().filter(|key| key.0 == width).map(|key| key.1).max().unwrap_or_default()
        };
        let (minute, hour) = (newest(MINUTE, &self.values), newest(HOUR, &self.values));
        let keeps = |width: i64, start: i64| match width {
            MINUTE => start > minute - 3,
            _ => start > hour - 2 * HOUR,
        };
        self.values.retain(|(width, start), _| keeps(*width, *start));
        self.families.retain(|family, _| keeps(family.width, family.start));
    }
}

/// A family as the file has it, and its row there.
#[derive(Debug)]
struct Kept {
    row: i64,
    heavy: Heavy,
}

impl Kept {
    /// What the file has; a new row where it has nothing.
    fn read(family: &Family, statements: &mut Statements<'_>) -> rusqlite::Result<Self> {
        let Family { dimension, width, start, service } = family;
        let mut rows = statements.find.query(params![dimension, width, start, service])?;
        if let Some(row) = rows.next()? {
            let mut sums = ByValue::new();
            let read = counts::each(row.get_ref(1)?.as_blob()?, |value, action, by| {
                count(sums.entry(value.into()).or_default(), action, by);
            });
            // What is damaged is counted from here on.
            return Ok(Self {
                row: row.get(0)?,
                heavy: read.map_or_else(Heavy::default, |()| Heavy::of(sums)),
            });
        }
        drop(rows);
        let row = statements.begin.insert(params![dimension, width, start, service, &[][..]])?;
        Ok(Self { row, heavy: Heavy::default() })
    }
}
