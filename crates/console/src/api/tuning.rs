//! `/api/v1/services/{name}/tuning`: what a service stopped, or would have stopped, gathered by what it would take to let it
//! pass, with the evidence, and how safe it would be to block.
//!
//! The idea to hold: two requests are alike when the same exception would let both pass. Nothing here knows whether a
//! request was an attack; what speaks for it and against it is counted and shown, and what is not clear counts as a mistake
//! to come. Figures:
//!
//! - A source *probes* where it met [`PROBES_FROM`] or more different groups in the window: people who use an application
//!   meet the same few, scanners try many.
//! - A group is an `attack` where 9 of 10 of its requests come from sources that probe, or where the detector was at least
//!   [`SURE_PERCENT`] sure in as many. It is `ordinary` where at most 1 of 10 does either, and it was seen at least
//!   [`ORDINARY_REQUESTS`] times from [`ORDINARY_SOURCES`] sources or over an hour. Everything else is `unclear`.
//! - `wrong` counts requests of groups that are not attacks. Of `requests` in all that is a share, and `wrong_at_most` is
//!   the upper end of its 95 % interval (Wilson), as if requests were drawn by chance, which they are not quite.
//! - `enough` is said from [`REQUESTS_ENOUGH`] requests and a day of traffic on, with every event looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_events::store::{Dimension, EventStore, Filter, Order, StoreError, SumQuery, Table};
use palisade_model::Calendar;
use serde_json::{Value, json};

use super::request::Parameters;
use super::{Refused, window_and_place};
use crate::allowance::{Allowance, Needed, list, text};
use crate::records::Records;

/// Events that are looked at, the newest first.
const EVENTS_MAX: usize = 20_000;
/// Time for that; what has not been looked at by then is told.
const TIME_MAX: Duration = Duration::from_secs(3);
const PAGE: usize = 500;
/// Groups that are told apart; requests of further ones are counted together.
const GROUPS_MAX: usize = 1_000;
/// Of a group: paths, sources and events that are named.
const PATHS_MAX: usize = 20;
const SOURCES_MAX: usize = 10_000;
const SAMPLES_MAX: usize = 5;
/// Paths that an exception names one by one; above it is for what they have in common.
const PATHS_NAMED_MAX: usize = 5;

const PROBES_FROM: usize = 4;
const SURE_PERCENT: u64 = 80;
const ORDINARY_REQUESTS: u64 = 5;
const ORDINARY_SOURCES: usize = 3;
const REQUESTS_ENOUGH: u64 = 1_000;
const HOUR_MS: u64 = 3_600_000;

/// Requests for which the same exception would do.
#[derive(Debug, Default)]
struct Group {
    requests: u64,
    blocked: u64,
    would_block: u64,
    /// Requests in which the detector was sure.
    sure: u64,
    sources: HashMap<Arc<str>, u64>,
    paths: BTreeMap<String, u64>,
    paths_cut: bool,
    first: u64,
    last: u64,
    samples: Vec<String>,
    messages: BTreeMap<u64, String>,
}

/// What it takes, without the path: what groups are told apart by.
type Key = Vec<Needed>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Ordinary,
    Unclear,
    Attack,
}

#[derive(Debug, Default)]
struct Gathered {
    groups: BTreeMap<Key, Group>,
    sources: BTreeSet<Arc<str>>,
    /// Requests that no exception could allow, or that came when there were too many groups.
    others: u64,
    /// Since when every event was looked at, where not all were.
    complete_from: Option<u64>,
}

pub(super) async fn tuning(
    service: String,
    parameters: &Parameters,
    records: &Arc<Records>,
) -> Result<Value, Refused> {
    let limit = parameters.limit()?;
    let (from, to, after) = window_and_place(parameters)?;
    records
        .read(move |store| {
            let requests = requests(store, &service, from, to)?;
            let mut gathered = Gathered::default();
            gathered.read(store, &service, from, to)?;
            Ok(gathered.shown(requests, (from, to), after, limit))
        })
        .await
}

/// Requests of a service, as L7 records have counted them.
fn requests(store: &dyn EventStore, service: &str, from: u64, to: u64) -> Result<u64, StoreError> {
    let query = SumQuery {
        dimension: Dimension::Requests,
        from_unix_millis: from,
        to_unix_millis: to,
        service: Some(service.to_owned()),
        by_service: false,
        step_minutes: None,
        limit: 1_000,
    };
    Ok(store.sums(&query)?.iter().filter(|sum| sum.action == "requests").map(|sum| sum.count).sum())
}

impl Gathered {
    fn read(&mut self, store: &dyn EventStore, service: &str, from: u64, to: u64) -> Result<(), StoreError> {
        let begun = Instant::now();
        let mut left = EVENTS_MAX;
        for action in ["would_block", "deny"] {
            let filter = Filter {
                from_unix_millis: Some(from),
                to_unix_millis: Some(to),
                service: Some(service.to_owned()),
                action: Some(action.to_owned()),
                ..Filter::default()
            };
            let mut after = None;
            loop {
                let page = store.page(Table::Events, &filter, Order::NewestFirst, after, PAGE.min(left))?;
                for record in &page.items {
                    if let Ok(event) = serde_json::from_str::<Value>(&record.json) {
                        self.add(&event, record.id.unix_millis(), action);
                    }
                }
                left -= page.items.len().min(left);
                after = page.next;
                if after.is_none() {
                    break;
                }
                if left == 0 || begun.elapsed() > TIME_MAX {
                    let last = page.items.last().map_or(to, |record| record.id.unix_millis());
                    self.complete_from = self.complete_from.max(Some(last));
                    break;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, event: &Value, at: u64, action: &str) {
        // Lists, policies and rates are no verdicts of the firewall: they are not tuned by exceptions.
        if !matches!(text(event, "cause"), "" | "rule" | "finding") {
            return;
        }
        let mut exceptions = Allowance::of(event).exceptions;
        exceptions.iter_mut().for_each(|needed| needed.paths.clear());
        if exceptions.is_empty()
            || (self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(&exceptions))
        {
            self.others += 1;
            return;
        }
        let source = source_of(event);
        let source = match self.sources.get(source.as_str()) {
            Some(source) => source.clone(),
            None => {
                let source: Arc<str> = source.into();
                if self.sources.len() < SOURCES_MAX {
                    self.sources.insert(source.clone());
                }
                source
            }
        };
        let group = self.groups.entry(exceptions).or_default();
        group.requests += 1;
        match action {
            "deny" => group.blocked += 1,
            _ => group.would_block += 1,
        }
        let sure = |finding: &Value| finding["confidence"].as_u64().is_some_and(|sure| sure >= SURE_PERCENT);
        group.sure += u64::from(list(event, "findings").iter().any(sure));
        if group.sources.len() < SOURCES_MAX || group.sources.contains_key(&source) {
            *group.sources.entry(source).or_default() += 1;
        }
        let path = text(event, "path").split('?').next().unwrap_or_default();
        if group.paths.len() < PATHS_MAX || group.paths.contains_key(path) {
            *group.paths.entry(path.to_owned()).or_default() += 1;
        } else {
            group.paths_cut = true;
        }
        group.first = if group.first == 0 { at } else { group.first.min(at) };
        group.last = group.last.max(at);
        if group.samples.len() < SAMPLES_MAX {
            group.samples.push(text(event, "id").to_owned());
        }
        for rule in list(event, "rules") {
            if let (Ok(id), true) = (text(rule, "id").parse(), group.messages.len() < 100) {
                group.messages.entry(id).or_insert_with(|| text(rule, "message").chars().take(200).collect());
            }
        }
    }

    fn shown(&self, requests: u64, (from, to): (u64, u64), after: usize, limit: usize) -> Value {
        let mut groups_of: HashMap<&str, usize> = HashMap::new();
        for group in self.groups.values() {
            group.sources.keys().for_each(|source| *groups_of.entry(source).or_default() += 1);
        }
        let probes = |source: &str| groups_of.get(source).is_some_and(|groups| *groups >= PROBES_FROM);
        let mut judged: Vec<(&Key, &Group, Judgement, u64)> = self
            .groups
            .iter()
            .map(|(key, group)| {
                let of_probing =
                    group.sources.iter().filter(|(source, _)| probes(source)).map(|(_, count)| *count).sum();
                (key, group, group.judgement(of_probing), of_probing)
            })
            .collect();
        judged.sort_by(|(a_key, a, ..), (b_key, b, ..)| {
            b.requests.cmp(&a.requests).then_with(|| a_key.cmp(b_key))
        });
        let count = |of: Judgement| {
            judged
                .iter()
                .filter(|(_, _, judgement, _)| *judgement == of)
                .map(|(_, group, ..)| group.requests)
                .sum::<u64>()
        };
        let (ordinary, unclear, attacks) =
            (count(Judgement::Ordinary), count(Judgement::Unclear) + self.others, count(Judgement::Attack));
        // L7 records come once an interval; events come at once.
        let requests = requests.max(ordinary + unclear + attacks);
        let page = judged.iter().skip(after).take(limit);
        let items: Vec<Value> = page
            .map(|(key, group, judgement, of_probing)| group.shown(key, *judgement, *of_probing))
            .collect();
        let next =
            (judged.len() > after.saturating_add(limit)).then(|| format!("{from}.{to}.{}", after + limit));
        let time = |millis: u64| Calendar::new(millis, 0).rfc3339();
        json!({
            "from": time(from),
            "to": time(to),
            "safe_to_block": {
                "requests": requests,
                "ordinary": ordinary,
                "unclear": unclear,
                "attacks": attacks,
                "wrong": share(ordinary + unclear, requests),
                "wrong_at_most": upper(ordinary + unclear, requests),
                "wrong_at_most_after_exceptions": upper(unclear, requests),
                "enough": not_enough(requests, to - from, self.complete_from).is_none(),
                "not_enough_because": not_enough(requests, to - from, self.complete_from),
            },
            "complete_from": self.complete_from.map(time),
            "others": self.others,
            "items": items,
            "next": next,
        })
    }
}

impl Group {
    fn judgement(&self, of_probing: u64) -> Judgement {
        let most = |part: u64| part * 10 >= self.requests * 9;
        let few = |part: u64| part * 10 <= self.requests;
        let seen_well = self.requests >= ORDINARY_REQUESTS
            && (self.sources.len() >= ORDINARY_SOURCES || self.last - self.first >= HOUR_MS);
        if most(of_probing) || most(self.sure) {
            Judgement::Attack
        } else if few(of_probing) && few(self.sure) && seen_well {
            Judgement::Ordinary
        } else {
            Judgement::Unclear
        }
    }

    fn shown(&self, key: &Key, judgement: Judgement, of_probing: u64) -> Value {
        let paths = self.paths_of_exception();
        let exceptions: Vec<Needed> =
            key.iter().map(|needed| Needed { paths: paths.clone(), ..needed.clone() }).collect();
        let mut sources: Vec<(&Arc<str>, &u64)> = self.sources.iter().collect();
        sources.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
        let named = |(key, count): (&str, u64)| json!({"key": key, "count": count});
        let rules: BTreeSet<u64> = key.iter().flat_map(|needed| needed.rules.iter().copied()).collect();
        let rules: Vec<Value> = rules
            .into_iter()
            .map(|id| json!({"id": id, "message": self.messages.get(&id).map(String::as_str).unwrap_or_default()}))
            .collect();
        let mut points: Vec<&str> =
            key.iter().flat_map(|needed| &needed.points).map(String::as_str).collect();
        points.dedup();
        let mut paths: Vec<(&str, u64)> =
            self.paths.iter().map(|(path, count)| (path.as_str(), *count)).collect();
        paths.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
        json!({
            "points": points,
            "rules": rules,
            "attacks": key.iter().flat_map(|needed| &needed.attacks).collect::<BTreeSet<_>>(),
            "requests": self.requests,
            "blocked": self.blocked,
            "would_block": self.would_block,
            "sources": self.sources.len(),
            "top_sources": sources.iter().take(5).map(|(source, count)| named((source, **count))).collect::<Vec<_>>(),
            "of_probing_sources": of_probing,
            "detector_sure": self.sure,
            "paths": paths.into_iter().map(named).collect::<Vec<_>>(),
            "paths_complete": !self.paths_cut,
            "first": Calendar::new(self.first, 0).rfc3339(),
            "last": Calendar::new(self.last, 0).rfc3339(),
            "samples": self.samples,
            "looks": match judgement {
                Judgement::Ordinary => "ordinary",
                Judgement::Unclear => "unclear",
                Judgement::Attack => "attack",
            },
            "exceptions": exceptions,
        })
    }

    /// Each path where they are few, the folder that all are in otherwise; none where that is everything.
    fn paths_of_exception(&self) -> Vec<String> {
        let plain = |path: &&String| path.starts_with('/') && !path.contains("\\x");
        if !self.paths.keys().all(|path| plain(&path)) {
            return Vec::new();
        }
        if !self.paths_cut && self.paths.len() <= PATHS_NAMED_MAX {
            return self.paths.keys().cloned().collect();
        }
        // Those beyond the bound are not known.
        if self.paths_cut {
            return Vec::new();
        }
        let mut paths = self.paths.keys();
        let mut common: Vec<&str> = paths.next().map(|path| path.split('/').collect()).unwrap_or_default();
        for path in paths {
            let same = common.iter().zip(path.split('/')).take_while(|(one, other)| **one == *other).count();
            common.truncate(same);
        }
        let folder = common.join("/");
        if folder.is_empty() { Vec::new() } else { vec![folder] }
    }
}

/// Why figures say less than they seem to; none where there is enough to go by.
fn not_enough(requests: u64, window_ms: u64, complete_from: Option<u64>) -> Option<String> {
    if complete_from.is_some() {
        Some("there are more events than were looked at: ask for less time".to_owned())
    } else if requests < REQUESTS_ENOUGH {
        Some(format!("{requests} requests were seen, and {REQUESTS_ENOUGH} are the least to go by"))
    } else if window_ms < 24 * HOUR_MS {
        Some("less than a day was looked at: ask for 24h or more".to_owned())
    } else {
        None
    }
}

fn share(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

/// The upper end of the 95 % interval of a share. Wilson, 1927. Nothing seen says nothing: 1.
fn upper(part: u64, all: u64) -> f64 {
    if all == 0 {
        return 1.0;
    }
    const Z: f64 = 1.96;
    let (n, p) = (all as f64, part as f64 / all as f64);
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((middle + half) / (1.0 + Z * Z / n)).min(1.0)
}

/// Who asked: the workload where it is known, the address otherwise.
fn source_of(event: &Value) -> String {
    let source = &event["source"];
    match (text(source, "namespace"), text(source, "name")) {
        (namespace, name) if !namespace.is_empty() && !name.is_empty() && namespace != "-" => {
            format!("{namespace}/{name}")
        }
        _ => text(source, "ip").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(source: &str, rule: &str, target: &str, path: &str) -> Value {
        json!({
            "id": "x", "cause": "rule", "path": path, "source": {"ip": source},
            "rules": [{"id": rule, "target": target, "message": "m", "severity": "2"}],
        })
    }

    fn looks(answer: &Value) -> Vec<(String, u64)> {
        let items = answer["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| (text(item, "looks").to_owned(), item["requests"].as_u64().unwrap()))
            .collect()
    }

    #[test]
    fn what_many_use_is_ordinary_and_what_one_tries_is_an_attack() {
        let mut gathered = Gathered::default();
        for number in 0..30 {
            let source = format!("10.0.0.{}", number % 6);
            gathered.add(&event(&source, "1001", "ARGS:q", "/search?q=1"), 1_000 * number, "would_block");
        }
        for number in 0..8 {
            let target = format!("ARGS:p{number}");
            let path = format!("/a?p{number}=1");
            gathered.add(&event("192.0.2.1", "1002", &target, &path), 5_000, "deny");
        }
        gathered.add(&event("10.0.0.1", "1003", "ARGS:note", "/b?note=1"), 7_000, "would_block");
        // Lists and policies are not tuned.
        gathered.add(&json!({"cause": "list", "path": "/"}), 1, "deny");
        // What no exception can allow is counted.
        gathered.add(&json!({"cause": "rule", "path": "/"}), 1, "deny");
        let answer = gathered.shown(10_000, (0, 2 * 24 * HOUR_MS), 0, 100);
        let seen = looks(&answer);
        assert_eq!(seen[0], ("ordinary".to_owned(), 30));
        assert_eq!(seen.iter().filter(|(looks, _)| looks == "attack").count(), 8);
        assert_eq!(seen.iter().filter(|(looks, _)| looks == "unclear").count(), 1);
        let figure = &answer["safe_to_block"];
        assert_eq!(
            (&figure["requests"], &figure["ordinary"], &figure["unclear"], &figure["attacks"]),
            (&json!(10_000), &json!(30), &json!(2), &json!(8))
        );
        assert_eq!(figure["enough"], true);
        assert!(figure["wrong"].as_f64().unwrap() < figure["wrong_at_most"].as_f64().unwrap());
        assert_eq!(
            answer["items"][0]["exceptions"],
            json!([{"rules": [1001], "points": ["query:q"], "paths": ["/search"]}])
        );
        assert_eq!(answer["items"][0]["sources"], 6);
    }

    #[test]
    fn a_sure_detector_speaks_for_an_attack_whoever_asks() {
        let mut gathered = Gathered::default();
        for number in 0..20 {
            let event = json!({
                "id": "x", "cause": "finding", "path": "/a?q=1", "source": {"ip": format!("10.0.0.{number}")},
                "findings": [{"attack": "sqli", "point": "query:q", "confidence": 98}],
            });
            gathered.add(&event, number, "would_block");
        }
        assert_eq!(looks(&gathered.shown(0, (0, 1), 0, 100)), [("attack".to_owned(), 20)]);
    }

    #[test]
    fn pages_go_on_and_groups_are_bounded() {
        let mut gathered = Gathered::default();
        for number in 0..GROUPS_MAX + 50 {
            gathered.add(&event("1.1.1.1", "1", &format!("ARGS_GET:{number}"), "/"), 1, "deny");
        }
        assert_eq!((gathered.groups.len(), gathered.others), (GROUPS_MAX, 50));
        let first = gathered.shown(0, (0, 9), 0, 600);
        assert_eq!(first["next"], "0.9.600");
        let second = gathered.shown(0, (0, 9), 600, 600);
        assert_eq!((second["items"].as_array().unwrap().len(), &second["next"]), (400, &Value::Null));
        assert_ne!(first["items"][0], second["items"][0]);
    }

    #[test]
    fn an_exception_names_few_paths_or_the_folder_that_they_share() {
        let group = |paths: &[&str]| Group {
            paths: paths.iter().map(|path| ((*path).to_owned(), 1)).collect(),
            ..Group::default()
        };
        assert_eq!(group(&["/a", "/b"]).paths_of_exception(), ["/a", "/b"]);
        let many = ["/cms/1", "/cms/2", "/cms/3/x", "/cms/4", "/cms/5", "/cms/6"];
        assert_eq!(group(&many).paths_of_exception(), ["/cms"]);
        assert_eq!(group(&["/1", "/2", "/3", "/4", "/5", "/6"]).paths_of_exception(), [""; 0]);
        assert_eq!(group(&["/1", "\\x00"]).paths_of_exception(), [""; 0]);
    }

    #[test]
    fn little_traffic_says_little() {
        // `statsmodels.stats.proportion.proportion_confint(0, 1000, method="wilson")` and (3, 1000).
        assert!((upper(0, 1000) - 0.003_826_9).abs() < 1e-5);
        assert!((upper(3, 1000) - 0.008_783_2).abs() < 1e-5);
        assert_eq!(upper(0, 0), 1.0);
        assert!(not_enough(10, 48 * HOUR_MS, None).unwrap().contains("10 requests"));
        assert!(not_enough(10_000, HOUR_MS, None).unwrap().contains("less than a day"));
        assert!(not_enough(10_000, 48 * HOUR_MS, Some(1)).unwrap().contains("more events"));
        assert_eq!(not_enough(10_000, 48 * HOUR_MS, None), None);
    }
}
