//! `palisade alerts`: what is wrong with alerts, and whether those who are told of them hear it.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use palisade_config::{Config, Overrides};
use palisade_events::alerts::webhook::WebhookState;
use palisade_events::alerts::{AlertSet, Hook, test_event};
use palisade_events::unix_millis;

use crate::Finding;
use crate::alerting::AlertFiles;
use crate::configuration::Told;
use crate::events::host;
use crate::files::FileSystem;
use crate::flags::AlertsTestFlags;
use crate::outlets::{our_say, secrets_of};
use crate::rules::{Warnings, plural};

/// Tells every webhook that an alert would tell, that this is a test. Exit 1 when one did not hear it.
pub(crate) fn test(flags: &AlertsTestFlags) -> Result<Finding> {
    let told = Told { file: Some(flags.config.clone()), overrides: Overrides::default() };
    let reading = told.read(&FileSystem)?;
    reading.show(Warnings::Hidden);
    let Some(config) = reading.config else { bail!("the configuration is not usable") };
    let mut paths = paths(&config);
    // Those that were written by the API.
    let folder = Path::new(config.data_dir.as_str()).join(crate::alert_book::FOLDER);
    if folder.is_dir() {
        paths.push(folder.to_string_lossy().into_owned());
    }
    let found = AlertFiles::default().read(&paths, &FileSystem)?;
    found.said.show();
    let AlertSet { alerts, webhooks, .. } = found.set();
    let Some(alert) = alerts.iter().find(|alert| *alert.name == *flags.name) else {
        let names: Vec<&str> = alerts.iter().map(|alert| &*alert.name).collect();
        let known = if names.is_empty() {
            "there are none".to_owned()
        } else {
            format!("there are: {}", names.join(", "))
        };
        bail!("no alert has the name `{}`; {known}", flags.name);
    };
    let event = test_event(&alert.name, alert.severity, unix_millis(), &host());
    let mut out = std::io::stdout();
    let (mut told, mut failed) = (0, 0);
    for webhook in &webhooks {
        let name = &webhook.name;
        if webhook.state == WebhookState::Disabled {
            writeln!(out, "{name}: disabled")?;
            continue;
        }
        if !webhook.query.matches(&event) {
            writeln!(out, "{name}: its query does not choose it")?;
            continue;
        }
        let said = Hook::new(webhook, &secrets_of(&config), &our_say())
            .and_then(|hook| hook.tell(&event).map_err(|failure| failure.problem));
        match said {
            Ok(said) => {
                told += 1;
                writeln!(out, "{name}: told, {said}")?;
            }
            Err(why) => {
                failed += 1;
                writeln!(out, "{name}: not told: {why}")?;
            }
        }
    }
    writeln!(out, "{} told, {failed} not", plural(told, "webhook"))?;
    Ok(if failed > 0 || told == 0 { Finding::Something } else { Finding::Nothing })
}

/// Shows what is wrong with alerts. Whether nothing is.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn is_clean(config: &Config, strict: bool) -> Result<bool> {
    if config.alerts.is_none() {
        return Ok(true);
    }
    let found = AlertFiles::default().read(&paths(config), &FileSystem)?;
    found.said.show();
    let objects = found.placed.len();
    let are = if objects == 1 { "is" } else { "are" };
    let ignored = match found.said.ignored {
        0 => String::new(),
        count => format!(", {} of other kinds left out", plural(count, "object")),
    };
    let count = found.said.count();
    writeln!(std::io::stdout(), "{} of alerts {are} usable: {count}{ignored}", plural(objects, "object"))?;
    Ok(found.said.errors == 0 && (found.said.warnings == 0 || !strict))
}

/// The paths of a configuration's alerts.
pub(crate) fn paths(config: &Config) -> Vec<String> {
    let files = config.alerts.iter().flat_map(|alerts| &alerts.files);
    files.map(|path| path.as_str().to_owned()).collect()
}
