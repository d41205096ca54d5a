//! What a process has once, whatever it serves: a runtime, what its listeners share, signals.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use palisade_dataplane::{Budget, Journal, LiveLists, Plane, SharedCollections};
use tokio::signal::unix::{SignalKind, signal};

/// What listeners of this process share: a journal and a folder for bodies that memory does not hold.
pub(crate) fn plane(journal: Arc<dyn Journal>, spill_folder: &Path, lists: Arc<LiveLists>) -> Arc<Plane> {
    plane_among_others(journal, spill_folder, lists, None)
}

/// The same with persistent collections that other processes may have as well.
pub(crate) fn plane_among_others(
    journal: Arc<dyn Journal>,
    spill_folder: &Path,
    lists: Arc<LiveLists>,
    collections: Option<Arc<dyn SharedCollections>>,
) -> Arc<Plane> {
    // TIME_* in UTC: containers run in it, and a rule that means office hours says which zone it means.
    Plane::with_lists(journal, Budget::new(spill_folder), lists, collections, 0)
}

/// A runtime with `PALISADE_WORKERS` threads, or one for each CPU that this process may use.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = std::env::var_os("PALISADE_WORKERS") {
        let workers: usize = workers
            .to_str()
            .and_then(|text| text.parse().ok())
            .filter(|workers| (1..=1024).contains(workers))
            .with_context(|| format!("PALISADE_WORKERS is {workers:?}; write a number from 1 to 1024"))?;
        builder.worker_threads(workers);
    }
    builder.enable_all().build().context("cannot start worker threads")
}

/// Signals that matter.
pub(crate) enum Word {
    /// SIGTERM or SIGINT.
    End,
    /// SIGHUP.
    Reload,
}

/// Waits for signals. Made before the listener, so that none is lost.
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes over the signals of this process. In a runtime.
    pub(crate) fn take() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Word {
        tokio::select! {
            _ = self.terminate.recv() => Word::End,
            _ = self.interrupt.recv() => Word::End,
            _ = self.hang_up.recv() => Word::Reload,
        }
    }
}
