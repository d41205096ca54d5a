//! A configuration at work in this process: what `run` and `demo` share.

mod destinations;
mod envoys;
mod listeners;
mod process;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use palisade_config::Name;
use palisade_console::ListenerStatus;
use palisade_dataplane::{Bound, Drain, DrainTrigger, Drained, Plane, Readiness, drain, serve, serve_envoy};
use tokio::task::JoinSet;

pub(crate) use destinations::inspected;
pub(crate) use process::{Signals, Word, plane, plane_among_others, runtime};

use crate::descriptors;
use crate::modes::Modes;
use crate::rules::plural;
use crate::serving::destinations::{Destinations, Upstreams};
use crate::serving::envoys::{Asked, bind_envoys};
use crate::serving::listeners::{Listening, bind};
use crate::snapshot::{Snapshot, Stale};

/// How long requests may go on after the word to end.
pub(crate) const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// Listeners at work.
pub(crate) struct Serving {
    listening: Vec<Listening>,
    asked: Vec<Asked>,
    upstreams: Upstreams,
    modes: Arc<Modes>,
    plane: Arc<Plane>,
    descriptors: Option<u64>,
    tasks: JoinSet<Drained>,
    /// Ends the Envoys' places; listeners end one by one.
    end_envoys: DrainTrigger,
}

/// A listener that is about to begin.
type Beginning = (Listening, Bound, Drain);

impl Serving {
    /// Binds every listener and begins. Says where they listen on standard error. Envoys are answered as `readiness` says,
    /// from the first on.
    pub(crate) async fn start(
        snapshot: &Snapshot,
        plane: Arc<Plane>,
        modes: Arc<Modes>,
        readiness: Readiness,
    ) -> Result<Self> {
        let mut upstreams = Upstreams::default();
        let destinations = Destinations::of(snapshot, &mut upstreams, &modes, &plane)?;
        let descriptors = descriptors::raise_limit();
        let mut beginning = Vec::new();
        for configured in &snapshot.config.listeners {
            beginning.push(bind(configured, None, snapshot, &destinations, descriptors).await?);
        }
        let (asked, asked_bound) = bind_envoys(snapshot, &destinations, &readiness).await?;
        drop(destinations);
        let (end_envoys, drain) = drain();
        let mut serving = Self {
            listening: Vec::new(),
            asked,
            upstreams,
            modes,
            plane,
            descriptors,
            tasks: JoinSet::new(),
            end_envoys,
        };
        serving.begin(beginning);
        for asked in &serving.asked {
            say!("listening on {} ({})", asked.url(), asked.name);
        }
        for envoy in asked_bound {
            let (plane, drain, name) = (serving.plane.clone(), drain.clone(), envoy.name().to_owned());
            serving.tasks.spawn(async move {
                serve_envoy(envoy, plane, drain).await.unwrap_or_else(|error| {
                    say!("palisade: listener {name} failed: {error}");
                    Drained::default()
                })
            });
        }
        Ok(serving)
    }

    /// Serves listeners that have their addresses.
    fn begin(&mut self, beginning: Vec<Beginning>) {
        // All of it said before any is served: whoever reads of one may ask the others.
        for (listening, _, _) in &beginning {
            say!("listening on {} ({})", listening.url(), listening.name());
        }
        for (listening, bound, drain) in beginning {
            self.tasks.spawn(serve(bound, self.plane.clone(), drain));
            self.listening.push(listening);
        }
    }

    /// Serves later requests by another snapshot. New listeners begin, and those that it does not have end: requests that
    /// have begun there are answered. A listener that is configured otherwise is a new one in the old one's place; where
    /// its address cannot be had, what was there stays, and is told.
    ///
    /// # Errors
    /// When its services cannot be; everything is as it was then.
    pub(crate) async fn replace(&mut self, snapshot: &Snapshot) -> Result<Vec<Stale>> {
        let destinations = Destinations::of(snapshot, &mut self.upstreams, &self.modes, &self.plane)?;
        let configured = &snapshot.config.listeners;
        let told: HashMap<_, _> = configured.iter().map(|told| (&*told.name, told)).collect();
        let is_kept =
            |listening: &Listening| told.get(listening.name()).is_some_and(|told| listening.is_as(told));
        let (mut kept, mut free): (Vec<_>, Vec<_>) = self.listening.drain(..).partition(is_kept);
        let mut stale = Vec::new();
        let mut beginning: Vec<Beginning> = Vec::new();
        let stays: HashSet<Name> = kept.iter().map(|listening| listening.name().clone()).collect();
        for told in configured.iter().filter(|told| !stays.contains(&*told.name)) {
            // Without the TLS that it is to have, which was told.
            let unusable = told.tls.is_some() && !snapshot.tls.contains_key(&*told.name);
            let is_taken = |socket: &Listening| {
                beginning.iter().any(|(listening, ..)| listening.address() == socket.address())
            };
            let socket = free.iter().find(|listening| listening.is_at(told) && !is_taken(listening));
            let socket = socket.map(|listening| listening.socket.clone());
            let begins = match unusable {
                true => None,
                false => bind(told, socket, snapshot, &destinations, self.descriptors)
                    .await
                    .map_err(|error| stale.push(Stale::new("listener", &told.name, &error)))
                    .ok(),
            };
            if begins.is_none() {
                let was = free.iter().position(|listening| *listening.name() == *told.name);
                kept.extend(was.map(|at| free.swap_remove(at)));
            }
            beginning.extend(begins);
        }
        // Nothing fails from here on: tables were made, and names are those of this snapshot.
        for listening in &kept {
            if let Ok(table) = destinations.table(listening.name()) {
                listening.routes.replace(table);
            }
        }
        for Asked { name, routes, .. } in &self.asked {
            let mut envoys = snapshot.config.envoy.iter();
            let Some(there) = envoys.find(|there| there.name.as_str() == name) else { continue };
            if let Ok(table) = destinations.asked(&there.name) {
                routes.replace(table);
            }
        }
        let tls_of: HashMap<&str, _> =
            snapshot.tls.iter().map(|(name, server)| (name.as_str(), server)).collect();
        let listening = kept.iter().map(|listening| (listening.name().as_str(), &listening.tls));
        let asked = self.asked.iter().map(|asked| (asked.name.as_str(), &asked.tls));
        for (name, tls) in listening.chain(asked) {
            if let (Some(tls), Some(server)) = (tls, tls_of.get(name)) {
                tls.replace(Arc::clone(server));
            }
        }
        drop(destinations);
        self.listening = kept;
        for gone in free {
            if !beginning.iter().any(|(listening, ..)| listening.address() == gone.address()) {
                say!("palisade: no longer listening on {} ({})", gone.url(), gone.name());
            }
            gone.end.start(DRAIN_DEADLINE);
        }
        self.begin(beginning);
        while let Some(ended) = self.tasks.try_join_next() {
            say_cut(ended.context("a listener failed")?.cut_connections);
        }
        Ok(stale)
    }

    /// Where the first listener is.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listening.first().map(Listening::address)
    }

    /// What the admin listener shows.
    pub(crate) fn status(&self) -> Vec<ListenerStatus> {
        let listening =
            self.listening.iter().map(|listening| (listening.name().to_string(), listening.url()));
        let asked = self.asked.iter().map(|asked| (asked.name.clone(), asked.url()));
        listening.chain(asked).map(|(name, url)| ListenerStatus { name, url }).collect()
    }

    /// Ends: requests that have begun are answered.
    pub(crate) async fn end(mut self, deadline: Duration) -> Result<()> {
        self.end_envoys.start(deadline);
        // With their sockets: who connects from now on is refused.
        self.listening.drain(..).for_each(|listening| listening.end.start(deadline));
        let mut cut_connections = 0;
        while let Some(drained) = self.tasks.join_next().await {
            cut_connections += drained.context("a listener failed")?.cut_connections;
        }
        say_cut(cut_connections);
        Ok(())
    }
}

fn say_cut(connections: usize) {
    if connections > 0 {
        say!("palisade: {} cut at the deadline", plural(connections, "connection"));
    }
}
