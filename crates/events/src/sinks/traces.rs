//! Traces for a collector of OpenTelemetry, by OTLP over HTTP in JSON: `POST URL/v1/traces`.
//!
//! A trace is worth something now, or not at all: what finds no room is dropped and counted, what cannot be delivered is tried
//! a few times, and nothing lies in files. No request waits for any of it.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::backoff::Backoff;
use super::client::Client;
use super::otlp::{OtlpSetting, partial_rejection};
use super::secret::Secrets;
use super::webhook::{post, whole};
use super::worker::Say;

/// Requests whose spans may wait: some megabytes.
const WAITING_MAX: usize = 4096;
/// Requests whose spans go at once.
const BATCH_MAX: usize = 256;
/// How long a batch waits to fill.
const BATCH_WINDOW: Duration = Duration::from_secs(1);
/// How often a batch is tried before it is dropped.
const TRIES_MAX: u32 = 5;

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    /// Text; whatever may not be told is masked in it already.
    Text(String),
    /// A number.
    Number(u64),
    /// Some texts.
    Texts(Vec<String>),
}

/// Attributes by OpenTelemetry's semantic conventions, and our own.
pub type Attributes = Vec<(&'static str, AttributeValue)>;

/// A request, as spans tell it.
#[derive(Clone, Debug)]
pub struct RequestTrace {
    /// The trace.
    pub trace: [u8; 16],
    /// The span that it came from.
    pub parent: Option<[u8; 8]>,
    /// Its span.
    pub span: [u8; 8],
    /// The name of its span.
    pub name: String,
    /// When its head was whole, in milliseconds since 1970.
    pub started_unix_millis: u64,
    /// How long it took.
    pub took: Duration,
    /// What is known of it.
    pub attributes: Attributes,
    /// It failed on the server's side.
    pub failed: bool,
    /// How long the inspection took, and what came of it.
    pub inspection: (Duration, Attributes),
    /// The question to the service, where it was asked.
    pub upstream: Option<UpstreamSpan>,
}

/// The question to a service.
#[derive(Clone, Debug)]
pub struct UpstreamSpan {
    /// Its span, which the service has as its parent.
    pub span: [u8; 8],
    /// How long after the head it was asked.
    pub after: Duration,
    /// How long it was waited for.
    pub took: Duration,
    /// What is known of it.
    pub attributes: Attributes,
    /// The service failed, or could not be reached.
    pub failed: bool,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TracerCounts {
    /// Requests whose spans were taken by the collector.
    pub delivered: u64,
    /// Requests whose spans found no room.
    pub dropped: u64,
    /// Requests whose spans were refused, or could not be delivered in time.
    pub failed: u64,
}

/// Sends spans.
#[derive(Debug)]
pub struct Tracer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    moved: Condvar,
    delivered: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<RequestTrace>,
    closed: bool,
}

impl Tracer {
    /// Starts it.
    ///
    /// # Errors
    /// What cannot be used, in words.
    pub fn start(setting: &OtlpSetting, secrets: &Secrets, say: Say) -> Result<Self, String> {
        let sender = Sender {
            shared: Arc::default(),
            client: Client::new(&setting.http, secrets)?,
            host: setting.host.clone(),
            say,
            failing: false,
        };
        let shared = sender.shared.clone();
        let thread = thread::Builder::new().name("traces".into()).spawn(move || sender.run());
        let thread = thread.map_err(|error| format!("no thread is to be had: {error}"))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Takes the spans of a request. Never waits: what finds no room is dropped.
    pub fn send(&self, request: RequestTrace) {
        let mut queue = self.shared.lock();
        if queue.closed || queue.waiting.len() >= WAITING_MAX {
            drop(queue);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.waiting.push_back(request);
        let wakes = matches!(queue.waiting.len(), 1 | BATCH_MAX);
        drop(queue);
        if wakes {
            self.shared.moved.notify_all();
        }
    }

    /// What was counted.
    pub fn counts(&self) -> TracerCounts {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Shared { delivered, dropped, failed, .. } = &*self.shared;
        TracerCounts { delivered: count(delivered), dropped: count(dropped), failed: count(failed) }
    }

    /// Ends it, with what waits delivered within this time. Tells whether it was.
    pub fn end_within(&self, patience: Duration) -> bool {
        self.shared.lock().closed = true;
        self.shared.moved.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return true };
        let deadline = Instant::now() + patience;
        while !thread.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        thread.is_finished()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // What stands there is whole after every statement.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes at once; `None` once nothing will come any more.
    fn take(&self) -> Option<Vec<RequestTrace>> {
        let mut queue = self.lock();
        let mut due = None;
        loop {
            let now = Instant::now();
            if !queue.waiting.is_empty() {
                let due = *due.get_or_insert(now + BATCH_WINDOW);
                if queue.closed || queue.waiting.len() >= BATCH_MAX || now >= due {
                    let count = queue.waiting.len().min(BATCH_MAX);
                    return Some(queue.waiting.drain(..count).collect());
                }
            } else if queue.closed {
                return None;
            }
            let pause = due.map_or(Duration::from_secs(3600), |due| due.saturating_duration_since(now));
            queue = self.moved.wait_timeout(queue, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits, unless it ends. Tells whether it does.
    fn pause(&self, pause: Duration) -> bool {
        let deadline = Instant::now() + pause;
        let mut queue = self.lock();
        while !queue.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = self.moved.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

struct Sender {
    shared: Arc<Shared>,
    client: Client,
    host: String,
    say: Say,
    failing: bool,
}

impl Sender {
    fn run(mut self) {
        while let Some(batch) = self.shared.take() {
            self.deliver(&batch);
        }
    }

    fn deliver(&mut self, batch: &[RequestTrace]) {
        let body = body(batch, &self.host).into_bytes();
        let count = batch.len() as u64;
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
        for attempt in 1..=TRIES_MAX {
            let headers = [("content-type", "application/json")];
            let answer = post(&self.client, "/v1/traces", &headers, body.clone(), true);
            // Which spans were rejected is not told; they count as whole requests at most.
            let rejected = partial_rejection(&answer, "rejectedSpans").min(count);
            let came = whole(batch.len(), answer);
            if came.problem.is_none() {
                self.shared.delivered.fetch_add(count - rejected, Ordering::Relaxed);
                self.shared.failed.fetch_add(rejected, Ordering::Relaxed);
                if std::mem::take(&mut self.failing) {
                    self.say.say("traces: they are delivered again");
                }
                return;
            }
            let problem = came.problem.unwrap_or_default();
            if !std::mem::replace(&mut self.failing, true) {
                self.say.say(&format!("traces: they are not delivered: {problem}"));
            }
            let ends = came.again.is_empty() || attempt == TRIES_MAX;
            let pause = backoff.wait().max(came.wait.unwrap_or_default()).min(Duration::from_secs(60));
            if ends || self.shared.pause(pause) {
                break;
            }
        }
        self.shared.failed.fetch_add(count, Ordering::Relaxed);
    }
}

const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const CLIENT: u8 = 3;

fn body(batch: &[RequestTrace], host: &str) -> String {
    let spans: Vec<Value> = batch.iter().flat_map(spans).collect();
    let text = |text: &str| AttributeValue::Text(text.to_owned());
    let resource = [("service.name", text("palisade")), ("host.name", text(host))];
    json!({"resourceSpans": [{
        "resource": {"attributes": attributes(&resource)},
        "scopeSpans": [{"scope": {"name": "palisade", "version": env!("CARGO_PKG_VERSION")}, "spans": spans}],
    }]})
    .to_string()
}

/// The span of a request, and those below it.
fn spans(request: &RequestTrace) -> Vec<Value> {
    let began = Duration::from_millis(request.started_unix_millis);
    let span =
        |id: [u8; 8], parent: Option<[u8; 8]>, kind: u8, name: &str, after: Duration, took: Duration| {
            let from = began + after;
            let mut span = json!({
                "traceId": hex(&request.trace), "spanId": hex(&id), "kind": kind, "name": name,
                // 64-bit numbers are texts in protobuf's JSON.
                "startTimeUnixNano": from.as_nanos().to_string(),
                "endTimeUnixNano": (from + took).as_nanos().to_string(),
            });
            if let Some(parent) = parent {
                span["parentSpanId"] = json!(hex(&parent));
            }
            span
        };
    let mut whole = span(request.span, request.parent, SERVER, &request.name, Duration::ZERO, request.took);
    whole["attributes"] = attributes(&request.attributes);
    if request.failed {
        whole["status"] = json!({"code": 2});
    }
    let (took, found) = &request.inspection;
    // Nobody has it as a parent, so that it need not be remembered.
    let mut inspection_id = request.span;
    inspection_id[0] ^= 0x80;
    let name = "inspect";
    let mut inspection = span(inspection_id, Some(request.span), INTERNAL, name, Duration::ZERO, *took);
    inspection["attributes"] = attributes(found);
    let mut spans = vec![whole, inspection];
    if let Some(UpstreamSpan { span: id, after, took, attributes: known, failed }) = &request.upstream {
        let mut upstream = span(*id, Some(request.span), CLIENT, &request.name, *after, *took);
        upstream["attributes"] = attributes(known);
        if *failed {
            upstream["status"] = json!({"code": 2});
        }
        spans.push(upstream);
    }
    spans
}

fn attributes(of: &[(&'static str, AttributeValue)]) -> Value {
    let value = |value: &AttributeValue| match value {
        AttributeValue::Text(text) => json!({"stringValue": text}),
        AttributeValue::Number(number) => json!({"intValue": number.to_string()}),
        AttributeValue::Texts(texts) => {
            let values: Vec<Value> = texts.iter().map(|text| json!({"stringValue": text})).collect();
            json!({"arrayValue": {"values": values}})
        }
    };
    of.iter().map(|(key, own)| json!({"key": key, "value": value(own)})).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
