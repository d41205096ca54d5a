//! Keys and values as etcd's version 2 API has them: a tree of directories, an index that counts changes.
//!
//! What the bank and its attackers use is here: get, recursive get, set, delete, and etcd's errors for each. Leases, watches,
//! comparisons and in-order keys are not.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The keys that fit. Over it: 403, error 406.
pub const KEYS_MAX: usize = 10_000;
/// The longest key. Over it: 403, error 406.
pub const KEY_BYTES_MAX: usize = 1024;
/// The longest value. Over it: 403, error 406.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// A store. Directories are there while there are keys below them.
#[derive(Debug, Default)]
pub struct Etcd {
    keys: BTreeMap<String, Entry>,
    index: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    value: String,
    created: u64,
    modified: u64,
}

/// What a key API answers: a status and a body.
type Said = (u16, Value);

impl Etcd {
    /// How many changes there have been.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The value of a key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.keys.get(&normal(key)).map(|entry| entry.value.as_str())
    }

    /// Sets a key without a word.
    pub fn set(&mut self, key: &str, value: &str) {
        let _ = self.put(key, value);
    }

    /// `GET /v2/keys/KEY`: a value, or what is in a directory, with `recursive` all the way down.
    #[must_use]
    pub fn get(&self, key: &str, recursive: bool) -> Said {
        let key = normal(key);
        match self.keys.get(&key) {
            Some(entry) => (200, json!({"action": "get", "node": entry.node(&key)})),
            None if self.is_directory(&key) => {
                (200, json!({"action": "get", "node": self.directory(&key, recursive, true)}))
            }
            None => self.refuse(404, 100, "Key not found", &key),
        }
    }

    /// `PUT /v2/keys/KEY` with a value: 201 for a new key, 200 with what was there for another.
    pub fn put(&mut self, key: &str, value: &str) -> Said {
        let key = normal(key);
        if key == "/" {
            return self.refuse(403, 107, "Root is read only", "/");
        }
        if self.is_directory(&key) {
            return self.refuse(403, 102, "Not a file", &key);
        }
        if let Some(parent) = parents(&key).find(|parent| self.keys.contains_key(*parent)) {
            return self.refuse(400, 104, "Not a directory", parent);
        }
        let fits = self.keys.len() < KEYS_MAX || self.keys.contains_key(&key);
        if !fits || key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
            return self.refuse(403, 406, "Not enough space", "");
        }
        self.index += 1;
        let before = self.keys.get(&key).cloned();
        let created = before.as_ref().map_or(self.index, |before| before.created);
        let entry = Entry { value: value.to_owned(), created, modified: self.index };
        let node = entry.node(&key);
        self.keys.insert(key.clone(), entry);
        match before {
            None => (201, json!({"action": "set", "node": node})),
            Some(before) => (200, json!({"action": "set", "node": node, "prevNode": before.node(&key)})),
        }
    }

    /// `DELETE /v2/keys/KEY`; a directory goes with `recursive` only.
    pub fn delete(&mut self, key: &str, recursive: bool) -> Said {
        let key = normal(key);
        if let Some(before) = self.keys.remove(&key) {
            self.index += 1;
            let node = json!({"key": key, "createdIndex": before.created, "modifiedIndex": self.index});
            return (200, json!({"action": "delete", "node": node, "prevNode": before.node(&key)}));
        }
        if key == "/" {
            return self.refuse(403, 107, "Root is read only", "/");
        }
        match (self.is_directory(&key), recursive) {
            (false, _) => self.refuse(404, 100, "Key not found", &key),
            (true, false) => self.refuse(403, 102, "Not a file", &key),
            (true, true) => {
                self.index += 1;
                let below = format!("{key}/");
                self.keys.retain(|there, _| !there.starts_with(&below));
                let node = json!({"key": key, "dir": true, "modifiedIndex": self.index});
                (200, json!({"action": "delete", "node": node}))
            }
        }
    }

    fn is_directory(&self, key: &str) -> bool {
        key == "/" || self.below(key).next().is_some()
    }

    /// The keys below a directory.
    fn below<'s>(&'s self, key: &str) -> impl Iterator<Item = (&'s String, &'s Entry)> {
        let below = if key == "/" { "/".to_owned() } else { format!("{key}/") };
        let from = self.keys.range(below.clone()..);
        from.take_while(move |(there, _)| there.starts_with(&below))
    }

    /// A directory; what is in it where it was asked for itself, or with `recursive`.
    fn directory(&self, key: &str, recursive: bool, asked: bool) -> Value {
        let mut node = json!({"dir": true});
        if key != "/" {
            node["key"] = json!(key);
            let created = self.below(key).map(|(_, entry)| entry.created).min();
            node["createdIndex"] = json!(created);
            node["modifiedIndex"] = json!(created);
        }
        if asked || recursive {
            let depth = if key == "/" { 1 } else { key.len() + 1 };
            let mut children: Vec<&str> = self
                .below(key)
                .map(|(there, _)| {
                    let end = there[depth..].find('/').map_or(there.len(), |end| depth + end);
                    &there[..end]
                })
                .collect();
            children.dedup();
            let child = |there: &str| match self.keys.get(there) {
                Some(entry) => entry.node(there),
                None => self.directory(there, recursive, false),
            };
            let nodes: Vec<Value> = children.into_iter().map(child).collect();
            if !nodes.is_empty() {
                node["nodes"] = Value::Array(nodes);
            }
        }
        node
    }

    fn refuse(&self, status: u16, code: u16, message: &str, cause: &str) -> Said {
        (status, json!({"errorCode": code, "message": message, "cause": cause, "index": self.index}))
    }
}

impl Entry {
    fn node(&self, key: &str) -> Value {
        json!({
            "key": key, "value": self.value, "modifiedIndex": self.modified, "createdIndex": self.created,
        })
    }
}

/// `/a/b` of `a//b/`.
fn normal(key: &str) -> String {
    let parts: Vec<&str> = key.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

/// `/a` and `/a/b` of `/a/b/c`.
fn parents(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('/').skip(1).map(|(end, _)| &key[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bank() -> Etcd {
        let mut etcd = Etcd::default();
        etcd.set("/accounts/1/name", "Ada");
        etcd.set("/accounts/1/balance", "5");
        etcd.set("/accounts/2/name", "Bo");
        etcd
    }

    #[test]
    fn values_are_got_set_and_deleted_in_etcds_words() {
        let mut etcd = bank();
        let (status, said) = etcd.get("/accounts/1/balance", false);
        let node = json!({"key": "/accounts/1/balance", "value": "5", "modifiedIndex": 2, "createdIndex": 2});
        assert_eq!((status, said), (200, json!({"action": "get", "node": node})));
        let (status, said) = etcd.put("accounts//1/balance/", "10000.00");
        assert_eq!(status, 200);
        assert_eq!(said["action"], "set");
        assert_eq!((&said["node"]["value"], &said["prevNode"]["value"]), (&json!("10000.00"), &json!("5")));
        assert_eq!((&said["node"]["modifiedIndex"], &said["node"]["createdIndex"]), (&json!(4), &json!(2)));
        assert_eq!(etcd.put("/new", "x").0, 201);
        assert_eq!(etcd.delete("/new", false).1["prevNode"]["value"], "x");
        assert_eq!(etcd.value("/new"), None);
    }

    #[test]
    fn directories_show_their_children_and_recursively_everything() {
        let etcd = bank();
        let (_, said) = etcd.get("/", true);
        assert_eq!(said["node"]["dir"], true);
        assert_eq!(said["node"]["key"], Value::Null, "the root has no key");
        let accounts = &said["node"]["nodes"][0];
        assert_eq!((&accounts["key"], &accounts["dir"]), (&json!("/accounts"), &json!(true)));
        assert_eq!(accounts["nodes"].as_array().unwrap().len(), 2);
        assert_eq!(accounts["nodes"][0]["nodes"][1]["value"], "Ada");
        let (_, said) = etcd.get("/accounts", false);
        assert_eq!(said["node"]["nodes"][0]["key"], "/accounts/1");
        assert_eq!(said["node"]["nodes"][0]["nodes"], Value::Null, "not further than it was asked for");
    }

    #[test]
    fn what_cannot_be_is_refused_with_etcds_codes() {
        let mut etcd = bank();
        let code = |(status, said): Said| (status, said["errorCode"].as_u64().unwrap());
        assert_eq!(code(etcd.get("/accounts/9", true)), (404, 100));
        assert_eq!(code(etcd.put("/accounts", "x")), (403, 102));
        assert_eq!(code(etcd.put("/accounts/1/name/x", "x")), (400, 104));
        assert_eq!(code(etcd.put("/", "x")), (403, 107));
        assert_eq!(code(etcd.delete("/accounts", false)), (403, 102));
        assert_eq!(code(etcd.delete("/accountsx", true)), (404, 100));
        assert_eq!(code(etcd.put("/a", &"x".repeat(VALUE_BYTES_MAX + 1))), (403, 406));
        assert_eq!(etcd.delete("/accounts/1", true).0, 200);
        assert_eq!(etcd.get("/accounts/1", false).0, 404);
        for number in 0..KEYS_MAX {
            etcd.set(&format!("/many/{number}"), "");
        }
        assert_eq!(code(etcd.put("/one-more", "")), (403, 406));
    }
}
