//! Policies from files: what is in them, what is wrong with them, and what stays in force when a change is wrong.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::{Result, bail};
use palisade_config::Style;
use palisade_policy::{Change, Object, ObjectKey, read_objects};
use palisade_seclang::Loader;
use palisade_yaml::Diagnostic;

use crate::rules::plural;

/// Files of objects, as they were read last.
#[derive(Debug, Default)]
pub(crate) struct PolicyFiles {
    files: BTreeMap<String, Vec<(ObjectKey, Object)>>,
}

/// What a reading found.
#[derive(Debug, Default)]
pub(crate) struct PoliciesRead {
    /// What is to change.
    pub(crate) changes: Vec<Change>,
    /// Errors; what they are about stays as it was.
    pub(crate) errors: usize,
    /// Warnings.
    pub(crate) warnings: usize,
    /// Objects in use.
    pub(crate) objects: usize,
    /// Objects of kinds that have no meaning here.
    pub(crate) ignored: usize,
    /// All that is to be said, as it is shown.
    shown: Vec<String>,
}

impl PoliciesRead {
    /// Shows what is to be said on standard error.
    pub(crate) fn show(&self) {
        for shown in &self.shown {
            say!("{}", shown.trim_end());
        }
    }

    /// `2 errors, 1 warning`.
    pub(crate) fn count(&self) -> String {
        format!("{}, {}", plural(self.errors, "error"), plural(self.warnings, "warning"))
    }

    fn say(&mut self, diagnostic: &Diagnostic, file: Option<(&str, &[u8])>) {
        let style = if std::io::stderr().is_terminal() { Style::Color } else { Style::Plain };
        if diagnostic.is_error() {
            self.errors += 1;
        } else {
            self.warnings += 1;
        }
        self.shown.push(diagnostic.render(file, style));
    }
}

impl PolicyFiles {
    /// Reads files and folders. What is wrong keeps what it was: a text that is no YAML all objects of its file, an object
    /// that cannot be used itself. The first reading has nothing to keep.
    ///
    /// # Errors
    /// When a path cannot be read at all, and was never read.
    pub(crate) fn read(&mut self, paths: &[String], loader: &dyn Loader) -> Result<PoliciesRead> {
        let mut read = PoliciesRead::default();
        let mut now: BTreeMap<String, Vec<(ObjectKey, Object)>> = BTreeMap::new();
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
                        read.errors += 1;
                        read.shown.push(format!(
                            "error: `{file}` cannot be read: {error}; its objects stay as they were"
                        ));
                        now.insert(file, before.cloned().unwrap_or_default());
                    }
                    continue;
                }
            };
            let found = read_objects(&text);
            for diagnostic in &found.diagnostics {
                read.say(diagnostic, Some((&file, &text)));
            }
            read.ignored += found.ignored;
            let mut objects = found.objects;
            let keep = |key: &ObjectKey| found.unreadable || found.refused.contains(key);
            let kept = before.into_iter().flatten().filter(|(key, _)| keep(key)).cloned();
            objects.extend(kept.collect::<Vec<_>>());
            now.insert(file, objects);
        }
        self.take(now, &mut read);
        Ok(read)
    }

    /// What is in the files, as it was read last.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &(ObjectKey, Object)> {
        self.files.values().flatten()
    }

    /// What differs from before becomes a change; of an object that stands in two places the first counts.
    fn take(&mut self, now: BTreeMap<String, Vec<(ObjectKey, Object)>>, read: &mut PoliciesRead) {
        let mut places: BTreeMap<&ObjectKey, (&str, &Object)> = BTreeMap::new();
        for (file, objects) in &now {
            for (key, object) in objects {
                if let Some((other, _)) = places.get(key) {
                    read.errors += 1;
                    let place =
                        if other == file { "twice in".to_owned() } else { format!("in {other} and in") };
                    read.shown.push(format!("error: {key} stands {place} {file}: remove one of them"));
                    continue;
                }
                places.insert(key, (file, object));
            }
        }
        let mut before: BTreeMap<&ObjectKey, &Object> = BTreeMap::new();
        for (key, object) in self.files.values().flatten() {
            before.entry(key).or_insert(object);
        }
        read.objects = places.len();
        let gone = before.keys().filter(|key| !places.contains_key(*key)).map(|key| ((*key).clone(), None));
        let changed = places
            .iter()
            .filter(|(key, (_, object))| before.get(*key) != Some(object))
            .map(|(key, (_, object))| ((*key).clone(), Some((*object).clone())));
        read.changes = gone.chain(changed).collect();
        self.files = now;
    }
}

/// The files of paths: a folder's .yaml, .yml and .json files by name, those of its folders not.
pub(crate) fn files_of(paths: &[String], loader: &dyn Loader) -> Result<Vec<String>> {
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use palisade_seclang::LoadError;

    use super::*;

    /// Files in memory.
    struct Files(RefCell<BTreeMap<String, String>>);

    impl Loader for Files {
        fn read(&self, path: &str) -> Result<Vec<u8>, LoadError> {
            let text = self.0.borrow().get(path).map(|text| text.clone().into_bytes());
            text.ok_or(LoadError { not_found: true, message: "is not there".to_owned() })
        }

        fn expand(&self, pattern: &str) -> Result<Vec<String>, LoadError> {
            let (folder, extension) = pattern.split_once("/*").unwrap();
            let files = self.0.borrow();
            let inside =
                |file: &&String| file.starts_with(&format!("{folder}/")) && file.ends_with(extension);
            Ok(files.keys().filter(inside).cloned().collect())
        }
    }

    fn policy(name: &str, selector: &str) -> String {
        format!(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {{name: {name}}}\nspec: {{selector: \"{selector}\"}}\n---\n"
        )
    }

    #[test]
    fn what_is_wrong_keeps_what_it_was_object_by_object() {
        let files = Files(RefCell::default());
        let set = |file: &str, text: String| {
            files.0.borrow_mut().insert(file.to_owned(), text);
        };
        set("p/a.yaml", policy("one", "has(a)") + &policy("two", "has(b)"));
        set("p/b.yml", policy("three", "has(c)"));
        set("p/notes.txt", "not asked for".to_owned());
        let mut policies = PolicyFiles::default();
        let mut read = || policies.read(&["p".to_owned()], &files).unwrap();
        let names = |read: &PoliciesRead| -> Vec<String> {
            read.changes
                .iter()
                .map(|(key, object)| format!("{}{}", key.name, if object.is_some() { "" } else { " gone" }))
                .collect()
        };
        let first = read();
        assert_eq!(
            (names(&first).as_slice(), first.errors),
            (&["one", "three", "two"].map(String::from)[..], 0)
        );
        assert_eq!(names(&read()), [""; 0], "nothing changed");
        // One object is wrong: it stays, the other changes.
        set("p/a.yaml", policy("one", "has(") + &policy("two", "has(d)"));
        let second = read();
        assert_eq!((names(&second), second.errors), (vec!["two".to_owned()], 1));
        // The whole file is wrong.
        set("p/a.yaml", "a: [".to_owned());
        let third = read();
        assert_eq!((names(&third), third.errors, third.objects), (vec![], 1, 3));
        // It is mended, and one object is gone.
        set("p/a.yaml", policy("one", "has(e)"));
        assert_eq!(names(&read()), ["two gone", "one"]);
        // A file is gone.
        files.0.borrow_mut().remove("p/b.yml");
        assert_eq!(names(&read()), ["three gone"]);
        // A name twice.
        set("p/c.yaml", policy("one", "has(f)"));
        let last = read();
        assert_eq!((names(&last), last.errors), (vec![], 1));
        assert_eq!(
            last.shown,
            ["error: GlobalNetworkPolicy one stands in p/a.yaml and in p/c.yaml: remove one of them"]
        );
    }
}
