//! Alerts from files: what is in them, what is wrong with them, and what stays in force when a change is wrong.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::Arc;

use anyhow::{Result, bail};
use palisade_config::Style;
use palisade_events::alerts::{AlertObject, AlertSet, read_alerts};
use palisade_seclang::Loader;

use crate::policies::files_of;
use crate::rules::plural;

/// Files of alerts, as they were read last.
#[derive(Debug, Default)]
pub(crate) struct AlertFiles {
    files: BTreeMap<String, Vec<AlertObject>>,
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
    /// Errors; what they are about stays as it was.
    pub(crate) errors: usize,
    /// Warnings.
    pub(crate) warnings: usize,
    /// Objects of kinds that have no meaning here.
    pub(crate) ignored: usize,
    shown: Vec<String>,
}

impl AlertsFound {
    /// What is in force now.
    pub(crate) fn set(&self) -> AlertSet {
        self.placed.iter().map(|placed| placed.object.clone()).collect()
    }

    /// Shows what is to be said on standard error.
    pub(crate) fn show(&self) {
        self.shown.iter().for_each(|shown| say!("{}", shown.trim_end()));
    }

    /// `2 errors, 1 warning`.
    pub(crate) fn count(&self) -> String {
        format!("{}, {}", plural(self.errors, "error"), plural(self.warnings, "warning"))
    }
}

impl AlertFiles {
    /// Reads files and folders. What is wrong keeps what it was: a text that is no YAML all objects of its file, an object
    /// that cannot be used itself.
    ///
    /// # Errors
    /// When a path cannot be read at all, and was never read.
    pub(crate) fn read(&mut self, paths: &[String], loader: &dyn Loader) -> Result<AlertsFound> {
        let style = if std::io::stderr().is_terminal() { Style::Color } else { Style::Plain };
        let mut found = AlertsFound::default();
        let mut now: BTreeMap<String, Vec<AlertObject>> = BTreeMap::new();
        for file in files_of(paths, loader)? {
            if now.contains_key(&file) {
                continue;
            }
            let before = self.files.get(&file).cloned();
            let text = match loader.read(&file) {
                Ok(text) => text,
                Err(error) if before.is_none() => bail!("`{file}` cannot be read: {error}"),
                Err(error) => {
                    // A file that is gone takes its objects with it; one that cannot be read does not.
                    if !error.not_found {
                        found.errors += 1;
                        let kept = "its objects stay as they were";
                        found.shown.push(format!("error: `{file}` cannot be read: {error}; {kept}"));
                        now.insert(file, before.unwrap_or_default());
                    }
                    continue;
                }
            };
            let read = read_alerts(&text);
            for diagnostic in &read.diagnostics {
                match diagnostic.is_error() {
                    true => found.errors += 1,
                    false => found.warnings += 1,
                }
                found.shown.push(diagnostic.render(Some((&file, &text)), style));
            }
            found.ignored += read.ignored;
            let refused = |object: &AlertObject| {
                let (kind, name) = object.key();
                read.unreadable
                    || read.refused.iter().any(|(there, refused)| (*there, refused.as_str()) == (kind, name))
            };
            let mut objects = read.objects;
            objects.extend(before.into_iter().flatten().filter(refused));
            now.insert(file, objects);
        }
        self.take(now, &mut found);
        Ok(found)
    }

    /// Of an object that stands in two places the first counts.
    fn take(&mut self, now: BTreeMap<String, Vec<AlertObject>>, found: &mut AlertsFound) {
        let mut places: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        let mut objects: Vec<Placed> = Vec::new();
        for (file, object) in
            now.iter().flat_map(|(file, objects)| objects.iter().map(move |object| (file, object)))
        {
            let (kind, name) = object.key();
            if let Some(other) = places.insert((kind, name), file) {
                found.errors += 1;
                let place = if other == file { "twice in".to_owned() } else { format!("in {other} and in") };
                found.shown.push(format!("error: {kind} {name} stands {place} {file}: remove one of them"));
                continue;
            }
            objects.push(Placed { file: file.as_str().into(), object: object.clone() });
        }
        found.placed = objects;
        self.files = now;
    }
}
