//! An Ingress that did not change is not read again. Whatever becomes of a cluster, that makes no difference to what comes out.

mod observed;

use std::sync::Arc;

use observed::{observed, settings};
use palisade_operator::ingress::{Observed, Translation, Translator};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

/// Annotations that are right, that are wrong, and that ask for files that others have.
const ANNOTATIONS: &[(&str, &str)] = &[
    ("enable-modsecurity", "true"),
    ("enable-modsecurity", "false"),
    ("enable-owasp-modsecurity-crs", "true"),
    ("modsecurity-snippet", "SecRuleEngine On\nSecRule ARGS \"@contains x\" \"id:1,phase:2,deny\""),
    ("modsecurity-snippet", "Include /etc/nginx/modsecurity/modsecurity.conf"),
    ("modsecurity-snippet", "Include /etc/passwd"),
    ("modsecurity-snippet", "SecRule"),
    ("proxy-read-timeout", "30"),
    ("proxy-read-timeout", "soon"),
    ("proxy-body-size", "2m"),
    ("app-root", "/app"),
    ("app-root", "no path"),
    ("server-alias", "alias.example"),
    ("auth-tls-secret", "shop/ca"),
    ("auth-tls-verify-client", "optional"),
    ("whitelist-source-range", "10.0.0.0/8"),
    ("permanent-redirect", "https://elsewhere.example"),
];

const CONFIGS: &[&[(&str, &str)]] = &[
    &[],
    &[("allow-snippet-annotations", "true"), ("annotations-risk-level", "Critical")],
    &[
        ("allow-snippet-annotations", "true"),
        ("annotations-risk-level", "Critical"),
        ("enable-modsecurity", "true"),
    ],
    &[("enable-modsecurity", "true"), ("modsecurity-snippet", "SecRuleEngine On")],
    &[("enable-modsecurity", "true"), ("modsecurity-snippet", "SecRule")],
];

/// What happens to a cluster.
#[derive(Clone, Debug)]
enum Change {
    /// An Ingress is there, as it is written here.
    Put(u8, Value),
    /// One of them goes.
    Remove(Index),
    Config(&'static [(&'static str, &'static str)]),
    /// An Ingress names a Service that goes or comes back.
    Service,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let annotations = proptest::collection::vec(select(ANNOTATIONS), 0..4);
    let put = (0..6u8, 0..3u8, select(&["/", "/a", "/a/", "/(b"][..]), any::<bool>(), annotations);
    let put = put.prop_map(|(number, host, path, tls, annotations)| {
        Change::Put(number, ingress(number, &format!("h{host}.example"), path, tls, &annotations))
    });
    let change = prop_oneof![
        6 => put,
        1 => any::<Index>().prop_map(Change::Remove),
        1 => select(CONFIGS).prop_map(Change::Config),
        1 => Just(Change::Service),
    ];
    proptest::collection::vec(change, 1..16)
}

fn ingress(number: u8, host: &str, path: &str, tls: bool, annotations: &[(&str, &str)]) -> Value {
    let annotations: Map<String, Value> = annotations
        .iter()
        .map(|(name, value)| (format!("nginx.ingress.kubernetes.io/{name}"), json!(value)))
        .collect();
    let tls = if tls { json!([{"hosts": [host], "secretName": "cert"}]) } else { json!([]) };
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    json!({"kind": "Ingress",
        "metadata": {"namespace": "shop", "name": format!("i{number}"), "annotations": annotations,
            "creationTimestamp": format!("2026-01-0{}T00:00:00Z", number + 1)},
        "spec": {"ingressClassName": "palisade", "tls": tls, "rules": [{"host": host, "http": {"paths": [
            {"path": path, "pathType": "Prefix", "backend": backend}]}}]}})
}

/// The cluster, in which objects that no change touched are the same ones as before.
#[derive(Default)]
struct Cluster {
    now: Observed,
    objects: Vec<Value>,
    without_service: bool,
}

impl Cluster {
    fn change(&mut self, change: &Change) {
        let is = |object: &Value, number: u8| object["metadata"]["name"] == format!("i{number}");
        match change {
            Change::Put(number, ingress) => {
                self.objects.retain(|object| !is(object, *number));
                self.objects.push(ingress.clone());
            }
            Change::Remove(index) if !self.objects.is_empty() => {
                self.objects.remove(index.index(self.objects.len()));
            }
            Change::Remove(_) => {}
            Change::Config(data) => {
                self.objects.retain(|object| object["kind"] != "ConfigMap");
                let data: Map<String, Value> =
                    data.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
                let metadata = json!({"namespace": "system", "name": "gateway"});
                self.objects.push(json!({"kind": "ConfigMap", "metadata": metadata, "data": data}));
            }
            Change::Service => self.without_service = !self.without_service,
        }
        let mut next = observed(&self.objects);
        if self.without_service {
            next.services.clear();
        }
        for ingress in &mut next.ingresses {
            if let Some(same) = self.now.ingresses.iter().find(|before| *before == ingress) {
                *ingress = same.clone();
            }
        }
        self.now = next;
    }

    /// The same cluster, of which nothing is the object that it was.
    fn anew(&self) -> Observed {
        let ingresses = self.now.ingresses.iter().map(|ingress| Arc::new((**ingress).clone())).collect();
        Observed { ingresses, ..self.now.clone() }
    }
}

fn differences(one: &Translation, other: &Translation) -> Option<String> {
    let differ = one.bundle != other.bundle || one.reports != other.reports || one.ours != other.ours;
    differ.then(|| {
        let changed = one.bundle.since(&other.bundle);
        format!("files {:?}, reports {:?} and {:?}", changed.put.keys(), one.reports, other.reports)
    })
}

proptest! {
    #[test]
    fn what_is_remembered_is_what_would_be_read_again(changes in changes()) {
        let (mut cluster, settings) = (Cluster::default(), settings());
        let (mut remembers, mut reads_all) = (Translator::default(), Translator::default());
        for change in &changes {
            cluster.change(change);
            let remembered = remembers.translate(&cluster.now, &settings);
            let read = reads_all.translate(&cluster.anew(), &settings);
            if let Some(differ) = differences(&remembered, &read) {
                prop_assert!(false, "after {change:?}: {differ}");
            }
        }
    }
}

#[test]
fn histories_hold_what_they_are_to_hold() {
    let mut cluster = Cluster::default();
    let mut translator = Translator::default();
    let snippet = [("enable-modsecurity", "true"), ANNOTATIONS[3]];
    cluster.change(&Change::Config(CONFIGS[1]));
    cluster.change(&Change::Put(0, ingress(0, "h0.example", "/", true, &snippet)));
    let good = translator.translate(&cluster.now, &settings());
    assert!(good.bundle.get("rules/shop.i0.conf").is_some() && good.reports.is_empty(), "{:?}", good.reports);
    // A mistake: what was good stays, with its rules.
    cluster.change(&Change::Put(0, ingress(0, "h0.example", "/", true, &[snippet[0], ANNOTATIONS[6]])));
    let kept = translator.translate(&cluster.now, &settings());
    assert_eq!(kept.bundle, good.bundle);
    assert_eq!(kept.reports.iter().map(|report| report.reason).collect::<Vec<_>>(), ["BadSnippet"]);
}
