//! The flags, as `--help` shows them.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use palisade_config::{Environment, Overrides};
use palisade_control::link::Target;
use palisade_model::{Mode, SpiffeId};

use crate::commands::authz::AuthzFlags;
use crate::commands::control::ControlCommand;
use crate::commands::demo::Scenario;
use crate::commands::drain::DrainFlags;
use crate::commands::inject::InjectFlags;
use crate::commands::webhook::WebhookFlags;

/// A workload-centric web application firewall and application-layer policy engine.
#[derive(Debug, Parser)]
#[command(name = "palisade", version = VERSION, max_term_width = 100)]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// `0.1.0 (0123456789ab)`: with the commit, where the build knew it.
pub(crate) const VERSION: &str = env!("PALISADE_BUILD_VERSION");

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Protect a service: a reverse proxy that inspects what it forwards
    Run(Box<RunFlags>),
    /// Tell data planes what to serve
    #[command(subcommand)]
    Control(ControlCommand),
    /// One store and one web console for the events of many data planes
    Console(Box<crate::commands::console::ConsoleFlags>),
    /// An ingress controller and its data plane in one process, with ingress-nginx's annotations
    Gateway(Box<crate::commands::gateway::GatewayFlags>),
    /// What is there for another product as objects for this one
    #[command(subcommand)]
    Migrate(crate::commands::migrate::MigrateCommand),
    /// Answer Envoys in the place of Calico's Dikastes, by its flags
    Authz(Box<AuthzFlags>),
    /// Say what would happen to a request, and why
    Explain(ExplainFlags),
    /// Find what is wrong with rules, without starting anything
    Check(CheckFlags),
    /// Measure what inspection costs, and which rules cost most
    Profile(ProfileFlags),
    /// Fetch a rule set, or look at the rules of one
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Ask policies: what a selector selects, what would happen to a flow, what is wrong with them
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// What was decided, and what traffic there was: questions to the event store
    #[command(subcommand)]
    Events(EventsCommand),
    /// Try a configuration on recorded requests: what it would stop, and what no longer
    Replay(Box<ReplayFlags>),
    /// Alerts: whether those who are told of them hear it
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// A bank behind Palisade on loopback, with live traffic, attacks and the console
    Demo(DemoFlags),
    /// Simulate traffic, ordinary and hostile, by the environment of microsim
    #[command(subcommand)]
    Sim(SimCommand),
    /// Protect a cluster's Services by a pool of data planes, as their annotations and our objects say
    Operator(Box<crate::commands::operator::OperatorFlags>),
    /// Ask a palisade on this machine whether it is ready: exit 0 when it is
    Health(HealthFlags),
    /// Put sidecars into manifests of pods, deployments and their like
    Inject(Box<InjectFlags>),
    /// Answer API servers: sidecars for pods, and whether rules and profiles can be used
    Webhook(Box<WebhookFlags>),
    /// Wait for a moment: for preStop hooks where there is no shell
    Drain(DrainFlags),
    /// Write a line for the file of users who may log in to the web console
    Password(PasswordFlags),
    /// What a configuration file and the environment may say: reference pages, or a JSON Schema for editors
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the CRDs of our kinds, for `kubectl apply --server-side -f -`
    Crdgen,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Manual pages: print one, or write all of them into a folder
    Man(ManFlags),
}

/// The password is read from standard input, one line; a terminal does not show it. The line for `admin.usersFile` goes
/// to standard output.
#[derive(Debug, Args)]
pub(crate) struct PasswordFlags {
    /// Name of the user
    #[arg(long, value_name = "NAME")]
    pub(crate) user: String,
    /// What the user may do: a viewer reads and explains, an operator changes modes, lists and alerts
    #[arg(long, value_enum, default_value = "viewer")]
    pub(crate) role: UserRole,
}

/// What a user of the web console may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum UserRole {
    /// Reads and explains.
    Viewer,
    /// Changes as well.
    Operator,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// Answer everybody with random bytes, and count the attacks that come: LISTEN_PORT, STATS_PORT, RESPOND_BYTES, ...
    Server(SimServerFlags),
    /// Send ordinary requests, and attacks where they are switched on: REQUEST_URLS, SEND_SQLI, ATTACK_PROBABILITY, ...
    Client(SimClientFlags),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the reference page, in Markdown
    Reference,
    /// Print the JSON Schema
    Schema,
    /// Print what environment variables do, in Markdown
    Environment,
    /// Print the reference page of the command line, in Markdown
    Cli,
    /// Print what is made of every name of SecLang, in Markdown
    Seclang,
    /// Print the index templates of a sink for Elasticsearch or OpenSearch, as JSON by name
    IndexTemplates {
        /// Whose words
        #[arg(long, value_enum, default_value = "elasticsearch")]
        engine: IndexEngine,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Print events, the newest first; exit 1 when there is none
    Query(EventsQueryFlags),
    /// Print the last events, and further ones as they come
    Tail(EventsTailFlags),
    /// Print what fields events and L7 records have, in Markdown
    Fields,
}

/// Who keeps indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum IndexEngine {
    /// Elasticsearch 7.8 and later
    Elasticsearch,
    /// OpenSearch 2.7 and later
    Opensearch,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Download a release of OWASP CRS, verify each of its files, and install it
    Fetch(RulesFetchFlags),
    /// One line a rule: id, phase, paranoia level, message, place
    List(RulesListFlags),
    /// All of some rules: what they look at, how, and what they do
    Show(RulesShowFlags),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Whether labels are selected
    Match(PolicyMatchFlags),
    /// What would happen to flows, and why
    Eval(PolicyEvalFlags),
    /// Find what is wrong with policies
    Check(PolicyCheckFlags),
    /// Write least-privilege policies out of access logs
    Suggest(PolicySuggestFlags),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Tell every webhook that an alert would tell, that this is a test
    Test(AlertsTestFlags),
}

#[derive(Args, Debug)]
pub(crate) struct AlertsTestFlags {
    /// The alert's name
    pub(crate) name: String,
    /// The configuration file whose `alerts` name it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyMatchFlags {
    /// The selector, such as "app == 'web' && has(tier)"
    #[arg(long, value_name = "EXPR", required_unless_present = "input", allow_hyphen_values = true)]
    pub(crate) selector: Option<String>,
    /// The labels, NAME=VALUE,...; none when absent
    #[arg(long, value_name = "LABELS", conflicts_with = "input")]
    pub(crate) labels: Option<String>,
    /// Questions, one JSON object a line: {"id","selector","labels":{}}; - for standard input
    ///
    /// Each is answered by a line {"id","match","canonical","error"}.
    #[arg(long, value_name = "FILE", conflicts_with = "selector")]
    pub(crate) input: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyEvalFlags {
    #[command(flatten)]
    pub(crate) policies: PolicyFiles,
    /// Flows, one JSON object a line; - for standard input
    ///
    /// {"id","direction":"ingress","source":{"principal","address","port"},"destination":{"principal","address","port",
    /// "namespace","name"},"protocol","http":{"method","path","headers","claims"}}
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Trust domain whose names count, or * for every one; may be repeated [default: cluster.local]
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) trust_domain: Vec<String>,
    /// What a peer without a certificate is where a rule asks who it is: nobody (deny), or whoever has its address
    #[arg(long, value_name = "deny|address", value_enum, default_value_t = PlaintextPeers::Deny)]
    pub(crate) plaintext_peers: PlaintextPeers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlaintextPeers {
    Deny,
    Address,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyCheckFlags {
    #[command(flatten)]
    pub(crate) policies: PolicyFiles,
    /// Warnings count as errors
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Args, Debug)]
pub(crate) struct PolicySuggestFlags {
    /// Access logs, one JSON object a line; - for standard input
    ///
    /// Learned are requests that the service answered, but not with 400 to 499, and that nothing took for attacks.
    #[arg(value_name = "FILE", num_args = 1.., required = true)]
    pub(crate) input: Vec<PathBuf>,
    /// Only requests for this service; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Vec<String>,
    /// Only requests since a time (2026-11-22T09:00:00Z), or of the last 90m, 24h, 7d, 2w
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Files or folders of objects (Pods, Namespaces) that tell workloads' labels and addresses
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) policies: Vec<PathBuf>,
    /// Labels of the workloads that are asked, where no object tells them: NAME=VALUE,...
    #[arg(long, value_name = "LABELS")]
    pub(crate) labels: Option<String>,
    /// What a peer without a certificate will be: nobody (deny), so that its address is named, or whoever has its address
    #[arg(long, value_name = "deny|address", value_enum, default_value_t = PlaintextPeers::Deny)]
    pub(crate) plaintext_peers: PlaintextPeers,
    /// Write staged policies, which only say in the log what they would do
    #[arg(long)]
    pub(crate) staged: bool,
    /// Also write the workloads that were known by their certificates alone, with the addresses that they came from
    #[arg(long)]
    pub(crate) workloads: bool,
}

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PolicyFiles {
    /// Files of Calico and Kubernetes objects, or folders of .yaml, .yml and .json files
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    pub(crate) policies: Vec<PathBuf>,
}

/// Which rules to load.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct RuleFlags {
    /// Folder of an OWASP CRS: a release of 3.x or 4.x, or /usr/share/modsecurity-crs
    ///
    /// Its setup file and rules are loaded after engine settings of our own (rule engine and request bodies on,
    /// JSON and XML bodies parsed, unreadable bodies refused, limits 12.5 MiB and 128 KiB without files).
    #[arg(long, value_name = "DIR")]
    pub(crate) crs: Option<PathBuf>,
    /// CRS paranoia level; the setup file's when absent
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(1..=4))]
    pub(crate) paranoia: Option<u8>,
    /// SecLang file or folder loaded between CRS's setup and its rules; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) rules_before: Vec<PathBuf>,
    /// SecLang file or folder loaded last; without --crs nothing else is loaded; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) rules: Vec<PathBuf>,
}

/// Whether the built-in detector takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[derive(Args, Debug)]
pub(crate) struct RunFlags {
    /// Configuration file (YAML); flags beside it win over what it says
    ///
    /// PALISADE_* variables stand in for flags, and those of two other images are understood: `palisade config
    /// environment` tells all.
    ///
    /// A flag that means one of several listeners, services or profiles of the file is refused: write it there.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address to listen on, 127.0.0.1:8080 when absent; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// The service to protect, `http://HOST:PORT`
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
    /// Where an Envoy asks about its requests by ext_authz and ext_proc: ADDR or unix:PATH
    ///
    /// Without --upstream nothing is forwarded here.
    #[arg(long, value_name = "ADDR|unix:PATH")]
    pub(crate) ext_authz: Option<String>,
    /// off, monitoring, safe_blocking or block
    ///
    /// monitoring inspects and logs and lets everything pass; safe_blocking stops attacks of sources on the gray
    /// list; off does not inspect. What has no clear framing, and whoever is on the deny list, is refused in every mode.
    /// Monitoring when absent.
    #[arg(long)]
    pub(crate) mode: Option<Mode>,
    #[command(flatten)]
    pub(crate) rules: RuleFlags,
    /// The built-in detector, which needs no rules [default: on]
    #[arg(long, value_name = "on|off")]
    pub(crate) detect: Option<Switch>,
    /// File of Calico and Kubernetes objects, or folder of .yaml, .yml and .json files: who may ask, and what; may be
    /// repeated
    ///
    /// Policies act in every mode, before anything is inspected. Which workload they protect is said by `workload` of
    /// the configuration file, or by the pod among them that has the address where requests arrive.
    #[arg(long, value_name = "PATH")]
    pub(crate) policies: Vec<PathBuf>,
    /// File for the error log, one line a match; standard error when absent
    #[arg(long, value_name = "FILE")]
    pub(crate) error_log: Option<PathBuf>,
    /// Address of probes, metrics and status, or off; 127.0.0.1:9901 when absent and free
    ///
    /// /livez, /readyz, /startupz and /healthz for probes, /metrics for Prometheus, /api/v1/status as JSON. Off
    /// loopback it needs --admin-token-file. Port 0 takes a free one, which is printed.
    #[arg(long, value_name = "ADDR|off", value_parser = admin_address)]
    pub(crate) admin: Option<String>,
    /// File with the token (16 characters or more) that opens the admin listener
    ///
    /// Clients show it as `Authorization: Bearer TOKEN`. Probes need none.
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_token_file: Option<PathBuf>,
    /// File for the audit log, or stdout, stderr, off; as the rules say by SecAuditLog when absent
    ///
    /// Where the rules do not say what goes into it, it is what they flag and what is answered with an error other
    /// than 404. Secrets are masked.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_log: Option<PathBuf>,
    /// native, native2 or json: how the audit log's entries are written
    ///
    /// native is ModSecurity 3's form, native2 ModSecurity 2's, json ModSecurity 3's objects, one a line. As the rules
    /// say by SecAuditLogFormat when absent.
    #[arg(long, value_name = "FORM")]
    pub(crate) audit_format: Option<String>,
    /// File for the access log, one JSON object an exchange; or stdout, stderr, off (the default)
    #[arg(long, value_name = "FILE|stdout|off")]
    pub(crate) access_log: Option<PathBuf>,
    /// Add lines in the form of Calico's Dikastes to the error log
    #[arg(long)]
    pub(crate) dikastes_log: bool,
    /// A path that is answered here with 200, uninspected
    #[arg(long, value_name = "PATH", value_parser = absolute_path)]
    pub(crate) health_path: Option<String>,
    /// Folder for request bodies too large for memory, ./palisade-data when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) follow: ControlFlags,
}

/// Whose word a data plane serves by.
#[derive(Args, Debug)]
pub(crate) struct ControlFlags {
    /// Server that says what is served, `https://HOST:PORT`, in the place of a configuration file
    ///
    /// Both ends show certificates. What was said last is kept in the data folder and served while the server is away.
    #[arg(long, value_name = "URL", conflicts_with = "config", help_heading = "Control stream")]
    pub(crate) control: Option<Target>,
    /// Authorities that the server's certificate is signed by, in PEM
    #[arg(long, value_name = "FILE", requires = "control", help_heading = "Control stream")]
    pub(crate) control_ca: Option<PathBuf>,
    /// Our certificate, in PEM; read anew when it changes, as the others are
    #[arg(long, value_name = "FILE", requires = "control", help_heading = "Control stream")]
    pub(crate) control_cert: Option<PathBuf>,
    /// Its key, in PEM
    #[arg(long, value_name = "FILE", requires = "control", help_heading = "Control stream")]
    pub(crate) control_key: Option<PathBuf>,
    /// What this data plane is called: a DNS name that its certificate is for; the host's name when absent
    #[arg(long, value_name = "NAME", requires = "control", help_heading = "Control stream")]
    pub(crate) control_name: Option<String>,
}

impl RunFlags {
    /// What they say over the configuration.
    ///
    /// # Errors
    /// When a path is not UTF-8.
    pub(crate) fn overrides(&self) -> anyhow::Result<Overrides> {
        let file = |path: &Option<PathBuf>| path.as_deref().map(text).transpose();
        let files =
            |paths: &[PathBuf]| paths.iter().map(|path| text(path)).collect::<anyhow::Result<Vec<_>>>();
        Ok(Overrides {
            environment: Environment::default(),
            listen: self.listen.map(|address| address.to_string()),
            upstream: self.upstream.clone(),
            ext_authz: self.ext_authz.clone(),
            mode: self.mode.map(|mode| mode.to_string()),
            crs: file(&self.rules.crs)?,
            paranoia: self.rules.paranoia.map(|level| level.to_string()),
            rules_before: files(&self.rules.rules_before)?,
            rules: files(&self.rules.rules)?,
            detect: self.detect.map(|switch| switch == Switch::On),
            admin: self.admin.clone(),
            admin_token_file: file(&self.admin_token_file)?,
            error_log: file(&self.error_log)?,
            audit_log: file(&self.audit_log)?,
            audit_format: self.audit_format.clone(),
            dikastes_log: self.dikastes_log,
            access_log: file(&self.access_log)?,
            health_path: self.health_path.clone(),
            policies: files(&self.policies)?,
            data_dir: file(&self.data_dir)?,
            policy_sync_socket: None,
            policy_sync_mode: None,
            is_for_console: false,
        })
    }
}

/// A path as text, as configuration has it.
///
/// # Errors
/// When it is none.
pub(crate) fn text(path: &Path) -> anyhow::Result<String> {
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => anyhow::bail!("`{}` is not UTF-8; paths have to be", path.display()),
    }
}

#[derive(Args, Debug)]
pub(crate) struct ExplainFlags {
    #[command(flatten)]
    pub(crate) rules: RuleFlags,
    /// The request: a file, or - for standard input
    ///
    /// JSON ({"method":"GET","uri":"/","headers":[["Host","x"]]}), JSON lines (an answer each), or an HTTP message
    /// as it goes over the wire.
    #[arg(long, value_name = "FILE")]
    pub(crate) request: PathBuf,
    /// A configuration to put the request to: its routes, lists, authenticators, policies, specifications and profiles
    ///
    /// What only a running process knows is left out: rate limits, lists and modes that were set meanwhile, keys that are
    /// published and servers that would be asked (the answer says so), policies from an agent.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["crs", "paranoia", "rules_before", "rules", "detect", "openapi"])]
    pub(crate) config: Option<PathBuf>,
    /// The listener that the request comes to, where it does not say [default: any that has a route for it]
    #[arg(long, value_name = "NAME", requires = "config")]
    pub(crate) listener: Option<String>,
    /// Where the request comes from, where it does not say [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) from: Option<IpAddr>,
    /// Whom the client's certificate names, where the request does not say: a SPIFFE id, which is believed
    #[arg(long, value_name = "SPIFFE_ID", requires = "config")]
    pub(crate) principal: Option<SpiffeId>,
    /// The mode to explain [default: block; with --config that of the service]
    #[arg(long)]
    pub(crate) mode: Option<Mode>,
    /// The built-in detector [default: on; for a request with rules of its own: off]
    #[arg(long, value_name = "on|off")]
    pub(crate) detect: Option<Switch>,
    /// The specification of the service's API, OpenAPI 3.0 or 3.1 in YAML or JSON: requests are held against it
    ///
    /// Every breach blocks, as with `services[].openapi.file` in a configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) openapi: Option<PathBuf>,
    /// Add every value that every rule looked at, after its transformations (JSON only)
    #[arg(long)]
    pub(crate) debug_rules: bool,
    /// How to answer
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Args, Debug)]
pub(crate) struct CheckFlags {
    /// Configuration file: it, and the rules of all its profiles
    #[arg(long, value_name = "FILE", conflicts_with_all = ["crs", "paranoia", "rules_before", "rules"])]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RuleFlags,
    /// Warnings count as errors
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ProfileFlags {
    #[command(flatten)]
    pub(crate) rules: RuleFlags,
    /// Requests to measure, one JSON object a line with a "name"; lines of one name are variants of one case
    #[arg(long, value_name = "FILE")]
    pub(crate) corpus: PathBuf,
    /// Measure each case for this long
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1.0,
        conflicts_with = "iterations",
        allow_negative_numbers = true
    )]
    pub(crate) seconds: f64,
    /// Run each case this often, without the rule table: for instruction counts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) iterations: Option<u64>,
    /// Also measure this many threads at once: requests a second, and CPU time of each, against those of one thread
    #[arg(long, value_name = "N", conflicts_with = "iterations", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Only this case
    #[arg(long, value_name = "NAME")]
    pub(crate) case: Option<String>,
    /// Also run the response phases of requests that have a response
    #[arg(long)]
    pub(crate) response_phases: bool,
    /// The built-in detector [default: off]
    #[arg(long, value_name = "on|off")]
    pub(crate) detect: Option<Switch>,
    /// The specification of the service's API, OpenAPI 3.0 or 3.1 in YAML or JSON: requests are held against it
    ///
    /// Every breach blocks, as with `services[].openapi.file` in a configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) openapi: Option<PathBuf>,
    /// Remember what was found in names and headers that recur, as a proxy does [default: on]
    #[arg(long, value_name = "on|off")]
    pub(crate) memo: Option<Switch>,
    /// Answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct HealthFlags {
    /// Its admin listener; PALISADE_ADMIN's when absent, else 127.0.0.1:9901
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) admin: Option<SocketAddr>,
}

#[derive(Args, Debug)]
pub(crate) struct RulesFetchFlags {
    /// The release, such as 4.28.0; the newest that this version knows when absent
    #[arg(value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// Folder to make, ./coreruleset-VERSION when absent; it appears when everything is in it
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
    /// Where archives are, CRS's tags at GitHub when absent; `/vVERSION.tar.gz` is added
    ///
    /// A mirror over https:// or http://, or a folder as file:///FOLDER. Proxies are taken from HTTPS_PROXY and
    /// ALL_PROXY; servers are verified by the system's certificates.
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// Take a release without a hash list in this version, as the server gives it
    #[arg(long)]
    pub(crate) allow_unverified: bool,
}

#[derive(Args, Debug)]
pub(crate) struct RulesListFlags {
    #[command(flatten)]
    pub(crate) rules: RuleFlags,
    /// Only rules of this phase
    #[arg(long, value_name = "1..5", value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) phase: Option<u8>,
    /// Only rules with this tag; a part of it is enough
    #[arg(long, value_name = "TEXT")]
    pub(crate) tag: Option<String>,
    /// Only rules of this paranoia level
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(1..=4))]
    pub(crate) level: Option<u8>,
    /// Only rules whose message holds this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) msg: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct RulesShowFlags {
    #[command(flatten)]
    pub(crate) rules: RuleFlags,
    /// Ids of rules
    #[arg(value_name = "ID", required = true, value_parser = rule_id)]
    pub(crate) ids: Vec<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct EventsFilterFlags {
    /// A question in the language of GlobalAlert: `service = shop AND "rules.id" IN {"942*"}`
    #[arg(value_name = "QUERY")]
    pub(crate) query: Option<String>,
    /// The data folder; a process may be writing to it
    #[arg(long, value_name = "DIR", default_value = "./palisade-data")]
    pub(crate) data_dir: PathBuf,
    /// L7 records in place of events
    #[arg(long)]
    pub(crate) l7: bool,
    /// Not older than this: 15m, 2h, 3d ago, or 2026-11-22T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Older than this
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
    /// Of this service
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// From this data plane; in a console's store
    #[arg(long, value_name = "NAME")]
    pub(crate) dataplane: Option<String>,
    /// Of this kind: waf, policy, framing, list, rate, incomplete or dropped
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// With this action: pass, deny or would_block
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: Option<String>,
    /// From this client's address; with --l7 from this workload, NAMESPACE/NAME
    #[arg(long, value_name = "WHO")]
    pub(crate) source: Option<String>,
    /// With this kind of attack, such as sqli
    #[arg(long, value_name = "ATTACK")]
    pub(crate) attack: Option<String>,
    /// With this rule
    #[arg(long, value_name = "ID", value_parser = rule_id)]
    pub(crate) rule: Option<u64>,
    /// With all of these words; `sel*` is any that begins so
    #[arg(long, value_name = "WORDS")]
    pub(crate) text: Option<String>,
    /// The form
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) format: Format,
    /// Colours in the text form
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// When there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Args, Debug)]
pub(crate) struct EventsQueryFlags {
    #[command(flatten)]
    pub(crate) filter: EventsFilterFlags,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
    /// Go on where a page ended, which said how
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
    /// The oldest first
    #[arg(long)]
    pub(crate) oldest_first: bool,
    /// How many have which value of a field, such as service or source.ip
    #[arg(long, value_name = "FIELD", conflicts_with_all = ["cursor", "oldest_first"])]
    pub(crate) count_by: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct EventsTailFlags {
    #[command(flatten)]
    pub(crate) filter: EventsFilterFlags,
    /// How many of those that are there come first
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    pub(crate) lines: usize,
}

#[derive(Args, Debug)]
pub(crate) struct ReplayFlags {
    /// The folder of a recording, or the data folder that it is in
    ///
    /// Requests are compared with what was decided about them then. A process may be writing to it.
    #[arg(long, value_name = "DIR", required_unless_present = "har", conflicts_with = "har")]
    pub(crate) recording: Option<PathBuf>,
    /// An HTTP archive, as browsers and mitmproxy write it
    ///
    /// Its requests are taken to have passed, unless --before says what was decided about them.
    #[arg(long, value_name = "FILE")]
    pub(crate) har: Option<PathBuf>,
    /// The configuration file that is tried
    #[arg(long, value_name = "CONFIG")]
    pub(crate) against: PathBuf,
    /// Compare with what this configuration decides, rather than with what was decided then
    #[arg(long, value_name = "CONFIG")]
    pub(crate) before: Option<PathBuf>,
    /// Only requests for this service; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Vec<String>,
    /// Only requests since a time (2026-11-22T09:00:00Z), or of the last 90m, 24h, 7d, 2w
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Only requests before that
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
    /// The file with the recording's key
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// What makes the command exit with 1; may be several, with commas
    #[arg(long, value_name = "KIND", value_enum, value_delimiter = ',', default_value = "flips")]
    pub(crate) fail_on: Vec<FailOn>,
    /// How many requests of each kind are shown
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) examples: usize,
    /// The form
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) format: Format,
}

/// What a replay may fail on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Any of the next four
    Flips,
    /// A request is stopped that was not
    NewlyBlocked,
    /// A request is not stopped that was
    NoLongerBlocked,
    /// In a mode that stops nothing something is found in a request that was clean
    NewlyWouldBlock,
    /// In a mode that stops nothing a request is clean that was not
    NoLongerWouldBlock,
    /// The copy of a request is not enough to tell
    Undecidable,
    /// Never
    Nothing,
}

#[derive(Args, Debug)]
pub(crate) struct ManFlags {
    /// Write a page for each command into this folder, which is made where it is not there
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) dir: Option<PathBuf>,
    /// The command whose page is printed, such as `policy eval`; palisade's own when absent
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct DemoFlags {
    /// What is shown
    #[arg(long, value_name = "NAME", value_enum, default_value_t = Scenario::Bank)]
    pub(crate) scenario: Scenario,
    /// Address of what is protected, on loopback; 127.0.0.1:8080 when absent, or any port where that is taken
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Address of the console, on loopback; 127.0.0.1:9901 when absent, or any port where that is taken
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) admin: Option<SocketAddr>,
    /// CRS folder; /usr/share/modsecurity-crs where that is there, else the built-in detector protects alone
    #[arg(long, value_name = "DIR")]
    pub(crate) crs: Option<PathBuf>,
    /// How long it is shown, such as 30s or 5m; until Ctrl-C when absent
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) duration: Option<Duration>,
    /// What the choices of the traffic come from: the same number makes the same choices
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Visitors alone
    #[arg(long)]
    pub(crate) no_attacks: bool,
    /// Open the console in the desktop's browser
    #[arg(long)]
    pub(crate) open: bool,
}

/// What server and client share, beside the environment.
#[derive(Args, Debug)]
pub(crate) struct SimFlags {
    /// The address to listen on; ports are those of the environment
    #[arg(long, value_name = "IP", default_value = "0.0.0.0")]
    pub(crate) bind: IpAddr,
    /// End after so long, such as 30s or 5m, with status 0
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) duration: Option<Duration>,
    /// End after so many requests, with status 0: taken by a server; sent by a client, attacks not counted
    #[arg(long, value_name = "N")]
    pub(crate) max_requests: Option<u64>,
    /// What everything random comes from: the same number makes the same choices
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct SimServerFlags {
    #[command(flatten)]
    pub(crate) common: SimFlags,
}

#[derive(Args, Debug)]
pub(crate) struct SimClientFlags {
    #[command(flatten)]
    pub(crate) common: SimFlags,
    /// The address of this machine that requests leave from
    #[arg(long, value_name = "IP")]
    pub(crate) from: Option<IpAddr>,
}

/// A time as the configuration file has it.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    text.parse::<palisade_config::Time>().map(|time| time.duration())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let example = match text.strip_prefix(':').and_then(|port| port.parse::<u16>().ok()) {
            Some(port) => format!("127.0.0.1:{port}, or 0.0.0.0:{port} for every interface"),
            None => "127.0.0.1:8080, or [::1]:8080".to_owned(),
        };
        format!("write an IP address and a port, such as {example}")
    })
}

pub(crate) fn admin_address(text: &str) -> Result<String, String> {
    match text {
        "off" => Ok(text.to_owned()),
        text => address(text).map(|address| address.to_string()).map_err(|error| format!("{error}; or off")),
    }
}

fn absolute_path(text: &str) -> Result<String, String> {
    if text.starts_with('/') {
        return Ok(text.to_owned());
    }
    Err(format!("a path begins with a slash: write /{text}"))
}

fn rule_id(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "ids of rules are numbers, such as 942100".to_owned())
}
