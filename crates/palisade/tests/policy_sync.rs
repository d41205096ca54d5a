//! Policies that Calico's agent hands over, before a running proxy: nothing passes before they have come, the bank's walk as
//! with files, and what it said last goes on when it is gone.

#[path = "../../policysync/tests/support/mod.rs"]
mod agents;
mod pki;
mod support;

use std::net::SocketAddr;
use std::path::Path;

use agents::agent::Agent;
use agents::wire::{Naming, message, messages_of};
use palisade_policy::{Compiler, Feed, Update, read_objects};
use palisade_policysync::messages::{InSync, Payload, ToDataplane};
use pki::Pki;
use support::{Folder, Running, Upstream, command, eventually, get};

const OBJECTS: &str = include_str!("../../../testdata/policy/yaobank/objects.yaml");
const POLICIES: &str = include_str!("../../../testdata/policy/yaobank/policies.yaml");

/// Addresses of the pods, as the objects have them and as this machine has them.
const PODS: [(&str, &str, &str); 4] = [
    ("customer", "10.28.0.11", "127.0.29.11"),
    ("summary", "10.28.0.12", "127.0.29.12"),
    ("database", "10.28.0.13", "127.0.29.13"),
    ("attack", "10.28.0.66", "127.0.29.66"),
];

fn address_of(pod: &str) -> &'static str {
    PODS.iter().find(|(name, ..)| *name == pod).map(|(_, _, address)| *address).unwrap()
}

fn objects() -> String {
    PODS.iter().fold(OBJECTS.to_owned(), |text, (_, theirs, ours)| text.replace(theirs, ours))
}

/// What the agent says of a world of objects, without the word that this was all.
fn said_of(text: &str, naming: Naming) -> Vec<ToDataplane> {
    let read = read_objects(text.as_bytes());
    let changes = read.objects.into_iter().map(|(key, object)| (key, Some(object)));
    let updates = Compiler::fed(Feed::Growing).apply(changes);
    let updates = updates.iter().filter(|update| **update != Update::InSync);
    updates.flat_map(|update| messages_of(update, naming, 2)).collect()
}

fn in_sync() -> ToDataplane {
    message(Payload::InSync(InSync {}))
}

fn world(policies: &str) -> String {
    format!("{}---\n{policies}", objects())
}

/// A proxy on every address, over TLS, before the pods that have them.
fn proxy(folder: &Folder, upstream: &Upstream, policies: &str) -> Running {
    let config = format!(
        "admin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\nlogs: {{error: {}}}\n\
         listeners:\n- name: web\n  address: \"0.0.0.0:0\"\n  tls:\n    certificates: [{{cert: {}, key: {}}}]\n    \
         clientCertificates: {{mode: \"on\", ca: {}}}\n\
         services: [{{name: web, upstream: {{url: \"{}\"}}}}]\nprofiles: {{default: {{mode: monitoring}}}}\n{policies}",
        folder.at("data"),
        folder.at("error.log"),
        folder.at("web.crt"),
        folder.at("web.key"),
        folder.at("ca.crt"),
        upstream.url
    );
    let file = folder.write("palisade.yaml", config);
    Running::start(command(&["run", "--config", &file]))
}

fn synced(folder: &Folder) -> String {
    format!(
        "policies: {{unknownPeerWait: 100ms, sync: {{socket: {}, mode: per-host}}}}\n",
        folder.at("agent.sock")
    )
}

/// The bank's certificates.
fn bank(folder: &Folder) -> Pki<'_> {
    let pki = Pki(folder);
    pki.authority("ca");
    pki.server("ca", "web", &["customer", "summary", "database"]);
    for account in ["customer", "summary", "default"] {
        let id = format!("subjectAltName=URI:spiffe://cluster.local/ns/yaobank/sa/{account}\n");
        pki.issue("ca", account, &format!("/CN={account}"), &id, 30);
    }
    pki
}

/// Whether a pod with the key of an account gets an answer from a service of the bank.
fn may(pki: &Pki<'_>, port: u16, pod: &str, key: &str, service: &str, more: &[&str]) -> bool {
    let (crt, secret) = (pki.0.at(&format!("{key}.crt")), pki.0.at(&format!("{key}.key")));
    let mut arguments = vec!["--http1.1", "--interface", address_of(pod), "--cert", &crt, "--key", &secret];
    arguments.extend(more);
    let at: SocketAddr = format!("{}:{port}", address_of(service)).parse().unwrap();
    let url = format!("https://{service}:{port}/v2/keys");
    // A connection on which nothing could be allowed has no answer at all.
    pki.ask(at, &pki.0.at("ca.crt"), &url, &arguments).0 == 200
}

/// The tutorial's walk: each step and whether it may be.
const WALK: [(&str, &str, &str, &[&str], bool); 11] = [
    ("attack", "default", "customer", &[], true),
    ("attack", "default", "customer", &["-I"], false),
    ("summary", "summary", "customer", &["-d", "a=b"], false),
    ("customer", "customer", "summary", &[], true),
    ("summary", "summary", "database", &[], true),
    ("customer", "customer", "database", &[], false),
    ("customer", "customer", "database", &["-I"], false),
    ("attack", "default", "database", &[], false),
    ("attack", "summary", "database", &["-X", "PUT", "-d", "value=10000"], false),
    ("customer", "summary", "database", &[], false),
    ("summary", "summary", "database", &["-X", "PUT", "-d", "value=1"], true),
];

fn walks(pki: &Pki<'_>, port: u16, when: &str) {
    for (pod, key, service, more, expected) in WALK {
        let said = may(pki, port, pod, key, service, more);
        assert_eq!(said, expected, "{when}: {pod} with {key}'s key asks {service} {more:?}");
    }
}

fn log_of(folder: &Folder) -> String {
    std::fs::read_to_string(folder.at("error.log")).unwrap_or_default()
}

/// What the admin listener answers; it wants to be asked by its name.
fn ask(admin: SocketAddr, path: &str) -> support::Response {
    support::send(admin, format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes())
}

fn metric(admin: SocketAddr, name: &str) -> Option<f64> {
    let text = ask(admin, "/metrics").body;
    let line = text.lines().find(|line| line.split([' ', '{']).next() == Some(name))?.to_owned();
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn the_banks_walk_holds_by_what_the_agent_says_and_goes_on_without_it() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = bank(&folder);
    let socket = folder.at("agent.sock");
    let mut proxy = proxy(&folder, &upstream, &synced(&folder));
    let (port, admin) = (proxy.listener("web").port(), proxy.admin());

    // Nobody has said anything: nothing passes, and everybody is told why.
    assert!(!may(&pki, port, "attack", "default", "customer", &[]));
    let line = "Policy denied the request [reason \"no policies have come yet, and policy fails closed\"]";
    eventually("the line of the denial", || log_of(&folder).contains(line).then_some(()));
    let ready = ask(admin, "/readyz");
    assert_eq!(ready.status, 503, "{ready:?}");
    assert!(
        ready.body.contains("no policies have come yet, and policy fails closed: cannot connect"),
        "{ready:?}"
    );
    assert_eq!(ask(admin, "/livez").status, 200);
    for (name, value) in [
        ("palisade_ready", 0.0),
        ("palisade_policy_sync_connected", 0.0),
        ("palisade_policy_sync_in_sync", 0.0),
    ] {
        assert_eq!(metric(admin, name), Some(value), "{name}");
    }
    proxy.wait_err(&format!("palisade: policy sync: {socket}: cannot connect"));
    proxy.wait_err("nothing passes until it has said all policies");

    // It says all but that this was all.
    let agent = Agent::listen(Path::new(&socket));
    let said = said_of(&world(POLICIES), Naming::Kind);
    let count = said.len() as f64;
    agent.say(said);
    eventually("every message", || {
        (metric(admin, "palisade_policy_sync_messages_total") == Some(count)).then_some(())
    });
    assert_eq!(ask(admin, "/readyz").status, 503);
    assert!(!may(&pki, port, "attack", "default", "customer", &[]));
    agent.say([in_sync()]);
    eventually("readiness", || (ask(admin, "/readyz").status == 200).then_some(()));
    assert_eq!(agent.asked(), ["per-host-policies"]);
    walks(&pki, port, "in sync");
    for (name, value) in [
        ("palisade_ready", 1.0),
        ("palisade_policy_sync_connected", 1.0),
        ("palisade_policy_sync_in_sync", 1.0),
        ("palisade_policy_sync_refusals_total", 0.0),
        ("palisade_policy_sync_held_back", 0.0),
        ("palisade_policy_endpoints", 4.0),
    ] {
        assert_eq!(metric(admin, name), Some(value), "{name}");
    }

    let page = include_str!("../../../docs/reference/metrics.md");
    for line in ask(admin, "/metrics").body.lines() {
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|line| line.split_once(' ')) else {
            continue;
        };
        let is_described =
            page.lines().any(|row| row.starts_with(&format!("| `{name}` |")) && row.contains(help));
        assert!(
            is_described || !name.starts_with("palisade_policy"),
            "docs/reference/metrics.md lacks {name}: {help}"
        );
    }

    // Gone: what it said goes on.
    drop(agent);
    eventually("it is noticed", || {
        (metric(admin, "palisade_policy_sync_connected") == Some(0.0)).then_some(())
    });
    proxy.wait_err("what it said last goes on deciding");
    assert_eq!(ask(admin, "/readyz").status, 200);
    walks(&pki, port, "without the agent");

    // Back, with others: swapped when all of them are there.
    let other = POLICIES.replace("methods: [\"GET\"]", "methods: [\"HEAD\"]");
    assert_ne!(other, POLICIES);
    let agent = Agent::listen(Path::new(&socket));
    agent.say(said_of(&world(&other), Naming::Text));
    eventually("the second stream's messages", || {
        (metric(admin, "palisade_policy_sync_messages_total") > Some(2.0 * count)).then_some(())
    });
    walks(&pki, port, "before all was said again");
    agent.say([in_sync()]);
    eventually("the swap", || may(&pki, port, "attack", "default", "customer", &["-I"]).then_some(()));
    assert!(!may(&pki, port, "attack", "default", "customer", &[]));
    assert_eq!(metric(admin, "palisade_policy_sync_swaps_total"), Some(2.0));
    assert_eq!(proxy.end(), 0);
}

#[test]
fn one_pods_policies_stand_before_every_service_whatever_its_address() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let socket = folder.at("agent.sock");
    let agent = Agent::listen(Path::new(&socket));
    let only =
        OBJECTS.split("---\n").filter(|part| !part.contains("kind: Pod") || part.contains("customer-1"));
    let text = format!("{}---\n{POLICIES}", only.collect::<Vec<_>>().join("---\n"));
    agent.say(said_of(&text, Naming::Kind).into_iter().chain([in_sync()]));
    let config = format!(
        "admin: {{address: \"off\"}}\ndataDir: {}\nlisteners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         workload: {{namespace: yaobank, name: not-its-name}}\n\
         services: [{{name: web, upstream: {{url: \"{}\"}}}}]\npolicies: {{sync: {{socket: \"unix:{socket}\"}}}}\n",
        folder.at("data"),
        upstream.url
    );
    let file = folder.write("palisade.yaml", config);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    eventually("the policy for GET", || (get(address, "/", "").status == 200).then_some(()));
    let post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(support::send(address, post).status, 403);
    assert_eq!(agent.asked(), ["per-pod-policies"]);
    // From files from now on, hot: nobody follows the agent any more.
    std::fs::create_dir_all(folder.at("policies")).unwrap();
    let policy = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: all}\nspec: {selector: all(), ingress: [{action: Allow, http: {methods: [POST]}}]}\n";
    folder.write("policies/p.yaml", policy);
    let config = std::fs::read_to_string(&file).unwrap();
    let of_sync = format!("sync: {{socket: \"unix:{socket}\"}}");
    assert!(config.contains(&of_sync));
    std::fs::write(&file, config.replace(&of_sync, "files: [policies]")).unwrap();
    eventually("the files", || (support::send(address, post).status == 200).then_some(()));
    assert_eq!(get(address, "/", "").status, 403);
    // And back: closed until it has said all, which it does at once.
    std::fs::write(&file, config).unwrap();
    eventually("the agent again", || (get(address, "/", "").status == 200).then_some(()));
    assert_eq!(support::send(address, post).status, 403);
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_dikastes_that_dials_is_ready_when_it_has_been_told_all() {
    let folder = Folder::new();
    let (socket, listen) = (folder.at("agent.sock"), folder.at("dikastes.sock"));
    let data = folder.at("data");
    let arguments =
        ["authz", "server", "--dial", &socket, "--listen", &listen, "--admin", "off", "--data-dir", &data];
    let mut running = Running::start(command(&arguments));
    running.wait_err("(envoy)\n");
    let is_ready = || support::palisade(&["authz", "health", "readiness", "--listen", &listen]).code == 0;
    let is_live = || support::palisade(&["authz", "health", "liveness", "--listen", &listen]).code == 0;
    // From the first on: it never says that it is ready before it has been told anything.
    assert!(!is_ready() && is_live());
    let agent = Agent::listen(Path::new(&socket));
    agent.say(said_of(&world(POLICIES), Naming::Kind));
    assert!(!is_ready());
    agent.say([in_sync()]);
    eventually("readiness", || is_ready().then_some(()));
    assert_eq!(agent.asked(), ["per-host-policies"]);
    drop(agent);
    running.wait_err("what it said last goes on deciding");
    assert!(is_ready());
    running.end();
}
