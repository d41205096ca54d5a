//! Fired alerts that somebody has looked at and put aside: kept in the data folder, by the ids of their events.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use palisade_console::{Author, ControlError, Dismissal, Timestamp};
use palisade_events::{replace_file, unix_millis};
use palisade_model::EventId;
use serde::{Deserialize, Serialize};

/// Alerts that were put aside.
#[derive(Debug)]
pub(crate) struct Dismissed {
    path: PathBuf,
    kept: Mutex<Kept>,
}

/// By the ids of events, which sort by time.
type Kept = BTreeMap<String, KeptDismissal>;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptDismissal {
    /// Milliseconds since 1970.
    at: u64,
    by: String,
    reason: String,
}

/// Dismissals that are kept; those of the oldest alerts go, and their events are mostly gone by then.
const KEPT_MAX: usize = 10_000;
const FILE: &str = "dismissed-alerts.json";

impl Dismissed {
    /// Reads what a data folder keeps.
    ///
    /// # Errors
    /// When the file is there and cannot be used.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let unusable = || format!("{}: mend it, or remove it to see all alerts again", path.display());
        let kept = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(unusable)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kept::new(),
            Err(error) => return Err(error).with_context(unusable),
        };
        Ok(Self { path, kept: Mutex::new(kept) })
    }

    /// All of them.
    pub(crate) fn all(&self) -> BTreeMap<String, Dismissal> {
        let shown = |(id, kept): (&String, &KeptDismissal)| {
            let at = Timestamp::from(UNIX_EPOCH + Duration::from_millis(kept.at));
            (id.clone(), Dismissal { at, by: kept.by.clone(), reason: kept.reason.clone() })
        };
        self.kept().iter().map(shown).collect()
    }

    /// Puts alerts aside, or shows them again (`by` is `None`). Gives how many were not so before.
    ///
    /// # Errors
    /// When the file cannot be written; all stays as it was.
    pub(crate) fn change(&self, ids: &[EventId], by: Option<&Author>) -> Result<usize, ControlError> {
        let mut kept = self.kept();
        let mut next = kept.clone();
        let mut changed = 0;
        for id in ids {
            let id = id.to_string();
            match by {
                None => changed += usize::from(next.remove(&id).is_some()),
                Some(_) if next.contains_key(&id) => {}
                Some(Author { name, reason }) => {
                    let one = KeptDismissal { at: unix_millis(), by: name.clone(), reason: reason.clone() };
                    next.insert(id, one);
                    changed += 1;
                }
            }
        }
        while next.len() > KEPT_MAX {
            next.pop_first();
        }
        replace_file(&self.path, |out| Ok(serde_json::to_writer(out, &next)?))
            .map_err(|error| ControlError::NotKept(error.to_string()))?;
        *kept = next;
        Ok(changed)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // What stands there is whole after every statement.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_stay_put_aside_over_a_restart_and_come_back_when_asked() {
        let folder = std::env::temp_dir().join(format!("palisade-dismissed-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let by = Author { name: "alice".to_owned(), reason: "seen".to_owned() };
        let dismissed = Dismissed::open(&folder).unwrap();
        let ids = [EventId(1 << 80), EventId(2 << 80)];
        assert_eq!(dismissed.change(&ids, Some(&by)).unwrap(), 2);
        assert_eq!(dismissed.change(&ids[..1], Some(&by)).unwrap(), 0);
        let again = Dismissed::open(&folder).unwrap();
        assert_eq!(again.all()[&ids[0].to_string()].by, "alice");
        assert_eq!(again.change(&ids[..1], None).unwrap(), 1);
        assert_eq!(again.all().len(), 1);
        let many: Vec<EventId> = (0..KEPT_MAX as u128 + 5).map(|number| EventId(number << 64)).collect();
        again.change(&many, Some(&by)).unwrap();
        assert_eq!(again.all().len(), KEPT_MAX);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
