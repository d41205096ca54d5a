//! One alert over time: which records it has seen within its lookback, and when they make it fire. Time comes in.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::alert::{Asks, GlobalAlert};
use super::state::{Covered, WatchState};
use crate::query;

/// Events of one alert at one time. At the bound a last one says how many records more there were.
pub const FIRINGS_MAX: usize = 1000;
/// Rows that an alert with `aggregateBy` or `metric` remembers. At the bound the oldest are forgotten, and counted.
pub const ROWS_MAX: usize = 200_000;
/// Combinations that one record may make, where fields are lists.
const COMBINATIONS_MAX: usize = 64;
/// Characters of a value that make a combination.
const KEY_CHARS_MAX: usize = 512;

/// An alert at work.
#[derive(Debug)]
pub struct Watch {
    alert: Arc<GlobalAlert>,
    /// Changes with what the alert asks, so that another question begins anew.
    definition: [u8; 32],
    state: WatchState,
    /// Records that wait to be fired for.
    records: Vec<(u128, Value)>,
    /// How many there are beyond the bound.
    beyond: u64,
    /// The id of the newest record that was meant.
    newest: u128,
    rows: VecDeque<Row>,
    keys: HashSet<Arc<[Value]>>,
    forgotten: u64,
    /// The time in the ids of what fires now.
    id_ms: u64,
}

#[derive(Debug)]
struct Row {
    id: u128,
    time_ms: u64,
    key: Arc<[Value]>,
    value: f64,
}

/// That an alert fires, once.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    /// The event's id: the same whenever the same fires again after a crash. Begins with a time, as ids of events do.
    pub id: u128,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// The same for all that this alert says of the same combination, or record.
    pub fingerprint: String,
    /// The whole record; or the fields of the combination, and the metric.
    pub record: Value,
}

impl Watch {
    /// An alert with what it has done so far.
    #[must_use]
    pub fn new(alert: Arc<GlobalAlert>, state: WatchState) -> Self {
        let asked = (alert.data_set, alert.query.to_string(), &alert.asks);
        let definition = Sha256::digest(format!("{} {asked:?}", alert.name)).into();
        Self {
            alert,
            definition,
            state,
            records: Vec::new(),
            beyond: 0,
            newest: 0,
            rows: VecDeque::new(),
            keys: HashSet::new(),
            forgotten: 0,
            id_ms: 0,
        }
    }

    /// The alert.
    #[must_use]
    pub fn alert(&self) -> &Arc<GlobalAlert> {
        &self.alert
    }

    /// What it has done so far.
    #[must_use]
    pub fn state(&self) -> &WatchState {
        &self.state
    }

    /// Rows that were forgotten because there were too many.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// When it is to be asked next, in milliseconds since 1970: at whole multiples of its period, so that every process asks
    /// at the same time.
    #[must_use]
    pub fn due_ms(&self) -> u64 {
        let period = self.period_ms();
        (self.state.evaluated_ms / period + 1) * period
    }

    /// Whether it is to be asked. A clock that went back does not silence it.
    #[must_use]
    pub fn is_due(&self, now_ms: u64) -> bool {
        now_ms >= self.due_ms() || now_ms + self.period_ms() < self.state.evaluated_ms
    }

    /// Another form of the same alert: what it has seen stays where it asks the same.
    #[must_use]
    pub fn replaced(self, alert: Arc<GlobalAlert>) -> Self {
        let new = Self::new(alert, self.state.clone());
        if new.definition == self.definition { Self { alert: new.alert, ..self } } else { new }
    }

    /// Looks at a record of its data set. Records come in the order of their ids.
    pub fn take(&mut self, id: u128, time_ms: u64, record: &Value) {
        // What history has and the Bus brings once more.
        if id <= self.newest || !self.alert.query.matches(record) {
            return;
        }
        self.newest = id;
        let field = match &self.alert.asks {
            Asks::EachRecord => {
                // Fired for before a restart.
                if id <= self.state.seen {
                    return;
                }
                if self.records.len() < FIRINGS_MAX {
                    self.records.push((id, record.clone()));
                } else {
                    self.beyond += 1;
                }
                return;
            }
            Asks::EachCombination(_) => None,
            Asks::Metric { field, .. } => (!field.is_empty()).then_some(field),
        };
        let mut numbers = Vec::new();
        match field {
            None => numbers.push(1.0),
            Some(field) => query::values(record, field, &mut |value| {
                if numbers.len() < COMBINATIONS_MAX {
                    numbers.extend(value.as_f64().or_else(|| value.as_str()?.parse().ok()));
                }
            }),
        }
        for key in combinations(record, self.alert.asks.by()) {
            // A combination is stored once, however many rows have it.
            let key = match self.keys.get(key.as_slice()) {
                Some(key) => key.clone(),
                None => {
                    let key: Arc<[Value]> = key.into();
                    self.keys.insert(key.clone());
                    key
                }
            };
            for value in &numbers {
                if self.rows.len() == ROWS_MAX {
                    self.rows.pop_front();
                    self.forgotten += 1;
                }
                self.rows.push_back(Row { id, time_ms, key: key.clone(), value: *value });
            }
        }
    }

    /// Asks it.
    pub fn evaluate(&mut self, now_ms: u64) -> Vec<Fired> {
        // The same after a crash that came before what has fired was remembered.
        self.id_ms = self.due_ms().min(now_ms);
        self.state.evaluated_ms = now_ms;
        let fired = match self.alert.asks {
            Asks::EachRecord => self.each_record(now_ms),
            Asks::EachCombination(_) | Asks::Metric { .. } => self.each_combination(now_ms),
        };
        if !fired.is_empty() {
            self.state.last_event_ms = Some(now_ms);
            self.state.events += fired.len() as u64;
        }
        fired
    }

    fn each_record(&mut self, now_ms: u64) -> Vec<Fired> {
        let mut fired = Vec::new();
        for (id, record) in std::mem::take(&mut self.records) {
            let fingerprint = self.fingerprint(&Value::from(format!("{id:032x}")));
            fired.push(Fired { id: self.event_id(id, &fingerprint), time_ms: now_ms, fingerprint, record });
        }
        let beyond = std::mem::take(&mut self.beyond);
        if beyond > 0 {
            let fingerprint = self.fingerprint(&Value::from("beyond"));
            let record = Value::from(Map::from_iter([("more_records".to_owned(), Value::from(beyond))]));
            fired.push(Fired {
                id: self.event_id(self.newest, &fingerprint),
                time_ms: now_ms,
                fingerprint,
                record,
            });
        }
        self.state.seen = self.state.seen.max(self.newest);
        fired
    }

    fn each_combination(&mut self, now_ms: u64) -> Vec<Fired> {
        let from = now_ms.saturating_sub(self.lookback_ms());
        self.rows.retain(|row| row.time_ms >= from);
        let mut groups: HashMap<Arc<[Value]>, usize> = HashMap::new();
        let mut rows_of: Vec<(Arc<[Value]>, Vec<&Row>)> = Vec::new();
        // Every record together is a group even where there is none.
        if self.alert.asks.by().is_empty() {
            let all: Arc<[Value]> = Arc::new([]);
            groups.insert(all.clone(), 0);
            rows_of.push((all, Vec::new()));
        }
        for row in &self.rows {
            let number = *groups.entry(row.key.clone()).or_insert_with(|| {
                rows_of.push((row.key.clone(), Vec::new()));
                rows_of.len() - 1
            });
            rows_of[number].1.push(row);
        }
        let mut fired = Vec::new();
        let mut covers: Vec<(String, Covered)> = Vec::new();
        let mut more = 0;
        for (key, rows) in &rows_of {
            let named: Vec<Value> = key.to_vec();
            let fingerprint = self.fingerprint(&Value::from(named));
            let before = self.state.covered.get(&fingerprint);
            let covered = before.map_or(0, |before| before.id);
            let newest = rows.iter().map(|row| row.id).max().unwrap_or(0);
            let repeats = newest <= covered && before.is_some_and(|before| before.at_ms > from);
            let value = match self.value(rows.iter(), rows.iter().filter(|row| row.id > covered)) {
                Some(value) if !repeats => value,
                _ => continue,
            };
            if fired.len() == FIRINGS_MAX {
                more += 1;
                continue;
            }
            let mut record = Map::new();
            for (field, value) in self.alert.asks.by().iter().zip(key.iter()) {
                record.insert(field.to_string(), value.clone());
            }
            if let (Asks::Metric { metric, .. }, Some(value)) = (&self.alert.asks, value) {
                record.insert(metric.as_str().to_owned(), number(value));
            }
            let id = if newest > covered { newest } else { u128::from(self.id_ms) << 80 };
            covers.push((fingerprint.clone(), Covered { id: newest.max(covered), at_ms: now_ms }));
            let id = self.event_id(id, &fingerprint);
            fired.push(Fired { id, time_ms: now_ms, fingerprint, record: Value::Object(record) });
        }
        if more > 0 {
            let fingerprint = self.fingerprint(&Value::from("beyond"));
            let record = Value::from(Map::from_iter([("more_combinations".to_owned(), Value::from(more))]));
            let id = self.event_id(u128::from(self.id_ms) << 80, &fingerprint);
            fired.push(Fired { id, time_ms: now_ms, fingerprint, record });
        }
        self.state.covered.extend(covers);
        // What has fired for nothing that is still within the lookback has no memory to keep.
        let newest_gone = u128::from(from) << 80;
        self.state.covered.retain(|_, covered| covered.at_ms > from || covered.id >= newest_gone);
        let rows = &self.rows;
        if self.keys.len() > rows.len() {
            self.keys = rows.iter().map(|row| row.key.clone()).collect();
        }
        fired
    }

    /// Whether it fires for a combination, with which value: all rows together, and those that are new by themselves, have
    /// to satisfy the condition.
    fn value<'r>(
        &self,
        all: impl Iterator<Item = &'r &'r Row>,
        new: impl Iterator<Item = &'r &'r Row>,
    ) -> Option<Option<f64>> {
        let mut new = new.peekable();
        match &self.alert.asks {
            Asks::Metric { metric, condition, threshold, .. } => {
                let all = metric.of(all.map(|row| row.value))?;
                let holds = condition.holds(all, *threshold);
                // Nothing new can still be a finding: that there is too little.
                let by_itself = match new.peek() {
                    None => true,
                    Some(_) => condition.holds(metric.of(new.map(|row| row.value))?, *threshold),
                };
                (holds && by_itself).then_some(Some(all))
            }
            _ => new.peek().is_some().then_some(None),
        }
    }

    fn fingerprint(&self, of: &Value) -> String {
        let mut hash = Sha256::new();
        hash.update(self.definition);
        hash.update(of.to_string());
        hex(&hash.finalize()[..16])
    }

    /// When it was to be asked, and what it fires for.
    fn event_id(&self, record: u128, fingerprint: &str) -> u128 {
        let digest = Sha256::digest(format!("{record:032x} {fingerprint}"));
        let low = digest.iter().take(10).fold(0_u128, |id, byte| id << 8 | u128::from(*byte));
        u128::from(self.id_ms) << 80 | low
    }

    fn period_ms(&self) -> u64 {
        (self.alert.period.as_millis() as u64).max(1)
    }

    fn lookback_ms(&self) -> u64 {
        self.alert.lookback.as_millis() as u64
    }
}

fn number(value: f64) -> Value {
    // Counts are whole, and read better so.
    if value.fract() == 0.0 && value.abs() < 9e15 { Value::from(value as i64) } else { Value::from(value) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The combinations that a record makes of fields: of a list each item; none where a field is missing.
fn combinations(record: &Value, by: &[Box<str>]) -> Vec<Vec<Value>> {
    let mut all: Vec<Vec<Value>> = vec![Vec::with_capacity(by.len())];
    for field in by {
        let mut values: BTreeMap<String, Value> = BTreeMap::new();
        query::values(record, field, &mut |value| {
            let value = match value {
                Value::String(text) => Value::from(text.chars().take(KEY_CHARS_MAX).collect::<String>()),
                Value::Number(_) | Value::Bool(_) => value.clone(),
                Value::Null | Value::Array(_) | Value::Object(_) => return,
            };
            if values.len() < COMBINATIONS_MAX {
                values.insert(value.to_string(), value);
            }
        });
        let longer = all.iter().flat_map(|key| {
            values.values().map(|value| key.iter().cloned().chain([value.clone()]).collect())
        });
        all = longer.take(COMBINATIONS_MAX).collect();
    }
    all
}
