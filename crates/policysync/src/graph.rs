//! What names what, and what may be shown of it.
//!
//! ```text
//!  set <-- policy, profile <-- endpoint
//! ```
//!
//! A version of an object is shown when all that it names is; until then the version before stays. An object that is taken
//! away stays as long as a version that is shown names it. So at no moment does what is shown name something that is not.
//!
//! Costs: what a change names, and what waits for it. Nobody is searched for.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use palisade_policy::{EndpointId, PolicyRef, SetName};

/// What an object is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    Set(SetName),
    Policy(PolicyRef),
    Profile(Arc<str>),
    Endpoint(EndpointId),
}

/// What became of an object. The last word about one counts.
#[derive(Debug, PartialEq)]
pub(crate) enum Event<C> {
    /// A version is shown, in place of the one before.
    Shown(Key, C),
    /// It is no more.
    Hidden(Key),
}

/// Objects with contents `C`.
#[derive(Debug)]
pub(crate) struct Graph<C> {
    entries: HashMap<Key, Entry<C>>,
    /// Names in all versions, shown and waiting.
    references: usize,
    /// Objects with a version that waits, or that are to go.
    held_back: usize,
}

#[derive(Debug)]
struct Entry<C> {
    /// What the version that is shown names.
    shown: Option<Box<[Key]>>,
    next: Next<C>,
    /// Versions that are shown and name it.
    users: usize,
    /// Who has a version that waits and names it.
    waiting: HashSet<Key>,
}

#[derive(Debug)]
enum Next<C> {
    /// Nothing waits.
    None,
    /// A version waits for some of what it names.
    Version { needs: Box<[Key]>, content: C, missing: usize },
    /// It goes when nobody names it any more.
    Gone,
}

impl<C> Default for Graph<C> {
    fn default() -> Self {
        Self { entries: HashMap::default(), references: 0, held_back: 0 }
    }
}

impl<C> Default for Entry<C> {
    fn default() -> Self {
        Self { shown: None, next: Next::None, users: 0, waiting: HashSet::default() }
    }
}

impl<C> Graph<C> {
    /// Whether a version of an object is shown.
    pub(crate) fn is_shown(&self, key: &Key) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.shown.is_some())
    }

    /// Names in all versions.
    pub(crate) fn references(&self) -> usize {
        self.references
    }

    /// Objects of which what was said last is not shown yet.
    pub(crate) fn held_back(&self) -> usize {
        self.held_back
    }

    /// Takes a version of an object, with all that it names, each once.
    pub(crate) fn offer(&mut self, key: Key, needs: Box<[Key]>, content: C, events: &mut Vec<Event<C>>) {
        self.cancel(&key);
        self.references += needs.len();
        let missing = needs.iter().filter(|need| !self.is_shown(need)).count();
        if missing == 0 {
            self.show(key, needs, content, events);
            return;
        }
        for need in &needs {
            self.entries.entry(need.clone()).or_default().waiting.insert(key.clone());
        }
        self.held_back += 1;
        self.entries.entry(key).or_default().next = Next::Version { needs, content, missing };
    }

    /// Takes an object away.
    pub(crate) fn withdraw(&mut self, key: &Key, events: &mut Vec<Event<C>>) {
        self.cancel(key);
        let Some(entry) = self.entries.get_mut(key) else { return };
        if entry.shown.is_none() {
            self.tidy(key);
        } else if entry.users == 0 {
            self.hide(key, events);
        } else {
            entry.next = Next::Gone;
            self.held_back += 1;
        }
    }

    /// An object that was to go stays after all.
    pub(crate) fn keep(&mut self, key: &Key) {
        self.cancel(key);
    }

    /// Forgets what waits.
    fn cancel(&mut self, key: &Key) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let next = std::mem::replace(&mut entry.next, Next::None);
        if matches!(next, Next::None) {
            return;
        }
        self.held_back -= 1;
        if let Next::Version { needs, .. } = next {
            self.stop_waiting(key, &needs);
            self.references -= needs.len();
        }
        self.tidy(key);
    }

    fn stop_waiting(&mut self, key: &Key, needs: &[Key]) {
        for need in needs {
            if let Some(entry) = self.entries.get_mut(need) {
                entry.waiting.remove(key);
                self.tidy(need);
            }
        }
    }

    fn show(&mut self, key: Key, needs: Box<[Key]>, content: C, events: &mut Vec<Event<C>>) {
        for need in &needs {
            if let Some(entry) = self.entries.get_mut(need) {
                entry.users += 1;
            }
        }
        let entry = self.entries.entry(key.clone()).or_default();
        let before = entry.shown.replace(needs);
        let waiting: Vec<Key> = match before {
            Some(_) => Vec::new(),
            None => entry.waiting.iter().cloned().collect(),
        };
        events.push(Event::Shown(key, content));
        if let Some(before) = before {
            self.release(&before, events);
        }
        for key in waiting {
            self.one_less_missing(key, events);
        }
    }

    /// What an object's version waits for has come, or one of them.
    fn one_less_missing(&mut self, key: Key, events: &mut Vec<Event<C>>) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let Next::Version { missing, .. } = &mut entry.next else { return };
        *missing -= 1;
        if *missing > 0 {
            return;
        }
        let Next::Version { needs, content, .. } = std::mem::replace(&mut entry.next, Next::None) else {
            return;
        };
        self.held_back -= 1;
        for need in &needs {
            if let Some(entry) = self.entries.get_mut(need) {
                entry.waiting.remove(&key);
            }
        }
        self.show(key, needs, content, events);
    }

    fn hide(&mut self, key: &Key, events: &mut Vec<Event<C>>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let Some(needs) = entry.shown.take() else { return };
        let waiting: Vec<Key> = entry.waiting.iter().cloned().collect();
        events.push(Event::Hidden(key.clone()));
        for waits in waiting {
            if let Some(Entry { next: Next::Version { missing, .. }, .. }) = self.entries.get_mut(&waits) {
                *missing += 1;
            }
        }
        self.release(&needs, events);
        self.tidy(key);
    }

    /// A version that named these is no longer shown.
    fn release(&mut self, needs: &[Key], events: &mut Vec<Event<C>>) {
        self.references -= needs.len();
        for need in needs {
            let Some(entry) = self.entries.get_mut(need) else { continue };
            entry.users -= 1;
            if entry.users == 0 && matches!(entry.next, Next::Gone) {
                entry.next = Next::None;
                self.held_back -= 1;
                self.hide(need, events);
            }
        }
    }

    /// Forgets an object that nobody knows or names.
    fn tidy(&mut self, key: &Key) {
        let is_idle = |entry: &Entry<C>| {
            entry.shown.is_none()
                && matches!(entry.next, Next::None)
                && entry.users == 0
                && entry.waiting.is_empty()
        };
        if self.entries.get(key).is_some_and(is_idle) {
            self.entries.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// Twelve objects in three layers; each names some of the layer below.
    fn key(number: usize) -> Key {
        let text: Arc<str> = number.to_string().into();
        match number / 4 {
            0 => Key::Set(text),
            1 => Key::Profile(text),
            _ => {
                let (namespace, name) = (Box::from(""), Box::from(&*text));
                Key::Endpoint(EndpointId { kind: palisade_policy::EndpointKind::Pod, namespace, name })
            }
        }
    }

    fn needs(number: usize, mask: u8) -> Box<[Key]> {
        match number / 4 {
            0 => [].into(),
            layer => {
                (0..4).filter(|bit| mask & 1 << bit != 0).map(|bit| key((layer - 1) * 4 + bit)).collect()
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Word {
        Offer(usize, u8),
        Withdraw(usize),
    }

    fn word() -> impl Strategy<Value = Word> {
        prop_oneof![
            3 => (0..12_usize, any::<u8>()).prop_map(|(number, mask)| Word::Offer(number, mask)),
            2 => (0..12_usize).prop_map(Word::Withdraw),
        ]
    }

    proptest! {
        #[test]
        fn nothing_shown_names_what_is_not(words in prop::collection::vec(word(), 0..80)) {
            let mut graph = Graph::default();
            let mut shown: BTreeMap<Key, Box<[Key]>> = BTreeMap::new();
            let mut said: BTreeMap<usize, u8> = BTreeMap::new();
            for word in words {
                let mut events = Vec::new();
                match word {
                    Word::Offer(number, mask) => {
                        said.insert(number, mask);
                        graph.offer(key(number), needs(number, mask), needs(number, mask), &mut events);
                    }
                    Word::Withdraw(number) => {
                        said.remove(&number);
                        graph.withdraw(&key(number), &mut events);
                    }
                }
                for event in events {
                    match event {
                        Event::Shown(key, content) => { shown.insert(key, content); }
                        Event::Hidden(key) => { prop_assert!(shown.remove(&key).is_some()); }
                    }
                }
                for needs in shown.values() {
                    for need in needs {
                        prop_assert!(shown.contains_key(need), "{need:?} is named and not shown");
                    }
                }
                for number in 0..12 {
                    prop_assert_eq!(graph.is_shown(&key(number)), shown.contains_key(&key(number)));
                }
            }
            // In the end all that leads somewhere is as it was said last.
            let mut sound: BTreeSet<Key> = BTreeSet::new();
            for (number, mask) in &said {
                if needs(*number, *mask).iter().all(|need| sound.contains(need)) {
                    sound.insert(key(*number));
                    prop_assert_eq!(shown.get(&key(*number)), Some(&needs(*number, *mask)));
                }
            }
            // What goes beyond is held back: an older version, or somebody whom one names.
            let beyond = shown.keys().filter(|key| !sound.contains(*key)).count();
            prop_assert!(beyond == 0 || graph.held_back() > 0);
            // All of it is taken away: nothing is left behind.
            for number in (0..12).rev() {
                graph.withdraw(&key(number), &mut Vec::new());
            }
            prop_assert_eq!((graph.references(), graph.held_back(), graph.entries.len()), (0, 0, 0));
        }
    }
}
