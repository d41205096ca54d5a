//! `palisade run`: a reverse proxy that inspects what it forwards.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use palisade_console::ServiceStatus;
use palisade_dataplane::{Upstream, UpstreamLimits};
use palisade_engine::RuleSet;
use palisade_events::LogWriter;
use palisade_model::Mode;

use crate::Finding;
use crate::admin::{AdminListener, AdminSettings, InForce, Process};
use crate::files::FileSystem;
use crate::flags::RunFlags;
use crate::journal::ErrorLines;
use crate::rules::{self, Warnings};
use crate::serving::{DRAIN_DEADLINE, Protected, Serving, Signals, Word, plane, runtime};
use crate::watch::{LOOK_EVERY, Seen};

/// The listener's name in logs.
const NAME: &str = "web";

/// Runs until SIGTERM or SIGINT. A change of the rule files loads them anew; SIGHUP does so at once, and opens the
/// log file anew.
pub(crate) fn run(flags: &RunFlags) -> Result<Finding> {
    rules::note_detect(flags.detect);
    warn_of_unknown_variables();
    let upstream = upstream(&flags.upstream)?;
    if is_itself(flags.listen, &flags.upstream) {
        bail!(
            "--upstream {}: that is this listener itself; name the address of the service, or another by --listen",
            flags.upstream
        );
    }
    let process = Process::new();
    let admin = AdminListener::start(&admin_settings(flags), process.clone())?;
    let (rule_set, seen) = rules::load_watched(&flags.rules, Warnings::Shown);
    let rule_set = rule_set?;
    process.loaded(in_force(flags.mode, rule_set.as_deref()));
    match (&rule_set, flags.mode) {
        (_, Mode::Off) => say!("palisade: mode off: nothing is inspected"),
        (None, _) => say!("palisade: no rules: nothing is inspected; name them by --crs or --rules"),
        (Some(rules), mode) => {
            say!("palisade: {}, mode {mode}", rules::plural(rules.rules().len(), "rule"));
        }
    }
    let error_log = match &flags.error_log {
        Some(path) => LogWriter::file(path).with_context(|| format!("--error-log `{}`", path.display()))?,
        None => LogWriter::stderr(),
    };
    process.writes("error", &error_log);
    std::fs::create_dir_all(&flags.data_dir).with_context(|| {
        format!("--data-dir `{}`: name a folder that can be written", flags.data_dir.display())
    })?;
    runtime()?.block_on(async {
        let mut signals = Signals::take()?;
        process.watch_workers();
        let plane = plane(Arc::new(ErrorLines::new(error_log.clone())), &flags.data_dir);
        let protected = Protected {
            name: NAME,
            listen: flags.listen,
            upstream,
            mode: flags.mode,
            rules: rule_set,
            health_path: flags.health_path.clone(),
        };
        let serving = Serving::start(protected, plane.clone()).await?;
        process.ready(plane, vec![serving.status(NAME)]);
        admin.say();
        let mut watcher = Watcher::of(seen);
        loop {
            tokio::select! {
                word = signals.next() => match word {
                    Word::End => break,
                    Word::Reload => {
                        error_log.reopen();
                        watcher = Watcher::of(reload(flags, &serving, &process));
                    }
                },
                () = tokio::time::sleep(LOOK_EVERY) => {
                    if watcher.has_settled_change() {
                        watcher = Watcher::of(reload(flags, &serving, &process));
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

async fn again(signals: &mut Signals) {
    while let Word::Reload = signals.next().await {}
}

fn upstream(url: &str) -> Result<Upstream> {
    Upstream::new(url, UpstreamLimits::default()).with_context(|| match url.contains("://") {
        true => "--upstream".to_owned(),
        false => format!("--upstream (perhaps http://{url} is meant)"),
    })
}

/// Whether the upstream is where we listen, as far as its address tells.
fn is_itself(listen: SocketAddr, url: &str) -> bool {
    let authority = url.trim_start_matches("http://").trim_end_matches('/').replace("localhost", "127.0.0.1");
    let Ok(upstream) = authority.parse::<SocketAddr>() else { return false };
    let here = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    upstream.port() == listen.port()
        && (upstream.ip() == listen.ip() || listen.ip().is_unspecified() && here(upstream.ip()))
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

/// Loads the rules anew; those that do not load leave the old ones in force. Gives what was read for it.
fn reload(flags: &RunFlags, serving: &Serving, process: &Process) -> Seen {
    let (rule_set, seen) = rules::load_watched(&flags.rules, Warnings::Shown);
    match rule_set {
        Ok(rule_set) => {
            let count = rule_set.as_ref().map_or(0, |rules| rules.rules().len());
            say!("palisade: {} loaded anew", rules::plural(count, "rule"));
            process.reloaded(Ok(in_force(flags.mode, rule_set.as_deref())));
            serving.replace_rules(NAME, flags.mode, rule_set);
        }
        Err(error) => {
            say!("palisade: the rules in force stay: {error:#}");
            process.reloaded(Err(&error));
        }
    }
    seen
}

/// What the admin listener shows of it.
fn in_force(mode: Mode, rules: Option<&RuleSet>) -> InForce {
    let rule_set = rules.map(|_| NAME.to_owned());
    InForce {
        services: vec![ServiceStatus { name: NAME.to_owned(), mode: mode.to_string(), rule_set }],
        rule_sets: rules.iter().map(|rules| (NAME.to_owned(), rules.rules().len())).collect(),
    }
}

fn admin_settings(flags: &RunFlags) -> AdminSettings {
    AdminSettings {
        address: flags.admin,
        token_file: flags.admin_token_file.clone(),
        probes: None,
        traffic: vec![flags.listen],
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
