//! A peer that policies do not know yet: who waits, for how long, and what decides then.

use std::future::Future as _;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use palisade_http::RequestHead;
use palisade_inspect::{
    Answered, Cause, Clock, Detail, Direction, Gate, Inspection, Peer, Profile, Service, Standing, Step,
    UnixMillis, Waits,
};
use palisade_model::{Mode, Verdict};
use palisade_policy::{
    Action, CompiledPolicy, DefaultAction, Endpoint, EndpointId, EndpointKind, EndpointTier, Feed, Judgement,
    Member, Net, News, PlaintextPeers, PolicyId, PolicyKind, PolicyRef, Rule, Sets, Store, Update,
};

const WAIT: Duration = Duration::from_secs(2);

/// A rule about who is in a set.
fn rule(action: Action, set: &str) -> Rule<Sets> {
    let mut rule = Rule::new(action);
    let who: &mut Sets = &mut rule.source.who;
    who.all = [set.into()].into();
    rule
}

fn change(set: &str, added: &[&str]) -> Update {
    let added = added.iter().map(|address| Member::Net(Net::of(address.parse().unwrap()))).collect();
    Update::SetDelta { name: set.into(), added, removed: vec![] }
}

/// A service whose only workload has these rules, in a store that an agent feeds.
fn guarded(rules: Vec<Rule<Sets>>, feed: Feed, waits: Waits) -> (Arc<Service>, Arc<Store>) {
    let named = PolicyRef {
        id: Arc::new(PolicyId { name: "p".into(), namespace: "".into(), kind: PolicyKind::Global }),
        staged: false,
    };
    let tier = EndpointTier {
        name: "default".into(),
        default_action: DefaultAction::Deny,
        ingress: [named.clone()].into(),
        egress: [].into(),
    };
    let id = EndpointId { kind: EndpointKind::Pod, namespace: "bank".into(), name: "web".into() };
    let store = Arc::new(Store::new(feed));
    store.take(News::Anew(vec![
        Update::Set("good".into(), vec![]),
        Update::Set("bad".into(), vec![]),
        Update::Policy(named, CompiledPolicy { ingress: rules, egress: vec![] }),
        Update::Endpoint(id, Endpoint { tiers: vec![tier], ..Endpoint::default() }),
        Update::InSync,
    ]));
    let judgement = Judgement { plaintext_peers: PlaintextPeers::Address, ..Judgement::default() };
    let gate = Gate::new(store.clone(), judgement, None, Direction::Ingress).fed_by_cluster(waits);
    (Service::new("web", Profile::new(Mode::Block, None)).behind(Some(gate)), store)
}

fn waits() -> Waits {
    Waits { at_most: WAIT, of_one_workload: true }
}

fn at(millis: u64) -> Clock {
    Clock { now: UnixMillis(1_000_000 + millis), utc_offset_seconds: 0, monotonic_micros: millis * 1000 }
}

fn ask(service: &Arc<Service>, from: &str, clock: Clock) -> (Inspection, Step) {
    let peer_addr = SocketAddr::new(from.parse().unwrap(), 40_000);
    let peer = Peer {
        peer_addr,
        client_addr: peer_addr,
        server_addr: "10.9.9.9:80".parse().unwrap(),
        identity: None,
        authenticated: None,
        refused: Vec::new(),
        admission: None,
        towards: None,
        secured: None,
        request_id: "r1".into(),
    };
    let head = RequestHead {
        line: b"GET / HTTP/1.1".to_vec(),
        method: b"GET".to_vec(),
        target: "/".into(),
        version: b"HTTP/1.1".to_vec(),
        ..RequestHead::default()
    };
    Inspection::begin(peer, head, service, Standing::of(service), Detail::Normal, clock)
}

fn is_refused(step: &Step) -> bool {
    let Step::Outcome(outcome) = step else { return false };
    assert_eq!((&outcome.verdict, outcome.cause), (&Verdict::Deny { status: 403 }, Cause::Policy));
    true
}

#[test]
fn a_peer_waits_until_there_are_news_of_it() {
    let (service, store) = guarded(vec![rule(Action::Allow, "good")], Feed::Compiled, waits());
    let (mut inspection, step) = ask(&service, "10.0.0.1", at(0));
    assert_eq!(step, Step::Await { at_most: WAIT });
    assert!(inspection.policy().is_none(), "nothing is decided");
    let mut news = inspection.take_news().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut news).poll(&mut cx).is_pending());
    assert_eq!(store.waiting_now().waiting, 1);
    store.take(News::Updates(vec![change("good", &["10.0.0.2"])]));
    assert!(Pin::new(&mut news).poll(&mut cx).is_pending(), "news of somebody else");
    // It is in another set first: known, but not as one of these yet.
    store.take(News::Updates(vec![change("bad", &["10.0.0.1"])]));
    assert!(Pin::new(&mut news).poll(&mut cx).is_ready());
    drop(news);
    let step = inspection.resume(Answered::Continue, at(500));
    assert_eq!(step, Step::Await { at_most: Duration::from_millis(1500) }, "the rest of the time");
    let mut news = inspection.take_news().unwrap();
    store.take(News::Updates(vec![change("good", &["10.0.0.1"])]));
    assert!(Pin::new(&mut news).poll(&mut cx).is_ready());
    drop(news);
    assert!(matches!(inspection.resume(Answered::Continue, at(600)), Step::More(_)));
    assert!(inspection.policy().unwrap().is_allowed());
    assert_eq!(store.waiting_now().waiting, 0);
    // Whom a set has is let in at once.
    assert!(matches!(ask(&service, "10.0.0.2", at(700)).1, Step::More(_)));
}

#[test]
fn who_was_waited_for_in_vain_is_refused() {
    let (service, store) = guarded(vec![rule(Action::Allow, "good")], Feed::Compiled, waits());
    for millis in [0, 10_000] {
        let (mut inspection, step) = ask(&service, "10.0.0.1", at(millis));
        assert!(matches!(step, Step::Await { .. }), "he may be new each time");
        assert!(is_refused(&inspection.resume(Answered::Continue, at(millis + 2000))));
        drop(inspection);
        assert_eq!(store.waiting_now().waiting, 0);
    }
}

#[test]
fn a_deny_rule_does_not_hold_up_who_is_known_and_others_once() {
    let rules = vec![rule(Action::Deny, "bad"), Rule::new(Action::Allow)];
    let (service, store) = guarded(rules, Feed::Compiled, waits());
    store.take(News::Updates(vec![change("good", &["10.0.0.1"]), change("bad", &["10.0.0.2"])]));
    assert!(matches!(ask(&service, "10.0.0.1", at(0)).1, Step::More(_)), "known, and not as bad");
    assert!(is_refused(&ask(&service, "10.0.0.2", at(0)).1), "known as bad");
    let (mut inspection, step) = ask(&service, "192.0.2.7", at(0));
    assert!(matches!(step, Step::Await { .. }), "he may be bad");
    assert!(matches!(inspection.resume(Answered::Continue, at(2000)), Step::More(_)));
    assert!(matches!(ask(&service, "192.0.2.7", at(3000)).1, Step::More(_)), "nobody will tell of him");
    assert!(
        matches!(ask(&service, "192.0.2.7", at(70_000)).1, Step::Await { .. }),
        "not remembered for ever"
    );
    store.take(News::Updates(vec![change("bad", &["192.0.2.7"])]));
    assert!(is_refused(&ask(&service, "192.0.2.7", at(3000)).1));
}

#[test]
fn with_files_or_without_patience_nobody_waits() {
    let allow = || vec![rule(Action::Allow, "good")];
    let (service, _) = guarded(allow(), Feed::Complete, waits());
    // Of one workload only a cluster speaks; by its address it is not known.
    assert!(is_refused(&ask(&service, "10.0.0.1", at(0)).1));
    let none = Waits { at_most: Duration::ZERO, ..waits() };
    let (service, _) = guarded(allow(), Feed::Compiled, none);
    assert!(is_refused(&ask(&service, "10.0.0.1", at(0)).1));
}

#[test]
fn who_finds_no_place_is_decided_about_at_once() {
    let (service, store) = guarded(vec![rule(Action::Allow, "good")], Feed::Compiled, waits());
    let mut held = Vec::new();
    for _ in 0..palisade_policy::WAITING_OF_ADDRESS_MAX {
        let (inspection, step) = ask(&service, "10.0.0.1", at(0));
        assert!(matches!(step, Step::Await { .. }));
        held.push(inspection);
    }
    assert!(is_refused(&ask(&service, "10.0.0.1", at(0)).1));
    assert_eq!(store.waiting_now().refused, 1);
    assert!(matches!(ask(&service, "10.0.0.2", at(0)).1, Step::Await { .. }), "others have theirs");
    held.pop();
    assert!(matches!(ask(&service, "10.0.0.1", at(0)).1, Step::Await { .. }));
}
