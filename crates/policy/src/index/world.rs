//! The index, asked about one flow.

use std::net::IpAddr;

use super::Index;
use super::bits::Bits;
use super::program::SetId;
use crate::clause::{Answer, Doubt, End, World};
use crate::flow::{Direction, Feed, Flow, Identity, Judgement, Party, Patience};
use crate::form::Sets;
use crate::labels::Labels;
use crate::net::plain;

pub(super) struct Compiled<'i> {
    index: &'i Index,
    pub(super) flow: &'i Flow<'i>,
    pub(super) judgement: &'i Judgement,
    source: Bits,
    destination: Bits,
}

impl<'i> Compiled<'i> {
    pub(super) fn of(index: &'i Index, flow: &'i Flow<'i>, judgement: &'i Judgement) -> Self {
        let source = index.sets.of_address(flow.source.address);
        let destination = index.sets.of_address(flow.destination.address);
        Self { index, flow, judgement, source, destination }
    }

    fn party(&self, end: End) -> &'i Party {
        if end == End::Source { &self.flow.source } else { &self.flow.destination }
    }

    fn peer(&self) -> End {
        if self.flow.direction == Direction::Ingress { End::Source } else { End::Destination }
    }

    /// The peer's address, where it tells which rules need not be asked: not where it may belong to somebody that is not
    /// known yet.
    pub(super) fn peer_address(&self) -> Option<IpAddr> {
        let address = self.party(self.peer()).address?;
        (self.unless_news(self.peer(), address) == Answer::No).then_some(address)
    }

    /// The peer's address, where waiting for news about it makes sense.
    pub(super) fn awaitable(&self) -> Option<IpAddr> {
        self.party(self.peer()).address.filter(|_| self.may_learn())
    }

    /// Calls for each set that the peer is in, and for those of which nobody knows who is in them.
    pub(super) fn each_possible_set(&self, call: &mut dyn FnMut(SetId)) {
        if let Some(address) = self.party(self.peer()).address {
            self.index.sets.each_of_address(address, call);
        }
        self.index.sets.undelivered().for_each(call);
    }

    fn is_in(&self, end: End, set: SetId) -> bool {
        let bits = if end == End::Source { &self.source } else { &self.destination };
        bits.has(set.0 as usize)
    }

    /// The sets of some that were delivered; `Err` where one was not and that matters.
    fn check_delivered(&self, sets: &[SetId]) -> Result<(), Doubt> {
        let missing = || sets.iter().any(|set| !self.index.sets.is_delivered(*set));
        if !self.judgement.unknown_sets_match && missing() { Err(Doubt::UnknownSet) } else { Ok(()) }
    }

    /// `No`, unless news may come of who has the address.
    fn unless_news(&self, end: End, address: IpAddr) -> Answer {
        if !self.may_learn() {
            return Answer::No;
        }
        if self.index.feed == Feed::Compiled {
            let known = self.index.is_named(address);
            return Answer::Open(if known { Doubt::NotOneYet } else { Doubt::UnknownAddress });
        }
        let contradicted = match &self.party(end).identity {
            Identity::ServiceAccount { namespace, name } => {
                end == End::Source && self.source_is_another(namespace, name)
            }
            // The certificate that is yet to come may do.
            Identity::Expected => end == End::Source,
            _ => false,
        };
        let unknown = !self.index.owners.contains_key(&plain(address));
        if unknown || contradicted { Answer::Open(Doubt::UnknownAddress) } else { Answer::No }
    }

    fn port(&self, end: End, sets: &[SetId]) -> Option<Answer> {
        if sets.is_empty() {
            return None;
        }
        let party = self.party(end);
        let (Some(address), Some(port)) = (party.address, party.port) else {
            return Some(Answer::Open(Doubt::NoAddress));
        };
        if self.index.sets.has_port(address, self.flow.protocol, port, sets) {
            return Some(Answer::Yes);
        }
        Some(match self.check_delivered(sets) {
            Ok(()) => self.unless_news(end, address),
            Err(doubt) => Answer::Open(doubt),
        })
    }
}

impl World<Sets<SetId>> for Compiled<'_> {
    fn selected(&self, end: End, who: &Sets<SetId>) -> Answer {
        if who.all.is_empty() {
            return Answer::Yes;
        }
        let Some(address) = self.party(end).address else { return Answer::Open(Doubt::NoAddress) };
        let delivered = |set: &SetId| self.index.sets.is_delivered(*set);
        if who.all.iter().any(|set| delivered(set) && !self.is_in(end, *set)) {
            return self.unless_news(end, address);
        }
        match self.check_delivered(&who.all) {
            Ok(()) => Answer::Yes,
            Err(doubt) => Answer::Open(doubt),
        }
    }

    fn asks_selected(&self, who: &Sets<SetId>) -> bool {
        !who.all.is_empty()
    }

    fn not_selected(&self, end: End, who: &Sets<SetId>) -> Option<Answer> {
        if who.none.is_empty() {
            return None;
        }
        let Some(address) = self.party(end).address else { return Some(Answer::Open(Doubt::NoAddress)) };
        if who.none.iter().any(|set| self.is_in(end, *set)) {
            return Some(Answer::Yes);
        }
        Some(match self.check_delivered(&who.none) {
            Ok(()) => settled(self.unless_news(end, address)),
            Err(doubt) => Answer::Open(doubt),
        })
    }

    fn service(&self, end: End, who: &Sets<SetId>) -> Option<Answer> {
        if end == End::Destination {
            return self.port(end, &who.services);
        }
        if who.services.is_empty() {
            return None;
        }
        let Some(address) = self.party(end).address else { return Some(Answer::Open(Doubt::NoAddress)) };
        if who.services.iter().any(|set| self.is_in(end, *set)) {
            return Some(Answer::Yes);
        }
        Some(match self.check_delivered(&who.services) {
            Ok(()) => self.unless_news(end, address),
            Err(doubt) => Answer::Open(doubt),
        })
    }

    fn named_port(&self, end: End, who: &Sets<SetId>) -> Option<Answer> {
        self.port(end, &who.ports)
    }

    fn not_named_port(&self, end: End, who: &Sets<SetId>) -> Option<Answer> {
        self.port(end, &who.not_ports).map(settled)
    }

    fn namespace(&self, name: &str) -> Option<&Labels> {
        self.index.namespaces.get(name)
    }

    fn service_account(&self, namespace: &str, name: &str) -> Option<&Labels> {
        self.index.accounts.get(namespace)?.get(name)
    }

    fn may_learn(&self) -> bool {
        self.index.feed != Feed::Complete && self.flow.patience == Patience::Waiting
    }

    fn source_is_another(&self, namespace: &str, name: &str) -> bool {
        let Some(address) = self.flow.source.address else { return false };
        let Some(accounts) = self.index.owners.get(&plain(address)) else { return false };
        !accounts.is_empty()
            && !accounts.iter().any(|(there, account)| **there == *namespace && **account == *name)
    }
}

/// Somebody who is known is not among those that he is not known as.
fn settled(answer: Answer) -> Answer {
    if answer == Answer::Open(Doubt::NotOneYet) { Answer::No } else { answer }
}
