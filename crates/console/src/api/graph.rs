//! `/api/v1/graph`: who asked whom, how much, and with which attacks. From sums, as `stats` is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use palisade_events::store::{Dimension, EDGE_ATTACK_SEPARATOR, EventStore, StoreError, Sum, SumQuery};
use serde_json::{Value, json};

use super::Refused;
use super::request::Parameters;
use super::stats::between;
use crate::control::Place;
use crate::records::Records;

/// Edges of an answer; the largest are given.
const EDGES_MAX: usize = 2_000;
/// Sums of one question.
const SUMS_MAX: usize = 200_000;
/// Who is no workload.
const EXTERNAL: &str = "external";

/// Requests from one to another.
#[derive(Debug, Default)]
struct Edge {
    requests: u64,
    blocked: u64,
    would_block: u64,
    errors: u64,
    attacks: BTreeMap<String, u64>,
}

pub(super) async fn graph(
    parameters: Parameters,
    places: Vec<Place>,
    records: &Arc<Records>,
) -> Result<Value, Refused> {
    let (from, to) = between(&parameters)?;
    records.read(move |store| answer(store, (from, to), &places)).await
}

fn answer(store: &dyn EventStore, (from, to): (u64, u64), places: &[Place]) -> Result<Value, StoreError> {
    let query = |dimension| SumQuery {
        dimension,
        from_unix_millis: from,
        to_unix_millis: to,
        service: None,
        by_service: true,
        step_minutes: None,
        limit: SUMS_MAX,
    };
    Ok(shown(store.sums(&query(Dimension::Edge))?, store.sums(&query(Dimension::EdgeAttack))?, places))
}

fn shown(asked: Vec<Sum>, attacked: Vec<Sum>, places: &[Place]) -> Value {
    let place_of: HashMap<&str, &Place> =
        places.iter().map(|place| (place.service.as_str(), place)).collect();
    let id_of = |service: &str| match place_of.get(service) {
        Some(place) => id(&place.namespace, &place.name),
        None => id("-", service),
    };
    let mut edges: BTreeMap<(String, String), Edge> = BTreeMap::new();
    for sum in asked {
        let edge = edges.entry((source(&sum.value), id_of(&sum.service))).or_default();
        match sum.action.as_str() {
            "requests" => edge.requests += sum.count,
            "blocked" => edge.blocked += sum.count,
            "would_block" => edge.would_block += sum.count,
            "errors" => edge.errors += sum.count,
            _ => {}
        }
    }
    for sum in attacked {
        let Some((from, attack)) = sum.value.split_once(EDGE_ATTACK_SEPARATOR) else { continue };
        let edge = edges.entry((source(from), id_of(&sum.service))).or_default();
        *edge.attacks.entry(attack.to_owned()).or_default() += sum.count;
    }
    let mut edges: Vec<_> = edges.into_iter().collect();
    edges.sort_by(|(a, of_a), (b, of_b)| of_b.requests.cmp(&of_a.requests).then_with(|| a.cmp(b)));
    edges.truncate(EDGES_MAX);
    // Who is protected here is there although nobody asks.
    let mut nodes: BTreeMap<String, Value> = BTreeMap::new();
    for place in places {
        let id = id(&place.namespace, &place.name);
        let node = json!({
            "id": id, "kind": "service", "namespace": place.namespace, "name": place.name,
            "protected": place.mode != "off", "mode": place.mode,
        });
        nodes.insert(id, node);
    }
    for ((from, to), _) in &edges {
        for (id, kind) in [(from, "workload"), (to, "service")] {
            nodes.entry(id.clone()).or_insert_with(|| node(id, kind));
        }
    }
    let edges: Vec<Value> = edges
        .into_iter()
        .map(|((from, to), edge)| {
            let mut attacks: Vec<(String, u64)> = edge.attacks.into_iter().collect();
            attacks.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            let attacks: Vec<Value> =
                attacks.iter().map(|(key, count)| json!({"key": key, "count": count})).collect();
            json!({
                "source": from, "destination": to, "requests": edge.requests, "blocked": edge.blocked,
                "would_block": edge.would_block, "errors": edge.errors, "attacks": attacks,
            })
        })
        .collect();
    json!({"nodes": nodes.into_values().collect::<Vec<_>>(), "edges": edges})
}

/// What is known of a node that is not protected here: whether somebody else does is not.
fn node(id: &str, kind: &str) -> Value {
    let (kind, (namespace, name)) = match id.split_once('/') {
        Some(parts) => (kind, parts),
        None => (EXTERNAL, ("-", id)),
    };
    json!({
        "id": id, "kind": kind, "namespace": namespace, "name": name, "protected": null, "mode": null,
    })
}

fn id(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// `namespace/name` of a workload; one node for everybody else.
fn source(value: &str) -> String {
    if value.contains('/') { value.to_owned() } else { EXTERNAL.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_that_asks_and_is_asked_is_one_node() {
        let sum = |service: &str, value: &str, action: &str, count| Sum {
            start_unix_millis: None,
            service: service.to_owned(),
            value: value.to_owned(),
            action: action.to_owned(),
            count,
        };
        let place = |service: &str, mode| Place {
            service: service.to_owned(),
            namespace: "shop".to_owned(),
            name: service.to_owned(),
            mode,
        };
        let asked = vec![
            sum("front", "pub", "requests", 9),
            sum("front", "pvt", "requests", 1),
            sum("cart", "shop/front", "requests", 5),
            sum("cart", "shop/front", "errors", 2),
        ];
        let attacked =
            vec![sum("cart", "shop/front\u{1f}sqli", "deny", 3), sum("gone", "pub\u{1f}xss", "deny", 1)];
        let graph = shown(asked, attacked, &[place("front", "block"), place("cart", "off")]);
        let nodes: Vec<(&str, &Value)> = graph["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| (node["id"].as_str().unwrap(), &node["protected"]))
            .collect();
        assert_eq!(
            nodes,
            [
                ("-/gone", &Value::Null),
                ("external", &Value::Null),
                ("shop/cart", &false.into()),
                ("shop/front", &true.into())
            ]
        );
        let edges = &graph["edges"];
        assert_eq!((&edges[0]["source"], &edges[0]["requests"]), (&"external".into(), &10.into()));
        assert_eq!((&edges[1]["source"], &edges[1]["errors"]), (&"shop/front".into(), &2.into()));
        assert_eq!(edges[1]["attacks"], json!([{"key": "sqli", "count": 3}]));
        assert_eq!(edges.as_array().unwrap().len(), 3);
    }
}
