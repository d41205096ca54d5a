//! This process as the admin listener shows it: where in its life it is, what is in force, what was counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use palisade_collector::{About, RulesAbout, ServiceAbout};
use palisade_config::Name;
use palisade_console::{
    Control, Dataplane, Explainer, Exposition, Health, Histogram, ListenerStatus, PolicyShown, Records,
    Reload, Reloads, RuleSetStatus, ServiceStatus, StaleStatus, State, Status, Subject, Timestamp,
};
use palisade_control::stream::Following;
use palisade_dataplane::{HistogramValue, Plane, Sample, Value};
use palisade_engine::RuleSet;
use palisade_events::LogWriter;
use palisade_events::sinks::SinkCounts;
use palisade_identity::hex_lower;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::admin::usage::Usage;
use crate::collected::Collected;
use crate::collecting::here;
use crate::control::Controls;
use crate::events::Events;
use crate::flags::VERSION;
use crate::outlets::Outlets;
use crate::policing::ShownPolicies;
use crate::recording::Recording;
use crate::snapshot::{Snapshot, Stale};
use crate::traces::Traces;

/// How often workers show that they work.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// After so long without a sign of the workers a restart is what helps. Long, because a machine out of breath is not
/// helped by restarts.
const WORKERS_STUCK_AFTER: Duration = Duration::from_secs(60);

/// What the admin listener shows. Those who change it are told so as it happens; nobody waits for anybody.
#[derive(Debug)]
pub(crate) struct Process {
    started: Instant,
    started_at: Timestamp,
    /// Milliseconds from the start to the last sign of the workers; 0 before the first.
    beat: AtomicU64,
    plane: OnceLock<Arc<Plane>>,
    controls: OnceLock<Arc<Controls>>,
    records: OnceLock<Arc<Records>>,
    outlets: OnceLock<Arc<Outlets>>,
    shared: OnceLock<Arc<palisade_shared::Client>>,
    recording: OnceLock<Arc<Recording>>,
    traces: OnceLock<Arc<Traces>>,
    following: OnceLock<watch::Receiver<Following>>,
    collected: OnceLock<Arc<Collected>>,
    policies: Arc<ShownPolicies>,
    changing: Mutex<Changing>,
}

#[derive(Debug)]
struct Changing {
    state: State,
    listeners: Vec<ListenerStatus>,
    logs: Vec<(&'static str, LogWriter)>,
    events: Option<Arc<Events>>,
    in_force: InForce,
    loaded_at: Option<Timestamp>,
    reloads: Reloads,
    stale: Vec<StaleStatus>,
}

/// What is in force: replaced as one.
#[derive(Clone, Debug, Default)]
pub(crate) struct InForce {
    /// A digest of what the configuration says and of what its rules are made of.
    revision: String,
    services: Vec<ServiceStatus>,
    rule_sets: Vec<RuleSetInForce>,
}

#[derive(Clone, Debug)]
struct RuleSetInForce {
    name: String,
    rules: Arc<RuleSet>,
    /// Of what they were made of.
    digest: String,
    loaded_at: Timestamp,
}

impl RuleSetInForce {
    fn count(&self) -> usize {
        self.rules.rules().len()
    }
}

impl InForce {
    /// What a snapshot puts in force. A rule set has the name of the profile that it was loaded for.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let Snapshot { config, profiles, .. } = snapshot;
        let rules_of = |profile: &Name| profiles.get(profile).and_then(|profile| profile.rules.as_ref());
        let service = |service: &palisade_config::Service| {
            let profile = &*service.profile;
            let mode = profiles.get(profile).map(|profile| profile.mode).unwrap_or_default();
            ServiceStatus {
                name: service.name.to_string(),
                mode: mode.to_string(),
                rule_set: rules_of(profile).map(|_| profile.to_string()),
            }
        };
        let loaded_at = now();
        let digest = |profile: &Name| {
            snapshot.digests.get(profile).map_or_else(String::new, |digest| hex_lower(digest))
        };
        let rule_set = |(profile, _): (&Name, _)| {
            Some(RuleSetInForce {
                name: profile.to_string(),
                rules: rules_of(profile)?.clone(),
                digest: digest(profile),
                loaded_at,
            })
        };
        let mut revision = Sha256::new();
        revision.update(format!("{config:?}"));
        config.profiles.iter().for_each(|(profile, _)| revision.update(digest(profile)));
        Self {
            revision: hex_lower(&revision.finalize()),
            services: config.services.iter().map(service).collect(),
            rule_sets: config.profiles.iter().filter_map(rule_set).collect(),
        }
    }

    /// Rules that are those of before were loaded then.
    fn after(mut self, before: &Self) -> Self {
        for rule_set in &mut self.rule_sets {
            if let Some(same) = before.rule_sets.iter().find(|old| Arc::ptr_eq(&old.rules, &rule_set.rules)) {
                rule_set.loaded_at = same.loaded_at;
            }
        }
        self
    }
}

impl Process {
    /// A process that is starting.
    pub(crate) fn new(policies: Arc<ShownPolicies>) -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            started_at: now(),
            beat: AtomicU64::new(0),
            plane: OnceLock::new(),
            controls: OnceLock::new(),
            records: OnceLock::new(),
            outlets: OnceLock::new(),
            shared: OnceLock::new(),
            recording: OnceLock::new(),
            traces: OnceLock::new(),
            following: OnceLock::new(),
            collected: OnceLock::new(),
            policies,
            changing: Mutex::new(Changing {
                state: State::Starting,
                listeners: Vec::new(),
                logs: Vec::new(),
                events: None,
                in_force: InForce::default(),
                loaded_at: None,
                reloads: Reloads::default(),
                stale: Vec::new(),
            }),
        })
    }

    /// The rules that are in force from the start.
    pub(crate) fn loaded(&self, in_force: InForce) {
        let mut changing = self.changing();
        changing.in_force = in_force;
        changing.loaded_at = Some(now());
    }

    /// The configuration was loaded anew, but for objects that stay as they were, or an error left all of it in force.
    pub(crate) fn reloaded(&self, outcome: Result<(InForce, Vec<Stale>), &anyhow::Error>, took: Duration) {
        let at = now();
        let mut changing = self.changing();
        let error = match outcome {
            Ok((in_force, stale)) => {
                changing.replace(in_force);
                let told: Vec<String> = stale
                    .iter()
                    .map(|stale| format!("{} {} stays as it was: {}", stale.kind, stale.name, stale.error))
                    .collect();
                changing.stale(stale, at);
                (!told.is_empty()).then(|| told.join("; "))
            }
            Err(error) => Some(format!("{error:#}")),
        };
        if error.is_none() {
            changing.loaded_at = Some(at);
            changing.reloads.succeeded += 1;
        } else {
            changing.reloads.failed += 1;
        }
        changing.reloads.last = Some(Reload { at, error, seconds: took.as_secs_f64() });
    }

    /// A log whose losses are counted.
    pub(crate) fn writes(&self, name: &'static str, log: &LogWriter) {
        self.changing().logs.push((name, log.clone()));
    }

    /// What may be changed from now on.
    pub(crate) fn controls(&self, controls: Arc<Controls>) {
        let _ = self.controls.set(controls);
    }

    /// Events whose losses are counted, and that the API reads.
    pub(crate) fn records(&self, events: Arc<Events>, records: Arc<Records>) {
        self.changing().events = Some(events);
        let _ = self.records.set(records);
    }

    /// Sinks and alerts whose work is counted.
    pub(crate) fn hears(&self, outlets: Arc<Outlets>) {
        let _ = self.outlets.set(outlets);
    }

    /// Takes who sends traces, for their metrics.
    pub(crate) fn traces(&self, traces: Arc<Traces>) {
        let _ = self.traces.set(traces);
    }

    /// Copies of requests, counted.
    pub(crate) fn copies(&self, recording: Arc<Recording>) {
        let _ = self.recording.set(recording);
    }

    /// Listeners are open: the start is over.
    pub(crate) fn ready(&self, plane: Arc<Plane>, listeners: Vec<ListenerStatus>) {
        let _ = self.plane.set(plane);
        let mut changing = self.changing();
        changing.listeners = listeners;
        changing.state = State::Ready;
    }

    /// Listeners may have come and gone.
    pub(crate) fn listening(&self, listeners: Vec<ListenerStatus>) {
        self.changing().listeners = listeners;
    }

    /// Others have state in common with this process, by way of a client.
    pub(crate) fn shares(&self, client: Arc<palisade_shared::Client>) {
        let _ = self.shared.set(client);
    }

    /// A server says what is served.
    pub(crate) fn follows(&self, following: watch::Receiver<Following>) {
        let _ = self.following.set(following);
    }

    /// Events go to a console for many data planes.
    pub(crate) fn sends(&self, collected: Arc<Collected>) {
        let _ = self.collected.set(collected);
    }

    /// What an inventory is told.
    pub(crate) fn about(&self) -> About {
        let problem = match self.readiness() {
            Health::Good => None,
            Health::Bad(why) => Some(why.into_owned()),
        };
        let controls = self.controls.get();
        let (services, places) =
            controls.map(|controls| (controls.services(), controls.places())).unwrap_or_default();
        let followed = self.following.get().and_then(|following| following.borrow().held);
        let changing = self.changing();
        let rules = changing.in_force.rule_sets.iter().map(|rule_set| RulesAbout {
            name: rule_set.name.clone(),
            rules: rule_set.count() as u64,
            digest: rule_set.digest.clone(),
        });
        let services = services.into_iter().map(|service| {
            let place = places.iter().find(|place| place.service == service.name);
            ServiceAbout {
                application: service.application,
                mode: service.mode.to_owned(),
                mode_from: service.mode_from.to_owned(),
                mode_written: service.mode_written.to_owned(),
                mode_override: service.mode_override.to_owned(),
                namespace: place.map_or("-", |place| &place.namespace).to_owned(),
                workload: place.map_or(&service.name, |place| &place.name).clone(),
                name: service.name,
            }
        });
        let stale = changing.stale.iter();
        let mut about = About {
            state: changing.state.as_str().to_owned(),
            problem,
            started: (self.started_at.unix_seconds() * 1000.0) as u64,
            revision: followed.map_or_else(|| changing.in_force.revision.clone(), |held| held.to_string()),
            rules: rules.collect(),
            services: services.collect(),
            stale: stale.map(|stale| format!("{} {}: {}", stale.kind, stale.name, stale.error)).collect(),
            ..About::default()
        };
        drop(changing);
        self.collected.get().into_iter().for_each(|collected| collected.tell(&mut about));
        about
    }

    /// New requests should go elsewhere.
    pub(crate) fn draining(&self) {
        self.changing().state = State::Draining;
    }

    /// Has the workers of this runtime show that they work.
    pub(crate) fn watch_workers(self: &Arc<Self>) {
        let process = self.clone();
        tokio::spawn(async move {
            loop {
                let since_start = u64::try_from(process.started.elapsed().as_millis()).unwrap_or(u64::MAX);
                process.beat.store(since_start.max(1), Ordering::Relaxed);
                tokio::time::sleep(BEAT_EVERY).await;
            }
        });
    }

    /// Services with the modes that are in force by now.
    fn services(&self, changing: &Changing) -> Vec<ServiceStatus> {
        let in_force = self.controls.get().map(|controls| controls.services()).unwrap_or_default();
        let status = |service: &ServiceStatus| {
            let now = in_force.iter().find(|now| now.name == service.name);
            let mode = now.map_or_else(|| service.mode.clone(), |now| now.mode.to_owned());
            ServiceStatus { mode, ..service.clone() }
        };
        changing.in_force.services.iter().map(status).collect()
    }

    fn changing(&self) -> MutexGuard<'_, Changing> {
        // What stands there is whole after every statement.
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn liveness_after(&self, uptime: Duration) -> Health {
        match self.beat.load(Ordering::Relaxed) {
            // The start takes as long as rules take to be read; the start-up probe is what bounds it.
            0 => Health::Good,
            beat => match uptime.saturating_sub(Duration::from_millis(beat)) {
                silent if silent > WORKERS_STUCK_AFTER => {
                    Health::Bad(format!("workers have not turned for {} s", silent.as_secs()).into())
                }
                _ => Health::Good,
            },
        }
    }
}

impl Subject for Process {
    fn liveness(&self) -> Health {
        self.liveness_after(self.started.elapsed())
    }

    fn startup(&self) -> Health {
        match self.changing().state {
            State::Starting => Health::Bad(STARTING.into()),
            State::Ready | State::Draining => Health::Good,
        }
    }

    fn readiness(&self) -> Health {
        match self.changing().state {
            State::Starting => Health::Bad(STARTING.into()),
            State::Ready => match self.policies.missing() {
                Some(missing) => Health::Bad(missing.into()),
                None => Health::Good,
            },
            State::Draining => {
                Health::Bad("draining: requests that have begun are answered, then this ends".into())
            }
        }
    }

    fn metrics(&self, into: &mut Exposition) {
        into.gauge("palisade_build_info", "Always 1; the version is a label.", &[("version", VERSION)], 1.0);
        // Before the lock: it takes it as well.
        let is_ready = self.readiness() == Health::Good;
        self.changing().metrics(is_ready, into);
        policy_metrics(&self.policies, into);
        if let Some(following) = self.following.get() {
            control_metrics(&following.borrow(), into);
        }
        let events = self.changing().events.clone();
        events.iter().for_each(|events| events.metrics(into));
        if let Some(plane) = self.plane.get() {
            plane_metrics(plane, into);
        }
        if let Some(outlets) = self.outlets.get() {
            outlets_metrics(outlets, self.collected.get().map(|collected| collected.counts()), into);
        }
        self.collected.get().into_iter().for_each(|collected| collected.metrics(into));
        if let Some(client) = self.shared.get() {
            crate::shared::metrics(client.counts(), into);
        }
        self.recording.get().into_iter().for_each(|recording| recording.metrics(into));
        self.traces.get().into_iter().for_each(|traces| traces.metrics(into));
        let started = self.started_at.unix_seconds();
        let help = "When this process started, in seconds since 1970.";
        into.gauge("process_start_time_seconds", help, &[], started);
        Usage::now().metrics(into);
    }

    fn control(&self) -> Option<Arc<dyn Control>> {
        self.controls.get().map(|controls| controls.clone() as Arc<dyn Control>)
    }

    fn records(&self) -> Option<Arc<Records>> {
        self.records.get().cloned()
    }

    fn say(&self, line: &str) {
        say!("palisade: {line}");
    }

    fn dataplanes(&self) -> Vec<Dataplane> {
        vec![here(self.about())]
    }

    fn policies(&self) -> Vec<PolicyShown> {
        self.policies.listed()
    }

    fn explainer(&self) -> Option<Arc<dyn Explainer>> {
        self.controls.get().map(|controls| controls.explaining().clone() as Arc<dyn Explainer>)
    }

    fn status(&self) -> Status {
        let changing = self.changing();
        let rule_set = |rule_set: &RuleSetInForce| RuleSetStatus {
            name: rule_set.name.clone(),
            rules: rule_set.count(),
            loaded_at: rule_set.loaded_at,
        };
        Status {
            collects: false,
            version: VERSION.to_owned(),
            state: changing.state,
            started_at: self.started_at,
            uptime_seconds: self.started.elapsed().as_secs(),
            listeners: changing.listeners.clone(),
            services: self.services(&changing),
            rule_sets: changing.in_force.rule_sets.iter().map(rule_set).collect(),
            reloads: changing.reloads.clone(),
            stale: changing.stale.clone(),
            problems: [
                self.recording.get().and_then(|recording| recording.problem()),
                changing.events.as_ref().and_then(|events| events.problem()),
            ]
            .into_iter()
            .flatten()
            .map(str::to_owned)
            .collect(),
        }
    }
}

impl Changing {
    fn replace(&mut self, in_force: InForce) {
        self.in_force = in_force.after(&self.in_force);
    }

    /// Notes what is not as configured. What was so before keeps its time.
    fn stale(&mut self, stale: Vec<Stale>, at: Timestamp) {
        let before = std::mem::take(&mut self.stale);
        self.stale = stale
            .into_iter()
            .map(|Stale { kind, name, error }| {
                let was = before.iter().find(|was| was.kind == kind && was.name == name.as_str());
                let since = was.map_or(at, |was| was.since);
                StaleStatus { kind: kind.to_owned(), name: name.to_string(), error, since }
            })
            .collect();
    }

    fn metrics(&self, is_ready: bool, into: &mut Exposition) {
        let flag = |is: bool| if is { 1.0 } else { 0.0 };
        let help = "1 while new requests should be sent here, 0 during start and drain.";
        into.gauge("palisade_ready", help, &[], flag(is_ready));
        let help = "Rules in force.";
        for rule_set in &self.in_force.rule_sets {
            into.gauge("palisade_rules", help, &[("rule_set", &rule_set.name)], rule_set.count() as f64);
        }
        let (name, help) = (
            "palisade_reloads_total",
            "Times that rules were loaded anew; a failure leaves the old in force.",
        );
        into.counter(name, help, &[("outcome", "success")], self.reloads.succeeded);
        into.counter(name, help, &[("outcome", "failure")], self.reloads.failed);
        let failed = self.reloads.last.as_ref().is_some_and(|last| last.error.is_some());
        let help = "0 when the last reload failed, so that the rules in force are not those on disk.";
        into.gauge("palisade_last_reload_successful", help, &[], flag(!failed));
        let help = "How long the last reload took.";
        let seconds = self.reloads.last.as_ref().map_or(0.0, |last| last.seconds);
        into.gauge("palisade_last_reload_duration_seconds", help, &[], seconds);
        let help = "Objects that are not as they are configured, because that cannot be used.";
        for kind in ["profile", "service", "listener", "alerts"] {
            let count = self.stale.iter().filter(|stale| stale.kind == kind).count();
            into.gauge("palisade_stale_objects", help, &[("kind", kind)], count as f64);
        }
        let help = "When the rules in force were loaded, in seconds since 1970; 0 before.";
        let loaded = self.loaded_at.map_or(0.0, Timestamp::unix_seconds);
        into.gauge("palisade_last_reload_success_timestamp_seconds", help, &[], loaded);
        // A log may be several files.
        let mut losses: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (name, log) in &self.logs {
            let (dropped, failed) = losses.entry(name).or_default();
            *dropped += log.dropped_lines();
            *failed += log.failed_lines();
        }
        let help = "Lines that were not logged because the log did not keep up.";
        for (name, (dropped, _)) in &losses {
            into.counter("palisade_log_lines_dropped_total", help, &[("log", name)], *dropped);
        }
        let help = "Lines that could not be written to a log.";
        for (name, (_, failed)) in &losses {
            into.counter("palisade_log_lines_failed_total", help, &[("log", name)], *failed);
        }
    }
}

/// How the control stream goes.
fn control_metrics(following: &Following, into: &mut Exposition) {
    let flag = |is: bool| if is { 1.0 } else { 0.0 };
    let help = "1 while the server is there that says what is served.";
    into.gauge("palisade_control_connected", help, &[], flag(following.is_connected));
    let help = "0 when what the server said last was refused, so that what is in force is older.";
    let refused = following.applied.as_ref().is_some_and(|applied| applied.outcome.is_err());
    into.gauge("palisade_control_last_accepted", help, &[], flag(!refused));
}

/// Where policies come from, and who waits for news.
fn policy_metrics(policies: &ShownPolicies, into: &mut Exposition) {
    let Some((store, Some(status))) = policies.now() else { return };
    let flag = |is: bool| if is { 1.0 } else { 0.0 };
    let (status, size, waiting) = (status.now(), store.size(), store.waiting_now());
    let help = "1 while there is a stream of policies from the agent.";
    into.gauge("palisade_policy_sync_connected", help, &[], flag(status.connected));
    let help = "1 while the agent has said all that there is, and tells of changes.";
    into.gauge("palisade_policy_sync_in_sync", help, &[], flag(status.in_sync));
    for (name, help, count) in [
        ("palisade_policy_sync_connections_total", "Streams from the agent.", status.connects),
        ("palisade_policy_sync_messages_total", "Messages from the agent.", status.messages),
        (
            "palisade_policy_sync_refusals_total",
            "Messages of which something was not understood or went beyond a limit; it lets nobody in.",
            status.refusals,
        ),
        ("palisade_policy_sync_swaps_total", "Times that all policies were replaced at once.", status.swaps),
        ("palisade_policy_waits_total", "Requests that waited for news of their peer.", waiting.begun),
        (
            "palisade_policy_waits_refused_total",
            "Requests that would have waited for news of their peer, and there was no place.",
            waiting.refused,
        ),
    ] {
        into.counter(name, help, &[], count);
    }
    for (name, help, count) in [
        (
            "palisade_policy_sync_held_back",
            "Objects whose last version waits for what it names, or for those that name it.",
            status.held_back as usize,
        ),
        ("palisade_policy_waiting", "Requests that wait for news of their peer.", waiting.waiting),
        ("palisade_policy_sets", "Sets of addresses that policies name.", size.sets),
        ("palisade_policy_members", "Addresses, ranges and ports in those sets.", size.members),
        ("palisade_policy_endpoints", "Endpoints that policies are about.", size.endpoints),
    ] {
        into.gauge(name, help, &[], count as f64);
    }
}

/// What the data plane counted.
pub(crate) fn outlets_metrics(
    outlets: &Outlets,
    collector: Option<(String, SinkCounts)>,
    into: &mut Exposition,
) {
    let counts: Vec<_> = outlets.counts().into_iter().chain(collector).collect();
    let help = "Records that sinks and webhooks were to have, by what became of them.";
    for (sink, counts) in &counts {
        for (outcome, count) in
            [("delivered", counts.delivered), ("refused", counts.refused), ("dropped", counts.dropped)]
        {
            let labels = [("sink", sink.as_str()), ("outcome", outcome)];
            into.counter("palisade_sink_records_total", help, &labels, count);
        }
    }
    let help = "Deliveries to sinks and webhooks that failed, wholly or in part.";
    for (sink, counts) in &counts {
        into.counter("palisade_sink_failures_total", help, &[("sink", sink)], counts.failures);
    }
    let help = "Bytes that wait for sinks and webhooks.";
    for (sink, counts) in &counts {
        for (place, bytes) in [("memory", counts.waiting_bytes), ("disk", counts.spilled_bytes)] {
            into.gauge(
                "palisade_sink_waiting_bytes",
                help,
                &[("sink", sink), ("place", place)],
                bytes as f64,
            );
        }
    }
    let status = outlets.alerts().status();
    let help = "Events of alerts since they were first asked.";
    for alert in &status {
        into.counter("palisade_alert_events_total", help, &[("alert", &alert.name)], alert.events);
    }
    let help = "When an alert was last asked, in seconds since 1970.";
    for alert in &status {
        let seconds = alert.last_executed_ms as f64 / 1000.0;
        into.gauge("palisade_alert_last_executed_seconds", help, &[("alert", &alert.name)], seconds);
    }
}

fn plane_metrics(plane: &Plane, into: &mut Exposition) {
    plane.visit_metrics(&mut |Sample { name, help, labels, value }| match value {
        Value::Counter(value) => into.counter(name, help, labels, value),
        Value::Gauge(value) => into.gauge(name, help, labels, value as f64),
        Value::Histogram(HistogramValue { bounds, counts, sum }) => {
            into.histogram(name, help, labels, Histogram { bounds, counts, sum });
        }
    });
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

const STARTING: &str = "starting: rules are being read";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_stand_still_are_dead_and_a_long_start_is_not() {
        let process = Process::new(Arc::default());
        assert_eq!(process.liveness_after(Duration::from_secs(3600)), Health::Good);
        process.beat.store(5000, Ordering::Relaxed);
        assert_eq!(process.liveness_after(Duration::from_secs(4)), Health::Good);
        assert_eq!(process.liveness_after(Duration::from_secs(64)), Health::Good);
        let Health::Bad(why) = process.liveness_after(Duration::from_secs(75)) else { panic!("alive") };
        assert!(why.contains("70 s"), "{why}");
    }
}
