//! A configuration that is asked about: where a request would go, and what inspects it there. Nothing here serves anybody;
//! `explain`, `replay` and the console's page ask.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use palisade_config::{ByListener, Name, Overrides, RouteBody};
use palisade_dataplane::{Authentication, LiveLists, host_of};
use palisade_events::unix_millis;
use palisade_http::{RequestHead, Target};
use palisade_inspect::{Asking, RouteTable, RouteTo, Service};
use palisade_lists::Moment;

use crate::authenticating;
use crate::configuration::Told;
use crate::lists::{PlaceFiles, entries_of_file};
use crate::modes::Modes;
use crate::serving::inspected;
use crate::snapshot::{Credentials, Maker, Snapshot};

/// Where requests go, and what inspects them there.
#[derive(Debug, Default)]
pub(crate) struct Configured {
    /// In the order of the configuration.
    all: Vec<Inspecting>,
    /// By listener.
    listeners: HashMap<String, RouteTable<Inspecting>>,
    /// Of requests whose listener nobody knows or the configuration does not have.
    anywhere: RouteTable<Inspecting>,
}

/// A service as a route has it inspected.
#[derive(Clone, Debug)]
pub(crate) struct Inspecting {
    /// The path of the route.
    pub(crate) path: Arc<str>,
    pub(crate) service: Arc<Service>,
    pub(crate) body: RouteBody,
    /// Not there where credentials are not judged.
    pub(crate) authentication: Option<Arc<Authentication>>,
}

impl Configured {
    /// Of a snapshot.
    ///
    /// # Errors
    /// Never for a snapshot's own configuration, which was checked.
    pub(crate) fn of(snapshot: &Snapshot, modes: &Modes) -> Result<Self> {
        let config = &snapshot.config;
        let services: HashMap<&Name, _> =
            config.services.iter().map(|service| (&*service.name, service)).collect();
        let mut all = Vec::with_capacity(config.routes.len());
        for route in &config.routes {
            let service = *services.get(&*route.service).context("a checked route leads to a service")?;
            let authentication = match snapshot.authenticators.is_empty() {
                true => None,
                false => authenticating::of_route(&snapshot.authenticators, service, route, Arc::default)?,
            };
            all.push(Inspecting {
                path: Arc::from(route.path.to_string()),
                service: inspected(snapshot, modes, service, route)?,
                body: route.body,
                authentication,
            });
        }
        let to = |(number, route)| RouteTo::of(route, Inspecting::clone(&all[number]));
        let by_listener = ByListener::of(config);
        let table = |name: &Name| RouteTable::new(by_listener.routes(name).map(to));
        let names = config.listeners.iter().map(|listener| &*listener.name);
        let names = names.chain(config.envoy.iter().map(|envoy| &*envoy.name));
        let listeners = names.map(|name| (name.as_str().to_owned(), table(name))).collect();
        let anywhere = RouteTable::new(config.routes.iter().enumerate().map(to));
        Ok(Self { all, listeners, anywhere })
    }

    /// Where a request goes that came to a listener.
    pub(crate) fn find(&self, listener: Option<&str>, head: &RequestHead) -> Option<&Inspecting> {
        let table = listener.and_then(|name| self.listeners.get(name)).unwrap_or(&self.anywhere);
        let target = Target::new(&head.target, &head.method);
        // Of routes that share requests the first stands for all.
        let asking = Asking { method: &head.method, headers: &head.headers, query: target.query(), turn: 0 };
        table.find(host_of(head).as_deref(), target.path(), Some(&asking))
    }

    /// The names of its listeners.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = &str> {
        self.listeners.keys().map(String::as_str)
    }

    /// Every service as each of its routes has it inspected, in the order of the configuration.
    pub(crate) fn all(&self) -> &[Inspecting] {
        &self.all
    }
}

/// A configuration file, read for a command that asks what it would do.
pub(crate) struct FromFile {
    pub(crate) configured: Configured,
    /// The lists that it has.
    pub(crate) lists: Arc<LiveLists>,
    /// Whether there is anybody on them.
    pub(crate) lists_anybody: bool,
    /// Policies come from an agent, which is not here.
    pub(crate) policies_elsewhere: bool,
}

impl FromFile {
    /// Reads it. Nothing is asked of a network.
    ///
    /// # Errors
    /// When it cannot be used; what is wrong was shown then.
    pub(crate) fn read(file: &Path, credentials: Credentials) -> Result<Self> {
        let told = Told { file: Some(file.to_owned()), overrides: Overrides::default() };
        let mut maker = Maker::new(told);
        let config = maker.config()?;
        let policies_elsewhere = config.policies.as_ref().is_some_and(|policies| policies.sync.is_some());
        let made = Self::made(&maker.unserved(config, credentials)?, &Modes::default())?;
        Ok(Self { policies_elsewhere, ..made })
    }

    /// The same of a snapshot that was made, with the modes that were set beside it.
    ///
    /// # Errors
    /// When files of places cannot be used, or the lists of the file are too long.
    pub(crate) fn made(snapshot: &Snapshot, modes: &Modes) -> Result<Self> {
        let config = &snapshot.config;
        let policies_elsewhere = config.policies.as_ref().is_some_and(|policies| policies.sync.is_some());
        let lists = Arc::<LiveLists>::default();
        PlaceFiles::default().follow(config, &lists)?;
        let today = Moment(unix_millis());
        let entries = entries_of_file(config, today);
        let lists_anybody = !entries.is_empty();
        lists
            .change(|lists| lists.follow_file(entries, today, &"file".into()))
            .map_err(|full| anyhow::anyhow!("lists of the file: {full}"))?;
        let configured = Configured::of(snapshot, modes)?;
        Ok(Self { configured, lists, lists_anybody, policies_elsewhere })
    }
}
