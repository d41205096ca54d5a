//! What an evaluation brings out beside its outcome: captures, log references, and questions to the world.

use std::net::IpAddr;
use std::ops::Range;

/// Captured groups, as many as `capture` can store: TX:0 to TX:9.
pub const GROUPS: usize = palisade_pcre::GROUPS_REPORTED;

/// Log references kept of one evaluation. The log cuts its `ref` at 200 characters, which holds fewer; a global
/// pattern stops looking for further matches when it has this many.
pub const REFS_MAX: usize = 64;

/// What an operator says about a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// The value does not match.
    NoMatch,
    /// The value matches.
    Match,
    /// The answer to this is needed first: put it into the [`Evaluation`] and evaluate again.
    Need(Lookup),
    /// Deciding would have taken more steps than the limit; neither match nor no match.
    StepLimit,
}

impl From<bool> for Outcome {
    fn from(matched: bool) -> Self {
        if matched { Outcome::Match } else { Outcome::NoMatch }
    }
}

/// A question that an operator cannot answer by itself. How many of them one transaction may ask is the
/// engine's bound, not the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// The IPv4 address of a name (`A` record).
    Dns {
        /// A valid host name of at most 253 bytes, without the final dot.
        name: String,
    },
    /// Where an address is. Whoever answers also fills the GEO collection.
    Geo {
        /// The address.
        address: IpAddr,
    },
}

/// The answer to a [`Lookup`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The first address, or none: no such name, or the lookup failed.
    Dns(Option<IpAddr>),
    /// Whether the data base knows the address.
    Geo(bool),
}

/// `o3,5` of a log line's `ref`: the numbers that ModSecurity prints for what matched.
///
/// They are kept as that engine counts them, which is not always a part of the value: `@within` counts in its
/// argument, `@validateUrlEncoding` gives the length of the whole value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRef {
    /// First byte.
    pub offset: usize,
    /// Bytes.
    pub length: usize,
}

/// The scratch of evaluations, meant to be kept for a transaction: its answers stay, the rest is reset by
/// each evaluation.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// What `capture` stores as TX:0 to TX:9, as parts of the value. A group that took no part is `None`: its
    /// TX variable stays as it was.
    pub groups: [Option<Range<usize>>; GROUPS],
    /// What `capture` stores as TX:0 when that is no part of the value: the fingerprint of `@detectSQLi`, the
    /// phrase of `@pm` as its rule spells it. It goes before `groups[0]`.
    pub text: Option<Vec<u8>>,
    /// What the log's `ref` names, in order, [`REFS_MAX`] at most.
    pub refs: Vec<LogRef>,
    answers: Vec<(Lookup, Answer)>,
    /// What patterns search with.
    pub(super) workspace: palisade_pcre::Workspace,
}

impl Evaluation {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores an answer; a later one to the same question replaces it.
    pub fn answer(&mut self, lookup: Lookup, answer: Answer) {
        match self.answers.iter_mut().find(|(asked, _)| *asked == lookup) {
            Some((_, old)) => *old = answer,
            None => self.answers.push((lookup, answer)),
        }
    }

    /// The answer to a question, when there is one.
    pub fn answered(&self, lookup: &Lookup) -> Option<&Answer> {
        self.answers.iter().find(|(asked, _)| asked == lookup).map(|(_, answer)| answer)
    }

    /// What TX:`group` becomes under `capture`, `None` when it stays as it was.
    pub fn captured<'a>(&'a self, group: usize, value: &'a [u8]) -> Option<&'a [u8]> {
        if group == 0
            && let Some(text) = &self.text
        {
            return Some(text);
        }
        value.get(self.groups.get(group)?.clone()?)
    }

    /// Forgets everything, the answers as well, and keeps some of the memory.
    pub(crate) fn clear(&mut self) {
        self.reset();
        self.answers.clear();
    }

    /// What patterns search with.
    pub fn workspace(&self) -> &palisade_pcre::Workspace {
        &self.workspace
    }

    pub(super) fn reset(&mut self) {
        self.groups = Default::default();
        self.text = None;
        self.refs.clear();
    }

    /// Whether no evaluation has left anything but answers.
    pub(super) fn is_reset(&self) -> bool {
        self.groups.iter().all(Option::is_none) && self.text.is_none() && self.refs.is_empty()
    }

    pub(super) fn refer(&mut self, offset: usize, length: usize) {
        if self.refs.len() < REFS_MAX {
            self.refs.push(LogRef { offset, length });
        }
    }
}
