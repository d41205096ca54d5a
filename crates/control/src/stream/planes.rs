//! Who is there, what each of them is to have, and what each has. One lock, held for no I/O.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::{Notify, watch};

use super::Version;
use crate::{Applied, Revision};

/// Data planes that are known at a time. Those that went away first are forgotten first.
pub(super) const PLANES_MAX: usize = 8192;
/// Bundles that are remembered, so that what leads from them to others can be sent.
const REMEMBERED_MAX: usize = 32;
/// How many bytes they may have together. Contents that they share count for each.
const REMEMBERED_BYTES_MAX: usize = 512 << 20;

/// Whom a bundle is for. Where several select a data plane, the one that says most does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// All data planes.
    All,
    /// Those whose name ends in this, after a dot: `pool.palisade-system` selects `a.pool.palisade-system`.
    Under(String),
    /// The one of this name.
    Plane(String),
}

impl Selector {
    fn selects(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Under(end) => name.strip_suffix(end.as_str()).is_some_and(|rest| rest.ends_with('.')),
            Self::Plane(plane) => plane == name,
        }
    }

    fn says(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Under(end) => 1 + end.len(),
            Self::Plane(_) => usize::MAX,
        }
    }
}

/// A data plane, as an inventory shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaneState {
    /// What it is called.
    pub name: String,
    /// Of its program, as it says.
    pub version: String,
    /// Where its last stream came from.
    pub address: SocketAddr,
    /// Since when it is there. `None` where it is not.
    pub connected: Option<SystemTime>,
    /// When it was heard of last.
    pub heard: SystemTime,
    /// What it is to have.
    pub wanted: Option<Revision>,
    /// What it has been given, as it says.
    pub held: Option<Revision>,
    /// What it made of the last bundle.
    pub applied: Option<Applied>,
}

impl PlaneState {
    /// Whether what is wanted is in force, stale objects aside.
    pub fn is_current(&self) -> bool {
        let applied = self.applied.as_ref().filter(|applied| applied.outcome.is_ok());
        self.wanted.is_some() && applied.map(|applied| applied.revision) == self.wanted
    }
}

/// What a data plane says of itself.
pub(super) struct Introduction {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) address: SocketAddr,
    pub(super) held: Option<Revision>,
    pub(super) applied: Option<Applied>,
}

/// What a stream gets to know.
pub(super) struct Seat {
    pub(super) stream: u64,
    pub(super) wanted: watch::Receiver<Option<Arc<Version>>>,
    /// Told when another stream comes under the same name.
    pub(super) replaced: Arc<Notify>,
}

#[derive(Debug, Default)]
pub(super) struct Planes {
    sets: BTreeMap<Selector, Arc<Version>>,
    remembered: VecDeque<Arc<Version>>,
    planes: BTreeMap<String, Plane>,
    streams: u64,
}

#[derive(Debug)]
struct Plane {
    state: PlaneState,
    wanted: watch::Sender<Option<Arc<Version>>>,
    stream: u64,
    replaced: Arc<Notify>,
}

impl Planes {
    /// Says what those that are selected are to have. Whether that is news.
    pub(super) fn set(&mut self, selector: Selector, version: Version) -> bool {
        let was = self.sets.get(&selector);
        if was.is_some_and(|was| was.revision() == version.revision()) {
            return false;
        }
        let version = Arc::new(version);
        self.sets.insert(selector, version.clone());
        self.remember(version);
        self.tell();
        true
    }

    /// Takes that back. Those that others select get theirs; the rest keep what they have.
    pub(super) fn unset(&mut self, selector: &Selector) -> bool {
        let was = self.sets.remove(selector).is_some();
        self.tell();
        was
    }

    /// A bundle that we know.
    pub(super) fn version(&self, revision: Revision) -> Option<Arc<Version>> {
        let mut known = self.remembered.iter().chain(self.sets.values());
        known.find(|version| version.revision() == revision).cloned()
    }

    /// A stream has come. `None`: there are too many.
    pub(super) fn arrive(&mut self, told: Introduction, now: SystemTime) -> Option<Seat> {
        if !self.planes.contains_key(&told.name) && self.planes.len() >= PLANES_MAX {
            let away = self.planes.values().filter(|plane| plane.state.connected.is_none());
            let oldest = away.min_by_key(|plane| plane.state.heard)?.state.name.clone();
            self.planes.remove(&oldest);
        }
        self.streams += 1;
        let wanted = self.wanted(&told.name);
        let state = PlaneState {
            name: told.name.clone(),
            version: told.version,
            address: told.address,
            connected: Some(now),
            heard: now,
            wanted: wanted.as_ref().map(|wanted| wanted.revision()),
            held: told.held,
            applied: told.applied,
        };
        let (sender, receiver) = watch::channel(wanted);
        let replaced = Arc::<Notify>::default();
        let plane = Plane { state, wanted: sender, stream: self.streams, replaced: replaced.clone() };
        if let Some(before) = self.planes.insert(told.name, plane) {
            before.replaced.notify_one();
        }
        Some(Seat { stream: self.streams, wanted: receiver, replaced })
    }

    /// A stream has ended.
    pub(super) fn leave(&mut self, name: &str, stream: u64, now: SystemTime) {
        self.of_stream(name, stream, now, |state| state.connected = None);
    }

    /// A data plane has answered.
    pub(super) fn answered(&mut self, name: &str, stream: u64, applied: Applied, now: SystemTime) {
        self.of_stream(name, stream, now, |state| {
            state.held = Some(applied.revision);
            state.applied = Some(applied);
        });
    }

    /// All that are known, by name.
    pub(super) fn states(&self) -> Vec<PlaneState> {
        self.planes.values().map(|plane| plane.state.clone()).collect()
    }

    fn of_stream(&mut self, name: &str, stream: u64, now: SystemTime, change: impl FnOnce(&mut PlaneState)) {
        // A stream that was replaced says nothing any more.
        if let Some(plane) = self.planes.get_mut(name).filter(|plane| plane.stream == stream) {
            plane.state.heard = now;
            change(&mut plane.state);
        }
    }

    fn wanted(&self, name: &str) -> Option<Arc<Version>> {
        let selecting = self.sets.iter().filter(|(selector, _)| selector.selects(name));
        selecting.max_by_key(|(selector, _)| selector.says()).map(|(_, version)| version.clone())
    }

    fn tell(&mut self) {
        let mut planes = std::mem::take(&mut self.planes);
        for (name, plane) in &mut planes {
            let wanted = self.wanted(name);
            let revision = wanted.as_ref().map(|wanted| wanted.revision());
            if plane.state.wanted != revision {
                plane.state.wanted = revision;
                plane.wanted.send_replace(wanted);
            }
        }
        self.planes = planes;
    }

    fn remember(&mut self, version: Arc<Version>) {
        self.remembered.push_back(version);
        let bytes =
            |kept: &VecDeque<Arc<Version>>| kept.iter().map(|one| one.bundle().bytes()).sum::<usize>();
        while self.remembered.len() > REMEMBERED_MAX || bytes(&self.remembered) > REMEMBERED_BYTES_MAX {
            self.remembered.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bundle;

    fn version(content: &str) -> Version {
        let mut bundle = Bundle::new();
        bundle.put("palisade.yaml", content.as_bytes()).unwrap();
        Version::of(bundle)
    }

    fn told(name: &str) -> Introduction {
        let address = "127.0.0.1:1".parse().unwrap();
        Introduction { name: name.to_owned(), version: String::new(), address, held: None, applied: None }
    }

    #[test]
    fn the_selector_that_says_most_counts() {
        let mut planes = Planes::default();
        let now = SystemTime::UNIX_EPOCH;
        let seat = planes.arrive(told("a.pool.x"), now).unwrap();
        let wants = |content: &str| {
            let wanted = seat.wanted.borrow();
            wanted.as_ref().map(|wanted| wanted.revision()) == Some(version(content).revision())
        };
        assert!(seat.wanted.borrow().is_none());
        planes.set(Selector::Under("pool.x".to_owned()), version("pool"));
        assert!(wants("pool"));
        planes.set(Selector::All, version("all"));
        planes.set(Selector::Under("x".to_owned()), version("x"));
        planes.set(Selector::Under("ool.x".to_owned()), version("no dot before it"));
        assert!(wants("pool"));
        planes.set(Selector::Plane("a.pool.x".to_owned()), version("a"));
        assert!(wants("a"));
        planes.unset(&Selector::Plane("a.pool.x".to_owned()));
        planes.unset(&Selector::Under("pool.x".to_owned()));
        assert!(wants("x"));
        assert!(!planes.set(Selector::Under("x".to_owned()), version("x")), "no news");
    }

    #[test]
    fn the_newest_stream_of_a_name_speaks_for_it() {
        let mut planes = Planes::default();
        let now = SystemTime::UNIX_EPOCH;
        let first = planes.arrive(told("a"), now).unwrap();
        let second = planes.arrive(told("a"), now).unwrap();
        planes.leave("a", first.stream, now);
        assert!(planes.states()[0].connected.is_some());
        planes.leave("a", second.stream, now);
        assert!(planes.states()[0].connected.is_none());
    }

    #[test]
    fn what_is_known_has_bounds() {
        let mut planes = Planes::default();
        let at = |seconds| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        for number in 0..PLANES_MAX as u64 {
            let seat = planes.arrive(told(&number.to_string()), at(number)).unwrap();
            if number < 2 {
                planes.leave(&number.to_string(), seat.stream, at(number));
            }
        }
        assert!(planes.arrive(told("new"), at(0)).is_some());
        assert!(planes.arrive(told("newer"), at(0)).is_some());
        assert!(planes.arrive(told("one too many"), at(0)).is_none());
        assert_eq!(planes.states().len(), PLANES_MAX);
        let first = version("0").revision();
        (0..=REMEMBERED_MAX).for_each(|number| {
            planes.set(Selector::All, version(&number.to_string()));
        });
        assert!(planes.version(first).is_none());
        assert!(planes.version(version("1").revision()).is_some());
    }
}
