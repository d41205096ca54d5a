//! What several processes that share lists know of one entry: how it stands, since when, and who has the last word where
//! they say different things.
//!
//! ```text
//!   1700000000000 a 1700003600000 {"what":"entry",...}      somebody's entry, or what a source earned (p, a)
//!   1700000000000 r 1700086400000 alice (api, 127.0.0.1)    it was taken away
//!   since         |  forgotten after (0: never)
//! ```
//!
//! The begin is of one width, so that a script beside the store can compare two of them without reading further.

use std::sync::Arc;

use palisade_model::Moment;

use crate::entry::{Entry, EntryId, Origin};
use crate::history::TOMBSTONE_TIME;
use crate::line::{LINE_BYTES_MAX, Line};

/// What is known of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose. Never one of a file, which is each process's own.
    pub id: EntryId,
    /// Since when it stands so.
    pub at: Moment,
    /// The entry; `None`: it was taken away.
    pub entry: Option<Entry>,
    /// By whom, in words; may be empty.
    pub by: Arc<str>,
}

/// How far ahead of ours another clock may be. What is later still is not believed: it would have the last word for ever.
const AHEAD_MS_MAX: u64 = 24 * 3600 * 1000;
/// Bytes of `by`.
const BY_BYTES_MAX: usize = 512;
/// Digits of a time.
const DIGITS: usize = 16;
const TIME_MAX: u64 = 9_999_999_999_999_999;

impl Record {
    /// An entry as it stands.
    ///
    /// `None` for one of a file.
    pub fn of(entry: Entry, by: Arc<str>) -> Option<Self> {
        let standing = entry.origin != Origin::File;
        standing.then(|| Self { id: entry.id(), at: entry.created, entry: Some(entry), by })
    }

    /// Whether this is to stand where another stands: people's entries stand over what sources earned, whenever that was;
    /// otherwise the later counts. Of two alike neither does, so the first stays.
    pub fn beats(&self, other: &Self, now: Moment) -> bool {
        match (self.is_peoples(now), other.is_peoples(now)) {
            (true, false) if other.is_earned() => true,
            (false, true) if self.is_earned() => false,
            _ => self.at > other.at,
        }
    }

    fn is_peoples(&self, now: Moment) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.origin != Origin::Automatic && !entry.is_over(now))
    }

    fn is_earned(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.origin == Origin::Automatic)
    }

    /// As it is stored.
    pub fn encode(&self) -> Vec<u8> {
        let (word, end) = match &self.entry {
            Some(entry) if entry.origin == Origin::Automatic => ('a', entry.expires),
            Some(entry) => ('p', entry.expires),
            None => ('r', Some(self.at.after(TOMBSTONE_TIME))),
        };
        let end = end.map_or(0, |end| end.0.min(TIME_MAX));
        let mut out = format!("{:0DIGITS$} {word} {end:0DIGITS$} ", self.at.0.min(TIME_MAX)).into_bytes();
        match &self.entry {
            Some(entry) => {
                Line::Entry(entry.clone()).write(&mut out);
                out.pop();
            }
            None => out.extend_from_slice(self.by.as_bytes()),
        }
        out
    }

    /// Reads what is stored for an id; `None` where it does not hold together, or comes from too far ahead.
    pub fn decode(id: &[u8], bytes: &[u8], now: Moment) -> Option<Self> {
        if bytes.len() > LINE_BYTES_MAX {
            return None;
        }
        let id: EntryId = std::str::from_utf8(id).ok()?.parse().ok()?;
        let (head, rest) = bytes.split_at_checked(2 * DIGITS + 4)?;
        let time = |digits: &[u8]| {
            let all = digits.iter().all(u8::is_ascii_digit);
            std::str::from_utf8(digits).ok().filter(|_| all)?.parse().ok().map(Moment)
        };
        let (at, end) = (time(&head[..DIGITS])?, time(&head[DIGITS + 3..2 * DIGITS + 3])?);
        let is_shaped = (head[DIGITS], head[DIGITS + 2], head[2 * DIGITS + 3]) == (b' ', b' ', b' ');
        if !is_shaped || id.in_file || at.0 > now.0.saturating_add(AHEAD_MS_MAX) {
            return None;
        }
        let word = head[DIGITS + 1];
        if word == b'r' {
            let by = std::str::from_utf8(rest).ok().filter(|by| by.len() <= BY_BYTES_MAX)?;
            return Some(Self { id, at, entry: None, by: by.into() });
        }
        let Line::Entry(entry) = Line::read(rest, &mut "".into())? else { return None };
        let is_of_origin = match word {
            b'a' => entry.origin == Origin::Automatic,
            b'p' => matches!(entry.origin, Origin::Api | Origin::Console),
            _ => return None,
        };
        let holds = entry.id() == id
            && is_of_origin
            && entry.created == at
            && entry.expires.unwrap_or(Moment(0)) == end;
        holds.then(|| Self { id, at, entry: Some(entry), by: "".into() })
    }
}

#[cfg(test)]
mod tests {
    use palisade_model::Listing;

    use super::*;
    use crate::entry::Scope;

    const NOW: Moment = Moment(1_700_000_000_000);

    fn record(origin: Origin, at: u64, expires: Option<u64>) -> Record {
        let entry = Entry {
            list: Listing::Deny,
            subject: "192.0.2.0/24".parse().unwrap(),
            scope: Scope::of(vec![3]).unwrap(),
            origin,
            reason: "why not".into(),
            created: Moment(NOW.0 + at),
            expires: expires.map(|end| Moment(NOW.0 + end)),
        };
        Record::of(entry, "".into()).unwrap()
    }

    fn gone(at: u64) -> Record {
        let Record { id, .. } = record(Origin::Api, 0, None);
        Record { id, at: Moment(NOW.0 + at), entry: None, by: "bob".into() }
    }

    #[test]
    fn a_record_reads_as_it_is_written_and_its_begin_has_one_width() {
        for record in [record(Origin::Api, 0, None), record(Origin::Automatic, 7, Some(9)), gone(3)] {
            let text = record.encode();
            assert_eq!(Record::decode(record.id.to_string().as_bytes(), &text, NOW), Some(record.clone()));
            assert_eq!(&text[..4], b"0001");
            assert!(
                text[DIGITS] == b' ' && text[2 * DIGITS + 3] == b' ',
                "{}",
                String::from_utf8_lossy(&text)
            );
        }
        assert_eq!(
            String::from_utf8(gone(3).encode()).unwrap(),
            "0001700000000003 r 0001700086400003 bob",
            "a script reads this"
        );
    }

    #[test]
    fn what_does_not_hold_together_is_no_record() {
        let good = record(Origin::Api, 0, Some(5));
        let (id, text) = (good.id.to_string(), String::from_utf8(good.encode()).unwrap());
        for (id, text) in [
            (&*id, ""),
            (&*id, "0001700000000000"),
            (&*id, &*text.replace(" p ", " a ")),
            (&*id, &*text.replace(" p ", " x ")),
            (&*id, &*text.replacen("0001700000000000", "0001700000000001", 1)),
            (&*id, &*text.replacen("0001700000000005", "0000000000000000", 1)),
            (&*id, &*text.replacen("0001700000000000", "9999999999999999", 1)),
            (&*id, &*text.replacen("0001700000000000", "+001700000000000", 1)),
            ("deny:192.0.2.0/24", &*text),
            ("deny:192.0.2.0/24@3!file", &*text),
            (&*id, &*format!("{text}{}", " ".repeat(LINE_BYTES_MAX))),
        ] {
            assert_eq!(Record::decode(id.as_bytes(), text.as_bytes(), NOW), None, "{id}: {text}");
        }
        let mut file = good.entry.clone().unwrap();
        file.origin = Origin::File;
        assert_eq!(Record::of(file, "".into()), None);
    }

    #[test]
    fn the_later_counts_but_people_stand_over_what_sources_earned() {
        let table = [
            (record(Origin::Api, 2, None), record(Origin::Api, 1, None), true),
            (record(Origin::Api, 1, None), record(Origin::Api, 1, Some(5)), false),
            (record(Origin::Automatic, 2, None), record(Origin::Automatic, 1, None), true),
            (record(Origin::Automatic, 2, None), record(Origin::Api, 1, None), false),
            (record(Origin::Api, 1, None), record(Origin::Automatic, 2, None), true),
            (record(Origin::Automatic, 12, None), record(Origin::Api, 1, Some(5)), true),
            (gone(2), record(Origin::Api, 1, None), true),
            (gone(1), record(Origin::Api, 2, None), false),
            (record(Origin::Automatic, 2, None), gone(1), true),
        ];
        let now = Moment(NOW.0 + 10);
        for (one, other, beats) in table {
            assert_eq!(one.beats(&other, now), beats, "{one:?} {other:?}");
            assert!(!(beats && other.beats(&one, now)));
        }
    }
}
