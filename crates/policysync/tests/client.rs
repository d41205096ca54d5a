//! The client against an agent of our own, over a socket.

mod support;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use palisade_policy::{
    Direction, Feed, Flow, Identity, Judgement, Party, Patience, Protocol, Request, Store, TrustDomains,
    Verdict,
};
use palisade_policysync::messages::{self, *};
use palisade_policysync::{Client, Limits, Options, Subscription};
use support::agent::Agent;
use support::wire::message;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("palisade-sync-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn client(socket: &Path, subscription: Subscription) -> (Client, Arc<Store>, Arc<Mutex<Vec<String>>>) {
    let store = Arc::new(Store::new(Feed::Growing));
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let said = lines.clone();
    let options = Options {
        socket: socket.to_owned(),
        subscription,
        limits: Limits::default(),
        say: Box::new(move |line| said.lock().unwrap().push(line.to_owned())),
    };
    (Client::start(options, store.clone()).unwrap(), store, lines)
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A world in which one address may ask 10.9.9.9.
fn world(may: &str) -> Vec<ToDataplane> {
    let rule =
        messages::Rule { action: "allow".into(), src_ip_set_ids: vec!["s".into()], ..Default::default() };
    let tier = TierInfo { name: "default".into(), ingress_policies: vec!["p".into()], ..TierInfo::default() };
    [
        Payload::IpSetUpdate(IpSetUpdate { id: "s".into(), members: vec![may.into()], kind: 2 }),
        Payload::ActivePolicyUpdate(ActivePolicyUpdate {
            id: Some(PolicyId { tier: "default".into(), name: "p".into(), ..PolicyId::default() }),
            policy: Some(messages::Policy {
                inbound_rules: vec![prost::Message::encode_to_vec(&rule).into()],
                ..messages::Policy::default()
            }),
        }),
        Payload::WorkloadEndpointUpdate(WorkloadEndpointUpdate {
            id: Some(WorkloadEndpointId {
                orchestrator_id: "k8s".into(),
                workload_id: "bank/web".into(),
                endpoint_id: "eth0".into(),
            }),
            endpoint: Some(WorkloadEndpoint {
                ipv4_nets: vec!["10.9.9.9/32".into()],
                tiers: vec![prost::Message::encode_to_vec(&tier).into()],
                ..WorkloadEndpoint::default()
            }),
        }),
    ]
    .into_iter()
    .map(message)
    .collect()
}

fn in_sync() -> ToDataplane {
    message(Payload::InSync(InSync {}))
}

fn allows(store: &Store, peer: &str) -> bool {
    let flow = Flow {
        direction: Direction::Ingress,
        source: Party {
            address: Some(peer.parse().unwrap()),
            port: Some(1),
            identity: Identity::of_principal(
                "spiffe://cluster.local/ns/bank/sa/web",
                &TrustDomains::default(),
            ),
            workload: None,
        },
        destination: Party { address: Some("10.9.9.9".parse().unwrap()), port: Some(80), ..Party::default() },
        protocol: Protocol::TCP,
        icmp: None,
        request: Request::None,
        patience: Patience::Over,
    };
    store.evaluate(&flow, &Judgement::default()).0.enforced.verdict == Verdict::Allow
}

#[test]
fn the_old_store_decides_until_another_is_complete() {
    let folder = Folder::new("swap");
    let (client, store, lines) = client(&folder.socket(), Subscription::PerHost);
    // Nobody is there yet.
    until("it says that nobody is there", || client.status().now().last_error.is_some());
    assert!(!client.status().now().connected && !allows(&store, "10.0.0.1"));
    let agent = Agent::listen(&folder.socket());
    agent.say(world("10.0.0.1"));
    until("three messages", || client.status().now().messages == 3);
    assert!(!allows(&store, "10.0.0.1"), "not all was said");
    assert!(!client.status().now().was_in_sync);
    agent.say([in_sync()]);
    until("in sync", || client.status().now().in_sync);
    assert!(allows(&store, "10.0.0.1") && !allows(&store, "10.0.0.2"));
    assert_eq!(agent.asked(), ["per-host-policies"]);
    // The agent is killed: what it said goes on deciding.
    drop(agent);
    until("it notices", || !client.status().now().connected);
    let now = client.status().now();
    assert!(allows(&store, "10.0.0.1") && now.was_in_sync && !now.in_sync);
    // It is back, with others, and has not said all: still the old ones.
    let agent = Agent::listen(&folder.socket());
    agent.say(world("10.0.0.2"));
    until("three more messages", || client.status().now().messages == 7);
    assert!(allows(&store, "10.0.0.1") && !allows(&store, "10.0.0.2"));
    // Cancelled before it was complete, and begun anew.
    agent.hang_up();
    until("a third stream", || client.status().now().connects == 3 && client.status().now().messages == 10);
    assert!(allows(&store, "10.0.0.1") && !allows(&store, "10.0.0.2"));
    agent.say([in_sync(), in_sync()]);
    until("swapped", || allows(&store, "10.0.0.2"));
    assert!(!allows(&store, "10.0.0.1"));
    // Cancelled after it was complete.
    agent.hang_up();
    until("a fourth stream", || client.status().now().connects == 4 && client.status().now().in_sync);
    assert!(allows(&store, "10.0.0.2"));
    assert_eq!(client.status().now().swaps, 3);
    // News on the way.
    agent.say([message(Payload::IpSetDeltaUpdate(IpSetDeltaUpdate {
        id: "s".into(),
        added_members: vec!["10.0.0.3".into()],
        removed_members: vec!["10.0.0.2".into()],
    }))]);
    until("a change", || allows(&store, "10.0.0.3"));
    assert!(!allows(&store, "10.0.0.2"));
    let lines = lines.lock().unwrap();
    assert!(lines[0].contains("nothing passes until it has said all policies"), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains("in sync with") && line.contains("policies 1, endpoints 1"))
    );
    assert!(
        lines.iter().any(|line| line.contains("a new join closes the old one; what it said last goes on"))
    );
}

#[test]
fn what_breaks_the_rules_of_the_wire_ends_the_stream_and_nothing_else() {
    use std::io::{Read as _, Write as _};
    let folder = Folder::new("wire");
    let listener = std::os::unix::net::UnixListener::bind(folder.socket()).unwrap();
    let (client, store, _) = client(&folder.socket(), Subscription::PerPod);
    // Bytes that are no HTTP/2, and a connection that is closed at once.
    for said in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b""] {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(said).unwrap();
        let _ = stream.read(&mut [0; 16]);
        drop(stream);
        until("it is told", || client.status().now().last_error.is_some());
    }
    drop(listener);
    let agent = Agent::listen(&folder.socket());
    // A message longer than any may be.
    agent.say([message(Payload::IpSetUpdate(IpSetUpdate {
        id: "s".into(),
        members: vec!["10.0.0.1".into(); 500_000],
        kind: 0,
    }))]);
    until("it is refused", || {
        client.status().now().last_error.is_some_and(|why| why.contains("4194304 at most are taken"))
    });
    drop(agent);
    let agent = Agent::listen(&folder.socket());
    agent.say(world("10.0.0.1").into_iter().chain([in_sync()]));
    until("in sync after all", || allows(&store, "10.0.0.1"));
    assert_eq!(agent.asked()[0], "per-pod-policies");
    // A client that goes leaves the store as it is.
    drop(client);
    assert!(allows(&store, "10.0.0.1"));
}
