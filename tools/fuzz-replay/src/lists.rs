//! Targets for `palisade-lists` and `palisade-shared`: what is kept in files and in a Redis, where anybody may have written.

use std::collections::HashSet;
use std::sync::Arc;

use palisade_engine::persistent::{CollectionKey, MemoryStore, PersistentCollection, UnixMillis};
use palisade_lists::{Counting, Limits, Line, Lists, Meter, Moment, Pace, Rate, Record, Seed};
use palisade_shared::reply;

const NOW: Moment = Moment(1_700_000_000_000);

/// Lines of `lists.jsonl`. What reads as one is written and reads as the same; lists take all of them and stay within their
/// bounds.
pub fn list_line(input: &[u8]) {
    let limits = Limits {
        entries_max: 8,
        automatic_max: 4,
        entries_of_subject_max: 2,
        changes_max: 4,
        tombstones_max: 4,
    };
    let mut lists = Lists::new(limits);
    let mut reason: Arc<str> = "".into();
    for text in input.split(|byte| *byte == b'\n') {
        let Some(line) = Line::read(text, &mut reason) else { continue };
        let mut written = Vec::new();
        line.write(&mut written);
        // What has to be escaped may be too long then.
        if written.len() <= palisade_lists::LINE_BYTES_MAX {
            assert_eq!(Line::read(&written, &mut "".into()).as_ref(), Some(&line));
        }
        match line {
            Line::Entry(entry) => drop(lists.restore(entry)),
            Line::Past(change) => lists.remember(change),
            Line::Change(change) => {
                let _ = lists.add(change.entry.clone(), change.at, &change.by);
                if change.at.0 % 2 == 0 {
                    lists.remove(&change.entry.id(), change.at, &change.by);
                }
            }
        }
        let held = lists.entries().count();
        assert!(held <= limits.entries_max && lists.changes().count() <= limits.changes_max);
        assert!(lists.tombstones().count() <= limits.tombstones_max);
    }
}

/// An id, a line feed, a record, and another of each. What reads as a record is written and reads as the same, and of two
/// not both have the last word.
pub fn list_record(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let mut records = Vec::new();
    while let (Some(id), Some(text)) = (lines.next(), lines.next()) {
        let Some(record) = Record::decode(id, text, NOW) else { continue };
        assert!(!record.id.in_file);
        let (id, written) = (record.id.to_string(), record.encode());
        if written.len() <= palisade_lists::LINE_BYTES_MAX {
            assert_eq!(Record::decode(id.as_bytes(), &written, NOW).as_ref(), Some(&record));
        }
        records.push(record);
    }
    for one in &records {
        assert!(records.iter().all(|other| !(one.beats(other, NOW) && other.beats(one, NOW))));
    }
}

/// An answer of a Redis on the wire, taken for the answer to every question. What comes out is within bounds.
pub fn shared_reply(input: &[u8]) {
    let Ok(answer) = palisade_shared::parse_redis_value(input) else { return };
    drop(reply::hello(&answer));
    if let Some(news) = reply::news(&answer, NOW) {
        assert!(news.records.len() + news.unreadable <= news.told);
        assert_eq!(news.last.is_some(), news.told > 0);
    }
    drop(reply::pushed(&answer, NOW));
    let rate = |by| Rate { requests: 3, per: std::time::Duration::from_secs(1), by };
    for (is_window, by) in [(true, Counting::SlidingWindow), (false, Counting::LeakyBucket { burst: 2 })] {
        for together in reply::rates(&answer, &[is_window]).unwrap_or_default() {
            let mut meter = Meter::new(rate(by), 4, Seed(1, 2));
            meter.adopt(b"a", together, 1, NOW);
            let forgiven = Moment(NOW.0 + 60_000);
            assert_eq!(meter.take(b"a", forgiven), Pace::Within, "nobody is shut out for ever: {together:?}");
        }
    }
    let now = UnixMillis(NOW.0);
    for count in 1..3 {
        for collection in reply::collections(&answer, count, now).unwrap_or_default() {
            let reply::Collection::There(variables, expires) = collection else { continue };
            assert!(variables.iter().all(|variable| variable.expires.is_none_or(|end| end > now)));
            let mut store = MemoryStore::with_limits(4, 4, 4096);
            let key = CollectionKey { collection: PersistentCollection::Ip, key: b"k".to_vec() };
            store.put(&key, variables, expires, now);
            let names: Vec<Vec<u8>> =
                store.load(&key, now).into_iter().map(|variable| variable.name).collect();
            assert_eq!(names.len(), names.iter().collect::<HashSet<_>>().len());
            assert!(names.len() <= 4);
        }
    }
}
