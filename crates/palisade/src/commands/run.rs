//! `palisade run`: a reverse proxy that inspects what it forwards.

use anyhow::{Context as _, Result};
use palisade_dataplane::ErrorLog;
use palisade_model::Mode;

use crate::Finding;
use crate::flags::RunFlags;
use crate::rules::{self, Warnings};
use crate::serving::{DRAIN_DEADLINE, Protected, Serving, Signals, Word, plane, runtime};

/// The listener's name in logs.
const NAME: &str = "web";

/// Runs until SIGTERM or SIGINT; SIGHUP loads the rules anew and opens the log file anew.
pub(crate) fn run(flags: &RunFlags) -> Result<Finding> {
    rules::note_detect(flags.detect);
    warn_of_unknown_variables();
    let rule_set = rules::load_or_fail(&flags.rules, Warnings::Shown)?;
    match (&rule_set, flags.mode) {
        (_, Mode::Off) => eprintln!("palisade: mode off: nothing is inspected"),
        (None, _) => eprintln!("palisade: no rules: nothing is inspected; name them by --crs or --rules"),
        (Some(rules), mode) => eprintln!("palisade: {} rules, mode {mode}", rules.rules().len()),
    }
    let error_log = match &flags.error_log {
        Some(path) => ErrorLog::file(path).with_context(|| format!("--error-log `{}`", path.display()))?,
        None => ErrorLog::stderr(),
    };
    std::fs::create_dir_all(&flags.data_dir).with_context(|| {
        format!("--data-dir `{}`: name a folder that can be written", flags.data_dir.display())
    })?;
    runtime()?.block_on(async {
        let mut signals = Signals::take()?;
        let plane = plane(error_log, &flags.data_dir);
        let protected = Protected {
            name: NAME,
            listen: flags.listen,
            upstream: &flags.upstream,
            mode: flags.mode,
            rules: rule_set,
            health_path: flags.health_path.clone(),
        };
        let serving = Serving::start(protected, plane.clone()).await?;
        while let Word::Reload = signals.next().await {
            plane.error_log().reopen();
            reload(flags, &serving);
        }
        serving.end(DRAIN_DEADLINE).await?;
        plane.error_log().flush();
        Ok(Finding::Nothing)
    })
}

/// Rules that do not load leave those in force.
fn reload(flags: &RunFlags, serving: &Serving) {
    match rules::load_or_fail(&flags.rules, Warnings::Shown) {
        Ok(rule_set) => {
            eprintln!(
                "palisade: {} rules loaded anew",
                rule_set.as_ref().map_or(0, |rules| rules.rules().len())
            );
            serving.replace_rules(NAME, flags.mode, rule_set);
        }
        Err(error) => eprintln!("palisade: the rules in force stay: {error:#}"),
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
            && !VARIABLES.contains(&&*name)
        {
            eprintln!("palisade: the variable {name} is not known and has no effect");
        }
    }
}
