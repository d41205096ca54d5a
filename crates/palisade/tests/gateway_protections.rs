//! Protections of Ingresses from outside: who inspects, what wins, and what the Protections are told.

mod cluster;
mod support;

use std::net::SocketAddr;

use cluster::{class, gateway, ingress, path, service};
use palisade_kube_fake::{Scope, Server};
use serde_json::{Value, json};
use support::{Folder, Upstream, eventually, send};

const SNIPPET: [(&str, &str); 2] = [
    ("enable-modsecurity", "true"),
    (
        "modsecurity-snippet",
        "SecRuleEngine On\nSecRule ARGS:y \"@streq 1\" \"id:2,phase:1,deny,status:403\"\n",
    ),
];
const ATTACK: &str = "/?q=1%27%20UNION%20SELECT%20password%20FROM%20users--";

fn ours(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "palisade.dev/v1alpha1", "kind": kind, "spec": spec,
        "metadata": {"namespace": namespace, "name": name}})
}

fn protection(namespace: &str, name: &str, target: (&str, &str), more: Value) -> Value {
    let mut spec = json!({"targetRefs": [{"kind": target.0, "name": target.1}]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ours("Protection", namespace, name, spec)
}

/// A cluster that has our kinds, a profile `strict` in two namespaces, and a Service.
fn stage(upstream: &Upstream) -> Server {
    let cluster = Server::start();
    for (kind, plural) in
        [("WafProfile", "wafprofiles"), ("RuleSet", "rulesets"), ("Protection", "protections")]
    {
        cluster.serve("palisade.dev/v1alpha1", kind, plural, Scope::Namespaced);
    }
    cluster.put(class());
    let address = upstream.url.trim_start_matches("http://").parse().unwrap();
    let rules = "SecRuleEngine On\nSecRule ARGS:x \"@streq 1\" \"id:1,phase:1,deny,status:406\"\n";
    for namespace in ["shop", "blue"] {
        for mut object in service("web", address) {
            object["metadata"]["namespace"] = json!(namespace);
            cluster.put(object);
        }
        cluster.put(ours("RuleSet", namespace, "strict", json!({"text": rules})));
        let profile =
            json!({"mode": "block", "detect": {"enabled": false}, "rules": {"ruleSets": ["strict"]}});
        cluster.put(ours("WafProfile", namespace, "strict", profile));
    }
    cluster
}

fn web(name: &str, annotations: &[(&str, &str)]) -> Value {
    ingress(name, &format!("{name}.example"), &[path("Prefix", "/", "web")], annotations)
}

fn ask(at: SocketAddr, name: &str, target: &str) -> u16 {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {name}.example\r\nAccept: */*\r\nUser-Agent: test\r\nConnection: close\r\n\r\n"
    );
    send(at, request.as_bytes()).status
}

/// What a Protection is told of its first ancestor: kind, name, status and reason.
fn told(cluster: &Server, namespace: &str, name: &str) -> Option<String> {
    let object = cluster.get("palisade.dev/protections", namespace, name)?;
    let ancestor = object["status"]["ancestors"].as_array()?.first()?;
    let (of, condition) = (&ancestor["ancestorRef"], &ancestor["conditions"][0]);
    assert_eq!(condition["type"], "Accepted", "{object}");
    assert_eq!(condition["observedGeneration"], object["metadata"]["generation"], "{object}");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let said = [&of["kind"], &of["name"], &condition["status"], &condition["reason"]].map(text);
    Some(said.into_iter().collect::<Option<Vec<_>>>()?.join(" "))
}

#[test]
fn the_nearest_of_protections_and_annotations_inspects_an_ingress() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let cluster = stage(&upstream);
    let strict = json!({"profile": "strict"});
    let at = |name: &str, more: &Value| protection("shop", name, ("Ingress", name), more.clone());
    for (name, annotations, more) in [
        ("plain", &[][..], Some(strict.clone())),
        ("annotated", &SNIPPET, Some(strict.clone())),
        ("watched", &SNIPPET, Some(json!({"mode": "monitoring"}))),
        ("alone", &SNIPPET, None),
        ("off", &[("enable-modsecurity", "false")], Some(json!({"mode": "block"}))),
        ("lost", &[], Some(json!({"profile": "nobody"}))),
        ("open", &[], None),
    ] {
        cluster.put(web(name, annotations));
        if let Some(more) = &more {
            cluster.put(at(name, more));
        }
    }
    // Of a whole namespace: annotations are nearer.
    cluster.put(protection("blue", "all", ("Namespace", "blue"), strict.clone()));
    for (name, annotations) in
        [("of-namespace", &[][..]), ("spoken", &SNIPPET), ("let", &[("enable-modsecurity", "false")])]
    {
        let mut object = web(name, annotations);
        object["metadata"]["namespace"] = json!("blue");
        cluster.put(object);
    }
    let mut proxy = gateway(&folder, &cluster, &["--allow-snippets", "--access-log", "off"]);
    let http = proxy.listener("http");
    eventually("the table", || (ask(http, "open", "/") == 200).then_some(()));
    let rows = [
        ("plain", "/", 200),
        ("plain", "/?x=2&y=1", 200),
        ("plain", "/?x=1", 406),
        ("annotated", "/?x=1", 406),
        ("annotated", "/?y=1", 200),
        ("watched", "/?x=1", 200),
        ("watched", "/?y=1", 200),
        ("alone", "/?x=1", 200),
        ("alone", "/?y=1", 403),
        ("alone", "/?y=2", 200),
        ("off", "/?q=union+of+students", 200),
        ("off", ATTACK, 403),
        ("lost", "/", 503),
        ("open", "/?x=1&y=1", 200),
        ("open", ATTACK, 200),
        ("of-namespace", "/?x=1", 406),
        ("of-namespace", "/?x=2", 200),
        ("spoken", "/?x=1", 200),
        ("spoken", "/?y=1", 403),
        ("let", "/?x=1", 200),
    ];
    let wrong: Vec<_> = rows
        .iter()
        .map(|(name, target, status)| (name, target, status, ask(http, name, target)))
        .filter(|(_, _, status, got)| **status != *got)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}\n{}", proxy.err());
    for (name, expected) in [
        ("plain", "Ingress plain True Accepted"),
        ("watched", "Ingress watched True Accepted"),
        ("lost", "Ingress lost False ProfileNotUsable"),
    ] {
        eventually(expected, || (told(&cluster, "shop", name)? == expected).then_some(()));
    }
    let overridden = eventually("the event", || {
        let events = cluster.list("events.k8s.io/events", Some("shop"));
        let told: Vec<_> = events.into_iter().filter(|event| event["reason"] == "Overridden").collect();
        (told.len() == 2).then_some(told)
    });
    let mut about: Vec<_> =
        overridden.iter().map(|event| event["regarding"]["name"].as_str().unwrap()).collect();
    about.sort_unstable();
    assert_eq!(about, ["annotated", "off"]);
    assert_eq!(proxy.end(), 0);
}

#[test]
fn protections_of_ingresses_change_live_and_only_who_inspects_says_so() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let cluster = stage(&upstream);
    let strict = json!({"profile": "strict"});
    let mut foreign = web("foreign", &[]);
    foreign["spec"]["ingressClassName"] = json!("other");
    // Made in one second: the first by name counts as the older.
    let early = protection("shop", "early", ("Ingress", "web"), strict.clone());
    let late = protection("shop", "late", ("Ingress", "web"), json!({"mode": "off"}));
    let elsewhere = protection("shop", "elsewhere", ("Ingress", "foreign"), strict);
    // What another controller says stays.
    let others =
        json!([{"ancestorRef": {"name": "web"}, "controllerName": "other.example/x", "conditions": []}]);
    let mut of_others = protection("shop", "of-others", ("Ingress", "foreign"), json!({}));
    of_others["status"] = json!({"ancestors": others});
    for object in [web("web", &[]), foreign, late, early, elsewhere, of_others] {
        cluster.put(object);
    }
    let mut proxy = gateway(&folder, &cluster, &["--access-log", "off"]);
    let http = proxy.listener("http");
    eventually("the profile", || (ask(http, "web", "/?x=1") == 406).then_some(()));
    assert_eq!(ask(http, "web", "/?x=2"), 200);
    let says = |name: &str, expected: &str| {
        eventually(expected, || (told(&cluster, "shop", name)? == expected).then_some(()));
    };
    says("early", "Ingress web True Accepted");
    says("late", "Ingress web False Conflicted");
    // What is not ours is nobody's business of ours.
    assert_eq!(told(&cluster, "shop", "elsewhere"), None);
    // The older one goes: the other one has it.
    cluster.delete("palisade.dev/protections", "shop", "early");
    eventually("the other", || (ask(http, "web", "/?x=1") == 200).then_some(()));
    says("late", "Ingress web True Accepted");
    // An Ingress that is another's is no longer inspected by us, and nothing of ours says that it is.
    let mut given = web("web", &[]);
    given["spec"]["ingressClassName"] = json!("other");
    cluster.put(given);
    eventually("the Ingress of another", || (ask(http, "web", "/") == 404).then_some(()));
    eventually("nothing said", || told(&cluster, "shop", "late").is_none().then_some(()));
    let kept = cluster.get("palisade.dev/protections", "shop", "of-others").unwrap();
    assert_eq!(kept["status"]["ancestors"], others);
    assert_eq!(proxy.end(), 0);
}
