//! What a decision costs at the size of a large cluster: `bench/policy/run` runs this, and keeps what it prints.
//!
//! The size is that of a report to Calico (projectcalico/calico#13265): 294 policies of 68 rules that all select one
//! endpoint, 3,708 sets with 256,000 members, one of them with 54,566. What the rules ask is made by chance, the same
//! every time: most ask for the source by a set, some by ranges, some for a port or a path alone.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use palisade_policy::{
    Action, CompiledPolicy, DefaultAction, Direction, Endpoint, EndpointId, EndpointKind, EndpointTier,
    Entity, Feed, Flow, HttpHead, HttpMatch, Identity, Index, Judgement, Member, Net, Party, PathMatch,
    Patience, PlaintextPeers, PolicyId, PolicyKind, PolicyRef, Protocol, Request, Rule, SetName, Sets,
    Update, Verdict,
};

const POLICIES: usize = 294;
const RULES: usize = 68;
const SETS: usize = 3_708;
const MEMBERS: usize = 256_000;
const LARGEST: usize = 54_566;
const DECISIONS: usize = 50_000;

fn main() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let before = resident_kib();
    let began = Instant::now();
    let mut index = Index::new(Feed::Complete);
    index.apply(updates(&mut chance));
    let loaded = began.elapsed();
    let after = resident_kib();
    let size = index.size();
    println!("{{");
    println!(
        "  \"policies\": {}, \"rules\": {}, \"sets\": {}, \"members\": {},",
        size.policies, size.rules, size.sets, size.members
    );
    println!(
        "  \"load_ms\": {}, \"memory_kib\": {}, \"layout_bytes\": {},",
        loaded.as_millis(),
        after.saturating_sub(before),
        size.programs_bytes
    );
    for (name, who) in
        [("member", Who::Member), ("member_of_largest", Who::OfLargest), ("stranger", Who::Stranger)]
    {
        measure(&index, name, who, &mut chance);
    }
    measure_updates(&mut index, &mut chance);
    println!("}}");
}

#[derive(Clone, Copy)]
enum Who {
    Member,
    OfLargest,
    Stranger,
}

fn measure(index: &Index, name: &str, who: Who, chance: &mut Chance) {
    let judgement = Judgement { plaintext_peers: PlaintextPeers::Address, ..Judgement::default() };
    let headers: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut took: Vec<u64> = Vec::with_capacity(DECISIONS);
    let mut explained: Vec<u64> = Vec::new();
    let mut allowed = 0;
    for _ in 0..DECISIONS {
        let source = match who {
            Who::Member => member(LARGEST + chance.below(MEMBERS - LARGEST)),
            Who::OfLargest => member(chance.below(LARGEST)),
            Who::Stranger => Ipv4Addr::from_bits(0xc000_0200 + chance.below(256) as u32),
        };
        let path = format!("/api/v{}/x", chance.below(40));
        let flow = Flow {
            direction: Direction::Ingress,
            source: party(source, 40_000),
            destination: party(PROTECTED, 8_080),
            protocol: Protocol::TCP,
            icmp: None,
            request: Request::Head(HttpHead {
                method: b"GET",
                path: Some(path.as_bytes()),
                host: Some("shop.example"),
                headers: &headers,
                claims: None,
            }),
            patience: Patience::Over,
        };
        let began = Instant::now();
        let decision = index.request(&flow, &judgement);
        took.push(began.elapsed().as_nanos() as u64);
        allowed += usize::from(decision.verdict == Verdict::Allow);
        if decision.verdict == Verdict::Deny && explained.len() < DECISIONS / 100 {
            let began = Instant::now();
            std::hint::black_box(index.near_miss(&flow, &decision, &judgement));
            explained.push(began.elapsed().as_nanos() as u64);
        }
    }
    took.sort_unstable();
    explained.sort_unstable();
    let near_miss = explained.get(explained.len() / 2).copied().unwrap_or_default();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!(
        "  \"{name}\": {{\"decisions\": {DECISIONS}, \"allowed\": {allowed}, \"ns_median\": {}, \"ns_p99\": {}, \"ns_p999\": {}, \"near_miss_ns_median\": {near_miss}}},",
        at(0.5),
        at(0.99),
        at(0.999)
    );
}

fn measure_updates(index: &mut Index, chance: &mut Chance) {
    let mut micros = |updates: Vec<Update>| {
        let began = Instant::now();
        index.apply(updates);
        began.elapsed().as_micros()
    };
    let address = |number: u32| Member::Net(Net::of(Ipv4Addr::from_bits(0xac10_0000 + number).into()));
    let delta = |number: u32| Update::SetDelta {
        name: set(5),
        added: vec![address(number)],
        removed: vec![address(number.wrapping_sub(1))],
    };
    let one = micros(vec![delta(1)]);
    let thousand = micros((2..1_002).map(delta).collect());
    let policy = micros(vec![policy_update(7, chance)]);
    let gone = micros(vec![Update::SetRemoved(set(SETS - 1))]);
    println!(
        "  \"updates_us\": {{\"one_member\": {one}, \"thousand_members\": {thousand}, \"one_policy\": {policy}, \"set_removed\": {gone}}}"
    );
}

const PROTECTED: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 1);

fn party(address: Ipv4Addr, port: u16) -> Party {
    Party { address: Some(IpAddr::V4(address)), port: Some(port), identity: Identity::Plain, workload: None }
}

fn member(number: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 + number as u32 / 2)
}

fn set(number: usize) -> SetName {
    format!("set-{number}").into()
}

fn updates(chance: &mut Chance) -> Vec<Update> {
    let mut updates = Vec::new();
    let share = (MEMBERS - LARGEST) / (SETS - 1);
    for number in 0..SETS {
        let (first, count) = match number {
            0 => (0, LARGEST),
            number => (LARGEST + (number - 1) * share, share),
        };
        let mut members: Vec<Member> =
            (first..first + count).map(|at| Member::Net(Net::of(member(at * 2).into()))).collect();
        // Sets overlap: a pod is in several.
        members
            .extend((0..count / 8).map(|_| Member::Net(Net::of(member(chance.below(MEMBERS) * 2).into()))));
        updates.push(Update::Set(set(number), members));
    }
    updates.extend((0..POLICIES).map(|number| policy_update(number, chance)));
    let allow = CompiledPolicy { ingress: vec![Rule::new(Action::Deny)], ..CompiledPolicy::default() };
    updates.push(Update::Profile("kns.shop".into(), allow));
    let references: Box<[PolicyRef]> = (0..POLICIES).map(reference).collect();
    let tier = EndpointTier {
        name: "default".into(),
        default_action: DefaultAction::Deny,
        ingress: references.clone(),
        egress: references,
    };
    updates.push(Update::Endpoint(
        EndpointId { kind: EndpointKind::Pod, namespace: "shop".into(), name: "web".into() },
        Endpoint {
            addresses: vec![PROTECTED.into()],
            tiers: vec![tier],
            pending: None,
            profiles: vec!["kns.shop".into()],
        },
    ));
    updates.push(Update::InSync);
    updates
}

fn reference(number: usize) -> PolicyRef {
    let id =
        PolicyId { name: format!("policy-{number}").into(), namespace: "".into(), kind: PolicyKind::Global };
    PolicyRef { id: Arc::new(id), staged: false }
}

fn policy_update(number: usize, chance: &mut Chance) -> Update {
    let rules = (0..RULES).map(|_| rule(chance)).collect();
    Update::Policy(reference(number), CompiledPolicy { ingress: rules, egress: Vec::new() })
}

fn rule(chance: &mut Chance) -> Rule<Sets> {
    let mut rule = Rule::new(if chance.below(10) == 0 { Action::Deny } else { Action::Allow });
    let kind = chance.below(100);
    if kind < 80 {
        let names = (0..1 + chance.below(2)).map(|_| set(chance.below(SETS))).collect();
        rule.source.who = Sets { all: names, ..Sets::default() };
    } else if kind < 90 {
        let nets = (0..1 + chance.below(8)).map(|_| {
            Net::new(Ipv4Addr::from_bits(0xac00_0000 + (chance.below(65_536) << 8) as u32).into(), 24)
        });
        rule.source = Entity { nets: nets.flatten().collect(), ..Entity::default() };
    }
    // A rule for anybody asks for a port that is another's, or for a path; else it would decide for all.
    if kind >= 95 {
        let paths = [PathMatch::Prefix(format!("/internal/{}", chance.below(1_000)).into_bytes().into())];
        rule.http =
            Some(HttpMatch { methods: ["GET".into()].into(), paths: paths.into(), ..HttpMatch::default() });
    } else if kind >= 90 || chance.below(2) == 0 {
        let port = 1_024 + chance.below(6_000) as u16;
        rule.protocol = Some(Protocol::TCP);
        rule.destination.ports = [(port, port)].into();
    }
    rule
}

/// Xorshift: the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as usize) % bound.max(1)
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or_default()
}
