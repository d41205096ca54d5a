//! Policies from files, and what a reading of them changes.

use anyhow::Result;
use palisade_policy::{Change, Object, ObjectKey, read_objects};
use palisade_seclang::Loader;

use crate::object_files::{InText, ObjectFiles, Said};

/// Files of objects, as they were read last.
#[derive(Debug, Default)]
pub(crate) struct PolicyFiles {
    files: ObjectFiles<ObjectKey, Object>,
}

/// What a reading found.
#[derive(Debug, Default)]
pub(crate) struct PoliciesRead {
    /// What is to change.
    pub(crate) changes: Vec<Change>,
    /// Objects in use.
    pub(crate) objects: usize,
    /// What there is to say about it.
    pub(crate) said: Said,
}

impl PolicyFiles {
    /// Reads files and folders. What is wrong keeps what it was; what differs from before becomes a change.
    ///
    /// # Errors
    /// When a path cannot be read at all, and was never read.
    pub(crate) fn read(&mut self, paths: &[String], loader: &dyn Loader) -> Result<PoliciesRead> {
        let (said, before) = self.files.read(paths, loader, |text| {
            let found = read_objects(text);
            InText {
                objects: found.objects,
                refused: found.refused,
                unreadable: found.unreadable,
                ignored: found.ignored,
                diagnostics: found.diagnostics,
            }
        })?;
        let (now, before) = (self.files.placed(), before.placed());
        let gone = before.keys().filter(|key| !now.contains_key(*key)).map(|key| ((*key).clone(), None));
        let object_before = |key| before.get(key).map(|(_, object)| *object);
        let changed = now
            .iter()
            .filter(|(key, (_, object))| object_before(*key) != Some(*object))
            .map(|(key, (_, object))| ((*key).clone(), Some((*object).clone())));
        Ok(PoliciesRead { changes: gone.chain(changed).collect(), objects: now.len(), said })
    }

    /// What is in the files, as it was read last.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &(ObjectKey, Object)> {
        self.files.objects().map(|(_, object)| object)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

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
            (names(&first).as_slice(), first.said.errors),
            (&["one", "three", "two"].map(String::from)[..], 0)
        );
        assert_eq!(names(&read()), [""; 0], "nothing changed");
        // One object is wrong: it stays, the other changes.
        set("p/a.yaml", policy("one", "has(") + &policy("two", "has(d)"));
        let second = read();
        assert_eq!((names(&second), second.said.errors), (vec!["two".to_owned()], 1));
        // The whole file is wrong.
        set("p/a.yaml", "a: [".to_owned());
        let third = read();
        assert_eq!((names(&third), third.said.errors, third.objects), (vec![], 1, 3));
        // It is mended, and one object is gone.
        set("p/a.yaml", policy("one", "has(e)"));
        assert_eq!(names(&read()), ["two gone", "one"]);
        // A file is gone.
        files.0.borrow_mut().remove("p/b.yml");
        assert_eq!(names(&read()), ["three gone"]);
        // A name twice.
        set("p/c.yaml", policy("one", "has(f)"));
        let last = read();
        assert_eq!((names(&last), last.said.errors), (vec![], 1));
        assert_eq!(
            last.said.shown,
            ["error: GlobalNetworkPolicy one stands in p/a.yaml and in p/c.yaml: remove one of them"]
        );
    }
}
