//! Manifests as people write them for ingress-nginx, what they come to, and that this serves the same.

mod observed;

use std::path::{Path, PathBuf};

use observed::{observed, settings};
use palisade_config::{Config, File, Overrides, read};
use palisade_http::Fields;
use palisade_inspect::{Asking, RouteTable, RouteTo};
use palisade_operator::ingress::{INGRESS_NGINX, Observed, Translation, translate};
use palisade_operator::migrate::{Finding, Form, migrate, read_objects, to_yaml};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/operator/migrate")
}

fn cases() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| {
        let name = file.file_name().unwrap().to_str().unwrap();
        name.ends_with(".yaml") && !name.ends_with(".out.yaml") && !name.ends_with(".gateway-api.yaml")
    });
    files.sort();
    let name = |file: &Path| file.file_stem().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|file| (name(file), std::fs::read(file).unwrap())).collect()
}

#[test]
fn manifests_come_to_what_lies_beside_them() {
    let cases = cases();
    assert!(cases.len() >= 30, "{} manifests", cases.len());
    for (name, text) in &cases {
        let objects = read_objects(name, text).unwrap();
        let come_to = |form: Form| {
            let migration = migrate(&objects, None, form);
            let line = |finding: &Finding| {
                format!("{} {}: {}: {}\n", finding.object, finding.name, finding.verdict, finding.why)
            };
            (to_yaml(&migration.objects), migration.findings.iter().map(line).collect::<String>())
        };
        let (ingress, routed) = (come_to(Form::Ingress), come_to(Form::GatewayApi));
        for (end, now) in [
            ("out.yaml", ingress.0),
            ("report.txt", ingress.1),
            ("gateway-api.yaml", routed.0),
            ("gateway-api.txt", routed.1),
        ] {
            let file = folder().join(format!("{name}.{end}"));
            if std::env::var_os("PALISADE_BLESS").is_some() {
                std::fs::write(&file, &now).unwrap();
            }
            let before = std::fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(before, now, "{name}.{end}; PALISADE_BLESS=1 writes it anew");
        }
    }
    println!("{} manifests", cases.len());
}

#[test]
fn what_it_comes_to_serves_the_same_table() {
    let (mut theirs, ours) = (settings(), settings());
    theirs.controllers.push(INGRESS_NGINX.to_owned());
    theirs.class = "nginx".to_owned();
    for (name, text) in cases() {
        let objects = read_objects(&name, &text).unwrap();
        let migration = migrate(&objects, None, Form::Ingress);
        // What is applied is what is printed.
        let mut applied = read_objects("out", to_yaml(&migration.objects).as_bytes()).unwrap();
        // Services are where they were.
        applied.extend(objects.iter().filter(|object| object["kind"] == "Service").cloned());
        let before = translate(&observed(&objects), &theirs);
        let after = translate(&observed(&applied), &ours);
        let entry = |bundle: &palisade_control::Bundle| {
            String::from_utf8(bundle.get(palisade_control::ENTRY).unwrap().to_vec()).unwrap()
        };
        assert_eq!(entry(&before.bundle), entry(&after.bundle), "{name}");
        assert_eq!(before.bundle.revision(), after.bundle.revision(), "{name}");
        assert!(!before.ours.is_empty(), "{name}: nothing is served");
        let read = palisade_config::read(
            Some(palisade_config::File { text: entry(&after.bundle).as_bytes(), folder: "" }),
            &palisade_config::Overrides::default(),
        );
        assert!(read.config.is_some(), "{name}: {:?}", read.diagnostics);
    }
}

/// A cluster that the outcome was applied to, with all that the manifests before it named.
fn applied(before: &[Value], outcome: &[Value]) -> Observed {
    let classes = |object: &&Value| {
        object["kind"] != "Ingress" && object["kind"] != "IngressClass" && object["kind"] != "ConfigMap"
    };
    let mut all: Vec<Value> = before.iter().filter(classes).cloned().collect();
    all.extend(outcome.iter().cloned());
    let dynamic = |kind: &str| observed::of(outcome, kind);
    let mut cluster = observed(&all);
    let named = observed(before);
    cluster.services = named.services;
    cluster.slices = named.slices;
    cluster.secrets = named.secrets;
    cluster.gateway_api.classes = dynamic("GatewayClass");
    cluster.gateway_api.gateways = dynamic("Gateway");
    cluster.gateway_api.routes = dynamic("HTTPRoute");
    cluster.gateway_api.grants = dynamic("ReferenceGrant");
    cluster.gateway_api.backend_tls = dynamic("BackendTLSPolicy");
    cluster.gateway_api.profiles = dynamic("WafProfile");
    cluster
}

/// What a request comes to, as far as both forms can say it.
struct Served {
    listeners: [RouteTable<String>; 2],
    entry: Value,
}

impl Served {
    fn of(translation: &Translation) -> Self {
        let text = translation.bundle.get(palisade_control::ENTRY).unwrap();
        let config: Config = read(Some(File { text, folder: "" }), &Overrides::default()).config.unwrap();
        let on = |name: &str| {
            let here = config
                .routes
                .iter()
                .filter(|route| route.listener.as_deref().is_none_or(|on| on.as_str() == name));
            RouteTable::new(here.map(|route| RouteTo::of(route, route.service.to_string())))
        };
        Self { listeners: [on("http"), on("https")], entry: serde_json::from_slice(text).unwrap() }
    }

    fn asked(&self, listener: usize, host: &str, path: &str) -> Value {
        let by = Asking { method: b"GET", headers: &Fields::new(), query: None, turn: 0 };
        let Some(name) = self.listeners[listener].find(Some(host.as_bytes()), path.as_bytes(), Some(&by))
        else {
            return json!({"answer": 404});
        };
        let services = self.entry["services"].as_array().unwrap();
        let service = services.iter().find(|service| service["name"] == **name).unwrap();
        let answer = &service["answer"];
        if answer["status"] == 404 {
            return json!({"answer": 404});
        }
        // The same redirect in the words of both: a URL, or what of it changes.
        let moved = &answer["moved"];
        let whole = moved["host"].as_str().map(|host| {
            let usual = if moved["scheme"] == "https" { 443 } else { 80 };
            let port = moved["port"].as_u64().filter(|port| *port != usual);
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let path = moved["path"]["to"].as_str().or(moved["path"].as_str()).unwrap_or_default();
            json!(format!("{}://{host}{port}{path}", moved["scheme"].as_str().unwrap()))
        });
        let to = whole.unwrap_or_else(|| {
            match (
                &answer["httpsPort"],
                &answer["moved"]["scheme"],
                &answer["location"],
                &answer["moved"]["path"],
            ) {
                (Value::Number(_), ..) => json!("https"),
                (_, _, Value::String(at), _) => json!(at),
                (_, _, _, path) if !path.is_null() => path.get("to").cloned().unwrap_or_else(|| path.clone()),
                (_, scheme, ..) => scheme.clone(),
            }
        });
        // A host without a path means its root.
        let bare =
            |to: &Value| to.as_str().is_some_and(|to| to.contains("://") && to.matches('/').count() == 2);
        let to = if bare(&to) { json!(format!("{}/", to.as_str().unwrap())) } else { to };
        let upstream = &service["upstream"];
        let profile = service["profile"].as_str().map(|name| &self.entry["profiles"][name]["mode"]);
        let inspects = profile.is_some_and(|mode| mode != "off");
        let response = match upstream["response"].as_str() {
            None | Some("60s" | "60000ms") => 60_000,
            Some(text) => text.strip_suffix("ms").map_or_else(
                || text.trim_end_matches('s').parse::<u64>().unwrap() * 1000,
                |millis| millis.parse().unwrap(),
            ),
        };
        json!({
            "answer": answer["status"], "to": to, "urls": upstream["url"], "response": response,
            "protocol": upstream["protocol"], "name": upstream["tls"]["serverName"], "verified": !upstream["tls"]["ca"].is_null(),
            "inspects": inspects && !upstream.is_null(), // HSTS counts over HTTPS alone.
            "headers": if listener == 1 { service["responseHeaders"]["set"].clone() } else { Value::Null },
        })
    }
}

#[test]
fn what_the_gateway_api_is_told_serves_the_same() {
    let mut theirs = settings();
    theirs.controllers.push(INGRESS_NGINX.to_owned());
    theirs.class = "nginx".to_owned();
    let (mut routed, mut probes) = (0, 0);
    for (name, text) in cases() {
        let objects = read_objects(&name, &text).unwrap();
        let migration = migrate(&objects, None, Form::GatewayApi);
        let outcome = read_objects("out", to_yaml(&migration.objects).as_bytes()).unwrap();
        let before = Served::of(&translate(&observed(&objects), &theirs));
        let translation = translate(&applied(&objects, &outcome), &settings());
        for status in translation.statuses.iter().filter(|status| status.kind != "Gateway") {
            let said = status.status.to_string();
            assert!(!said.contains("\"False\""), "{name}: {} {}: {said}", status.kind, status.name);
        }
        let after = Served::of(&translation);
        routed += usize::from(outcome.iter().any(|object| object["kind"] == "HTTPRoute"));
        let ingresses = || objects.iter().filter(|object| object["kind"] == "Ingress");
        let rules =
            || ingresses().flat_map(|ingress| ingress["spec"]["rules"].as_array().into_iter().flatten());
        let secured: Vec<&str> = ingresses()
            .flat_map(|ingress| ingress["spec"]["tls"].as_array().into_iter().flatten())
            .flat_map(|tls| tls["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str))
            .collect();
        let mut hosts: Vec<String> =
            rules().filter_map(|rule| Some(rule["host"].as_str()?.replace('*', "any"))).collect();
        hosts.push("nobody.example".to_owned());
        let mut paths: Vec<String> = ["/", "/nothing/of/it"].map(str::to_owned).into();
        for path in rules().flat_map(|rule| rule["http"]["paths"].as_array().into_iter().flatten()) {
            let path = path["path"].as_str().unwrap_or("/");
            paths.extend(["", "/", "x", "/x"].map(|end| format!("{path}{end}").replace("//", "/")));
        }
        for host in &hosts {
            let wildcard = host.split_once('.').map(|(_, rest)| format!("*.{rest}")).unwrap_or_default();
            let has_tls = secured.iter().any(|there| *there == host || **there == wildcard);
            for path in &paths {
                // Without a Secret there is no HTTPS for a host, which is said.
                for listener in 0..if has_tls { 2 } else { 1 } {
                    let (then, now) = (before.asked(listener, host, path), after.asked(listener, host, path));
                    assert_eq!(then, now, "{name}: {host}{path} on {}", ["http", "https"][listener]);
                    probes += 1;
                }
            }
        }
        // Whoever is served by an Ingress for want of a word for it is told why.
        for ingress in outcome.iter().filter(|object| object["kind"] == "Ingress") {
            let title = format!(
                "Ingress {}/{}",
                ingress["metadata"]["namespace"].as_str().unwrap(),
                ingress["metadata"]["name"].as_str().unwrap()
            );
            let said = migration
                .findings
                .iter()
                .any(|finding| finding.object == title && finding.verdict == "stays");
            assert!(said && migration.needs_a_look(), "{name}: {title}");
        }
    }
    println!("{routed} with routes, {probes} requests");
    assert!(routed >= 12 && probes > 200, "{routed} with routes, {probes} requests");
}
