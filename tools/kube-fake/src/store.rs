//! All objects, their versions, and what changed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::kinds::{Key, Kind, Kinds, Scope};

/// Namespace and name.
pub(crate) type Name = (String, String);

/// A change, as watches tell it.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) kind: Key,
    pub(crate) old: Option<Arc<Value>>,
    /// Absent: deleted. `last` is then what it was, with the version of the deletion.
    pub(crate) new: Option<Arc<Value>>,
    pub(crate) last: Arc<Value>,
}

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) kinds: Kinds,
    objects: BTreeMap<Key, BTreeMap<Name, Arc<Value>>>,
    version: u64,
    made: u64,
    /// What no watch can ask for any more.
    pub(crate) forgotten: u64,
    changes: VecDeque<Change>,
}

impl Store {
    pub(crate) fn new() -> Store {
        let mut store = Store {
            kinds: Kinds::built_in(),
            objects: BTreeMap::new(),
            version: 1,
            made: 0,
            forgotten: 0,
            changes: VecDeque::new(),
        };
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            store.namespace(name);
        }
        store
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Uses up a version, as writes to what is not kept here do.
    pub(crate) fn pass(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Makes a namespace unless there is one.
    pub(crate) fn namespace(&mut self, name: &str) {
        let kind = Arc::clone(self.kinds.get("", "namespaces").expect("built in"));
        if name.is_empty() || self.get(&kind, "", name).is_some() {
            return;
        }
        let mut namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.identify(&kind, &mut namespace);
        crate::builtin::fill_in(&kind, &mut namespace, 0);
        self.put(&kind, namespace);
    }

    pub(crate) fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.objects.get(&key(kind))?.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// In the order of namespace and name; all namespaces when there is none.
    pub(crate) fn list<'a>(
        &'a self,
        kind: &Kind,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Name, &'a Arc<Value>)> {
        self.objects
            .get(&key(kind))
            .into_iter()
            .flatten()
            .filter(move |((of, _), _)| namespace.is_none_or(|namespace| namespace == of))
    }

    /// The uid and time of something new.
    pub(crate) fn identify(&mut self, kind: &Kind, object: &mut Value) {
        self.made += 1;
        let metadata = object["metadata"].as_object_mut().expect("objects have metadata");
        metadata.insert("uid".into(), json!(format!("5eed0000-0000-4000-8000-{:012x}", self.made)));
        metadata.insert("creationTimestamp".into(), json!(now()));
        if kind.generation {
            metadata.insert("generation".into(), json!(1));
        }
    }

    /// Five letters that no name before had.
    pub(crate) fn suffix(&mut self) -> String {
        const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        self.made += 1;
        let mut rest = self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (0..5)
            .map(|_| {
                let letter = LETTERS[(rest % 27) as usize];
                rest /= 27;
                char::from(letter)
            })
            .collect()
    }

    /// Keeps `object` under a new version.
    pub(crate) fn put(&mut self, kind: &Kind, mut object: Value) -> Arc<Value> {
        let version = self.pass();
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let name = name_of(&object);
        let object = Arc::new(object);
        let old = self.objects.entry(key(kind)).or_default().insert(name, Arc::clone(&object));
        let (new, last) = (Some(Arc::clone(&object)), Arc::clone(&object));
        self.changed(Change { version, kind: key(kind), old, new, last });
        object
    }

    /// Takes an object away. The answer has the version of the deletion.
    pub(crate) fn remove(&mut self, kind: &Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let old = self.objects.get_mut(&key(kind))?.remove(&(namespace.to_owned(), name.to_owned()))?;
        let version = self.pass();
        let mut last = Value::clone(&old);
        last["metadata"]["resourceVersion"] = json!(version.to_string());
        let last = Arc::new(last);
        self.changed(Change { version, kind: key(kind), old: Some(old), new: None, last: Arc::clone(&last) });
        Some(last)
    }

    /// What changed after `version`, in order.
    pub(crate) fn since(&self, version: u64) -> impl Iterator<Item = &Change> {
        let at = self.changes.partition_point(|change| change.version <= version);
        self.changes.range(at..)
    }

    /// Objects of a kind as they were at `version`, as far as it is still known.
    pub(crate) fn at(&self, kind: &Kind, version: u64) -> BTreeMap<Name, Arc<Value>> {
        let mut objects = self.objects.get(&key(kind)).cloned().unwrap_or_default();
        for change in self.changes.iter().rev().take_while(|change| change.version > version) {
            if change.kind == key(kind) {
                match &change.old {
                    Some(old) => drop(objects.insert(name_of(old), Arc::clone(old))),
                    None => drop(objects.remove(&name_of(&change.last))),
                }
            }
        }
        objects
    }

    /// Forgets all history.
    pub(crate) fn compact(&mut self) {
        self.pass();
        self.forgotten = self.version;
        self.changes.clear();
    }

    fn changed(&mut self, change: Change) {
        self.changes.push_back(change);
        if self.changes.len() > CHANGES_MAX
            && let Some(oldest) = self.changes.pop_front()
        {
            self.forgotten = oldest.version;
        }
    }
}

pub(crate) fn key(kind: &Kind) -> Key {
    (kind.group.clone(), kind.plural.clone())
}

pub(crate) fn name_of(object: &Value) -> Name {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}

/// An object as a place in a kind: fills in its namespace.
pub(crate) fn placed(kind: &Kind, object: &mut Value) {
    if !object["metadata"].is_object() {
        object["metadata"] = Value::Object(Map::new());
    }
    if kind.scope == Scope::Namespaced && object["metadata"]["namespace"].is_null() {
        object["metadata"]["namespace"] = json!("default");
    }
}

/// `2026-11-22T18:00:00Z`
pub(crate) fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a date of the Gregorian calendar, counted from 0000-03-01 in eras of 400 years.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + carry;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// Changes that watches may still ask for.
const CHANGES_MAX: usize = 200_000;
