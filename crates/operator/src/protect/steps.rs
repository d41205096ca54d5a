//! What is to be done next about one Service, from what is there: the way to the pool, and the way back.
//!
//! ```text
//!  pods <-- Service                      as it was
//!  pods <-- Service,  pods <-- shadow    the shadow follows the pods, and the pool learns them from it
//!  pods <-- Service --> pool             our slices beside the controller's: half of the connections are inspected
//!           Service --> pool             without selector; its left-over slice and the mirrored one are cleared
//! ```
//!
//! and the same backwards. Nothing is remembered between steps: each is decided by the objects alone, so that whoever is
//! interrupted anywhere goes on from there. The one rule behind the order: what clients are sent to is taken away only while
//! something else that can answer them is there.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::endpoints::{Keeper, Seen, Slice, ready_by_port};
use super::names::{Key, ORIGINAL_SELECTOR, annotation};
use super::pool::Pool;
use super::shapes::{Selector, Way, is_shadow, shadow};

/// One Service and what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The Service.
    pub service: &'a Service,
    /// All its EndpointSlices, whoever keeps them.
    pub slices: &'a [&'a Slice],
    /// Its shadow.
    pub shadow: Option<&'a Service>,
    /// The EndpointSlices of its shadow.
    pub shadow_slices: &'a [&'a Slice],
}

/// What is to become of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Its connections go to the pool: to these of the pool's ports, by the names of its own.
    Protect(BTreeMap<String, u16>),
    /// They go to its pods.
    Restore {
        /// Whether nobody talks through the pool any more, so that the pool need not know the pods.
        drained: bool,
    },
}

/// A write. Those that take something away name what they saw, and fail where that has changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The shadow is made, or made to be so.
    ApplyShadow(Box<Service>),
    /// A slice of ours is made, or made to be so.
    ApplySlice(Box<EndpointSlice>),
    /// The Service loses its selector, which is written down in its annotation.
    TakeSelector {
        /// The Service.
        service: Key,
        /// As it was seen.
        resource_version: String,
        /// What it had.
        selector: Selector,
    },
    /// The Service gets its selector back.
    RestoreSelector {
        /// The Service.
        service: Key,
        /// As it was seen.
        resource_version: String,
        /// What it had.
        selector: Selector,
    },
    /// What was written down of the selector is set right, or removed.
    WriteDown {
        /// The Service.
        service: Key,
        /// As it was seen.
        resource_version: String,
        /// What is written down.
        selector: Option<Selector>,
    },
    /// The Endpoints object of the Service goes, which nobody keeps any more, and which is mirrored otherwise.
    DeleteEndpoints(Key),
    /// A slice goes.
    DeleteSlice(Seen),
    /// The shadow goes.
    DeleteShadow(Seen),
}

/// Where a Service stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing of ours is about it.
    Off,
    /// It is on its way to the pool, and waits for something where it says so.
    Preparing(Option<Waiting>),
    /// All new connections go to the pool.
    Protected,
    /// All new connections go to the pool, of which nobody is ready.
    PoolAway,
    /// It is on its way back, and waits for something where it says so.
    Restoring(Option<Waiting>),
    /// New connections go to its pods; the pool still serves those it has.
    Draining,
    /// Its selector is gone and nobody wrote it down.
    Lost,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// For a data plane of the pool that is ready, and has an address of a family of the Service's.
    Pool,
    /// For the pool to serve this port of the Service.
    PoolPort(String),
    /// For the cluster to find the pods by the shadow, for this port.
    Shadow(String),
    /// For the cluster to find the pods by the Service, for this port.
    Pods(String),
}

/// What to do, in this order, until one fails; then everything is looked at anew.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// Writes. None: nothing, until something changes.
    pub steps: Vec<Step>,
    /// Where it stands before them.
    pub stage: Stage,
    /// Somebody gave the Service a selector while we keep it: what may do so again and again.
    pub contested: bool,
}

/// What is to be done next.
pub fn next(view: &View<'_>, wish: &Wish, pool: &Pool) -> Next {
    let there = There::of(view);
    match wish {
        Wish::Protect(ports) => there.protect(view, ports, pool),
        Wish::Restore { drained } => there.restore(view, *drained),
    }
}

/// Whether anything of ours is about a Service.
pub fn is_touched(view: &View<'_>) -> bool {
    view.shadow.is_some()
        || annotation(&view.service.metadata, ORIGINAL_SELECTOR).is_some()
        || view.slices.iter().any(|slice| slice.keeper == Keeper::Us)
}

struct There<'a> {
    service: Key,
    version: String,
    /// What the Service has, where it has any.
    selector: Option<&'a Selector>,
    /// What was written down.
    written: Option<Selector>,
    ours: Vec<&'a Slice>,
    /// Of the cluster's controllers.
    theirs: Vec<&'a Slice>,
}

impl<'a> There<'a> {
    fn of(view: &View<'a>) -> Self {
        let is = |wanted: fn(Keeper) -> bool| {
            view.slices.iter().copied().filter(move |slice| wanted(slice.keeper)).collect::<Vec<_>>()
        };
        let selector = view.service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        let written = annotation(&view.service.metadata, ORIGINAL_SELECTOR);
        Self {
            service: Key::of(&view.service.metadata),
            version: view.service.metadata.resource_version.clone().unwrap_or_default(),
            selector: selector.filter(|selector| !selector.is_empty()),
            written: written
                .and_then(|text| serde_json::from_str(text).ok())
                .filter(|text: &Selector| !text.is_empty()),
            ours: is(|keeper| keeper == Keeper::Us),
            theirs: is(|keeper| matches!(keeper, Keeper::Controller | Keeper::Mirror)),
        }
    }

    /// What the Service selects, or did.
    fn original(&self, view: &View<'_>) -> Option<Selector> {
        let of_shadow =
            || view.shadow?.spec.as_ref()?.selector.clone().filter(|selector| !selector.is_empty());
        self.selector.cloned().or_else(|| self.written.clone()).or_else(of_shadow)
    }

    fn protect(&self, view: &View<'_>, ports: &BTreeMap<String, u16>, pool: &Pool) -> Next {
        let Some(original) = self.original(view) else { return Next::wait(Stage::Lost) };
        let taken = self.selector.is_none();
        let contested = self.selector.is_some() && self.written.is_some();
        let at = |steps: Vec<Step>, stage: Stage| Next { steps, stage, contested };
        let wanted_shadow = shadow(view.service, &original);
        if !view.shadow.is_some_and(|there| is_shadow(there, &wanted_shadow)) {
            return at(vec![Step::ApplyShadow(Box::new(wanted_shadow))], Stage::Preparing(None));
        }
        // Before the first cut every port has to be served; later ones join when they are.
        let ready_pods = ready_by_port(view.shadow_slices.iter().copied());
        let ready_here = ready_by_port(self.theirs.iter().copied());
        let held = ours_by_port(&self.ours);
        let mut served = BTreeMap::new();
        let mut waits = None;
        for name in port_names(view.service) {
            let of_pool = ports.get(&name).copied();
            let here = ready_here.get(&*name).is_some_and(|ready| !ready.is_empty());
            let found = ready_pods.get(&*name).is_some_and(|ready| !ready.is_empty());
            let known = of_pool.and_then(|port| pool.in_force.get(&port)).copied();
            if !taken && here && !found {
                waits = waits.or(Some(Waiting::Shadow(name.clone())));
            }
            match (of_pool, known) {
                (Some(port), Some(endpoints)) if endpoints > 0 || !(here || found) => {
                    served.insert(name, port);
                }
                // Clients are sent there already: it is not taken from them while the pool comes back.
                (Some(port), _) if held.get(&name) == Some(&port) => {
                    served.insert(name, port);
                }
                _ => waits = waits.or(Some(Waiting::PoolPort(name))),
            }
        }
        let way = Way { of: view.service, pool, ports: &served };
        let wanted: Vec<(&str, String)> =
            way.families().map(|family| (family, way.slice_name(family))).collect();
        if wanted.is_empty() {
            let stage = if taken { Stage::PoolAway } else { Stage::Preparing(Some(Waiting::Pool)) };
            return at(self.write_down(taken, &original).into_iter().collect(), stage);
        }
        if !taken && let Some(waits) = waits {
            return at(Vec::new(), Stage::Preparing(Some(waits)));
        }
        let mut steps = Vec::new();
        for (family, name) in &wanted {
            if !self.ours.iter().any(|there| there.name() == name && way.is_led_by(there, family)) {
                steps.push(Step::ApplySlice(Box::new(way.slice(family))));
            }
        }
        if !taken {
            steps.push(Step::TakeSelector {
                service: self.service.clone(),
                resource_version: self.version.clone(),
                selector: original,
            });
            return at(steps, Stage::Preparing(None));
        }
        steps.extend(self.write_down(taken, &original));
        if !steps.is_empty() {
            let stage = match waits {
                None if self.theirs.is_empty() => Stage::Protected,
                waits => Stage::Preparing(waits),
            };
            return at(steps, stage);
        }
        // Ours lead to the pool, and nothing writes theirs any more.
        let surplus = self.ours.iter().filter(|there| !wanted.iter().any(|(_, name)| name == there.name()));
        let left_over: Vec<_> = self.theirs.iter().chain(surplus).map(|slice| slice.seen.clone()).collect();
        if !self.theirs.is_empty() {
            steps.push(Step::DeleteEndpoints(self.service.clone()));
        }
        steps.extend(left_over.into_iter().map(Step::DeleteSlice));
        let stage = match waits {
            Some(waits) => Stage::Preparing(Some(waits)),
            None if steps.is_empty() => Stage::Protected,
            None => Stage::Preparing(None),
        };
        at(steps, stage)
    }

    /// What a Service without a selector had is in its annotation.
    fn write_down(&self, taken: bool, original: &Selector) -> Option<Step> {
        (taken && self.written.as_ref() != Some(original)).then(|| Step::WriteDown {
            service: self.service.clone(),
            resource_version: self.version.clone(),
            selector: Some(original.clone()),
        })
    }

    fn restore(&self, view: &View<'_>, drained: bool) -> Next {
        if !is_touched(view) {
            return Next::wait(Stage::Off);
        }
        if self.selector.is_none() {
            let Some(selector) = self.original(view) else { return Next::wait(Stage::Lost) };
            let (service, resource_version) = (self.service.clone(), self.version.clone());
            let step = Step::RestoreSelector { service, resource_version, selector };
            return Next::todo(vec![step], Stage::Restoring(None));
        }
        if annotation(&view.service.metadata, ORIGINAL_SELECTOR).is_some() {
            let (service, resource_version) = (self.service.clone(), self.version.clone());
            let step = Step::WriteDown { service, resource_version, selector: None };
            return Next::todo(vec![step], Stage::Restoring(None));
        }
        if !self.ours.is_empty() {
            let controllers = self.theirs.iter().copied().filter(|slice| slice.keeper == Keeper::Controller);
            let ready_here = ready_by_port(controllers);
            for (name, ready) in ready_by_port(view.shadow_slices.iter().copied()) {
                if !ready.is_empty() && ready_here.get(name).is_none_or(|here| here.is_empty()) {
                    return Next::wait(Stage::Restoring(Some(Waiting::Pods(name.to_owned()))));
                }
            }
            // Without a shadow nobody but the controller knows whether there are pods.
            if view.shadow.is_none() && ready_here.is_empty() {
                return Next::wait(Stage::Restoring(Some(Waiting::Pods(String::new()))));
            }
            let steps = self.ours.iter().map(|slice| Step::DeleteSlice(slice.seen.clone())).collect();
            return Next::todo(steps, Stage::Restoring(None));
        }
        match view.shadow {
            Some(shadow) if drained => {
                let meta = &shadow.metadata;
                let (uid, resource_version) = (meta.uid.clone(), meta.resource_version.clone());
                let seen = Seen { key: Key::of(meta), uid, resource_version };
                Next::todo(vec![Step::DeleteShadow(seen)], Stage::Draining)
            }
            Some(_) => Next::wait(Stage::Draining),
            None => Next::wait(Stage::Off),
        }
    }
}

impl Next {
    fn wait(stage: Stage) -> Self {
        Self::todo(Vec::new(), stage)
    }

    fn todo(steps: Vec<Step>, stage: Stage) -> Self {
        Self { steps, stage, contested: false }
    }
}

/// The names of a Service's ports.
pub(super) fn port_names(service: &Service) -> impl Iterator<Item = String> {
    let name = |port: &ServicePort| port.name.clone().unwrap_or_default();
    service.spec.iter().flat_map(|spec| spec.ports.iter().flatten()).map(name)
}

/// Where our slices lead, by the names of a Service's ports.
pub(super) fn ours_by_port(ours: &[&Slice]) -> BTreeMap<String, u16> {
    let ports = ours.iter().flat_map(|slice| &slice.ports);
    ports.filter_map(|port| Some((port.name.to_string(), port.number?))).collect()
}
