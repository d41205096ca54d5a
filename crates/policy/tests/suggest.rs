//! What is suggested allows what it was learned from, is a policy that can be read, and refuses the rest.

use std::net::IpAddr;

use palisade_model::{KnownBy, Workload};
use palisade_policy::{
    Compiler, Decision, Direction, Feed, Flow, HttpHead, Identity, Index, Judgement, Learner, Objects,
    Observation, Party, Patience, Protocol, Request, SuggestOptions, Suggestion, Unlearned, comparable_path,
    read_objects, suggested_workload,
};
use proptest::prelude::*;

/// A request, owned.
#[derive(Clone, Debug)]
struct Seen {
    asked: &'static str,
    port: u16,
    /// Its service account, where its certificate told it.
    source: Option<String>,
    address: IpAddr,
    method: String,
    path: Vec<u8>,
}

fn workload(account: &str, known_by: KnownBy) -> Workload {
    Workload { namespace: "bank".into(), name: None, service_account: Some(account.into()), known_by }
}

impl Seen {
    fn learn(&self, learner: &mut Learner) -> Result<(), Unlearned> {
        let source = self.source.as_deref().map(|account| workload(account, KnownBy::Certificate));
        learner.learn(&Observation {
            asked: &workload(self.asked, KnownBy::Configuration),
            port: self.port,
            application: Some("127.0.0.1:3000".parse().unwrap()),
            source: source.as_ref(),
            address: Some(self.address),
            method: &self.method,
            path: &self.path,
            requests: 1,
        })
    }

    fn judged(&self, index: &Index) -> Decision {
        let path = comparable_path(&self.path);
        let headers: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let identity = match &self.source {
            Some(name) => Identity::ServiceAccount { namespace: "bank".into(), name: name.as_str().into() },
            None => Identity::Plain,
        };
        let flow = Flow {
            direction: Direction::Ingress,
            source: Party { address: Some(self.address), port: Some(4711), identity, workload: None },
            destination: Party {
                address: Some("10.9.9.9".parse().unwrap()),
                port: Some(self.port),
                identity: Identity::Plain,
                workload: Some(suggested_workload("bank", self.asked)),
            },
            protocol: Protocol::TCP,
            icmp: None,
            request: Request::Head(HttpHead {
                method: self.method.as_bytes(),
                path: path.as_deref(),
                host: None,
                headers: &headers,
                claims: None,
            }),
            patience: Patience::Over,
        };
        index.request(&flow, &Judgement::default())
    }
}

/// The policies in force, beside the workloads that they assume.
fn index_of(suggestion: &Suggestion) -> Index {
    let read = read_objects(suggestion.yaml.as_bytes());
    assert!(read.diagnostics.is_empty(), "{}\n{:#?}", suggestion.yaml, read.diagnostics);
    assert_eq!(read.ignored, 0);
    let mut index = Index::new(Feed::Complete);
    let all = suggestion.assumed.iter().cloned().chain(read.objects);
    index.apply(Compiler::new().apply(all.map(|(key, object)| (key, Some(object))).collect::<Vec<_>>()));
    index
}

fn labelled() -> SuggestOptions {
    SuggestOptions { labels: [("app", "it's")].into_iter().collect(), ..SuggestOptions::default() }
}

fn seen() -> impl Strategy<Value = Seen> {
    let segment = prop_oneof![
        4 => "[a-c]{1,2}",
        2 => "[0-9]{1,6}",
        1 => "[ -~]{0,6}",
        1 => "(%[0-9a-fA-F]{2}){1,3}",
        1 => "[äß😀\u{1}:'\"{}*&?#;\\\\%]{1,4}",
    ];
    let path = proptest::collection::vec(segment, 0..5)
        .prop_map(|parts| format!("/{}", parts.join("/")).into_bytes());
    let asked = prop_oneof![Just("summary"), Just("database")];
    let source = proptest::option::of(prop_oneof![
        Just("customer".to_owned()),
        Just("123".to_owned()),
        Just("no".to_owned()),
        "[a-z]{1}"
    ]);
    let method =
        prop_oneof![Just("GET".to_owned()), Just("PUT".to_owned()), Just("NO".to_owned()), "[A-Z!#']{1,3}"];
    (asked, 8080..8083_u16, source, 0..300_u32, method, path).prop_map(
        |(asked, port, source, host, method, path)| {
            // Every account at an address of its own, or one would be taken for another.
            let third = source
                .as_ref()
                .map_or(0, |name| name.bytes().fold(1, |sum: u8, byte| sum.wrapping_add(byte)));
            let address = IpAddr::from([10, (host % 3) as u8, third, (host % 100) as u8]);
            Seen { asked, port, source, address, method, path }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_was_learned_is_allowed_and_what_nobody_asked_is_not(all in proptest::collection::vec(seen(), 1..120)) {
        for options in [SuggestOptions::default(), labelled(), SuggestOptions { staged: false, workloads: true, ..labelled() }] {
            let mut learner = Learner::new(&options);
            let learned: Vec<&Seen> = all.iter().filter(|seen| seen.learn(&mut learner).is_ok()).collect();
            let suggestion = learner.suggest(&Objects::default(), &options);
            let index = index_of(&suggestion);
            for seen in &learned {
                let decision = seen.judged(&index);
                prop_assert!(decision.is_allowed(), "{seen:?}: {decision:?}\n{}", suggestion.yaml);
                for other in [
                    Seen { method: "UNSEEN".to_owned(), ..(*seen).clone() },
                    Seen { port: 9999, ..(*seen).clone() },
                    Seen { source: Some("nobody".to_owned()), address: "192.0.2.1".parse().unwrap(), ..(*seen).clone() },
                ] {
                    prop_assert!(!other.judged(&index).is_allowed(), "{other:?}\n{}", suggestion.yaml);
                }
            }
        }
    }
}

fn get(source: Option<&str>, address: &str, path: &str) -> Seen {
    Seen {
        asked: "summary",
        port: 8443,
        source: source.map(str::to_owned),
        address: address.parse().unwrap(),
        method: "GET".to_owned(),
        path: path.as_bytes().to_vec(),
    }
}

#[test]
fn a_suggestion_reads_like_a_policy() {
    let options = SuggestOptions { labels: [("app", "summary")].into_iter().collect(), ..Default::default() };
    let mut learner = Learner::new(&options);
    for account in ["customer", "teller"] {
        for number in 519_940..519_950 {
            get(Some(account), "10.0.0.1", &format!("/accounts/{number}")).learn(&mut learner).unwrap();
        }
    }
    get(None, "10.0.0.9", "/health").learn(&mut learner).unwrap();
    let suggestion = learner.suggest(&Objects::default(), &options);
    assert_eq!(
        suggestion.yaml,
        "\
# summary, as seen in 21 requests: who may ask for what. The last rule refuses the rest, also where a policy
# without `http` would let it through.
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: palisade-summary, namespace: bank}
spec:
  order: 900
  selector: 'app == \"summary\"'
  serviceAccountSelector: 'projectcalico.org/name == ''summary'''
  types: [Ingress]
  ingress:
  - action: Allow
    protocol: TCP
    source: {nets: ['10.0.0.9/32']}
    destination: {ports: [8443]}
    http:
      methods: [GET]
      paths:
      - exact: '/health'
  - action: Allow
    protocol: TCP
    source:
      serviceAccounts: {names: [customer, teller]}
    destination: {ports: [8443]}
    http:
      methods: [GET]
      paths:
      - prefix: '/accounts'
  - {action: Deny, protocol: TCP, destination: {ports: [8443]}}
---
# The network's part: nobody else gets as far as Palisade, and no other port is open, the application's own
# (3000) among them: behind Palisade is no way around it.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: palisade-summary, namespace: bank}
spec:
  podSelector: {matchLabels: {app: summary}}
  policyTypes: [Ingress]
  ingress:
  - ports: [{protocol: TCP, port: 8443}]
    from:
    - {ipBlock: {cidr: '10.0.0.9/32'}}
    - {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bank}}}
"
    );
    let notes = suggestion.notes.join("\n");
    for part in [
        "bank/summary: 2 rules of 21 requests learned from",
        "bank/summary: 1 request at port 8443 came without a workload's certificate: their addresses may ask the same",
        "bank/summary: certificates of bank/customer, bank/teller came from addresses that no workload is known to have",
    ] {
        assert!(notes.contains(part), "{part} in {notes}");
    }
}

#[test]
fn many_addresses_become_ranges_and_then_anybody() {
    let options = SuggestOptions::default();
    for (addresses, expected) in [
        ((0..64).map(|n| format!("10.0.0.{n}")).collect::<Vec<_>>(), "nets: ['10.0.0.0/32', '10.0.0.1/32'"),
        ((0..200).map(|n| format!("10.0.0.{n}")).collect(), "nets: ['10.0.0.0/24']"),
        ((0..200).map(|n| format!("10.0.{n}.1")).collect(), "nets: ['10.0.0.0/16']"),
        ((0..200).map(|n| format!("10.{n}.0.1")).collect(), "    destination: {ports: [8443]}"),
        (
            (0..2_000).map(|n| format!("10.0.{}.{}", n / 250, n % 250)).collect(),
            "    destination: {ports: [8443]}",
        ),
    ] {
        let mut learner = Learner::new(&options);
        for address in &addresses {
            get(None, address, "/").learn(&mut learner).unwrap();
        }
        let suggestion = learner.suggest(&Objects::default(), &options);
        assert!(suggestion.yaml.contains(expected), "{}", suggestion.yaml);
        let anybody = expected.starts_with("    dest");
        assert_eq!(suggestion.yaml.contains("nets:"), !anybody);
        assert_eq!(suggestion.notes.iter().any(|note| note.contains("anybody may ask the same")), anybody);
    }
}

#[test]
fn what_is_kept_is_bounded_whatever_comes() {
    let options = SuggestOptions::default();
    let mut learner = Learner::new(&options);
    let mut refused = 0;
    for number in 0..60_000_u32 {
        let seen = Seen {
            asked: "summary",
            port: (number % 40) as u16,
            source: (number % 2 == 0).then(|| format!("a{}", number % 1_500)),
            address: IpAddr::from(number.to_be_bytes()),
            method: format!("M{}", number % 30),
            path: format!("/{}/{}/{}", number % 90, number % 70, number).into_bytes(),
        };
        refused += u32::from(seen.learn(&mut learner).is_err());
    }
    assert!((1..60_000).contains(&refused), "{refused}");
    let suggestion = learner.suggest(&Objects::default(), &options);
    let read = read_objects(suggestion.yaml.as_bytes());
    assert!(read.diagnostics.is_empty(), "{:#?}", read.diagnostics.first());
    for (path, method, why) in [
        ("/a/%2e%2e/b", "GET", Unlearned::Path),
        ("/", "G T", Unlearned::Method),
        ("/", "*", Unlearned::Method),
    ] {
        let seen = Seen { method: method.to_owned(), ..get(None, "10.0.0.1", path) };
        assert_eq!(seen.learn(&mut Learner::new(&options)), Err(why));
    }
    let mut named = get(Some("A'"), "10.0.0.1", "/");
    assert_eq!(named.learn(&mut learner), Err(Unlearned::Name));
    named.source = None;
    assert_eq!(named.learn(&mut Learner::new(&options)), Ok(()));
}
