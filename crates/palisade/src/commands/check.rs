//! `palisade check`: everything that is wrong with a configuration or with rules, at once.

use std::collections::{BTreeSet, HashMap};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use palisade_config::{Config, EnvironmentRules, Name, Overrides};
use palisade_inspect::LoadedRules;

use crate::Finding;
use crate::authenticating::AuthenticatorMaker;
use crate::commands::{alerts, policy};
use crate::configuration::Told;
use crate::files::FileSystem;
use crate::flags::CheckFlags;
use crate::idle::idle_exceptions;
use crate::outlets::{our_say, secrets_of, sink_of};
use crate::policing::Policing;
use crate::rules::{self, Warnings, plural};
use crate::sites::Pages;
use crate::specifications;
use crate::tls::{Hosts, TlsMaker};
use crate::workload_api;

/// Loads and compiles; exit 1 when something is an error.
pub(crate) fn run(flags: &CheckFlags) -> Result<Finding> {
    if let Some(file) = &flags.config {
        return configuration(file, flags.strict);
    }
    let sources = rules::sources(&flags.rules)?;
    if sources.is_empty() {
        bail!("nothing to check: name a file by --config, or rules by --crs, --rules-before or --rules");
    }
    let loaded = rules::load(&sources);
    Ok(if rules_are_clean(&loaded, "", flags.strict)? { Finding::Nothing } else { Finding::Something })
}

/// A configuration file, and the rules that its profiles name, each once.
fn configuration(file: &Path, strict: bool) -> Result<Finding> {
    let told = Told { file: Some(file.to_owned()), overrides: Overrides::default() };
    let reading = told.read(&FileSystem)?;
    reading.show(Warnings::Shown);
    let errors = reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let warnings = reading.diagnostics.len() - errors;
    let mut out = std::io::stdout();
    let usable = if reading.config.is_some() { "is usable" } else { "is not usable" };
    let total = format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"));
    writeln!(out, "the configuration {usable}: {total}")?;
    let mut clean = reading.config.is_some() && (warnings == 0 || !strict);
    let mut made = HashMap::new();
    for (name, profile) in reading.config.iter().flat_map(|config| config.profiles.iter()) {
        let sources = rules::sources_of(&profile.rules, false, &EnvironmentRules::default());
        if !sources.is_empty() && !made.contains_key(&format!("{sources:?}")) {
            let loaded = rules::load(&sources);
            clean &= rules_are_clean(&loaded, &format!("profile {name}: "), strict)?;
            made.insert(format!("{sources:?}"), loaded.rules);
        }
    }
    if let Some(config) = &reading.config {
        clean &= pages_are_clean(config);
        clean &= specifications_are_clean(config, strict)?;
        if let Some(policies) = &config.policies {
            let paths: Vec<String> = policies.files.iter().map(|path| path.as_str().to_owned()).collect();
            let (policies_are_clean, objects) = policy::check::checked(&paths, strict)?;
            let warnings = Policing::warnings_of(config, objects);
            warnings.iter().for_each(|warning| say!("{warning}"));
            clean &= policies_are_clean && (warnings.is_empty() || !strict);
        }
        clean &= alerts::is_clean(config, strict)?;
        clean &= sinks_are_clean(config);
        clean &= tls_is_clean(config);
        clean &= authenticators_are_clean(config);
        let rules_of = |name: &Name| {
            let sources =
                rules::sources_of(&config.profiles.get(name)?.rules, false, &EnvironmentRules::default());
            made.get(&format!("{sources:?}")).cloned().flatten()
        };
        let idle = idle_exceptions(config, rules_of);
        reading.show_also(&idle);
        clean &= idle.is_empty() || !strict;
    }
    Ok(if clean { Finding::Nothing } else { Finding::Something })
}

/// Shows which pages of services cannot be used. Whether none.
fn pages_are_clean(config: &Config) -> bool {
    let mut pages = Pages::new(&FileSystem);
    let mut wrong = BTreeSet::new();
    for service in &config.services {
        if let Err(error) = pages.site_of(config, service) {
            wrong.insert(format!("{error:#}"));
        }
    }
    for wrong in &wrong {
        say!("error: {wrong}");
    }
    wrong.is_empty()
}

/// Shows what is wrong with specifications of services' APIs. Whether nothing is.
fn specifications_are_clean(config: &Config, strict: bool) -> Result<bool> {
    let mut clean = true;
    for service in &config.services {
        if let Some((is_clean, line)) = specifications::is_clean(service, strict)? {
            writeln!(std::io::stdout(), "{line}")?;
            clean &= is_clean;
        }
    }
    Ok(clean)
}

/// Shows which sinks cannot be used. Whether none.
fn sinks_are_clean(config: &Config) -> bool {
    let mut clean = true;
    for setting in config.events.sinks.iter().map(|sink| sink_of(sink)) {
        if let Err(error) = setting.transport(&secrets_of(config), &our_say()) {
            say!("error: sink {}: {error}", setting.name);
            clean = false;
        }
    }
    clean
}

/// Shows which certificates, keys and authorities cannot be used. Whether none.
fn tls_is_clean(config: &Config) -> bool {
    let mut tls = TlsMaker::default();
    if let Err(error) = workload_api::begin(config) {
        say!("error: {error:#}");
        return false;
    }
    let (hosts, mut clean) = (Hosts::of(config), true);
    for listener in &config.listeners {
        let Some(told) = &listener.tls else { continue };
        if let Err(error) = tls.of_listener(&hosts, listener, told, None, false) {
            say!("error: listener {}: {error:#}", *listener.name);
            clean = false;
        }
    }
    for service in &config.services {
        if let Err(error) = tls.of_upstream(service, false) {
            say!("error: service {}: {error:#}", *service.name);
            clean = false;
        }
    }
    clean
}

/// Shows which authenticators cannot be used. Whether none; what is published at a URL is not asked for.
fn authenticators_are_clean(config: &Config) -> bool {
    let mut maker = AuthenticatorMaker::default();
    let mut clean = true;
    for told in &config.authenticators {
        if let Err(error) = maker.of(told, false) {
            say!("error: authenticator {}: {error:#}", *told.name);
            clean = false;
        }
    }
    clean
}

/// Shows what is wrong with some rules. Whether nothing is.
fn rules_are_clean(loaded: &LoadedRules, of: &str, strict: bool) -> Result<bool> {
    rules::show(loaded, Warnings::Shown);
    let total = rules::count(loaded);
    match &loaded.rules {
        Some(rules) => {
            let count = rules.rules().len();
            let are = if count == 1 { "is" } else { "are" };
            writeln!(std::io::stdout(), "{of}{} {are} usable: {total}", plural(count, "rule"))?;
        }
        None => writeln!(std::io::stdout(), "{of}the rules are not usable: {total}")?,
    }
    Ok(loaded.rules.is_some() && (loaded.diagnostics.is_empty() || !strict))
}
