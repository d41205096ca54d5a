//! Rule sets by what they are made of: loaded once for all profiles that name the same, and again only when a file of theirs
//! is another.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;
use palisade_engine::{Interner, RuleSet};
use palisade_inspect::RuleSources;

use super::Effort;
use crate::files::FileSystem;
use crate::rules::{Warnings, load_shown};
use crate::watch::{Digest, Seen, Watched};

/// Those that were loaded, or tried.
#[derive(Debug, Default)]
pub(super) struct RuleSets {
    loaded: HashMap<String, Loaded>,
    /// What they share, those before a reload and after it as well.
    interner: Interner,
}

/// Rules, as they were loaded last.
#[derive(Debug)]
struct Loaded {
    /// `None`: they could not be used.
    rules: Option<Arc<RuleSet>>,
    /// The files that it read.
    seen: Seen,
    /// Of what stands in them.
    digest: Digest,
}

/// Equal sources have equal keys.
pub(super) fn key(sources: &RuleSources) -> String {
    format!("{sources:?}")
}

impl RuleSets {
    /// The rules of sources; those that are there already unless a file of theirs has changed.
    ///
    /// # Errors
    /// When they cannot be used; what is wrong was shown then.
    pub(super) fn of(&mut self, sources: &RuleSources, effort: Effort) -> Result<Option<Arc<RuleSet>>> {
        if sources.is_empty() {
            return Ok(None);
        }
        let key = key(sources);
        if let Some(Loaded { rules: Some(rules), seen, .. }) = self.loaded.get(&key)
            && effort == Effort::Changed
            && seen.now(&FileSystem) == *seen
        {
            return Ok(Some(rules.clone()));
        }
        let watched = Watched::new(&FileSystem);
        let made = load_shown(sources, Warnings::Shown, &watched, &self.interner);
        let rules = made.as_ref().ok().cloned().flatten();
        let digest = watched.digest();
        self.loaded.insert(key, Loaded { rules, seen: watched.into_seen(), digest });
        made
    }

    /// Of what stands in the files of sources.
    pub(super) fn digest(&self, sources: &RuleSources) -> Option<Digest> {
        self.loaded.get(&key(sources)).map(|loaded| loaded.digest)
    }

    /// Forgets all but these.
    pub(super) fn keep(&mut self, used: &HashSet<String>) {
        self.loaded.retain(|key, _| used.contains(key));
    }

    /// Adds every file that was read for them.
    pub(super) fn add_seen(&self, all: &mut Seen) {
        for loaded in self.loaded.values() {
            all.add(&loaded.seen);
        }
    }
}
