//! A configuration at work in this process: what `run` and `demo` share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use palisade_config::{Config, Name};
use palisade_console::ListenerStatus;
use palisade_dataplane::{
    Bound, Budget, Destination, Drain, DrainTrigger, Journal, Listener, Plane, Route, Upstream,
    UpstreamLimits, drain, serve,
};
use palisade_engine::RuleSet;
use palisade_inspect::{Profile, RuleSources, Service};
use palisade_seclang::Loader;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::rules::{Warnings, load_shown, plural, sources_of};

/// How long requests may go on after the word to end.
pub(crate) const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// A listener at work.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    name: String,
    route: Arc<Route>,
    task: JoinHandle<palisade_dataplane::Drained>,
    trigger: DrainTrigger,
}

impl Serving {
    /// Binds and begins. Says where it listens on standard error.
    pub(crate) async fn start(config: &Config, profiles: &Profiles, plane: Arc<Plane>) -> Result<Self> {
        // Until there is a table of routes, the first listener serves the first service.
        let (listener, service) = (&config.listeners[0], &config.services[0]);
        let route = Route::new(destination(service, profiles)?);
        let (name, address) = (listener.name.as_str(), listener.address.0);
        let health_path = listener.health_path.as_ref().map(|path| path.as_str().to_owned());
        let listener = Listener { health_path, ..Listener::new(name, address, route.clone()) };
        let bound = Bound::bind(listener).await.with_context(|| cannot_listen(address))?;
        let address = bound.local_address()?;
        say!("listening on http://{address} ({name})");
        let (trigger, drain): (DrainTrigger, Drain) = drain();
        let task = tokio::spawn(serve(bound, plane, drain));
        Ok(Self { address, name: name.to_owned(), route, task, trigger })
    }

    /// What the admin listener shows of it.
    pub(crate) fn status(&self) -> Vec<ListenerStatus> {
        vec![ListenerStatus { name: self.name.clone(), url: format!("http://{}", self.address) }]
    }

    /// Serves later requests by another configuration.
    pub(crate) fn replace(&self, config: &Config, profiles: &Profiles) -> Result<()> {
        self.route.replace_service(service(&config.services[0], profiles)?);
        Ok(())
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

/// Profiles by name, with their rules.
pub(crate) type Profiles = HashMap<Name, Arc<Profile>>;

/// The profiles of a configuration. Equal rules are loaded once.
///
/// # Errors
/// When the rules of one cannot be used; what is wrong with them was shown then.
pub(crate) fn profiles(config: &Config, loader: &dyn Loader) -> Result<Profiles> {
    let mut loaded: Vec<(RuleSources, Option<Arc<RuleSet>>)> = Vec::new();
    let mut profiles = Profiles::new();
    for (name, profile) in config.profiles.iter() {
        let sources = sources_of(&profile.rules);
        let rules = match loaded.iter().find(|(there, _)| *there == sources) {
            Some((_, rules)) => rules.clone(),
            None => {
                let rules = load_shown(&sources, Warnings::Shown, loader)?;
                loaded.push((sources, rules.clone()));
                rules
            }
        };
        profiles.insert(name.clone(), Arc::new(Profile::of(profile, rules)));
    }
    Ok(profiles)
}

fn destination(configured: &palisade_config::Service, profiles: &Profiles) -> Result<Destination> {
    let limits =
        UpstreamLimits { connect: configured.upstream.connect.duration(), ..UpstreamLimits::default() };
    let upstream = Upstream::new(configured.upstream.url.as_str(), limits)?;
    Ok(Destination { service: service(configured, profiles)?, upstream: Arc::new(upstream) })
}

fn service(configured: &palisade_config::Service, profiles: &Profiles) -> Result<Arc<Service>> {
    let profile =
        profiles.get(&*configured.profile).context("a checked configuration names profiles that exist")?;
    Ok(Service::new(configured.name.as_str(), profile.clone()))
}

fn cannot_listen(listen: SocketAddr) -> String {
    // In use is the usual reason; port 0 is the way out that always works.
    let free = SocketAddr::new(listen.ip(), 0);
    format!("--listen {listen}: cannot listen there; name another address, or {free} for any free port")
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
