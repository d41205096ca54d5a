//! What decides, shared between all who ask and those who feed it.
//!
//! A store is fed in one of two ways, by whoever watches files, a cluster or a Policy Sync stream ([`Source`]): with objects,
//! which are compiled here, or with what was compiled elsewhere. A change is short: it holds askers up for as long as it takes
//! to change the index, never for compiling.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use palisade_model::Workload;

use crate::compile::{Change, Compiler};
use crate::decision::{Decisions, NearMiss};
use crate::flow::{Feed, Flow, Judgement, Request, WorkloadName};
use crate::form::Update;
use crate::index::{Index, IndexSize};

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
                *index = fresh;
                self.revision.fetch_add(1, Ordering::Release);
                return;
            }
        };
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.apply(updates);
        self.revision.fetch_add(1, Ordering::Release);
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
