//! Gateways of our class, and what becomes of their listeners.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::hosts::{nearness, pattern};
use super::objects::{AllowedRoutes, GROUP, GatewaySpec, ListenerSpec, Read, Selector, Validation};
use super::refs::authority_file;
use super::status::{Wrong, condition, unless};
use super::{Context, Door};
use crate::draft::{Draft, Way};
use crate::ingress::secrets::NamedFiles;
use crate::ingress::table::is_host;

/// A Gateway of ours.
pub(super) struct Gateway {
    pub(super) read: Read<GatewaySpec>,
    pub(super) listeners: Vec<Listener>,
    /// The certificate that is shown to services over TLS, or why there is none.
    pub(super) identity: Option<Result<NamedFiles, Wrong>>,
}

/// A listener of a Gateway.
pub(super) struct Listener {
    pub(super) name: String,
    pub(super) port: u16,
    /// In lower case; empty is any.
    pub(super) host: String,
    pub(super) secured: bool,
    /// The data plane's listener; empty where there is none.
    pub(super) on: String,
    pub(super) attached: usize,
    routes: Allowed,
    conflict: Option<Wrong>,
    refused: Option<Wrong>,
    unresolved: Option<Wrong>,
    /// Whether anybody is served.
    pub(super) serves: bool,
}

/// Which routes may come.
struct Allowed {
    from: String,
    selector: Selector,
    http: bool,
}

impl Allowed {
    fn of(spec: &ListenerSpec) -> (Self, Option<Wrong>) {
        let told = spec.allowed_routes.clone().unwrap_or_default();
        let AllowedRoutes { namespaces, kinds } = told;
        let known = |kind: &&super::objects::RouteKind| {
            kind.group.as_deref().unwrap_or(GROUP) == GROUP && kind.kind == "HTTPRoute"
        };
        let http = kinds.is_empty() || kinds.iter().any(|kind| known(&kind));
        let wrong = kinds.iter().find(|kind| !known(kind)).map(|kind| {
            ("InvalidRouteKinds", format!("routes of kind {} are not taken here: HTTPRoute is", kind.kind))
        });
        let from =
            namespaces.as_ref().and_then(|told| told.from.clone()).unwrap_or_else(|| "Same".to_owned());
        let selector = namespaces.and_then(|told| told.selector).unwrap_or_default();
        (Self { from, selector, http }, wrong)
    }
}

impl Listener {
    /// Whether an HTTPRoute of a namespace may come.
    pub(super) fn allows(
        &self,
        own: &str,
        namespace: &str,
        labels: Option<&BTreeMap<String, String>>,
    ) -> bool {
        self.routes.http
            && match self.routes.from.as_str() {
                "All" => true,
                "Same" => own == namespace,
                "Selector" => labels.is_some_and(|labels| self.routes.selector.matches(labels)),
                _ => false,
            }
    }

    fn status(&self, generation: i64) -> Value {
        // What a protocol that is not spoken could carry is not known here.
        let spoken = self.refused.as_ref().is_none_or(|(reason, _)| *reason != "UnsupportedProtocol");
        let http = self.routes.http && spoken;
        let kinds = if http { json!([{"group": GROUP, "kind": "HTTPRoute"}]) } else { json!([]) };
        let conflicted = match &self.conflict {
            Some((reason, message)) => condition("Conflicted", true, reason, message.clone(), generation),
            None => condition("Conflicted", false, "NoConflicts", "", generation),
        };
        let refused = self.refused.as_ref().or(self.conflict.as_ref());
        let not = ("Invalid", "it serves nobody: see the other conditions".to_owned());
        json!({
            "name": self.name, "supportedKinds": kinds, "attachedRoutes": self.attached,
            "conditions": [
                unless("Accepted", "Accepted", refused, generation),
                unless("Programmed", "Programmed", (!self.serves).then_some(&not), generation),
                unless("ResolvedRefs", "ResolvedRefs", self.unresolved.as_ref(), generation),
                conflicted,
            ],
        })
    }
}

impl Gateway {
    /// `status`, without times.
    pub(super) fn status(&self, addresses: &[String]) -> Value {
        let generation = self.read.generation;
        let serving = self.listeners.iter().filter(|listener| listener.serves).count();
        let all = serving == self.listeners.len();
        let told = self.read.spec.addresses.iter();
        let odd = told
            .clone()
            .find(|told| !matches!(told.kind.as_deref().unwrap_or("IPAddress"), "IPAddress" | "Hostname"));
        let foreign = told.filter_map(|told| told.value.as_ref()).find(|value| !addresses.contains(value));
        let accepted = match odd {
            Some(odd) => {
                let message =
                    format!("addresses of type {} cannot be had", odd.kind.as_deref().unwrap_or_default());
                condition("Accepted", false, "UnsupportedAddress", message, generation)
            }
            None if all => condition("Accepted", true, "Accepted", "", generation),
            None => {
                let message = "some listeners are not as they should be: see their conditions";
                condition("Accepted", serving > 0, "ListenersNotValid", message, generation)
            }
        };
        let programmed = if let Some(foreign) = foreign {
            condition(
                "Programmed",
                false,
                "AddressNotUsable",
                format!("{foreign} is no address of the gateway"),
                generation,
            )
        } else if addresses.is_empty() {
            let message = "the gateway was told of no address: --publish-service or --publish-address";
            condition("Programmed", false, "AddressNotAssigned", message, generation)
        } else if serving == 0 {
            condition("Programmed", false, "Invalid", "no listener serves anybody", generation)
        } else {
            condition("Programmed", true, "Programmed", "", generation)
        };
        let addresses: Vec<Value> = addresses
            .iter()
            .map(|address| {
                let kind = if address.parse::<std::net::IpAddr>().is_ok() { "IPAddress" } else { "Hostname" };
                json!({"type": kind, "value": address})
            })
            .collect();
        let listeners: Vec<Value> =
            self.listeners.iter().map(|listener| listener.status(generation)).collect();
        let mut conditions = vec![accepted, programmed];
        if let Some(identity) = &self.identity {
            let wrong = identity.as_ref().err();
            conditions.push(unless("ResolvedRefs", "ResolvedRefs", wrong, generation));
        }
        if self.falls_back() {
            let message = "clients come in without a certificate that is good: AllowInsecureFallback";
            conditions.push(condition(
                "InsecureFrontendValidationMode",
                true,
                "ConfigurationChanged",
                message,
                generation,
            ));
        }
        json!({"conditions": conditions, "listeners": listeners, "addresses": addresses})
    }

    /// Whether a port of it lets clients in whose certificates are not good.
    fn falls_back(&self) -> bool {
        let frontend = self.read.spec.tls.as_ref().and_then(|tls| tls.frontend.as_ref());
        let ports = frontend.iter().flat_map(|told| told.per_port.iter().map(|own| &own.tls));
        let mut all = ports.chain(frontend.iter().filter_map(|told| told.default.as_ref()));
        all.any(|tls| tls.validation.as_ref().is_some_and(|told| told.mode.as_deref() == Some(FALLBACK)))
    }
}

/// Opens the listeners of Gateways, the oldest first, as far as they can be.
pub(super) fn open(
    gateways: Vec<Read<GatewaySpec>>,
    context: &mut Context<'_, '_>,
    draft: &mut Draft,
) -> Vec<Gateway> {
    let mut opened: Vec<Gateway> = Vec::new();
    // By port: whether it is secured, and whose clients it asks for what.
    let mut ports: BTreeMap<u16, (bool, Option<Value>)> = BTreeMap::new();
    for read in gateways {
        let mut listeners: Vec<Listener> = Vec::new();
        for spec in &read.spec.listeners {
            let (routes, unresolved) = Allowed::of(spec);
            let host = spec.hostname.clone().unwrap_or_default().to_ascii_lowercase();
            let (name, port, secured) = (spec.name.clone(), spec.port, spec.protocol == "HTTPS");
            let refused = (!secured && spec.protocol != "HTTP").then(|| {
                ("UnsupportedProtocol", format!("{} is not spoken here: HTTP and HTTPS are", spec.protocol))
            });
            let refused = refused.or_else(|| {
                let odd = (!is_host(&host)).then(|| format!("`{}` is no hostname", host.escape_debug()));
                odd.map(|odd| ("UnsupportedValue", odd))
            });
            listeners.push(Listener {
                conflict: conflict(&read.spec.listeners, spec),
                on: String::new(),
                attached: 0,
                serves: false,
                name,
                port,
                host,
                secured,
                routes,
                refused,
                unresolved,
            });
        }
        for (listener, spec) in listeners.iter_mut().zip(&read.spec.listeners) {
            listener.conflict = listener.conflict.take().or_else(|| taken(&opened, &ports, listener));
            open_one(&read, listener, spec, &mut ports, context, draft);
        }
        let identity = identity(&read, context);
        if let Some(Ok(files)) = &identity {
            draft.files.extend(files.iter().cloned());
        }
        opened.push(Gateway { read, listeners, identity });
    }
    for listener in opened.iter().flat_map(|gateway| &gateway.listeners).filter(|listener| listener.serves) {
        let nobody = draft.service("answer-404".to_owned(), "", json!({"answer": {"status": 404}}));
        draft.fall_back(Some(&listener.on), Way::below(&pattern(&listener.host), "/"), nobody);
    }
    opened
}

/// What else in the same Gateway wants the same.
fn conflict(all: &[ListenerSpec], one: &ListenerSpec) -> Option<Wrong> {
    let lower = |host: &Option<String>| host.as_deref().unwrap_or_default().to_ascii_lowercase();
    let others = || all.iter().filter(|other| other.name != one.name && other.port == one.port);
    if let Some(other) = others().find(|other| other.protocol != one.protocol) {
        let message = format!("{} speaks {} on the same port", other.name, other.protocol);
        return Some(("ProtocolConflict", message));
    }
    let other = others().find(|other| lower(&other.hostname) == lower(&one.hostname))?;
    Some(("HostnameConflict", format!("{} has the same port and host", other.name)))
}

/// What an older Gateway has.
fn taken(opened: &[Gateway], ports: &BTreeMap<u16, (bool, Option<Value>)>, one: &Listener) -> Option<Wrong> {
    if ports.get(&one.port).is_some_and(|(secured, _)| *secured != one.secured) {
        return Some(("ProtocolConflict", "an older Gateway speaks another protocol on the port".to_owned()));
    }
    let all = opened.iter().flat_map(|gateway| &gateway.listeners).filter(|listener| listener.serves);
    let same = all.into_iter().any(|other| other.port == one.port && other.host == one.host);
    same.then(|| ("HostnameConflict", "an older Gateway has the same port and host".to_owned()))
}

fn open_one(
    gateway: &Read<GatewaySpec>,
    listener: &mut Listener,
    spec: &ListenerSpec,
    ports: &mut BTreeMap<u16, (bool, Option<Value>)>,
    context: &mut Context<'_, '_>,
    draft: &mut Draft,
) {
    let certificates =
        if listener.secured { certificates(gateway, listener, spec, context) } else { Vec::new() };
    let clients = if listener.secured { clients(gateway, listener, context) } else { None };
    if listener.refused.is_some() || listener.conflict.is_some() {
        return;
    }
    let door = match context.door(listener.port, listener.secured) {
        Ok(door) => door,
        Err(why) => {
            listener.refused = Some(("PortUnavailable", why));
            return;
        }
    };
    let (asked, files) = clients.unzip();
    if let Some((_, before)) = ports.get(&listener.port)
        && *before != asked
    {
        let why = "an older Gateway asks something else of clients on the port".to_owned();
        listener.refused = Some(("PortUnavailable", why));
        return;
    }
    if listener.secured && certificates.is_empty() {
        return;
    }
    ports.insert(listener.port, (listener.secured, asked.clone()));
    let Door { name, address } = door;
    let listening = draft.listener(&name, || context.listening(&address));
    for files in &certificates {
        let pair = (files[0].0.clone(), files[1].0.clone());
        if !listening.certificates.contains(&pair) {
            listening.certificates.push(pair);
        }
    }
    if asked.is_some() {
        listening.clients = asked;
    }
    draft.files.extend(certificates.into_iter().flatten().chain(files.into_iter().flatten()));
    listener.on = name;
    listener.serves = true;
}

/// The certificates that can be shown.
fn certificates(
    gateway: &Read<GatewaySpec>,
    listener: &mut Listener,
    spec: &ListenerSpec,
    context: &mut Context<'_, '_>,
) -> Vec<NamedFiles> {
    let (mut good, mut wrong) = (Vec::new(), None);
    let bad = |why: String| Some(("InvalidCertificateRef", why));
    let refs = spec.tls.as_ref().map_or(&[][..], |tls| &tls.certificate_refs);
    if spec.tls.as_ref().is_some_and(|tls| tls.mode.as_deref().unwrap_or("Terminate") != "Terminate") {
        listener.refused =
            Some(("UnsupportedProtocol", "what is not decrypted cannot be inspected".to_owned()));
    }
    if refs.is_empty() {
        wrong = bad("an HTTPS listener has a certificate in tls.certificateRefs".to_owned());
    }
    for named in refs {
        let at = named.namespace.clone().unwrap_or_else(|| gateway.namespace.clone());
        let kind = (named.group.as_deref().unwrap_or(""), named.kind.as_deref().unwrap_or("Secret"));
        let of = (at, named.name.clone());
        wrong = wrong.or(if kind != ("", "Secret") {
            bad(format!("{} {} is no Secret", kind.1, named.name))
        } else if !context.grants.allow(("Gateway", &gateway.namespace), kind, (&of.0, &of.1)) {
            Some((
                "RefNotPermitted",
                format!("no ReferenceGrant lets {} name the Secret {}/{}", gateway.namespace, of.0, of.1),
            ))
        } else {
            match context.pair(&of) {
                Ok(files) => {
                    good.push(files);
                    None
                }
                Err(why) => bad(why),
            }
        });
    }
    listener.unresolved = wrong.or(listener.unresolved.take());
    good
}

type Asked = (Value, NamedFiles);

/// What is asked of clients on the port of a listener.
fn clients(gateway: &Read<GatewaySpec>, listener: &mut Listener, context: &Context<'_, '_>) -> Option<Asked> {
    let frontend = gateway.spec.tls.as_ref()?.frontend.as_ref()?;
    let own = frontend.per_port.iter().find(|own| own.port == listener.port).map(|own| &own.tls);
    let Validation { ca_certificate_refs: refs, mode } =
        own.or(frontend.default.as_ref())?.validation.as_ref()?;
    let authorities = context.authorities();
    let (text, wrong) = authorities.of("Gateway", &gateway.namespace, refs);
    listener.unresolved = listener.unresolved.take().or(wrong);
    let Some(text) = text else {
        let why = "no authority for clients can be used, and nobody is let in without one".to_owned();
        listener.refused = Some(("NoValidCACertificate", why));
        return None;
    };
    let mode = match mode.as_deref() {
        Some(FALLBACK) => "optional_no_ca",
        _ => "on",
    };
    let (name, files) = authority_file(text);
    Some((json!({"mode": mode, "ca": name, "depth": DEPTH}), files))
}

/// The certificate that a Gateway shows to services.
fn identity(gateway: &Read<GatewaySpec>, context: &mut Context<'_, '_>) -> Option<Result<NamedFiles, Wrong>> {
    let named = gateway.spec.tls.as_ref()?.backend.as_ref()?.client_certificate_ref.as_ref()?;
    let at = named.namespace.clone().unwrap_or_else(|| gateway.namespace.clone());
    let kind = (named.group.as_deref().unwrap_or(""), named.kind.as_deref().unwrap_or("Secret"));
    let of = (at, named.name.clone());
    if kind != ("", "Secret") {
        let why = format!("{} {} is no Secret", kind.1, named.name);
        return Some(Err(("InvalidClientCertificateRef", why)));
    }
    if !context.grants.allow(("Gateway", &gateway.namespace), kind, (&of.0, &of.1)) {
        let why = format!("no ReferenceGrant lets {} name the Secret {}/{}", gateway.namespace, of.0, of.1);
        return Some(Err(("RefNotPermitted", why)));
    }
    Some(context.pair(&of).map_err(|why| ("InvalidClientCertificateRef", why)))
}

/// Clients without a good certificate come in as well.
const FALLBACK: &str = "AllowInsecureFallback";

/// Intermediate certificates of a client; the API leaves it to us.
const DEPTH: u8 = 4;

/// Whether another listener on the same port is nearer to a host.
pub(super) fn is_nearest(gateways: &[Gateway], listener: &Listener, host: &str) -> bool {
    let all = gateways.iter().flat_map(|gateway| &gateway.listeners);
    !all.filter(|other| other.serves && other.on == listener.on).any(|other| {
        super::hosts::contains(&other.host, host) && nearness(&other.host) > nearness(&listener.host)
    })
}
