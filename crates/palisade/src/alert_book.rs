//! Alerts of files and those that were written by the API, as one set. The latter lie in the data folder, a file for each,
//! as they were written; what stands in a configured file counts before them and is changed there alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use palisade_config::Style;
use palisade_console::ControlError;
use palisade_events::alerts::{AlertObject, AlertSet, read_alerts};
use palisade_events::replace_file;
use palisade_events::sinks::Reference;

use crate::alerting::{AlertFiles, Placed};
use crate::files::FileSystem;

/// Where they are below the data folder.
pub(crate) const FOLDER: &str = "alerts/objects";
/// Objects that the API may write.
const OBJECTS_MAX: usize = 1000;

/// All alerts of this process.
#[derive(Debug)]
pub(crate) struct AlertBook {
    folder: PathBuf,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    of_files: Arc<Vec<Placed>>,
    own: BTreeMap<(&'static str, String), AlertObject>,
}

/// What was written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) object: AlertObject,
    /// Another one went for it.
    pub(crate) replaced: bool,
    pub(crate) warnings: Vec<String>,
}

impl AlertBook {
    /// What is there: those of files, and those of the data folder, of which those that cannot be used any more are said.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) fn open(data: &Path, of_files: Arc<Vec<Placed>>) -> Result<Self> {
        let folder = data.join(FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("`{}`", folder.display()))?;
        let found = AlertFiles::default().read(&[folder.to_string_lossy().into_owned()], &FileSystem)?;
        found.said.show();
        let own = found.placed.iter().map(|placed| {
            let (kind, name) = placed.object.key();
            ((kind, name.to_owned()), placed.object.clone())
        });
        let pages = Pages { of_files, own: own.collect() };
        Ok(Self { folder, pages: Mutex::new(pages) })
    }

    /// What files have now.
    pub(crate) fn follow(&self, of_files: Arc<Vec<Placed>>) {
        self.pages().of_files = of_files;
    }

    /// All that is in force.
    pub(crate) fn set(&self) -> AlertSet {
        self.all().into_iter().map(|(_, object)| object).collect()
    }

    /// All that is in force, with the file of those that stand in one.
    pub(crate) fn all(&self) -> Vec<(Option<String>, AlertObject)> {
        let pages = self.pages();
        let of_files =
            pages.of_files.iter().map(|placed| (Some(placed.file.to_string()), placed.object.clone()));
        let own = pages.own.iter().filter(|((kind, name), _)| pages.file_of(kind, name).is_none());
        of_files.chain(own.map(|(_, object)| (None, object.clone()))).collect()
    }

    /// Writes an object.
    ///
    /// # Errors
    /// When it cannot be used, or cannot be kept.
    pub(crate) fn put(&self, name: &str, text: &[u8]) -> Result<Written, ControlError> {
        let (object, warnings) = read(name, text)?;
        let (kind, name) = object.key();
        let mut pages = self.pages();
        pages.may_change(kind, name)?;
        let key = (kind, name.to_owned());
        let replaced = pages.own.contains_key(&key);
        if !replaced && pages.own.len() >= OBJECTS_MAX {
            return Err(ControlError::Full(format!(
                "there are {OBJECTS_MAX} objects already: take one away, or write them to a file of `alerts.files`"
            )));
        }
        // Under the lock: what is on the disk and what is in force are changed in one order.
        replace_file(&self.path(kind, name), |out| out.write_all(text)).map_err(not_kept)?;
        pages.own.insert(key, object.clone());
        Ok(Written { object, replaced, warnings })
    }

    /// Takes an object away.
    ///
    /// # Errors
    /// When there is none that was written here, or the disk does not let it go.
    pub(crate) fn delete(&self, kind: &'static str, name: &str) -> Result<(), ControlError> {
        let mut pages = self.pages();
        pages.may_change(kind, name)?;
        if !pages.own.contains_key(&(kind, name.to_owned())) {
            return Err(ControlError::NotFound(format!("there is no {kind} `{name}`")));
        }
        fs::remove_file(self.path(kind, name)).map_err(not_kept)?;
        pages.own.remove(&(kind, name.to_owned()));
        Ok(())
    }

    /// Names are lower-case letters, digits, `-` and `.`: the reader has seen to that.
    fn path(&self, kind: &str, name: &str) -> PathBuf {
        self.folder.join(format!("{kind}.{name}.yaml"))
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // What stands there is whole after every statement.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn file_of(&self, kind: &str, name: &str) -> Option<&str> {
        let placed = self.of_files.iter().find(|placed| placed.object.key() == (kind, name));
        placed.map(|placed| &*placed.file)
    }

    fn may_change(&self, kind: &str, name: &str) -> Result<(), ControlError> {
        match self.file_of(kind, name) {
            Some(file) => {
                Err(ControlError::Refused(format!("{kind} {name} stands in {file}: change it there")))
            }
            None => Ok(()),
        }
    }
}

/// The one object of a text, and what is likely not meant in it.
fn read(name: &str, text: &[u8]) -> Result<(AlertObject, Vec<String>), ControlError> {
    let invalid = |why: String| Err(ControlError::Invalid(why));
    let mut read = read_alerts(text);
    let shown = |diagnostic: &palisade_config::Diagnostic| {
        diagnostic.render(Some(("body", text)), Style::Plain).trim_end().to_owned()
    };
    let errors: Vec<String> =
        read.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).map(shown).collect();
    if !errors.is_empty() {
        return invalid(errors.join("\n"));
    }
    let warnings = read.diagnostics.iter().map(shown).collect();
    let (Some(object), true) = (read.objects.pop(), read.objects.is_empty()) else {
        return invalid(
            "write one object of projectcalico.org/v3: a GlobalAlert, GlobalAlertTemplate, AlertException or \
             SecurityEventWebhook"
                .to_owned(),
        );
    };
    let (kind, own) = object.key();
    if own != name {
        return invalid(format!("the path names {name}, and the {kind} is {own}: name both alike"));
    }
    if let AlertObject::Webhook(webhook) = &object {
        // Whoever may write here could have any file of this process sent to themselves.
        let mut config = webhook.config.iter();
        let reads = config.find(|(name, reference)| {
            ***name == *"ca" || matches!(reference, Reference::File(_) | Reference::Env(_))
        });
        if let Some((name, _)) = reads {
            return invalid(format!(
                "`{name}`: files and the environment of this process are not read for objects of the API: mount a \
                 Secret and name it by secretKeyRef, or write the webhook to a file of `alerts.files`"
            ));
        }
    }
    Ok((object, warnings))
}

fn not_kept(error: std::io::Error) -> ControlError {
    ControlError::NotKept(format!("{error}; everything stays as it was"))
}
