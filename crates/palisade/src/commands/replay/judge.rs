//! A configuration as a judge of copies: which service a request belongs to, and what its inspection says.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use palisade_config::{Overrides, RouteBody};
use palisade_dataplane::{LiveLists, host_of};
use palisade_events::recording::{BodyCopy, Decided, Outcome};
use palisade_events::unix_millis;
use palisade_http::Target;
use palisade_inspect::{
    Action, Answer, Detail, Lookup, PathMatch, Peer, RouteTable, Service, Standing, UnixMillis,
};
use palisade_lists::{Listing, Moment};

use super::compare::Doubt;
use super::copies::{Connection, Copy};
use crate::configuration::Told;
use crate::decision::decided;
use crate::exchange::{Asked, Inspected, inspect_as};
use crate::lists::{PlaceFiles, entries_of_file};
use crate::modes::Modes;
use crate::serving::inspected;
use crate::snapshot::Maker;

/// What decides about copies.
pub(crate) struct Judge {
    /// By listener, and for requests whose listener nobody knows or the configuration does not have.
    listeners: HashMap<String, RouteTable<Inspecting>>,
    any: RouteTable<Inspecting>,
    lists: Arc<LiveLists>,
    lists_anybody: bool,
    /// Policies come from an agent, which is not here.
    policies_elsewhere: bool,
}

/// A service as a route has it inspected.
#[derive(Clone, Debug)]
struct Inspecting {
    service: Arc<Service>,
    body: RouteBody,
}

/// What a judge says.
pub(crate) struct Judged {
    /// The service; `None`: no route takes the request.
    pub(crate) service: Option<String>,
    /// What inspected it, as a digest.
    pub(crate) inspected_by: Arc<str>,
    pub(crate) decided: Decided,
    /// Whether what is found is acted upon.
    pub(crate) enforces: bool,
    /// Why it might be otherwise.
    pub(crate) doubts: Vec<Doubt>,
    /// The target, secrets masked.
    pub(crate) target: String,
}

impl Judge {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When it cannot be used; what is wrong was shown then.
    pub(crate) fn of(file: &Path) -> Result<Self> {
        let told = Told { file: Some(file.to_owned()), overrides: Overrides::default() };
        let mut maker = Maker::new(told);
        let config = maker.config()?;
        let policies_elsewhere = config.policies.as_ref().is_some_and(|policies| policies.sync.is_some());
        let snapshot = maker.unserved(config)?;
        let config = &snapshot.config;
        let modes = Modes::default();
        let mut routes = Vec::new();
        for route in &config.routes {
            let service = config.services.iter().find(|service| *service.name == *route.service);
            let service = service.context("a checked route leads to a service")?;
            let inspecting =
                Inspecting { service: inspected(&snapshot, &modes, service, route)?, body: route.body };
            routes.push((route, inspecting));
        }
        let table = |listener: Option<&str>| {
            let here = routes.iter().filter(|(route, _)| {
                listener.is_none()
                    || route.listener.as_deref().is_none_or(|only| Some(only.as_str()) == listener)
            });
            RouteTable::new(here.map(|(route, inspecting)| {
                let hosts = route.hosts.iter().map(|host| &**host).collect();
                let matches = if route.exact { PathMatch::Exact } else { PathMatch::Below };
                (hosts, &*route.path, matches, inspecting.clone())
            }))
        };
        let names = config.listeners.iter().map(|listener| listener.name.as_str());
        let names = names.chain(config.envoy.iter().map(|envoy| envoy.name.as_str()));
        let listeners = names.map(|name| (name.to_owned(), table(Some(name)))).collect();
        let lists = Arc::<LiveLists>::default();
        PlaceFiles::default().follow(config, &lists)?;
        let today = Moment(unix_millis());
        let entries = entries_of_file(config, today);
        let lists_anybody = !entries.is_empty();
        lists
            .change(|lists| lists.follow_file(entries, today, &"file".into()))
            .map_err(|full| anyhow::anyhow!("lists of the file: {full}"))?;
        Ok(Self { listeners, any: table(None), lists, lists_anybody, policies_elsewhere })
    }

    /// Judges a copy.
    pub(crate) fn judge(&self, copy: &Copy) -> Judged {
        let head = &copy.exchange.head;
        let connection = copy.connection.as_ref();
        let table =
            connection.and_then(|connection| self.listeners.get(&connection.listener)).unwrap_or(&self.any);
        let target = Target::new(&head.target, &head.method);
        let Some(Inspecting { service, body }) = table.find(host_of(head).as_deref(), target.path()) else {
            return Judged {
                service: None,
                inspected_by: Arc::default(),
                decided: Decided::default(),
                enforces: false,
                doubts: vec![Doubt::NoRoute],
                target: palisade_model::Redactor::new().target(&head.target, TARGET_BYTES_MAX).to_string(),
            };
        };
        let mut doubts = Vec::new();
        let standing = self.standing(service, connection, &mut doubts);
        // Who asks is not in the copy: policies are left out, and that is said.
        let service = match connection {
            None if service.gate.is_some() => {
                doubts.push(Doubt::NoConnection);
                service.clone().behind(None)
            }
            _ => service.clone(),
        };
        if self.policies_elsewhere {
            doubts.push(Doubt::PoliciesElsewhere);
        }
        let peer = match connection {
            Some(connection) => connection.peer.clone(),
            None => Peer {
                peer_addr: copy.exchange.client,
                client_addr: copy.exchange.client,
                server_addr: copy.exchange.server,
                identity: None,
                admission: None,
                towards: None,
                authenticated: None,
                secured: None,
                request_id: copy.id.clone(),
            },
        };
        let asked = Asked { peer, standing, detail: Detail::Normal, at: copy.at.map(UnixMillis) };
        let mut lookups = Lookups::default();
        let mut answers = |lookup: Lookup, _| lookups.answer(&lookup);
        let Inspected { action, outcome: _, report } =
            inspect_as(&copy.exchange, &service, asked, &mut answers);
        let stance = standing.stance(&service);
        let mut decided = decided(Some(&report), action != Action::Forward, stance);
        decided.by_masked = decided.is_flagged() && report.found_in_stand_ins();
        doubts.extend(lookups.doubts());
        let looks_at_bodies = standing.is_inspected()
            && *body != RouteBody::Off
            && (service.profile.detector.is_some() || service.profile.rules.is_some());
        // What was decided by the head alone holds whatever the body was.
        let by_head = decided.outcome != Outcome::Pass && decided.stage == "request_head";
        if looks_at_bodies && !by_head {
            match copy.body {
                BodyCopy::Whole => {}
                BodyCopy::Cut => doubts.push(Doubt::BodyCut),
                BodyCopy::Unseen => doubts.push(Doubt::BodyUnseen),
            }
        }
        doubts.extend(Doubt::of_cause(&decided.cause));
        if decided.outcome == Outcome::Pass && standing.is_inspected() && !copy.not_plain.is_empty() {
            doubts.push(Doubt::NotPlain(copy.not_plain.clone()));
        }
        let redactor = &service.profile.redactor;
        Judged {
            service: Some(service.name.clone()),
            inspected_by: service.digest.clone(),
            decided,
            enforces: standing.enforces(),
            doubts,
            target: redactor.target(&head.target, TARGET_BYTES_MAX).to_string(),
        }
    }

    /// How the request stands: on the configuration's lists, or where it was on a list by an entry that was made while the
    /// process ran, on that one.
    fn standing(
        &self,
        service: &Service,
        connection: Option<&Connection>,
        doubts: &mut Vec<Doubt>,
    ) -> Standing {
        let standing = Standing::of(service);
        let Some(connection) = connection else {
            if self.lists_anybody {
                doubts.push(Doubt::NoSource);
            }
            return standing;
        };
        let address = connection.peer.client_addr.ip();
        let hit = self.lists.find(address, service.application, Moment(unix_millis()));
        let by_file = hit.map(|hit| hit.list);
        let made = connection.list.as_ref().filter(|list| !list.of_file);
        let made = made.and_then(|list| Listing::ALL.into_iter().find(|one| one.as_str() == list.list));
        // Allow comes before deny, and deny before gray.
        standing.on(by_file.into_iter().chain(made).min_by_key(|list| *list as u8))
    }
}

/// Bytes of a target that an example shows.
const TARGET_BYTES_MAX: usize = 300;

/// What the rules asked for that no copy has.
#[derive(Default)]
struct Lookups {
    collections: bool,
    world: bool,
}

impl Lookups {
    fn answer(&mut self, lookup: &Lookup) -> Answer {
        match lookup {
            Lookup::Collection(_) => {
                self.collections = true;
                Answer::Collection(Vec::new())
            }
            Lookup::Dns { .. } | Lookup::Geo { .. } => {
                self.world = true;
                Answer::Unavailable
            }
        }
    }

    fn doubts(&self) -> impl Iterator<Item = Doubt> {
        let collections = self.collections.then_some(Doubt::Collections);
        collections.into_iter().chain(self.world.then_some(Doubt::World))
    }
}
