//! What decides, shared between all who ask and those who feed it.
//!
//! A store is fed in one of two ways, by whoever watches files, a cluster or a Policy Sync stream ([`Source`]): with objects,
//! which are compiled here, or with what was compiled elsewhere. A change is short: it holds askers up for as long as it takes
//! to change the index, never for compiling.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError, RwLock};

use palisade_model::Workload;

use crate::compile::{Change, Compiler};
use crate::decision::{Decision, Decisions, NearMiss};
use crate::flow::{Feed, Flow, Judgement};
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
}

impl Store {
    /// An empty store, which denies everything until it was fed.
    #[must_use]
    pub fn new(feed: Feed) -> Self {
        Self { feed, compiler: Mutex::new(Compiler::fed(feed)), index: RwLock::new(Index::new(feed)) }
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
                *self.index.write().unwrap_or_else(PoisonError::into_inner) = fresh;
                return;
            }
        };
        self.index.write().unwrap_or_else(PoisonError::into_inner).apply(updates);
    }

    /// See [`Index::connection`].
    #[must_use]
    pub fn connection(&self, flow: &Flow<'_>, judgement: &Judgement) -> Decision {
        self.asked(|index| index.connection(flow, judgement))
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
