//! A console for many data planes, as the admin listener shows it: what it says of itself, of them, and what may be changed.

mod control;
mod excepted;
mod inventory;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use palisade_collector::Collector;
use palisade_console::{
    Control, Dataplane, Exposition, Health, ListenerStatus, Records, Reloads, ServiceStatus, State, Status,
    Subject, Timestamp,
};
use tokio::sync::watch;

pub(crate) use self::control::PlanesControl;
pub(crate) use self::excepted::Excepted;
pub(crate) use self::inventory::{dataplane, here};
use crate::admin::{Usage, outlets_metrics};
use crate::events::Events;
use crate::flags::VERSION;
use crate::outlets::Outlets;

/// The process of a console. It is there before its store is, so that a probe has somebody to ask.
pub(crate) struct Collecting {
    started: Instant,
    started_at: Timestamp,
    begun: OnceLock<Begun>,
    draining: watch::Sender<bool>,
}

/// What it has once it has begun.
pub(crate) struct Begun {
    pub(crate) collector: Collector,
    pub(crate) events: Arc<Events>,
    pub(crate) records: Arc<Records>,
    pub(crate) outlets: Arc<Outlets>,
    pub(crate) control: Arc<PlanesControl>,
    pub(crate) listeners: Vec<ListenerStatus>,
}

impl fmt::Debug for Collecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collecting").field("begun", &self.begun.get().is_some()).finish_non_exhaustive()
    }
}

impl Collecting {
    /// A console that is starting.
    pub(crate) fn new() -> Arc<Self> {
        let (draining, _) = watch::channel(false);
        Arc::new(Self {
            started: Instant::now(),
            started_at: SystemTime::now().into(),
            begun: OnceLock::new(),
            draining,
        })
    }

    /// Data planes may come.
    pub(crate) fn begin(&self, begun: Begun) {
        let _ = self.begun.set(begun);
    }

    /// It ends.
    pub(crate) fn draining(&self) {
        self.draining.send_replace(true);
    }

    fn state(&self) -> State {
        match (self.begun.get(), *self.draining.borrow()) {
            (None, _) => State::Starting,
            (Some(_), true) => State::Draining,
            (Some(_), false) => State::Ready,
        }
    }
}

impl Subject for Collecting {
    fn liveness(&self) -> Health {
        Health::Good
    }

    fn startup(&self) -> Health {
        match self.state() {
            State::Starting => Health::Bad("starting".into()),
            State::Ready | State::Draining => Health::Good,
        }
    }

    fn readiness(&self) -> Health {
        match self.state() {
            State::Starting => Health::Bad("starting".into()),
            State::Ready => Health::Good,
            State::Draining => {
                Health::Bad("draining: data planes keep their events until this is back".into())
            }
        }
    }

    fn metrics(&self, into: &mut Exposition) {
        into.gauge("palisade_build_info", "Always 1; the version is a label.", &[("version", VERSION)], 1.0);
        let is_ready = self.readiness() == Health::Good;
        let help = "1 while new requests should be sent here, 0 during start and drain.";
        into.gauge("palisade_ready", help, &[], if is_ready { 1.0 } else { 0.0 });
        if let Some(begun) = self.begun.get() {
            begun.events.metrics(into);
            outlets_metrics(&begun.outlets, None, into);
            collector_metrics(&begun.collector, into);
        }
        let help = "When this process started, in seconds since 1970.";
        into.gauge("process_start_time_seconds", help, &[], self.started_at.unix_seconds());
        Usage::now().metrics(into);
    }

    fn status(&self) -> Status {
        let begun = self.begun.get();
        let services = begun.map(|begun| begun.control.services()).unwrap_or_default();
        let service = |service: palisade_console::ServiceInForce| ServiceStatus {
            name: service.name,
            mode: service.mode.to_owned(),
            rule_set: None,
        };
        Status {
            version: VERSION.to_owned(),
            state: self.state(),
            collects: self.collects(),
            started_at: self.started_at,
            uptime_seconds: self.started.elapsed().as_secs(),
            listeners: begun.map(|begun| begun.listeners.clone()).unwrap_or_default(),
            services: services.into_iter().map(service).collect(),
            rule_sets: Vec::new(),
            reloads: Reloads::default(),
            stale: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn say(&self, line: &str) {
        say!("palisade: {line}");
    }

    fn collects(&self) -> bool {
        true
    }

    fn dataplanes(&self) -> Vec<Dataplane> {
        let planes = self.begun.get().map(|begun| begun.collector.planes()).unwrap_or_default();
        planes.into_iter().map(dataplane).collect()
    }

    fn control(&self) -> Option<Arc<dyn Control>> {
        self.begun.get().map(|begun| begun.control.clone() as Arc<dyn Control>)
    }

    fn records(&self) -> Option<Arc<Records>> {
        self.begun.get().map(|begun| begun.records.clone())
    }
}

fn collector_metrics(collector: &Collector, into: &mut Exposition) {
    let counts = collector.counts();
    for (name, help, count) in [
        ("palisade_collector_records_total", "Records of data planes that are in the store.", counts.records),
        (
            "palisade_collector_refused_records_total",
            "Records of data planes that could not be any.",
            counts.refused,
        ),
        (
            "palisade_collector_turned_away_total",
            "Streams of those who may not be called what they said.",
            counts.turned_away,
        ),
        ("palisade_collector_transactions_total", "Transactions of the store.", counts.transactions),
        (
            "palisade_collector_failed_transactions_total",
            "Transactions of the store that failed; what was in them comes again.",
            counts.failures,
        ),
    ] {
        into.counter(name, help, &[], count);
    }
    let planes = collector.planes();
    let there = planes.iter().filter(|plane| plane.connected.is_some()).count();
    let help = "Data planes that are there.";
    into.gauge("palisade_collector_dataplanes", help, &[], there as f64);
    let instances: Vec<_> =
        planes.iter().map(|plane| (plane, format!("{:08x}", plane.instance >> 96))).collect();
    let help = "1 while a data plane is there.";
    for (plane, instance) in &instances {
        let labels = [("dataplane", plane.name.as_str()), ("instance", instance)];
        let is_there = plane.connected.is_some();
        into.gauge("palisade_dataplane_connected", help, &labels, if is_there { 1.0 } else { 0.0 });
    }
    let help = "Bytes of events that wait at a data plane, as it said last.";
    for (plane, instance) in &instances {
        let labels = [("dataplane", plane.name.as_str()), ("instance", instance)];
        into.gauge("palisade_dataplane_spool_bytes", help, &labels, plane.about.spool_bytes as f64);
    }
    let help = "Records of a data plane that came since this process started.";
    for (plane, instance) in &instances {
        let labels = [("dataplane", plane.name.as_str()), ("instance", instance)];
        into.counter("palisade_dataplane_records_total", help, &labels, plane.records);
    }
}
