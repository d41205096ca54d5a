//! Alerts from files.

use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use palisade_events::alerts::{AlertObject, AlertSet, read_alerts};
use palisade_seclang::Loader;

use crate::object_files::{InText, ObjectFiles, Said};

/// Files of alerts, as they were read last.
#[derive(Debug, Default)]
pub(crate) struct AlertFiles {
    files: ObjectFiles<Key, AlertObject>,
}

/// Kind and name: no two objects have both in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: &'static str,
    name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// An object and the file that it stands in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) file: Arc<str>,
    pub(crate) object: AlertObject,
}

/// What a reading found.
#[derive(Debug, Default)]
pub(crate) struct AlertsFound {
    /// What is in force now, by file.
    pub(crate) placed: Vec<Placed>,
    /// What there is to say about it.
    pub(crate) said: Said,
}

impl AlertsFound {
    /// What is in force now.
    pub(crate) fn set(&self) -> AlertSet {
        self.placed.iter().map(|placed| placed.object.clone()).collect()
    }
}

impl AlertFiles {
    /// Reads files and folders. What is wrong keeps what it was.
    ///
    /// # Errors
    /// When a path cannot be read at all, and was never read.
    pub(crate) fn read(&mut self, paths: &[String], loader: &dyn Loader) -> Result<AlertsFound> {
        let (said, _) = self.files.read(paths, loader, |text| {
            let found = read_alerts(text);
            let keyed = |object: AlertObject| {
                let (kind, name) = object.key();
                (Key { kind, name: name.to_owned() }, object)
            };
            InText {
                objects: found.objects.into_iter().map(keyed).collect(),
                refused: found.refused.into_iter().map(|(kind, name)| Key { kind, name }).collect(),
                unreadable: found.unreadable,
                ignored: found.ignored,
                diagnostics: found.diagnostics,
            }
        })?;
        let first = self.files.placed();
        let is_first = |(file, (key, object)): &(&str, &(Key, AlertObject))| {
            first.get(key).is_some_and(|(there, first)| there == file && std::ptr::eq(*first, object))
        };
        let placed = self.files.objects().filter(is_first);
        let placed = placed.map(|(file, (_, object))| Placed { file: file.into(), object: object.clone() });
        Ok(AlertsFound { placed: placed.collect(), said })
    }
}
