//! A rollout in a cluster whose news lag behind its traffic: nobody who may is refused, nobody who may not is let in.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use palisade_policy::{
    Change, Direction, Feed, Flow, Identity, Judgement, News, Party, Patience, Protocol, Request, Source,
    Store, TrustDomains, Verdict, read_objects,
};

/// Time in milliseconds.
type Millis = u64;

/// A caller waits this long for news.
const PATIENCE: Millis = 2_000;

/// News on their way: each arrives at its time.
#[derive(Default)]
struct Lagging {
    now: Millis,
    under_way: VecDeque<(Millis, Change)>,
}

impl Source for Lagging {
    fn news(&mut self) -> Option<News> {
        let arrived = self.under_way.front().is_some_and(|(at, _)| *at <= self.now);
        let (_, change) = arrived.then(|| self.under_way.pop_front())??;
        Some(News::Objects(vec![change]))
    }
}

fn pod(name: &str, account: &str, address: IpAddr) -> Change {
    let text = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {account}}}}}\nspec: {{serviceAccountName: {account}}}\nstatus: {{podIP: {address}}}\n"
    );
    let (key, object) = read_objects(text.as_bytes()).objects.remove(0);
    (key, Some(object))
}

/// What a caller does that may wait: it asks again when news came, and at the end without patience.
fn decide(store: &Store, source: &mut Lagging, address: IpAddr, account: &str) -> (Verdict, Millis) {
    let began = source.now;
    let mut flow = Flow {
        direction: Direction::Ingress,
        source: Party {
            address: Some(address),
            port: Some(40_000),
            identity: Identity::of_principal(
                &format!("spiffe://cluster.local/ns/shop/sa/{account}"),
                &TrustDomains::default(),
            ),
            workload: None,
        },
        destination: Party { address: Some("10.9.9.9".parse().unwrap()), port: Some(80), ..Party::default() },
        protocol: Protocol::TCP,
        icmp: None,
        request: Request::None,
        patience: Patience::Waiting,
    };
    loop {
        store.take_from(source);
        let (decisions, _) = store.evaluate(&flow, &Judgement::default());
        if decisions.enforced.awaits.is_none() {
            return (decisions.enforced.verdict, source.now - began);
        }
        assert_eq!(decisions.enforced.verdict, Verdict::Deny, "nobody is let in while it is not known");
        source.now += 50;
        if source.now - began >= PATIENCE {
            flow.patience = Patience::Over;
        }
    }
}

#[test]
fn a_thousand_replacements_refuse_nobody_and_let_nobody_in() {
    let store = Store::new(Feed::Growing);
    let mut source = Lagging::default();
    let rules = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: database}\nspec:\n  selector: app == 'database'\n  ingress:\n  - {action: Deny, source: {selector: app == 'attack'}}\n  - {action: Allow, source: {serviceAccounts: {names: [web]}}}\n";
    let mut first: Vec<Change> =
        read_objects(rules.as_bytes()).objects.into_iter().map(|(key, object)| (key, Some(object))).collect();
    first.push(pod("database", "database", "10.9.9.9".parse().unwrap()));
    store.take(News::Objects(first));

    let address = |number: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number));
    let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: u64| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance % bound
    };
    let (mut held, mut reused, mut longest) = (0, 0, 0);
    let mut running: VecDeque<(String, u32)> = VecDeque::new();
    for number in 0..1_000_u32 {
        // A new pod; now and then it has the address of one that has just gone, of web or of attack.
        let account = if below(4) == 0 { "attack" } else { "web" };
        let name = format!("{account}-{number}");
        let at = match running.len() {
            8.. if below(3) == 0 => {
                let (gone, at) = running.pop_front().unwrap();
                let (key, _) = pod(&gone, "web", address(at));
                let lag = below(1_500);
                source.under_way.push_back((source.now + lag, (key, None)));
                reused += 1;
                at
            }
            _ => number,
        };
        let lag = below(1_900);
        let last = source.under_way.back().map_or(0, |(at, _)| *at);
        source.under_way.push_back(((source.now + lag).max(last), pod(&name, account, address(at))));
        running.push_back((name, at));
        // It calls at once, before anybody has heard of it.
        let (verdict, waited) = decide(&store, &mut source, address(at), account);
        let expected = if account == "web" { Verdict::Allow } else { Verdict::Deny };
        assert_eq!(verdict, expected, "{account} at {} after {waited} ms", address(at));
        held += usize::from(waited > 0);
        longest = longest.max(waited);
        // Somebody with web's key calls from an address that is nobody's, and from attack's.
        if number % 10 == 0 {
            assert_eq!(decide(&store, &mut source, "192.0.2.1".parse().unwrap(), "web").0, Verdict::Deny);
            if account == "attack" {
                assert_eq!(decide(&store, &mut source, address(at), "web").0, Verdict::Deny, "a stolen key");
            }
        }
        source.now += below(100);
    }
    println!(
        "{held} were held, {reused} had an address that was used before, the longest wait was {longest} ms"
    );
    assert!(held > 300 && reused > 100 && longest < PATIENCE);
}

#[test]
fn a_store_denies_until_it_is_fed_and_swaps_what_comes_anew() {
    let store = Store::new(Feed::Growing);
    let mut source = Lagging::default();
    assert_eq!(decide(&store, &mut source, "10.0.0.1".parse().unwrap(), "web").0, Verdict::Deny);
    assert_eq!(store.size().endpoints, 0);
    store.take(News::Objects(vec![pod("database", "database", "10.9.9.9".parse().unwrap())]));
    assert_eq!(
        decide(&store, &mut source, "10.0.0.1".parse().unwrap(), "web").0,
        Verdict::Allow,
        "no policy selects it"
    );
    store.take(News::Anew(Vec::new()));
    assert_eq!(
        decide(&store, &mut source, "10.0.0.1".parse().unwrap(), "web").0,
        Verdict::Deny,
        "not complete"
    );
}
