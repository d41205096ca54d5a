//! The index decides as the definition does, on sets of policies made by chance, whatever the order in which it heard of
//! them.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use palisade_policy::{
    Change, Claims, Compiler, Decision, Decisions, Direction, Feed, Flow, HttpHead, Icmp, Identity, Index,
    Judgement, Object, ObjectKey, Objects, Party, Patience, PlaintextPeers, Protocol, Reason, Request,
    TrustDomains, Verdict, WorkloadName, comparable_path, read_objects,
};
use proptest::prelude::*;
use serde_json::json;
use support::Vouched;

/// Choices out of a string of bytes; zero when it is used up.
struct Choices<'b>(std::slice::Iter<'b, u8>);

impl Choices<'_> {
    fn below(&mut self, bound: usize) -> usize {
        self.0.next().map_or(0, |byte| usize::from(*byte) % bound)
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    /// Once in so many times; never when the bytes are used up.
    fn rarely(&mut self, times: usize) -> bool {
        self.0.next().is_some_and(|byte| usize::from(*byte) % times == 1)
    }
}

const SELECTORS: [&str; 10] = [
    "app == 'a'",
    "app == 'b'",
    "has(app)",
    "!has(app)",
    "all()",
    "role in {'x', 'y'}",
    "app != 'a'",
    "projectcalico.org/serviceaccount == 'sa1'",
    "pcns.team == 't1' || role == 'x'",
    "projectcalico.org/namespace == 'n1'",
];
const NAMESPACES: [&str; 3] = ["n1", "n2", "n3"];
const ADDRESSES: [&str; 8] =
    ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.1.1", "10.0.1.2", "192.0.2.1", "fd00::1"];

/// One of the objects, as text and under a name of a few.
fn object(c: &mut Choices<'_>) -> String {
    match c.below(12) {
        0..=4 => policy(c),
        5 | 6 => pod(c),
        7 => format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {}, labels: {{team: {}}}}}\n",
            c.one(&NAMESPACES),
            c.one(&["t1", "t2"])
        ),
        8 => format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {}, namespace: {}, labels: {{role: {}}}}}\n",
            c.one(&["sa1", "sa2"]),
            c.one(&NAMESPACES),
            c.one(&["r1", "r2"])
        ),
        9 => format!(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {{name: set{}, labels: {{role: {}}}}}\nspec: {{nets: [{}, 10.0.1.0/24]}}\n",
            c.below(2),
            c.one(&["x", "z"]),
            c.one(&ADDRESSES)
        ),
        10 => format!(
            "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {{name: {}}}\nspec: {{order: {}, defaultAction: {}}}\n",
            c.one(&["first", "second"]),
            c.below(3),
            c.one(&["Deny", "Pass"])
        ),
        _ => match c.below(3) {
            0 => format!(
                "apiVersion: v1\nkind: Service\nmetadata: {{name: svc, namespace: n1}}\nspec: {{selector: {{app: {}}}, ports: [{{port: 80, targetPort: {}}}], clusterIP: \"{}\"}}\n",
                c.one(&["a", "b"]),
                c.one(&["80", "http"]),
                c.one(&["", "None", "10.0.1.1"])
            ),
            1 => format!(
                "apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {{name: host, labels: {{app: a}}}}\nspec: {{node: n, expectedIPs: [{}], profiles: [{}]}}\n",
                c.one(&ADDRESSES),
                c.one(&["prof", "none", "projectcalico-default-allow"])
            ),
            _ => format!(
                "apiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {{name: {}}}\nspec: {{labelsToApply: {{role: x}}, ingress: [{}]}}\n",
                c.one(&["prof", "kns.n1"]),
                rule(c)
            ),
        },
    }
}

fn pod(c: &mut Choices<'_>) -> String {
    let mut labels = String::new();
    if !c.rarely(4) {
        let _ = write!(labels, "app: {}", c.one(&["a", "b"]));
    }
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p{}, namespace: {}, labels: {{{labels}}}}}\nspec: {{serviceAccountName: {}, containers: [{{ports: [{{name: http, containerPort: {}}}]}}]}}\nstatus: {{podIP: \"{}\"}}\n",
        c.below(4),
        c.one(&NAMESPACES),
        c.one(&["sa1", "sa2"]),
        c.one(&["80", "81"]),
        c.one(&ADDRESSES)
    )
}

fn policy(c: &mut Choices<'_>) -> String {
    let global = c.below(2) == 0;
    let staged = c.rarely(5);
    let kind = match (staged, global) {
        (false, true) => "GlobalNetworkPolicy",
        (false, false) => "NetworkPolicy",
        (true, true) => "StagedGlobalNetworkPolicy",
        (true, false) => "StagedNetworkPolicy",
    };
    let mut out =
        format!("apiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: pol{}", c.below(4));
    if !global {
        let _ = write!(out, ", namespace: {}", c.one(&NAMESPACES));
    }
    out.push_str("}\nspec:\n");
    let _ = writeln!(out, "  selector: \"{}\"", c.one(&SELECTORS));
    if !c.rarely(3) {
        let _ = writeln!(out, "  order: {}", c.below(3));
    }
    let _ = writeln!(out, "  tier: {}", c.one(&["default", "first", "second", "absent"]));
    if staged {
        let _ = writeln!(out, "  stagedAction: {}", c.one(&["Set", "Delete", "Learn", "Ignore"]));
    }
    for side in ["ingress", "egress"] {
        let count = c.below(if side == "ingress" { 4 } else { 2 });
        if count > 0 {
            let _ = writeln!(out, "  {side}:");
            for _ in 0..count {
                let _ = writeln!(out, "  - {}", rule(c));
            }
        }
    }
    out
}

fn rule(c: &mut Choices<'_>) -> String {
    let action = c.one(&["Allow", "Deny", "Pass", "Log", "Allow"]);
    let mut parts = vec![format!("action: {action}")];
    let tcp = c.below(2) == 0;
    if tcp {
        parts.push("protocol: TCP".to_owned());
    } else if c.rarely(4) {
        parts.push("notProtocol: UDP".to_owned());
    }
    for end in ["source", "destination"] {
        let mut entity = Vec::new();
        match c.below(10) {
            0 | 1 => entity.push(format!("selector: \"{}\"", c.one(&SELECTORS))),
            2 => entity.push(format!("notSelector: \"{}\"", c.one(&SELECTORS))),
            3 => entity.push(format!("serviceAccounts: {{names: [{}]}}", c.one(&["sa1", "sa2"]))),
            4 => {
                entity.push(format!("serviceAccounts: {{selector: \"role == '{}'\"}}", c.one(&["r1", "r2"])))
            }
            5 => entity.push(format!(
                "namespaceSelector: \"{}\"",
                c.one(&["team == 't1'", "all()", "global()", "projectcalico.org/name == 'n2'", "!has(team)"])
            )),
            6 => entity.push(format!("nets: [{}, 10.0.1.0/24]", c.one(&ADDRESSES[..6]))),
            7 => entity.push(format!("notNets: [{}]", c.one(&ADDRESSES[..6]))),
            _ => {}
        }
        if tcp && c.rarely(4) {
            entity.push(format!(
                "{}: [{}]",
                c.one(&["ports", "notPorts"]),
                c.one(&["80", "http", "'79:80'"])
            ));
        }
        parts.push(format!("{end}: {{{}}}", entity.join(", ")));
    }
    if matches!(action, "Allow" | "Deny") && c.rarely(3) {
        parts.push(format!(
            "http: {{{}}}",
            c.one(&[
                "methods: [GET]",
                "paths: [{prefix: /a}]",
                "methods: [GET, PUT], paths: [{exact: /a/b}]",
                "hosts: [h]",
                "claims: [{claim: /in/groups, operator: In, values: [a, b]}]",
                "claims: [{claim: name, operator: NotIn, values: [x]}, {claim: name, operator: Exists}]"
            ])
        ));
    }
    format!("{{{}}}", parts.join(", "))
}

fn read_one(text: &str) -> (ObjectKey, Object) {
    let read = read_objects(text.as_bytes());
    let errors: Vec<_> = read.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    assert!(errors.is_empty(), "{text}\n{errors:#?}");
    read.objects.into_iter().next().unwrap_or_else(|| panic!("nothing in {text}"))
}

struct Asked {
    direction: Direction,
    source: Party,
    destination: Party,
    protocol: Protocol,
    http: Option<(&'static str, &'static str)>,
    claims: Option<Vouched>,
    patience: Patience,
}

fn asked(c: &mut Choices<'_>) -> Asked {
    let mut party = |may_be_named: bool| {
        let principal = match c.below(6) {
            0 | 1 => String::new(),
            2 => "nonsense".to_owned(),
            _ => format!("spiffe://cluster.local/ns/{}/sa/{}", c.one(&NAMESPACES), c.one(&["sa1", "sa2"])),
        };
        let here = if may_be_named { &ADDRESSES[..5] } else { &ADDRESSES[..] };
        let address: IpAddr = c.one(here).parse().unwrap();
        let named = may_be_named && c.rarely(6);
        let name =
            || WorkloadName { namespace: c.one(&NAMESPACES).into(), name: format!("p{}", c.below(4)).into() };
        Party {
            address: Some(address),
            port: Some(80),
            identity: Identity::of_principal(&principal, &TrustDomains::default()),
            workload: named.then(name),
        }
    };
    let (source, destination) = (party(false), party(true));
    Asked {
        direction: if c.rarely(3) { Direction::Egress } else { Direction::Ingress },
        source,
        destination,
        protocol: if c.rarely(5) { Protocol::UDP } else { Protocol::TCP },
        http: match c.below(5) {
            0 => None,
            1 => Some(("GET", "/a/b")),
            2 => Some(("PUT", "/a/%2e%2e/b")),
            3 => Some(("GET", "/x")),
            _ => Some(("PUT", "/a/b/")),
        },
        claims: match c.below(4) {
            0 => Some(json!({"in": {"groups": ["b", "c"]}, "name": "x"})),
            1 => Some(json!({"in": {"groups": "a"}, "name": "y"})),
            2 => Some(json!({"in": [], "groups": ["a"]})),
            _ => None,
        }
        .map(Vouched),
        patience: if c.below(2) == 0 { Patience::Waiting } else { Patience::Over },
    }
}

/// Asks both, and holds one to the other.
fn compare(
    objects: &Objects,
    index: &Index,
    asked: &Asked,
    judgement: &Judgement,
) -> Result<Decisions, TestCaseError> {
    let path = asked.http.and_then(|(_, path)| comparable_path(path.as_bytes()));
    let headers: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let request = match asked.http {
        None => Request::None,
        Some((method, _)) => Request::Head(HttpHead {
            method: method.as_bytes(),
            path: path.as_deref(),
            host: Some("h"),
            headers: &headers,
            claims: asked.claims.as_ref().map(|claims| claims as &dyn Claims),
        }),
    };
    let flow = Flow {
        direction: asked.direction,
        source: asked.source.clone(),
        destination: asked.destination.clone(),
        protocol: asked.protocol,
        icmp: None::<Icmp>,
        request,
        patience: asked.patience,
    };
    let defined = objects.evaluate(&flow, judgement);
    let indexed = index.evaluate(&flow, judgement);
    prop_assert_eq!(&indexed, &defined, "{:?}", flow);
    let miss = objects.near_miss(&flow, &defined.enforced, judgement);
    prop_assert_eq!(index.near_miss(&flow, &indexed.enforced, judgement), miss);
    // What is decided at accept holds for every request.
    let before = index.connection(&flow, judgement).enforced;
    if before.verdict != Verdict::NeedsHttp && asked.http.is_some() {
        // At accept more may hang on news: what the request would have ruled out.
        let before = Decision { awaits: defined.enforced.awaits, ..before };
        prop_assert_eq!(&before, &defined.enforced);
    }
    prop_assert!(defined.enforced.verdict != Verdict::NeedsHttp, "a request is there");
    // What is decided before the handshake holds whatever certificate comes, and whatever is asked then.
    let mut unseen = flow.clone();
    unseen.source.identity = Identity::Expected;
    let unseen = index.connection(&unseen, judgement);
    if unseen.enforced.verdict != Verdict::NeedsHttp
        && unseen.enforced.awaits.is_none()
        && asked.http.is_some()
    {
        let seen = (defined.enforced.verdict, defined.enforced.awaits);
        prop_assert_eq!((unseen.enforced.verdict, None), seen, "{:?}", flow);
    }
    Ok(defined)
}

fn judgement(c: &mut Choices<'_>) -> Judgement {
    let plaintext_peers = if c.below(2) == 0 { PlaintextPeers::Deny } else { PlaintextPeers::Address };
    Judgement {
        plaintext_peers,
        unusable_as_plaintext: c.rarely(4),
        http_ignored_elsewhere: c.rarely(4),
        ..Judgement::default()
    }
}

/// Updates of several rounds; the same at once; the definition.
fn holds(bytes: &[u8], seen: &mut BTreeMap<&'static str, usize>) -> Result<(), TestCaseError> {
    let mut c = Choices(bytes.iter());
    let feed = if c.below(2) == 0 { Feed::Complete } else { Feed::Growing };
    let judgement = judgement(&mut c);
    let mut compiler = Compiler::fed(feed);
    let mut index = Index::new(feed);
    let mut there: BTreeMap<ObjectKey, Object> = BTreeMap::new();
    for round in 0..4 {
        let mut changes: Vec<Change> = Vec::new();
        for number in 0..if round == 0 { 4 } else { 0 } {
            let bytes = [2, number, number, number, 0, 0, number];
            let mut c = Choices(bytes.iter());
            let (key, object) = read_one(&pod(&mut c));
            there.insert(key.clone(), object.clone());
            changes.push((key, Some(object)));
        }
        for _ in 0..c.below(if round == 0 { 16 } else { 6 }) {
            let (key, object) = read_one(&object(&mut c));
            let gone = round > 0 && c.rarely(3);
            let key = if gone {
                there.keys().nth(c.below(there.len().max(1))).cloned().unwrap_or(key)
            } else {
                key
            };
            let change = (!gone).then_some(object);
            match &change {
                Some(object) => there.insert(key.clone(), object.clone()),
                None => there.remove(&key),
            };
            changes.push((key, change));
        }
        index.apply(compiler.apply(changes));
        // Everything anew, in the order of names.
        let mut fresh = Compiler::fed(feed);
        let mut at_once = Index::new(feed);
        at_once.apply(fresh.apply(there.iter().map(|(key, object)| (key.clone(), Some(object.clone())))));
        for _ in 0..6 {
            let asked = asked(&mut c);
            let decided = compare(compiler.objects(), &index, &asked, &judgement)?;
            count(&decided, seen);
            compare(fresh.objects(), &at_once, &asked, &judgement)?;
        }
        prop_assert_eq!(index.size(), at_once.size(), "nothing is left behind");
    }
    Ok(())
}

fn count(decided: &Decisions, seen: &mut BTreeMap<&'static str, usize>) {
    let decision = &decided.enforced;
    let mut note = |what| *seen.entry(what).or_default() += 1;
    note(match (decision.verdict, decision.reason) {
        (Verdict::Allow, _) if decision.decisive().is_some_and(|stop| &*stop.tier == "__PROFILE__") => {
            "profile allows"
        }
        (Verdict::Allow, _) => "rule allows",
        (_, Reason::Rule) => "rule denies",
        (_, Reason::Undecided(..)) => "undecided",
        (_, Reason::TierDefault) => "tier's end",
        (_, Reason::UnknownWorkload) => "unknown workload",
        (_, Reason::NoProfileMatched) => "no profile",
        (_, Reason::MissingPolicy) => "missing",
        _ => "other",
    });
    if decision.trace.len() > 1 {
        note("several stops");
    }
    if decision.awaits.is_some() {
        note("awaits");
    }
    if decided.pending.as_ref().is_some_and(|pending| pending.verdict != decision.verdict) {
        note("staged differs");
    }
}

/// Chance finds its way to every kind of decision, or the property above would say little.
#[test]
fn chance_reaches_every_kind_of_decision() {
    let mut seen = BTreeMap::new();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..400 {
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .take(800)
        .collect();
        holds(&bytes, &mut seen).unwrap_or_else(|error| panic!("{error}"));
    }
    println!("{seen:?}");
    for kind in [
        "profile allows",
        "rule allows",
        "rule denies",
        "undecided",
        "tier's end",
        "unknown workload",
        "several stops",
        "awaits",
        "staged differs",
        "no profile",
        "missing",
    ] {
        assert!(seen.get(kind).copied().unwrap_or_default() >= 5, "{kind} in {seen:?}");
    }
}

/// A world in which a profile is missing behind a rule that only a certificate could decide: nothing was to be refused
/// before the handshake.
const MISSING_BEHIND_DOUBT: &str = "\
    070000002b84023e0200e8fd65222c6e00021e37026202a112000d3400000005160000000000004122000142000000e0 \
    000000d81e072b027635aa042c8a3a0a002185353ed69834050043022d327a209e847e740000160000973e410000004e \
    360d00083091001367004400003e070c1d00000000000c5c3e18014f002a09000000128a2a1dd98a0000566c6d000013 \
    18020a00268022028e06002b00017e000000640000747dbdbb00f86c40005000000063000000000000000000000f0000 \
    000300000000000000000f00000039000000000000000003000000630000000000000000210000000600800000000006 \
    003900000008000000003ffb78000000a900235854361d0c537a0000000800009d1b2f0000003c0008c70f5a7a424526 \
    290701860000000000000000000000000000000000000000000000000000000000000000000000000000000000000000 \
    0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn worlds_that_once_were_judged_differently_are_not() {
    let digits: Vec<u8> = MISSING_BEHIND_DOUBT.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
    holds(&bytes, &mut BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_index_decides_as_the_definition_whatever_the_order_of_changes(bytes in proptest::collection::vec(any::<u8>(), 0..900)) {
        holds(&bytes, &mut BTreeMap::new())?;
    }
}
