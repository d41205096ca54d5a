//! Rules of a ConfigMap: Calico's `modsecurity-ruleset`, a folder of SecLang files as data of one object. What is used of it
//! is compiled here, by the code that runs it, before any data plane sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use sha2::{Digest as _, Sha256};

use crate::kinds;

/// Where Calico's operator looks for the ConfigMap.
pub const RULESET_NAMESPACE: &str = "tigera-operator";
/// What it is called there, and what the copy in our own namespace is called that holds the last good one.
pub const RULESET_NAME: &str = "modsecurity-ruleset";
/// Files that it has to have, loaded before all others, in this order.
pub const RULESET_FIRST: [&str; 2] = ["modsecdefault.conf", "crs-setup.conf"];

/// How much a message about rules may hold: conditions and events are bounded by the API.
const MESSAGE_CHARS_MAX: usize = 900;

/// Rule files that belong together, in the order in which they are loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFolder {
    files: BTreeMap<String, Arc<[u8]>>,
    digest: [u8; 32],
}

/// Why rules of a ConfigMap are not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesRefused {
    /// A file that has to be there is not.
    #[error("it has no {0}, in lower-case letters; that file is loaded first")]
    Missing(&'static str),
    /// A name that is no name of a file.
    #[error("{0:?} cannot be the name of a rule file")]
    Name(String),
    /// They do not compile.
    #[error("{0}")]
    Rules(String),
}

impl RulesRefused {
    /// One word.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing(_) => "RequiredFileMissing",
            Self::Name(_) => "InvalidName",
            Self::Rules(_) => "RulesInvalid",
        }
    }
}

impl RuleFolder {
    /// The files of a ConfigMap, of its text and binary data alike.
    ///
    /// # Errors
    /// When one that is needed is missing, or has a name that is none.
    pub fn of(map: &ConfigMap) -> Result<Self, RulesRefused> {
        let texts = map.data.iter().flatten().map(|(name, text)| (name, text.as_bytes()));
        let bytes = map.binary_data.iter().flatten().map(|(name, bytes)| (name, &bytes.0[..]));
        let mut files: BTreeMap<String, Arc<[u8]>> = BTreeMap::new();
        for (name, content) in texts.chain(bytes) {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            if name.starts_with('.') || name.is_empty() || name.len() > 253 || !name.bytes().all(plain) {
                return Err(RulesRefused::Name(name.chars().take(100).collect()));
            }
            files.insert(name.clone(), content.into());
        }
        if let Some(missing) = RULESET_FIRST.into_iter().find(|name| !files.contains_key(*name)) {
            return Err(RulesRefused::Missing(missing));
        }
        Ok(Self::new(files))
    }

    /// Files that somebody else has put together.
    pub fn new(files: BTreeMap<String, Arc<[u8]>>) -> Self {
        let mut digest = Sha256::new();
        for (name, content) in &files {
            for part in [name.as_bytes(), content] {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
        }
        Self { files, digest: digest.finalize().into() }
    }

    /// All files by name.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        self.files.iter().map(|(name, content)| (name.as_str(), content))
    }

    /// Names of the files that are loaded, in order: the two that come first, then `*.conf` by name.
    pub fn order(&self) -> impl Iterator<Item = &str> {
        let first = RULESET_FIRST.into_iter().filter(|name| self.files.contains_key(*name));
        let is_other = |name: &&str| name.ends_with(".conf") && !RULESET_FIRST.contains(name);
        first.chain(self.files.keys().map(String::as_str).filter(is_other))
    }

    /// What stands for its contents: equal folders have equal ones, and others have others.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Compiles the rules as a data plane will, reading nothing but these files. Takes as long as compiling takes: a whole
    /// CRS a good part of a second.
    ///
    /// # Errors
    /// What is wrong, with file, line and remedy, cut to what a condition may hold.
    pub fn check(&self) -> Result<(), RulesRefused> {
        let files = self.files.iter().map(|(name, content)| (name.as_str(), &content[..]));
        let order: Vec<String> = self.order().map(str::to_owned).collect();
        match kinds::compiled(files, &order).error {
            None => Ok(()),
            Some(error) => Err(RulesRefused::Rules(error.chars().take(MESSAGE_CHARS_MAX).collect())),
        }
    }
}
