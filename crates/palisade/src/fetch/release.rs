//! Releases that we know by the hashes of their files, and what counts as a file of CRS in one that we do not know.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use sha2::{Digest as _, Sha256};

use crate::fetch::archive::Files;

/// Hash lists, newest first; made by scripts/crs-hashes.
const KNOWN: [(&str, &str); 2] =
    [("4.28.0", include_str!("known/4.28.0.sha256")), ("3.3.9", include_str!("known/3.3.9.sha256"))];

/// A release of CRS.
pub(super) struct Release {
    /// `4.28.0`.
    pub(super) version: String,
    /// Path to SHA-256 in hexadecimal; `None` for a release that we do not know.
    hashes: Option<BTreeMap<&'static str, &'static str>>,
}

impl Release {
    /// The release of a version, with or without its `v`; the newest that we know when there is none.
    ///
    /// # Errors
    /// When it is no version: it becomes part of a URL and of a path.
    pub(super) fn named(version: Option<&str>) -> Result<Self> {
        let version = version.unwrap_or(KNOWN[0].0);
        let version = version.strip_prefix('v').unwrap_or(version);
        let first = version.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        let rest = version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        if !first || !rest || version.len() > 40 {
            bail!("`{}` is no version of CRS; write one such as {}", version.escape_default(), KNOWN[0].0);
        }
        let list = KNOWN.iter().find(|(known, _)| *known == version).map(|(_, list)| *list);
        let hashes = list.map(|list| list.lines().filter_map(hash_and_path).collect());
        Ok(Self { version: version.to_owned(), hashes })
    }

    /// `4.28.0 and 3.3.9`.
    pub(super) fn all_known() -> String {
        KNOWN.map(|(version, _)| version).join(" and ")
    }

    pub(super) fn is_known(&self) -> bool {
        self.hashes.is_some()
    }

    /// The files to install. Of a release that we know all those on its list and no other, each as it was released.
    ///
    /// # Errors
    /// When one is missing or differs, and when there are no rules.
    pub(super) fn verify(&self, mut files: Files) -> Result<Files> {
        let Some(hashes) = &self.hashes else {
            files.retain(|path, _| is_of_crs(path));
            let has_rules = files.keys().any(|path| path.starts_with("rules/") && path.contains("901"));
            if !has_rules || !files.contains_key("crs-setup.conf.example") {
                bail!("it has no crs-setup.conf.example and rules/REQUEST-901-INITIALIZATION.conf");
            }
            return Ok(files);
        };
        let mut wrong = Vec::new();
        for (path, wanted) in hashes {
            match files.get(*path).map(|content| sha256(content)) {
                None => wrong.push(format!("{path} is missing")),
                Some(found) if found != *wanted => {
                    wrong.push(format!("{path} differs from the release (SHA-256 {found})"));
                }
                Some(_) => {}
            }
        }
        if let Some(first) = wrong.first() {
            let more =
                if wrong.len() > 1 { format!(", and {} more", wrong.len() - 1) } else { String::new() };
            bail!("{first}{more}; nothing was installed");
        }
        files.retain(|path, _| hashes.contains_key(path.as_str()));
        Ok(files)
    }

    /// Whether a path and its content are of this release.
    pub(super) fn has(&self, path: &str, content: &[u8]) -> bool {
        self.hashes
            .as_ref()
            .is_some_and(|hashes| hashes.get(path).is_some_and(|hash| *hash == sha256(content)))
    }

    /// The paths of a release that we know.
    pub(super) fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.hashes.iter().flat_map(|hashes| hashes.keys().copied())
    }
}

fn hash_and_path(line: &'static str) -> Option<(&'static str, &'static str)> {
    let (hash, path) = line.split_once("  ")?;
    (!hash.starts_with('#')).then_some((path, hash))
}

/// What an installation needs: its licence, the set-up file, rules with their data, plugins.
fn is_of_crs(path: &str) -> bool {
    let inside = |folder| {
        path.strip_prefix(folder).is_some_and(|name| {
            !name.contains('/')
                && [".conf", ".data", ".example", ".lua"].iter().any(|end| name.ends_with(end))
        })
    };
    matches!(path, "LICENSE" | "crs-setup.conf.example") || inside("rules/") || inside("plugins/")
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_the_files_of_a_rule_set_and_agree_with_the_copies_at_hand() {
        for (version, list) in KNOWN {
            let release = Release::named(Some(version)).unwrap();
            let paths: Vec<&str> = release.paths().collect();
            assert_eq!(paths.len(), list.lines().count() - 1, "{version}: a line is no hash");
            assert!(paths.contains(&"crs-setup.conf.example"));
            assert!(paths.contains(&"rules/REQUEST-901-INITIALIZATION.conf"));
            let folder = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/crs/{}"), version);
            if !std::path::Path::new(&folder).is_dir() {
                println!(
                    "skipped: CRS {version} is not beside the repository, so its hash list was not compared"
                );
                continue;
            }
            for path in paths {
                let content = std::fs::read(format!("{folder}/{path}")).unwrap();
                assert!(release.has(path, &content), "{version}: {path}");
                assert!(!release.has(path, b"other"));
            }
        }
    }

    #[test]
    fn what_is_no_version_reaches_no_url() {
        for version in ["", "../4", "4/../../x", "4.0 ", "v", "main", "4%2f"] {
            assert!(Release::named(Some(version)).is_err(), "{version}");
        }
        assert_eq!(Release::named(Some("v4.28.0")).unwrap().version, "4.28.0");
        assert!(!Release::named(Some("4.99.0")).unwrap().is_known());
    }
}
