//! A data plane that was taken over: it has a token, and says what it likes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use palisade_collector::messages::Exceptions;
use palisade_collector::{About, Obeys, RulesAbout, ServiceAbout, Uplink, UplinkOptions, uplink};
use palisade_control::link::{ClientAuth, Files, LiveTls};
use palisade_events::sinks::{BacklogLimits, Delivered, Document, Kind, Outlet, Say, Segment, Transport};
use palisade_lists::Record;
use palisade_model::{EventId, Mode};
use serde_json::Value;

/// It sends while it lives.
pub(crate) struct Rogue {
    outlet: Outlet,
    refused: Arc<AtomicU64>,
    sent: AtomicU64,
    _runtime: tokio::runtime::Runtime,
}

impl Rogue {
    /// Comes to a collector as `name`, and says `text` wherever it may say one.
    pub(crate) fn start(port: u16, folder: &Path, name: &str, token: &str, text: &str) -> Self {
        let files = Files { ca: folder.join("ca.crt"), own: None };
        let tls = Arc::new(LiveTls::of_files(files, ClientAuth::Optional).unwrap());
        let (token, said, about) = (token.to_owned(), text.to_owned(), about(text));
        let (sends, following) = uplink(UplinkOptions {
            target: format!("https://localhost:{port}").parse().unwrap(),
            tls,
            name: name.to_owned(),
            version: said,
            token: Some(Box::new(move || Ok(token.clone()))),
            about: Box::new(move || about.clone()),
            now: unix_millis,
            say: Box::new(|_| {}),
            obeys: Box::new(Nothing),
        });
        let refused = Arc::<AtomicU64>::default();
        let sends = Counted { sends, refused: refused.clone() };
        let retry = (Duration::from_millis(20), Duration::from_millis(100));
        let limits = BacklogLimits { retry, spool: true, ..BacklogLimits::default() };
        let outlet =
            Outlet::start(name, &folder.join("rogue"), limits, Box::new(sends), Say::nothing()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        runtime.spawn(following.run(outlet.spool().unwrap()));
        Self { outlet, refused, sent: AtomicU64::new(0), _runtime: runtime }
    }

    /// Sends a record. Its id is written into it.
    pub(crate) fn send(&self, kind: Kind, mut json: Value) -> EventId {
        let (now, number) = (unix_millis(), self.sent.fetch_add(1, Ordering::Relaxed));
        let id = EventId::new(now, 7, number);
        json["id"] = id.to_string().into();
        self.outlet.push(vec![Document::new(kind, id.0, now, &json.to_string())]);
        id
    }

    /// How many of its records the collector will never take.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

fn about(text: &str) -> About {
    let text = text.to_owned();
    let rules = RulesAbout { name: text.clone(), rules: 7, digest: text.clone() };
    let service = ServiceAbout {
        name: text.clone(),
        mode: text.clone(),
        mode_from: text.clone(),
        mode_written: text.clone(),
        mode_override: text.clone(),
        namespace: text.clone(),
        workload: text.clone(),
        application: None,
    };
    let shop = ServiceAbout { name: "shop".to_owned(), mode: "block".to_owned(), ..service.clone() };
    About {
        state: text.clone(),
        problem: Some(text.clone()),
        revision: text.clone(),
        rules: vec![rules],
        services: vec![service, shop],
        stale: vec![text],
        ..About::default()
    }
}

struct Counted {
    sends: Uplink,
    refused: Arc<AtomicU64>,
}

impl Transport for Counted {
    fn deliver(&mut self, documents: &[Document]) -> Delivered {
        self.sends.deliver(documents)
    }

    fn deliver_segment(&mut self, segment: &Segment) -> Delivered {
        let delivered = self.sends.deliver_segment(segment);
        self.refused.fetch_add(delivered.refused, Ordering::Relaxed);
        delivered
    }
}

struct Nothing;

impl Obeys for Nothing {
    fn lists(&self, _: Vec<Record>, _: bool, _: bool) {}

    fn modes(&self, _: Vec<(String, Mode)>) {}

    fn exceptions(&self, _: Exceptions) {}
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
