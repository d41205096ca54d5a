//! Whatever order news come in, no decision sees a name that leads nowhere, and in the end decisions are those of the same
//! objects read from YAML.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use palisade_policy::{
    Change, Compiler, Decisions, Direction, Doubt, Feed, Flow, HttpHead, Identity, Judgement, NearMiss, News,
    ObjectKey, Party, Patience, PlaintextPeers, Protocol, Reason, Request, Source as _, Store, TrustDomains,
    Update, Verdict, read_objects,
};
use palisade_policysync::messages::{self, *};
use palisade_policysync::{Limits, State};
use proptest::prelude::*;
use support::wire::{Naming, about, message, messages_of, rank};

const ACCOUNTS: [&str; 3] = ["web", "api", "db"];
const NAMESPACES: [&str; 2] = ["bank", "shop"];

fn address(pod: usize) -> IpAddr {
    IpAddr::from([10, 0, 0, pod as u8 + 1])
}

/// A world of objects as YAML, from a few numbers.
fn world(numbers: &[u8]) -> String {
    let mut text = String::new();
    for (index, namespace) in NAMESPACES.iter().enumerate() {
        text += &format!(
            "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}, labels: {{team: t{index}}}}}\n"
        );
        for account in ACCOUNTS {
            text += &format!(
                "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {account}, namespace: {namespace}, labels: {{role: {account}}}}}\n"
            );
        }
    }
    for pod in 0..6 {
        let number = numbers.get(pod).copied().unwrap_or_default();
        if number % 7 == 0 {
            continue;
        }
        let namespace = NAMESPACES[usize::from(number / 7 % 2)];
        let account = ACCOUNTS[usize::from(number / 14 % 3)];
        text += &format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{pod}, namespace: {namespace}, labels: {{app: {account}, n: n{}}}}}\nspec:\n  serviceAccountName: {account}\n  containers: [{{name: c, ports: [{{name: http, containerPort: 80}}]}}]\nstatus: {{podIP: {}}}\n",
            number % 3,
            address(pod)
        );
    }
    let sources = [
        "{selector: app == 'web'}",
        "{selector: app == 'api', namespaceSelector: team == 't0'}",
        "{serviceAccounts: {names: [web]}}",
        "{serviceAccounts: {selector: role == 'db'}, namespaceSelector: all()}",
        "{notSelector: app == 'db'}",
        "{nets: [10.0.0.0/30]}",
        "{}",
    ];
    let actions = ["Allow", "Allow", "Deny", "Pass"];
    let details = [
        "",
        ", protocol: TCP, destination: {ports: [http]}",
        ", protocol: TCP, destination: {notPorts: [80]}",
    ];
    for (index, numbers) in numbers.get(6..).unwrap_or_default().chunks_exact(4).enumerate() {
        let action = actions[usize::from(numbers[0]) % actions.len()];
        let http = match (action, numbers[3] % 3) {
            ("Allow", 0) => ", http: {methods: [GET], paths: [{prefix: /a}]}",
            _ => "",
        };
        let rule = format!(
            "{{action: {action}, source: {}{}{http}}}",
            sources[usize::from(numbers[1]) % sources.len()],
            details[usize::from(numbers[2]) % details.len()],
        );
        let spec = format!("{{order: {}, selector: has(n), ingress: [{rule}]}}", numbers[3]);
        let namespace = match numbers[2] % 2 {
            0 => String::new(),
            _ => format!(", namespace: {}", NAMESPACES[usize::from(numbers[3]) % 2]),
        };
        let kind = if namespace.is_empty() { "GlobalNetworkPolicy" } else { "NetworkPolicy" };
        text += &format!(
            "---\napiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: p{index}{namespace}}}\nspec: {spec}\n"
        );
    }
    text
}

fn objects(text: &str) -> BTreeMap<ObjectKey, palisade_policy::Object> {
    let read = read_objects(text.as_bytes());
    assert!(!read.diagnostics.iter().any(palisade_policy_is_error), "{text}\n{:?}", read.diagnostics);
    read.objects.into_iter().collect()
}

fn palisade_policy_is_error(diagnostic: &impl std::fmt::Debug) -> bool {
    format!("{diagnostic:?}").contains("severity: Error")
}

/// What changes from one world to another.
fn changes(from: &str, to: &str) -> Vec<Change> {
    let (from, to) = (objects(from), objects(to));
    let gone = from.keys().filter(|key| !to.contains_key(*key)).map(|key| (key.clone(), None));
    let new = to.iter().filter(|(key, object)| from.get(*key) != Some(object));
    gone.chain(new.map(|(key, object)| (key.clone(), Some(object.clone())))).collect()
}

/// Every flow from every peer to every pod: certificates of the peer's own account, none, and each other account's.
fn decide_all(
    store: &Store,
    text: &str,
    foreign: bool,
    judgement: &Judgement,
) -> Vec<(String, Decisions, Option<NearMiss>)> {
    let mut out = Vec::new();
    let own: BTreeMap<usize, String> = (0..6)
        .filter_map(|pod| {
            let object = objects(text)
                .into_iter()
                .find(|(key, _)| *key.name == *format!("p{pod}") && key.kind == "Pod");
            let (key, object) = object?;
            let palisade_policy::Object::Workload(workload) = object else { return None };
            Some((
                pod,
                format!("spiffe://cluster.local/ns/{}/sa/{}", key.namespace, workload.service_account),
            ))
        })
        .collect();
    for to in 0..6 {
        for from in 0..7 {
            let mut principals: BTreeSet<String> = [String::new()].into();
            principals.extend(own.get(&from).cloned());
            if foreign {
                principals.insert("spiffe://cluster.local/ns/bank/sa/web".to_owned());
            }
            for principal in principals {
                for (method, path) in [("GET", "/a/b"), ("POST", "/a")] {
                    let flow = Flow {
                        direction: Direction::Ingress,
                        source: Party {
                            address: Some(address(from)),
                            port: Some(40_000),
                            identity: Identity::of_principal(&principal, &TrustDomains::default()),
                            workload: None,
                        },
                        destination: Party { address: Some(address(to)), port: Some(80), ..Party::default() },
                        protocol: Protocol::TCP,
                        icmp: None,
                        request: Request::Head(HttpHead {
                            method: method.as_bytes(),
                            path: Some(path.as_bytes()),
                            host: None,
                            headers: &Vec::<(Vec<u8>, Vec<u8>)>::new(),
                            claims: None,
                        }),
                        patience: Patience::Over,
                    };
                    let (decisions, miss) = store.evaluate(&flow, judgement);
                    out.push((format!("{from} -> {to} as {principal:?} {method} {path}"), decisions, miss));
                }
            }
        }
    }
    out
}

fn verdicts(decisions: Vec<(String, Decisions, Option<NearMiss>)>) -> Vec<(String, Verdict)> {
    decisions.into_iter().map(|(flow, decisions, _)| (flow, decisions.enforced.verdict)).collect()
}

fn sees_nothing_that_is_not_there(store: &Store, text: &str) {
    for (flow, decisions, miss) in decide_all(store, text, true, &Judgement::default()) {
        let reason = decisions.enforced.reason;
        assert_ne!(reason, Reason::MissingPolicy, "{flow}");
        assert!(!matches!(reason, Reason::Undecided(_, Doubt::UnknownSet)), "{flow}");
        assert_ne!(miss.and_then(|miss| miss.doubt), Some(Doubt::UnknownSet), "{flow}");
    }
}

/// Mixes messages by some numbers; those about one thing keep their order.
fn mixed(messages: Vec<ToDataplane>, mix: &[u8]) -> Vec<ToDataplane> {
    let mut queues: BTreeMap<String, std::collections::VecDeque<ToDataplane>> = BTreeMap::new();
    for message in messages {
        queues.entry(about(&message)).or_default().push_back(message);
    }
    let mut out = Vec::new();
    let mut turn = 0;
    while !queues.is_empty() {
        let number = mix.get(turn % mix.len().max(1)).copied().unwrap_or_default();
        turn += 1;
        let name = queues.keys().nth((usize::from(number) + turn * 7) % queues.len()).unwrap().clone();
        let queue = queues.get_mut(&name).unwrap();
        out.extend(queue.pop_front());
        if queue.is_empty() {
            queues.remove(&name);
        }
    }
    out
}

/// As the agent orders them.
fn ranked(mut messages: Vec<ToDataplane>) -> Vec<ToDataplane> {
    messages.sort_by_key(rank);
    messages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_order_ends_where_the_same_yaml_does(
        first in prop::collection::vec(any::<u8>(), 6..26),
        second in prop::collection::vec(any::<u8>(), 6..26),
        mix in prop::collection::vec(any::<u8>(), 1..40),
        by_text in any::<bool>(),
        in_agents_order in any::<bool>(),
        part in 1_usize..4,
    ) {
        let naming = if by_text { Naming::Text } else { Naming::Kind };
        let (one, two) = (world(&first), world(&second));
        let mut compiler = Compiler::fed(Feed::Growing);
        let yaml = Store::new(Feed::Growing);
        let without_owners = Store::new(Feed::Growing);
        let synced = Store::new(Feed::Growing);
        let mut state = State::new(Limits::default());
        for (step, (from, to)) in [("", &*one), (&one, &two)].into_iter().enumerate() {
            let updates = compiler.apply(changes(from, to));
            yaml.take(News::Updates(updates.clone()));
            let known = updates.iter().filter(|update| !matches!(update, Update::Owner(..))).cloned();
            without_owners.take(News::Updates(known.collect()));
            let said: Vec<ToDataplane> = updates
                .iter()
                .filter(|update| **update != Update::InSync)
                .flat_map(|update| messages_of(update, naming, part))
                .collect();
            let said = if in_agents_order { ranked(said) } else { mixed(said, &mix) };
            for message in said {
                state.take(message).unwrap();
                synced.take_from(&mut state);
                if step == 0 {
                    prop_assert_eq!(synced.size().policies, 0, "nothing before all was said");
                } else {
                    sees_nothing_that_is_not_there(&synced, &two);
                }
            }
            if step == 0 {
                state.take(message(Payload::InSync(InSync {}))).unwrap();
                synced.take_from(&mut state);
            }
            // A second one changes nothing.
            state.take(message(Payload::InSync(InSync {}))).unwrap();
            prop_assert!(state.news().is_none());
            prop_assert_eq!(state.held_back(), 0);
            sees_nothing_that_is_not_there(&synced, to);
            for plaintext_peers in [PlaintextPeers::Deny, PlaintextPeers::Address] {
                let judgement = Judgement { plaintext_peers, ..Judgement::default() };
                let said = verdicts(decide_all(&synced, to, false, &judgement));
                prop_assert_eq!(&said, &verdicts(decide_all(&yaml, to, false, &judgement)));
                let said = verdicts(decide_all(&synced, to, true, &judgement));
                prop_assert_eq!(&said, &verdicts(decide_all(&without_owners, to, true, &judgement)));
            }
        }
        let (yaml, synced) = (yaml.size(), synced.size());
        prop_assert_eq!((yaml.policies, yaml.rules, yaml.sets, yaml.endpoints), (synced.policies, synced.rules, synced.sets, synced.endpoints));
    }

    #[test]
    fn bytes_of_any_kind_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut state = State::new(Limits::default());
        if let Ok(message) = <ToDataplane as prost::Message>::decode(&bytes[..]) {
            let _ = state.take(message);
        }
    }
}

fn said(state: &mut State, payload: Payload) -> Result<(), String> {
    state.take(message(payload)).map_err(|refusal| refusal.to_string())
}

fn set(id: &str, members: &[&str]) -> Payload {
    let members = members.iter().map(|member| (*member).to_owned()).collect();
    Payload::IpSetUpdate(IpSetUpdate { id: id.into(), members, kind: IpSetType::Net.into() })
}

fn delta(id: &str, added: &[&str], removed: &[&str]) -> Payload {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Payload::IpSetDeltaUpdate(IpSetDeltaUpdate {
        id: id.into(),
        added_members: texts(added),
        removed_members: texts(removed),
    })
}

fn set_gone(id: &str) -> Payload {
    Payload::IpSetRemove(IpSetRemove { id: id.into() })
}

fn policy_id(name: &str) -> Option<PolicyId> {
    Some(PolicyId { tier: "default".into(), name: name.into(), ..PolicyId::default() })
}

/// A policy that allows who is in a set.
fn policy(name: &str, id: &str) -> Payload {
    let rule =
        messages::Rule { action: "allow".into(), src_ip_set_ids: vec![id.into()], ..Default::default() };
    Payload::ActivePolicyUpdate(ActivePolicyUpdate {
        id: policy_id(name),
        policy: Some(messages::Policy {
            inbound_rules: vec![prost::Message::encode_to_vec(&rule).into()],
            ..messages::Policy::default()
        }),
    })
}

fn policy_gone(name: &str) -> Payload {
    Payload::ActivePolicyRemove(ActivePolicyRemove { id: policy_id(name) })
}

fn pod(name: &str) -> Option<WorkloadEndpointId> {
    Some(WorkloadEndpointId {
        orchestrator_id: "k8s".into(),
        workload_id: format!("bank/{name}"),
        endpoint_id: "eth0".into(),
    })
}

fn endpoint(name: &str, policies: &[&'static str]) -> Payload {
    let tier = TierInfo {
        name: "default".into(),
        ingress_policies: policies.iter().map(|name| name.as_bytes().into()).collect(),
        ..TierInfo::default()
    };
    Payload::WorkloadEndpointUpdate(WorkloadEndpointUpdate {
        id: pod(name),
        endpoint: Some(WorkloadEndpoint {
            ipv4_nets: vec!["10.9.9.9/32".into()],
            tiers: vec![prost::Message::encode_to_vec(&tier).into()],
            ..WorkloadEndpoint::default()
        }),
    })
}

fn endpoint_gone(name: &str) -> Payload {
    Payload::WorkloadEndpointRemove(WorkloadEndpointRemove { id: pod(name) })
}

/// What a store says to a peer with a certificate that asks 10.9.9.9.
fn decided(store: &Store, peer: &str) -> (Verdict, Reason) {
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
    let decision = store.evaluate(&flow, &Judgement::default()).0.enforced;
    (decision.verdict, decision.reason)
}

/// A stream that is in sync: a set of one peer, a policy that allows it, an endpoint.
fn in_sync() -> (State, Store) {
    let mut state = State::new(Limits::default());
    let store = Store::new(Feed::Growing);
    for payload in [set("s", &["10.0.0.1"]), policy("p", "s"), endpoint("web", &["p"])] {
        said(&mut state, payload).unwrap();
        assert!(state.news().is_none(), "nothing is visible before all was said");
    }
    assert_eq!(decided(&store, "10.0.0.1"), (Verdict::Deny, Reason::NotSynced));
    said(&mut state, Payload::InSync(InSync {})).unwrap();
    assert!(state.is_in_sync());
    let news = state.news().unwrap();
    assert!(matches!(news, News::Anew(_)));
    store.take(news);
    assert_eq!(decided(&store, "10.0.0.1").0, Verdict::Allow);
    assert_eq!(decided(&store, "10.0.0.2").0, Verdict::Deny);
    (state, store)
}

#[test]
fn every_message_of_something_new_something_there_and_something_gone() {
    let (mut state, store) = in_sync();
    let mut say = |payload: Payload| {
        said(&mut state, payload).unwrap();
        store.take_from(&mut state);
        (decided(&store, "10.0.0.1").0, decided(&store, "10.0.0.2").0)
    };
    use Verdict::{Allow, Deny};
    // Sets.
    assert_eq!(say(delta("s", &["10.0.0.2"], &[])), (Allow, Allow));
    assert_eq!(
        say(delta("s", &["10.0.0.2"], &["10.0.0.1", "10.0.0.7"])),
        (Deny, Allow),
        "gone, and never there"
    );
    assert_eq!(say(set("s", &["10.0.0.1", "10.0.0.1/32"])), (Allow, Deny), "replaced as a whole");
    assert_eq!(say(set_gone("s")), (Allow, Deny), "it stays while somebody names it");
    assert_eq!(say(set("s", &["10.0.0.2"])), (Deny, Allow), "and is there again");
    assert_eq!(say(set_gone("nobody's")), (Deny, Allow));
    // Policies.
    assert_eq!(say(policy("p", "t")), (Deny, Allow), "a version waits for what it names");
    assert_eq!(say(set("t", &["10.0.0.1"])), (Allow, Deny), "and is shown with it");
    assert_eq!(say(policy_gone("p")), (Allow, Deny), "it stays while an endpoint names it");
    assert_eq!(say(policy("p", "s")), (Deny, Allow));
    assert_eq!(say(policy_gone("nobody's")), (Deny, Allow));
    // Endpoints.
    assert_eq!(say(endpoint("web", &["p", "q"])), (Deny, Allow), "a version waits for its policies");
    assert_eq!(say(policy("q", "t")), (Allow, Allow));
    assert_eq!(say(endpoint("web", &["q"])), (Allow, Deny));
    assert_eq!(say(endpoint_gone("web")), (Deny, Deny));
    assert_eq!(say(endpoint_gone("web")), (Deny, Deny));
    assert_eq!(say(endpoint("web", &["q"])), (Allow, Deny));
    // A set in parts: the first part replaces, the rest is added.
    assert_eq!(say(set("t", &["10.0.0.8"])), (Deny, Deny));
    assert_eq!(say(delta("t", &["10.0.0.2"], &[])), (Deny, Allow));
    assert_eq!(state.held_back(), 0);
    let size = store.size();
    assert_eq!(
        (size.policies, size.endpoints, size.sets),
        (2, 1, 2),
        "p and s are named by nobody and still there"
    );
}

#[test]
fn accounts_and_namespaces_come_change_and_go() {
    let rule = messages::Rule {
        action: "allow".into(),
        src_ip_set_ids: vec!["s".into()],
        original_src_namespace_selector: "team == 'x'".into(),
        src_service_account_match: Some(ServiceAccountMatch {
            selector: "role == 'r'".into(),
            names: vec![],
        }),
        ..Default::default()
    };
    let account = |label: &str| {
        Payload::ServiceAccountUpdate(ServiceAccountUpdate {
            id: Some(ServiceAccountId { namespace: "bank".into(), name: "web".into() }),
            labels: [("role".to_owned(), label.to_owned())].into(),
        })
    };
    let namespace = |label: &str| {
        Payload::NamespaceUpdate(NamespaceUpdate {
            id: Some(NamespaceId { name: "bank".into() }),
            labels: [("team".to_owned(), label.to_owned())].into(),
        })
    };
    let account_gone = Payload::ServiceAccountRemove(ServiceAccountRemove {
        id: Some(ServiceAccountId { namespace: "bank".into(), name: "web".into() }),
    });
    let namespace_gone =
        Payload::NamespaceRemove(NamespaceRemove { id: Some(NamespaceId { name: "bank".into() }) });
    let (mut state, store) = in_sync();
    let mut say = |payload: Payload| {
        said(&mut state, payload).unwrap();
        store.take_from(&mut state);
        decided(&store, "10.0.0.1").0
    };
    let policy = Payload::ActivePolicyUpdate(ActivePolicyUpdate {
        id: policy_id("p"),
        policy: Some(messages::Policy {
            inbound_rules: vec![prost::Message::encode_to_vec(&rule).into()],
            ..messages::Policy::default()
        }),
    });
    use Verdict::{Allow, Deny};
    assert_eq!(say(policy), Deny, "nobody knows the labels");
    assert_eq!(say(account("r")), Deny);
    assert_eq!(say(namespace("x")), Allow);
    assert_eq!(say(account("other")), Deny);
    assert_eq!(say(account("r")), Allow);
    assert_eq!(say(account_gone.clone()), Deny);
    assert_eq!(say(account("r")), Allow);
    assert_eq!(say(namespace_gone.clone()), Deny);
    assert_eq!(say(namespace_gone), Deny);
    assert_eq!(say(account_gone), Deny);
}

#[test]
fn profiles_come_change_and_go() {
    let profile = |action: &str| {
        let rule = messages::Rule { action: action.into(), ..Default::default() };
        Payload::ActiveProfileUpdate(ActiveProfileUpdate {
            id: Some(ProfileId { name: "kns.bank".into() }),
            profile: Some(Profile {
                inbound_rules: vec![prost::Message::encode_to_vec(&rule).into()],
                outbound_rules: vec![],
            }),
        })
    };
    let gone =
        Payload::ActiveProfileRemove(ActiveProfileRemove { id: Some(ProfileId { name: "kns.bank".into() }) });
    let with_profile = Payload::WorkloadEndpointUpdate(WorkloadEndpointUpdate {
        id: pod("web"),
        endpoint: Some(WorkloadEndpoint {
            ipv4_nets: vec!["10.9.9.9/32".into()],
            profile_ids: vec!["kns.bank".into()],
            ..WorkloadEndpoint::default()
        }),
    });
    let (mut state, store) = in_sync();
    let mut say = |payload: Payload| {
        said(&mut state, payload).unwrap();
        store.take_from(&mut state);
        decided(&store, "192.0.2.1").0
    };
    use Verdict::{Allow, Deny};
    assert_eq!(say(with_profile), Deny, "as before, until the profile is there");
    assert_eq!(say(profile("allow")), Allow);
    assert_eq!(say(profile("deny")), Deny);
    assert_eq!(say(profile("allow")), Allow);
    assert_eq!(say(gone), Allow, "it stays while an endpoint names it");
    assert_eq!(say(endpoint_gone("web")), Deny);
    assert_eq!(state.held_back(), 0);
}

#[test]
fn what_is_not_understood_lets_nobody_in() {
    let (mut state, store) = in_sync();
    // A set with a member that is none is one of which nobody knows who is in it.
    assert_eq!(
        said(&mut state, delta("s", &["10.0.0.2", "web.example.com"], &["10.0.0.1"])).unwrap_err(),
        "s: a member of a set that is neither an address nor a range nor a port"
    );
    store.take_from(&mut state);
    assert_eq!(decided(&store, "10.0.0.1").0, Verdict::Deny);
    assert_eq!(decided(&store, "10.0.0.2").0, Verdict::Deny);
    said(&mut state, delta("s", &["10.0.0.3"], &[])).unwrap();
    store.take_from(&mut state);
    assert_eq!(decided(&store, "10.0.0.3").0, Verdict::Deny, "a change does not mend it");
    said(&mut state, set("s", &["10.0.0.3"])).unwrap();
    store.take_from(&mut state);
    assert_eq!(decided(&store, "10.0.0.3").0, Verdict::Allow, "all of it does");
    assert!(said(&mut state, set("s", &["10.0.0.3", "x"])).is_err());
    store.take_from(&mut state);
    assert_eq!(decided(&store, "10.0.0.3").0, Verdict::Deny);
    // Nonsense about nobody.
    assert_eq!(
        said(&mut state, delta("unknown", &["10.0.0.1"], &[])).unwrap_err(),
        "unknown: a change of a set that is not there"
    );
    assert!(said(&mut state, set("", &[])).is_err());
    assert!(said(&mut state, set(&"s".repeat(2000), &[])).unwrap_err().len() < 200);
    for empty in [
        Payload::ActivePolicyUpdate(ActivePolicyUpdate::default()),
        Payload::ActiveProfileUpdate(ActiveProfileUpdate::default()),
        Payload::ServiceAccountUpdate(ServiceAccountUpdate::default()),
        Payload::NamespaceUpdate(NamespaceUpdate::default()),
    ] {
        assert!(said(&mut state, empty).unwrap_err().contains("without a name"));
    }
    state.take(ToDataplane::default()).unwrap();
}

#[test]
fn beyond_a_limit_nobody_is_let_in_and_nothing_grows() {
    let limits = Limits {
        sets_max: 2,
        members_max: 3,
        policies_max: 2,
        rules_max: 2,
        endpoints_max: 1,
        accounts_max: 1,
        bytes_max: 1000,
        references_max: 4,
        ..Limits::default()
    };
    let mut state = State::new(limits);
    let store = Store::new(Feed::Growing);
    let fresh = [set("s", &["10.0.0.1"]), policy("p", "s"), endpoint("web", &["p"])];
    for payload in fresh.into_iter().chain([Payload::InSync(InSync {})]) {
        said(&mut state, payload).unwrap();
    }
    store.take_from(&mut state);
    assert_eq!(decided(&store, "10.0.0.1").0, Verdict::Allow);
    let mut refused = |payload: Payload| {
        let why = said(&mut state, payload).unwrap_err();
        store.take_from(&mut state);
        (why, decided(&store, "10.0.0.1").0)
    };
    let (why, verdict) = refused(endpoint("other", &["p"]));
    assert!(why.contains("bank/other: more endpoints") && verdict == Verdict::Allow, "{why}");
    let (why, _) = refused(set("t", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]));
    assert_eq!(why, "t: more members of sets than the limit");
    let (why, verdict) = refused(set("u", &[]));
    assert!(why == "u: more sets of addresses than the limit" && verdict == Verdict::Allow);
    let (why, verdict) = refused(delta("s", &["10.0.0.2", "10.0.0.3", "10.0.0.4"], &[]));
    assert!(
        why == "s: more members of sets than the limit" && verdict == Verdict::Deny,
        "who is in s is not known"
    );
    said(&mut state, set("s", &["10.0.0.1", "10.0.0.2", "10.0.0.3"])).unwrap();
    let many = messages::Policy {
        inbound_rules: vec![prost::Message::encode_to_vec(&messages::Rule::default()).into(); 3],
        ..messages::Policy::default()
    };
    let many = Payload::ActivePolicyUpdate(ActivePolicyUpdate { id: policy_id("p"), policy: Some(many) });
    assert_eq!(said(&mut state, many).unwrap_err(), "p: more rules than the limit");
    store.take_from(&mut state);
    assert_eq!(decided(&store, "10.0.0.1"), (Verdict::Deny, Reason::MissingPolicy));
    said(&mut state, policy("q", "s")).unwrap();
    assert_eq!(said(&mut state, policy("r", "s")).unwrap_err(), "r: more policies than the limit");
    for (name, fits) in [("a", true), ("a", true), ("b", false)] {
        let payload = Payload::NamespaceUpdate(NamespaceUpdate {
            id: Some(NamespaceId { name: name.into() }),
            ..NamespaceUpdate::default()
        });
        assert_eq!(said(&mut state, payload).is_ok(), fits, "{name}");
    }
    assert!(
        said(&mut state, endpoint("web", &["1", "2", "3", "4", "5"])).unwrap_err().contains("more names")
    );
}

/// The cost of a change must not depend on what else is there.
#[test]
fn a_change_of_a_large_set_costs_what_changes() {
    let mut state = State::new(Limits::default());
    let store = Store::new(Feed::Growing);
    let texts: Vec<String> =
        (0..256_000_u32).map(|n| std::net::Ipv4Addr::from(0x0a00_0000 + n).to_string()).collect();
    let mut parts = texts.chunks(82_200);
    let first: Vec<&str> = parts.next().unwrap().iter().map(String::as_str).collect();
    said(&mut state, set("large", &first)).unwrap();
    for part in parts {
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        said(&mut state, delta("large", &part, &[])).unwrap();
    }
    said(&mut state, policy("p", "large")).unwrap();
    said(&mut state, endpoint("web", &["p"])).unwrap();
    said(&mut state, set("small", &["192.0.2.1"])).unwrap();
    let began = std::time::Instant::now();
    said(&mut state, Payload::InSync(InSync {})).unwrap();
    store.take_from(&mut state);
    println!("in sync with {} members after {:?}", store.size().members, began.elapsed());
    let time = |state: &mut State, times: u32, payloads: &dyn Fn(u32) -> Vec<Payload>| {
        let began = std::time::Instant::now();
        for number in 0..times {
            for payload in payloads(number) {
                said(state, payload).unwrap();
                store.take_from(state);
            }
        }
        began.elapsed() / times
    };
    let in_large = time(&mut state, 2000, &|n| {
        let text = std::net::Ipv4Addr::from(0x0b00_0000 + n).to_string();
        vec![delta("large", &[&text], &[])]
    });
    let in_small = time(&mut state, 2000, &|n| {
        let text = std::net::Ipv4Addr::from(0x0c00_0000 + n).to_string();
        vec![delta("small", &[&text], &[])]
    });
    let come_and_go = time(&mut state, 2000, &|_| vec![set("brief", &["192.0.2.7"]), set_gone("brief")]);
    println!(
        "a change: {in_large:?} in a set of 256,000, {in_small:?} in one of 2,000; a set comes and goes: {come_and_go:?}"
    );
    assert_eq!(store.size().members, 260_001);
    // Two thousand looks at all members would take a second and more.
    for cost in [in_large, in_small, come_and_go] {
        assert!(cost < std::time::Duration::from_micros(400), "{cost:?}");
    }
}
