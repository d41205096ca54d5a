//! HTTPRoutes: to which listeners they belong, what their rules come to, and what is said of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::backends::{Leads, TlsPolicies, backend};
use super::hosts::{meet, pattern};
use super::listeners::{Gateway, is_nearest};
use super::objects::{GROUP, ParentRef, Read, RouteSpec, Rule};
use super::rule::{Shaped, response_time, ways};
use super::status::{StatusOf, Wrong, unless};
use super::{CONTROLLER, Context};
use crate::draft::{Draft, Way, short};
use crate::entrances::{Inspected, Profiles};
use crate::ingress::table::is_host;
use crate::ingress::{Object, Report};

/// A place where a route is attached.
struct Place {
    gateway: usize,
    listener: usize,
    hosts: Vec<String>,
}

/// A rule, but for what its listeners add.
struct Plan {
    /// The rule's, if it has one.
    name: Option<String>,
    /// What its services are called before anything else.
    stem: String,
    ways: Vec<Way>,
    shaped: Shaped,
    backends: Vec<Backend>,
    /// Requests of the whole rule are answered: what would inspect them is not there.
    closed: Option<u16>,
}

struct Backend {
    name: String,
    leads: Leads,
    shaped: Shaped,
    weight: u32,
    inspected: Option<Inspected>,
}

/// Everything that routes are translated with.
pub(super) struct Routing<'r, 'c, 'o> {
    pub(super) context: &'r mut Context<'c, 'o>,
    pub(super) gateways: &'r mut [Gateway],
    pub(super) policies: &'r mut TlsPolicies,
    pub(super) profiles: &'r mut Profiles<'o>,
    pub(super) draft: &'r mut Draft,
    pub(super) reports: &'r mut Vec<Report>,
}

impl Routing<'_, '_, '_> {
    /// Takes a route in. Its status, if any Gateway of ours is a parent of it.
    pub(super) fn take(&mut self, route: &Read<RouteSpec>) -> Option<StatusOf> {
        let mut parents: Vec<(&ParentRef, Vec<Place>, Option<Wrong>)> = Vec::new();
        for parent in &route.spec.parent_refs {
            let Some(gateway) = self.gateway_of(route, parent) else { continue };
            let (places, wrong) = self.attach(route, parent, gateway);
            parents.push((parent, places, wrong));
        }
        if parents.is_empty() {
            return None;
        }
        let behind: BTreeSet<(String, String)> = parents
            .iter()
            .flat_map(|(_, places, _)| places)
            .map(|place| &self.gateways[place.gateway].read)
            .map(|gateway| (gateway.namespace.clone(), gateway.name.clone()))
            .collect();
        let mut unresolved = None;
        let mut plans = Vec::new();
        let odd =
            route.spec.hostnames.iter().find(|host| host.is_empty() || !is_host(&host.to_ascii_lowercase()));
        let mut refused =
            odd.map(|odd| ("UnsupportedValue", format!("`{}` is no hostname", odd.escape_debug())));
        for (number, rule) in route.spec.rules.iter().enumerate() {
            match self.plan(route, number, rule, &behind, &mut unresolved) {
                Ok(plan) => plans.push(plan),
                Err(wrong) => refused = refused.or(Some(wrong)),
            }
        }
        if refused.is_none() {
            // Two parents may lead to one listener: it takes a route once.
            let mut seen = BTreeSet::new();
            for place in parents.iter().flat_map(|(_, places, _)| places) {
                if seen.insert((place.gateway, place.listener)) {
                    self.gateways[place.gateway].listeners[place.listener].attached += 1;
                    self.place(route, place, &plans);
                }
            }
        }
        let generation = route.generation;
        let parents: Vec<Value> = parents
            .iter()
            .map(|(parent, _, wrong)| {
                let accepted = wrong.as_ref().or(refused.as_ref());
                json!({
                    "parentRef": echoed(parent), "controllerName": CONTROLLER,
                    "conditions": [
                        unless("Accepted", "Accepted", accepted, generation),
                        unless("ResolvedRefs", "ResolvedRefs", unresolved.as_ref(), generation),
                    ],
                })
            })
            .collect();
        let (namespace, name) = (route.namespace.clone(), route.name.clone());
        Some(StatusOf { kind: "HTTPRoute", namespace, name, status: json!({"parents": parents}) })
    }

    fn gateway_of(&self, route: &Read<RouteSpec>, parent: &ParentRef) -> Option<usize> {
        let ours = parent.group.as_deref().unwrap_or(GROUP) == GROUP
            && parent.kind.as_deref().unwrap_or("Gateway") == "Gateway";
        let namespace = parent.namespace.as_deref().unwrap_or(&route.namespace);
        let is = |gateway: &Gateway| gateway.read.namespace == namespace && gateway.read.name == parent.name;
        self.gateways.iter().position(is).filter(|_| ours)
    }

    /// Where a route is attached by one of its parents, or why nowhere.
    fn attach(&self, route: &Read<RouteSpec>, parent: &ParentRef, at: usize) -> (Vec<Place>, Option<Wrong>) {
        let gateway = &self.gateways[at];
        let named = gateway.listeners.iter().enumerate().filter(|(_, listener)| {
            parent.section_name.as_ref().is_none_or(|name| *name == listener.name)
                && parent.port.is_none_or(|port| port == listener.port)
        });
        let named: Vec<_> = named.collect();
        let labels = self.context.namespaces.get(&route.namespace);
        let allowed: Vec<_> = named
            .iter()
            .filter(|(_, listener)| listener.allows(&gateway.read.namespace, &route.namespace, labels))
            .collect();
        let places: Vec<Place> = allowed
            .iter()
            .map(|(index, listener)| {
                let hosts = meet(Some(&listener.host), &route.spec.hostnames);
                Place { gateway: at, listener: *index, hosts }
            })
            .filter(|place| !place.hosts.is_empty())
            .collect();
        let wrong = if named.is_empty() {
            Some(("NoMatchingParent", "the Gateway has no such listener".to_owned()))
        } else if allowed.is_empty() {
            Some(("NotAllowedByListeners", "no listener takes routes of this kind and namespace".to_owned()))
        } else if places.is_empty() {
            Some(("NoMatchingListenerHostname", "no listener has any of its hostnames".to_owned()))
        } else {
            None
        };
        (places, wrong)
    }

    fn plan(
        &mut self,
        route: &Read<RouteSpec>,
        number: usize,
        rule: &Rule,
        behind: &BTreeSet<(String, String)>,
        unresolved: &mut Option<Wrong>,
    ) -> Result<Plan, Wrong> {
        if rule.retry.is_some() || rule.session_persistence.is_some() {
            return Err(("UnsupportedValue", "retry and sessionPersistence are not known here".to_owned()));
        }
        let (ways, shaped) = (ways(rule)?, Shaped::of(&rule.filters, None)?);
        let time = response_time(rule)?;
        let mut closed = None;
        let mut note = |wrong: Wrong| *unresolved = unresolved.take().or(Some(wrong));
        if let Some(extension) = &shaped.extension
            && let Err(wrong) = self.profiles.named(&route.namespace, extension, self.draft)
        {
            note(wrong);
            closed = Some(500);
        }
        let mut backends = Vec::new();
        for (at, told) in rule.backend_refs.iter().enumerate() {
            let own = Shaped::of(&told.filters, Some(&shaped.without_extension()))?;
            let (mut leads, wrong) = backend(told, &route.namespace, behind, self.context, self.policies);
            wrong.into_iter().for_each(&mut note);
            if let (Leads::Upstream(upstream), Some(time)) = (&mut leads, &time) {
                upstream["response"] = json!(time);
            }
            let extension = own.extension.as_ref().or(shaped.extension.as_ref());
            let inspected =
                match extension.map(|named| self.profiles.named(&route.namespace, named, self.draft)) {
                    None => None,
                    Some(Ok(inspected)) => Some(inspected),
                    Some(Err(wrong)) => {
                        note(wrong);
                        leads = Leads::Answer(500);
                        None
                    }
                };
            let name = short(format!("{}.{}.{number}.{at}.{}", route.namespace, route.name, told.name));
            let weight = told.weight.unwrap_or(1);
            backends.push(Backend { name, leads, shaped: own, weight, inspected });
        }
        let stem = format!("{}.{}.{number}", route.namespace, route.name);
        let plan = Plan { name: rule.name.clone(), stem, ways, shaped, backends, closed };
        self.check(&plan)?;
        Ok(plan)
    }

    /// What the data plane's reader would not take.
    fn check(&mut self, plan: &Plan) -> Result<(), Wrong> {
        for way in &plan.ways {
            let mut services = Vec::new();
            for (_, mut service, _) in services_of(plan, way, false, 80)? {
                service["name"] = json!(format!("s{}", services.len()));
                services.push(service);
            }
            let routes: Vec<Value> = services
                .iter()
                .map(|service| {
                    let mut way = way.clone();
                    way.more.clear();
                    way.route(
                        None,
                        service["name"].as_str().unwrap_or_default(),
                        (services.len() > 1).then_some(1),
                    )
                })
                .collect();
            if let Some(wrong) = self.context.readable.wrong_with(&services, &routes) {
                return Err(("UnsupportedValue", wrong));
            }
        }
        Ok(())
    }

    fn place(&mut self, route: &Read<RouteSpec>, place: &Place, plans: &[Plan]) {
        let gateway = &self.gateways[place.gateway];
        let listener = &gateway.listeners[place.listener];
        if !listener.serves {
            return;
        }
        let (on, secured, port) = (listener.on.clone(), listener.secured, listener.port);
        let hosts: Vec<&String> =
            place.hosts.iter().filter(|host| is_nearest(self.gateways, listener, host)).collect();
        let identity = gateway.identity.as_ref().and_then(|identity| identity.as_ref().ok());
        let identity = identity.map(|files| json!({"cert": files[0].0, "key": files[1].0}));
        let of_gateway = (gateway.read.namespace.clone(), gateway.read.name.clone(), listener.name.clone());
        let mut unprotected = None;
        let mut lost = Vec::new();
        for plan in plans {
            let inspected = self.profiles.protecting(
                (&route.namespace, &route.name, plan.name.as_deref()),
                (&of_gateway.0, &of_gateway.1, &of_gateway.2),
                self.draft,
            );
            unprotected = unprotected.or(inspected.as_ref().err().cloned());
            for way in &plan.ways {
                // What was checked can be made.
                let Ok(services) = services_of(plan, way, secured, port) else { continue };
                let mut to = Vec::new();
                for (at, (base, mut service, weight)) in services.into_iter().enumerate() {
                    if service.get("upstream").is_some() {
                        let own = plan.backends.iter().filter(|backend| backend.weight > 0).nth(at);
                        let own = own.and_then(|backend| backend.inspected.as_ref());
                        match (own, &inspected) {
                            (Some(own), _) | (None, Ok(own)) => own.inspect(&mut service),
                            // What would protect it cannot: nobody gets past.
                            (None, Err(_)) => service = json!({"answer": {"status": 500}}),
                        }
                    }
                    if let (Some(identity), Some(tls)) = (&identity, service.pointer_mut("/upstream/tls")) {
                        tls["clientCert"] = identity.clone();
                    }
                    let name = self.draft.service(base, &way.path, service);
                    to.push((name, weight));
                }
                for host in &hosts {
                    let way = Way { host: pattern(host), ..way.clone() };
                    if !self.draft.lead(Some(&on), &way, &to) {
                        lost.push(format!("{}{}", if host.is_empty() { "*" } else { host }, way.path));
                    }
                }
            }
        }
        let object = || Object {
            kind: "HTTPRoute",
            namespace: route.namespace.clone(),
            name: route.name.clone(),
            uid: String::new(),
        };
        if let Some(first) = lost.first() {
            let message = format!("an older object takes {first} and {} more", lost.len() - 1);
            self.reports.push(Report { object: object(), reason: "PathTaken", message, served: false });
        }
        if let Some((reason, why)) = unprotected {
            let message = format!("its requests are answered with 500: {why}");
            self.reports.push(Report { object: object(), reason, message, served: false });
        }
    }
}

/// The services of a rule for one of its matches: names, what they are, and their weights where there are several.
fn services_of(
    plan: &Plan,
    way: &Way,
    secured: bool,
    port: u16,
) -> Result<Vec<(String, Value, Option<u32>)>, Wrong> {
    let answer = |status: u16| (format!("answer-{status}"), json!({"answer": {"status": status}}));
    if let Some(status) = plan.closed {
        let (name, service) = answer(status);
        return Ok(vec![(name, service, None)]);
    }
    if let Some(redirect) = &plan.shaped.redirect {
        let service = plan.shaped.elsewhere(redirect, way, secured, port)?;
        return Ok(vec![(short(format!("{}.redirect", plan.stem)), service, None)]);
    }
    let alive: Vec<&Backend> = plan.backends.iter().filter(|backend| backend.weight > 0).collect();
    if alive.is_empty() {
        let (name, service) = answer(500);
        return Ok(vec![(name, service, None)]);
    }
    let shares = alive.len() > 1;
    alive
        .into_iter()
        .map(|backend| {
            let (name, service) = match &backend.leads {
                Leads::Answer(status) => answer(*status),
                Leads::Upstream(upstream) => {
                    let mut service = json!({"upstream": upstream});
                    backend.shaped.shape(&mut service, way)?;
                    (backend.name.clone(), service)
                }
            };
            Ok((name, service, shares.then_some(backend.weight.min(WEIGHT_MAX))))
        })
        .collect()
}

/// The API's own bound.
const WEIGHT_MAX: u32 = 1_000_000;

/// A parent as the route names it.
fn echoed(parent: &ParentRef) -> Value {
    let mut value = json!({
        "group": parent.group.as_deref().unwrap_or(GROUP), "kind": parent.kind.as_deref().unwrap_or("Gateway"),
        "name": parent.name,
    });
    if let Some(namespace) = &parent.namespace {
        value["namespace"] = json!(namespace);
    }
    if let Some(section) = &parent.section_name {
        value["sectionName"] = json!(section);
    }
    if let Some(port) = parent.port {
        value["port"] = json!(port);
    }
    value
}
