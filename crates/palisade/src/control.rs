//! What the API shows and changes: modes, lists and alerts of this process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use palisade_config::{Name, Places, Route, Service};
use palisade_console::{
    AddExceptions, AddedCounts, AlertInForce, AlertPut, AlertStatus, Author, Control, ControlError,
    Dismissal, ExceptionChange, ExceptionInForce, ModeChange, Place, PolicyLearner, Replays, RouteInForce,
    ServiceInForce, Timestamp,
};
use palisade_events::alerts::{AlertObject, AlertStatus as Status};
use palisade_inspect::{ModeOverride, ServiceMode};
use palisade_lists::{Change, Entry, EntryId, Page, Query, Subject};
use palisade_model::{EventId, Mode};
use serde_json::Value;

use crate::dismissed::Dismissed;
use crate::excepted::{SetExceptions, as_written};
use crate::explaining::Explaining;
use crate::lists::{ListStore, now};
use crate::modes::{KeptChange, Modes};
use crate::outlets::Outlets;
use crate::policing;
use crate::replays::ReplayDesk;
use crate::snapshot::Snapshot;
use crate::suggesting::Suggesting;

/// Modes, lists and alerts, as the API has them.
#[derive(Debug)]
pub(crate) struct Controls {
    modes: Arc<Modes>,
    excepted: Arc<SetExceptions>,
    lists: ListControls,
    alerts: AlertControls,
    services: Mutex<Arc<Services>>,
    explaining: Arc<Explaining>,
    replays: Arc<ReplayDesk>,
    dismissed: Dismissed,
}

/// Services of a snapshot, made when they are first asked for: a change waits for nobody who looks.
#[derive(Debug)]
struct Services {
    snapshot: Arc<Snapshot>,
    known: OnceLock<Vec<Known>>,
}

/// A service as it is configured.
#[derive(Clone, Debug)]
struct Known {
    name: String,
    application: Option<u32>,
    /// Namespace and name of the workload behind it.
    workload: (Option<String>, Option<String>),
    mode: ServiceMode,
    /// `service` or `profile`.
    written_at: &'static str,
    routes: Vec<KnownRoute>,
    /// What it is excepted from by its configuration: where that stands, and what.
    exceptions: Vec<(String, Value)>,
}

#[derive(Clone, Debug)]
struct KnownRoute {
    hosts: Vec<String>,
    path: String,
    mode: ServiceMode,
    written_at: &'static str,
}

impl Controls {
    /// What a snapshot has.
    pub(crate) fn of(
        snapshot: &Arc<Snapshot>,
        modes: Arc<Modes>,
        excepted: Arc<SetExceptions>,
        lists: Arc<ListStore>,
        outlets: Option<Arc<Outlets>>,
        replays: Arc<ReplayDesk>,
        dismissed: Dismissed,
    ) -> Arc<Self> {
        let explaining = Explaining::of(snapshot, modes.clone(), lists.live().clone());
        Arc::new(Self {
            modes,
            excepted,
            lists: ListControls(lists),
            alerts: AlertControls(outlets),
            services: Mutex::new(Services::of(snapshot)),
            explaining: Arc::new(explaining),
            replays,
            dismissed,
        })
    }

    /// Shows the services of another snapshot.
    pub(crate) fn follow(&self, snapshot: &Arc<Snapshot>) {
        *self.services.lock().unwrap_or_else(PoisonError::into_inner) = Services::of(snapshot);
        self.explaining.follow(snapshot);
        self.replays.follow(snapshot);
    }

    /// What explains decisions of these services.
    pub(crate) fn explaining(&self) -> &Arc<Explaining> {
        &self.explaining
    }

    fn service(&self, name: &str) -> Result<Known, ControlError> {
        let services = self.services_now();
        let known = services.known(&self.modes).iter().find(|known| known.name == name);
        known.cloned().ok_or_else(|| ControlError::NotFound(format!("there is no service `{name}`")))
    }

    fn services_now(&self) -> Arc<Services> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Services {
    fn of(snapshot: &Arc<Snapshot>) -> Arc<Self> {
        Arc::new(Self { snapshot: snapshot.clone(), known: OnceLock::new() })
    }

    fn known(&self, modes: &Modes) -> &[Known] {
        self.known.get_or_init(|| {
            let config = &self.snapshot.config;
            let mut routes: HashMap<&Name, Vec<&Route>> = HashMap::new();
            for route in &config.routes {
                routes.entry(&*route.service).or_default().push(route);
            }
            let of = |service: &Service| routes.get(&*service.name).map(Vec::as_slice).unwrap_or_default();
            let known = |service| Known::of(&self.snapshot, modes, service, of(service));
            config.services.iter().map(known).collect()
        })
    }
}

impl Modes {
    /// The mode of a service's requests, or of those of one of its routes: what is nearest to the request counts.
    pub(crate) fn mode(&self, snapshot: &Snapshot, service: &Service, route: Option<&Route>) -> ServiceMode {
        let of_profile = |name| snapshot.profiles.get(name).map(|profile| profile.mode).unwrap_or_default();
        let of_route = route.and_then(|route| {
            route.mode.or_else(|| route.profile.as_ref().map(|profile| of_profile(&**profile)))
        });
        let written = of_route.or(service.mode).unwrap_or_else(|| of_profile(&*service.profile));
        let allowed = match service.mode_override {
            palisade_config::ModeOverride::On => ModeOverride::On,
            palisade_config::ModeOverride::Strict => ModeOverride::Strict,
            palisade_config::ModeOverride::Off => ModeOverride::Off,
        };
        ServiceMode::new(written, allowed, self.of(service.name.as_str()))
    }
}

impl Known {
    /// A service with the routes that lead to it.
    fn of(snapshot: &Snapshot, modes: &Modes, service: &Service, routes: &[&Route]) -> Self {
        let own = routes.iter().filter(|route| route.mode.is_some() || route.profile.is_some());
        let own = own.map(|route| KnownRoute {
            hosts: route.hosts.iter().map(|host| host.to_string()).collect(),
            path: route.path.to_string(),
            mode: modes.mode(snapshot, service, Some(route)),
            written_at: if route.mode.is_some() { "route" } else { "profile" },
        });
        Self {
            name: service.name.to_string(),
            application: service.application,
            workload: workload_of(snapshot, service),
            mode: modes.mode(snapshot, service, None),
            written_at: if service.mode.is_some() { "service" } else { "profile" },
            routes: own.collect(),
            exceptions: exceptions_of(snapshot, service, routes),
        }
    }

    fn in_force(&self, modes: &Modes) -> ServiceInForce {
        let from = |mode: &ServiceMode, written_at| if mode.is_set() { "run-time" } else { written_at };
        let routes = self.routes.iter().map(|route| RouteInForce {
            hosts: route.hosts.clone(),
            path: route.path.clone(),
            mode: route.mode.in_force().as_str(),
            mode_from: from(&route.mode, route.written_at),
        });
        ServiceInForce {
            name: self.name.clone(),
            application: self.application,
            mode: self.mode.in_force().as_str(),
            mode_from: from(&self.mode, self.written_at),
            mode_written: self.mode.written().as_str(),
            mode_set: modes.of(&self.name).get().map(Mode::as_str),
            mode_override: self.mode.allowed().as_str(),
            routes: routes.collect(),
        }
    }
}

impl Control for Controls {
    fn policy_learner(&self, staged: bool) -> Box<dyn PolicyLearner> {
        let workloads = policing::workloads(&self.services_now().snapshot.config).collect();
        Box::new(Suggesting::about(workloads, staged))
    }

    fn services(&self) -> Vec<ServiceInForce> {
        self.services_now().known(&self.modes).iter().map(|known| known.in_force(&self.modes)).collect()
    }

    fn set_mode(
        &self,
        service: &str,
        mode: Option<Mode>,
        by: Author,
    ) -> Result<ServiceInForce, ControlError> {
        let known = self.service(service)?;
        if mode.is_some() && known.mode.allowed() == ModeOverride::Off {
            let why = format!(
                "the configuration lets nobody change the mode of {service}: its modeOverride is off"
            );
            return Err(ControlError::Refused(why));
        }
        let set = self.modes.set(service, mode, (by.name, by.reason), || known.mode.in_force());
        let change =
            set.map_err(|error| ControlError::NotKept(format!("{error:#}; the mode stays as it was")))?;
        say_change(&change);
        Ok(known.in_force(&self.modes))
    }

    fn mode_changes(&self, service: &str) -> Vec<ModeChange> {
        shown_changes(&self.modes, service)
    }

    fn exceptions(&self, service: &str) -> Result<Vec<ExceptionInForce>, ControlError> {
        let written = self.service(service)?.exceptions.into_iter().map(|(of, exception)| ExceptionInForce {
            id: None,
            of,
            exception,
            at: None,
            by: None,
            reason: None,
            event: None,
        });
        Ok(written.chain(self.excepted.of(service)).collect())
    }

    fn add_exceptions(
        &self,
        service: &str,
        add: AddExceptions,
        by: Author,
    ) -> Result<Vec<ExceptionInForce>, ControlError> {
        let allowed = self.service(service)?.mode.allowed();
        if allowed != ModeOverride::On {
            let why = format!(
                "the configuration lets nobody loosen the protection of {service} at run time: its modeOverride is {}",
                allowed.as_str()
            );
            return Err(ControlError::Refused(why));
        }
        add_exceptions(&self.excepted, service, &add, &by)
    }

    fn remove_exception(&self, service: &str, id: u64, by: Author) -> Result<(), ControlError> {
        self.service(service)?;
        remove_exception(&self.excepted, service, id, &by)
    }

    fn replays(&self) -> Option<Arc<dyn Replays>> {
        Some(self.replays.clone())
    }

    fn dismissals(&self) -> BTreeMap<String, Dismissal> {
        self.dismissed.all()
    }

    fn dismiss(&self, ids: &[EventId], dismissed: bool, by: &Author) -> Result<usize, ControlError> {
        dismiss(&self.dismissed, ids, dismissed, by)
    }

    fn exception_changes(&self, service: &str) -> Vec<ExceptionChange> {
        self.excepted.changes(service)
    }

    fn page(&self, query: &Query<'_>) -> Page {
        self.lists.page(query)
    }

    fn list_changes(&self, limit: usize) -> Vec<Change> {
        self.lists.changes(limit)
    }

    fn add(&self, entries: Vec<Entry>, by: &Author) -> Result<AddedCounts, ControlError> {
        let notes = unplaced(&entries, &self.services_now().snapshot.config.lists.places);
        Ok(AddedCounts { notes, ..self.lists.add(entries, by)? })
    }

    fn remove(&self, ids: Vec<EntryId>, by: &Author) -> Result<usize, ControlError> {
        self.lists.remove(ids, by)
    }

    fn places(&self) -> Vec<Place> {
        let place = |known: &Known| {
            let (namespace, name) = known.workload.clone();
            Place {
                namespace: namespace.unwrap_or_else(|| "-".to_owned()),
                name: name.unwrap_or_else(|| known.name.clone()),
                mode: known.mode.in_force().as_str(),
                service: known.name.clone(),
            }
        };
        self.services_now().known(&self.modes).iter().map(place).collect()
    }

    fn alerts(&self) -> Result<Vec<AlertInForce>, ControlError> {
        self.alerts.all()
    }

    fn put_alert(&self, name: &str, text: &[u8], by: &Author) -> Result<AlertPut, ControlError> {
        self.alerts.put(name, text, by)
    }

    fn delete_alert(&self, kind: &'static str, name: &str, by: &Author) -> Result<(), ControlError> {
        self.alerts.delete(kind, name, by)
    }
}

/// Excepts a service from more, and says so.
pub(crate) fn add_exceptions(
    excepted: &SetExceptions,
    service: &str,
    add: &AddExceptions,
    by: &Author,
) -> Result<Vec<ExceptionInForce>, ControlError> {
    let set = excepted.add(service, add, by)?;
    for ExceptionInForce { id, exception, .. } in &set {
        let (id, why) = (id.unwrap_or_default(), why(&by.reason));
        say!("palisade: service {service} excepted by {} from {exception} ({id}){why}", by.name);
    }
    Ok(set)
}

/// Takes back what a service is excepted from, and says so.
pub(crate) fn remove_exception(
    excepted: &SetExceptions,
    service: &str,
    id: u64,
    by: &Author,
) -> Result<(), ControlError> {
    let exception = excepted.remove(service, id, by)?;
    let why = why(&by.reason);
    say!("palisade: service {service} no longer excepted from {exception} ({id}) by {}{why}", by.name);
    Ok(())
}

/// Puts alerts aside, or shows them again, and says so.
pub(crate) fn dismiss(
    all: &Dismissed,
    ids: &[EventId],
    dismissed: bool,
    by: &Author,
) -> Result<usize, ControlError> {
    let changed = all.change(ids, dismissed.then_some(by))?;
    let what = if dismissed { "dismissed" } else { "showed again" };
    say!("palisade: alerts: {} {what} {changed} that fired{}", by.name, why(&by.reason));
    Ok(changed)
}

/// Lists, as the API changes them.
#[derive(Debug)]
pub(crate) struct ListControls(pub(crate) Arc<ListStore>);

impl ListControls {
    pub(crate) fn page(&self, query: &Query<'_>) -> Page {
        self.0.live().read().page(query, now())
    }

    pub(crate) fn changes(&self, limit: usize) -> Vec<Change> {
        self.0.live().read().changes().take(limit).cloned().collect()
    }

    pub(crate) fn add(&self, entries: Vec<Entry>, by: &Author) -> Result<AddedCounts, ControlError> {
        let told = summary(entries.iter().map(Entry::id));
        let counts = self.0.add(entries, by)?;
        say!("palisade: lists: {} added {told}", by.name);
        Ok(counts)
    }

    pub(crate) fn remove(&self, ids: Vec<EntryId>, by: &Author) -> Result<usize, ControlError> {
        let told = summary(ids.iter().cloned());
        let removed = self.0.remove(ids, by)?;
        if removed > 0 {
            say!("palisade: lists: {} took away {told}", by.name);
        }
        Ok(removed)
    }
}

/// Alerts, as the API changes them. Not there where there are no events.
#[derive(Debug)]
pub(crate) struct AlertControls(pub(crate) Option<Arc<Outlets>>);

impl AlertControls {
    pub(crate) fn all(&self) -> Result<Vec<AlertInForce>, ControlError> {
        let outlets = self.outlets()?;
        let status = outlets.alerts().status();
        let shown = |(file, object): (Option<String>, AlertObject)| {
            let (kind, name) = object.key();
            let status = status.iter().find(|status| kind == "GlobalAlert" && *status.name == *name);
            in_force(file, &object, status)
        };
        Ok(outlets.objects().into_iter().map(shown).collect())
    }

    pub(crate) fn put(&self, name: &str, text: &[u8], by: &Author) -> Result<AlertPut, ControlError> {
        let written = self.outlets()?.put_alert(name, text)?;
        let kind = written.object.key().0;
        let what = if written.replaced { "replaced" } else { "added" };
        say!("palisade: alerts: {} {what} {kind} {name}{}", by.name, why(&by.reason));
        Ok(AlertPut { alert: in_force(None, &written.object, None), warnings: written.warnings })
    }

    pub(crate) fn delete(&self, kind: &'static str, name: &str, by: &Author) -> Result<(), ControlError> {
        self.outlets()?.delete_alert(kind, name)?;
        say!("palisade: alerts: {} took away {kind} {name}{}", by.name, why(&by.reason));
        Ok(())
    }

    fn outlets(&self) -> Result<&Outlets, ControlError> {
        let none = || {
            ControlError::NotFound("there are no alerts without events: `events.enabled` is false".to_owned())
        };
        self.0.as_deref().ok_or_else(none)
    }
}

/// Changes of the modes of a service, as the API shows them.
pub(crate) fn shown_changes(modes: &Modes, service: &str) -> Vec<ModeChange> {
    let shown = |change: KeptChange| ModeChange {
        at: Timestamp::from(UNIX_EPOCH + Duration::from_millis(change.at)),
        by: change.by,
        reason: change.reason,
        from: change.from,
        to: change.to,
        set: change.set,
    };
    modes.changes(service).into_iter().take(100).map(shown).collect()
}

fn in_force(file: Option<String>, object: &AlertObject, status: Option<&Status>) -> AlertInForce {
    let (kind, name) = object.key();
    let at = |millis| Timestamp::from(UNIX_EPOCH + Duration::from_millis(millis));
    AlertInForce {
        kind,
        name: name.to_owned(),
        file,
        object: object.to_json(),
        status: status.map(|status| AlertStatus {
            last_executed: at(status.last_executed_ms),
            last_event: status.last_event_ms.map(at),
            events: status.events,
        }),
    }
}

fn why(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// Which kinds of entries match nobody here, because nothing says where addresses are.
fn unplaced(entries: &[Entry], places: &Places) -> Vec<String> {
    let any = |kind: fn(&Subject) -> bool| entries.iter().any(|entry| kind(&entry.subject));
    let countries = (any(|subject| matches!(subject, Subject::Country(_))), &places.countries, "countries");
    let systems = (any(|subject| matches!(subject, Subject::Asn(_))), &places.asns, "asns");
    let missing = [countries, systems].into_iter().filter(|(is_asked, file, _)| *is_asked && file.is_none());
    let note = |(_, _, what)| {
        format!(
            "entries of {what} match nobody here until `lists.places.{what}` of the configuration names a file"
        )
    };
    missing.map(note).collect()
}

/// What a service is excepted from by its configuration: where that stands, and what.
fn exceptions_of(snapshot: &Snapshot, service: &Service, routes: &[&Route]) -> Vec<(String, Value)> {
    let named = routes.iter().filter_map(|route| route.profile.as_deref());
    let mut profiles: Vec<_> = std::iter::once(&*service.profile).chain(named).collect();
    profiles.sort();
    profiles.dedup();
    let profiles = profiles.into_iter().filter_map(|name| Some((name, snapshot.config.profiles.get(name)?)));
    let of_profiles = profiles.flat_map(|(name, profile)| {
        profile.exceptions.iter().map(move |one| (format!("profile {name}"), as_written(one)))
    });
    let own = service.exceptions.iter().map(|one| ("service".to_owned(), as_written(one)));
    let of_routes = routes.iter().flat_map(|route| {
        route.exceptions.iter().map(|one| (format!("route {}", *route.path), as_written(one)))
    });
    of_profiles.chain(own).chain(of_routes).collect()
}

/// Namespace and name of the workload that a service stands in front of.
fn workload_of(snapshot: &Snapshot, service: &Service) -> (Option<String>, Option<String>) {
    let Some(workload) = service.workload.as_ref().or(snapshot.config.workload.as_ref()) else {
        return (None, None);
    };
    let text = |name: &palisade_config::KubernetesName| {
        Some(name.as_str().to_owned()).filter(|name| !name.is_empty())
    };
    (text(&workload.namespace), text(&workload.name))
}

/// Who set a mode, from what to what, in a line that is there although nobody asks.
pub(crate) fn say_change(change: &KeptChange) {
    let KeptChange { service, by, reason, from, to, set, .. } = change;
    let set = set.as_ref().map_or("given back to the file".to_owned(), |set| format!("set to {set}"));
    let why = why(reason);
    say!("palisade: mode of service {service} {set} by {by}, {from} before and {to} since{why}");
}

/// The first of some ids, and how many others there are.
fn summary(mut ids: impl ExactSizeIterator<Item = EntryId>) -> String {
    let others = ids.len().saturating_sub(1);
    match ids.next() {
        Some(first) if others > 0 => format!("{first} and {others} more"),
        Some(first) => first.to_string(),
        None => "nothing".to_owned(),
    }
}
