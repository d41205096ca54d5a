//! `palisade operator`: keeps a cluster's Services and the pool that protects them as its objects say, and tells of our kinds
//! whether they can be used. `palisade crdgen`: those kinds.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use palisade_control::link::{ClientAuth, Files, LiveTls};
use palisade_control::{Control, Selector};
use palisade_events::alerts::read_alerts;
use palisade_operator::cluster::{self, ClusterFlags};
use palisade_operator::protect::Settings;
use palisade_operator::protect::reconciler::{self, Folder, Standing, Stream};
use palisade_operator::runtime::{self as operating, Gauge, Pointer, Runtime};
use palisade_operator::sidecars;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::inject::SidecarFlags;
use crate::Finding;
use crate::serving::{Signals, Word, runtime};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct OperatorFlags {
    #[command(subcommand)]
    command: Option<OperatorCommand>,
    #[command(flatten)]
    cluster: ClusterFlags,
    /// The namespace that the operator and the pool are in
    #[arg(long, value_name = "NAME", default_value = "palisade-system")]
    namespace: String,
    /// Labels of the pool's Pods, such as app.kubernetes.io/component=pool,zone=a
    #[arg(long, value_name = "LABELS", default_value = "app.kubernetes.io/component=pool", value_parser = labels)]
    pool_selector: BTreeMap<String, String>,
    /// Ports that the pool may take, one for each port of each protected Service
    #[arg(long, value_name = "FIRST-LAST", default_value = "20000-29999", value_parser = ports)]
    pool_ports: RangeInclusive<u16>,
    /// The address that the pool listens at; `[::]` for both families
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0")]
    pool_listen: String,
    /// The pool runs on every node, so that Services with a traffic policy of Local can be protected
    #[arg(long)]
    pool_on_every_node: bool,
    /// How long the pool serves connections of a Service that is no longer protected, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    drain: u64,
    /// The mode of Services for which nothing else is said, where no ConfigMap has rules
    #[arg(long, value_name = "MODE", default_value = "monitoring", value_parser = ["off", "monitoring", "safe_blocking", "block"])]
    mode: String,
    /// Folder of an OWASP CRS in the pool's image, for those Services
    #[arg(long, value_name = "DIR")]
    crs: Option<String>,
    /// Write the pool's configuration to this folder, for a data plane on this machine: palisade run --config DIR/palisade.yaml
    /// [default: no Service is protected]
    #[arg(long, value_name = "DIR")]
    bundle_dir: Option<PathBuf>,
    /// Where data planes of the pool come for their configuration: palisade run --control https://...
    #[arg(long, value_name = "ADDRESS", conflicts_with = "bundle_dir", requires_all = ["control_cert", "control_key", "control_ca"])]
    control: Option<SocketAddr>,
    /// Our certificate there, in PEM
    #[arg(long, value_name = "FILE", requires = "control")]
    control_cert: Option<PathBuf>,
    /// Its key, in PEM
    #[arg(long, value_name = "FILE", requires = "control")]
    control_key: Option<PathBuf>,
    /// Authorities that data planes' certificates have to be signed by, in PEM
    #[arg(long, value_name = "FILE", requires = "control")]
    control_ca: Option<PathBuf>,
    /// A Service of our namespace without a selector that is to lead to the operator that leads; needs $POD_IP
    #[arg(long, value_name = "NAME", requires = "control")]
    control_service: Option<String>,
    /// The end of the names of the pool's data planes; their certificates have to be for those [default: pool.NAMESPACE]
    #[arg(long, value_name = "NAME", requires = "control")]
    pool_name: Option<String>,
    /// Where probes and metrics answer
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:9902")]
    probes: SocketAddr,
    /// Keep sidecars as the cluster's objects ask for them: workloads of Protections with strategy sidecar, ConfigMaps of
    /// profiles, NetworkPolicies that close applications' ports, a watch for pods without theirs
    #[arg(long)]
    sidecars: bool,
    #[command(flatten)]
    sidecar: SidecarFlags,
    /// Name among those that would lead [default: $POD_NAME, else $HOSTNAME, with the process id]
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
    /// Seconds that a leader which is silent keeps its place
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    lease_seconds: u64,
}

#[derive(Debug, Subcommand)]
enum OperatorCommand {
    /// Give all Services back their selectors and remove what was put beside them, and into workloads, without an operator
    /// running
    Restore(RestoreFlags),
}

#[derive(Debug, Args)]
struct RestoreFlags {
    #[command(flatten)]
    cluster: ClusterFlags,
    /// Only Services of this namespace [default: all]
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
}

/// Runs until SIGTERM or SIGINT; or restores.
pub(crate) fn run(flags: &OperatorFlags) -> Result<Finding> {
    match &flags.command {
        Some(OperatorCommand::Restore(flags)) => restore(flags),
        None => operate(flags),
    }
}

fn operate(flags: &OperatorFlags) -> Result<Finding> {
    let mut profile = json!({"mode": flags.mode});
    if let Some(crs) = &flags.crs {
        profile["rules"] = json!({"crs": crs});
    }
    let settings = Settings {
        namespace: flags.namespace.clone(),
        ports: flags.pool_ports.clone(),
        listen: flags.pool_listen.clone(),
        drain: flags.drain,
        pool_on_every_node: flags.pool_on_every_node,
        profile,
        alert_error,
        ..Settings::default()
    };
    runtime()?.block_on(async {
        let mut signals = Signals::take()?;
        let client = cluster::client(&flags.cluster).await?;
        let identity = flags.identity.clone().unwrap_or_else(identity);
        let operating = operating::Settings {
            namespace: flags.namespace.clone(),
            identity: identity.clone(),
            lease: Duration::from_secs(flags.lease_seconds),
            probes: flags.probes,
        };
        let operator = Runtime::start(client.clone(), &operating)
            .await
            .with_context(|| format!("cannot listen on {} (--probes)", flags.probes))?;
        say!("listening on http://{} (probes)", operator.probes());
        let sidecars = flags.sidecars.then(|| {
            let mut settings = flags.sidecar.settings();
            settings.excluded_namespaces.insert(flags.namespace.clone());
            sidecars::reconciler::run(client.clone(), settings, operator.leads(), operator.metrics().clone())
        });
        let _sidecars = sidecars.map(|running| AbortOnDrop(tokio::spawn(running)));
        let (stream, control) = control_stream(flags).await?.unzip();
        let pointer = pointer(flags, control)?
            .map(|pointer| pointer.follow(client.clone(), operator.leads(), operator.metrics().clone()));
        let _pointer = pointer.map(|running| AbortOnDrop(tokio::spawn(running)));
        let (standing, mut stands) = watch::channel(Standing::default());
        let (labels, leading) = (flags.pool_selector.clone(), operator.leads());
        // Who holds on to `standing` keeps it open where there is no pool.
        let protecting = async {
            match flags.bundle_dir.clone() {
                Some(folder) => {
                    reconciler::run(client, settings, labels, Folder::new(folder), leading, standing.clone())
                        .await;
                }
                None => match stream {
                    Some(stream) => {
                        reconciler::run(client, settings, labels, stream, leading, standing.clone()).await;
                    }
                    None => {
                        say!("palisade: no Service is protected: tell the pool by --control or --bundle-dir");
                        std::future::pending::<()>().await;
                    }
                },
            }
        };
        let mut leads = operator.leads();
        let mut said = None;
        {
            tokio::pin!(protecting);
            loop {
                tokio::select! {
                    () = &mut protecting => break,
                    word = signals.next() => if !matches!(word, Word::Reload) { break },
                    changed = leads.changed() => {
                        changed.context("the operator ended")?;
                        let word = if *leads.borrow_and_update() { "leads" } else { "no longer leads" };
                        say!("palisade: {identity} {word}");
                    }
                    changed = stands.changed() => {
                        changed.context("the operator ended")?;
                        let now = {
                            let standing = stands.borrow_and_update();
                            operator.metrics().set_by(&SERVICES, "state", &standing.services);
                            operator.metrics().set(&PORTS, standing.ports);
                            operator.metrics().set(&UNINSPECTED, standing.uninspected);
                            operator.metrics().set(&UNUSABLE, standing.unusable.len());
                            line(&standing)
                        };
                        if said.as_ref() != Some(&now) {
                            say!("palisade: {now}");
                            said = Some(now);
                        }
                    }
                }
            }
        }
        // Nothing is written any more: another one may.
        operator.end().await;
        Ok(Finding::Nothing)
    })
}

const SERVICES: Gauge = Gauge {
    name: "palisade_operator_services",
    help: "Services that somebody wants to be protected, by where they stand.",
};
const PORTS: Gauge =
    Gauge { name: "palisade_operator_pool_ports", help: "Ports of the pool that are taken." };
const UNINSPECTED: Gauge = Gauge {
    name: "palisade_operator_pods_with_uninspected_connections",
    help: "Pods of protected Services that run since before they were: no other holds connections that nobody inspects, and these may hold none.",
};
const UNUSABLE: Gauge = Gauge {
    name: "palisade_operator_unusable_objects",
    help: "Policies, profiles and alerts that the pool cannot use.",
};

/// What the pool's reader of alerts has against one.
fn alert_error(text: &str) -> Option<String> {
    let read = read_alerts(text.as_bytes());
    let said = read.diagnostics.first().map(|found| found.message.clone());
    (read.objects.len() != 1).then(|| said.unwrap_or_else(|| "it cannot be read".to_owned()))
}

/// A task that ends with whoever holds this.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Begins to serve the control stream, where it is asked for.
async fn control_stream(flags: &OperatorFlags) -> Result<Option<(Stream, SocketAddr)>> {
    let (Some(address), Some(cert), Some(key), Some(ca)) =
        (flags.control, &flags.control_cert, &flags.control_key, &flags.control_ca)
    else {
        return Ok(None);
    };
    let files = Files { ca: ca.clone(), own: Some((cert.clone(), key.clone())) };
    let tls = Arc::new(LiveTls::of_files(files, ClientAuth::Required)?);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (--control)"))?;
    let at = listener.local_addr()?;
    say!("listening on https://{at} (control)");
    let control = Control::new();
    let serving = control.clone();
    tokio::spawn(async move {
        if let Err(error) = serving.serve(listener, tls, std::future::pending()).await {
            say!("palisade: {error}");
        }
    });
    let pool = flags.pool_name.clone().unwrap_or_else(|| format!("pool.{}", flags.namespace));
    Ok(Some((Stream::new(control, Selector::Under(pool)), at)))
}

/// How data planes find the one who leads.
fn pointer(flags: &OperatorFlags, control: Option<SocketAddr>) -> Result<Option<Pointer>> {
    let Some((service, at)) = flags.control_service.clone().zip(control) else { return Ok(None) };
    let ip = std::env::var("POD_IP").context("--control-service needs the pod's address in $POD_IP")?;
    let ip = ip.parse().with_context(|| format!("$POD_IP is {ip:?}, which is no address"))?;
    let address = SocketAddr::new(ip, at.port());
    Ok(Some(Pointer { namespace: flags.namespace.clone(), service, address }))
}

/// A name that no other process has.
pub(crate) fn identity() -> String {
    let host = ["POD_NAME", "HOSTNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|it| !it.is_empty()));
    format!("{}-{}", host.as_deref().unwrap_or("palisade"), std::process::id())
}

/// Prints the CRDs of our kinds.
pub(crate) fn crdgen() -> Result<Finding> {
    std::io::stdout().write_all(palisade_operator::kinds::crds_yaml().as_bytes())?;
    Ok(Finding::Nothing)
}

fn line(standing: &Standing) -> String {
    let services: Vec<_> = standing.services.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let mut line = match &services[..] {
        [] => "no Service is protected".to_owned(),
        services => format!("Services: {}", services.join(", ")),
    };
    if let Some(trouble) = &standing.trouble {
        line.push_str("; ");
        line.push_str(trouble);
    }
    line
}

fn restore(flags: &RestoreFlags) -> Result<Finding> {
    let (restored, undone) = runtime()?.block_on(async {
        let client = cluster::client(&flags.cluster).await?;
        let restored = reconciler::restore(&client, flags.namespace.as_deref()).await?;
        anyhow::Ok((restored, sidecars::reconciler::undo(&client, flags.namespace.as_deref()).await?))
    })?;
    let mut left = false;
    for (what, error) in undone {
        match error {
            None => say!("palisade: {what} has no more of ours"),
            Some(error) => {
                left = true;
                say!("palisade: {what} still has what is ours: {error}");
            }
        }
    }
    for service in restored {
        match service.error {
            None => say!("palisade: {} is as it was", service.service),
            Some(error) => {
                left = true;
                say!("palisade: {} is not: {error}", service.service);
            }
        }
    }
    Ok(if left { Finding::Something } else { Finding::Nothing })
}

fn labels(text: &str) -> Result<BTreeMap<String, String>, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').filter(|(name, _)| !name.is_empty())?;
        Some((name.to_owned(), value.to_owned()))
    };
    let pairs: Option<BTreeMap<_, _>> = text.split(',').map(pair).collect();
    pairs.ok_or_else(|| "write NAME=VALUE, and more of them after commas".to_owned())
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let port = |text: &str| text.parse().ok().filter(|port| *port > 0);
    let range = text.split_once('-').and_then(|(first, last)| Some(port(first)?..=port(last)?));
    range.filter(|range| !range.is_empty()).ok_or_else(|| "write it like 20000-29999".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_labels_are_read_or_refused() {
        assert_eq!(ports("20000-20009"), Ok(20_000..=20_009));
        assert!(["20009-20000", "0-5", "5", "a-b", "1-70000"].into_iter().all(|text| ports(text).is_err()));
        assert_eq!(labels("a=b,c=").unwrap().len(), 2);
        assert!(labels("a").is_err() && labels("=b").is_err());
    }
}
