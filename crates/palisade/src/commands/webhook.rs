//! `palisade webhook`: the admission server. Its certificate comes from files, or is made and renewed here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use palisade_operator::certs::Kept;
use palisade_operator::certs::keeper::Client;
use palisade_operator::certs::keeper::{self, Place};
use palisade_operator::cluster::{self, ClusterFlags};
use palisade_operator::probes::Probes;
use palisade_operator::webhook::{AdmissionMetrics, Bounds, Identity, Server};

use crate::Finding;
use crate::commands::inject::SidecarFlags;
use crate::serving::{Signals, Word, runtime};

/// HTTPS, /inject and /validate, for the webhook configurations of deploy/kubernetes (docs/guide/injection.md).
///
/// With --cert and --key the certificate is that of the files, read again when they change: cert-manager's, or one of your
/// own. Without them an authority and a certificate are made, kept in a Secret, renewed, and the webhook configurations
/// are told whom to trust.
#[derive(Args, Debug)]
pub(crate) struct WebhookFlags {
    /// Address to listen on; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:9443")]
    pub(crate) listen: SocketAddr,
    /// Address of probes and metrics
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:9902")]
    pub(crate) probes: SocketAddr,
    /// File with the certificate, PEM, its own first
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with_all = ["kubeconfig", "server"])]
    pub(crate) cert: Option<PathBuf>,
    /// File with its key, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Namespace of this server, of its Secret and Service
    #[arg(long, value_name = "NAMESPACE", default_value = "palisade-system")]
    pub(crate) namespace: String,
    /// Service in front of this server: what the certificate is for
    #[arg(long, value_name = "NAME", default_value = "palisade-webhook")]
    pub(crate) service: String,
    /// Secret that certificates are kept in
    #[arg(long, value_name = "NAME", default_value = "palisade-webhook-certs")]
    pub(crate) secret: String,
    /// Webhook configuration that is told whom to trust, mutating or validating; may be repeated
    #[arg(long = "configuration", value_name = "NAME", default_values = ["palisade-inject", "palisade-validate"])]
    pub(crate) configurations: Vec<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterFlags,
    #[command(flatten)]
    pub(crate) sidecar: SidecarFlags,
}

/// How often files are looked at: cert-manager renews days before the end.
const FILES_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked whether certificates are due, and whether configurations are as they should be.
const KEEP_EVERY: Duration = Duration::from_secs(60);
/// How soon after a failure.
const KEEP_AGAIN: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(flags: &WebhookFlags) -> Result<Finding> {
    runtime()?.block_on(serve(flags))
}

async fn serve(flags: &WebhookFlags) -> Result<Finding> {
    let mut signals = Signals::take()?;
    let metrics = Arc::<AdmissionMetrics>::default();
    let probes = Probes::start(flags.probes, metrics.clone())
        .await
        .with_context(|| format!("cannot listen on {}", flags.probes))?;
    say!("listening on http://{} (probes)", probes.address());
    let identity = tokio::select! {
        identity = identity(flags, &metrics) => identity?,
        () = end(&mut signals) => return Ok(Finding::Nothing),
    };
    let mut settings = flags.sidecar.settings();
    // The server must start without itself.
    settings.excluded_namespaces.insert(flags.namespace.clone());
    let server = Server::bind(flags.listen, identity, settings, metrics.clone(), Bounds::default()).await?;
    say!("listening on https://{} (webhook)", server.address());
    metrics.set_ready(true);
    server.serve(end(&mut signals)).await;
    Ok(Finding::Nothing)
}

async fn end(signals: &mut Signals) {
    while let Word::Reload = signals.next().await {}
}

/// The first certificate, and somebody who renews it.
async fn identity(flags: &WebhookFlags, metrics: &Arc<AdmissionMetrics>) -> Result<Arc<Identity>> {
    match (&flags.cert, &flags.key) {
        (Some(cert), Some(key)) => {
            let (cert, key) = (cert.clone(), key.clone());
            let read = read_pair(&cert, &key)?;
            let identity = Identity::new(&read.0, &read.1)
                .with_context(|| format!("{} and {}", cert.display(), key.display()))?;
            let identity = Arc::new(identity);
            tokio::spawn(follow_files(identity.clone(), cert, key, read));
            Ok(identity)
        }
        (None, None) => keep(flags, metrics).await,
        _ => bail!("--cert and --key belong together"),
    }
}

type Pair = (Vec<u8>, Vec<u8>);

fn read_pair(cert: &Path, key: &Path) -> Result<Pair> {
    let read = |file: &Path| std::fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    Ok((read(cert)?, read(key)?))
}

/// Shows what the files hold, whenever that changes.
async fn follow_files(identity: Arc<Identity>, cert: PathBuf, key: PathBuf, mut shown: Pair) {
    // What cannot be used is said once, not every few seconds.
    let mut refused: Option<Pair> = None;
    loop {
        tokio::time::sleep(FILES_EVERY).await;
        let Ok(read) = read_pair(&cert, &key) else { continue };
        if read == shown || refused.as_ref() == Some(&read) {
            continue;
        }
        match identity.replace(&read.0, &read.1) {
            Ok(()) => {
                say!("palisade: the certificate of {} is shown from now on", cert.display());
                shown = read;
            }
            Err(error) => {
                say!("palisade: the certificate in use stays: {}: {error}", cert.display());
                refused = Some(read);
            }
        }
    }
}

/// Certificates of our own: in the Secret, in the webhook configurations, and then shown.
async fn keep(flags: &WebhookFlags, metrics: &Arc<AdmissionMetrics>) -> Result<Arc<Identity>> {
    let client = cluster::client(&flags.cluster).await?;
    let place = Place {
        namespace: flags.namespace.clone(),
        secret: flags.secret.clone(),
        service: flags.service.clone(),
        configurations: flags.configurations.clone(),
    };
    let (identity, mut shown) = loop {
        match kept_and_trusted(&client, &place).await {
            Ok(kept) => {
                break (Arc::new(Identity::new(kept.certificate().as_bytes(), kept.key().as_bytes())?), kept);
            }
            Err(error) => say!("palisade: certificates are not in place yet: {error:#}"),
        }
        tokio::time::sleep(KEEP_AGAIN).await;
    };
    let (watched, metrics) = (identity.clone(), metrics.clone());
    tokio::spawn(async move {
        let mut pause = KEEP_EVERY;
        loop {
            tokio::time::sleep(pause).await;
            pause = KEEP_EVERY;
            match kept_and_trusted(&client, &place).await {
                Ok(kept) if kept == shown => {}
                Ok(kept) => match watched.replace(kept.certificate().as_bytes(), kept.key().as_bytes()) {
                    Ok(()) => {
                        say!("palisade: another certificate is shown from now on");
                        shown = kept;
                    }
                    Err(error) => {
                        say!("palisade: the certificate in use stays: {error}");
                        metrics.set_ready(false);
                    }
                },
                Err(error) => {
                    say!("palisade: certificates are not looked after: {error:#}");
                    pause = KEEP_AGAIN;
                }
            }
        }
    });
    Ok(identity)
}

/// What is kept, once every configuration trusts it.
async fn kept_and_trusted(client: &Client, place: &Place) -> Result<Kept> {
    let kept = keeper::keep(client, place, SystemTime::now()).await?;
    for changed in keeper::trust(client, place, &kept.bundle()).await? {
        say!("palisade: webhook configuration {changed} trusts us");
    }
    Ok(kept)
}
