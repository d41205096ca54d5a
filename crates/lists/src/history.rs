//! What has happened to lists, and what is gone from them. Both are bounded: the oldest goes first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use palisade_model::Moment;

use crate::entry::{Entry, EntryId};

/// How long an id is remembered after its entry was taken away.
pub(crate) const TOMBSTONE_TIME: Duration = Duration::from_secs(24 * 3600);

/// A change of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Moment,
    /// What.
    pub what: What,
    /// The entry, as it is from then on, or as it was.
    pub entry: Entry,
    /// Who did it, in words.
    pub by: Arc<str>,
}

/// What happened to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// It came.
    Added,
    /// It took the place of an earlier one.
    Replaced,
    /// Somebody took it away.
    Removed,
    /// Its time was over.
    Expired,
}

impl What {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Added, Self::Replaced, Self::Removed, Self::Expired];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
            Self::Expired => "expired",
        }
    }

    /// Finds one by its word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.as_str() == word)
    }
}

/// An entry that somebody took away, kept for a while so that others hear of it who still have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The entry's id.
    pub id: EntryId,
    /// When it was taken away.
    pub at: Moment,
}

/// The latest changes, and the ids of what was taken away.
#[derive(Debug)]
pub(crate) struct History {
    changes: VecDeque<Change>,
    changes_max: usize,
    gone: HashMap<EntryId, Moment>,
    gone_in_order: VecDeque<Tombstone>,
    gone_max: usize,
}

impl History {
    pub(crate) fn new(changes_max: usize, gone_max: usize) -> Self {
        Self {
            changes: VecDeque::new(),
            changes_max,
            gone: HashMap::new(),
            gone_in_order: VecDeque::new(),
            gone_max,
        }
    }

    pub(crate) fn note(&mut self, change: Change) {
        match change.what {
            What::Removed => self.bury(change.entry.id(), change.at),
            What::Added | What::Replaced => {
                self.gone.remove(&change.entry.id());
            }
            // What expires here expires everywhere.
            What::Expired => {}
        }
        if self.changes.len() >= self.changes_max {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }

    fn bury(&mut self, id: EntryId, at: Moment) {
        self.gone.insert(id.clone(), at);
        self.gone_in_order.push_back(Tombstone { id, at });
        while self.gone_in_order.len() > self.gone_max {
            self.dig();
        }
    }

    fn dig(&mut self) {
        if let Some(oldest) = self.gone_in_order.pop_front()
            && self.gone.get(&oldest.id) == Some(&oldest.at)
        {
            self.gone.remove(&oldest.id);
        }
    }

    /// Forgets what was taken away before a moment.
    pub(crate) fn forget_gone_before(&mut self, moment: Moment) {
        while self.gone_in_order.front().is_some_and(|oldest| oldest.at < moment) {
            self.dig();
        }
    }

    /// The latest first.
    pub(crate) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().rev()
    }

    pub(crate) fn gone(&self) -> impl Iterator<Item = Tombstone> {
        self.gone.iter().map(|(id, at)| Tombstone { id: id.clone(), at: *at })
    }

    pub(crate) fn gone_at(&self, id: &EntryId) -> Option<Moment> {
        self.gone.get(id).copied()
    }
}
