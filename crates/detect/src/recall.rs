//! What detections remember: headers that come with every request and in which there was nothing.
//!
//! Programs repeat themselves: a browser sends the same name of itself, the same host, the same kinds that it takes. That
//! nothing was found in such a text is a fact of the text and of the bounds, so it is kept for when the text comes again,
//! with what looking at it took: a detection that remembers spends and finds what one spends and finds that looks.
//!
//! What people write is never kept: only values of headers that recur by their kind
//! ([`palisade_http::is_recurring_header`]), and none beside which anything was found. A text counts if it is the same byte
//! by byte; the hash only says where to look. Who sends texts that never come again has others looked at again, no more.

use std::hash::{Hash as _, Hasher as _};

use palisade_model::Spares;
use rustc_hash::FxHasher;

use crate::{DetectLimits, Spent};

/// The bounds of detections, and what they remember of each other. For all detections of a profile; threads do not wait
/// for one another.
#[derive(Debug, Default)]
pub struct Recall {
    limits: DetectLimits,
    kept: Spares<CleanTexts>,
    is_forgetful: bool,
}

impl Recall {
    /// Of detections within these bounds.
    pub fn new(limits: DetectLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Remembers nothing: for whoever measures what remembering saves.
    pub fn forgetful(limits: DetectLimits) -> Self {
        Self { is_forgetful: true, ..Self::new(limits) }
    }

    /// The bounds.
    pub fn limits(&self) -> &DetectLimits {
        &self.limits
    }

    pub(crate) fn take(&self) -> Option<CleanTexts> {
        (!self.is_forgetful).then(|| self.kept.take().unwrap_or_default())
    }

    pub(crate) fn give(&self, texts: CleanTexts) {
        self.kept.give(texts);
    }
}

/// The longest text that is kept, with its name: browsers' names of themselves are shorter.
const TEXT_BYTES_MAX: usize = 250;
/// Hashes that are told apart, and texts of one hash.
const SETS: usize = 64;
const WAYS: usize = 4;

/// Texts in which there was nothing.
#[derive(Default)]
pub(crate) struct CleanTexts {
    /// [`WAYS`] for each hash; none before the first text.
    texts: Vec<Text>,
    /// Which of a hash's texts the next one replaces.
    next: u8,
}

#[derive(Clone, Default)]
struct Text {
    /// The name, and the value behind it.
    bytes: Vec<u8>,
    name_len: u8,
    cost: Cost,
}

/// What looking at a text took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) values: usize,
    pub(crate) decoded_bytes: usize,
    pub(crate) work_bytes: usize,
}

impl Cost {
    /// What was spent between two times; nothing where it was on what a text alone does not tell.
    pub(crate) fn between(before: &Spent, after: &Spent) -> Option<Self> {
        let is_alone = after.limits_met.is_empty() && after.graphql_documents == before.graphql_documents;
        is_alone.then(|| Self {
            values: after.values - before.values,
            decoded_bytes: after.decoded_bytes - before.decoded_bytes,
            work_bytes: after.work_bytes - before.work_bytes,
        })
    }

    /// Spends it, where that meets no bound.
    pub(crate) fn spend(self, spent: &mut Spent, limits: &DetectLimits) -> bool {
        let values = spent.values + self.values;
        let decoded_bytes = spent.decoded_bytes + self.decoded_bytes;
        let work_bytes = spent.work_bytes + self.work_bytes;
        let fits = values <= limits.values_max
            && decoded_bytes <= limits.decoded_bytes_max
            && work_bytes <= limits.work_bytes_max;
        if fits {
            (spent.values, spent.decoded_bytes, spent.work_bytes) = (values, decoded_bytes, work_bytes);
        }
        fits
    }
}

impl CleanTexts {
    /// What looking at the value of a header took, where it was looked at and there was nothing.
    pub(crate) fn find(&self, name: &[u8], value: &[u8]) -> Option<Cost> {
        let texts = self.texts.get(place_of(name, value)..)?.iter().take(WAYS);
        texts.into_iter().find(|text| text.is(name, value)).map(|text| text.cost)
    }

    /// Keeps a value in which there was nothing. A long one is not kept.
    pub(crate) fn keep(&mut self, name: &[u8], value: &[u8], cost: Cost) {
        if name.len() + value.len() > TEXT_BYTES_MAX || name.is_empty() {
            return;
        }
        if self.texts.is_empty() {
            self.texts = vec![Text::default(); SETS * WAYS];
        }
        let place = place_of(name, value) + usize::from(self.next) % WAYS;
        self.next = self.next.wrapping_add(1);
        let text = &mut self.texts[place];
        text.bytes.clear();
        text.bytes.extend_from_slice(name);
        text.bytes.extend_from_slice(value);
        text.name_len = name.len() as u8;
        text.cost = cost;
    }
}

impl Text {
    fn is(&self, name: &[u8], value: &[u8]) -> bool {
        // No name is empty, so a place that nobody has had is nobody's.
        usize::from(self.name_len) == name.len()
            && self.bytes.len() == name.len() + value.len()
            && self.bytes.starts_with(name)
            && self.bytes.ends_with(value)
    }
}

fn place_of(name: &[u8], value: &[u8]) -> usize {
    let mut hasher = FxHasher::default();
    (name, value).hash(&mut hasher);
    hasher.finish() as usize % SETS * WAYS
}

/// What is kept says nothing about the exchange at work.
impl std::fmt::Debug for CleanTexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CleanTexts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Cost = Cost { values: 1, decoded_bytes: 2, work_bytes: 3 };

    #[test]
    fn a_text_is_known_if_it_is_the_same() {
        let mut texts = CleanTexts::default();
        assert_eq!(texts.find(b"host", b"a"), None);
        texts.keep(b"host", b"shop", COST);
        assert_eq!(texts.find(b"host", b"shop"), Some(COST));
        for (name, value) in
            [("host", "shoq"), ("hosts", "hop"), ("hos", "tshop"), ("host", ""), ("", "hostshop")]
        {
            assert_eq!(texts.find(name.as_bytes(), value.as_bytes()), None, "{name}: {value}");
        }
        texts.keep(b"host", &[b'a'; 300], COST);
        assert_eq!(texts.find(b"host", &[b'a'; 300]), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut texts = CleanTexts::default();
        for number in 0..10_000 {
            texts.keep(b"user-agent", format!("program/{number}").as_bytes(), COST);
        }
        let known = (0..10_000)
            .filter(|number| texts.find(b"user-agent", format!("program/{number}").as_bytes()).is_some());
        let known: Vec<_> = known.collect();
        assert!(known.len() <= SETS * WAYS && known.len() > SETS, "{}", known.len());
        assert!(known.contains(&9_999));
        assert!(texts.texts.iter().all(|text| text.bytes.capacity() <= 2 * TEXT_BYTES_MAX));
    }

    #[test]
    fn what_would_meet_a_bound_is_not_spent() {
        let limits = DetectLimits { values_max: 2, ..DetectLimits::default() };
        let mut spent = Spent::default();
        assert!(COST.spend(&mut spent, &limits) && COST.spend(&mut spent, &limits));
        assert_eq!((spent.values, spent.decoded_bytes, spent.work_bytes), (2, 4, 6));
        assert!(!COST.spend(&mut spent, &limits) && spent.values == 2);
    }
}
