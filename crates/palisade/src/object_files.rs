//! Files of objects: what is in them, what is wrong with them, and what stays in force when a change is wrong.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::{Result, bail};
use palisade_config::Style;
use palisade_seclang::Loader;
use palisade_yaml::Diagnostic;

use crate::rules::plural;

/// Files of objects with their keys, as they were read last.
#[derive(Debug)]
pub(crate) struct ObjectFiles<K, O> {
    files: BTreeMap<String, Vec<(K, O)>>,
}

/// What the text of a file holds.
pub(crate) struct InText<K, O> {
    /// The objects that can be used, in order.
    pub(crate) objects: Vec<(K, O)>,
    /// Those that cannot, as far as their names can be read.
    pub(crate) refused: Vec<K>,
    /// The text is not YAML: what it holds is not known.
    pub(crate) unreadable: bool,
    /// How many objects of kinds that have no meaning here.
    pub(crate) ignored: usize,
    /// All that is to be said about it, in order.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// What there is to say about a reading.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Errors; what they are about stays as it was.
    pub(crate) errors: usize,
    /// Warnings.
    pub(crate) warnings: usize,
    /// Objects of kinds that have no meaning here.
    pub(crate) ignored: usize,
    /// All of it, as it is shown.
    pub(crate) shown: Vec<String>,
}

impl Said {
    /// Shows it on standard error.
    pub(crate) fn show(&self) {
        self.shown.iter().for_each(|shown| say!("{}", shown.trim_end()));
    }

    /// `2 errors, 1 warning`.
    pub(crate) fn count(&self) -> String {
        format!("{}, {}", plural(self.errors, "error"), plural(self.warnings, "warning"))
    }

    fn error(&mut self, text: String) {
        self.errors += 1;
        self.shown.push(format!("error: {text}"));
    }

    fn diagnostic(&mut self, diagnostic: &Diagnostic, file: &str, text: &[u8]) {
        let style = if std::io::stderr().is_terminal() { Style::Color } else { Style::Plain };
        match diagnostic.is_error() {
            true => self.errors += 1,
            false => self.warnings += 1,
        }
        self.shown.push(diagnostic.render(Some((file, text)), style));
    }
}

impl<K, O> Default for ObjectFiles<K, O> {
    fn default() -> Self {
        Self { files: BTreeMap::new() }
    }
}

impl<K: Clone + Display + Ord, O: Clone> ObjectFiles<K, O> {
    /// Reads files and folders. What is wrong keeps what it was: a text that is no YAML all objects of its file, an object
    /// that cannot be used itself. The first reading has nothing to keep.
    ///
    /// Gives what there is to say, and the files as they were before.
    ///
    /// # Errors
    /// When a path cannot be read at all, and was never read; everything is as it was then.
    pub(crate) fn read(
        &mut self,
        paths: &[String],
        loader: &dyn Loader,
        of_text: impl Fn(&[u8]) -> InText<K, O>,
    ) -> Result<(Said, Self)> {
        let mut said = Said::default();
        let mut now: BTreeMap<String, Vec<(K, O)>> = BTreeMap::new();
        for file in files_of(paths, loader)? {
            if now.contains_key(&file) {
                continue;
            }
            let before = self.files.get(&file);
            let text = match loader.read(&file) {
                Ok(text) => text,
                Err(error) if before.is_none() => bail!("`{file}` cannot be read: {error}"),
                Err(error) => {
                    // A file that is gone takes its objects with it; one that cannot be read does not.
                    if !error.not_found {
                        said.error(format!(
                            "`{file}` cannot be read: {error}; its objects stay as they were"
                        ));
                        now.insert(file, before.cloned().unwrap_or_default());
                    }
                    continue;
                }
            };
            let found = of_text(&text);
            for diagnostic in &found.diagnostics {
                said.diagnostic(diagnostic, &file, &text);
            }
            said.ignored += found.ignored;
            let mut objects = found.objects;
            let keep = |key: &K| found.unreadable || found.refused.contains(key);
            objects.extend(before.into_iter().flatten().filter(|(key, _)| keep(key)).cloned());
            now.insert(file, objects);
        }
        let before = std::mem::replace(&mut self.files, now);
        self.say_doubles(&mut said);
        Ok((said, Self { files: before }))
    }

    /// Of an object that stands in two places the first counts.
    fn say_doubles(&self, said: &mut Said) {
        let mut places: BTreeMap<&K, &str> = BTreeMap::new();
        for (file, objects) in &self.files {
            for (key, _) in objects {
                let Some(other) = places.get(key) else {
                    places.insert(key, file);
                    continue;
                };
                let place = if other == file { "twice in".to_owned() } else { format!("in {other} and in") };
                said.error(format!("{key} stands {place} {file}: remove one of them"));
            }
        }
    }

    /// Every object once, by its key, with the file that it stands in.
    pub(crate) fn placed(&self) -> BTreeMap<&K, (&str, &O)> {
        let mut placed = BTreeMap::new();
        for (file, objects) in &self.files {
            for (key, object) in objects {
                placed.entry(key).or_insert((file.as_str(), object));
            }
        }
        placed
    }

    /// What is in the files, in order.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (&str, &(K, O))> {
        self.files.iter().flat_map(|(file, objects)| objects.iter().map(|object| (file.as_str(), object)))
    }
}

/// The files of paths: a folder's .yaml, .yml and .json files by name, those of its folders not.
fn files_of(paths: &[String], loader: &dyn Loader) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for path in paths {
        let folder = path.trim_end_matches('/');
        let mut found = Vec::new();
        for extension in ["yaml", "yml", "json"] {
            let pattern = format!("{}/*.{extension}", if folder.is_empty() { "" } else { folder });
            match loader.expand(&pattern) {
                Ok(more) => found.extend(more),
                Err(error) => bail!("`{path}` cannot be read: {error}"),
            }
        }
        found.sort();
        if found.is_empty() && !Path::new(path).is_dir() {
            found.push(path.clone());
        }
        files.extend(found);
    }
    Ok(files)
}
