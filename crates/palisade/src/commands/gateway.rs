//! `palisade gateway`: an ingress controller and its data plane in one process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use palisade_config::{Environment, Overrides};
use palisade_control::channel;
use palisade_dataplane::KeyPair;
use palisade_model::Mode;
use palisade_operator::certs;
use palisade_operator::cluster::{ClusterFlags, client};
use palisade_operator::entrances::controller;
use palisade_operator::gateway::{Scope, run as watch};
use palisade_operator::ingress::{CONTROLLER, Checks, Crs, INGRESS_NGINX, Settings, annotations::PREFIX};
use serde_json::{Map, json};

use crate::Finding;
use crate::commands::run::serve_offers;
use crate::configuration::Told;
use crate::files::FileSystem;
use crate::flags::text;

#[derive(Args, Debug)]
pub(crate) struct GatewayFlags {
    #[command(flatten)]
    pub(crate) cluster: ClusterFlags,
    /// Name of the class that is ours, by annotation or where no IngressClass of that name is there
    #[arg(long, value_name = "NAME", default_value = "palisade")]
    pub(crate) class: String,
    /// Take the Ingresses of ingress-nginx's classes as well (controller k8s.io/ingress-nginx)
    #[arg(long)]
    pub(crate) ingress_nginx: bool,
    /// Take Ingresses that name no class as well
    #[arg(long)]
    pub(crate) without_class: bool,
    /// Prefix of annotations
    #[arg(long, value_name = "PREFIX", default_value = PREFIX)]
    pub(crate) annotations_prefix: String,
    /// Namespace to watch; may be repeated [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Vec<String>,
    /// The controller's ConfigMap, as ingress-nginx reads it
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = pair)]
    pub(crate) config_map: Option<(String, String)>,
    /// Address for plain HTTP
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8080")]
    pub(crate) http: SocketAddr,
    /// Address for TLS
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8443")]
    pub(crate) https: SocketAddr,
    /// Port of TLS as clients see it, which redirects name
    #[arg(long, value_name = "PORT", default_value_t = 443)]
    pub(crate) https_port: u16,
    /// Address for a further port of Gateways; may be repeated. 80 is --http and --https-port is --https without being told
    #[arg(long, value_name = "PORT=ADDR", value_parser = listen)]
    pub(crate) listen: Vec<(u16, SocketAddr)>,
    /// Certificate (PEM) for hosts that have none [default: one of our own making]
    #[arg(long, value_name = "FILE", requires = "default_key")]
    pub(crate) default_certificate: Option<PathBuf>,
    /// Key (PEM) of --default-certificate
    #[arg(long, value_name = "FILE", requires = "default_certificate")]
    pub(crate) default_key: Option<PathBuf>,
    /// Service that has what no Ingress takes [default: 404]
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = pair)]
    pub(crate) default_backend: Option<(String, String)>,
    /// Folder of an OWASP CRS, for Ingresses that ask for it
    #[arg(long, value_name = "DIR")]
    pub(crate) crs: Option<PathBuf>,
    /// Snippets count where the ConfigMap does not say whether they do
    #[arg(long)]
    pub(crate) allow_snippets: bool,
    /// Mode of what no annotation speaks of, inspected by the built-in detector: off, monitoring, safe_blocking, block
    #[arg(long, value_name = "MODE", default_value = "monitoring")]
    pub(crate) mode: Mode,
    /// Service whose addresses Ingresses get in their status
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = pair)]
    pub(crate) publish_service: Option<(String, String)>,
    /// Address that Ingresses get in their status; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) publish_address: Vec<String>,
    /// Lease that is held by the one gateway of several that writes statuses and events
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = pair, default_value = "palisade-system/palisade-gateway")]
    pub(crate) lease: (String, String),
    /// Who this is among them [default: $POD_NAME, else $HOSTNAME, with the process id]
    #[arg(long, value_name = "NAME")]
    pub(crate) identity: Option<String>,
    /// Address of the admin listener (console, API, metrics), or off
    #[arg(long, value_name = "ADDR|off")]
    pub(crate) admin: Option<String>,
    /// Address that serves probes and metrics alone
    #[arg(long, value_name = "ADDR")]
    pub(crate) probes: Option<SocketAddr>,
    /// Error log: a file, stderr, stdout or off
    #[arg(long, value_name = "FILE")]
    pub(crate) error_log: Option<PathBuf>,
    /// Audit log: a file, stderr, stdout or off
    #[arg(long, value_name = "FILE", default_value = "off")]
    pub(crate) audit_log: PathBuf,
    /// Access log: a file, stderr, stdout or off
    #[arg(long, value_name = "FILE")]
    pub(crate) access_log: Option<PathBuf>,
    /// Folder for what outlives a request and a restart
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(flags: &GatewayFlags) -> Result<Finding> {
    let settings = settings(flags)?;
    let scope = Scope {
        namespaces: flags.namespace.clone(),
        config: flags.config_map.clone(),
        publish_service: flags.publish_service.clone(),
        publish_addresses: flags.publish_address.clone(),
        lease: flags.lease.clone(),
        identity: flags.identity.clone().unwrap_or_else(crate::commands::operator::identity),
    };
    let (offers, offered) = channel();
    // The data plane has a runtime of its own: what the cluster says never waits for requests, nor they for it.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let client = runtime.block_on(client(&flags.cluster))?;
    runtime.spawn(watch(client, scope, settings, offers, |line| say!("palisade: {line}")));
    let file = |path: &Option<PathBuf>| path.as_deref().map(text).transpose();
    let overrides = Overrides {
        environment: Environment::default(),
        admin: flags.admin.clone(),
        error_log: file(&flags.error_log)?,
        audit_log: Some(text(&flags.audit_log)?),
        access_log: file(&flags.access_log)?,
        data_dir: file(&flags.data_dir)?,
        ..Overrides::default()
    };
    let outcome = serve_offers(Told { file: None, overrides }, offered);
    runtime.shutdown_background();
    outcome
}

/// What the translation is told.
fn settings(flags: &GatewayFlags) -> Result<Settings> {
    let mut controllers = vec![CONTROLLER.to_owned()];
    controllers.extend(flags.ingress_nginx.then(|| INGRESS_NGINX.to_owned()));
    let mut further = Map::new();
    if let Some(probes) = flags.probes {
        further.insert("admin".to_owned(), json!({"probes": probes.to_string()}));
    }
    let certificate = match (&flags.default_certificate, &flags.default_key) {
        (Some(certificate), Some(key)) => {
            let read = |path: &Path| std::fs::read(path).with_context(|| path.display().to_string());
            let pair = (read(certificate)?, read(key)?);
            checked(&pair.0, &pair.1).map_err(anyhow::Error::msg).context("--default-certificate")?;
            pair
        }
        _ => own_certificate()?,
    };
    Ok(Settings {
        class: flags.class.clone(),
        controllers,
        without_class: flags.without_class,
        prefix: flags.annotations_prefix.clone(),
        http: flags.http.to_string(),
        https: flags.https.to_string(),
        https_port: flags.https_port,
        ports: flags
            .listen
            .iter()
            .map(|(port, address)| (*port, address.to_string()))
            .collect::<BTreeMap<_, _>>(),
        certificate,
        crs: flags.crs.as_deref().map(crs).transpose()?,
        allow_snippets: flags.allow_snippets,
        default_backend: flags.default_backend.clone(),
        mode: flags.mode.to_string(),
        checks: checks(),
        loader: Arc::new(FileSystem),
        further,
        controller: controller(&flags.lease),
    })
}

/// What only the data plane can read.
pub(crate) fn checks() -> Checks {
    Checks { pair: checked, pattern }
}

fn checked(certificate: &[u8], key: &[u8]) -> Result<(), String> {
    KeyPair::parse(certificate, key).map(|_| ()).map_err(|error| error.to_string())
}

fn pattern(pattern: &str) -> Result<(), String> {
    let options = palisade_pcre::Options { dot_all: false, multi_line: false, ..Default::default() };
    palisade_pcre::Pattern::new(pattern.as_bytes(), options).map(|_| ()).map_err(|error| error.to_string())
}

/// For hosts without a certificate; clients do not know its authority, as they do not know ingress-nginx's.
fn own_certificate() -> Result<(Vec<u8>, Vec<u8>)> {
    let made = certs::Kept::next(None, &["palisade-gateway.invalid".to_owned()], SystemTime::now())?;
    Ok((made.certificate().as_bytes().to_vec(), made.key().as_bytes().to_vec()))
}

/// The files of a CRS: a release, or Debian's layout.
pub(crate) fn crs(folder: &Path) -> Result<Crs> {
    let folder = folder.canonicalize().with_context(|| format!("--crs {}", folder.display()))?;
    let rules = folder.join("rules");
    let rules = if rules.is_dir() { rules } else { folder.clone() };
    let above = rules.parent().unwrap_or(&folder);
    let setups = [
        folder.join("crs-setup.conf"),
        above.join("crs-setup.conf"),
        folder.join("crs-setup.conf.example"),
        above.join("crs-setup.conf.example"),
        PathBuf::from("/etc/modsecurity/crs/crs-setup.conf"),
    ];
    let Some(setup) = setups.iter().find(|path| path.is_file()) else {
        bail!("--crs {}: it has neither crs-setup.conf nor crs-setup.conf.example", folder.display());
    };
    let plugins = above.join("plugins");
    let plugins = plugins.is_dir().then(|| text(&plugins)).transpose()?;
    Ok(Crs { setup: text(setup)?, rules: text(&rules)?, plugins })
}

fn listen(text: &str) -> Result<(u16, SocketAddr), String> {
    let parsed =
        text.split_once('=').and_then(|(port, address)| Some((port.parse().ok()?, address.parse().ok()?)));
    parsed
        .filter(|(port, _)| *port > 0)
        .ok_or_else(|| "write PORT=ADDR, such as 8443=0.0.0.0:8444".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("write NAMESPACE/NAME".to_owned()),
    }
}
