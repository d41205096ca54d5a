//! `/api/v1/services/{name}/inventory`: what a service's API looks like from outside: its endpoints, methods, parameters and
//! answers, as L7 records have seen them; and the same as an OpenAPI 3.1 document.
//!
//! ```text
//! L7 records ──> paths as a tree ──> endpoints ──> a page, or a document (`document`)
//!                 │ a segment that is a number, a UUID, a date .. is a parameter of the path
//!                 └ a folder with many names is one with a parameter
//! ```
//!
//! No value is known here, only classes of values: records hold no others. Requests that were stopped by us are not counted,
//! and an endpoint that only ever answered 404 is none: it is what scanners asked for. Paths are as deep as records keep
//! them (`events.l7`, five segments unless the configuration says otherwise).

mod document;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_events::store::{EventStore, Filter, Order, StoreError, Table};
use palisade_model::{Calendar, Redactor};
use serde_json::{Value, json};

use self::tree::Tree;
use super::request::Parameters;
use super::{Refused, window_and_place};
use crate::allowance::{list, text};
use crate::records::Records;

pub(super) use self::document::document;

/// Records that are looked at, the newest first, and the time for it.
const RECORDS_MAX: usize = 200_000;
const TIME_MAX: Duration = Duration::from_secs(3);
const PAGE: usize = 1_000;
/// Methods and statuses of an endpoint, and parameters of a method.
const METHODS_MAX: usize = 16;
const STATUSES_MAX: usize = 64;
const PARAMETERS_MAX: usize = 200;

/// What was seen of a service.
#[derive(Debug)]
pub(super) struct Inventory {
    service: String,
    from: u64,
    to: u64,
    tree: Tree,
    /// Requests that are in none of the endpoints: stopped by us, answered 404 alone, or too many different ones.
    stopped: u64,
    without_room: u64,
    complete_from: Option<u64>,
}

/// What was seen at one path, by method.
#[derive(Debug, Default)]
pub(super) struct Endpoint {
    methods: BTreeMap<String, Seen>,
}

/// What was seen of one method of a path.
#[derive(Debug, Default)]
struct Seen {
    requests: u64,
    statuses: BTreeMap<String, u64>,
    parameters: BTreeMap<(String, String), Parameter>,
    /// There were more than are kept.
    cut: bool,
    first: u64,
    last: u64,
    /// Something in its path was masked.
    masked: bool,
}

/// A parameter, as it was seen in many requests.
#[derive(Debug, Default)]
struct Parameter {
    count: u64,
    classes: BTreeSet<String>,
    bytes_max: u64,
}

/// Reads what was seen, and where a page of it begins.
pub(super) async fn inventory(
    service: String,
    parameters: &Parameters,
    records: &Arc<Records>,
) -> Result<(Inventory, usize), Refused> {
    let (from, to, after) = window_and_place(parameters)?;
    let inventory = records
        .read(move |store| {
            let tree = Tree::default();
            let mut inventory =
                Inventory { service, from, to, tree, stopped: 0, without_room: 0, complete_from: None };
            inventory.read(store)?;
            Ok(inventory)
        })
        .await?;
    Ok((inventory, after))
}

impl Inventory {
    fn read(&mut self, store: &dyn EventStore) -> Result<(), StoreError> {
        let begun = Instant::now();
        let filter = Filter {
            from_unix_millis: Some(self.from),
            to_unix_millis: Some(self.to),
            service: Some(self.service.clone()),
            ..Filter::default()
        };
        let (mut after, mut read) = (None, 0);
        loop {
            let page = store.page(Table::Traffic, &filter, Order::NewestFirst, after, PAGE)?;
            for record in &page.items {
                if let Ok(value) = serde_json::from_str::<Value>(&record.json) {
                    self.add(&value, record.id.unix_millis());
                }
            }
            read += page.items.len();
            after = page.next;
            if after.is_none() {
                break;
            }
            if read >= RECORDS_MAX || begun.elapsed() > TIME_MAX {
                self.complete_from =
                    Some(page.items.last().map_or(self.to, |record| record.id.unix_millis()));
                break;
            }
        }
        Ok(())
    }

    fn add(&mut self, record: &Value, at: u64) {
        let number = |key: &str| record[key].as_u64().unwrap_or_default();
        let (count, blocked) = (number("count"), number("blocked"));
        let requests = count.saturating_sub(blocked);
        self.stopped += blocked;
        let (method, url) = (text(record, "method"), text(record, "url"));
        if requests == 0 || method.is_empty() || !url.starts_with('/') {
            return;
        }
        let path = url.split('?').next().unwrap_or_default();
        let Some(endpoint) = self.tree.endpoint(path) else {
            self.without_room += requests;
            return;
        };
        if endpoint.methods.len() >= METHODS_MAX && !endpoint.methods.contains_key(method) {
            self.without_room += requests;
            return;
        }
        let seen = endpoint.methods.entry(method.to_owned()).or_default();
        seen.requests += requests;
        let status = Some(text(record, "response_code")).filter(|code| !code.is_empty()).unwrap_or("-");
        if seen.statuses.len() < STATUSES_MAX || seen.statuses.contains_key(status) {
            *seen.statuses.entry(status.to_owned()).or_default() += requests;
        }
        seen.first = if seen.first == 0 { at } else { seen.first.min(at) };
        seen.last = seen.last.max(at);
        seen.masked |= path.contains("***");
        for parameter in list(record, "parameters") {
            let key = (text(parameter, "place").to_owned(), text(parameter, "name").to_owned());
            if seen.parameters.len() >= PARAMETERS_MAX && !seen.parameters.contains_key(&key) {
                seen.cut = true;
                continue;
            }
            let known = seen.parameters.entry(key).or_default();
            known.count += parameter["count"].as_u64().unwrap_or_default();
            known.bytes_max = known.bytes_max.max(parameter["bytes_max"].as_u64().unwrap_or_default());
            let classes = list(parameter, "classes").iter().filter_map(Value::as_str);
            known.classes.extend(classes.take(16).map(str::to_owned));
        }
    }

    /// Endpoints that something answered, by path, with the names of the parameters in their paths.
    fn endpoints(&self) -> Vec<(String, Vec<tree::InPath>, BTreeMap<&str, &Seen>)> {
        let answered = |seen: &&Seen| seen.statuses.keys().any(|status| status != "404" && status != "-");
        let all = self.tree.endpoints().into_iter().map(|(path, in_path, endpoint)| {
            let methods = endpoint.methods.iter().filter(|(_, seen)| answered(seen));
            (path, in_path, methods.map(|(method, seen)| (method.as_str(), seen)).collect())
        });
        all.filter(|(_, _, methods): &(_, _, BTreeMap<_, _>)| !methods.is_empty()).collect()
    }

    /// A page of endpoints: one item for each method of a path.
    pub(super) fn shown(&self, after: usize, limit: usize) -> Value {
        let endpoints = self.endpoints();
        let all: Vec<Value> = endpoints
            .iter()
            .flat_map(|(path, in_path, methods)| {
                methods.iter().map(move |(method, seen)| seen.shown(method, path, in_path))
            })
            .collect();
        let next = (all.len() > after.saturating_add(limit))
            .then(|| format!("{}.{}.{}", self.from, self.to, after + limit));
        let counted: u64 =
            endpoints.iter().flat_map(|(_, _, methods)| methods.values()).map(|seen| seen.requests).sum();
        let not_found = self.tree.requests() - counted;
        let time = |millis: u64| Calendar::new(millis, 0).rfc3339();
        let items: Vec<Value> = all.iter().skip(after).take(limit).cloned().collect();
        json!({
            "from": time(self.from),
            "to": time(self.to),
            "endpoints": all.len(),
            "requests": counted,
            "left_out": {"stopped": self.stopped, "not_found": not_found, "without_room": self.without_room},
            "complete_from": self.complete_from.map(time),
            "items": items,
            "next": next,
        })
    }
}

impl Endpoint {
    fn requests(&self) -> u64 {
        self.methods.values().map(|seen| seen.requests).sum()
    }

    /// All of another is this one's.
    fn absorb(&mut self, other: Self) {
        for (method, theirs) in other.methods {
            let ours = self.methods.entry(method).or_default();
            ours.requests += theirs.requests;
            theirs
                .statuses
                .into_iter()
                .for_each(|(status, count)| *ours.statuses.entry(status).or_default() += count);
            for (key, parameter) in theirs.parameters {
                if ours.parameters.len() >= PARAMETERS_MAX && !ours.parameters.contains_key(&key) {
                    ours.cut = true;
                    continue;
                }
                let known = ours.parameters.entry(key).or_default();
                known.count += parameter.count;
                known.bytes_max = known.bytes_max.max(parameter.bytes_max);
                known.classes.extend(parameter.classes);
            }
            ours.first = if ours.first == 0 { theirs.first } else { ours.first.min(theirs.first) };
            ours.last = ours.last.max(theirs.last);
            ours.cut |= theirs.cut;
            ours.masked |= theirs.masked;
        }
    }
}

impl Seen {
    fn shown(&self, method: &str, path: &str, in_path: &[tree::InPath]) -> Value {
        let mut sensitive: BTreeSet<String> = BTreeSet::new();
        if self.masked {
            sensitive.insert("a secret in the path".to_owned());
        }
        sensitive.extend(
            in_path
                .iter()
                .filter(|one| one.class == "email")
                .map(|one| format!("e-mail address in the path at {}", one.name)),
        );
        let parameters: Vec<Value> = self
            .parameters
            .iter()
            .map(|((place, name), seen)| {
                let is = sensitive_as(name, &seen.classes);
                sensitive.extend(is.map(|is| format!("{is} in {place} {name}")));
                json!({
                    "place": place, "name": name, "count": seen.count, "classes": seen.classes,
                    "bytes_max": seen.bytes_max, "sensitive": is,
                })
            })
            .collect();
        let mut classes: BTreeMap<String, u64> = BTreeMap::new();
        for (status, count) in &self.statuses {
            let class = match status.as_bytes() {
                [first @ b'1'..=b'5', _, _] => format!("{}xx", char::from(*first)),
                _ => "none".to_owned(),
            };
            *classes.entry(class).or_default() += count;
        }
        json!({
            "method": method,
            "path": path,
            "in_path": in_path.iter().map(|one| json!({"name": one.name, "class": one.class})).collect::<Vec<_>>(),
            "requests": self.requests,
            "statuses": self.statuses,
            "status_classes": classes,
            "parameters": parameters,
            "parameters_cut": self.cut,
            "sensitive": sensitive,
            "first": Calendar::new(self.first, 0).rfc3339(),
            "last": Calendar::new(self.last, 0).rfc3339(),
        })
    }
}

/// What kind of sensitive data a parameter seems to hold, by its name or the class of its values.
fn sensitive_as(name: &str, classes: &BTreeSet<String>) -> Option<&'static str> {
    const PERSONAL: [&str; 12] = [
        "phone",
        "mobile",
        "birth",
        "iban",
        "address",
        "street",
        "zipcode",
        "postcode",
        "firstname",
        "lastname",
        "surname",
        "gender",
    ];
    let joined: String =
        name.chars().filter(|one| one.is_ascii_alphanumeric()).collect::<String>().to_ascii_lowercase();
    if Redactor::new().hides(name.as_bytes()) {
        Some("secret")
    } else if classes.contains("email") || joined.contains("email") {
        Some("e-mail address")
    } else if PERSONAL.iter().any(|word| joined.contains(word)) {
        Some("personal data")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn of(records: &[Value]) -> Inventory {
        let tree = Tree::default();
        let mut inventory = Inventory {
            service: "web".to_owned(),
            from: 0,
            to: 9,
            tree,
            stopped: 0,
            without_room: 0,
            complete_from: None,
        };
        records.iter().for_each(|record| inventory.add(record, 5));
        inventory
    }

    pub(super) fn record(method: &str, url: &str, status: &str, parameters: Value) -> Value {
        json!({"method": method, "url": url, "response_code": status, "count": 3, "blocked": 0, "parameters": parameters})
    }

    #[test]
    fn endpoints_have_their_parameters_answers_and_what_is_sensitive() {
        let q = json!([
            {"place": "query", "name": "page", "count": 3, "classes": ["integer"], "bytes_max": 2},
            {"place": "body", "name": "password", "count": 3, "classes": ["word"], "bytes_max": 9},
            {"place": "body", "name": "contact", "count": 3, "classes": ["email"], "bytes_max": 20},
        ]);
        let shown = of(&[
            record("GET", "/users/7?page=1", "200", q.clone()),
            record("GET", "/users/8?page=2", "403", q),
            record("POST", "/users/a@example.com/mail", "201", json!([])),
            record("GET", "/wp-admin", "404", json!([])),
            json!({"method": "GET", "url": "/x", "response_code": "403", "count": 4, "blocked": 4}),
        ])
        .shown(0, 100);
        assert_eq!(shown["endpoints"], 2);
        assert_eq!(shown["left_out"], json!({"stopped": 4, "not_found": 3, "without_room": 0}));
        let (mail, users) = (&shown["items"][0], &shown["items"][1]);
        assert_eq!(
            (&users["path"], &users["method"], &users["requests"]),
            (&json!("/users/{id}"), &json!("GET"), &json!(6))
        );
        assert_eq!(users["status_classes"], json!({"2xx": 3, "4xx": 3}));
        assert_eq!(
            users["parameters"][2],
            json!({"place": "query", "name": "page", "count": 6, "classes": ["integer"], "bytes_max": 2, "sensitive": null})
        );
        assert_eq!(users["sensitive"], json!(["e-mail address in body contact", "secret in body password"]));
        assert_eq!(mail["path"], "/users/{email}/mail");
        assert_eq!(mail["sensitive"], json!(["e-mail address in the path at email"]));
    }

    #[test]
    fn pages_are_of_one_time_and_whatever_a_record_says_is_taken() {
        let records: Vec<Value> =
            (0..10).map(|number| record("GET", &format!("/a{number}"), "200", json!([]))).collect();
        let inventory = of(&records);
        let first = inventory.shown(0, 6);
        assert_eq!((first["items"].as_array().unwrap().len(), &first["next"]), (6, &json!("0.9.6")));
        assert_eq!(inventory.shown(6, 6)["items"].as_array().unwrap().len(), 4);
        let odd = [
            json!(null),
            json!({"count": "x"}),
            record("", "/", "200", json!(7)),
            record("GET", "x", "", json!([1])),
        ];
        assert_eq!(of(&odd).shown(0, 9)["endpoints"], 0);
    }
}
