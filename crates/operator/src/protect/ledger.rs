//! Which port of the pool belongs to which port of a Service. It stays the same for as long as it is used, and nobody else
//! gets it before whoever still talks through it has had time to stop.
//!
//! Kept in a ConfigMap, a line a port; where that is lost, the EndpointSlices that name the ports tell them again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;

use super::names::{Key, PortKey};

/// Ports of the pool and whose they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    range: RangeInclusive<u16>,
    entries: BTreeMap<u16, Entry>,
    ports: HashMap<PortKey, u16>,
}

/// Whose a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of which Service's port.
    pub of: PortKey,
    /// Since when nobody is sent there any more, in seconds since 1970.
    pub released: Option<u64>,
}

impl Ledger {
    /// Reads what [`Ledger::data`] wrote. Lines that say nothing usable are passed over: what they stood for is told again
    /// by [`Ledger::recover`].
    pub fn read(range: RangeInclusive<u16>, data: &BTreeMap<String, String>) -> Self {
        let mut ledger = Self { range, entries: BTreeMap::new(), ports: HashMap::new() };
        for (port, line) in data {
            let Some(port) = port.parse().ok().filter(|port| ledger.range.contains(port)) else { continue };
            let Some(entry) = Entry::read(line) else { continue };
            ledger.put(port, entry);
        }
        ledger
    }

    /// What is written down of it.
    pub fn data(&self) -> BTreeMap<String, String> {
        self.entries.iter().map(|(port, entry)| (port.to_string(), entry.line())).collect()
    }

    /// Takes over what an EndpointSlice says: clients are sent to this port for that one.
    pub fn recover(&mut self, of: PortKey, port: u16) {
        if self.range.contains(&port) && self.ports.get(&of) != Some(&port) {
            self.put(port, Entry { of, released: None });
        }
    }

    /// Gives ports to those that want one and have none, and notes since when others are of no use. `held` are those
    /// that clients are still sent to. After `drain` seconds a port is free again. Returns who got none, because all are
    /// taken.
    pub fn settle(
        &mut self,
        wanted: &BTreeSet<PortKey>,
        held: &BTreeSet<PortKey>,
        now: u64,
        drain: u64,
    ) -> Vec<PortKey> {
        let mut over = Vec::new();
        for (port, entry) in &mut self.entries {
            let used = wanted.contains(&entry.of) || held.contains(&entry.of);
            match entry.released {
                _ if used => entry.released = None,
                None => entry.released = Some(now),
                // A clock that went back counts from then.
                Some(since) if since > now => entry.released = Some(now),
                Some(since) if now - since >= drain => over.push(*port),
                Some(_) => {}
            }
        }
        over.into_iter().for_each(|port| self.forget(port));
        let mut free = self.range.clone();
        let mut without = Vec::new();
        for of in wanted {
            if self.ports.contains_key(of) {
                continue;
            }
            match free.find(|port| !self.entries.contains_key(port)) {
                Some(port) => self.put(port, Entry { of: of.clone(), released: None }),
                None => without.push(of.clone()),
            }
        }
        without
    }

    /// The port that belongs to a Service's port.
    pub fn port(&self, of: &PortKey) -> Option<u16> {
        self.ports.get(of).copied()
    }

    /// All ports that are taken, in order.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (u16, &Entry)> {
        self.entries.iter().map(|(port, entry)| (*port, entry))
    }

    /// One entry a port, one port a key: what stood in the way is gone.
    fn put(&mut self, port: u16, entry: Entry) {
        self.forget(port);
        if let Some(other) = self.ports.insert(entry.of.clone(), port) {
            self.entries.remove(&other);
        }
        self.entries.insert(port, entry);
    }

    fn forget(&mut self, port: u16) {
        if let Some(entry) = self.entries.remove(&port) {
            self.ports.remove(&entry.of);
        }
    }
}

impl Entry {
    fn read(line: &str) -> Option<Self> {
        let (of, released) = match line.split_once(' ') {
            Some((of, released)) => (of, Some(released.strip_prefix("released=")?.parse().ok()?)),
            None => (line, None),
        };
        let (service, port) = of.split_once(':')?;
        Some(Self { of: PortKey { service: Key::parse(service)?, port: port.to_owned() }, released })
    }

    fn line(&self) -> String {
        match self.released {
            Some(since) => format!("{} released={since}", self.of),
            None => self.of.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(name: &str) -> PortKey {
        PortKey { service: Key::new("shop", name), port: "http".to_owned() }
    }

    fn set(names: &[&str]) -> BTreeSet<PortKey> {
        names.iter().map(|name| of(name)).collect()
    }

    fn empty() -> Ledger {
        Ledger::read(20_000..=20_003, &BTreeMap::new())
    }

    #[test]
    fn a_port_is_not_given_to_another_while_it_drains() {
        let mut ledger = empty();
        assert!(ledger.settle(&set(&["a", "b"]), &set(&[]), 0, 60).is_empty());
        assert_eq!((ledger.port(&of("a")), ledger.port(&of("b"))), (Some(20_000), Some(20_001)));
        ledger.settle(&set(&["b", "c"]), &set(&[]), 100, 60);
        assert_eq!((ledger.port(&of("c")), ledger.port(&of("a"))), (Some(20_002), Some(20_000)));
        ledger.settle(&set(&["b", "c"]), &set(&[]), 159, 60);
        assert_eq!(ledger.port(&of("a")), Some(20_000));
        ledger.settle(&set(&["b", "c"]), &set(&[]), 160, 60);
        assert_eq!(ledger.port(&of("a")), None);
        ledger.settle(&set(&["b", "c", "d"]), &set(&[]), 161, 60);
        assert_eq!(ledger.port(&of("d")), Some(20_000));
    }

    #[test]
    fn who_comes_back_in_time_has_the_same_port() {
        let mut ledger = empty();
        ledger.settle(&set(&["a"]), &set(&[]), 0, 60);
        ledger.settle(&set(&[]), &set(&[]), 10, 60);
        ledger.settle(&set(&["b", "a"]), &set(&[]), 20, 60);
        assert_eq!((ledger.port(&of("a")), ledger.port(&of("b"))), (Some(20_000), Some(20_001)));
    }

    #[test]
    fn a_port_that_clients_are_sent_to_is_not_released() {
        let mut ledger = empty();
        ledger.settle(&set(&["a"]), &set(&[]), 0, 60);
        ledger.settle(&set(&[]), &set(&["a"]), 1000, 60);
        assert_eq!(ledger.entries().next().unwrap().1.released, None);
    }

    #[test]
    fn who_gets_none_is_said() {
        let mut ledger = empty();
        let without = ledger.settle(&set(&["a", "b", "c", "d", "e"]), &set(&[]), 0, 60);
        assert_eq!(without, [of("e")]);
    }

    #[test]
    fn slices_say_what_the_ledger_lost() {
        let mut ledger = empty();
        ledger.recover(of("z"), 20_002);
        ledger.recover(of("out-of-range"), 8080);
        ledger.settle(&set(&["a", "z"]), &set(&[]), 0, 60);
        assert_eq!((ledger.port(&of("z")), ledger.port(&of("a"))), (Some(20_002), Some(20_000)));
    }

    #[test]
    fn lines_that_say_nothing_are_passed_over() {
        let data =
            [("x", "shop/web:http"), ("20000", "nobody"), ("20001", "shop/web:http soon"), ("9", "a/b:c")];
        let data = data.map(|(port, line)| (port.to_owned(), line.to_owned())).into();
        assert_eq!(Ledger::read(20_000..=20_003, &data).entries().len(), 0);
    }

    proptest! {
        /// Over any history of wishes no two have one port, nobody's port changes while it is wanted, and what is written
        /// down reads the same.
        #[test]
        fn ports_are_stable_and_nobody_shares_one(
            history in proptest::collection::vec((proptest::collection::btree_set("[a-f]", 0..5), 0u64..40), 1..20),
        ) {
            let mut ledger = empty();
            let mut now = 0;
            let mut before: BTreeMap<String, u16> = BTreeMap::new();
            for (names, passed) in history {
                now += passed;
                let wanted = names.iter().map(|name| of(name)).collect();
                let without = ledger.settle(&wanted, &BTreeSet::new(), now, 60);
                let given: BTreeMap<String, u16> =
                    names.iter().filter_map(|name| Some((name.clone(), ledger.port(&of(name))?))).collect();
                prop_assert_eq!(given.len() + without.len(), names.len());
                let distinct: BTreeSet<_> = given.values().collect();
                prop_assert_eq!(distinct.len(), given.len());
                for (name, port) in &given {
                    prop_assert!(before.get(name).is_none_or(|was| was == port));
                }
                prop_assert_eq!(&Ledger::read(20_000..=20_003, &ledger.data()), &ledger);
                before = given;
            }
        }
    }
}
