//! The Gateway API beside Ingresses: Gateways, HTTPRoutes and policies become the same table, a pure function of what was
//! observed.
//!
//! ```text
//!  GatewayClass, Gateway ──listeners──> listeners of the data plane ─┐
//!  HTTPRoute ──routes──> attached where a listener takes it          ├──> Draft, beside what Ingresses put there
//!              └─rule──> ways, services ──backends── Service, BackendTLSPolicy
//!                                       └─crate::entrances── WafProfile, Protection
//!                                                     └──> StatusOf each, as the specification says
//! ```
//!
//! What cannot be resolved is answered, never passed over: a backend that is not there by 500 for its share of requests, one
//! without endpoints by 503, a profile that is not there by 500; a listener whose clients cannot be verified serves nobody.
//! Requests belong to the nearest listener alone (listener isolation).
//!
//! Not here: watching and writing (`crate::gateway`). Source: the Gateway API 1.5; `docs/guide/gateway-api.md` has the table of
//! fields.

mod backends;
mod hosts;
mod listeners;
mod objects;
mod refs;
mod routes;
mod rule;
mod status;

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use self::backends::{Labels, TlsPolicies};
use self::objects::{ClassSpec, Read};
pub(crate) use self::refs::Maps;
use self::refs::{Authorities, Grants};
use self::routes::Routing;
use self::status::condition;
pub(crate) use self::status::{Wrong, unless};
use crate::draft::{Draft, HTTP, HTTPS};
use crate::entrances::{Profiles, Served};
use crate::ingress::backends::Backends;
use crate::ingress::readable::Readable;
use crate::ingress::secrets::{NamedFiles, Secrets};
use crate::ingress::{Report, Settings};

pub use self::objects::GROUP;
pub use self::status::StatusOf;

/// The controller that our GatewayClasses name.
pub const CONTROLLER: &str = "palisade.dev/gateway";

/// What there is of the Gateway API in the cluster, and of what its objects name.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// GatewayClasses.
    pub classes: Vec<Arc<DynamicObject>>,
    /// Gateways.
    pub gateways: Vec<Arc<DynamicObject>>,
    /// HTTPRoutes.
    pub routes: Vec<Arc<DynamicObject>>,
    /// ReferenceGrants.
    pub grants: Vec<Arc<DynamicObject>>,
    /// BackendTLSPolicies.
    pub backend_tls: Vec<Arc<DynamicObject>>,
    /// For their labels.
    pub namespaces: Vec<Arc<Namespace>>,
    /// Those with authorities (`ca.crt`) or rules.
    pub config_maps: Vec<Arc<ConfigMap>>,
    /// WafProfiles.
    pub profiles: Vec<Arc<DynamicObject>>,
    /// RuleSets.
    pub rule_sets: Vec<Arc<DynamicObject>>,
    /// Protections.
    pub protections: Vec<Arc<DynamicObject>>,
    /// Where clients find the gateway: addresses and names.
    pub addresses: Vec<String>,
}

/// What translation looks at beside the object in hand.
pub(crate) struct Context<'m, 'o> {
    pub(crate) settings: &'o Settings,
    pub(crate) backends: &'o Backends<'o>,
    pub(crate) secrets: &'o Secrets<'o>,
    pub(crate) readable: &'m mut Readable,
    pub(crate) pairs: &'m mut std::collections::HashMap<[u8; 32], Result<(), String>>,
    pub(crate) listening: &'o dyn Fn(&str) -> Value,
    namespaces: Labels,
    grants: Grants,
    maps: &'o Maps<'o>,
}

/// A listener of the data plane.
struct Door {
    name: String,
    address: String,
}

impl Context<'_, '_> {
    /// The data plane's listener for a port.
    fn door(&self, port: u16, secured: bool) -> Result<Door, String> {
        let settings = self.settings;
        let (name, address, of_tls) = if let Some(address) = settings.ports.get(&port) {
            return Ok(Door { name: format!("port-{port}"), address: address.clone() });
        } else if port == 80 {
            (HTTP, &settings.http, false)
        } else if port == settings.https_port {
            (HTTPS, &settings.https, true)
        } else {
            return Err(format!(
                "the gateway was told of no address for the port {port}: --listen {port}=ADDR"
            ));
        };
        match of_tls == secured {
            true => Ok(Door { name: name.to_owned(), address: address.clone() }),
            false => Err(format!("the port {port} is that of {}", if of_tls { "TLS" } else { "plain HTTP" })),
        }
    }

    fn listening(&self, address: &str) -> Value {
        (self.listening)(address)
    }

    fn authorities(&self) -> Authorities<'_> {
        Authorities { grants: &self.grants, maps: self.maps, secrets: self.secrets }
    }

    fn pair(&mut self, of: &(String, String)) -> Result<NamedFiles, String> {
        self.secrets.pair(of, &self.settings.checks, self.pairs)
    }
}

/// What translation is given of what others keep.
pub(crate) struct Given<'m, 'o> {
    pub(crate) settings: &'o Settings,
    pub(crate) backends: &'o Backends<'o>,
    pub(crate) secrets: &'o Secrets<'o>,
    pub(crate) readable: &'m mut Readable,
    pub(crate) pairs: &'m mut std::collections::HashMap<[u8; 32], Result<(), String>>,
    pub(crate) maps: &'o Maps<'o>,
    pub(crate) profiles: &'m mut Profiles<'o>,
    /// Takes the Gateways and HTTPRoutes that are ours.
    pub(crate) served: &'m mut Served,
    pub(crate) listening: &'o dyn Fn(&str) -> Value,
}

/// Puts what was observed into the draft, and says what becomes of each object.
pub(crate) fn translate(
    observed: &Observed,
    given: Given<'_, '_>,
    draft: &mut Draft,
    reports: &mut Vec<Report>,
) -> Vec<StatusOf> {
    let mut statuses = Vec::new();
    let mut ours = HashSet::new();
    for class in read::<ClassSpec>(&observed.classes)
        .into_iter()
        .filter(|class| class.spec.controller_name == CONTROLLER)
    {
        statuses.push(class_status(&class));
        ours.insert(class.name);
    }
    let mut gateways = read::<objects::GatewaySpec>(&observed.gateways);
    gateways.retain(|gateway| ours.contains(&gateway.spec.gateway_class_name));
    if gateways.is_empty() {
        return statuses;
    }
    let Given { settings, backends, secrets, readable, pairs, maps, profiles, served, listening } = given;
    let labels = observed.namespaces.iter().map(|namespace| {
        let meta = &namespace.metadata;
        (meta.name.clone().unwrap_or_default(), meta.labels.clone().unwrap_or_default())
    });
    let mut context = Context {
        settings,
        backends,
        secrets,
        readable,
        pairs,
        listening,
        namespaces: labels.collect(),
        grants: Grants::new(read(&observed.grants)),
        maps,
    };
    let mut gateways = listeners::open(gateways, &mut context, draft);
    let mut policies = TlsPolicies::new(read(&observed.backend_tls), &context, draft);
    let mut routing = Routing {
        context: &mut context,
        gateways: &mut gateways,
        policies: &mut policies,
        profiles,
        draft,
        reports,
    };
    for route in read::<objects::RouteSpec>(&observed.routes) {
        let Some(status) = routing.take(&route) else { continue };
        let rules = route.spec.rules.iter().filter_map(|rule| rule.name.clone()).collect();
        served.insert(("HTTPRoute", route.namespace, route.name), rules);
        statuses.push(status);
    }
    statuses.extend(policies.statuses());
    for gateway in &gateways {
        let status = gateway.status(&observed.addresses);
        let (namespace, name) = (gateway.read.namespace.clone(), gateway.read.name.clone());
        let listeners = gateway.listeners.iter().map(|listener| listener.name.clone()).collect();
        served.insert(("Gateway", namespace.clone(), name.clone()), listeners);
        statuses.push(StatusOf { kind: "Gateway", namespace, name, status });
    }
    statuses
}

/// Objects that can be read, the oldest first. The cluster's schema lets no others in.
fn read<S: serde::de::DeserializeOwned>(objects: &[Arc<DynamicObject>]) -> Vec<Read<S>> {
    let mut all: Vec<Read<S>> = objects.iter().filter_map(|object| Read::of(object).ok()).collect();
    all.sort_by(|one, other| one.age.cmp(&other.age));
    all
}

fn class_status(class: &Read<ClassSpec>) -> StatusOf {
    let wrong = class.spec.parameters_ref.as_ref().map(|_| {
        ("InvalidParameters", "parametersRef leads to nothing that is read: the gateway has flags".to_owned())
    });
    let supported = condition("SupportedVersion", true, "SupportedVersion", "", class.generation);
    let features: Vec<Value> = FEATURES.iter().map(|name| json!({"name": name})).collect();
    let status = json!({
        "conditions": [unless("Accepted", "Accepted", wrong.as_ref(), class.generation), supported],
        "supportedFeatures": features,
    });
    StatusOf { kind: "GatewayClass", namespace: String::new(), name: class.name.clone(), status }
}

/// Names of the specification's features that we have.
const FEATURES: &[&str] = &[
    "BackendTLSPolicy",
    "Gateway",
    "GatewayBackendClientCertificate",
    "GatewayFrontendClientCertificateValidation",
    "GatewayFrontendClientCertificateValidationInsecureFallback",
    "GatewayHTTPListenerIsolation",
    "HTTPRoute",
    "HTTPRoute303RedirectStatusCode",
    "HTTPRoute307RedirectStatusCode",
    "HTTPRoute308RedirectStatusCode",
    "HTTPRouteBackendProtocolH2C",
    "HTTPRouteBackendRequestHeaderModification",
    "HTTPRouteBackendTimeout",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRouteParentRefPort",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestTimeout",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteSchemeRedirect",
    "ReferenceGrant",
];
