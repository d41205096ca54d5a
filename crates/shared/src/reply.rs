//! What Redis answers, read as hostile input: what does not hold together is left out and counted, never believed.

use std::collections::HashMap;
use std::time::Duration;

use palisade_engine::persistent::{StoredVariable, UnixMillis};
use palisade_lists::{Moment, Record, Together};
use redis::Value;

use crate::modes::ModeWord;

/// The epoch and the serial number.
pub fn hello(answer: &Value) -> Option<(String, u64)> {
    let [epoch, serial] = list(answer)? else { return None };
    Some((String::from_utf8(bytes(epoch)?.to_vec()).ok().filter(|epoch| !epoch.is_empty())?, number(serial)?))
}

/// A page of changes of lists.
#[derive(Debug, Default, PartialEq)]
pub struct News {
    /// Of which history.
    pub epoch: String,
    /// How many changes there have been.
    pub serial: u64,
    /// Entries, as they stand now.
    pub records: Vec<Record>,
    /// How many changes this page tells of.
    pub told: usize,
    /// The serial number of the last of them.
    pub last: Option<u64>,
    /// Those that do not hold together.
    pub unreadable: usize,
}

/// Reads a page of changes.
pub fn news(answer: &Value, now: Moment) -> Option<News> {
    let [epoch, serial, changes @ ..] = list(answer)? else { return None };
    let mut news = News {
        epoch: String::from_utf8(bytes(epoch)?.to_vec()).ok()?,
        serial: number(serial)?,
        ..News::default()
    };
    for change in changes.chunks_exact(3) {
        news.told += 1;
        // One that nobody numbered would be told for ever.
        news.last = Some(number(&change[0])?);
        match (bytes(&change[1]), bytes(&change[2])) {
            // It was swept meanwhile.
            (_, Some(b"")) => {}
            (Some(id), Some(record)) => match Record::decode(id, record, now) {
                Some(record) => news.records.push(record),
                None => news.unreadable += 1,
            },
            _ => news.unreadable += 1,
        }
    }
    Some(news)
}

/// Words on modes.
#[derive(Debug, Default, PartialEq)]
pub struct ModeNews {
    /// How far changes have come; empty where there never was one.
    pub serial: String,
    /// What was said last of each service, where the number is another one than the asker's.
    pub words: Vec<ModeWord>,
    /// Those that do not hold together.
    pub unreadable: usize,
}

/// Reads words on modes.
pub fn modes(answer: &Value, now: Moment) -> Option<ModeNews> {
    let [serial, words @ ..] = list(answer)? else { return None };
    let serial = String::from_utf8(bytes(serial)?.to_vec()).ok()?;
    let mut news = ModeNews { serial, ..ModeNews::default() };
    for pair in words.chunks_exact(2) {
        match (bytes(&pair[0]), bytes(&pair[1])) {
            (Some(service), Some(word)) => match ModeWord::decode(service, word, now) {
                Some(word) => news.words.push(word),
                None => news.unreadable += 1,
            },
            _ => news.unreadable += 1,
        }
    }
    Some(news)
}

/// What became of entries that were to be stored.
#[derive(Debug, Default, PartialEq)]
pub struct Pushed {
    /// How those stand that were not stored.
    pub standing: Vec<Record>,
    /// Ids of those that are not there any more.
    pub gone: Vec<Vec<u8>>,
    /// Those that do not hold together.
    pub unreadable: usize,
}

/// Reads what became of them; `None` where the history is another one.
pub fn pushed(answer: &Value, now: Moment) -> Option<Pushed> {
    let [word, entries @ ..] = list(answer)? else { return None };
    if bytes(word)? != b"ok" {
        return None;
    }
    let mut pushed = Pushed::default();
    for entry in entries.chunks_exact(2) {
        match (bytes(&entry[0]), bytes(&entry[1])) {
            (Some(id), Some(b"")) => pushed.gone.push(id.to_vec()),
            (Some(id), Some(record)) => match Record::decode(id, record, now) {
                Some(record) => pushed.standing.push(record),
                None => pushed.unreadable += 1,
            },
            _ => pushed.unreadable += 1,
        }
    }
    Some(pushed)
}

/// What is known together of the keys of a batch, in its order; `windows` says which are counted by windows.
pub fn rates(answer: &Value, windows: &[bool]) -> Option<Vec<Together>> {
    let numbers: Option<Vec<u64>> = list(answer)?.iter().map(number).collect();
    let numbers = numbers.filter(|numbers| numbers.len() == 3 * windows.len())?;
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let together = |(numbers, is_window): (&[u64], &bool)| match is_window {
        true => Together::Window {
            age: Duration::from_millis(numbers[0]),
            before: count(numbers[1]),
            now: count(numbers[2]),
        },
        false => Together::Bucket(Duration::from_micros(numbers[0])),
    };
    Some(numbers.chunks_exact(3).zip(windows).map(together).collect())
}

/// A collection as it is stored.
#[derive(Debug, PartialEq)]
pub enum Collection {
    /// These variables, until then.
    There(Vec<StoredVariable>, UnixMillis),
    /// There is none.
    Absent,
    /// What is there is none of ours.
    Unreadable,
}

/// The collections of a batch, in its order.
pub fn collections(answer: &Value, count: usize, now: UnixMillis) -> Option<Vec<Collection>> {
    let answers = list(answer).filter(|answers| answers.len() == count)?;
    Some(answers.iter().map(|answer| collection(answer, now)).collect())
}

fn collection(answer: &Value, now: UnixMillis) -> Collection {
    match list(answer) {
        Some([Value::Int(-2)]) => Collection::Absent,
        Some([Value::Int(lives @ 1..), fields]) => {
            let Some(fields) = list(fields) else { return Collection::Unreadable };
            let expires = UnixMillis(now.0.saturating_add(lives.unsigned_abs()));
            Collection::There(variables(fields, now), expires)
        }
        // It was over as it was asked for.
        Some([Value::Int(0), _]) => Collection::Absent,
        _ => Collection::Unreadable,
    }
}

fn variables(fields: &[Value], now: UnixMillis) -> Vec<StoredVariable> {
    let mut texts: HashMap<&[u8], &[u8]> = HashMap::new();
    for field in fields.chunks_exact(2) {
        if let (Some(name), Some(text)) = (bytes(&field[0]), bytes(&field[1])) {
            texts.insert(name, text);
        }
    }
    let time = |kind: u8, name: &[u8]| {
        let text = texts.get([&[kind], name].concat().as_slice())?;
        std::str::from_utf8(text).ok()?.parse().ok().map(UnixMillis)
    };
    let values = texts.iter().filter_map(|(field, value)| match field {
        [b'v', name @ ..] => Some((name, *value)),
        _ => None,
    });
    let variable = |(name, value): (&[u8], &[u8])| StoredVariable {
        name: name.to_ascii_lowercase(),
        value: value.to_vec(),
        expires: time(b'e', name),
        // Nothing decays faster than from now on.
        changed: time(b'c', name).unwrap_or(now).min(now),
    };
    let mut variables: Vec<StoredVariable> =
        values.map(variable).filter(|variable| variable.expires.is_none_or(|end| end > now)).collect();
    variables.sort_by(|one, other| one.name.cmp(&other.name));
    variables
}

fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(values) => Some(values),
        _ => None,
    }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        value => std::str::from_utf8(bytes(value)?).ok()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_collection_is_what_holds_together_of_it() {
        let now = UnixMillis(1_000);
        let fields = [
            "vn", "7", "en", "2000", "cn", "500", "vold", "x", "eold", "999", "vodd", "y", "codd", "-1", "?",
            "",
        ];
        let fields: Vec<Value> = fields.map(text).to_vec();
        let answer = Value::Array(vec![
            Value::Array(vec![Value::Int(60), Value::Array(fields)]),
            Value::Array(vec![Value::Int(-2)]),
            Value::Array(vec![Value::Int(-3)]),
            Value::Nil,
        ]);
        let read = collections(&answer, 4, now).unwrap();
        let Collection::There(variables, UnixMillis(1_060)) = &read[0] else { panic!("{read:?}") };
        let shown: Vec<_> = variables.iter().map(|v| (v.name.as_slice(), v.expires, v.changed)).collect();
        assert_eq!(
            shown,
            [(&b"n"[..], Some(UnixMillis(2_000)), UnixMillis(500)), (b"odd", None, UnixMillis(1_000))]
        );
        assert_eq!(read[1..], [Collection::Absent, Collection::Unreadable, Collection::Unreadable]);
        assert_eq!(collections(&answer, 3, now), None);
    }

    #[test]
    fn news_leave_out_what_does_not_hold_together_and_go_on_behind_it() {
        let now = Moment(1_700_000_000_000);
        let gone = "0001700000000003 r 0001700086400003 bob";
        let answer = ["e", "9", "3", "deny:192.0.2.1", gone, "4", "deny:192.0.2.2", "", "5", "", "?"];
        let read = news(&Value::Array(answer.map(text).to_vec()), now).unwrap();
        assert_eq!((read.told, read.last, read.unreadable, read.records.len()), (3, Some(5), 1, 1));
        assert_eq!((&*read.epoch, read.serial, &*read.records[0].by), ("e", 9, "bob"));
        let endless = ["e", "9", "x", "deny:192.0.2.1", gone];
        assert_eq!(news(&Value::Array(endless.map(text).to_vec()), now), None);
        let refused = ["ok", "deny:192.0.2.1", gone, "deny:192.0.2.2", "", "deny:192.0.2.3", "?"];
        let read = pushed(&Value::Array(refused.map(text).to_vec()), now).unwrap();
        assert_eq!((read.standing.len(), read.gone.len(), read.unreadable), (1, 1, 1));
        assert_eq!(pushed(&Value::Array(vec![text("epoch")]), now), None);
    }

    #[test]
    fn rates_are_read_for_every_key_or_not_at_all() {
        let answer = Value::Array([5, 2, 1 << 40, 700, 0, 0].map(Value::Int).to_vec());
        let read = rates(&answer, &[true, false]).unwrap();
        assert_eq!(
            read,
            [
                Together::Window { age: Duration::from_millis(5), before: 2, now: u32::MAX },
                Together::Bucket(Duration::from_micros(700))
            ]
        );
        assert_eq!(rates(&answer, &[true]), None);
        assert_eq!(rates(&Value::Array(vec![Value::Int(-1), Value::Int(0), Value::Int(0)]), &[true]), None);
    }
}
