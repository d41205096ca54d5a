//! What the API of a console changes: modes and lists, which data planes are told, and alerts, which are asked here, over
//! what all of them sent.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use palisade_collector::messages::Exceptions;
use palisade_collector::{Collector, ListFeed, ServiceAbout};
use palisade_console::{
    AddExceptions, AddedCounts, AlertInForce, AlertPut, Author, Control, ControlError, Dismissal,
    ExceptionChange, ExceptionInForce, ExceptionsAt, ModeChange, Place, PolicyLearner, ServiceInForce,
};
use palisade_lists::{Change, Entry, EntryId, Page, Query};
use palisade_model::{EventId, Mode};
use tokio::sync::watch;

use super::excepted::Excepted;
use crate::control::{
    AlertControls, ListControls, add_exceptions, dismiss, remove_exception, say_change, shown_changes,
};
use crate::dismissed::Dismissed;
use crate::lists::ListStore;
use crate::modes::Modes;
use crate::outlets::Outlets;
use crate::suggesting::Suggesting;

/// Modes, lists and alerts of many data planes.
#[derive(Debug)]
pub(crate) struct PlanesControl {
    /// By service; `SERVICE@NAME` at data planes of that name alone.
    modes: Arc<Modes>,
    modes_changed: watch::Sender<u64>,
    excepted: Excepted,
    lists: ListControls,
    alerts: AlertControls,
    dismissed: Dismissed,
    collector: OnceLock<Collector>,
}

/// Between a service and the name of data planes. No service has it in its name.
const AT: char = '@';

impl PlanesControl {
    pub(crate) fn new(
        modes: Arc<Modes>,
        excepted: Excepted,
        lists: Arc<ListStore>,
        outlets: Arc<Outlets>,
        dismissed: Dismissed,
    ) -> Arc<Self> {
        let (modes_changed, _) = watch::channel(0);
        Arc::new(Self {
            modes,
            modes_changed,
            excepted,
            lists: ListControls(lists),
            alerts: AlertControls(Some(outlets)),
            dismissed,
            collector: OnceLock::new(),
        })
    }

    /// Who knows the data planes.
    pub(crate) fn knows(&self, collector: Collector) {
        let _ = self.collector.set(collector);
    }

    /// Tells that modes have changed.
    pub(crate) fn modes_changed(&self) -> watch::Receiver<u64> {
        self.modes_changed.subscribe()
    }

    /// What services are excepted from, for data planes.
    pub(crate) fn exceptions_told(&self) -> watch::Receiver<Arc<Exceptions>> {
        self.excepted.told()
    }

    /// What lists have, for data planes.
    pub(crate) fn feed(&self) -> ListFeed {
        self.lists.0.feed()
    }

    /// Modes that are set for data planes of a name. What is set for them alone counts before what is set for all.
    pub(crate) fn modes_of(&self, plane: &str) -> Vec<(String, Mode)> {
        let mut modes = BTreeMap::new();
        for (key, mode) in self.modes.all_set() {
            match key.split_once(AT) {
                None => {
                    modes.entry(key).or_insert(mode);
                }
                Some((service, at)) if at == plane => {
                    modes.insert(service.to_owned(), mode);
                }
                Some(_) => {}
            }
        }
        modes.into_iter().collect()
    }

    /// Services of all data planes, each once, with those that say something of it.
    fn known(&self) -> BTreeMap<String, Vec<(String, ServiceAbout)>> {
        let mut known: BTreeMap<String, Vec<(String, ServiceAbout)>> = BTreeMap::new();
        for plane in self.collector.get().map(Collector::planes).unwrap_or_default() {
            for service in plane.about.services {
                known.entry(service.name.clone()).or_default().push((plane.name.clone(), service));
            }
        }
        known
    }

    fn may_except(&self, service: &str) -> Result<(), ControlError> {
        let known = self.known();
        let own = known.get(service).ok_or_else(|| no_service(service))?;
        match own.iter().any(|(_, about)| about.mode_override == "on") {
            true => Ok(()),
            false => Err(ControlError::Refused(format!(
                "no data plane lets anybody loosen the protection of {service} at run time: its modeOverride is strict or off"
            ))),
        }
    }

    fn set(
        &self,
        plane: Option<&str>,
        service: &str,
        mode: Option<Mode>,
        by: Author,
    ) -> Result<ServiceInForce, ControlError> {
        let known = self.known();
        let own = known
            .get(service)
            .filter(|own| plane.is_none_or(|plane| own.iter().any(|(name, _)| name == plane)));
        let key = match plane {
            Some(plane) => format!("{service}{AT}{plane}"),
            None => service.to_owned(),
        };
        let in_use = self.modes.of(&key);
        // What was set for one that has gone can be taken back.
        let Some(own) =
            own.filter(|_| mode.is_some() || in_use.get().is_none()).or_else(|| known.get(service))
        else {
            let place =
                plane.map_or_else(|| "any data plane".to_owned(), |plane| format!("data plane `{plane}`"));
            return Err(ControlError::NotFound(format!("there is no service `{service}` at {place}")));
        };
        if mode.is_some() && plane.is_some_and(|plane| own.iter().all(|(name, _)| name != plane)) {
            let plane = plane.unwrap_or_default();
            return Err(ControlError::NotFound(format!(
                "there is no service `{service}` at data plane `{plane}`"
            )));
        }
        if mode.is_some() && own.iter().all(|(_, about)| about.mode_override == "off") {
            let why =
                format!("no data plane lets anybody change the mode of {service}: its modeOverride is off");
            return Err(ControlError::Refused(why));
        }
        let written = weakest(own);
        let set = self.modes.set(&key, mode, (by.name, by.reason), || in_use.get().unwrap_or(written));
        let change =
            set.map_err(|error| ControlError::NotKept(format!("{error:#}; the mode stays as it was")))?;
        say_change(&change);
        self.modes_changed.send_modify(|count| *count += 1);
        Ok(self.in_force(service, own))
    }

    /// A service as its data planes say it is, what is set here and has not reached them included.
    fn in_force(&self, service: &str, own: &[(String, ServiceAbout)]) -> ServiceInForce {
        let set = self.modes.of(service).get();
        let mut says = own.iter().map(|(_, about)| about);
        let first = says.next();
        let from = first.map_or("profile", |about| match about.mode_from.as_str() {
            "run-time" => "run-time",
            "service" => "service",
            _ => "profile",
        });
        let written = own.iter().filter_map(|(_, about)| about.mode_written.parse().ok());
        ServiceInForce {
            name: service.to_owned(),
            application: first.and_then(|about| about.application),
            mode: weakest(own).as_str(),
            mode_from: from,
            mode_written: written.min_by_key(strength).unwrap_or_default().as_str(),
            mode_set: set.map(Mode::as_str),
            mode_override: match first.map(|about| about.mode_override.as_str()) {
                Some("strict") => "strict",
                Some("off") => "off",
                _ => "on",
            },
            routes: Vec::new(),
        }
    }
}

fn no_service(service: &str) -> ControlError {
    ControlError::NotFound(format!("there is no service `{service}` at any data plane"))
}

/// The mode that protects least, of those that data planes have in force.
fn weakest(own: &[(String, ServiceAbout)]) -> Mode {
    let modes = own.iter().filter_map(|(_, about)| about.mode.parse().ok());
    modes.min_by_key(strength).unwrap_or_default()
}

fn strength(mode: &Mode) -> u8 {
    match mode {
        Mode::Off => 0,
        Mode::Monitoring => 1,
        Mode::SafeBlocking => 2,
        Mode::Block => 3,
    }
}

impl Control for PlanesControl {
    fn policy_learner(&self, staged: bool) -> Box<dyn PolicyLearner> {
        Box::new(Suggesting::about(Vec::new(), staged))
    }

    fn services(&self) -> Vec<ServiceInForce> {
        self.known().iter().map(|(service, own)| self.in_force(service, own)).collect()
    }

    fn set_mode(
        &self,
        service: &str,
        mode: Option<Mode>,
        by: Author,
    ) -> Result<ServiceInForce, ControlError> {
        self.set(None, service, mode, by)
    }

    fn set_mode_at(
        &self,
        dataplane: &str,
        service: &str,
        mode: Option<Mode>,
        by: Author,
    ) -> Result<ServiceInForce, ControlError> {
        self.set(Some(dataplane), service, mode, by)
    }

    fn mode_changes(&self, service: &str) -> Vec<ModeChange> {
        shown_changes(&self.modes, service)
    }

    fn exceptions(&self, service: &str) -> Result<Vec<ExceptionInForce>, ControlError> {
        let set = self.excepted.set.of(service);
        match set.is_empty() && !self.known().contains_key(service) {
            true => Err(no_service(service)),
            false => Ok(set),
        }
    }

    fn add_exceptions(
        &self,
        service: &str,
        add: AddExceptions,
        by: Author,
    ) -> Result<Vec<ExceptionInForce>, ControlError> {
        self.may_except(service)?;
        add_exceptions(&self.excepted.set, service, &add, &by)
    }

    fn remove_exception(&self, service: &str, id: u64, by: Author) -> Result<(), ControlError> {
        // That of a service whose data planes have all gone can be taken back.
        remove_exception(&self.excepted.set, service, id, &by)
    }

    fn exception_changes(&self, service: &str) -> Vec<ExceptionChange> {
        self.excepted.set.changes(service)
    }

    fn exceptions_at(&self, service: &str) -> Vec<ExceptionsAt> {
        let planes = self.collector.get().map(Collector::planes).unwrap_or_default();
        let at = planes.iter().filter_map(|plane| {
            let about = plane.about.services.iter().find(|about| about.name == service)?;
            Some(self.excepted.at(plane, service, &about.mode_override))
        });
        at.collect()
    }

    fn dismissals(&self) -> BTreeMap<String, Dismissal> {
        self.dismissed.all()
    }

    fn dismiss(&self, ids: &[EventId], dismissed: bool, by: &Author) -> Result<usize, ControlError> {
        dismiss(&self.dismissed, ids, dismissed, by)
    }

    fn page(&self, query: &Query<'_>) -> Page {
        self.lists.page(query)
    }

    fn list_changes(&self, limit: usize) -> Vec<Change> {
        self.lists.changes(limit)
    }

    fn add(&self, entries: Vec<Entry>, by: &Author) -> Result<AddedCounts, ControlError> {
        self.lists.add(entries, by)
    }

    fn remove(&self, ids: Vec<EntryId>, by: &Author) -> Result<usize, ControlError> {
        self.lists.remove(ids, by)
    }

    fn places(&self) -> Vec<Place> {
        let place = |(service, own): (String, Vec<(String, ServiceAbout)>)| {
            let mode = weakest(&own).as_str();
            let (_, about) = own.into_iter().next()?;
            Some(Place { service, namespace: about.namespace, name: about.workload, mode })
        };
        self.known().into_iter().filter_map(place).collect()
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
