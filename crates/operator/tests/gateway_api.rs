//! Properties of the Gateway API's translation: which rule takes a request is what the specification says, whatever routes
//! there are, and one bad object changes nothing for others.

mod observed;

use std::sync::Arc;

use kube::api::DynamicObject;
use observed::{observed, settings};
use palisade_config::{Config, File, Overrides, read};
use palisade_control::ENTRY;
use palisade_http::Fields;
use palisade_inspect::{Asking, RouteTable, RouteTo};
use palisade_operator::gateway_api;
use palisade_operator::ingress::{Translation, translate};
use proptest::prelude::*;
use serde_json::{Value, json};

fn dynamic(value: Value) -> Arc<DynamicObject> {
    let mut value = value;
    value["apiVersion"] = json!("gateway.networking.k8s.io/v1");
    Arc::new(serde_json::from_value(value).expect("an object"))
}

/// A cluster with one Gateway, Services for each rule, and these routes.
fn translated(routes: &[Value]) -> Translation {
    let mut services = Vec::new();
    for route in routes {
        for rule in route["spec"]["rules"].as_array().into_iter().flatten() {
            let name = rule["backendRefs"][0]["name"].as_str().unwrap_or("none");
            services.push(json!({"kind": "Service", "metadata": {"namespace": "shop", "name": name},
                "spec": {"clusterIP": "10.0.0.9", "ports": [{"name": "http", "port": 80}]}}));
            services.push(json!({"kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {"namespace": "shop", "name": format!("{name}-1"), "labels": {"kubernetes.io/service-name": name}},
                "ports": [{"name": "http", "port": 8080}], "endpoints": [{"addresses": ["10.1.0.7"]}]}));
        }
    }
    let mut cluster = observed(&services);
    cluster.gateway_api = gateway_api::Observed {
        classes: vec![dynamic(
            json!({"kind": "GatewayClass", "metadata": {"name": "p"}, "spec": {"controllerName": gateway_api::CONTROLLER}}),
        )],
        gateways: vec![dynamic(
            json!({"kind": "Gateway", "metadata": {"namespace": "shop", "name": "g"}, "spec": {
            "gatewayClassName": "p", "listeners": [{"name": "web", "port": 80, "protocol": "HTTP"}]}}),
        )],
        routes: routes.iter().cloned().map(dynamic).collect(),
        ..gateway_api::Observed::default()
    };
    translate(&cluster, &settings())
}

fn table(translation: &Translation) -> RouteTable<String> {
    let text = translation.bundle.get(ENTRY).expect("an entry");
    let read = read(Some(File { text, folder: "" }), &Overrides::default());
    let config: Config = read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
    let plain =
        config.routes.iter().filter(|route| route.listener.as_deref().is_none_or(|on| on.as_str() == "http"));
    RouteTable::new(plain.map(|route| RouteTo::of(route, route.service.to_string())))
}

#[derive(Clone, Debug)]
struct Rule {
    path: &'static str,
    exact: bool,
    method: Option<&'static str>,
    headers: Vec<(&'static str, &'static str)>,
    query: Vec<(&'static str, &'static str)>,
}

impl Rule {
    fn matches(&self, asked: &Rule) -> bool {
        let below = asked.path == self.path
            || self.path == "/"
            || asked
                .path
                .strip_prefix(self.path.trim_end_matches('/'))
                .is_some_and(|rest| rest.starts_with('/'));
        let path = if self.exact { asked.path == self.path } else { below };
        path && self.method.is_none_or(|method| asked.method == Some(method))
            && self.headers.iter().all(|pair| asked.headers.contains(pair))
            && self.query.iter().all(|pair| asked.query.contains(pair))
    }

    /// The specification's order: the largest counts.
    fn rank(&self) -> (bool, usize, bool, usize, usize) {
        let length = self.path.trim_end_matches('/').len();
        (self.exact, length, self.method.is_some(), self.headers.len(), self.query.len())
    }
}

fn rule() -> impl Strategy<Value = Rule> {
    let paths = prop::sample::select(vec!["/", "/a", "/a/b", "/a/b/c", "/ab"]);
    let method = prop::option::of(prop::sample::select(vec!["GET", "POST"]));
    let pairs = |names: [&'static str; 2]| {
        prop::collection::vec(prop::sample::select(vec!["1", "2"]), 0..=2)
            .prop_map(move |values| names.into_iter().zip(values).collect::<Vec<_>>())
    };
    (paths, any::<bool>(), method, pairs(["x", "y"]), pairs(["p", "q"]))
        .prop_map(|(path, exact, method, headers, query)| Rule { path, exact, method, headers, query })
}

fn written(number: usize, rule: &Rule) -> Value {
    let named = |pairs: &[(&str, &str)]| -> Vec<Value> {
        pairs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    };
    let mut one = json!({
        "path": {"type": if rule.exact { "Exact" } else { "PathPrefix" }, "value": rule.path},
        "headers": named(&rule.headers), "queryParams": named(&rule.query),
    });
    if let Some(method) = rule.method {
        one["method"] = json!(method);
    }
    json!({"matches": [one], "backendRefs": [{"name": format!("s{number}"), "port": 80}]})
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_rule_that_counts_is_the_specifications(rules in prop::collection::vec(rule(), 1..8), asked in prop::collection::vec(rule(), 1..12)) {
        let all: Vec<Value> = rules.iter().enumerate().map(|(number, rule)| written(number, rule)).collect();
        // Half of the rules in an older route.
        let (older, younger) = all.split_at(all.len() / 2);
        let route = |name: &str, at: &str, rules: &[Value]| json!({"kind": "HTTPRoute",
            "metadata": {"namespace": "shop", "name": name, "creationTimestamp": at},
            "spec": {"parentRefs": [{"name": "g"}], "rules": rules}});
        let translation = translated(&[
            route("a", "2026-02-01T00:00:00Z", younger),
            route("b", "2026-01-01T00:00:00Z", older),
        ]);
        let table = table(&translation);
        for asked in &asked {
            // The first of the best: older routes come first, and rules in their order.
            let mut expected: Option<(usize, &Rule)> = None;
            for (number, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.matches(asked)) {
                if expected.is_none_or(|(_, best)| rule.rank() > best.rank()) {
                    expected = Some((number, rule));
                }
            }
            let mut headers = Fields::new();
            asked.headers.iter().for_each(|(name, value)| headers.push(name.as_bytes(), value.as_bytes()));
            let query = asked.query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
            let by = Asking {
                method: asked.method.unwrap_or("PUT").as_bytes(), headers: &headers, query: Some(query.as_bytes()), turn: 0,
            };
            let found = table.find(Some(b"h"), asked.path.as_bytes(), Some(&by)).map(String::as_str);
            let found = found.and_then(|service| service.rsplit(".s").next()?.split('_').next()?.parse::<usize>().ok());
            prop_assert_eq!(found, expected.map(|(number, _)| number), "{:?}", asked);
        }
    }

    #[test]
    fn one_bad_route_changes_nothing_for_others(bad in "[ -~]{0,24}", rules in prop::collection::vec(rule(), 1..4)) {
        let all: Vec<Value> = rules.iter().enumerate().map(|(number, rule)| written(number, rule)).collect();
        let good = json!({"kind": "HTTPRoute", "metadata": {"namespace": "shop", "name": "good"},
            "spec": {"parentRefs": [{"name": "g"}], "hostnames": ["good.example"], "rules": all}});
        let mut odd = json!({"kind": "HTTPRoute", "metadata": {"namespace": "shop", "name": "odd"},
            "spec": {"parentRefs": [{"name": "g"}], "hostnames": ["odd.example"], "rules": [{
                "matches": [{"path": {"value": bad}, "headers": [{"name": bad, "value": bad}], "method": bad}],
                "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": bad, "value": bad}]}}],
                "backendRefs": [{"name": "s0", "port": 80}]}]}});
        let routes = |translation: &Translation| -> Vec<Value> {
            let entry: Value = serde_json::from_slice(translation.bundle.get(ENTRY).expect("an entry")).expect("JSON");
            let all = entry["routes"].as_array().cloned().unwrap_or_default();
            all.into_iter().filter(|route| route["hosts"][0] == "good.example").collect()
        };
        let alone = translated(std::slice::from_ref(&good));
        let beside = translated(&[good.clone(), odd.clone()]);
        prop_assert_eq!(routes(&alone), routes(&beside));
        // And the whole is what a data plane takes.
        let _ = table(&beside);
        odd["spec"]["hostnames"] = json!([bad]);
        let beside = translated(&[good, odd]);
        prop_assert_eq!(routes(&alone), routes(&beside));
    }
}
