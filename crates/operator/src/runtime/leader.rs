//! Leadership by a Lease of `coordination.k8s.io`, as client-go's leader election has it.
//!
//! Clocks of others are not trusted: a Lease of another one is free once it stood unchanged for its duration, by our own
//! clock. Ours counts as lost a third of its duration before another one may take it, so that two never write at a time
//! unless a clock runs half as fast again as another.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;

use super::metrics::Metrics;

/// Which Lease, and whose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of the Lease.
    pub namespace: String,
    /// Of the Lease.
    pub name: String,
    /// Of this one among those that would lead.
    pub identity: String,
    /// After which a silent leader has lost.
    pub duration: Duration,
}

/// Asks for the Lease, over and over, and keeps it. Ends when it is dropped.
#[derive(Debug)]
pub struct Leader {
    leads: watch::Receiver<bool>,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Leader {
    /// Begins.
    pub fn start(client: Client, settings: Settings, metrics: Arc<Metrics>) -> Leader {
        let (sender, leads) = watch::channel(false);
        let (end, ended) = tokio::sync::oneshot::channel();
        let api = Api::namespaced(client, &settings.namespace);
        let candidate = Candidate { api, settings, metrics, leads: sender, held: None, seen: None };
        let task = tokio::spawn(candidate.run(ended));
        Leader { leads, end: Some(end), task: Some(task) }
    }

    /// Whether this one leads.
    pub fn leads(&self) -> watch::Receiver<bool> {
        self.leads.clone()
    }

    /// Gives the Lease up, so that another one need not wait for its end.
    pub async fn release(mut self) {
        drop(self.end.take());
        if let Some(task) = self.task.take() {
            let _ = tokio::time::timeout(RELEASE, task).await;
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

struct Candidate {
    api: Api<Lease>,
    settings: Settings,
    metrics: Arc<Metrics>,
    leads: watch::Sender<bool>,
    /// When it was last known to be ours.
    held: Option<Instant>,
    /// The Lease of another one, and since when it stands so.
    seen: Option<(Option<LeaseSpec>, Instant)>,
}

impl Candidate {
    async fn run(mut self, mut ended: tokio::sync::oneshot::Receiver<()>) {
        let (pause, deadline) = (self.settings.duration / 5, self.settings.duration * 2 / 3);
        loop {
            // Before the request goes out: what it says holds from then on.
            let asked = Instant::now();
            let outcome = tokio::time::timeout(deadline / 2, self.ask()).await;
            match outcome {
                Ok(Ok(true)) => self.held = Some(asked),
                Ok(Ok(false)) => self.held = None,
                // Nobody knows: it may still be ours, until its time is over.
                Ok(Err(_)) | Err(_) => {}
            }
            self.tell(self.held.is_some_and(|held| held.elapsed() < deadline));
            let mut wake = Instant::now() + pause;
            if let Some(held) = self.held {
                wake = wake.min(held + deadline);
            }
            tokio::select! {
                _ = &mut ended => break,
                () = tokio::time::sleep_until(wake) => {}
            }
            if self.held.is_some_and(|held| held.elapsed() >= deadline) {
                self.tell(false);
                self.held = None;
            }
        }
        let led = *self.leads.borrow();
        self.tell(false);
        if led {
            let _ = self.give_up().await;
        }
    }

    fn tell(&self, leads: bool) {
        self.metrics.set_leads(leads);
        self.leads.send_if_modified(|now| std::mem::replace(now, leads) != leads);
    }

    /// Takes the Lease, or keeps it. Whether it is ours now.
    async fn ask(&mut self) -> kube::Result<bool> {
        let Some(mut lease) = self.api.get_opt(&self.settings.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta { name: Some(self.settings.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.spec(None)),
            };
            return won(self.api.create(&PostParams::default(), &lease).await);
        };
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or("");
        if holder != self.settings.identity && !holder.is_empty() && !self.is_silent(lease.spec.as_ref()) {
            return Ok(false);
        }
        lease.spec = Some(self.spec(lease.spec.as_ref()));
        // With the version that was read: of two that try, one is refused.
        won(self.api.replace(&self.settings.name, &PostParams::default(), &lease).await)
    }

    /// Whether another one's Lease stood as it is for its whole duration.
    fn is_silent(&mut self, spec: Option<&LeaseSpec>) -> bool {
        let spec = spec.cloned();
        let told = spec
            .as_ref()
            .and_then(|spec| spec.lease_duration_seconds)
            .and_then(|seconds| u64::try_from(seconds).ok());
        let duration = told.map_or(self.settings.duration, Duration::from_secs);
        match &self.seen {
            Some((seen, since)) if *seen == spec => since.elapsed() > duration,
            _ => {
                self.seen = Some((spec, Instant::now()));
                false
            }
        }
    }

    fn spec(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let ours = before.filter(|spec| spec.holder_identity.as_deref() == Some(&*self.settings.identity));
        let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.settings.identity.clone()),
            lease_duration_seconds: Some(
                i32::try_from(self.settings.duration.as_secs().max(1)).unwrap_or(i32::MAX),
            ),
            acquire_time: ours.and_then(|spec| spec.acquire_time.clone()).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if ours.is_some() || before.is_none() {
                transitions
            } else {
                transitions.saturating_add(1)
            }),
            ..LeaseSpec::default()
        }
    }

    async fn give_up(&self) -> kube::Result<()> {
        let mut lease = self.api.get(&self.settings.name).await?;
        if let Some(spec) = &mut lease.spec
            && spec.holder_identity.as_deref() == Some(&*self.settings.identity)
        {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            self.api.replace(&self.settings.name, &PostParams::default(), &lease).await?;
        }
        Ok(())
    }
}

/// Another one came first: no error.
fn won(outcome: kube::Result<Lease>) -> kube::Result<bool> {
    match outcome {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

/// For giving the Lease up at the end.
const RELEASE: Duration = Duration::from_secs(3);
