//! The way of events from requests to whoever takes them: store, sinks, alerts.
//!
//! ```text
//! request threads ──send──> queue ──pump thread──> Batch (JSON, once) ──> lane "store" ──> its thread
//!                           bounded                Arc, shared         └─> lane "sink"  ──> its thread
//! ```
//!
//! Nobody waits for anybody: where a queue or a lane is full, what does not fit is dropped and counted, and a second later
//! an event of its own ([`EventKind::Dropped`]) says how much and where. Events get their id and their time in the order
//! in which they enter, so that ids of one process grow.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use palisade_model::{Dropped, Event, EventAction, EventId, EventKind, Excerpt, Moment, Redactor, Traffic};
use serde::Serialize;

use crate::clock::unix_millis;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct BusLimits {
    /// Events that may wait for the pump.
    pub events_max: usize,
    /// Bytes that they may hold, about.
    pub bytes_max: usize,
    /// Events that go into one batch.
    pub batch_events_max: usize,
    /// How long the pump waits for a batch to fill.
    pub batch_window: Duration,
    /// How often losses are told.
    pub losses_every: Duration,
}

impl Default for BusLimits {
    fn default() -> Self {
        Self {
            // Three seconds of 10,000 events.
            events_max: 32 * 1024,
            bytes_max: 64 * 1024 * 1024,
            batch_events_max: 1024,
            // An attack is to be seen live within a second or two, and a batch to be worth a transaction.
            batch_window: Duration::from_millis(100),
            losses_every: Duration::from_secs(1),
        }
    }
}

/// A record as subscribers get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: EventId,
    /// When it was recorded.
    pub time: Moment,
    /// Its JSON, one line without its end.
    pub json: Box<str>,
}

/// Records that come together, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Events.
    pub events: Vec<Record>,
    /// L7 records.
    pub traffic: Vec<Record>,
    /// Events of alerts that fired ([`crate::alerts`]).
    pub alerts: Vec<Record>,
}

impl Batch {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.events.len() + self.traffic.len() + self.alerts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where L7 records come from, an interval at a time.
pub trait TrafficSource: Send + Sync + fmt::Debug {
    /// How long an interval is.
    fn interval(&self) -> Duration;

    /// What was added up since the last call, from its beginning until `now`.
    fn flush(&self, now: Moment) -> Vec<Traffic>;
}

/// The way of events. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Bus {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: BusLimits,
    process: u32,
    traffic: Option<Arc<dyn TrafficSource>>,
    queue: Mutex<Queue>,
    /// Wakes the pump.
    filled: Condvar,
    lanes: Mutex<Vec<Arc<Lane>>>,
    /// Wakes who waits for the end.
    ended: Condvar,
    events: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    events: Vec<Event>,
    bytes: usize,
    /// Lost elsewhere on their way, and not told yet: where, and how many.
    lost_elsewhere: Vec<(Arc<str>, u64)>,
    /// Of the last event, and how many there were.
    last_millis: u64,
    number: u64,
    /// Dropped, and not told yet.
    lost: u64,
    closed: bool,
    ended: bool,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusCounts {
    /// Events that came in.
    pub events: u64,
    /// Of these, events that were dropped because the queue was full.
    pub dropped: u64,
    /// Events that wait.
    pub waiting: u64,
    /// For each subscriber.
    pub subscribers: Vec<SubscriberCounts>,
}

/// What was counted for a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriberCounts {
    /// Its name.
    pub name: Arc<str>,
    /// Records that wait for it.
    pub waiting: u64,
    /// Records that were dropped because it did not keep up.
    pub dropped: u64,
}

impl Bus {
    /// Starts the pump.
    ///
    /// # Errors
    /// When no thread is to be had.
    pub fn start(limits: BusLimits, traffic: Option<Arc<dyn TrafficSource>>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            limits,
            process: drawn(),
            traffic,
            queue: Mutex::default(),
            filled: Condvar::new(),
            lanes: Mutex::default(),
            ended: Condvar::new(),
            events: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        });
        let pumped = shared.clone();
        thread::Builder::new().name("events".into()).spawn(move || pump(&pumped))?;
        Ok(Self { shared })
    }

    /// Takes an event, which gets its id and its time here. Never waits: an event that does not fit is dropped.
    pub fn send(&self, mut event: Event) {
        let shared = &self.shared;
        shared.events.fetch_add(1, Ordering::Relaxed);
        let bytes = weight(&event);
        let now = unix_millis();
        let mut queue = shared.queue();
        let full =
            queue.events.len() >= shared.limits.events_max || queue.bytes + bytes > shared.limits.bytes_max;
        if full || queue.closed {
            queue.lost += 1;
            drop(queue);
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        (event.id, event.time) = shared.next(&mut queue, now);
        let wakes = queue.events.is_empty() || queue.events.len() + 1 == shared.limits.batch_events_max;
        queue.bytes += bytes;
        queue.events.push(event);
        drop(queue);
        if wakes {
            shared.filled.notify_one();
        }
    }

    /// Hands on alerts that fired. They have their ids already; where a lane is full they are dropped for it.
    pub fn send_alerts(&self, alerts: Vec<Record>) {
        self.shared.publish(Batch { alerts, ..Batch::default() });
    }

    /// Hands on records that the store has already, and that have their ids: to everybody but who keeps it. Where a lane is full
    /// they are dropped for it.
    pub fn pass_on(&self, batch: Batch) {
        self.shared.publish_to(batch, |lane| !lane.keeps);
    }

    /// Notes that records were lost further on, where they waited. An event tells it, a second later at most.
    pub fn lost(&self, at: &Arc<str>, records: u64) {
        let mut queue = self.shared.queue();
        match queue.lost_elsewhere.iter_mut().find(|(place, _)| place == at) {
            Some((_, lost)) => *lost += records,
            None => queue.lost_elsewhere.push((at.clone(), records)),
        }
    }

    /// Takes part as [`Self::subscribe`] does, for a store: it does not get what it has already ([`Self::pass_on`]).
    pub fn subscribe_to_keep(&self, name: &str, capacity: usize) -> Subscription {
        self.subscribe_as(name, capacity, true)
    }

    /// Takes part in all that comes from now on. At most `capacity` records wait for the subscriber; a batch that does not
    /// fit is dropped for it alone, and that is told.
    pub fn subscribe(&self, name: &str, capacity: usize) -> Subscription {
        self.subscribe_as(name, capacity, false)
    }

    fn subscribe_as(&self, name: &str, capacity: usize, keeps: bool) -> Subscription {
        let (waiting, moved) = (Mutex::default(), Condvar::new());
        let lane = Arc::new(Lane { name: name.into(), capacity, keeps, waiting, moved });
        self.shared.lanes().push(lane.clone());
        Subscription { lane, shared: self.shared.clone() }
    }

    /// What was counted.
    pub fn counts(&self) -> BusCounts {
        let subscribers = self.shared.lanes().iter().map(|lane| lane.counts()).collect();
        BusCounts {
            events: self.shared.events.load(Ordering::Relaxed),
            dropped: self.shared.dropped.load(Ordering::Relaxed),
            waiting: self.shared.queue().events.len() as u64,
            subscribers,
        }
    }

    /// Ends it: what waits goes out, L7 records of the interval that has begun as well, and subscribers see its end. Waits
    /// until they have taken everything and come back for more, but no longer than this. Tells whether they have.
    pub fn end_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let shared = &self.shared;
        let mut queue = shared.queue();
        queue.closed = true;
        shared.filled.notify_one();
        loop {
            // Lanes are asked without the queue's lock: the pump takes them in the other order.
            let pumped = queue.ended;
            drop(queue);
            if pumped && shared.lanes().iter().all(|lane| lane.is_done()) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = shared.queue();
            let pause = left.min(Duration::from_millis(10));
            queue = shared.ended.wait_timeout(queue, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A subscriber's end of its lane.
#[derive(Debug)]
pub struct Subscription {
    lane: Arc<Lane>,
    shared: Arc<Shared>,
}

/// What came of waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Records.
    Batch(Arc<Batch>),
    /// Nothing in that time.
    Nothing,
    /// Nothing will come any more.
    End,
}

impl Subscription {
    /// Waits for records. `None`: nothing will come any more. Blocks its thread.
    pub fn next(&self) -> Option<Arc<Batch>> {
        loop {
            match self.next_within(Duration::from_secs(3600)) {
                Taken::Batch(batch) => return Some(batch),
                Taken::Nothing => {}
                Taken::End => return None,
            }
        }
    }

    /// Records that wait already, after others were taken.
    pub fn next_waiting(&self) -> Option<Arc<Batch>> {
        let mut waiting = self.lane.waiting();
        let batch = waiting.batches.pop_front()?;
        waiting.records -= batch.len();
        waiting.taken = true;
        Some(batch)
    }

    /// Waits for records, but no longer than this.
    pub fn next_within(&self, patience: Duration) -> Taken {
        let deadline = Instant::now() + patience;
        let mut waiting = self.lane.waiting();
        waiting.taken = false;
        loop {
            if let Some(batch) = waiting.batches.pop_front() {
                waiting.records -= batch.len();
                waiting.taken = true;
                return Taken::Batch(batch);
            }
            if waiting.closed {
                drop(waiting);
                self.shared.ended.notify_all();
                return Taken::End;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Nothing;
            }
            waiting = self.lane.moved.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.lanes().retain(|lane| !Arc::ptr_eq(lane, &self.lane));
    }
}

#[derive(Debug)]
struct Lane {
    name: Arc<str>,
    capacity: usize,
    /// It is a store's.
    keeps: bool,
    waiting: Mutex<Waiting>,
    /// Wakes the subscriber.
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<Arc<Batch>>,
    records: usize,
    /// The subscriber is at work on one that it took.
    taken: bool,
    closed: bool,
    dropped: u64,
    /// Of these, events and traffic that were not told yet.
    lost: (u64, u64),
}

impl Lane {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // What stands there is whole after every statement.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, batch: &Arc<Batch>) {
        let mut waiting = self.waiting();
        if waiting.records > 0 && waiting.records + batch.len() > self.capacity {
            waiting.dropped += batch.len() as u64;
            waiting.lost.0 += (batch.events.len() + batch.alerts.len()) as u64;
            waiting.lost.1 += batch.traffic.len() as u64;
            return;
        }
        waiting.records += batch.len();
        waiting.batches.push_back(batch.clone());
        drop(waiting);
        self.moved.notify_one();
    }

    fn close(&self) {
        self.waiting().closed = true;
        self.moved.notify_all();
    }

    fn is_done(&self) -> bool {
        let waiting = self.waiting();
        waiting.batches.is_empty() && !waiting.taken
    }

    fn counts(&self) -> SubscriberCounts {
        let waiting = self.waiting();
        SubscriberCounts {
            name: self.name.clone(),
            waiting: waiting.records as u64,
            dropped: waiting.dropped,
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // What stands there is whole after every statement.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lanes(&self) -> MutexGuard<'_, Vec<Arc<Lane>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id and time of the next record. Time does not go back, so that ids grow.
    fn next(&self, queue: &mut Queue, now: u64) -> (EventId, Moment) {
        queue.last_millis = queue.last_millis.max(now);
        queue.number += 1;
        (EventId::new(queue.last_millis, self.process, queue.number), Moment(queue.last_millis))
    }

    /// Events that tell of what was lost since they were last asked for.
    fn losses(&self) -> Vec<Event> {
        let mut lost = Vec::new();
        let mut queue = self.queue();
        match std::mem::take(&mut queue.lost) {
            0 => {}
            events => lost.push((Arc::from("queue"), events, 0)),
        }
        let elsewhere = std::mem::take(&mut queue.lost_elsewhere);
        drop(queue);
        lost.extend(elsewhere.into_iter().map(|(at, records)| (at, records, 0)));
        for lane in self.lanes().iter() {
            let (events, traffic) = std::mem::take(&mut lane.waiting().lost);
            if events + traffic > 0 {
                lost.push((lane.name.clone(), events, traffic));
            }
        }
        lost.into_iter().map(|(at, events, traffic)| loss(&at, events, traffic)).collect()
    }

    fn publish(&self, batch: Batch) {
        self.publish_to(batch, |_| true);
    }

    fn publish_to(&self, batch: Batch, is_for: impl Fn(&Lane) -> bool) {
        if batch.is_empty() {
            return;
        }
        let batch = Arc::new(batch);
        self.lanes().iter().filter(|lane| is_for(lane)).for_each(|lane| lane.put(&batch));
    }
}

fn pump(shared: &Shared) {
    let interval = shared.traffic.as_ref().map_or(Duration::from_secs(3600), |traffic| traffic.interval());
    let (mut flush_at, mut losses_at) = (Instant::now() + interval, Instant::now());
    loop {
        let (events, closed) = gather(shared, flush_at.min(losses_at + shared.limits.losses_every));
        let mut batch =
            Batch { events: events.into_iter().map(|event| record(&event)).collect(), ..Batch::default() };
        let now = Instant::now();
        if now >= losses_at + shared.limits.losses_every || closed {
            losses_at = now;
            for mut event in shared.losses() {
                (event.id, event.time) = shared.next(&mut shared.queue(), unix_millis());
                batch.events.push(record(&event));
            }
        }
        if now >= flush_at || closed {
            flush_at = now + interval;
            for mut traffic in shared.traffic.iter().flat_map(|source| source.flush(Moment(unix_millis()))) {
                (traffic.id, traffic.time) = shared.next(&mut shared.queue(), unix_millis());
                batch.traffic.push(Record { id: traffic.id, time: traffic.time, json: json(&traffic) });
            }
        }
        shared.publish(batch);
        // What came after the word to end was refused at the door.
        if closed && shared.queue().events.is_empty() {
            shared.lanes().iter().for_each(|lane| lane.close());
            shared.queue().ended = true;
            shared.ended.notify_all();
            return;
        }
    }
}

/// Waits for events, and then a little for more; nothing once it is time for something else.
fn gather(shared: &Shared, until: Instant) -> (Vec<Event>, bool) {
    let BusLimits { batch_events_max, batch_window, .. } = shared.limits;
    let mut queue = shared.queue();
    let mut began = None;
    loop {
        let now = Instant::now();
        let begin = (!queue.events.is_empty()).then(|| *began.get_or_insert(now));
        let due = begin.is_some_and(|begin| now >= begin + batch_window);
        if due || queue.events.len() >= batch_events_max || queue.closed || now >= until {
            let room = queue.events.len().min(batch_events_max);
            let rest = queue.events.split_off(room);
            let events = std::mem::replace(&mut queue.events, rest);
            queue.bytes = if queue.events.is_empty() { 0 } else { queue.events.iter().map(weight).sum() };
            return (events, queue.closed);
        }
        let wake_at = begin.map_or(until, |begin| until.min(begin + batch_window));
        let pause = wake_at.saturating_duration_since(now);
        queue = shared.filled.wait_timeout(queue, pause).unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn record(event: &Event) -> Record {
    Record { id: event.id, time: event.time, json: json(event) }
}

fn json(record: &impl Serialize) -> Box<str> {
    serde_json::to_string(record).expect("texts and whole numbers are always JSON").into()
}

fn loss(at: &str, events: u64, traffic: u64) -> Event {
    let words = |text: &str| Redactor::new().words(text);
    Event {
        kind: EventKind::Dropped,
        action: EventAction::Pass,
        msg: words("Events were lost"),
        dropped: Some(Dropped { at: words(at), events, traffic }),
        ..Event::default()
    }
}

/// Bytes that an event holds, about: its long texts, and a sum for the short ones.
fn weight(event: &Event) -> usize {
    let text = |text: &Excerpt| text.as_str().len();
    let rule = |rule: &palisade_model::RuleHit| text(&rule.message) + text(&rule.data) + 600;
    let finding = |finding: &palisade_model::EventFinding| text(&finding.excerpt) + text(&finding.why) + 300;
    2048 + text(&event.path)
        + text(&event.rule_info)
        + event.rules.iter().map(rule).sum::<usize>()
        + event.findings.iter().map(finding).sum::<usize>()
}

/// A number that other processes do not have, as far as that can be.
fn drawn() -> u32 {
    use std::hash::{BuildHasher as _, RandomState};
    // The standard library draws the keys of each hasher at random.
    RandomState::new().hash_one(std::process::id()) as u32
}

#[cfg(test)]
mod tests;
