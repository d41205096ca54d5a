//! `palisade run`: a reverse proxy that inspects what it forwards.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use palisade_config::{Config, LogTarget, Name};
use palisade_console::ServiceStatus;
use palisade_events::LogWriter;
use palisade_model::Mode;

use crate::Finding;
use crate::admin::{AdminAddress, AdminListener, AdminSettings, InForce, Process};
use crate::configuration::Told;
use crate::files::FileSystem;
use crate::flags::RunFlags;
use crate::journal::ErrorLines;
use crate::rules::plural;
use crate::serving::{DRAIN_DEADLINE, Profiles, Serving, Signals, Word, plane, profiles, runtime};
use crate::watch::{LOOK_EVERY, Seen, Watched};

/// Runs until SIGTERM or SIGINT. A change of the configuration or of its rules loads them anew; SIGHUP does so at
/// once, and opens the log files anew.
pub(crate) fn run(flags: &RunFlags) -> Result<Finding> {
    warn_of_unknown_variables();
    let told = Told { file: None, overrides: flags.overrides()? };
    let watched = Watched::new(&FileSystem);
    let config = told.load(&watched)?;
    let process = Process::new();
    let admin = AdminListener::start(&admin_settings(&config), process.clone())?;
    let profiles = profiles(&config, &watched)?;
    process.loaded(in_force(&config, &profiles));
    describe(&config, &profiles);
    let error_log = match &config.logs.error {
        LogTarget::File(path) => {
            LogWriter::file(path.as_str()).with_context(|| format!("--error-log `{path}`"))?
        }
        _ => LogWriter::stderr(),
    };
    process.writes("error", &error_log);
    let data_dir = Path::new(config.data_dir.as_str());
    std::fs::create_dir_all(data_dir)
        .with_context(|| format!("--data-dir `{}`: name a folder that can be written", data_dir.display()))?;
    runtime()?.block_on(async {
        let mut signals = Signals::take()?;
        process.watch_workers();
        let plane = plane(Arc::new(ErrorLines::new(error_log.clone())), data_dir);
        let serving = Serving::start(&config, &profiles, plane.clone()).await?;
        process.ready(plane, serving.status());
        admin.say();
        let mut watcher = Watcher::of(watched.into_seen());
        loop {
            tokio::select! {
                word = signals.next() => match word {
                    Word::End => break,
                    Word::Reload => {
                        error_log.reopen();
                        watcher = Watcher::of(reload(&told, &serving, &process));
                    }
                },
                () = tokio::time::sleep(LOOK_EVERY) => {
                    if watcher.has_settled_change() {
                        watcher = Watcher::of(reload(&told, &serving, &process));
                    }
                }
            }
        }
        process.draining();
        tokio::select! {
            ended = serving.end(DRAIN_DEADLINE) => ended?,
            // Somebody who asks twice does not want to wait.
            () = again(&mut signals) => say!("palisade: asked again: requests that have begun are cut"),
        }
        error_log.flush();
        Ok(Finding::Nothing)
    })
}

/// Says what protects, at the start.
fn describe(config: &Config, profiles: &Profiles) {
    for (name, _) in config.profiles.iter() {
        let Some(profile) = profiles.get(name) else { continue };
        let of = if profiles.len() > 1 { format!("profile {name}: ") } else { String::new() };
        match (&profile.rules, profile.mode) {
            (_, Mode::Off) => say!("palisade: {of}mode off: nothing is inspected"),
            (None, _) => {
                say!("palisade: {of}no rules: nothing is inspected; name them by --crs or --rules");
            }
            (Some(rules), mode) => {
                say!("palisade: {of}{}, mode {mode}", plural(rules.rules().len(), "rule"));
            }
        }
    }
}

async fn again(signals: &mut Signals) {
    while let Word::Reload = signals.next().await {}
}

/// Looks after the files of the rules in force.
struct Watcher {
    /// As they were when they were loaded, or when that was tried last.
    in_force: Seen,
    /// As they were at the last look.
    last: Seen,
}

impl Watcher {
    fn of(seen: Seen) -> Self {
        Self { in_force: seen.clone(), last: seen }
    }

    /// Whether they differ from what was loaded, and have not changed since the last look.
    fn has_settled_change(&mut self) -> bool {
        let now = self.in_force.now(&FileSystem);
        let settled = now == self.last;
        self.last = now;
        settled && self.last != self.in_force
    }
}

/// Loads everything anew; what does not load leaves in force what is. Gives what was read for it, also where that
/// cannot be used: it may be mended.
fn reload(told: &Told, serving: &Serving, process: &Process) -> Seen {
    let watched = Watched::new(&FileSystem);
    let replaced = told.load(&watched).and_then(|config| {
        let profiles = profiles(&config, &watched)?;
        serving.replace(&config, &profiles)?;
        Ok((config, profiles))
    });
    match replaced {
        Ok((config, profiles)) => {
            let rules = profiles.values().filter_map(|profile| profile.rules.as_ref());
            say!("palisade: {} loaded anew", plural(rules.map(|rules| rules.rules().len()).sum(), "rule"));
            process.reloaded(Ok(in_force(&config, &profiles)));
        }
        Err(error) => {
            say!("palisade: the rules in force stay: {error:#}");
            process.reloaded(Err(&error));
        }
    }
    watched.into_seen()
}

/// What the admin listener shows of it.
fn in_force(config: &Config, profiles: &Profiles) -> InForce {
    let rules_of = |name: &Name| profiles.get(name).and_then(|profile| profile.rules.as_ref());
    let service = |service: &palisade_config::Service| {
        let name = &*service.profile;
        let mode = profiles.get(name).map(|profile| profile.mode).unwrap_or_default();
        ServiceStatus {
            name: service.name.to_string(),
            mode: mode.to_string(),
            rule_set: rules_of(name).map(|_| name.to_string()),
        }
    };
    let rule_set = |(name, _): (&Name, _)| Some((name.to_string(), rules_of(name)?.rules().len()));
    InForce {
        services: config.services.iter().map(service).collect(),
        rule_sets: config.profiles.iter().filter_map(rule_set).collect(),
    }
}

fn admin_settings(config: &Config) -> AdminSettings {
    use palisade_config::AdminAddress as Configured;
    AdminSettings {
        address: config.admin.address.map(|address| match address {
            Configured::At(address) => AdminAddress::At(address.0),
            Configured::Off => AdminAddress::Off,
        }),
        token_file: config.admin.token_file.as_ref().map(|path| path.as_str().into()),
        probes: config.admin.probes.map(|address| address.0),
        traffic: config.listeners.iter().map(|listener| listener.address.0).collect(),
    }
}

/// Variables of ours that we know.
const VARIABLES: &[&str] = &["PALISADE_WORKERS"];

fn warn_of_unknown_variables() {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        // Those for tests and builds are not ours to complain about.
        if name.starts_with("PALISADE_")
            && !name.starts_with("PALISADE_TEST_")
            && !name.starts_with("PALISADE_BUILD_")
            && !VARIABLES.contains(&&*name)
        {
            say!("palisade: the variable {name} is not known and has no effect");
        }
    }
}
