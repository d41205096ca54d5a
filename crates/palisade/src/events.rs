//! Events in this process: who makes them, who takes them, and what is counted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use palisade_config::TrimUrl;
use palisade_console::{Exposition, Opener, Records};
use palisade_events::store::{EventStore, Intake, Keeper, Reader, Retention};
use palisade_events::{Bus, BusLimits, TrafficLog, TrafficSource, TrafficSwitches, UrlDetail, unix_millis};
use palisade_model::{Excerpt, Moment, Redactor};

/// The folder of the store in the data folder.
pub(crate) const STORE: &str = "events";

/// Records that may wait for the store: some seconds of 10,000 events.
const STORE_QUEUE_MAX: usize = 100_000;
/// How long the end of the program waits for what is on its way.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// Events of this process.
#[derive(Debug)]
pub(crate) struct Events {
    pub(crate) bus: Bus,
    pub(crate) traffic: Option<Arc<TrafficLog>>,
    /// The name of this node.
    pub(crate) host: Excerpt,
    store: Option<Keeper>,
}

impl Events {
    /// Starts what the settings ask for, in a data folder.
    pub(crate) fn start(settings: &palisade_config::Events, data: &Path) -> Result<Option<Arc<Self>>> {
        if !settings.enabled {
            return Ok(None);
        }
        let host = Redactor::new().words(&host());
        let now = Moment(unix_millis());
        let traffic =
            settings.l7.enabled.then(|| Arc::new(TrafficLog::new(switches(&settings.l7), host.clone(), now)));
        let source = traffic.clone().map(|traffic| traffic as Arc<dyn TrafficSource>);
        let bus = Bus::start(BusLimits::default(), source).context("cannot start the thread of events")?;
        let store = settings.store.then(|| {
            let retention =
                Retention { age: settings.retention.duration(), bytes_max: settings.max_size.bytes() };
            let subscription = bus.subscribe_to_keep("store", STORE_QUEUE_MAX);
            let tell = Box::new(|line: &str| say!("palisade: {line}"));
            Keeper::start(&data.join(STORE), retention, subscription, tell)
        });
        let store = store.transpose().context("cannot start the thread of the event store")?;
        Ok(Some(Arc::new(Self { bus, traffic, host, store })))
    }

    /// Starts those of a console: what data planes send is kept, whatever its settings say of making any, and what was said
    /// to be kept survives a crash of the system.
    pub(crate) fn start_for_others(settings: &palisade_config::Events, data: &Path) -> Result<Arc<Self>> {
        let host = Redactor::new().words(&host());
        let bus = Bus::start(BusLimits::default(), None).context("cannot start the thread of events")?;
        let retention =
            Retention { age: settings.retention.duration(), bytes_max: settings.max_size.bytes() };
        let subscription = bus.subscribe_to_keep("store", STORE_QUEUE_MAX);
        let tell = Box::new(|line: &str| say!("palisade: {line}"));
        let store = Keeper::start_for_others(&data.join(STORE), retention, subscription, tell);
        let store = store.context("cannot start the thread of the event store")?;
        Ok(Arc::new(Self { bus, traffic: None, host, store: Some(store) }))
    }

    /// The way of others' records into the store.
    pub(crate) fn intake(&self) -> Option<Intake> {
        self.store.as_ref().map(Keeper::intake)
    }

    /// Events for the API.
    pub(crate) fn records(&self, data: &Path) -> Arc<Records> {
        let folder = data.join(STORE);
        let open = move || -> Box<dyn EventStore + Send> {
            Box::new(Reader::new(&folder).with_patience(Records::QUESTION_TIME))
        };
        Records::new(self.bus.clone(), self.keeps().then(|| Box::new(open) as Opener))
    }

    /// Whether records are kept here.
    pub(crate) fn keeps(&self) -> bool {
        self.store.is_some()
    }

    /// What a person should see to, in words.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let failing = self.store.as_ref().is_some_and(|store| store.counts().failing);
        failing.then_some("events are lost: their store cannot be written")
    }

    /// Ends it, with all that has come in written, but not for ever.
    pub(crate) fn end(&self) {
        let taken = self.bus.end_within(END_PATIENCE);
        if !taken || self.store.as_ref().is_some_and(|store| !store.ends_within(END_PATIENCE)) {
            say!("palisade: events were lost at the end: the store did not keep up");
        }
    }

    pub(crate) fn metrics(&self, into: &mut Exposition) {
        let counts = self.bus.counts();
        into.counter(
            "palisade_events_total",
            "Events, one for each decision that matters.",
            &[],
            counts.events,
        );
        let help = "Events that were lost because too many came at once.";
        into.counter("palisade_events_dropped_total", help, &[], counts.dropped);
        let help = "Events that wait to be taken.";
        into.gauge("palisade_events_waiting", help, &[], counts.waiting as f64);
        let help = "Events and L7 records that were lost because a subscriber did not keep up.";
        for subscriber in &counts.subscribers {
            let labels = [("subscriber", &*subscriber.name)];
            into.counter("palisade_event_subscriber_dropped_total", help, &labels, subscriber.dropped);
        }
        let help = "Events and L7 records that wait for a subscriber.";
        for subscriber in &counts.subscribers {
            let labels = [("subscriber", &*subscriber.name)];
            into.gauge("palisade_event_subscriber_waiting", help, &labels, subscriber.waiting as f64);
        }
        if let Some(traffic) = &self.traffic {
            let help =
                "Requests that had no L7 record of their own, because there were too many different ones.";
            into.counter("palisade_l7_excess_requests_total", help, &[], traffic.excess());
        }
        let Some(store) = &self.store else { return };
        let counts = store.counts();
        let help = "Events and L7 records that the store has written.";
        into.counter("palisade_event_store_written_total", help, &[], counts.written);
        let help = "Events and L7 records that the store could not write: a full disk, as a rule.";
        into.counter("palisade_event_store_failed_total", help, &[], counts.failed);
        let help = "1 while the store cannot be written.";
        into.gauge("palisade_event_store_failing", help, &[], if counts.failing { 1.0 } else { 0.0 });
        let help = "Bytes of the event store, looked at every ten seconds.";
        into.gauge("palisade_event_store_bytes", help, &[], counts.bytes as f64);
        let help = "Files of the event store that were taken away because they were too old or too much.";
        into.counter("palisade_event_store_files_removed_total", help, &[], counts.files_removed);
    }
}

/// The name of this node.
pub(crate) fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

fn switches(l7: &palisade_config::L7) -> TrafficSwitches {
    let count = |count: palisade_config::Count| usize::try_from(count.get()).unwrap_or(usize::MAX);
    TrafficSwitches {
        interval: l7.flush_interval.duration(),
        records_max: count(l7.per_flush_limit),
        headers: l7.http_header_info,
        method: l7.http_method,
        service: l7.service_info,
        destination: l7.destination_info,
        source: l7.source_info,
        response_code: l7.response_code,
        tls_sni: l7.tls_sni,
        url: match l7.trim_url {
            TrimUrl::Full => UrlDetail::Full,
            TrimUrl::Query => UrlDetail::WithoutQuery,
            TrimUrl::QueryAndPath => UrlDetail::WithoutQueryAndPath,
            TrimUrl::Exclude => UrlDetail::Nothing,
        },
        url_components_max: count(l7.url_path_components),
        url_bytes_max: count(l7.url_char_limit),
        parameters: l7.parameters,
    }
}
