//! Dikastes's flags, as its usage page has them, and a few of ours.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use palisade_model::Mode;

pub(super) use crate::flags::Switch;

/// `palisade authz`, with and without a subcommand.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AuthzFlags {
    #[command(subcommand)]
    pub(super) command: Option<AuthzCommand>,
    #[command(flatten)]
    pub(super) server: ServerFlags,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuthzCommand {
    /// Answer Envoys; what `palisade authz` does without a word
    Server(Box<ServerFlags>),
    /// Ask who answers Envoys on this machine whether it is there, or ready: exit 0 when it is
    Health(HealthFlags),
}

/// A network by the name that Go has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Network {
    Unix,
    Tcp,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ServerFlags {
    /// Where Envoy asks: the path of a socket, or an address
    #[arg(long, value_name = "PATH|ADDR", default_value = SOCKET)]
    pub(super) listen: String,
    /// What --listen is: unix or tcp
    #[arg(long, value_name = "NETWORK", value_enum, default_value_t = Network::Unix)]
    pub(super) listen_network: Network,
    /// Where the Policy Sync API is, whose policies are enforced with --per-host-alp-enabled: the path of a socket
    #[arg(long, value_name = "PATH")]
    pub(super) dial: Option<String>,
    /// What --dial is: unix, and nothing else
    #[arg(long, value_name = "NETWORK", value_parser = ["unix"], default_value = "unix")]
    pub(super) dial_network: String,
    /// Whose policies are asked for: per-pod-policies or per-host-policies, those of all pods of this machine
    /// [default: DIKASTES_SUBSCRIPTION_TYPE, else per-host-policies]
    #[arg(long, value_name = "TYPE", value_parser = ["per-pod-policies", "per-host-policies"])]
    pub(super) subscription_type: Option<String>,
    /// Folder of rule files, /etc/waf when absent
    ///
    /// Without --waf-ruleset-file it is tigera.conf in it, where there is one; else all of its *.conf files by name,
    /// modsecdefault.conf and crs-setup.conf before the others.
    #[arg(long, value_name = "DIR")]
    pub(super) waf_ruleset_root_dir: Option<String>,
    /// A rule file, from --waf-ruleset-root-dir on; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) waf_ruleset_file: Vec<String>,
    /// Requests are inspected by rules
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    pub(super) per_host_waf_enabled: bool,
    /// Policies are enforced
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    pub(super) per_host_alp_enabled: bool,
    /// As --per-host-waf-enabled
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    pub(super) sidecar_waf_enabled: bool,
    /// As --per-host-alp-enabled
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    pub(super) sidecar_alp_enabled: bool,
    /// Taken as Dikastes has it, LOG_LEVEL's when absent; every line is written, whatever it says
    #[arg(long, value_name = "LEVEL")]
    pub(super) log_level: Option<String>,
    /// off, monitoring, safe_blocking or block; block when absent, where rules inspect: they say themselves whether they
    /// deny
    #[arg(long)]
    pub(super) mode: Option<Mode>,
    /// The built-in detector beside the rules [default: off]
    #[arg(long, value_name = "on|off")]
    pub(super) detect: Option<Switch>,
    /// File or folder of policies, in place of --dial; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(super) policies: Vec<PathBuf>,
    /// Address of probes, metrics and status, or off; 127.0.0.1:9901 when absent and free
    #[arg(long, value_name = "ADDR|off", value_parser = crate::flags::admin_address)]
    pub(super) admin: Option<String>,
    /// File for the access log, one JSON object an exchange; or stdout, stderr, off (the default)
    #[arg(long, value_name = "FILE|stdout|off")]
    pub(super) access_log: Option<PathBuf>,
    /// Folder for request bodies too large for memory, ./palisade-data when absent
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
}

impl ServerFlags {
    /// With what Dikastes's own variables say where flags do not.
    pub(super) fn with(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        self.log_level = self.log_level.or_else(|| variable("LOG_LEVEL"));
        self.subscription_type = self.subscription_type.or_else(|| variable("DIKASTES_SUBSCRIPTION_TYPE"));
        self
    }

    pub(super) fn names_rules(&self) -> bool {
        self.waf_ruleset_root_dir.is_some() || !self.waf_ruleset_file.is_empty()
    }
}

/// Where a Dikastes is.
pub(super) const SOCKET: &str = "/var/run/dikastes/dikastes.sock";

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum HealthCheck {
    /// Whether it is there
    Liveness,
    /// Whether what decides is in force
    Readiness,
}

#[derive(Args, Debug)]
pub(crate) struct HealthFlags {
    /// What is asked
    #[arg(value_enum)]
    pub(super) check: HealthCheck,
    /// Where it listens: the path of a socket, or an address
    #[arg(long, alias = "dialPath", value_name = "PATH|ADDR", default_value = SOCKET)]
    pub(super) listen: String,
}
