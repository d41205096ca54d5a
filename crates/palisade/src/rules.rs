//! Rules as the flags name them: loaded, with their diagnostics shown.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use palisade_engine::{LoadedRules, RuleSet, RuleSources, load_rules};
use palisade_seclang::{Loader, Style};

use crate::files::FileSystem;
use crate::flags::{RuleFlags, Switch};
use crate::watch::{Seen, Watched};

/// What the flags name.
pub(crate) fn sources(flags: &RuleFlags) -> Result<RuleSources> {
    let text = |path: &Path| match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!("`{}` is not UTF-8; rule paths have to be", path.display()),
    };
    let texts =
        |paths: &[std::path::PathBuf]| paths.iter().map(|path| text(path)).collect::<Result<Vec<_>>>();
    Ok(RuleSources {
        crs: flags.crs.as_deref().map(text).transpose()?,
        paranoia: flags.paranoia,
        before: texts(&flags.rules_before)?,
        rules: texts(&flags.rules)?,
        text: None,
    })
}

/// Loads rules from disk.
pub(crate) fn load(sources: &RuleSources) -> LoadedRules {
    load_rules(sources, &FileSystem)
}

/// Loads the rules that flags name, shows errors and (on request) warnings on standard error, and fails when they
/// cannot be used. No rules at all are no error: `None`.
pub(crate) fn load_or_fail(flags: &RuleFlags, warnings: Warnings) -> Result<Option<Arc<RuleSet>>> {
    load_by(flags, warnings, &FileSystem)
}

/// The same, and what was read for it, to be watched. The latter also where the rules cannot be used: they may be
/// mended.
pub(crate) fn load_watched(flags: &RuleFlags, warnings: Warnings) -> (Result<Option<Arc<RuleSet>>>, Seen) {
    let watched = Watched::new(&FileSystem);
    let rule_set = load_by(flags, warnings, &watched);
    (rule_set, watched.into_seen())
}

fn load_by(flags: &RuleFlags, warnings: Warnings, loader: &dyn Loader) -> Result<Option<Arc<RuleSet>>> {
    let sources = sources(flags)?;
    if sources.is_empty() {
        if flags.paranoia.is_some() {
            bail!("--paranoia means a CRS: name its folder by --crs");
        }
        return Ok(None);
    }
    let loaded = load_rules(&sources, loader);
    show(&loaded, warnings);
    match loaded.rules {
        Some(rules) => Ok(Some(rules)),
        None => bail!("the rules are not usable: {}", count(&loaded)),
    }
}

/// Which diagnostics are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Warnings {
    Shown,
    /// For commands whose answer is something else; `palisade check` shows them.
    Hidden,
}

/// Shows diagnostics on standard error.
pub(crate) fn show(loaded: &LoadedRules, warnings: Warnings) {
    let style = if std::io::stderr().is_terminal() { Style::Color } else { Style::Plain };
    for diagnostic in &loaded.diagnostics {
        if diagnostic.is_error() || warnings == Warnings::Shown {
            say!("{}", diagnostic.render(&loaded.sources, style));
        }
    }
}

/// `2 errors, 1 warning`.
pub(crate) fn count(loaded: &LoadedRules) -> String {
    let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let warnings = loaded.diagnostics.len() - errors;
    format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"))
}

/// `1 rule`, `2 rules`.
pub(crate) fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// Says that the detector is not there, to somebody who asked for it.
pub(crate) fn note_detect(detect: Option<Switch>) {
    if detect == Some(Switch::On) {
        say!("palisade: the built-in detector is not in this version; rules alone inspect");
    }
}
