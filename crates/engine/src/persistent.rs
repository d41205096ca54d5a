//! Persistent collections (IP, SESSION, USER, GLOBAL, RESOURCE): the operations that a transaction asks for,
//! the lookup that brings a collection in, and a store in process memory.
//!
//! A transaction never writes values back: two requests that count at the same time must both count. It sees
//! what it loaded with its own changes on top, and hands out [`Operation`]s that a store applies in order.

use std::collections::HashMap;

pub use palisade_seclang::ast::PersistentCollection;

/// A time as the caller's clock gives it: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// This time and a number of seconds more.
    pub fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }
}

/// One collection of one key, `IP` of `192.0.2.7`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CollectionKey {
    /// Which collection.
    pub collection: PersistentCollection,
    /// Whose, as `initcol` expanded it.
    pub key: Vec<u8>,
}

/// A variable of a collection as a store gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredVariable {
    /// Its name; compared without ASCII case.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// When it vanishes by `expirevar`.
    pub expires: Option<UnixMillis>,
    /// When it was last changed, which is what `deprecatevar` counts from.
    pub changed: UnixMillis,
}

/// A change to a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Whose variable.
    pub target: CollectionKey,
    /// Which variable, lower case.
    pub name: Vec<u8>,
    /// What happens to it.
    pub change: Change,
    /// When it was asked for.
    pub at: UnixMillis,
    /// How long the collection lives after it (`SecCollectionTimeout`).
    pub timeout_seconds: u64,
}

/// What happens to a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It gets a value.
    Set(Vec<u8>),
    /// A number is added to it; text counts as its leading integer.
    Add(i64),
    /// It vanishes at a time.
    Expire(UnixMillis),
    /// `deprecatevar`: for each whole period since it was last changed, this much is taken off, never below 0.
    Decay {
        /// How much a period.
        amount: u64,
        /// How long a period is.
        period_seconds: u64,
    },
    /// It goes.
    Delete,
}

/// A store in process memory, for one process and for tests. Bounded: over `collections_max`, collections that
/// have expired go, then the one that would expire first.
#[derive(Debug)]
pub struct MemoryStore {
    collections: HashMap<CollectionKey, Collection>,
    collections_max: usize,
    variables_max: usize,
    bytes_max: usize,
    /// What the collections hold, about.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Collection {
    variables: HashMap<Vec<u8>, Variable>,
    expires: UnixMillis,
    /// What it holds, about.
    bytes: usize,
}

#[derive(Debug)]
struct Variable {
    value: Vec<u8>,
    expires: Option<UnixMillis>,
    changed: UnixMillis,
}

impl Default for MemoryStore {
    fn default() -> Self {
        // 100,000 addresses with a few counters are some 30 MB; a rule set with more names than 1,000 in one
        // collection builds them from the request, which is an attack on memory.
        Self::with_limits(100_000, 1_000, 128 << 20)
    }
}

impl MemoryStore {
    /// A store with bounds of its own: collections, variables of one collection, and bytes of all, about.
    pub fn with_limits(collections_max: usize, variables_max: usize, bytes_max: usize) -> Self {
        Self { collections: HashMap::new(), collections_max, variables_max, bytes_max, bytes: 0 }
    }

    /// The variables of a collection that are alive, in the order of their names.
    pub fn load(&mut self, key: &CollectionKey, now: UnixMillis) -> Vec<StoredVariable> {
        let Some(collection) = self.collections.get_mut(key) else { return Vec::new() };
        if collection.expires <= now {
            self.bytes -= collection.bytes;
            self.collections.remove(key);
            return Vec::new();
        }
        let mut freed = 0;
        collection.variables.retain(|name, variable| {
            let alive = variable.expires.is_none_or(|at| at > now);
            freed += if alive { 0 } else { variable.bytes(name) };
            alive
        });
        collection.bytes -= freed;
        self.bytes -= freed;
        let mut variables: Vec<StoredVariable> = collection
            .variables
            .iter()
            .map(|(name, variable)| StoredVariable {
                name: name.clone(),
                value: variable.value.clone(),
                expires: variable.expires,
                changed: variable.changed,
            })
            .collect();
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        variables
    }

    /// Applies changes in order.
    pub fn commit(&mut self, operations: impl IntoIterator<Item = Operation>) {
        for operation in operations {
            self.apply(operation);
        }
    }

    /// Puts a collection in the place of what is held of it: one that a store which several processes share gave. Its bounds
    /// hold as they do for changes.
    pub fn put(
        &mut self,
        key: &CollectionKey,
        variables: Vec<StoredVariable>,
        expires: UnixMillis,
        now: UnixMillis,
    ) {
        if let Some(held) = self.collections.remove(key) {
            self.bytes -= held.bytes;
        }
        if variables.is_empty() || expires <= now {
            return;
        }
        if self.collections.len() >= self.collections_max {
            self.make_room(now);
        }
        let mut collection =
            Collection { bytes: key.key.len() + COLLECTION_BYTES, expires, ..Collection::default() };
        for StoredVariable { name, value, expires, changed } in variables.into_iter().take(self.variables_max)
        {
            let variable = Variable { value, expires, changed };
            collection.bytes += variable.bytes(&name);
            if let Some(twice) = collection.variables.insert(name.clone(), variable) {
                collection.bytes -= twice.bytes(&name);
            }
        }
        self.bytes += collection.bytes;
        self.collections.insert(key.clone(), collection);
        while self.bytes > self.bytes_max && !self.collections.is_empty() {
            self.make_room(now);
        }
    }

    /// How many collections are held.
    pub fn len(&self) -> usize {
        self.collections.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.collections.is_empty()
    }

    fn apply(&mut self, operation: Operation) {
        let Operation { target, name, change, at, timeout_seconds } = operation;
        if self.collections.len() >= self.collections_max && !self.collections.contains_key(&target) {
            self.make_room(at);
        }
        let variables_max = self.variables_max;
        let key_bytes = target.key.len() + COLLECTION_BYTES;
        let collection = self.collections.entry(target).or_insert_with(|| {
            self.bytes += key_bytes;
            Collection { bytes: key_bytes, ..Collection::default() }
        });
        collection.expires = at.plus_seconds(timeout_seconds);
        let held = collection.variables.get(&name).map_or(0, |variable| variable.bytes(&name));
        if collection.variables.get(&name).is_some_and(|v| v.expires.is_some_and(|expires| expires <= at)) {
            collection.variables.remove(&name);
        }
        let creates = matches!(change, Change::Set(_) | Change::Add(_));
        if creates && collection.variables.len() >= variables_max && !collection.variables.contains_key(&name)
        {
            return;
        }
        match change {
            Change::Set(value) => {
                let expires = collection.variables.get(&name).and_then(|v| v.expires);
                collection.variables.insert(name.clone(), Variable { value, expires, changed: at });
            }
            Change::Add(delta) => {
                let variable = collection.variables.entry(name.clone()).or_insert(Variable {
                    value: Vec::new(),
                    expires: None,
                    changed: at,
                });
                let sum = crate::number::leading_integer(&variable.value).saturating_add(delta);
                variable.value = sum.to_string().into_bytes();
                variable.changed = at;
            }
            Change::Expire(expires) => {
                if let Some(variable) = collection.variables.get_mut(&name) {
                    variable.expires = Some(expires);
                }
            }
            Change::Decay { amount, period_seconds } => {
                if let Some(variable) = collection.variables.get_mut(&name)
                    && let Some(value) =
                        decayed(&variable.value, variable.changed, at, amount, period_seconds)
                {
                    variable.value = value;
                    variable.changed = at;
                }
            }
            Change::Delete => {
                collection.variables.remove(&name);
            }
        }
        let holds = collection.variables.get(&name).map_or(0, |variable| variable.bytes(&name));
        collection.bytes = collection.bytes + holds - held;
        self.bytes = self.bytes + holds - held;
        while self.bytes > self.bytes_max && !self.collections.is_empty() {
            self.make_room(at);
        }
    }

    fn make_room(&mut self, now: UnixMillis) {
        self.drop_where(|collection| collection.expires <= now);
        if self.collections.len() < self.collections_max && self.bytes <= self.bytes_max {
            return;
        }
        // A tenth at once, so that a full store does not pay for a search with every new key.
        let mut expiries: Vec<UnixMillis> =
            self.collections.values().map(|collection| collection.expires).collect();
        let mut surplus = (expiries.len() / 10).max(1).min(expiries.len());
        if surplus > 0 {
            let (_, last, _) = expiries.select_nth_unstable(surplus - 1);
            let last = *last;
            self.drop_where(|collection| {
                let goes = collection.expires <= last && surplus > 0;
                surplus -= usize::from(goes);
                goes
            });
        }
    }

    fn drop_where(&mut self, mut goes: impl FnMut(&Collection) -> bool) {
        let bytes = &mut self.bytes;
        self.collections.retain(|_, collection| {
            let goes = goes(collection);
            *bytes -= if goes { collection.bytes } else { 0 };
            !goes
        });
    }
}

impl Variable {
    fn bytes(&self, name: &[u8]) -> usize {
        name.len() + self.value.len() + VARIABLE_BYTES
    }
}

/// What a collection and a variable cost beside their texts, about.
const COLLECTION_BYTES: usize = 200;
const VARIABLE_BYTES: usize = 120;

/// What is left of a value after `deprecatevar`, when a whole period has gone by since its last change.
pub(crate) fn decayed(
    value: &[u8],
    changed: UnixMillis,
    now: UnixMillis,
    amount: u64,
    period_seconds: u64,
) -> Option<Vec<u8>> {
    let periods = now.0.saturating_sub(changed.0) / period_seconds.max(1).saturating_mul(1000);
    let loss = i64::try_from(amount.saturating_mul(periods)).unwrap_or(i64::MAX);
    let left = crate::number::leading_integer(value).saturating_sub(loss).max(0);
    (periods > 0).then(|| left.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(name: &str, change: Change, at: u64) -> Operation {
        Operation {
            target: CollectionKey { collection: PersistentCollection::Ip, key: b"192.0.2.7".to_vec() },
            name: name.into(),
            change,
            at: UnixMillis(at),
            timeout_seconds: 60,
        }
    }

    fn value(store: &mut MemoryStore, name: &str, at: u64) -> Option<String> {
        let key = CollectionKey { collection: PersistentCollection::Ip, key: b"192.0.2.7".to_vec() };
        store
            .load(&key, UnixMillis(at))
            .into_iter()
            .find(|v| v.name == name.as_bytes())
            .map(|v| String::from_utf8(v.value).unwrap())
    }

    #[test]
    fn counts_add_up_whoever_asks_first() {
        let mut store = MemoryStore::default();
        store.commit([operation("n", Change::Add(2), 0), operation("n", Change::Add(3), 1)]);
        assert_eq!(value(&mut store, "n", 2).as_deref(), Some("5"));
    }

    #[test]
    fn an_expired_variable_is_gone_and_starts_anew() {
        let mut store = MemoryStore::default();
        store.commit([
            operation("n", Change::Add(2), 0),
            operation("n", Change::Expire(UnixMillis(1_000)), 0),
        ]);
        assert_eq!(value(&mut store, "n", 999).as_deref(), Some("2"));
        assert_eq!(value(&mut store, "n", 1_000), None);
        store.commit([operation("n", Change::Add(1), 1_500)]);
        assert_eq!(value(&mut store, "n", 1_500).as_deref(), Some("1"));
    }

    #[test]
    fn a_collection_lives_as_long_as_it_is_written() {
        let mut store = MemoryStore::default();
        store.commit([operation("n", Change::Set(b"x".to_vec()), 0)]);
        assert_eq!(value(&mut store, "n", 59_999).as_deref(), Some("x"));
        assert_eq!(value(&mut store, "n", 60_000), None);
        assert!(store.is_empty());
    }

    #[test]
    fn decay_takes_whole_periods_and_stops_at_zero() {
        let mut store = MemoryStore::default();
        store.commit([operation("n", Change::Set(b"10".to_vec()), 0)]);
        let decay = Change::Decay { amount: 3, period_seconds: 10 };
        store.commit([operation("n", decay.clone(), 9_999)]);
        assert_eq!(value(&mut store, "n", 9_999).as_deref(), Some("10"));
        store.commit([operation("n", decay.clone(), 20_000)]);
        assert_eq!(value(&mut store, "n", 20_000).as_deref(), Some("4"));
        store.commit([operation("n", decay, 50_000)]);
        assert_eq!(value(&mut store, "n", 50_000).as_deref(), Some("0"));
    }

    #[test]
    fn a_full_store_drops_what_expires_first() {
        let mut store = MemoryStore::with_limits(10, 10, 1 << 20);
        for n in 0..50u64 {
            let mut op = operation("n", Change::Add(1), n);
            op.target.key = n.to_string().into_bytes();
            store.commit([op]);
            assert!(store.len() <= 10);
        }
        let newest = CollectionKey { collection: PersistentCollection::Ip, key: b"49".to_vec() };
        assert_eq!(store.load(&newest, UnixMillis(50)).len(), 1);
    }

    #[test]
    fn a_store_has_a_bound_on_its_bytes() {
        let mut store = MemoryStore::with_limits(1_000_000, 1_000, 100_000);
        for n in 0..500u64 {
            let mut op = operation("n", Change::Set(vec![b'x'; 1_000]), n);
            op.target.key = n.to_string().into_bytes();
            store.commit([op]);
            let held: usize = store.collections.values().map(|collection| collection.bytes).sum();
            assert_eq!(store.bytes, held);
            assert!(held <= 100_000);
        }
        assert!(store.len() > 50);
        // What one request writes cannot be more than the store.
        store.commit([operation("n", Change::Set(vec![b'x'; 200_000]), 500)]);
        assert!(store.bytes <= 100_000);
        for n in 0..500u64 {
            let key = CollectionKey { collection: PersistentCollection::Ip, key: n.to_string().into_bytes() };
            store.load(&key, UnixMillis(10_000_000));
        }
        assert_eq!((store.bytes, store.len()), (0, 0));
    }

    #[test]
    fn what_another_store_gives_stands_in_the_place_of_what_was_held() {
        let mut store = MemoryStore::with_limits(10, 3, 2_000);
        store.commit([operation("old", Change::Add(2), 0)]);
        let key = operation("", Change::Delete, 0).target;
        let variable = |name: &str, value: Vec<u8>| StoredVariable {
            name: name.into(),
            value,
            expires: (name == "short").then_some(UnixMillis(5)),
            changed: UnixMillis(1),
        };
        let given =
            vec![variable("n", b"7".to_vec()), variable("n", b"8".to_vec()), variable("short", vec![])];
        store.put(&key, given, UnixMillis(60), UnixMillis(2));
        assert_eq!((value(&mut store, "old", 3), value(&mut store, "n", 3).as_deref()), (None, Some("8")));
        store.commit([operation("n", Change::Add(1), 4)]);
        assert_eq!((value(&mut store, "n", 5).as_deref(), value(&mut store, "short", 5)), (Some("9"), None));
        let many = (0..9).map(|number| variable(&number.to_string(), vec![])).collect();
        store.put(&key, many, UnixMillis(60), UnixMillis(5));
        assert_eq!(store.load(&key, UnixMillis(6)).len(), 3);
        store.put(&key, vec![variable("n", vec![b'x'; 5_000])], UnixMillis(60), UnixMillis(5));
        assert_eq!((store.bytes, store.len()), (0, 0), "more than the store holds");
        store.put(&key, vec![variable("n", vec![])], UnixMillis(5), UnixMillis(5));
        store.put(&key, Vec::new(), UnixMillis(60), UnixMillis(5));
        assert_eq!((store.bytes, store.len()), (0, 0));
    }

    #[test]
    fn a_collection_has_a_bound_on_its_names() {
        let mut store = MemoryStore::with_limits(10, 3, 1 << 20);
        for n in 0..10 {
            store.commit([operation(&format!("n{n}"), Change::Add(1), 0)]);
        }
        let key = CollectionKey { collection: PersistentCollection::Ip, key: b"192.0.2.7".to_vec() };
        assert_eq!(store.load(&key, UnixMillis(1)).len(), 3);
    }
}
