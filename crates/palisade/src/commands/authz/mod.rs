//! `palisade authz`: Dikastes's command line. It is translated to what `run` is told, and nothing else: the server is the
//! same, and so is everything that the environment and the admin listener can do.
//!
//! ```text
//!  dikastes server --listen .. --per-host-waf-enabled --waf-ruleset-root-dir .. ──normalised──> ServerFlags
//!    ──overrides──> Overrides { ext_authz, rules, mode, detect, dikastes_log } ──> run::serve
//! ```
//!
//! Source of the flags: Calico's `app-policy` (Apache-2.0), its usage page and the operator's DaemonSet. Differs: rules
//! that are named count also without `--per-host-waf-enabled`, and `--dial` alone means policy, so that nothing that
//! was asked for is left out in silence.

mod flags;
mod health;

use std::ffi::OsString;

use anyhow::{Result, bail};
use palisade_config::Overrides;

pub(crate) use self::flags::AuthzFlags;
use self::flags::{AuthzCommand, Network, ServerFlags, Switch};
use crate::Finding;
use crate::commands::run;
use crate::configuration::Told;
use crate::environment;
use crate::flags::text;

/// Serves, or asks who serves for its health.
pub(crate) fn run(flags: &AuthzFlags) -> Result<Finding> {
    match &flags.command {
        Some(AuthzCommand::Health(health)) => health::run(health),
        Some(AuthzCommand::Server(server)) => serve(server),
        None => serve(&flags.server),
    }
}

fn serve(flags: &ServerFlags) -> Result<Finding> {
    let environment = environment::of_this_process()?;
    environment.notes().iter().for_each(|note| say!("palisade: {note}"));
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let flags = &flags.clone().with(variable);
    let enforced = Enforced::of(flags);
    enforced.notes(flags).iter().for_each(|note| say!("palisade: {note}"));
    let file = environment.config_file().map(Into::into);
    let said = |name: &str| variable(name).is_some();
    let overrides = Overrides { environment, ..overrides(flags, enforced, &said)? };
    run::serve(Told { file, overrides })
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Enforced {
    /// Rules.
    firewall: bool,
    /// Policies.
    policy: bool,
}

impl Enforced {
    fn of(flags: &ServerFlags) -> Self {
        let firewall = flags.per_host_waf_enabled || flags.sidecar_waf_enabled || flags.names_rules();
        let asked = flags.per_host_alp_enabled || flags.sidecar_alp_enabled || !flags.policies.is_empty();
        // A Dikastes that is told nothing but where policies come from decides by them.
        let only_dials = flags.dial.is_some() && !flags.per_host_waf_enabled && !flags.sidecar_waf_enabled;
        Self { firewall, policy: asked || only_dials }
    }

    /// What somebody should know at the start.
    fn notes(self, flags: &ServerFlags) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(level) = flags.log_level.as_ref().filter(|level| !is_usual(level)) {
            notes.push(format!("--log-level {level} has no meaning here: every line is written"));
        }
        if !self.policy
            && let Some(dial) = &flags.dial
        {
            notes.push(format!(
                "--dial {dial} is not connected: no policy is enforced without --per-host-alp-enabled"
            ));
        }
        if !self.policy && !self.firewall {
            notes.push(
                "nothing is enforced: ask for rules by --per-host-waf-enabled, for policy by --per-host-alp-enabled"
                    .to_owned(),
            );
        }
        notes
    }
}

/// Levels that leave out nothing that we write.
fn is_usual(level: &str) -> bool {
    ["info", "warn", "warning", "debug", "trace"].iter().any(|usual| usual.eq_ignore_ascii_case(level))
}

/// What the flags mean in our configuration. `said` knows which of our own variables are there: they win over what a
/// Dikastes does of itself.
fn overrides(flags: &ServerFlags, enforced: Enforced, said: &dyn Fn(&str) -> bool) -> Result<Overrides> {
    let usual = |name: &str, value: &str| (!said(name)).then(|| value.to_owned());
    let mode = if enforced.firewall { "block" } else { "off" };
    let mut overrides = Overrides {
        ext_authz: Some(address(flags)?),
        mode: flags.mode.map(|mode| mode.to_string()).or_else(|| usual("PALISADE_MODE", mode)),
        // Rules say whether they deny; a detector beside them would deny where they only warn.
        detect: match flags.detect {
            Some(switch) => Some(switch == Switch::On),
            None => (!said("PALISADE_DETECT")).then_some(false),
        },
        dikastes_log: true,
        admin: flags.admin.clone(),
        ..Overrides::default()
    };
    if enforced.firewall {
        overrides.rules = rules(flags);
    }
    let files = |path: &std::path::PathBuf| text(path);
    overrides.policies = flags.policies.iter().map(files).collect::<Result<_>>()?;
    overrides.data_dir = flags.data_dir.as_deref().map(text).transpose()?;
    overrides.access_log = flags.access_log.as_deref().map(text).transpose()?;
    if enforced.policy && overrides.policies.is_empty() {
        sync(flags, &mut overrides)?;
    }
    Ok(overrides)
}

/// Where policies come from that no file has.
fn sync(flags: &ServerFlags, overrides: &mut Overrides) -> Result<()> {
    let Some(dial) = &flags.dial else {
        bail!("--per-host-alp-enabled: no policies: name where they come from by --dial, or by --policies")
    };
    overrides.policy_sync_socket = Some(dial.clone());
    let whose = flags.subscription_type.as_deref().unwrap_or("per-host-policies");
    overrides.policy_sync_mode = Some(whose.to_owned());
    Ok(())
}

/// Where Envoy asks.
fn address(flags: &ServerFlags) -> Result<String> {
    let listen = flags.listen.as_str();
    Ok(match (flags.listen_network, listen.strip_prefix("unix:")) {
        (Network::Unix, Some(path)) => format!("unix:{}", path.trim_start_matches("//")),
        (Network::Unix, None) if listen.starts_with('/') => format!("unix:{listen}"),
        // A bare address says itself what it is.
        (Network::Unix, None) if listen.parse::<std::net::SocketAddr>().is_ok() => listen.to_owned(),
        (Network::Unix, None) => {
            bail!("--listen {listen}: write the path of a socket from the root, or an address")
        }
        (Network::Tcp, _) => match listen.strip_prefix(':') {
            Some(port) => format!("0.0.0.0:{port}"),
            None => listen.to_owned(),
        },
    })
}

/// Rule files in the order in which they are loaded. Those that are named start at the root folder; without any name it
/// is the folder itself (the first generation's), or the one file that the second has in it.
fn rules(flags: &ServerFlags) -> Vec<String> {
    let root = flags.waf_ruleset_root_dir.as_deref().unwrap_or(ROOT_FOLDER).trim_end_matches('/');
    let of_root = |name: &str| if name.starts_with('/') { name.to_owned() } else { format!("{root}/{name}") };
    if !flags.waf_ruleset_file.is_empty() {
        return flags.waf_ruleset_file.iter().map(|name| of_root(name)).collect();
    }
    let one = of_root(ONE_FILE);
    vec![if std::path::Path::new(&one).exists() { one } else { root.to_owned() }]
}

const ROOT_FOLDER: &str = "/etc/waf";
const ONE_FILE: &str = "tigera.conf";

/// Arguments as we read them. Dikastes takes flags with one dash as well as with two.
pub(crate) fn normalised(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    if arguments.get(1).is_none_or(|command| command != "authz") {
        return arguments;
    }
    for argument in arguments.iter_mut().skip(2) {
        let Some(text) = argument.to_str() else { continue };
        let is_long = text.strip_prefix('-').is_some_and(|name| {
            name.len() > 1 && name.starts_with(|first: char| first.is_ascii_alphabetic())
        });
        if is_long {
            *argument = format!("-{text}").into();
        }
    }
    arguments
}

#[cfg(test)]
mod tests;
