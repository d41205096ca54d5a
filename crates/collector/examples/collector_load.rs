//! What a collector bears: so many simulated data planes, each with a spool and a stream of its own, against a console that
//! runs as people run it. `bench/collector/run` drives it and keeps the figures.
//!
//! ```text
//! collector_load URL CA TOKEN_FILE FOLDER PLANES EVENTS_A_SECOND SECONDS
//! ```
//!
//! Events are made at that rate whatever becomes of them; what counts is how long they take until the collector has said
//! that they are in the store, and whether that keeps up.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use palisade_collector::messages::Exceptions;
use palisade_collector::{About, Obeys, PORTION_BYTES_MAX, UplinkOptions, uplink};
use palisade_control::link::{ClientAuth, Files, LiveTls};
use palisade_events::sinks::{BacklogLimits, Delivered, Document, Kind, Outlet, Say, Segment, Transport};
use palisade_lists::Record;
use palisade_model::{EventId, Mode};

/// How often a data plane's bus has a batch.
const BATCH_EVERY: Duration = Duration::from_millis(100);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, ca, token, folder, planes, rate, seconds] = &arguments[..] else {
        eprintln!("collector_load URL CA TOKEN_FILE FOLDER PLANES EVENTS_A_SECOND SECONDS");
        std::process::exit(2);
    };
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let (planes, rate, seconds) = (number(planes), number(rate), number(seconds));
    let files = Files { ca: ca.into(), own: None };
    let tls = Arc::new(LiveTls::of_files(files, ClientAuth::Optional).expect("authorities"));
    let token = std::fs::read_to_string(token).expect("a token").lines().next().expect("a token").to_owned();
    let taken = Arc::<AtomicU64>::default();
    let delays = Arc::<Mutex<Vec<u64>>>::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let outlets: Vec<Outlet> = (0..planes)
        .map(|plane| {
            let (shown, name) = (token.clone(), format!("plane-{plane}"));
            let (sends, following) = uplink(UplinkOptions {
                target: url.parse().expect("a URL"),
                tls: tls.clone(),
                name: name.clone(),
                version: "load".to_owned(),
                token: Some(Box::new(move || Ok(shown.clone()))),
                about: Box::new(|| About { state: "ready".to_owned(), ..About::default() }),
                now: unix_millis,
                say: Box::new(|_| {}),
                obeys: Box::new(Nothing),
            });
            let limits = BacklogLimits {
                segment_bytes_max: PORTION_BYTES_MAX,
                retry: (Duration::from_millis(50), Duration::from_millis(500)),
                spool: true,
                ..BacklogLimits::default()
            };
            let sends = Measured { sends, taken: taken.clone(), delays: delays.clone() };
            let spool = PathBuf::from(folder).join(&name);
            let outlet =
                Outlet::start(&name, &spool, limits, Box::new(sends), Say::nothing()).expect("a spool");
            runtime.spawn(following.run(outlet.spool().expect("a spool")));
            outlet
        })
        .collect();
    thread::sleep(Duration::from_secs(2));
    let (began, mut made) = (Instant::now(), 0u64);
    while began.elapsed() < Duration::from_secs(seconds) {
        let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
        for (plane, outlet) in outlets.iter().enumerate() {
            outlet.push((made..due).map(|event| document(plane as u64, event)).collect());
        }
        made = due;
        thread::sleep(BATCH_EVERY);
    }
    let made = made * planes;
    let waits = Instant::now();
    while taken.load(Ordering::Relaxed) < made && waits.elapsed() < Duration::from_secs(120) {
        thread::sleep(Duration::from_millis(5));
    }
    let mut delays = delays.lock().expect("nobody panics").clone();
    delays.sort_unstable();
    let at = |share: f64| delays.get(((delays.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(0);
    println!(
        "{{\"planes\":{planes},\"rate\":{rate},\"seconds\":{seconds},\"made\":{made},\"taken\":{},\"behind_ms\":{},\
         \"delay_ms\":{{\"p50\":{},\"p99\":{},\"max\":{}}}}}",
        taken.load(Ordering::Relaxed),
        waits.elapsed().as_millis(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    for outlet in outlets {
        outlet.end_within(Duration::from_secs(5));
    }
}

/// Notes how long each record took until the collector said that it has it.
struct Measured {
    sends: palisade_collector::Uplink,
    taken: Arc<AtomicU64>,
    delays: Arc<Mutex<Vec<u64>>>,
}

impl Transport for Measured {
    fn deliver(&mut self, documents: &[Document]) -> Delivered {
        self.sends.deliver(documents)
    }

    fn deliver_segment(&mut self, segment: &Segment) -> Delivered {
        let delivered = self.sends.deliver_segment(segment);
        if delivered.again.is_empty() {
            let now = unix_millis();
            self.taken.fetch_add(segment.documents.len() as u64 - delivered.refused, Ordering::Relaxed);
            let delays = segment.documents.iter().map(|document| now.saturating_sub(document.time_ms));
            self.delays.lock().expect("nobody panics").extend(delays);
        }
        delivered
    }
}

struct Nothing;

impl Obeys for Nothing {
    fn lists(&self, _: Vec<Record>, _: bool, _: bool) {}

    fn modes(&self, _: Vec<(String, Mode)>) {}

    fn exceptions(&self, _: Exceptions) {}
}

/// An event of the length that one with a rule and a finding has: about 1.3 KB.
fn document(plane: u64, number: u64) -> Document {
    let now = unix_millis();
    let id = EventId::new(now, plane as u32, number);
    let json = format!(
        "{{\"@timestamp\":{now},\"id\":\"{id}\",\"kind\":\"waf\",\"action\":\"deny\",\"mode\":\"block\",\"verdict\":\"deny\",\
         \"host\":\"node-{plane}\",\"service\":\"shop-{}\",\"listener\":\"web\",\"source\":{{\"ip\":\"198.51.{}.{}\",\"port_num\":43210}},\
         \"destination\":{{\"ip\":\"10.0.0.9\",\"port_num\":8080,\"hostname\":\"shop\"}},\"method\":\"GET\",\
         \"path\":\"/search?q=1%27%20union%20select%20{number}\",\"protocol\":\"HTTP/1.1\",\"authority\":\"shop.example\",\
         \"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36\",\
         \"msg\":\"WAF check FAILED!\",\"rule_info\":\"{}\",\"rules\":[{{\"id\":\"942100\",\"message\":\"SQL Injection Attack Detected via libinjection\",\
         \"severity\":\"2\",\"file\":\"REQUEST-942-APPLICATION-ATTACK-SQLI.conf\",\"line\":\"46\",\"disruptive\":true,\"phase\":2,\
         \"target\":\"ARGS:q\",\"data\":\"Matched Data: sUE1c found within ARGS:q\"}}],\"attacks\":[\"sqli\"],\"cause\":\"rule\",\"rule_id\":942100,\
         \"phase\":2,\"status\":403,\"answered_by\":\"palisade\",\"duration_us\":412}}",
        plane % 20,
        number % 64,
        plane,
        "x".repeat(220)
    );
    Document::new(Kind::Waf, id.0, now, &json)
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
