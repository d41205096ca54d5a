//! `/api/v1/policies/hits`: which rules of policies stopped requests, and which staged ones would have.
//!
//! From events, which are made of what was stopped or would have been: what a policy allowed is in no event, so a rule that
//! allows has no hits here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_events::store::{Filter, Order, Table};
use palisade_model::Calendar;
use serde_json::{Value, json};

use super::Refused;
use super::request::Parameters;
use super::stats::between;
use crate::allowance::{list, text};
use crate::records::Records;

/// Events that are looked at, the newest first, and the time for it.
const EVENTS_MAX: usize = 20_000;
const TIME_MAX: Duration = Duration::from_secs(3);
const PAGE: usize = 500;
/// Rules that are told apart.
const RULES_MAX: usize = 10_000;

/// A rule of a policy: its tier, kind, namespace and name, and which of its rules; none at the end of a tier.
type Key = (String, String, String, String, Option<u64>);

#[derive(Debug, Default)]
struct Hits {
    stopped: u64,
    would_stop: u64,
    last: u64,
}

pub(super) async fn policy_hits(parameters: &Parameters, records: &Arc<Records>) -> Result<Value, Refused> {
    let (from, to) = between(parameters)?;
    records
        .read(move |store| {
            let filter = Filter {
                from_unix_millis: Some(from),
                to_unix_millis: Some(to),
                kind: Some("policy".to_owned()),
                ..Filter::default()
            };
            let (begun, mut left, mut after) = (Instant::now(), EVENTS_MAX, None);
            let mut hits = BTreeMap::new();
            let mut complete_from = None;
            loop {
                let page = store.page(Table::Events, &filter, Order::NewestFirst, after, PAGE.min(left))?;
                for record in &page.items {
                    if let Ok(event) = serde_json::from_str::<Value>(&record.json) {
                        add(&event, record.id.unix_millis(), &mut hits);
                    }
                }
                left -= page.items.len().min(left);
                after = page.next;
                if after.is_none() {
                    break;
                }
                if left == 0 || begun.elapsed() > TIME_MAX {
                    complete_from = page.items.last().map(|record| record.id.unix_millis());
                    break;
                }
            }
            Ok(shown(&hits, (from, to), complete_from))
        })
        .await
}

fn add(event: &Value, at: u64, hits: &mut BTreeMap<Key, Hits>) {
    let policy = &event["policy"];
    let mut hit = |of: &str, verdict: &str, count: fn(&mut Hits)| {
        let Some(last) = list(policy, of).last().filter(|_| text(policy, verdict) == "deny") else { return };
        let part = |key: &str| text(last, key).to_owned();
        let key = (part("tier"), part("kind"), part("namespace"), part("name"), last["rule_index"].as_u64());
        if hits.len() < RULES_MAX || hits.contains_key(&key) {
            let known = hits.entry(key).or_default();
            count(known);
            known.last = known.last.max(at);
        }
    };
    hit("enforced", "verdict", |hits| hits.stopped += 1);
    hit("pending", "pending_verdict", |hits| hits.would_stop += 1);
}

fn shown(hits: &BTreeMap<Key, Hits>, (from, to): (u64, u64), complete_from: Option<u64>) -> Value {
    let time = |millis: u64| Calendar::new(millis, 0).rfc3339();
    let items: Vec<Value> = hits
        .iter()
        .map(|((tier, kind, namespace, name, rule_index), hits)| {
            json!({
                "tier": tier, "kind": kind, "namespace": namespace, "name": name, "rule_index": rule_index,
                "stopped": hits.stopped, "would_stop": hits.would_stop, "last": time(hits.last),
            })
        })
        .collect();
    json!({
        "from": time(from), "to": time(to), "complete_from": complete_from.map(time), "items": items, "next": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_that_decided_is_the_one_that_hit() {
        let hit = |name: &str, rule: u64| json!({"tier": "default", "kind": "np", "namespace": "shop", "name": name, "rule_index": rule});
        let mut hits = BTreeMap::new();
        for _ in 0..2 {
            let event = json!({"policy": {"verdict": "deny", "enforced": [hit("a", 0), hit("b", 1)]}});
            add(&event, 7, &mut hits);
        }
        let staged = json!({"policy": {
            "verdict": "allow", "enforced": [hit("a", 0)], "pending_verdict": "deny", "pending": [hit("c", 2)],
        }});
        add(&staged, 9, &mut hits);
        add(&json!({"policy": {"verdict": "deny", "enforced": []}}), 9, &mut hits);
        add(&json!(null), 9, &mut hits);
        let shown = shown(&hits, (0, 10), None);
        let items = shown["items"].as_array().unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!(
            (&items[0]["name"], &items[0]["rule_index"], &items[0]["stopped"]),
            (&json!("b"), &json!(1), &json!(2))
        );
        assert_eq!(
            (&items[1]["name"], &items[1]["would_stop"], &items[1]["stopped"]),
            (&json!("c"), &json!(1), &json!(0))
        );
    }
}
