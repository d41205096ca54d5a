//! Rules as the flags name them: loaded, with their diagnostics shown.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use palisade_config::EnvironmentRules;
use palisade_engine::{Interner, LoadedRules, RuleSet, RuleSources, load_rules, load_rules_with};
use palisade_seclang::{Loader, Style};

use crate::files::FileSystem;
use crate::flags::{RuleFlags, text};

/// What the flags name.
pub(crate) fn sources(flags: &RuleFlags) -> Result<RuleSources> {
    let texts =
        |paths: &[std::path::PathBuf]| paths.iter().map(|path| text(path)).collect::<Result<Vec<_>>>();
    Ok(RuleSources {
        crs: flags.crs.as_deref().map(text).transpose()?,
        paranoia: flags.paranoia,
        before: texts(&flags.rules_before)?,
        rules: texts(&flags.rules)?,
        ..RuleSources::default()
    })
}

/// What a profile names, with what the environment adds. With an audit log of ours, rules that say nothing about it have
/// the usual settings.
pub(crate) fn sources_of(
    rules: &palisade_config::Rules,
    audit: bool,
    environment: &EnvironmentRules,
) -> RuleSources {
    let texts =
        |paths: &[palisade_config::FilePath]| paths.iter().map(|path| path.as_str().to_owned()).collect();
    RuleSources {
        audit,
        settings: environment.text.clone(),
        without_plugins: environment.without_plugins,
        crs: rules.crs.as_ref().map(|path| path.as_str().to_owned()),
        paranoia: rules.paranoia.as_ref().map(|level| level.level()),
        before: texts(&rules.before),
        rules: texts(&rules.files),
        text: None,
    }
}

/// Loads rules from disk.
pub(crate) fn load(sources: &RuleSources) -> LoadedRules {
    load_rules(sources, &FileSystem)
}

/// Loads the rules that flags name, shows errors and (on request) warnings on standard error, and fails when they
/// cannot be used. No rules at all are no error: `None`.
pub(crate) fn load_or_fail(flags: &RuleFlags, warnings: Warnings) -> Result<Option<Arc<RuleSet>>> {
    let sources = sources(flags)?;
    if sources.is_empty() && flags.paranoia.is_some() {
        bail!("--paranoia means a CRS: name its folder by --crs");
    }
    load_shown(&sources, warnings, &FileSystem, &Interner::new())
}

/// Loads rules, shows what is wrong with them, and fails when they cannot be used. No rules at all are no error.
pub(crate) fn load_shown(
    sources: &RuleSources,
    warnings: Warnings,
    loader: &dyn Loader,
    interner: &Interner,
) -> Result<Option<Arc<RuleSet>>> {
    if sources.is_empty() {
        return Ok(None);
    }
    let loaded = load_rules_with(sources, loader, interner);
    show(&loaded, warnings);
    if let (None, Some(crs)) = (&loaded.rules, &sources.crs)
        && !Path::new(crs).exists()
    {
        say!("palisade: there is no `{crs}`: {}", where_crs_comes_from());
    }
    match loaded.rules {
        Some(rules) => Ok(Some(rules)),
        None => bail!("the rules are not usable: {}{}", count(&loaded), first_error(&loaded)),
    }
}

/// Where Debian's package puts CRS.
pub(crate) const DEBIAN_CRS: &str = "/usr/share/modsecurity-crs";

/// For somebody who starts for the first time.
pub(crate) fn where_crs_comes_from() -> String {
    let here = if Path::new(DEBIAN_CRS).is_dir() {
        format!("one is here, at {DEBIAN_CRS}; otherwise ")
    } else {
        String::new()
    };
    format!(
        "{here}`palisade rules fetch` downloads and verifies a release of \
         https://github.com/coreruleset/coreruleset; or install Debian's modsecurity-crs and name {DEBIAN_CRS}"
    )
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

/// `; the first: site.conf:3:22: there is no operator ...`: all that somebody elsewhere gets to see.
fn first_error(loaded: &LoadedRules) -> String {
    let Some(first) = loaded.diagnostics.iter().find(|diagnostic| diagnostic.is_error()) else {
        return String::new();
    };
    let place = first.span.map(|span| {
        let (line, column) = loaded.sources.line_column(span);
        format!("{}:{line}:{column}: ", loaded.sources.name(span.file))
    });
    format!("; the first: {}{}", place.unwrap_or_default(), first.message)
}

/// `1 rule`, `2 rules`.
pub(crate) fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
