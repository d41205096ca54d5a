//! `/api/v1/stats`: how much was asked, stopped and would have been, over time and by what. From sums that are written with
//! the events: no event is read for it.
//!
//! Requests are those of L7 records, which come once an interval (15 s); what was stopped and would have been is of events,
//! which come at once. By `service` requests are all of a service; by anything else they are those that made an event.

use std::collections::BTreeMap;
use std::sync::Arc;

use palisade_events::store::{Dimension, EventStore, StoreError, Sum, SumQuery};
use palisade_model::Calendar;
use serde_json::{Value, json};

use super::events::{owned, range};
use super::request::Parameters;
use super::{Refused, bad, time};
use crate::records::Records;

/// The longest range.
const DAYS_MAX: u64 = 400;
/// Sums of one question.
const SUMS_MAX: usize = 200_000;
/// Points of a series, about.
const POINTS: u64 = 120;

/// What groups are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Service,
    Action,
    Of(Dimension),
}

/// Counts of one thing.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    requests: u64,
    blocked: u64,
    would_block: u64,
}

impl Counts {
    fn add(&mut self, action: &str, count: u64) {
        match action {
            "deny" => self.blocked += count,
            "would_block" => self.would_block += count,
            _ => {}
        }
    }

    fn shown(&self, key: &str, name: impl Into<Value>) -> Value {
        let Self { requests, blocked, would_block } = self;
        json!({key: name.into(), "requests": requests, "blocked": blocked, "would_block": would_block})
    }
}

/// From when until when, in milliseconds since 1970: the last hour when nobody says.
pub(super) fn between(parameters: &Parameters) -> Result<(u64, u64), Refused> {
    let asked = range(parameters)?;
    let to = asked.to_unix_millis.unwrap_or_else(|| time::now().0 + 1);
    let from = asked.from_unix_millis.unwrap_or_else(|| to.saturating_sub(3_600_000));
    if from >= to {
        return Err(bad("`from` comes before `to`"));
    }
    if !is_range(from, to) {
        return Err(bad(format!("ask for {DAYS_MAX} days at most")));
    }
    Ok((from, to))
}

/// Whether that may be asked about.
pub(super) fn is_range(from: u64, to: u64) -> bool {
    from < to && to - from <= DAYS_MAX * 86_400_000
}

pub(super) async fn stats(parameters: Parameters, records: &Arc<Records>) -> Result<Value, Refused> {
    let (from, to) = between(&parameters)?;
    let by = match parameters.one("by")?.unwrap_or("service") {
        "service" => By::Service,
        "action" => By::Action,
        "attack" => By::Of(Dimension::Attack),
        "rule" => By::Of(Dimension::Rule),
        "source" => By::Of(Dimension::Source),
        "country" => By::Of(Dimension::Country),
        other => {
            let why = format!("`by` is service, action, attack, rule, source or country, not `{other}`");
            return Err(bad(why));
        }
    };
    let asked = Asked { from, to, service: owned(&parameters, "service")?, by, limit: parameters.limit()? };
    records.read(move |store| asked.answer(store)).await
}

struct Asked {
    from: u64,
    to: u64,
    service: Option<String>,
    by: By,
    limit: usize,
}

impl Asked {
    fn query(&self, dimension: Dimension) -> SumQuery {
        SumQuery {
            dimension,
            from_unix_millis: self.from,
            to_unix_millis: self.to,
            service: self.service.clone(),
            by_service: false,
            step_minutes: None,
            limit: SUMS_MAX,
        }
    }

    fn answer(&self, store: &dyn EventStore) -> Result<Value, StoreError> {
        let step = step_minutes(self.to - self.from);
        let steps = |dimension| SumQuery { step_minutes: Some(step), ..self.query(dimension) };
        let mut series: BTreeMap<u64, Counts> = BTreeMap::new();
        // A point for each step, also where nothing was.
        let millis = step * 60_000;
        let mut at = self.from - self.from % millis;
        while at < self.to {
            series.insert(at, Counts::default());
            at += millis;
        }
        let (mut total, mut events) = (Counts::default(), 0);
        for sum in store.sums(&steps(Dimension::Requests))? {
            if sum.action == "requests" {
                series.entry(sum.start_unix_millis.unwrap_or_default()).or_default().requests += sum.count;
                total.requests += sum.count;
            }
        }
        let mut actions: BTreeMap<String, u64> = BTreeMap::new();
        for sum in store.sums(&steps(Dimension::All))? {
            series.entry(sum.start_unix_millis.unwrap_or_default()).or_default().add(&sum.action, sum.count);
            total.add(&sum.action, sum.count);
            events += sum.count;
            *actions.entry(sum.action).or_default() += sum.count;
        }
        let groups = match self.by {
            By::Service => self.services(store)?,
            By::Action => by_action(actions, total),
            By::Of(dimension) => grouped(store.sums(&self.query(dimension))?),
        };
        let (groups, others) = self.largest(groups);
        let rfc3339 = |millis: u64| Calendar::new(millis, 0).rfc3339();
        let series: Vec<Value> =
            series.iter().map(|(at, counts)| counts.shown("time", rfc3339(*at))).collect();
        Ok(json!({
            "from": rfc3339(self.from),
            "to": rfc3339(self.to),
            "step_seconds": step * 60,
            "total": total.shown("events", events),
            "series": series,
            "groups": groups,
            "others": others,
        }))
    }

    fn services(&self, store: &dyn EventStore) -> Result<Vec<(String, Counts)>, StoreError> {
        let by_service = |dimension| SumQuery { by_service: true, ..self.query(dimension) };
        let mut groups: BTreeMap<String, Counts> = BTreeMap::new();
        for sum in store.sums(&by_service(Dimension::Requests))? {
            if sum.action == "requests" {
                groups.entry(sum.service).or_default().requests += sum.count;
            }
        }
        for sum in store.sums(&by_service(Dimension::All))? {
            groups.entry(sum.service).or_default().add(&sum.action, sum.count);
        }
        Ok(groups.into_iter().collect())
    }

    /// The largest groups, and all others together.
    fn largest(&self, mut groups: Vec<(String, Counts)>) -> (Vec<Value>, Value) {
        let mut others = Counts::default();
        let mut has_others = false;
        let mut add = |counts: &Counts| {
            others.requests += counts.requests;
            others.blocked += counts.blocked;
            others.would_block += counts.would_block;
            has_others = true;
        };
        groups.retain(|(key, counts)| {
            if key.is_empty() {
                add(counts);
            }
            !key.is_empty()
        });
        groups.sort_by(|(a, of_a), (b, of_b)| {
            let size = |counts: &Counts| (counts.requests, counts.blocked + counts.would_block);
            size(of_b).cmp(&size(of_a)).then_with(|| a.cmp(b))
        });
        groups.iter().skip(self.limit).for_each(|(_, counts)| add(counts));
        groups.truncate(self.limit);
        let groups = groups.iter().map(|(key, counts)| counts.shown("key", key.as_str())).collect();
        let others = match has_others {
            true => {
                let Counts { requests, blocked, would_block } = others;
                json!({"requests": requests, "blocked": blocked, "would_block": would_block})
            }
            false => Value::Null,
        };
        (groups, others)
    }
}

/// What was done with all requests; those without an event passed.
fn by_action(mut actions: BTreeMap<String, u64>, total: Counts) -> Vec<(String, Counts)> {
    let passed = total.requests.saturating_sub(total.blocked + total.would_block);
    let pass = actions.entry("pass".to_owned()).or_default();
    *pass = (*pass).max(passed);
    let group = |(action, requests): (String, u64)| {
        let mut counts = Counts { requests, ..Counts::default() };
        counts.add(&action, requests);
        (action, counts)
    };
    actions.into_iter().filter(|(_, requests)| *requests > 0).map(group).collect()
}

fn grouped(sums: Vec<Sum>) -> Vec<(String, Counts)> {
    let mut groups: BTreeMap<String, Counts> = BTreeMap::new();
    for sum in sums {
        let counts = groups.entry(sum.value).or_default();
        counts.requests += sum.count;
        counts.add(&sum.action, sum.count);
    }
    groups.into_iter().collect()
}

/// Minutes of a step, so that a series has about [`POINTS`]. From an hour on whole hours, which are summed already.
fn step_minutes(range_millis: u64) -> u64 {
    const STEPS: [u64; 9] = [1, 5, 10, 15, 30, 60, 180, 720, 1440];
    let minutes = range_millis.div_ceil(60_000);
    STEPS.into_iter().find(|step| minutes / step <= POINTS).unwrap_or(1440 * minutes.div_ceil(1440 * POINTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_make_about_a_hundred_points() {
        assert_eq!(step_minutes(1), 1);
        assert_eq!(step_minutes(3_600_000), 1);
        assert_eq!(step_minutes(86_400_000), 15);
        assert_eq!(step_minutes(7 * 86_400_000), 180);
        assert!(DAYS_MAX * 1440 / step_minutes(DAYS_MAX * 86_400_000) <= POINTS);
    }

    #[test]
    fn what_has_no_event_passed() {
        let actions = BTreeMap::from([("deny".to_owned(), 2), ("pass".to_owned(), 1)]);
        let total = Counts { requests: 10, blocked: 2, would_block: 0 };
        let groups = by_action(actions, total);
        let requests: Vec<(&str, u64)> =
            groups.iter().map(|(action, counts)| (action.as_str(), counts.requests)).collect();
        assert_eq!(requests, [("deny", 2), ("pass", 8)]);
    }
}
