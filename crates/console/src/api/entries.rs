//! Entries of lists as JSON.

use std::collections::HashMap;
use std::sync::Arc;

use palisade_lists::{Change, Entry, EntryId, Listing, Moment, Origin, Scope, Subject};
use palisade_model::Network;
use serde_json::{Map, Value, json};

use super::{Refused, bad, time};

/// Bytes of a request that changes a list: some hundred thousand addresses.
pub(super) const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Entries of one request.
const ENTRIES_MAX: usize = 100_000;
/// Bytes of a reason.
pub(super) const REASON_BYTES_MAX: usize = 256;
/// Keys of an entry.
const KEYS: [&str; 7] = ["list", "address", "country", "asn", "expires", "reason", "applications"];

/// An entry as it is shown.
pub(super) fn shown(entry: &Entry) -> Value {
    let mut shown = Map::new();
    shown.insert("id".into(), entry.id().to_string().into());
    shown.insert("list".into(), entry.list.as_str().into());
    match entry.subject {
        Subject::Network(_) => shown.insert("address".into(), entry.subject.to_string().into()),
        Subject::Country(country) => shown.insert("country".into(), country.as_str().into()),
        Subject::Asn(number) => shown.insert("asn".into(), number.into()),
    };
    shown.insert("applications".into(), entry.scope.applications().into());
    shown.insert("origin".into(), entry.origin.as_str().into());
    shown.insert("reason".into(), entry.reason.as_ref().into());
    shown.insert("created".into(), time::shown(entry.created).into());
    shown.insert("expires".into(), entry.expires.map(time::shown).into());
    Value::Object(shown)
}

/// A change as it is shown.
pub(super) fn shown_change(change: &Change) -> Value {
    json!({
        "at": time::shown(change.at),
        "what": change.what.as_str(),
        "by": *change.by,
        "entry": shown(&change.entry),
    })
}

/// Reads what is to be added: an entry, a list of them, or `{"items": [...]}`.
pub(super) fn read(list: Listing, body: &[u8], now: Moment) -> Result<Vec<Entry>, Refused> {
    let example =
        r#"write {"address": "192.0.2.0/24", "expires": "1h", "reason": "scanner"}, or a list of such"#;
    let mut value: Value = serde_json::from_slice(body)
        .map_err(|error| bad(format!("the body is no JSON ({error}): {example}")))?;
    let items = match &mut value {
        Value::Object(object) if object.contains_key("items") => object.remove("items"),
        _ => None,
    };
    let items = match items.unwrap_or(value) {
        Value::Array(items) => items,
        item @ Value::Object(_) => vec![item],
        _ => return Err(bad(example)),
    };
    if items.len() > ENTRIES_MAX {
        return Err(bad(format!("{} entries are more than the {ENTRIES_MAX} of one request", items.len())));
    }
    let mut reasons = HashMap::new();
    let read = |(index, item): (usize, &Value)| {
        entry(list, item, now, &mut reasons).map_err(|why| bad(format!("items[{index}]: {why}")))
    };
    items.iter().enumerate().map(read).collect()
}

fn entry(
    list: Listing,
    item: &Value,
    now: Moment,
    reasons: &mut HashMap<String, Arc<str>>,
) -> Result<Entry, String> {
    let object = item.as_object().ok_or("an entry is an object")?;
    if let Some(key) = object.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("the key `{key}` is not known; there are {}", KEYS.join(", ")));
    }
    let get = |key: &str| object.get(key).filter(|value| !value.is_null());
    let text = |key: &str| match get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("`{key}` is a text")),
    };
    if text("list")?.is_some_and(|other| other != list.as_str()) {
        return Err("`list` names another list than the path".to_owned());
    }
    let subject = match (text("address")?, text("country")?, get("asn")) {
        (Some(address), None, None) => {
            let network: Network = address.parse().map_err(|error| format!("`address`: {error}"))?;
            Subject::Network(network)
        }
        (None, Some(country), None) => {
            Subject::Country(country.parse().map_err(|error| format!("`country`: {error}"))?)
        }
        (None, None, Some(asn)) => match asn {
            Value::String(text) => Subject::asn(text).map_err(|error| format!("`asn`: {error}"))?,
            number => {
                let number = number.as_u64().and_then(|number| u32::try_from(number).ok());
                Subject::Asn(number.ok_or("`asn` is the number of an autonomous system")?)
            }
        },
        _ => return Err("an entry names one of `address`, `country` and `asn`".to_owned()),
    };
    let expires = match text("expires")? {
        None => None,
        Some(text) => Some(
            time::until(text, now)
                .filter(|end| *end > now)
                .ok_or("`expires` is a time from now such as 30m, 1h or 7d, or a moment to come such as 2030-01-01T00:00:00Z")?,
        ),
    };
    let reason = text("reason")?.unwrap_or_default();
    if reason.len() > REASON_BYTES_MAX {
        return Err(format!("a reason has at most {REASON_BYTES_MAX} bytes"));
    }
    // Long lists have few reasons.
    let reason = reasons.entry(one_line(reason)).or_insert_with_key(|reason| reason.as_str().into()).clone();
    let applications = match get("applications") {
        None => Vec::new(),
        Some(Value::Array(numbers)) => {
            let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
            let numbers: Option<Vec<u32>> = numbers.iter().map(number).collect();
            numbers.ok_or("`applications` are numbers")?
        }
        Some(_) => return Err("`applications` is a list of numbers".to_owned()),
    };
    let scope = Scope::of(applications).map_err(|error| error.to_string())?;
    Ok(Entry { list, subject, scope, origin: Origin::Api, reason, created: now, expires })
}

/// The ids of a body that says what is to be taken away; none without a body.
pub(super) fn ids(list: Listing, body: &[u8]) -> Result<Vec<EntryId>, Refused> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let example = r#"write {"ids": ["deny:192.0.2.0/24"]}"#;
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| bad(format!("the body is no JSON ({error}): {example}")))?;
    let ids = value.get("ids").and_then(Value::as_array).ok_or_else(|| bad(example))?;
    ids.iter().map(|id| id_of(list, id.as_str().unwrap_or_default())).collect()
}

pub(super) fn id_of(list: Listing, text: &str) -> Result<EntryId, Refused> {
    let id: EntryId = text.parse().map_err(|error| bad(format!("`{text}`: {error}")))?;
    if id.list != list {
        return Err(bad(format!("`{text}` is of another list than the path")));
    }
    Ok(id)
}

/// A text that stays within its line and its quotes in logs.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_700_000_000_000);

    #[test]
    fn entries_are_read_alone_and_in_lists() {
        for body in [
            r#"{"address": "192.0.2.0/24"}"#,
            r#"[{"address": "192.0.2.0/24", "list": "deny", "reason": null}]"#,
            r#"{"items": [{"address": "192.0.2.0/24", "applications": []}]}"#,
        ] {
            let entries = read(Listing::Deny, body.as_bytes(), NOW).unwrap();
            assert_eq!(entries.len(), 1);
            assert_eq!(entries[0].id().to_string(), "deny:192.0.2.0/24");
        }
        let body = br#"[{"asn": "AS64500", "expires": "1h", "reason": " a\nb "}, {"country": "nl", "applications": [2, 1]}]"#;
        let entries = read(Listing::Gray, body, NOW).unwrap();
        assert_eq!(entries[0].expires, Some(Moment(NOW.0 + 3_600_000)));
        assert_eq!((&*entries[0].reason, entries[1].id().to_string()), ("a b", "gray:NL@1,2".to_owned()));
        let shown = shown(&entries[0]);
        assert_eq!(
            (&shown["id"], &shown["asn"], &shown["expires"]),
            (&json!("gray:AS64500"), &json!(64500), &json!("2023-11-14T23:13:20Z"))
        );
    }

    #[test]
    fn what_is_no_entry_says_which_one_and_why() {
        for (body, said) in [
            ("", "the body is no JSON"),
            ("3", "write {"),
            ("[1]", "items[0]: an entry is an object"),
            (r#"[{"address": "192.0.2.1"}, {}]"#, "items[1]: an entry names one of"),
            (r#"{"address": "192.0.2.1", "country": "NL"}"#, "an entry names one of"),
            (r#"{"address": "192.0.2.1/24"}"#, "write 192.0.2.0/24, its first address"),
            (r#"{"address": "192.0.2.1", "ttl": 1}"#, "the key `ttl` is not known"),
            (r#"{"address": "192.0.2.1", "expires": "soon"}"#, "`expires` is a time from now"),
            (
                r#"{"address": "192.0.2.1", "expires": "2020-01-01T00:00:00Z"}"#,
                "`expires` is a time from now",
            ),
            (r#"{"address": "192.0.2.1", "applications": [-1]}"#, "`applications` are numbers"),
            (r#"{"address": "192.0.2.1", "list": "allow"}"#, "another list"),
            (r#"{"asn": 4294967296}"#, "`asn` is the number"),
        ] {
            let (_, why) = read(Listing::Deny, body.as_bytes(), NOW).unwrap_err();
            assert!(why.contains(said), "{body}: {why}");
        }
    }
}
