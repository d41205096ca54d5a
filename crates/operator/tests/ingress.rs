//! What Ingresses come to, annotation by annotation.

mod observed;

use std::sync::Arc;

use observed::{CA, observed, secret, settings};
use palisade_control::ENTRY;
use palisade_operator::ingress::{Observed, Translation, Translator, translate};
use serde_json::{Value, json};

fn ingress(name: &str, host: &str, path: &str, annotations: &[(&str, &str)]) -> Value {
    let annotations: serde_json::Map<String, Value> = annotations
        .iter()
        .map(|(name, value)| (format!("nginx.ingress.kubernetes.io/{name}"), json!(value)))
        .collect();
    json!({"kind": "Ingress", "metadata": {"namespace": "shop", "name": name, "annotations": annotations,
            "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"ingressClassName": "palisade", "rules": [{"host": host, "http": {"paths": [
            {"path": path, "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}})
}

fn config(data: &[(&str, &str)]) -> Value {
    let data: serde_json::Map<String, Value> =
        data.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({"kind": "ConfigMap", "metadata": {"namespace": "system", "name": "gateway"}, "data": data})
}

const SNIPPETS: [(&str, &str); 2] =
    [("allow-snippet-annotations", "true"), ("annotations-risk-level", "Critical")];

fn entry(translation: &Translation) -> Value {
    serde_json::from_slice(translation.bundle.get(ENTRY).expect("an entry")).expect("JSON")
}

/// The service that a route of a host and path leads to.
fn service(config: &Value, host: &str, path: &str) -> Value {
    let routes = config["routes"].as_array().expect("routes");
    let route = routes
        .iter()
        .find(|route| route["hosts"][0] == host && route["path"] == path && route["listener"] != "http");
    let route = route.unwrap_or_else(|| panic!("no route {host}{path}: {config}"));
    let services = config["services"].as_array().expect("services");
    services.iter().find(|service| service["name"] == route["service"]).expect("a service").clone()
}

fn reasons(translation: &Translation) -> Vec<(String, &'static str)> {
    translation.reports.iter().map(|report| (report.object.name.clone(), report.reason)).collect()
}

#[test]
fn what_is_not_honoured_is_told_and_closes_where_it_keeps_somebody_out() {
    for (name, value, closes) in [
        ("whitelist-source-range", "10.0.0.0/8", true),
        ("auth-url", "http://auth", true),
        ("auth-type", "basic", true),
        ("rewrite-target", "/", true),
        ("ssl-passthrough", "true", true),
        ("canary", "true", true),
        ("backend-protocol", "FCGI", true),
        ("configuration-snippet", "deny all;", true),
        ("configuration-snippet", "if ($x) { return 403; }", true),
        ("configuration-snippet", "proxy_set_header X $http_y;", false),
        ("modsecurity-snippet", "Include /etc/passwd", false),
        ("affinity", "cookie", false),
        ("limit-rps", "5", false),
        ("nobody-knows", "this", false),
        ("use-regex", "false", false),
    ] {
        let objects = [ingress("i", "a.example", "/", &[(name, value)]), config(&SNIPPETS)];
        let translation = translate(&observed(&objects), &settings());
        let closed = service(&entry(&translation), "a.example", "/")["answer"]["status"] == 503;
        assert_eq!(closed, closes, "{name}: {value}");
        let silent = ["use-regex", "modsecurity-snippet"].contains(&name);
        assert!(silent || reasons(&translation).iter().any(|(object, _)| object == "i"), "{name}: {value}");
    }
}

#[test]
fn a_riskier_annotation_than_the_level_closes_its_ingress_and_a_forbidden_snippet_is_ignored() {
    let guarded = ingress(
        "i",
        "a.example",
        "/",
        &[("enable-modsecurity", "true"), ("modsecurity-snippet", "SecRuleEngine On")],
    );
    let with = |keys: &[(&str, &str)]| translate(&observed(&[guarded.clone(), config(keys)]), &settings());
    let closed = with(&[]);
    assert_eq!(service(&entry(&closed), "a.example", "/")["answer"]["status"], 503);
    assert!(reasons(&closed).contains(&("i".to_owned(), "RiskLevel")));
    let ignored = with(&[("annotations-risk-level", "Critical")]);
    assert_eq!(service(&entry(&ignored), "a.example", "/")["profile"], "modsecurity");
    assert!(reasons(&ignored).contains(&("i".to_owned(), "SnippetIgnored")));
    let taken = with(&SNIPPETS);
    assert_eq!(service(&entry(&taken), "a.example", "/")["profile"], "shop.i");
    let rules = &entry(&taken)["profiles"]["shop.i"]["rules"]["files"];
    assert_eq!(
        *rules,
        json!(["rules/off.conf", "rules/shop.i.conf"]),
        "the base file is not loaded beside a snippet"
    );
}

#[test]
fn rules_are_loaded_in_ingress_nginxs_order() {
    let on = ("enable-modsecurity", "true");
    let files = |ingress_says: &[(&str, &str)], keys: &[(&str, &str)]| {
        let keys: Vec<_> = SNIPPETS.iter().chain(keys).copied().collect();
        let objects = [ingress("i", "a.example", "/", ingress_says), config(&keys)];
        let config = entry(&translate(&observed(&objects), &settings()));
        let profile = service(&config, "a.example", "/")["profile"].as_str().unwrap_or("-").to_owned();
        let files = config["profiles"][&profile]["rules"]["files"].as_array().cloned().unwrap_or_default();
        files
            .iter()
            .skip(1)
            .map(|file| file.as_str().unwrap().trim_start_matches("rules/").to_owned())
            .collect::<Vec<_>>()
    };
    let snippet = ("modsecurity-snippet", "SecRuleEngine On");
    assert_eq!(files(&[], &[]), Vec::<String>::new());
    assert_eq!(files(&[on], &[]), ["modsecurity.conf"]);
    assert_eq!(files(&[on, snippet], &[]), ["shop.i.conf"]);
    assert_eq!(files(&[], &[on]), ["modsecurity.conf"]);
    assert_eq!(files(&[], &[on, snippet]), ["global.conf"]);
    assert_eq!(files(&[snippet], &[on]), ["modsecurity.conf", "shop.i.conf"]);
    assert_eq!(files(&[("enable-modsecurity", "false"), snippet], &[on]), Vec::<String>::new());
    assert_eq!(
        files(&[("enable-modsecurity", "perhaps")], &[on]),
        ["modsecurity.conf"],
        "a bad word counts as none"
    );
}

#[test]
fn the_first_ingress_says_what_a_host_asks_of_clients_and_a_bad_secret_closes_it() {
    let first =
        ingress("a", "a.example", "/", &[("auth-tls-secret", "shop/ca"), ("auth-tls-verify-depth", "0")]);
    let second = ingress(
        "b",
        "a.example",
        "/b",
        &[("auth-tls-secret", "shop/other"), ("auth-tls-verify-client", "off")],
    );
    let third = ingress("c", "a.example", "/c", &[]);
    let translation = translate(&observed(&[second.clone(), first.clone(), third]), &settings());
    let config = entry(&translation);
    for path in ["/", "/b", "/c"] {
        let asked = &service(&config, "a.example", path)["tls"]["clientCertificates"];
        assert_eq!(*asked, json!({"mode": "on", "ca": "tls/shop.ca.ca.crt", "depth": 1}), "{path}");
    }
    assert!(reasons(&translation).contains(&("b".to_owned(), "HostTaken")));
    // Nothing of it is served over plain HTTP.
    let plain = config["routes"].as_array().unwrap().iter().filter(|route| route["hosts"][0] == "a.example");
    let plain: Vec<_> = plain.filter(|route| route["listener"] != "https").collect();
    assert!(plain.iter().all(|route| route["service"] == "to-https"), "{plain:?}");

    let mut world = observed(&[first, second]);
    let without: Value = {
        let mut secret = secret("shop", "ca");
        secret["data"].as_object_mut().unwrap().remove("ca.crt");
        secret
    };
    world.secrets = observed::of(&[without], "Secret");
    let closed = entry(&translate(&world, &settings()));
    assert_eq!(service(&closed, "a.example", "/")["answer"]["status"], 403);
    assert!(CA.contains("BEGIN CERTIFICATE"));
}

#[test]
fn a_mistake_leaves_what_was_and_is_told() {
    let mut translator = Translator::default();
    let of = |snippet: &str| -> Observed {
        let guarded = ingress(
            "i",
            "a.example",
            "/",
            &[("enable-modsecurity", "true"), ("modsecurity-snippet", snippet)],
        );
        observed(&[guarded, ingress("other", "b.example", "/", &[]), config(&SNIPPETS)])
    };
    let good = translator.translate(&of("SecRuleEngine On"), &settings());
    let bad = translator.translate(&of("SecRule nonsense"), &settings());
    assert_eq!(good.bundle.revision(), bad.bundle.revision());
    assert!(reasons(&bad).contains(&("i".to_owned(), "BadSnippet")), "{:?}", bad.reports);
    let fresh = translate(&of("SecRule nonsense"), &settings());
    assert_eq!(service(&entry(&fresh), "a.example", "/")["answer"]["status"], 503);
    assert!(service(&entry(&fresh), "b.example", "/")["upstream"].is_object());
}

#[test]
fn a_thousand_ingresses_are_translated_and_one_change_costs_little() {
    let objects: Vec<Value> = (0..1000)
        .map(|number| {
            ingress(
                &format!("i{number}"),
                &format!("h{number}.example"),
                "/",
                &[("proxy-read-timeout", "30")],
            )
        })
        .collect();
    let mut world = observed(&objects);
    let mut translator = Translator::default();
    let first = translator.translate(&world, &settings());
    assert_eq!(first.ours.len(), 1000);
    let began = std::time::Instant::now();
    let changed = ingress("i7", "h7.example", "/", &[("proxy-read-timeout", "31")]);
    let at =
        world.ingresses.iter().position(|ingress| ingress.metadata.name.as_deref() == Some("i7")).unwrap();
    world.ingresses[at] = Arc::new(serde_json::from_value(changed).unwrap());
    let second = translator.translate(&world, &settings());
    println!("one change of 1000: {} ms", began.elapsed().as_millis());
    assert_ne!(first.bundle.revision(), second.bundle.revision());
}
