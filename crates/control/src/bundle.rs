//! A configuration as a folder of files, in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// The name of the configuration file in a bundle. Names in it are relative to the bundle.
pub const ENTRY: &str = "palisade.yaml";

/// How many files a bundle may have.
pub const BUNDLE_FILES_MAX: usize = 100_000;

/// How many bytes the files of a bundle may have together.
pub const BUNDLE_BYTES_MAX: usize = 256 << 20;

/// How long the name of a file may be, in bytes.
const NAME_MAX: usize = 512;

/// A configuration file and what it names: rules, certificates, policies, pages. A clone costs no copy of contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    files: BTreeMap<String, Arc<[u8]>>,
    bytes: usize,
}

/// Equal bundles have equal revisions, and others have others.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision([u8; 32]);

/// What leads from one bundle to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Files that are new or have other contents.
    pub put: BTreeMap<String, Arc<[u8]>>,
    /// Names of files that are gone, in order.
    pub remove: Vec<String>,
}

/// A file that a bundle does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Its name leads out of the bundle, or is none.
    #[error(
        "`{0}` cannot be the name of a file in a bundle: parts of letters, digits, `.`, `_`, `-`, `@` and `=`, \
         parted by single `/`, none of them beginning with `.`, at most 512 bytes"
    )]
    Name(String),
    /// There are too many.
    #[error("a bundle holds at most {BUNDLE_FILES_MAX} files")]
    Files,
    /// They are too long.
    #[error("the files of a bundle hold at most {BUNDLE_BYTES_MAX} bytes together")]
    Bytes,
    /// One name is a file and a folder.
    #[error("`{0}` would be a file and a folder at once")]
    Folder(String),
}

impl Bundle {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file, in place of the one that had its name.
    ///
    /// # Errors
    /// When its name is not one, or a bound is met; the bundle is as it was then.
    pub fn put(&mut self, name: &str, content: impl Into<Arc<[u8]>>) -> Result<(), BundleError> {
        if !is_name(name) {
            return Err(BundleError::Name(name.chars().take(NAME_MAX).collect()));
        }
        let content = content.into();
        let was = self.files.get(name).map_or(0, |content| content.len());
        let bytes = self.bytes - was + content.len();
        if bytes > BUNDLE_BYTES_MAX {
            return Err(BundleError::Bytes);
        }
        if self.files.len() == BUNDLE_FILES_MAX && !self.files.contains_key(name) {
            return Err(BundleError::Files);
        }
        if let Some(folder) = self.file_and_folder(name) {
            return Err(BundleError::Folder(folder));
        }
        self.files.insert(name.to_owned(), content);
        self.bytes = bytes;
        Ok(())
    }

    /// Takes a file away. Says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let gone = self.files.remove(name);
        self.bytes -= gone.as_ref().map_or(0, |content| content.len());
        gone.is_some()
    }

    /// The content of a file.
    pub fn get(&self, name: &str) -> Option<&Arc<[u8]>> {
        self.files.get(name)
    }

    /// All files by name, in order.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&str, &Arc<[u8]>)> {
        self.files.iter().map(|(name, content)| (name.as_str(), content))
    }

    /// How many bytes its files have together.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What stands for its contents.
    pub fn revision(&self) -> Revision {
        let mut digest = Sha256::new();
        for (name, content) in &self.files {
            for part in [name.as_bytes(), content] {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
        }
        Revision(digest.finalize().into())
    }

    /// What leads from `before` to this.
    pub fn since(&self, before: &Bundle) -> Difference {
        let same = |name: &String, content: &Arc<[u8]>| {
            before.files.get(name).is_some_and(|was| Arc::ptr_eq(was, content) || was == content)
        };
        let put = self.files.iter().filter(|(name, content)| !same(name, content));
        let remove = before.files.keys().filter(|name| !self.files.contains_key(*name));
        Difference {
            put: put.map(|(name, content)| (name.clone(), content.clone())).collect(),
            remove: remove.cloned().collect(),
        }
    }

    /// Does what a difference says. Files that it takes away and that are not there are no error.
    ///
    /// # Errors
    /// As [`Bundle::put`]; the bundle may have taken part of the difference then.
    pub fn apply(&mut self, difference: &Difference) -> Result<(), BundleError> {
        for name in &difference.remove {
            self.remove(name);
        }
        for (name, content) in &difference.put {
            self.put(name, content.clone())?;
        }
        Ok(())
    }

    /// The name that would be both if a file came to be called this.
    fn file_and_folder(&self, name: &str) -> Option<String> {
        let above = name.match_indices('/').map(|(at, _)| &name[..at]);
        let file_above = above.into_iter().find(|folder| self.files.contains_key(*folder));
        let folder = format!("{name}/");
        let below = self.files.range(folder.clone()..).next();
        let is_folder = below.is_some_and(|(below, _)| below.starts_with(&folder));
        file_above.map(str::to_owned).or_else(|| is_folder.then(|| name.to_owned()))
    }
}

impl Revision {
    /// The revision that these bytes stand for.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What it is on a wire.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Reads what its text form says: 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revision({self})")
    }
}

/// Whether a file of a bundle may be called this: no name leads out of it, and none hides.
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@=".contains(&byte);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(fine)
    };
    name.len() <= NAME_MAX && name.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bundle(files: &[(&str, &str)]) -> Bundle {
        let mut bundle = Bundle::new();
        files.iter().for_each(|(name, content)| bundle.put(name, content.as_bytes()).unwrap());
        bundle
    }

    #[test]
    fn a_name_cannot_lead_out_of_a_bundle() {
        for name in
            ["", "/etc/passwd", "../x", "a/../x", "a//b", "a/", ".hidden", "a/.b", "a b", "a\\b", "a\0"]
        {
            assert_eq!(Bundle::new().put(name, *b"x"), Err(BundleError::Name(name.to_owned())), "{name:?}");
        }
        for name in ["palisade.yaml", "tls/shop@web.crt", "rules/a=1/b_2-c.conf"] {
            assert_eq!(Bundle::new().put(name, *b"x"), Ok(()), "{name:?}");
        }
        let long = "a".repeat(NAME_MAX);
        assert_eq!(Bundle::new().put(&long, *b""), Ok(()));
        assert!(Bundle::new().put(&format!("{long}a"), *b"").is_err());
    }

    #[test]
    fn a_name_is_a_file_or_a_folder() {
        let mut held = bundle(&[("rules/a.conf", "x"), ("tls.d", "y")]);
        assert_eq!(held.put("rules", *b""), Err(BundleError::Folder("rules".to_owned())));
        assert_eq!(held.put("tls.d/a/b", *b""), Err(BundleError::Folder("tls.d".to_owned())));
        assert_eq!(held.put("rules-more", *b""), Ok(()));
        assert_eq!(held.put("rules/a.conf", *b"other"), Ok(()));
    }

    #[test]
    fn a_bundle_has_bounds_and_is_as_it_was_beyond_them() {
        let mut held = Bundle::new();
        let content: Arc<[u8]> = vec![0; BUNDLE_BYTES_MAX].into();
        held.put("a", content).unwrap();
        assert_eq!(held.put("b", *b"x"), Err(BundleError::Bytes));
        assert_eq!((held.files().len(), held.bytes()), (1, BUNDLE_BYTES_MAX));
        held.put("a", *b"x").unwrap();
        assert_eq!(held.put("b", *b"x"), Ok(()));
        assert!(held.remove("a") && !held.remove("a"));
        assert_eq!(held.bytes(), 1);
    }

    #[test]
    fn revisions_tell_where_one_file_ends() {
        let one = bundle(&[("a", "bc"), ("d", "")]);
        let other = bundle(&[("a", "b"), ("cd", "")]);
        assert_ne!(one.revision(), other.revision());
        assert_ne!(one.revision(), bundle(&[("a", "bc")]).revision());
        assert_eq!(Revision::parse(&one.revision().to_string()), Some(one.revision()));
        assert_eq!(Revision::parse("zz"), None);
        assert_eq!(Revision::parse(&"é".repeat(32)), None);
    }

    fn any_bundle() -> impl Strategy<Value = Bundle> {
        proptest::collection::btree_map("[abc]{1,2}(/[ab])?", "[xy]{0,2}", 0..8).prop_map(|files| {
            let mut bundle = Bundle::new();
            files.iter().for_each(|(name, content)| {
                let _ = bundle.put(name, content.as_bytes());
            });
            bundle
        })
    }

    proptest! {
        #[test]
        fn a_difference_leads_from_one_to_the_other(before in any_bundle(), after in any_bundle()) {
            let difference = after.since(&before);
            let mut led = before.clone();
            led.apply(&difference).unwrap();
            prop_assert_eq!(led.revision() == before.revision(), led == before);
            prop_assert_eq!(&led, &after);
            prop_assert_eq!(led.bytes(), after.files().map(|(_, content)| content.len()).sum::<usize>());
            prop_assert_eq!(after.since(&after), Difference::default());
        }
    }
}
