//! What was found in values that come with every request.
//!
//! Programs repeat themselves: the names of headers and of fields, the method, the versions and kinds that a browser
//! says it takes. What the sieve and the operators say of such a value is a fact of the rule set, so it is kept, for
//! the next time that the same text comes from the same place.
//!
//! What people write is never kept: no value of an argument, a cookie or a body, no address, no header but those that
//! recur by their kind ([`is_recurring_header`]).
//!
//! **A text counts if it is the same**, byte by byte; the hash only says where to look. There are no chains behind a
//! hash: a text that falls on another one's place takes it when it comes a second time; one whose place is free has it at
//! once. So a flood of texts costs each of
//! them a look and at most a copy, and makes the others be looked at again.
//!
//! What is kept belongs to one rule set and to one set of exceptions to it, and to what gates say: with another outcome
//! of a gate all of it is forgotten.

use palisade_http::is_recurring_header;
use palisade_seclang::ast::Variable;

use super::Base;
use crate::variables::{List, Part};

/// Found at most so often in a text that is kept.
const FOUND_MAX: usize = 5;
/// The longest text that is kept, with its name: browsers' own names are shorter.
const TEXT_BYTES_MAX: usize = 192;
/// Texts that are kept.
const ENTRIES: usize = 1 << 10;
/// Entries that texts of one hash share.
const WAYS: usize = 4;
/// Bytes of them.
const RING_BYTES: usize = 32 << 10;
/// Texts of which it is known that they came once. Many: a body may have hundreds of names, and all come before any comes
/// again.
const HINTS: usize = 1 << 13;

/// Texts and what was found in them.
#[derive(Default)]
pub(super) struct Memo {
    /// [`WAYS`] for each hash; none before the first text.
    entries: Vec<Entry>,
    /// By other bits of a hash: what is left of the one that last came in vain.
    hints: Vec<u16>,
    /// Texts one after the other, the newest over the oldest.
    ring: Vec<u8>,
    /// Bytes written so far, those that are gone included.
    end: u64,
    /// What was written before is not valid any more.
    valid_from: u64,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) struct Recurrent<'a> {
    /// Tells apart who may see what.
    pub(super) owner: usize,
    /// The phase and the source.
    pub(super) place: u32,
    /// The name, where more than the value decides.
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

#[derive(Clone, Copy, Default)]
struct Entry {
    hash: u32,
    place: u32,
    owner: usize,
    /// Where it was written.
    begin: u64,
    name_len: u8,
    value_len: u8,
    known: Known,
}

/// What was found in a text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    count: u8,
    found: [Found; FOUND_MAX],
}

impl Known {
    pub(super) fn found(&self) -> &[Found] {
        &self.found[..usize::from(self.count)]
    }
}

/// A candidate of a text, but for the item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Its place among the probes of the source.
    pub(super) probe: u16,
    /// The text is the value as it is.
    pub(super) is_raw: bool,
    /// See [`super::scan::Candidate::asked`].
    pub(super) asked: bool,
}

impl Found {
    pub(super) fn new(probe: usize, is_raw: bool, asked: bool) -> Self {
        // Where it does not fit nothing is kept.
        Found { probe: probe as u16, is_raw, asked }
    }
}

/// What of a source may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recurs {
    Never,
    Always,
    /// Where its key is the name of a header that recurs.
    ByKey,
}

impl Recurs {
    /// Of a source with so many probes; of too many for a [`Found`] nothing is kept.
    pub(super) fn of(base: &Base, probes: usize) -> Self {
        use Variable::*;
        match base {
            _ if probes > usize::from(u16::MAX) => Recurs::Never,
            Base::Fields(List::Query | List::Body | List::Cookies | List::RequestHeaders, Part::Name) => {
                Recurs::Always
            }
            Base::Fields(List::RequestHeaders, Part::Value) => Recurs::ByKey,
            Base::Scalar(
                RequestMethod
                | RequestProtocol
                | RequestBodyLength
                | ReqbodyError
                | MultipartStrictError
                | MultipartUnmatchedBoundary
                | ResponseStatus,
            ) => Recurs::Always,
            _ => Recurs::Never,
        }
    }

    /// Whether the value of a member with this key is kept.
    pub(super) fn keeps(self, key: Option<&[u8]>) -> bool {
        match self {
            Recurs::Never => false,
            Recurs::Always => true,
            Recurs::ByKey => key.is_some_and(is_recurring_header),
        }
    }
}

/// Where a text that is not there would be put.
#[derive(Clone, Copy)]
pub(super) struct Vacancy {
    hash: u32,
}

impl Memo {
    /// What was found in a text when it was looked at; else where to put it, when it is worth it.
    pub(super) fn find(&mut self, text: &Recurrent<'_>) -> Result<Known, Option<Vacancy>> {
        let len = text.name.len() + text.value.len();
        if len > TEXT_BYTES_MAX {
            return Err(None);
        }
        if self.entries.is_empty() {
            self.entries = vec![Entry::default(); ENTRIES];
            self.hints = vec![0; HINTS];
            self.ring = vec![0; RING_BYTES];
            // What is empty lies before it.
            (self.end, self.valid_from) = (1, 1);
        }
        let hash = hash(text);
        for at in places_of(hash) {
            if self.entries[at].hash == hash && self.holds(&self.entries[at], text) {
                return Ok(self.entries[at].known);
            }
        }
        // Room that nobody has had yet costs nobody anything.
        let has_room =
            self.end as usize + len < RING_BYTES && places_of(hash).any(|at| self.entries[at].begin == 0);
        if has_room {
            return Err(Some(Vacancy { hash }));
        }
        // What comes once is not worth the place of another.
        let hint = (hash >> 16) as u16 | 1;
        if std::mem::replace(&mut self.hints[hash as usize / (ENTRIES / WAYS) % HINTS], hint) == hint {
            Err(Some(Vacancy { hash }))
        } else {
            Err(None)
        }
    }

    fn holds(&self, entry: &Entry, text: &Recurrent<'_>) -> bool {
        let (name_len, value_len) = (usize::from(entry.name_len), usize::from(entry.value_len));
        let is_there = entry.begin >= self.valid_from && self.end - entry.begin <= RING_BYTES as u64;
        let begin = (entry.begin % RING_BYTES as u64) as usize;
        is_there
            && (entry.place, entry.owner) == (text.place, text.owner)
            && self.ring[begin..begin + name_len] == *text.name
            && self.ring[begin + name_len..begin + name_len + value_len] == *text.value
    }

    /// Keeps what was found in a text; too much of it is not kept.
    pub(super) fn keep(&mut self, vacancy: Vacancy, text: &Recurrent<'_>, found: &[Found]) {
        let len = text.name.len() + text.value.len();
        if found.len() > FOUND_MAX || len > TEXT_BYTES_MAX {
            return;
        }
        let mut begin = (self.end % RING_BYTES as u64) as usize;
        if begin + len > RING_BYTES {
            // No text goes over the edge.
            self.end += (RING_BYTES - begin) as u64;
            begin = 0;
        }
        let mut entry = Entry {
            hash: vacancy.hash,
            place: text.place,
            owner: text.owner,
            begin: self.end,
            name_len: text.name.len() as u8,
            value_len: text.value.len() as u8,
            known: Known { count: found.len() as u8, found: Default::default() },
        };
        entry.known.found[..found.len()].copy_from_slice(found);
        self.ring[begin..begin + text.name.len()].copy_from_slice(text.name);
        self.ring[begin + text.name.len()..begin + len].copy_from_slice(text.value);
        // An empty text takes room as well, so that no two begin at the same place.
        self.end += len.max(1) as u64;
        // The oldest goes.
        if let Some(at) = places_of(vacancy.hash).min_by_key(|at| self.entries[*at].begin) {
            self.entries[at] = entry;
        }
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        self.valid_from = self.end;
    }
}

/// What is kept says nothing about the exchange at work.
impl std::fmt::Debug for Memo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memo")
    }
}

/// The entries that a text of this hash may have.
fn places_of(hash: u32) -> std::ops::Range<usize> {
    let first = hash as usize % (ENTRIES / WAYS) * WAYS;
    first..first + WAYS
}

/// Eight bytes at a time. Who finds two texts of one hash has them take each other's place, and no more.
fn hash(text: &Recurrent<'_>) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let seed = u64::from(text.place) << 32 | (text.name.len() << 16 | text.value.len()) as u64;
    let mut hash = mix(text.owner as u64, seed);
    for part in [text.name, text.value] {
        let (words, rest) = part.as_chunks::<8>();
        for word in words {
            hash = mix(hash, u64::from_le_bytes(*word));
        }
        let last = rest.iter().fold(0, |last, byte| last << 8 | u64::from(*byte));
        hash = mix(hash, last);
    }
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'a>(place: u32, name: &'a str, value: &'a str) -> Recurrent<'a> {
        Recurrent { owner: 1, place, name: name.as_bytes(), value: value.as_bytes() }
    }

    /// Comes with a text; what is known, or whether it is kept from now on.
    fn come(memo: &mut Memo, text: &Recurrent<'_>, found: &[Found]) -> Result<Vec<Found>, bool> {
        match memo.find(text) {
            Ok(known) => Ok(known.found().to_vec()),
            Err(vacancy) => {
                if let Some(vacancy) = vacancy {
                    memo.keep(vacancy, text, found);
                }
                Err(vacancy.is_some())
            }
        }
    }

    const FOUND: Found = Found { probe: 7, is_raw: true, asked: true };

    #[test]
    fn a_text_is_known_from_the_second_time_on_while_there_is_room() {
        let mut memo = Memo::default();
        let text = text(3, "host", "www.example.com");
        assert_eq!(come(&mut memo, &text, &[FOUND]), Err(true));
        assert_eq!(come(&mut memo, &text, &[]), Ok(vec![FOUND]));
        memo.forget();
        assert!(come(&mut memo, &text, &[]).is_err());
    }

    #[test]
    fn a_text_that_needs_the_place_of_another_is_known_from_the_third_time_on() {
        let mut memo = Memo::default();
        // More than the ring holds.
        for number in 0..RING_BYTES {
            let _ = come(&mut memo, &text(0, "", &number.to_string()), &[]);
        }
        let text = text(3, "host", "www.example.com");
        assert_eq!(come(&mut memo, &text, &[FOUND]), Err(false));
        assert_eq!(come(&mut memo, &text, &[FOUND]), Err(true));
        assert_eq!(come(&mut memo, &text, &[]), Ok(vec![FOUND]));
    }

    #[test]
    fn texts_that_differ_in_anything_are_apart() {
        let mut memo = Memo::default();
        let known = text(3, "ab", "c");
        (0..2).for_each(|_| drop(come(&mut memo, &known, &[])));
        assert_eq!(come(&mut memo, &known, &[]), Ok(vec![]));
        let others = [
            text(4, "ab", "c"),
            text(3, "a", "bc"),
            text(3, "ab", "C"),
            text(3, "ab", ""),
            text(3, "", "abc"),
        ];
        for other in others.into_iter().chain([Recurrent { owner: 2, ..known }]) {
            assert!(come(&mut memo, &other, &[]).is_err());
        }
    }

    /// What is said of a text is what was found in it, however many come and go.
    #[test]
    fn a_flood_never_mixes_texts_up() {
        let mut memo = Memo::default();
        let mut known = 0;
        for round in 0..6 {
            for number in 0..3_000_u32 {
                // Some come again at once, some after all others.
                let number = if number % 3 == 0 { number % 300 } else { number };
                let value = format!("{number}").repeat(1 + number as usize % 40);
                let value = &value[..value.len().min(150)];
                let found =
                    vec![Found { probe: number as u16, is_raw: false, asked: true }; number as usize % 7];
                let text = text(number % 2, "name", value);
                if let Ok(before) = come(&mut memo, &text, &found) {
                    assert_eq!(before, found, "{value} in round {round}");
                    known += 1;
                }
            }
        }
        assert!(known > 500, "{known}");
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        assert!((0..4).all(|_| come(&mut memo, &text(0, "", &long), &[]) == Err(false)));
    }
}
