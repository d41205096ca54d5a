//! Named sets of addresses, turned around: from an address to the sets that it is in.

use std::collections::HashMap;
use std::net::IpAddr;

use rustc_hash::{FxHashMap, FxHashSet};

use super::bits::Bits;
use super::prefixes::{self, Numbers, Prefixes};
use super::program::SetId;
use crate::form::{Member, SetName, Sets};
use crate::net::plain;
use crate::rule::Protocol;

#[derive(Debug, Default)]
pub(super) struct SetStore {
    numbers: HashMap<SetName, SetId>,
    /// By number; those that rules name and nobody has delivered are not.
    delivered: Vec<bool>,
    /// By number: how many members each has.
    counts: Vec<u32>,
    nets: Prefixes,
    ports: FxHashMap<(IpAddr, u8, u16), Numbers>,
}

impl SetStore {
    /// The number of a name, new where it was not known.
    fn number(&mut self, name: &SetName) -> SetId {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = SetId(u32::try_from(self.delivered.len()).unwrap_or(u32::MAX));
        self.delivered.push(false);
        self.counts.push(0);
        self.numbers.insert(name.clone(), number);
        number
    }

    pub(super) fn numbered(&mut self, who: &Sets) -> Sets<SetId> {
        let mut all = |names: &[SetName]| names.iter().map(|name| self.number(name)).collect();
        Sets {
            all: all(&who.all),
            none: all(&who.none),
            services: all(&who.services),
            ports: all(&who.ports),
            not_ports: all(&who.not_ports),
        }
    }

    pub(super) fn replace(&mut self, name: &SetName, members: Vec<Member>) {
        if self.numbers.get(name).is_some_and(|number| self.is_delivered(*number)) {
            self.remove([name]);
        }
        self.change(name, members, Vec::new());
    }

    pub(super) fn change(&mut self, name: &SetName, added: Vec<Member>, removed: Vec<Member>) {
        let number = self.number(name);
        self.delivered[number.0 as usize] = true;
        let mut count = self.counts[number.0 as usize];
        for member in removed {
            let was_there = match member {
                Member::Net(net) => self.nets.remove(net, number.0),
                Member::Port(address, protocol, port) => {
                    prefixes::remove_from(&mut self.ports, &(plain(address), protocol.0, port), number.0)
                }
            };
            count -= u32::from(was_there);
        }
        for member in added {
            let is_new = match member {
                Member::Net(net) => self.nets.add(net, number.0),
                Member::Port(address, protocol, port) => {
                    prefixes::add_to(&mut self.ports, (plain(address), protocol.0, port), number.0)
                }
            };
            count += u32::from(is_new);
        }
        self.counts[number.0 as usize] = count;
    }

    /// Takes sets away; their names keep their numbers, since rules may name them still. One look at all members, where
    /// one of them has any left.
    pub(super) fn remove<'n>(&mut self, names: impl IntoIterator<Item = &'n SetName>) {
        let mut gone: FxHashSet<u32> = FxHashSet::default();
        for name in names {
            let Some(SetId(number)) = self.numbers.get(name).copied() else { continue };
            self.delivered[number as usize] = false;
            if std::mem::take(&mut self.counts[number as usize]) > 0 {
                gone.insert(number);
            }
        }
        if gone.is_empty() {
            return;
        }
        self.nets.retain(&|number| !gone.contains(&number));
        self.ports.retain(|_, numbers| match numbers.kept(|number| !gone.contains(&number)) {
            Some(left) => {
                *numbers = left;
                true
            }
            None => false,
        });
    }

    pub(super) fn is_delivered(&self, set: SetId) -> bool {
        self.delivered.get(set.0 as usize).copied().unwrap_or(false)
    }

    /// Sets that are named and were not delivered.
    pub(super) fn undelivered(&self) -> impl Iterator<Item = SetId> {
        let missing = self.delivered.iter().enumerate().filter(|(_, delivered)| !**delivered);
        missing.map(|(number, _)| SetId(number as u32))
    }

    /// The sets that an address is in.
    pub(super) fn of_address(&self, address: Option<IpAddr>) -> Bits {
        let mut bits = Bits::below(self.delivered.len());
        if let Some(address) = address {
            self.nets.each(address, |number| bits.set(number as usize));
        }
        bits
    }

    pub(super) fn each_of_address(&self, address: IpAddr, call: &mut dyn FnMut(SetId)) {
        self.nets.each(address, |number| call(SetId(number)));
    }

    /// Whether some set has an address by itself and not by a range around it.
    pub(super) fn has_by_itself(&self, address: IpAddr) -> bool {
        self.nets.has_exactly(address)
    }

    /// Whether an address with a port is in one of some sets.
    pub(super) fn has_port(&self, address: IpAddr, protocol: Protocol, port: u16, sets: &[SetId]) -> bool {
        [port, 0].into_iter().any(|port| {
            let there = self.ports.get(&(plain(address), protocol.0, port));
            there
                .is_some_and(|numbers| numbers.as_slice().iter().any(|number| sets.contains(&SetId(*number))))
        })
    }

    pub(super) fn len(&self) -> usize {
        self.delivered.iter().filter(|delivered| **delivered).count()
    }

    pub(super) fn members(&self) -> usize {
        self.nets.len() + self.ports.len()
    }
}
