//! What every operator needs, whatever it reconciles: leadership, probes and metrics, statuses of our own kinds.
//!
//! ```text
//!  Lease --leader--> leads: watch<bool> ---------------------+--> statuses of WafProfile, RuleSet, Protection
//!  informers (cluster::Watched) --changed: Notify--> picture -+--> protect::reconciler, and whoever else joins
//! ```
//!
//! **How a reconciler joins.** It is a future that is given a client, [`Runtime::leads`] and [`Runtime::metrics`], keeps its
//! own picture by [`crate::cluster::Watched`], hands it to a pure function, and writes only while `*leads.borrow()`: that is
//! false from the moment the Lease could not be renewed in time, before another one may hold it. It applies with field
//! manager `palisade-operator`, and tells what it cannot use by conditions and events, never by ending.
//!
//! Who loses the API server keeps everything as it is: data planes run on, and nothing is written until it is back.

mod judge;
mod leader;
mod metrics;
mod pointer;
mod statuses;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::watch;

use crate::probes::Probes;

pub use judge::{Judged, Observed, Sentence, judge};
pub use leader::{Leader, Settings as LeaderSettings};
pub use metrics::{Gauge, Metrics};
pub use pointer::Pointer;

/// Who writes: of every field that we own.
pub const FIELD_MANAGER: &str = "palisade-operator";

/// What an operator is told by its flags.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the Lease is, and whatever else the operator keeps.
    pub namespace: String,
    /// Who this is among those that would lead: the pod's name.
    pub identity: String,
    /// How long a leader that is silent keeps its place.
    pub lease: Duration,
    /// Where probes and metrics answer.
    pub probes: SocketAddr,
}

/// An operator at work. It ends when this is dropped; [`Runtime::end`] gives up the Lease first.
#[derive(Debug)]
pub struct Runtime {
    leader: Leader,
    metrics: Arc<Metrics>,
    probes: Probes,
    statuses: Task,
}

/// Ends when it is dropped.
#[derive(Debug)]
struct Task(tokio::task::AbortHandle);

impl Runtime {
    /// Begins: takes its address, asks for the Lease, watches our kinds.
    ///
    /// # Errors
    /// When the address of the probes cannot be had.
    pub async fn start(client: Client, settings: &Settings) -> std::io::Result<Runtime> {
        let metrics = Arc::new(Metrics::default());
        let probes = Probes::start(settings.probes, Arc::<Metrics>::clone(&metrics)).await?;
        let leader = Leader::start(
            client.clone(),
            LeaderSettings {
                namespace: settings.namespace.clone(),
                name: LEASE.to_owned(),
                identity: settings.identity.clone(),
                duration: settings.lease,
            },
            Arc::clone(&metrics),
        );
        let statuses = statuses::run(client, leader.leads(), Arc::clone(&metrics));
        let statuses = Task(tokio::spawn(statuses).abort_handle());
        Ok(Runtime { leader, metrics, probes, statuses })
    }

    /// Whether this one may write.
    pub fn leads(&self) -> watch::Receiver<bool> {
        self.leader.leads()
    }

    /// What `/metrics` shows.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Where probes and metrics answer.
    pub fn probes(&self) -> SocketAddr {
        self.probes.address()
    }

    /// Stops writing, then lets another one lead at once.
    pub async fn end(self) {
        drop(self.statuses);
        self.leader.release().await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Of the Lease.
const LEASE: &str = "palisade-operator";
