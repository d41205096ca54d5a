//! What it takes to let a request pass that was stopped: exceptions for exactly the rules and attacks that it met, at exactly
//! the places where they saw something, below its path.
//!
//! An event is read as it is kept, as JSON: what was cut or masked there is not guessed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

/// What one request would have to be excepted from.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Allowance {
    /// For each rule of the event, in its order, the place that it looked at; `null` where no exception can name it alone.
    pub(crate) points: Vec<Option<String>>,
    /// What it takes; nothing where no exception lets it pass.
    pub(crate) exceptions: Vec<Needed>,
    /// Rules that looked at more than one place: they can be excepted only as a whole.
    pub(crate) broad: Vec<u64>,
    /// Why no exception is offered.
    pub(crate) why_not: Option<&'static str>,
}

/// An exception in the words of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Needed {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rules: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) attacks: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) points: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) paths: Vec<String>,
}

/// What CRS counts for a severity.
const SCORES: [(u64, u64); 4] = [(2, 5), (3, 4), (4, 3), (5, 2)];
/// The rules by which CRS blocks, and the sum from which on it does so by default.
const BLOCKING: [&str; 4] = ["949110", "949111", "959100", "959101"];
const THRESHOLD: u64 = 5;
/// Places that are looked at: an event holds fewer.
const PLACES_MAX: usize = 256;

impl Allowance {
    /// What it takes to let the request of an event pass, and nothing else.
    pub(crate) fn of(event: &Value) -> Self {
        let rules = list(event, "rules");
        let points: Vec<Option<String>> =
            rules.iter().map(|rule| point_of(text(rule, "target"), event)).collect();
        let cause = text(event, "cause");
        let none = |points, why| Self { points, why_not: Some(why), ..Self::default() };
        if !matches!(cause, "" | "rule" | "finding") {
            return none(points, "it was not stopped by a rule or a finding");
        }
        let path = text(event, "path").split('?').next().unwrap_or_default();
        let is_plain = path.starts_with('/') && !path.contains("\\x");
        let paths: Vec<String> = is_plain.then(|| path.to_owned()).into_iter().collect();
        let tolerated = tolerated(rules, cause);
        let mut places: BTreeMap<Option<&str>, (BTreeSet<u64>, BTreeSet<&str>)> = BTreeMap::new();
        for (number, (rule, point)) in rules.iter().zip(&points).enumerate().take(PLACES_MAX) {
            let id = text(rule, "id").parse::<u64>().ok().filter(|id| *id > 0);
            if let Some(id) = id.filter(|_| !adds_up(rule) && !tolerated.contains(&number)) {
                places.entry(point.as_deref()).or_default().0.insert(id);
            }
        }
        for finding in list(event, "findings").iter().take(PLACES_MAX) {
            let attack = text(finding, "attack");
            let point = Some(text(finding, "point")).filter(|point| !point.is_empty());
            if let (Some(point), false) = (point, attack.is_empty()) {
                places.entry(Some(point)).or_default().1.insert(attack);
            }
        }
        // In an exception `*` stands for anything, and a client chooses its names.
        if places.keys().flatten().any(|point| point.contains('*')) {
            return none(points, "an exception for a name with `*` in it would allow other names as well");
        }
        let mut broad = BTreeSet::new();
        let mut exceptions = Vec::new();
        for (point, (ids, attacks)) in places {
            let at: Vec<String> = point.map(str::to_owned).into_iter().collect();
            if point.is_none() {
                broad.extend(ids.iter().copied());
            }
            // Attacks and rules are told apart, so that each can be taken back alone.
            let needed = Needed { points: at, paths: paths.clone(), ..Needed::default() };
            if !ids.is_empty() {
                exceptions.push(Needed { rules: ids.into_iter().collect(), ..needed.clone() });
            }
            if !attacks.is_empty() {
                let attacks = attacks.into_iter().map(str::to_owned).collect();
                exceptions.push(Needed { attacks, ..needed });
            }
        }
        let why_not = exceptions.is_empty().then_some("no rule and no finding says that it saw something");
        Self { points, exceptions, broad: broad.into_iter().collect(), why_not }
    }
}

/// Numbers of rules that need no exception: all of them where a finding decided; where CRS adds up scores, the lightest
/// whose sum alone stops nothing.
fn tolerated(rules: &[Value], cause: &str) -> BTreeSet<usize> {
    let mut saw: Vec<usize> = (0..rules.len()).filter(|number| !adds_up(&rules[*number])).collect();
    if cause == "finding" {
        return saw.into_iter().collect();
    }
    if !rules.iter().any(|rule| BLOCKING.contains(&text(rule, "id"))) {
        return BTreeSet::new();
    }
    let severity = |number: &usize| text(&rules[*number], "severity").parse::<u64>().unwrap_or(9);
    saw.sort_by_key(severity);
    let mut sum = 0;
    let light = saw.into_iter().rev().take_while(|number| {
        let severity = severity(number);
        sum += SCORES.iter().find(|(of, _)| *of == severity).map_or(0, |(_, score)| *score);
        sum < THRESHOLD
    });
    light.collect()
}

/// Whether a rule only looks at what others counted.
fn adds_up(rule: &Value) -> bool {
    text(rule, "target").starts_with("TX:") || rule["phase"].as_u64() == Some(5)
}

/// The point that a rule's target stands for.
fn point_of(target: &str, event: &Value) -> Option<String> {
    let (collection, key) = target.split_once(':').unwrap_or((target, ""));
    let in_query = || names_of_query(event).any(|name| name == key);
    Some(match collection {
        "ARGS_GET" => format!("query:{key}"),
        "ARGS" if in_query() => format!("query:{key}"),
        "ARGS" | "ARGS_POST" => field(key, event),
        "ARGS_NAMES" | "ARGS_GET_NAMES" if in_query() => format!("query-name:{key}"),
        "ARGS_NAMES" | "ARGS_GET_NAMES" | "ARGS_POST_NAMES" => format!("body.form-name:{key}"),
        "REQUEST_HEADERS" => format!("header:{}", key.to_ascii_lowercase()),
        "REQUEST_HEADERS_NAMES" => format!("header-name:{}", key.to_ascii_lowercase()),
        "REQUEST_COOKIES" => format!("cookie:{key}"),
        "REQUEST_COOKIES_NAMES" => format!("cookie-name:{key}"),
        "FILES" => format!("body.filename:{key}"),
        "REQUEST_FILENAME" | "REQUEST_BASENAME" | "PATH_INFO" => "path".to_owned(),
        "QUERY_STRING" => "query".to_owned(),
        "REQUEST_BODY" => "body".to_owned(),
        "XML" => "body.xml".to_owned(),
        _ => return None,
    })
}

/// A field of a body as a finding named it, or of a form.
fn field(key: &str, event: &Value) -> String {
    let json = key.strip_prefix("json.").map(pointer);
    let is_same = |point: &&str| {
        let name = point.split_once(':').filter(|_| point.starts_with("body")).map(|(_, name)| name);
        name.is_some_and(|name| name == key || json.as_deref() == Some(name))
    };
    let named = list(event, "findings").iter().map(|finding| text(finding, "point")).find(is_same);
    match (named, json) {
        (Some(point), _) => point.to_owned(),
        (None, Some(json)) => format!("body.json:{json}"),
        (None, None) => format!("body.form:{key}"),
    }
}

/// `user.array_0.name` as `/user/0/name`.
fn pointer(path: &str) -> String {
    let number = |part: &str| {
        let number =
            part.strip_prefix("array_").filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        format!("/{}", number.unwrap_or(part))
    };
    path.split('.').map(number).collect()
}

/// Names of the query's parameters, decoded.
fn names_of_query(event: &Value) -> impl Iterator<Item = String> {
    let query = text(event, "path").split_once('?').map(|(_, query)| query).unwrap_or_default();
    query.split('&').map(|pair| {
        let name = pair.split('=').next().unwrap_or_default().replace('+', " ");
        crate::api::request::unescaped(&name).unwrap_or(name)
    })
}

pub(crate) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

pub(crate) fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn exceptions(event: &Value) -> Value {
        serde_json::to_value(Allowance::of(event).exceptions).unwrap()
    }

    fn rule(id: &str, target: &str, severity: &str) -> Value {
        json!({"id": id, "target": target, "severity": severity, "phase": 2})
    }

    #[test]
    fn targets_become_points_as_the_request_has_them() {
        let event = json!({
            "path": "/a?q=1&a%5Bb%5D=2",
            "findings": [{"attack": "xss", "point": "body.multipart:note"}, {"attack": "sqli", "point": "body.json:/user/name"}],
        });
        for (target, point) in [
            ("ARGS:q", Some("query:q")),
            ("ARGS:a[b]", Some("query:a[b]")),
            ("ARGS:other", Some("body.form:other")),
            ("ARGS_POST:q", Some("body.form:q")),
            ("ARGS:note", Some("body.multipart:note")),
            ("ARGS:json.user.name", Some("body.json:/user/name")),
            ("ARGS:json.other.array_0.x", Some("body.json:/other/0/x")),
            ("ARGS_NAMES:q", Some("query-name:q")),
            ("ARGS_NAMES:x", Some("body.form-name:x")),
            ("REQUEST_HEADERS:User-Agent", Some("header:user-agent")),
            ("REQUEST_COOKIES:SID", Some("cookie:SID")),
            ("REQUEST_FILENAME", Some("path")),
            ("QUERY_STRING", Some("query")),
            ("REQUEST_PROTOCOL", None),
            ("", None),
        ] {
            assert_eq!(point_of(target, &event).as_deref(), point, "{target}");
        }
    }

    #[test]
    fn what_decided_is_excepted_at_its_place_below_its_path_and_no_more() {
        let event = json!({
            "cause": "rule", "path": "/shop/search?q=1",
            "rules": [rule("1001", "ARGS:q", "2"), rule("1002", "ARGS:q", "3"), rule("1003", "REQUEST_PROTOCOL", "2")],
        });
        assert_eq!(
            exceptions(&event),
            json!([
                {"rules": [1003], "paths": ["/shop/search"]},
                {"rules": [1001, 1002], "points": ["query:q"], "paths": ["/shop/search"]},
            ])
        );
        assert_eq!(Allowance::of(&event).broad, [1003]);
        // A finding decided: rules that only said something need none.
        let event = json!({
            "cause": "finding", "path": "/a?q=1", "rules": [rule("1001", "ARGS:q", "2")],
            "findings": [{"attack": "sqli", "point": "query:q"}],
        });
        assert_eq!(
            exceptions(&event),
            json!([{"attacks": ["sqli"], "points": ["query:q"], "paths": ["/a"]}])
        );
    }

    #[test]
    fn the_lightest_of_what_crs_adds_up_need_no_exception() {
        let event = json!({
            "cause": "rule", "path": "/a?q=1",
            "rules": [
                rule("920350", "REQUEST_HEADERS:Host", "4"), rule("942100", "ARGS:q", "2"),
                rule("949110", "TX:blocking_inbound_anomaly_score", "2"),
            ],
        });
        assert_eq!(exceptions(&event), json!([{"rules": [942100], "points": ["query:q"], "paths": ["/a"]}]));
    }

    #[test]
    fn nothing_is_offered_for_what_it_would_not_allow_or_would_allow_too_much() {
        for event in [
            json!({"cause": "policy", "path": "/a", "rules": [rule("1", "ARGS:q", "2")]}),
            json!({"cause": "rule", "path": "/a?*=1", "rules": [rule("1", "ARGS:*", "2")]}),
            json!({"cause": "finding", "path": "/", "findings": [{"attack": "xss", "point": "cookie:*"}]}),
            json!({"cause": "rule"}),
            json!({"rules": 1, "findings": "x", "path": 7}),
            json!(null),
        ] {
            let allowance = Allowance::of(&event);
            assert!(allowance.exceptions.is_empty() && allowance.why_not.is_some(), "{event}");
        }
        // A path that is not known exactly is named by none.
        let event = json!({"cause": "rule", "path": "/a\\x00?q=1", "rules": [rule("1", "ARGS:q", "2")]});
        assert_eq!(exceptions(&event), json!([{"rules": [1], "points": ["query:q"]}]));
    }
}
