//! The target for `palisade-policysync`: a stream of whatever somebody on the agent's socket says.

use std::net::IpAddr;

use palisade_policy::{
    Direction, Feed, Flow, Identity, Judgement, Party, Patience, Protocol, Request, Store, TrustDomains,
    Verdict,
};
use palisade_policysync::messages::{InSync, Payload, ToDataplane};
use palisade_policysync::{Limits, State};
use prost::Message as _;

/// Messages, each behind two bytes of length. However they come before or after the word that this was all, the store ends
/// the same, and within its bounds.
pub fn policy_sync(input: &[u8]) {
    let mut messages = Vec::new();
    let mut rest = input;
    while let Some((length, more)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(more.len());
        let (bytes, more) = more.split_at(length);
        messages.extend(ToDataplane::decode(bytes));
        rest = more;
    }
    // Whoever says it in between means it; here it is said once, at the beginning or the end.
    messages.retain(|message| !matches!(message.payload, Some(Payload::InSync(_))));
    let in_sync = || ToDataplane { sequence_number: 0, payload: Some(Payload::InSync(InSync {})) };
    let limits = Limits {
        sets_max: 8,
        members_max: 16,
        policies_max: 6,
        rules_max: 12,
        endpoints_max: 4,
        accounts_max: 4,
        bytes_max: 4096,
        name_bytes_max: 64,
        references_max: 24,
    };
    let (mut at_once, mut one_by_one) = (State::new(limits.clone()), State::new(limits.clone()));
    let (all, each) = (Store::new(Feed::Compiled), Store::new(Feed::Compiled));
    let _ = one_by_one.take(in_sync());
    each.take_from(&mut one_by_one);
    for message in messages {
        let (a, b) = (at_once.take(message.clone()), one_by_one.take(message));
        assert_eq!(a, b, "what is understood does not hang on what is visible");
        assert_eq!(at_once.pending_weight(), 0, "nothing is visible yet");
        each.take_from(&mut one_by_one);
        assert_eq!(one_by_one.pending_weight(), 0);
        let size = each.size();
        assert!(size.sets <= limits.sets_max && size.members <= limits.members_max, "{size:?}");
        assert!(size.endpoints <= limits.endpoints_max, "{size:?}");
    }
    assert_eq!(at_once.held_back(), one_by_one.held_back());
    let _ = at_once.take(in_sync());
    all.take_from(&mut at_once);
    let (a, b) = (all.size(), each.size());
    assert_eq!(
        (a.policies, a.rules, a.sets, a.members, a.endpoints),
        (b.policies, b.rules, b.sets, b.members, b.endpoints)
    );
    for patience in [Patience::Waiting, Patience::Over] {
        for (from, to) in [("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1"), ("::1", "10.0.0.1")] {
            let party = |address: &str| Party {
                address: address.parse::<IpAddr>().ok(),
                port: Some(80),
                identity: Identity::of_principal(
                    "spiffe://cluster.local/ns/bank/sa/web",
                    &TrustDomains::default(),
                ),
                workload: None,
            };
            let flow = Flow {
                direction: Direction::Ingress,
                source: party(from),
                destination: party(to),
                protocol: Protocol::TCP,
                icmp: None,
                request: Request::None,
                patience,
            };
            let decided = |store: &Store| store.evaluate(&flow, &Judgement::default()).0;
            let (one, other) = (decided(&all), decided(&each));
            assert_eq!(one, other, "{from} -> {to}");
            if let Some(awaited) = one.enforced.awaits {
                assert_eq!((one.enforced.verdict, patience), (Verdict::Deny, Patience::Waiting));
                assert_eq!(Some(awaited), flow.source.address);
            }
        }
    }
}
