//! Data planes that are here, or were.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use palisade_model::Moment;
use tokio::sync::Notify;

use crate::About;

/// Data planes that are known at a time. Those that went away first are forgotten first.
const PLANES_MAX: usize = 4096;

/// A data plane, as an inventory shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaneShown {
    /// What it is called.
    pub name: String,
    /// Which of those that are called so: the spool that it sends from.
    pub instance: u128,
    /// Of its program, as it says.
    pub version: String,
    /// Where its last stream came from.
    pub address: SocketAddr,
    /// Since when it is there; `None` where it is not.
    pub connected: Option<SystemTime>,
    /// When it was heard of last.
    pub heard: SystemTime,
    /// What it says of itself.
    pub about: About,
    /// Records of it that came since the collector started.
    pub records: u64,
    /// Records that will never be taken.
    pub refused: u64,
    /// The time of its latest record.
    pub latest: Option<Moment>,
}

/// A stream's place.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) stream: u64,
    key: Key,
    /// Told when another stream comes from the same spool.
    pub(crate) replaced: Arc<Notify>,
}

type Key = (String, u128);

#[derive(Debug, Default)]
pub(crate) struct Roster {
    planes: BTreeMap<Key, Plane>,
    streams: u64,
}

#[derive(Debug)]
struct Plane {
    shown: PlaneShown,
    stream: u64,
    replaced: Arc<Notify>,
}

impl Roster {
    /// A stream has come. `None`: there are too many.
    pub(crate) fn arrive(
        &mut self,
        name: &str,
        instance: u128,
        version: String,
        address: SocketAddr,
        now: SystemTime,
    ) -> Option<Seat> {
        let key = (name.to_owned(), instance);
        // One that began anew takes the place of what it was.
        let before = self.planes.remove(&key).or_else(|| {
            let mut same = self.planes.range((name.to_owned(), 0)..=(name.to_owned(), u128::MAX));
            let gone = same.find(|(_, plane)| plane.shown.connected.is_none()).map(|(key, _)| key.clone());
            gone.and_then(|gone| self.planes.remove(&gone))
        });
        if before.is_none() && self.planes.len() >= PLANES_MAX {
            let away = self.planes.iter().filter(|(_, plane)| plane.shown.connected.is_none());
            let oldest = away.min_by_key(|(_, plane)| plane.shown.heard)?.0.clone();
            self.planes.remove(&oldest);
        }
        self.streams += 1;
        let (about, records, refused, latest) = match before {
            Some(before) => {
                before.replaced.notify_one();
                let PlaneShown { about, records, refused, latest, .. } = before.shown;
                (about, records, refused, latest)
            }
            None => (About::default(), 0, 0, None),
        };
        let shown = PlaneShown {
            name: name.to_owned(),
            instance,
            version,
            address,
            connected: Some(now),
            heard: now,
            about,
            records,
            refused,
            latest,
        };
        let replaced = Arc::<Notify>::default();
        let seat = Seat { stream: self.streams, key: key.clone(), replaced: replaced.clone() };
        self.planes.insert(key, Plane { shown, stream: self.streams, replaced });
        Some(seat)
    }

    /// Something was heard on a stream.
    pub(crate) fn heard(&mut self, seat: &Seat, now: SystemTime, change: impl FnOnce(&mut PlaneShown)) {
        // A stream that was replaced says nothing any more.
        if let Some(plane) = self.planes.get_mut(&seat.key).filter(|plane| plane.stream == seat.stream) {
            plane.shown.heard = now;
            change(&mut plane.shown);
        }
    }

    /// All that are known, by name.
    pub(crate) fn shown(&self) -> Vec<PlaneShown> {
        self.planes.values().map(|plane| plane.shown.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn arrive(roster: &mut Roster, name: &str, instance: u128, second: u64) -> Option<Seat> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        roster.arrive(name, instance, String::new(), "127.0.0.1:1".parse().unwrap(), now)
    }

    fn leave(roster: &mut Roster, seat: &Seat) {
        roster.heard(seat, SystemTime::UNIX_EPOCH, |shown| shown.connected = None);
    }

    #[test]
    fn who_begins_anew_takes_the_place_of_what_it_was_and_replicas_stand_beside_each_other() {
        let mut roster = Roster::default();
        let first = arrive(&mut roster, "a", 1, 0).unwrap();
        let second = arrive(&mut roster, "a", 2, 0).unwrap();
        assert_eq!(roster.shown().len(), 2);
        leave(&mut roster, &first);
        arrive(&mut roster, "a", 3, 0).unwrap();
        let instances: Vec<u128> = roster.shown().iter().map(|shown| shown.instance).collect();
        assert_eq!(instances, [2, 3]);
        let again = arrive(&mut roster, "a", 2, 0).unwrap();
        leave(&mut roster, &second);
        assert!(roster.shown()[0].connected.is_some(), "the newest stream of a spool speaks for it");
        leave(&mut roster, &again);
        assert!(roster.shown()[0].connected.is_none());
    }

    #[test]
    fn what_is_known_has_bounds() {
        let mut roster = Roster::default();
        let seats: Vec<Seat> = (0..PLANES_MAX as u128)
            .map(|number| arrive(&mut roster, &number.to_string(), number, number as u64).unwrap())
            .collect();
        assert!(arrive(&mut roster, "one too many", 0, 0).is_none());
        leave(&mut roster, &seats[7]);
        assert!(arrive(&mut roster, "another", 0, 0).is_some());
        assert_eq!(roster.shown().len(), PLANES_MAX);
    }
}
