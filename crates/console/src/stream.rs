//! Server-sent events: what comes by the bus, to everybody who listens.
//!
//! One thread takes part in the bus while somebody listens, and writes each batch once for all of them. Nobody is waited
//! for: who has not read what waits for it is cut, and comes again with the id of the last event that it saw.
//!
//! What came last is remembered, and for a while after the last listener has gone: who comes again is sent what *came* since
//! the event that it saw last. By their times alone that cannot be said, since a data plane that was away brings what is older.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame};
use palisade_events::{Batch, Bus, Record, Subscription, Taken};
use palisade_model::EventId;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Who may listen at a time.
const LISTENERS_MAX: usize = 16;
/// Bytes that may wait for one of them.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Records that may wait for all of them to be written down.
const WAITING_RECORDS_MAX: usize = 8 * 1024;
/// How often something is sent, so that nobody in between takes the connection for dead.
const BEAT_EVERY: Duration = Duration::from_secs(15);
/// How soon the thread sees that nobody listens any more.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long it takes part after that: somebody whose connection broke comes again.
const STAYS: Duration = Duration::from_secs(60);
/// Bytes of what came last that are remembered.
const RECENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A connection, as who answers on it may change its end.
#[derive(Debug, Default)]
pub(crate) struct ConnectionLife {
    streams: AtomicBool,
    cut: Notify,
}

impl ConnectionLife {
    /// Whether an answer without an end is sent on it.
    pub(crate) fn streams(&self) -> bool {
        self.streams.load(Ordering::Relaxed)
    }

    /// Waits until it is to be closed at once.
    pub(crate) async fn cut(&self) {
        self.cut.notified().await;
    }
}

/// Those who listen.
#[derive(Debug)]
pub(crate) struct Listeners {
    bus: Bus,
    hub: Arc<Mutex<Hub>>,
}

#[derive(Debug, Default)]
struct Hub {
    listeners: Vec<Listener>,
    recent: Recent,
    /// A thread serves them.
    running: bool,
}

/// What came last, in the order in which it came; the first goes first.
#[derive(Debug, Default)]
struct Recent {
    records: VecDeque<Record>,
    bytes: usize,
}

impl Recent {
    fn add(&mut self, batch: &Batch) {
        for record in batch.events.iter().chain(&batch.alerts) {
            self.bytes += record.json.len();
            self.records.push_back(record.clone());
        }
        while self.bytes > RECENT_BYTES_MAX
            && let Some(gone) = self.records.pop_front()
        {
            self.bytes -= gone.json.len();
        }
    }

    /// What came behind an event, as it is sent; `None` where that is not remembered.
    fn behind(&self, last: EventId) -> Option<String> {
        let place = self.records.iter().rposition(|record| record.id == last)?;
        let mut text = String::new();
        self.records.range(place + 1..).for_each(|record| push(record, &mut text));
        Some(text)
    }
}

#[derive(Debug)]
struct Listener {
    chunks: mpsc::UnboundedSender<Bytes>,
    waiting: Arc<AtomicUsize>,
    life: Arc<ConnectionLife>,
}

impl Listeners {
    pub(crate) fn new(bus: Bus) -> Self {
        Self { bus, hub: Arc::default() }
    }

    /// One more listener, on a connection, that saw an event last; and whether it is sent what came behind that. `None`:
    /// there are too many.
    pub(crate) fn listen(
        &self,
        life: Arc<ConnectionLife>,
        last: Option<EventId>,
    ) -> Option<(Listening, bool)> {
        let mut hub = lock(&self.hub);
        hub.listeners.retain(|listener| !listener.chunks.is_closed());
        if hub.listeners.len() >= LISTENERS_MAX {
            return None;
        }
        if !hub.running {
            // In the bus before anything is answered, so that nothing falls between the two.
            let (subscription, hub) = (self.bus.subscribe("stream", WAITING_RECORDS_MAX), self.hub.clone());
            let served = std::thread::Builder::new().name("event-stream".into());
            served.spawn(move || serve(&subscription, &hub)).ok()?;
        }
        hub.running = true;
        let (chunks, takes) = mpsc::unbounded_channel();
        let waiting = Arc::<AtomicUsize>::default();
        life.streams.store(true, Ordering::Relaxed);
        hub.listeners.push(Listener { chunks, waiting: waiting.clone(), life });
        let mut beat = interval(BEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.reset();
        let first = Some(Bytes::from_static(b"retry: 2000\n\n"));
        let mut listening = Listening { first, takes, waiting, beat };
        let missed = last.and_then(|last| hub.recent.behind(last));
        let goes_on = missed.is_some();
        missed.into_iter().for_each(|missed| listening.begin_with(missed));
        Some((listening, goes_on))
    }
}

fn serve(subscription: &Subscription, hub: &Mutex<Hub>) {
    let mut listened = Instant::now();
    loop {
        let taken = subscription.next_within(LOOK_EVERY);
        let chunk = match &taken {
            Taken::Batch(batch) => Bytes::from(text(batch)),
            Taken::Nothing | Taken::End => Bytes::new(),
        };
        let mut hub = lock(hub);
        if let Taken::Batch(batch) = &taken {
            hub.recent.add(batch);
        }
        hub.listeners.retain(|listener| listener.takes(&chunk));
        if !hub.listeners.is_empty() {
            listened = Instant::now();
        }
        if matches!(taken, Taken::End) || listened.elapsed() >= STAYS {
            *hub = Hub::default();
            return;
        }
    }
}

impl Listener {
    /// Whether it goes on after these bytes.
    fn takes(&self, chunk: &Bytes) -> bool {
        if chunk.is_empty() {
            return !self.chunks.is_closed();
        }
        let waiting = self.waiting.fetch_add(chunk.len(), Ordering::Relaxed);
        if waiting > 0 && waiting + chunk.len() > WAITING_BYTES_MAX {
            self.life.cut.notify_one();
            return false;
        }
        self.chunks.send(chunk.clone()).is_ok()
    }
}

/// Events and alerts of a batch.
fn text(batch: &Batch) -> String {
    let mut text = String::new();
    batch.events.iter().chain(&batch.alerts).for_each(|record| push(record, &mut text));
    text
}

/// Writes a record. Its JSON is one line.
pub(crate) fn push(record: &Record, text: &mut String) {
    let _ = write!(text, "id: {}\nevent: event\ndata: {}\n\n", record.id, record.json);
}

/// What one listener gets: the body of an answer.
#[derive(Debug)]
pub(crate) struct Listening {
    first: Option<Bytes>,
    takes: mpsc::UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicUsize>,
    beat: Interval,
}

impl Listening {
    /// Sends this before what comes.
    pub(crate) fn begin_with(&mut self, text: String) {
        let first = self.first.take().unwrap_or_default();
        self.first = Some([&first, text.as_bytes()].concat().into());
    }
}

impl Body for Listening {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match self.takes.poll_recv(context) {
            Poll::Ready(Some(chunk)) => {
                self.waiting.fetch_sub(chunk.len(), Ordering::Relaxed);
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let beat = self.beat.poll_tick(context);
                beat.map(|_| Some(Ok(Frame::data(Bytes::from_static(b": nothing new\n\n")))))
            }
        }
    }
}

fn lock(hub: &Mutex<Hub>) -> MutexGuard<'_, Hub> {
    // What stands there is whole after every statement.
    hub.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use palisade_model::Moment;

    use super::*;

    fn record(millis: u64, number: u64, bytes: usize) -> Record {
        let json = format!("{{\"n\":\"{}\"}}", "x".repeat(bytes)).into();
        Record { id: EventId::new(millis, 1, number), time: Moment(millis), json }
    }

    fn batch(events: &[Record]) -> Batch {
        Batch { events: events.to_vec(), ..Batch::default() }
    }

    #[test]
    fn who_comes_again_is_sent_what_came_since_however_old_it_is() {
        let mut recent = Recent::default();
        let (seen, late, newer) = (record(2000, 1, 1), record(1000, 7, 1), record(2000, 2, 1));
        recent.add(&batch(std::slice::from_ref(&seen)));
        assert_eq!(recent.behind(seen.id).as_deref(), Some(""));
        recent.add(&batch(&[late.clone(), newer.clone()]));
        let ids = |text: &str| -> Vec<String> {
            text.lines().filter_map(|line| Some(line.strip_prefix("id: ")?.to_owned())).collect()
        };
        let behind = recent.behind(seen.id).unwrap();
        assert_eq!(ids(&behind), [late.id.to_string(), newer.id.to_string()]);
        assert_eq!(recent.behind(newer.id).as_deref(), Some(""));
        assert_eq!(recent.behind(EventId(7)), None, "nothing is known of it");
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut recent = Recent::default();
        for number in 0..100 {
            recent.add(&batch(&[record(1000, number, RECENT_BYTES_MAX / 10)]));
        }
        assert!(recent.bytes <= RECENT_BYTES_MAX && recent.records.len() >= 9);
        assert!(recent.behind(record(1000, 1, 1).id).is_none());
        assert!(recent.behind(record(1000, 99, 1).id).is_some());
    }
}
