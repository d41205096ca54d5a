//! Persistent collections in common: what a request changes is applied here at once and told beside it; what it asks for is
//! answered from here where that is fresh, and otherwise waited for, a few milliseconds at most.
//!
//! Operations are applied in Redis in order, each once: a batch has a number, and one that was applied before it is sent again
//! is passed over. Where there is no room for more of them the oldest are dropped and counted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use palisade_engine::persistent::{
    Change, CollectionKey, MemoryStore, Operation, PersistentCollection, StoredVariable, UnixMillis,
};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, oneshot};

use crate::client::{Client, Failure, Link};
use crate::counts::add;
use crate::rates::hex;
use crate::reply::{self, Collection};

/// Collections that other processes have as well.
pub struct Collections {
    client: Arc<Client>,
    inner: Mutex<Inner>,
    wake: Notify,
    began: Instant,
    /// Milliseconds after the beginning until which nobody waits: Redis was late.
    impatient_until: AtomicU64,
}

impl fmt::Debug for Collections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collections").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Inner {
    store: MemoryStore,
    /// What was heard lately, and when; two halves, of which the older goes.
    heard: [HashMap<CollectionKey, Instant>; 2],
    turned: Option<Instant>,
    /// Operations that were not sent, in order.
    unsent: VecDeque<Operation>,
    unsent_bytes: usize,
    /// Who waits for what.
    asked: HashMap<CollectionKey, Vec<oneshot::Sender<()>>>,
    waiting: usize,
    /// Batches that were sent.
    batches: u64,
}

/// Operations that wait.
const UNSENT_MAX: usize = 20_000;
const UNSENT_BYTES_MAX: usize = 8 << 20;
/// Requests that wait for a collection, and collections of which it is remembered when they were heard.
const WAITING_MAX: usize = 10_000;
const HEARD_MAX: usize = 50_000;
/// Operations and questions of one batch.
const OPERATIONS: usize = 500;
const QUESTIONS: usize = 200;
/// After Redis was late for one request, others do not wait for so long.
const IMPATIENT: Duration = Duration::from_secs(1);
/// Bounds of what goes there and comes back: a variable, a collection.
const NAME_BYTES_MAX: usize = 1024;
const VALUE_BYTES_MAX: usize = 64 * 1024;
const VARIABLES_MAX: usize = 1_000;
const COLLECTION_BYTES_MAX: usize = 1 << 20;

impl Collections {
    /// Collections by way of a client.
    pub fn new(client: Arc<Client>) -> Arc<Self> {
        Arc::new(Self {
            client,
            inner: Mutex::default(),
            wake: Notify::new(),
            began: Instant::now(),
            impatient_until: AtomicU64::new(0),
        })
    }

    /// A collection, as fresh as time allows. Waits no longer than the settings say.
    pub async fn load(&self, key: CollectionKey, now: UnixMillis) -> Vec<StoredVariable> {
        let waits = {
            let mut inner = self.inner();
            if !self.client.is_up() || inner.is_fresh(&key, self.client.settings.fresh) {
                return inner.store.load(&key, now);
            }
            inner.ask(&key)
        };
        self.wake.notify_one();
        if let Some(answered) = waits
            && self.began.elapsed().as_millis() as u64 >= self.impatient_until.load(Relaxed)
            && tokio::time::timeout(self.client.settings.lookup, answered).await.is_err()
        {
            add(&self.client.counts.late, 1);
            let until = self.began.elapsed() + IMPATIENT;
            self.impatient_until.store(until.as_millis() as u64, Relaxed);
        }
        self.inner().store.load(&key, now)
    }

    /// Applies changes here, and notes them for the others.
    pub fn commit(&self, operations: Vec<Operation>) {
        if operations.is_empty() {
            return;
        }
        let dropped = {
            let mut inner = self.inner();
            inner.store.commit(operations.iter().cloned());
            inner.note(operations)
        };
        add(&self.client.counts.operations_dropped, dropped);
        self.wake.notify_one();
    }

    /// Tells and asks, for ever.
    pub(crate) async fn run(self: Arc<Self>) {
        // What was sent and not answered: it is sent again as it was, so that it counts once.
        let mut sent: Option<(u64, Vec<Operation>)> = None;
        loop {
            let link = self.client.link().await;
            let why = loop {
                let questions = {
                    let mut inner = self.inner();
                    if sent.is_none() {
                        sent = inner.next_batch();
                    }
                    inner.questions()
                };
                if sent.is_none() && questions.is_empty() {
                    let _ = tokio::time::timeout(Duration::from_secs(1), self.wake.notified()).await;
                    if self.client.holds(link.number()) {
                        continue;
                    }
                    break "the connection was closed".to_owned();
                }
                if let Some((number, operations)) = &sent {
                    match self.tell(&link, *number, operations).await {
                        Ok(()) => add(&self.client.counts.operations, operations.len()),
                        Err(why) => break why,
                    }
                    sent = None;
                }
                if let Err(why) = self.ask(&link, questions).await {
                    break why;
                }
            };
            self.client.lost(link.number(), &why);
            self.inner().let_go();
        }
    }

    async fn tell(&self, link: &Link, number: u64, operations: &[Operation]) -> Result<(), Failure> {
        let mut keys = vec![link.key(&format!("seen:{}", self.client.name))];
        let mut places: HashMap<&CollectionKey, usize> = HashMap::new();
        let mut arguments: Vec<Vec<u8>> = vec![number.to_string().into(), VARIABLES_MAX.to_string().into()];
        for Operation { target, name, change, at, timeout_seconds } in operations {
            let place = *places.entry(target).or_insert_with(|| {
                keys.push(key_of(link, target));
                keys.len()
            });
            let (kind, a, b) = match change {
                Change::Set(value) => ("s", value.clone(), 0),
                Change::Add(delta) => ("a", delta.to_string().into(), 0),
                Change::Expire(at) => ("e", at.0.to_string().into(), 0),
                Change::Decay { amount, period_seconds } => ("d", amount.to_string().into(), *period_seconds),
                Change::Delete => ("x", Vec::new(), 0),
            };
            // Times that a server takes; a hundred years are for ever.
            let lives = timeout_seconds.clamp(&1, &3_155_760_000) * 1000;
            arguments.extend([
                place.to_string().into(),
                name.clone(),
                kind.into(),
                a,
                b.to_string().into(),
                at.0.to_string().into(),
                lives.to_string().into(),
            ]);
        }
        link.run(include_str!("scripts/commit.lua"), &keys, &arguments).await.map(|_| ())
    }

    async fn ask(&self, link: &Link, questions: Vec<CollectionKey>) -> Result<(), Failure> {
        if questions.is_empty() {
            return Ok(());
        }
        let keys: Vec<String> = questions.iter().map(|key| key_of(link, key)).collect();
        let bounds = [(3 * VARIABLES_MAX).to_string(), COLLECTION_BYTES_MAX.to_string()];
        let answer = link.run(include_str!("scripts/load.lua"), &keys, &bounds).await?;
        let now = unix_now();
        let answers =
            reply::collections(&answer, questions.len(), now).ok_or("its collections cannot be read")?;
        let unreadable = answers.iter().filter(|answer| **answer == Collection::Unreadable).count();
        add(&self.client.counts.unreadable, unreadable);
        self.inner().answered(questions, answers, now);
        Ok(())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic inside would have lost one operation, not the store.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_fresh(&mut self, key: &CollectionKey, fresh: Duration) -> bool {
        let now = Instant::now();
        if self.turned.is_none_or(|turned| now.duration_since(turned) >= fresh) {
            let [young, old] = &mut self.heard;
            *old = std::mem::take(young);
            self.turned = Some(now);
        }
        self.heard.iter().any(|half| half.get(key).is_some_and(|at| now.duration_since(*at) < fresh))
    }

    /// Asks for a collection. `None` where too many wait.
    fn ask(&mut self, key: &CollectionKey) -> Option<oneshot::Receiver<()>> {
        if self.waiting >= WAITING_MAX {
            return None;
        }
        let (sender, answered) = oneshot::channel();
        self.waiting += 1;
        self.asked.entry(key.clone()).or_default().push(sender);
        Some(answered)
    }

    /// Notes what is to be told. How many operations were dropped for it.
    fn note(&mut self, operations: Vec<Operation>) -> usize {
        let mut dropped = 0;
        for operation in operations {
            let bytes = size(&operation);
            let is_large = operation.name.len() > NAME_BYTES_MAX
                || matches!(&operation.change, Change::Set(value) if value.len() > VALUE_BYTES_MAX);
            if is_large {
                dropped += 1;
                continue;
            }
            while self.unsent.len() >= UNSENT_MAX || self.unsent_bytes + bytes > UNSENT_BYTES_MAX {
                let Some(oldest) = self.unsent.pop_front() else { break };
                self.unsent_bytes -= size(&oldest);
                dropped += 1;
            }
            self.unsent_bytes += bytes;
            self.unsent.push_back(operation);
        }
        dropped
    }

    fn next_batch(&mut self) -> Option<(u64, Vec<Operation>)> {
        if self.unsent.is_empty() {
            return None;
        }
        let batch: Vec<Operation> = self.unsent.drain(..self.unsent.len().min(OPERATIONS)).collect();
        self.unsent_bytes -= batch.iter().map(size).sum::<usize>();
        self.batches += 1;
        Some((self.batches, batch))
    }

    /// What is asked for, some of it.
    fn questions(&self) -> Vec<CollectionKey> {
        self.asked.keys().take(QUESTIONS).cloned().collect()
    }

    fn answered(&mut self, questions: Vec<CollectionKey>, answers: Vec<Collection>, now: UnixMillis) {
        let mut put = HashSet::new();
        let heard = Instant::now();
        for (key, answer) in questions.into_iter().zip(answers) {
            let waiting = self.asked.remove(&key).unwrap_or_default();
            self.waiting -= waiting.len();
            match answer {
                Collection::There(variables, expires) => self.store.put(&key, variables, expires, now),
                Collection::Absent => self.store.put(&key, Vec::new(), now, now),
                // What is known here is better than nothing.
                Collection::Unreadable => {}
            }
            let [young, _] = &mut self.heard;
            if young.len() < HEARD_MAX {
                young.insert(key.clone(), heard);
            }
            put.insert(key);
            // Whoever gave up waiting does not hear it.
            waiting.into_iter().for_each(|waiting| {
                let _ = waiting.send(());
            });
        }
        // What was done since the questions were sent is not in the answers.
        let since = self.unsent.iter().filter(|operation| put.contains(&operation.target));
        self.store.commit(since.cloned());
    }

    /// Nobody answers: whoever waits goes on with what is known here.
    fn let_go(&mut self) {
        self.asked.clear();
        self.waiting = 0;
        self.heard = Default::default();
    }
}

/// The name of a collection's key. Hashed: what tells sessions and users apart is for no store to know, nor as long as it may
/// be.
fn key_of(link: &Link, key: &CollectionKey) -> String {
    let collection = match key.collection {
        PersistentCollection::Global => "global",
        PersistentCollection::Ip => "ip",
        PersistentCollection::Resource => "resource",
        PersistentCollection::Session => "session",
        PersistentCollection::User => "user",
    };
    link.key(&format!("collection:{collection}:{}", hex(&Sha256::digest(&key.key)[..16])))
}

/// What an operation takes, about.
fn size(operation: &Operation) -> usize {
    let value = if let Change::Set(value) = &operation.change { value.len() } else { 0 };
    operation.target.key.len() + operation.name.len() + value + 128
}

fn unix_now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(key: &str, change: Change) -> Operation {
        Operation {
            target: CollectionKey { collection: PersistentCollection::Ip, key: key.into() },
            name: b"n".to_vec(),
            change,
            at: UnixMillis(1_000),
            timeout_seconds: 60,
        }
    }

    #[test]
    fn of_more_operations_than_wait_the_oldest_go() {
        let mut inner = Inner::default();
        let many = (0..UNSENT_MAX + 7).map(|_| operation("a", Change::Add(1))).collect();
        assert_eq!(inner.note(many), 7);
        let large = vec![operation("b", Change::Set(vec![b'x'; VALUE_BYTES_MAX + 1]))];
        assert_eq!(inner.note(large), 1, "that one alone");
        let fat = (0..200).map(|_| operation("b", Change::Set(vec![b'x'; VALUE_BYTES_MAX]))).collect();
        assert!(inner.note(fat) > UNSENT_MAX);
        assert!(inner.unsent_bytes <= UNSENT_BYTES_MAX);
        while let Some((_, batch)) = inner.next_batch() {
            assert!(batch.len() <= OPERATIONS);
        }
        assert_eq!((inner.unsent_bytes, inner.batches), (0, 1));
    }

    #[test]
    fn an_answer_does_not_take_back_what_was_done_since_it_was_asked_for() {
        let mut inner = Inner::default();
        let of = operation("a", Change::Add(1));
        let mut answered = inner.ask(&of.target).unwrap();
        let questions = inner.questions();
        inner.store.commit([of.clone()]);
        inner.note(vec![of.clone()]);
        let stored = StoredVariable {
            name: b"n".to_vec(),
            value: b"5".to_vec(),
            expires: None,
            changed: UnixMillis(1),
        };
        let there = Collection::There(vec![stored], UnixMillis(90_000));
        inner.answered(questions, vec![there], UnixMillis(1_000));
        assert_eq!(answered.try_recv(), Ok(()));
        assert_eq!(inner.store.load(&of.target, UnixMillis(1_001))[0].value, b"6");
        assert!(inner.is_fresh(&of.target, Duration::from_secs(60)) && inner.waiting == 0);
        assert!(!inner.is_fresh(&operation("b", Change::Delete).target, Duration::from_secs(60)));
    }
}
