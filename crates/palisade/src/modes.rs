//! Modes that are set while we run: kept in the data folder, so that they outlive a restart, with who set them and when.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use palisade_events::replace_file;
use palisade_events::unix_millis;
use palisade_inspect::SetMode;
use palisade_lists::Moment;
use palisade_model::Mode;
use palisade_shared::ModeWord;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// Modes set at run time, by service.
#[derive(Debug, Default)]
pub(crate) struct Modes {
    /// `None`: nothing is kept.
    path: Option<PathBuf>,
    inner: Mutex<Inner>,
    /// Something was set or taken back here.
    said: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    in_use: HashMap<String, Arc<SetMode>>,
    kept: Kept,
}

/// What the file holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    services: BTreeMap<String, String>,
    /// What was said last of each service, taken back or not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    words: BTreeMap<String, KeptChange>,
    /// Modes that the console set here, as it said last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    console: BTreeMap<String, String>,
    /// The latest last.
    changes: VecDeque<KeptChange>,
}

/// A change of a mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptChange {
    /// Milliseconds since 1970.
    pub(crate) at: u64,
    pub(crate) service: String,
    pub(crate) by: String,
    pub(crate) reason: String,
    /// The mode that was in force, and the one that is since.
    pub(crate) from: String,
    pub(crate) to: String,
    /// What was asked for; `None`: what the file says.
    pub(crate) set: Option<String>,
}

/// Changes that are kept; the oldest goes.
const CHANGES_MAX: usize = 1_000;
/// Services that may have a mode set at run time, those included that are no longer configured.
const SERVICES_MAX: usize = 10_000;
const FILE: &str = "modes.json";
/// Who says what the console says.
const CONSOLE: &str = "console";

impl Modes {
    /// Reads what a data folder keeps.
    ///
    /// # Errors
    /// When the file is there and cannot be read: a mode that somebody set must not be forgotten without a word.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let unusable = || format!("{}: mend it, or remove it for the modes of the file", path.display());
        let mut kept: Kept = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(unusable)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(error).with_context(unusable),
        };
        // Of a file of an earlier version, which did not keep them.
        for change in &kept.changes {
            if kept.words.get(&change.service).is_none_or(|word| word.at < change.at) {
                kept.words.insert(change.service.clone(), change.clone());
            }
        }
        let mut in_use = HashMap::new();
        for (service, mode) in &kept.services {
            let mode: Mode = mode.parse().map_err(anyhow::Error::new).with_context(unusable)?;
            let set = SetMode::default();
            set.set(Some(mode));
            in_use.insert(service.clone(), Arc::new(set));
        }
        Ok(Self { path: Some(path), inner: Mutex::new(Inner { in_use, kept }), said: Arc::default() })
    }

    /// Where the mode set for a service stands, whether or not there is one.
    pub(crate) fn of(&self, service: &str) -> Arc<SetMode> {
        self.inner().in_use.entry(service.to_owned()).or_default().clone()
    }

    /// Sets a mode for later requests, or takes it back, and keeps that. `in_force` says which mode is in force, before and
    /// after.
    ///
    /// # Errors
    /// When the file cannot be written; the mode stays as it was.
    pub(crate) fn set(
        &self,
        service: &str,
        mode: Option<Mode>,
        (by, reason): (String, String),
        in_force: impl Fn() -> Mode,
    ) -> Result<KeptChange> {
        let mut inner = self.inner();
        // Later than what was said before, whatever the clock of whoever said it.
        let at = inner.kept.words.get(service).map_or(0, |word| word.at + 1).max(unix_millis());
        let change = self.change(&mut inner, at, service, mode, (by, reason), in_force)?;
        drop(inner);
        self.said.notify_one();
        Ok(change)
    }

    fn change(
        &self,
        inner: &mut Inner,
        at: u64,
        service: &str,
        mode: Option<Mode>,
        (by, reason): (String, String),
        in_force: impl Fn() -> Mode,
    ) -> Result<KeptChange> {
        anyhow::ensure!(
            inner.kept.words.len() < SERVICES_MAX || inner.kept.words.contains_key(service),
            "of {SERVICES_MAX} services the mode was set at run time; remove {FILE} from the data folder to forget those that are gone"
        );
        let set = inner.in_use.entry(service.to_owned()).or_default().clone();
        let (was, from) = (set.get(), in_force());
        set.set(mode);
        let to = in_force();
        let mut kept = inner.kept.clone();
        match mode {
            Some(mode) => kept.services.insert(service.to_owned(), mode.to_string()),
            None => kept.services.remove(service),
        };
        let change = KeptChange {
            at,
            service: service.to_owned(),
            by,
            reason,
            from: from.to_string(),
            to: to.to_string(),
            set: mode.map(|mode| mode.to_string()),
        };
        kept.words.insert(service.to_owned(), change.clone());
        kept.changes.push_back(change.clone());
        while kept.changes.len() > CHANGES_MAX {
            kept.changes.pop_front();
        }
        if let Err(error) = self.write(&kept) {
            set.set(was);
            return Err(error.into());
        }
        inner.kept = kept;
        Ok(change)
    }

    /// Does what a console says: what it sets now and did not before is set, what it set and sets no longer is given back to
    /// the file. What somebody sets here in between counts until the console says something else. Gives a line for each
    /// change.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn told(&self, modes: Vec<(String, Mode)>) -> Result<Vec<String>> {
        let before = self.inner().kept.console.clone();
        let now: BTreeMap<String, String> =
            modes.iter().map(|(service, mode)| (service.clone(), mode.to_string())).collect();
        if before == now {
            return Ok(Vec::new());
        }
        let set = modes.iter().filter(|(service, mode)| before.get(service) != Some(&mode.to_string()));
        let set = set.map(|(service, mode)| (service.as_str(), Some(*mode)));
        let gone = before.keys().filter(|service| !now.contains_key(*service));
        let mut lines = Vec::new();
        for (service, mode) in set.chain(gone.map(|service| (service.as_str(), None))) {
            if self.was_said_by_console(service, mode) {
                continue;
            }
            let in_use = self.of(service);
            let by = (CONSOLE.to_owned(), String::new());
            self.set(service, mode, by, || in_use.get().unwrap_or_default())?;
            let mode = mode.map_or("given back to the file".to_owned(), |mode| format!("set to {mode}"));
            lines.push(format!("mode of service {service} {mode} by the console"));
        }
        let mut inner = self.inner();
        let kept = Kept { console: now, ..inner.kept.clone() };
        self.write(&kept)?;
        inner.kept = kept;
        Ok(lines)
    }

    /// Whether the last word on a service is this one of the console: another process heard it first and told it by the Redis.
    fn was_said_by_console(&self, service: &str, mode: Option<Mode>) -> bool {
        let inner = self.inner();
        let word = inner.kept.words.get(service);
        word.is_some_and(|word| word.by == CONSOLE && word.set == mode.map(|mode| mode.to_string()))
    }

    /// All that are set, by service.
    pub(crate) fn all_set(&self) -> Vec<(String, Mode)> {
        let inner = self.inner();
        let set = inner.kept.services.iter();
        set.filter_map(|(service, mode)| Some((service.clone(), mode.parse().ok()?))).collect()
    }

    fn write(&self, kept: &Kept) -> std::io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        replace_file(path, |out| Ok(serde_json::to_writer_pretty(out, kept)?))
    }

    /// Changes of a service, the latest first.
    pub(crate) fn changes(&self, service: &str) -> Vec<KeptChange> {
        let inner = self.inner();
        inner.kept.changes.iter().rev().filter(|change| change.service == service).cloned().collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // What stands there is whole after every statement.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Modes are in common where there is a Redis: what was said last of a service counts.
impl palisade_shared::Modes for Modes {
    fn now(&self) -> Moment {
        Moment(unix_millis())
    }

    fn words(&self) -> Vec<ModeWord> {
        let inner = self.inner();
        let word = |change: &KeptChange| ModeWord {
            service: change.service.clone(),
            at: Moment(change.at),
            mode: change.set.clone(),
            by: change.by.clone(),
            reason: change.reason.clone(),
        };
        inner.kept.words.values().map(word).collect()
    }

    fn hear(&self, words: Vec<ModeWord>) {
        for word in words {
            if let Err(error) = self.hear_one(&word) {
                say!(
                    "palisade: mode of service {} stays, though another process says otherwise: {error:#}",
                    word.service
                );
            }
        }
    }

    fn wake(&self) -> Arc<Notify> {
        self.said.clone()
    }
}

impl Modes {
    fn hear_one(&self, word: &ModeWord) -> Result<()> {
        let mode = word.mode.as_deref().map(str::parse::<Mode>).transpose().map_err(anyhow::Error::new)?;
        let mut inner = self.inner();
        if let Some(known) = inner.kept.words.get(&word.service) {
            if known.at > word.at.0 || known.at == word.at.0 && known.set == word.mode {
                return Ok(());
            }
            // Several processes are told the same by one console: nothing changes but since when it is so.
            if known.set == word.mode && known.by == word.by && known.reason == word.reason {
                return self.confirmed(&mut inner, word);
            }
        }
        let set = inner.in_use.entry(word.service.clone()).or_default().clone();
        let said = (word.by.clone(), word.reason.clone());
        let in_force = || set.get().unwrap_or_default();
        self.change(&mut inner, word.at.0, &word.service, mode, said, in_force)?;
        let mode = mode.map_or("given back to the file".to_owned(), |mode| format!("set to {mode}"));
        say!("palisade: mode of service {} {mode} by {}, on another process", word.service, word.by);
        Ok(())
    }

    /// What was said last of a service was said again, later: that is kept, and is no change.
    fn confirmed(&self, inner: &mut Inner, word: &ModeWord) -> Result<()> {
        let mut kept = inner.kept.clone();
        if let Some(known) = kept.words.get_mut(&word.service) {
            known.at = word.at.0;
        }
        self.write(&kept)?;
        inner.kept = kept;
        Ok(())
    }
}
