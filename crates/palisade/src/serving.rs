//! One protected service in this process: what `run` and `demo` share.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use palisade_console::ListenerStatus;
use palisade_dataplane::{
    Bound, Budget, Destination, Drain, DrainTrigger, Journal, Listener, Plane, Route, Upstream, drain, serve,
};
use palisade_engine::RuleSet;
use palisade_inspect::{OnFailure, Profile, Service};
use palisade_model::Mode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::rules::plural;

/// How long requests may go on after the word to end.
pub(crate) const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// What a protected service is told.
pub(crate) struct Protected<'a> {
    pub(crate) name: &'a str,
    pub(crate) listen: SocketAddr,
    pub(crate) upstream: Upstream,
    pub(crate) mode: Mode,
    pub(crate) rules: Option<Arc<RuleSet>>,
    pub(crate) health_path: Option<String>,
}

/// A listener at work.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    pub(crate) route: Arc<Route>,
    task: JoinHandle<palisade_dataplane::Drained>,
    trigger: DrainTrigger,
}

impl Serving {
    /// Binds and begins. Says where it listens on standard error.
    pub(crate) async fn start(protected: Protected<'_>, plane: Arc<Plane>) -> Result<Self> {
        let Protected { name, listen, upstream, mode, rules, health_path } = protected;
        let destination = Destination { service: service(name, mode, rules), upstream: Arc::new(upstream) };
        let route = Route::new(destination);
        let listener = Listener { health_path, ..Listener::new(name, listen, route.clone()) };
        let bound = Bound::bind(listener).await.with_context(|| cannot_listen(listen))?;
        let address = bound.local_address()?;
        say!("listening on http://{address} ({name})");
        let (trigger, drain): (DrainTrigger, Drain) = drain();
        let task = tokio::spawn(serve(bound, plane, drain));
        Ok(Self { address, route, task, trigger })
    }

    /// What the admin listener shows of it.
    pub(crate) fn status(&self, name: &str) -> ListenerStatus {
        ListenerStatus { name: name.to_owned(), url: format!("http://{}", self.address) }
    }

    /// Inspects later requests by other rules.
    pub(crate) fn replace_rules(&self, name: &str, mode: Mode, rules: Option<Arc<RuleSet>>) {
        self.route.replace_service(service(name, mode, rules));
    }

    /// Ends: requests that have begun are answered.
    pub(crate) async fn end(self, deadline: Duration) -> Result<()> {
        self.trigger.start(deadline);
        let drained = self.task.await.context("the listener failed")?;
        if drained.cut_connections > 0 {
            say!("palisade: {} cut at the deadline", plural(drained.cut_connections, "connection"));
        }
        Ok(())
    }
}

fn cannot_listen(listen: SocketAddr) -> String {
    // In use is the usual reason; port 0 is the way out that always works.
    let free = SocketAddr::new(listen.ip(), 0);
    format!("--listen {listen}: cannot listen there; name another address, or {free} for any free port")
}

fn service(name: &str, mode: Mode, rules: Option<Arc<RuleSet>>) -> Arc<Service> {
    let profile = Arc::new(Profile { mode, rules, on_failure: OnFailure::Closed });
    Arc::new(Service { name: name.to_owned(), profile })
}

/// What listeners of this process share: a journal and a folder for bodies that memory does not hold.
pub(crate) fn plane(journal: Arc<dyn Journal>, spill_folder: &Path) -> Arc<Plane> {
    // TIME_* in UTC: containers run in it, and a rule that means office hours says which zone it means.
    Plane::new(journal, Budget::new(spill_folder), 0)
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
