//! What decides, shared between all who ask and those who feed it.
//!
//! A store is fed in one of two ways, by whoever watches files, a cluster or a Policy Sync stream ([`Source`]): with objects,
//! which are compiled here, or with what was compiled elsewhere. A change is short: it holds askers up for as long as it takes
//! to change the index, never for compiling.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use palisade_model::Workload;

use crate::compile::{Change, Compiler};
use crate::decision::{Decisions, NearMiss, Speaker};
use crate::flow::{Direction, Feed, Flow, Judgement, Request, WorkloadName};
use crate::form::Update;
use crate::index::{Index, IndexSize};
use crate::waiting::{Awaited, Knowledge, Waiting, WaitingNow};

/// News for a store.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Objects that changed.
    Objects(Vec<Change>),
    /// What was compiled elsewhere.
    Updates(Vec<Update>),
    /// Everything anew, as after a reconnection: what was known until now goes on deciding until this is taken.
    Anew(Vec<Update>),
}

/// Where news come from: files, a cluster that is watched, a Policy Sync stream. Whoever has one asks it when it has
/// something to say, and feeds a [`Store`].
pub trait Source {
    /// What changed since it was asked last; `None` when nothing did.
    fn news(&mut self) -> Option<News>;
}

/// What decides.
#[derive(Debug)]
pub struct Store {
    feed: Feed,
    compiler: Mutex<Compiler>,
    index: RwLock<Index>,
    /// Counts changes.
    revision: AtomicU64,
    waiting: Waiting,
}

impl Store {
    /// An empty store, which denies everything until it was fed.
    #[must_use]
    pub fn new(feed: Feed) -> Self {
        Self {
            feed,
            compiler: Mutex::new(Compiler::fed(feed)),
            index: RwLock::new(Index::new(feed)),
            revision: AtomicU64::new(0),
            waiting: Waiting::default(),
        }
    }

    /// Takes all the news that a source has.
    pub fn take_from(&self, source: &mut dyn Source) {
        while let Some(news) = source.news() {
            self.take(news);
        }
    }

    /// Takes news.
    pub fn take(&self, news: News) {
        // A panic while it was held would be a bug of ours in a pure function; what was changed is no less consistent.
        let mut compiler = self.compiler.lock().unwrap_or_else(PoisonError::into_inner);
        let updates = match news {
            News::Objects(changes) => compiler.apply(changes),
            News::Updates(updates) => updates,
            News::Anew(updates) => {
                let mut fresh = Index::new(self.feed);
                fresh.apply(updates);
                let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
                fresh.follow(&index);
                let before = std::mem::replace(&mut *index, fresh);
                self.revision.fetch_add(1, Ordering::Release);
                drop(index);
                self.waiting.wake();
                // What it held may take a while to go; nobody waits for that.
                drop(before);
                return;
            }
        };
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.apply(updates);
        self.revision.fetch_add(1, Ordering::Release);
        drop(index);
        self.waiting.wake();
    }

    /// How it is fed.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.feed
    }

    /// Whether everything has been said once, so that decisions are more than refusals.
    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        self.asked(Index::is_in_sync)
    }

    /// What is known of an address. To be asked for before a decision that may have to wait.
    #[must_use]
    pub fn knowledge(&self, address: IpAddr) -> Knowledge {
        self.asked(|index| index.knowledge(address))
    }

    /// A wait for news of an address of which this was known; `None` where too many wait.
    #[must_use]
    pub fn await_news(self: &Arc<Self>, address: IpAddr, known: Knowledge) -> Option<Awaited> {
        Awaited::new(self, address, known)
    }

    /// Notes that nobody told of an address while it was waited for. `now` is in milliseconds, of any clock.
    pub fn note_in_vain(&self, address: IpAddr, now: u64) {
        self.waiting.note_in_vain(address, now);
    }

    /// Whether an address was waited for in vain in the last minute, and is still not known. Who is let in then need not
    /// wait again: outside of the cluster nobody will ever tell of an address.
    #[must_use]
    pub fn was_in_vain(&self, address: IpAddr, now: u64) -> bool {
        self.waiting.was_in_vain(address, now)
    }

    /// Who waits.
    #[must_use]
    pub fn waiting_now(&self) -> WaitingNow {
        self.waiting.now()
    }

    pub(crate) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// See [`Index::only_workload`].
    #[must_use]
    pub fn only_workload(&self) -> Option<WorkloadName> {
        self.asked(Index::only_workload)
    }

    /// How often it has changed. What was decided after a revision was asked for holds while it stays.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// See [`Index::selected`].
    #[must_use]
    pub fn selected(&self, workload: &WorkloadName) -> Option<(bool, bool)> {
        self.asked(|index| index.selected(workload))
    }

    /// See [`Index::asks_claims`].
    #[must_use]
    pub fn asks_claims(&self, workload: &WorkloadName, direction: Direction) -> Option<Speaker> {
        self.asked(|index| index.asks_claims(workload, direction))
    }

    /// See [`Index::connection`]; with the rule that came nearest, where it is denied.
    #[must_use]
    pub fn connection(&self, flow: &Flow<'_>, judgement: &Judgement) -> (Decisions, Option<NearMiss>) {
        let flow = Flow { request: Request::Expected, ..flow.clone() };
        self.evaluate(&flow, judgement)
    }

    /// See [`Index::evaluate`]; with the rule that came nearest, where it is denied.
    #[must_use]
    pub fn evaluate(&self, flow: &Flow<'_>, judgement: &Judgement) -> (Decisions, Option<NearMiss>) {
        self.asked(|index| {
            let decisions = index.evaluate(flow, judgement);
            let miss = index.near_miss(flow, &decisions.enforced, judgement);
            (decisions, miss)
        })
    }

    /// See [`Index::workload_at`].
    #[must_use]
    pub fn workload_at(&self, address: IpAddr, account: Option<(&str, &str)>) -> Option<Workload> {
        self.asked(|index| index.workload_at(address, account))
    }

    /// See [`Index::size`].
    #[must_use]
    pub fn size(&self) -> IndexSize {
        self.asked(Index::size)
    }

    fn asked<T>(&self, ask: impl FnOnce(&Index) -> T) -> T {
        ask(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }
}
