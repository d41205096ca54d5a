//! Backends of rules: Services with their endpoints, over TLS where a BackendTLSPolicy says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::api::networking::v1::{IngressServiceBackend, ServiceBackendPort};
use serde_json::{Value, json};

use super::objects::{BackendRef, BackendTlsSpec, BackendValidation, Read};
use super::refs::authority_file;
use super::status::{StatusOf, Wrong, unless};
use super::{CONTROLLER, Context};
use crate::draft::Draft;

/// Where the requests of a backend go.
pub(super) enum Leads {
    /// To a service of the configuration.
    Upstream(Value),
    /// Nobody is there, or nobody can be reached safely: they are answered.
    Answer(u16),
}

/// BackendTLSPolicies, the oldest first, by what they are attached to.
pub(super) struct TlsPolicies {
    all: Vec<Policy>,
    by_target: HashMap<(String, String, Option<String>), usize>,
}

struct Policy {
    read: Read<BackendTlsSpec>,
    conflict: Option<Wrong>,
    refused: Option<Wrong>,
    unresolved: Option<Wrong>,
    /// What upstream TLS is to be; none where nothing can be verified.
    tls: Option<Value>,
    /// Gateways behind which it holds.
    behind: BTreeSet<(String, String)>,
}

impl TlsPolicies {
    pub(super) fn new(
        policies: Vec<Read<BackendTlsSpec>>,
        context: &Context<'_, '_>,
        draft: &mut Draft,
    ) -> Self {
        let mut made = Self { all: Vec::new(), by_target: HashMap::new() };
        for read in policies {
            let index = made.all.len();
            let mut conflict = None;
            for target in &read.spec.target_refs {
                if !target.group.as_deref().unwrap_or("").is_empty() || target.kind != "Service" {
                    continue;
                }
                let place = (read.namespace.clone(), target.name.clone(), target.section_name.clone());
                match made.by_target.get(&place) {
                    None => drop(made.by_target.insert(place, index)),
                    Some(_) => {
                        let message = format!("an older policy holds for the Service {}", target.name);
                        conflict = Some(("Conflicted", message));
                    }
                }
            }
            let (mut refused, mut unresolved, mut tls) = (None, None, None);
            let told = &read.spec.validation;
            let ids = spiffe_ids(told);
            if let Err(why) = &ids {
                refused = Some(("Invalid", why.clone()));
            } else if let Some(known) = &told.well_known {
                match known.as_str() {
                    "System" => tls = Some(json!({"serverName": told.hostname})),
                    other => refused = Some(("Invalid", format!("no authorities are known as {other}"))),
                }
            } else {
                let authorities = context.authorities();
                let (text, wrong) =
                    authorities.of("BackendTLSPolicy", &read.namespace, &told.ca_certificate_refs);
                unresolved = wrong.map(|(reason, why)| {
                    (
                        if reason == "InvalidCACertificateKind" {
                            "InvalidKind"
                        } else {
                            "InvalidCACertificateRef"
                        },
                        why,
                    )
                });
                match text {
                    Some(text) => {
                        let (name, files) = authority_file(text);
                        draft.files.extend(files);
                        tls = Some(json!({"serverName": told.hostname, "ca": name}));
                    }
                    None => refused = Some(("NoValidCACertificate", "no authority can be used".to_owned())),
                }
            }
            if let (Some(tls), Ok(ids)) = (&mut tls, ids)
                && !ids.is_empty()
            {
                tls["spiffeIds"] = json!(ids);
            }
            made.all.push(Policy { read, conflict, refused, unresolved, tls, behind: BTreeSet::new() });
        }
        made
    }

    /// What is said of a port of a Service: the port's own word, else the Service's. `Err` where it cannot be verified.
    fn of(
        &mut self,
        namespace: &str,
        service: &str,
        port: Option<&str>,
        behind: &BTreeSet<(String, String)>,
    ) -> Option<Result<Value, ()>> {
        let place =
            |section: Option<&str>| (namespace.to_owned(), service.to_owned(), section.map(str::to_owned));
        let index = self.by_target.get(&place(port)).or_else(|| self.by_target.get(&place(None)))?;
        let policy = &mut self.all[*index];
        policy.behind.extend(behind.iter().cloned());
        Some(policy.tls.clone().ok_or(()))
    }

    /// The statuses, our ancestors alone.
    pub(super) fn statuses(self) -> Vec<StatusOf> {
        let of = |policy: Policy| {
            let generation = policy.read.generation;
            let refused = policy.conflict.as_ref().or(policy.refused.as_ref());
            let ancestors: Vec<Value> = policy
                .behind
                .iter()
                .take(ANCESTORS_MAX)
                .map(|(namespace, name)| {
                    json!({
                        "ancestorRef": {"group": super::objects::GROUP, "kind": "Gateway", "namespace": namespace, "name": name},
                        "controllerName": CONTROLLER,
                        "conditions": [
                            unless("Accepted", "Accepted", refused, generation),
                            unless("ResolvedRefs", "ResolvedRefs", policy.unresolved.as_ref(), generation),
                        ],
                    })
                })
                .collect();
            StatusOf {
                kind: "BackendTLSPolicy",
                namespace: policy.read.namespace,
                name: policy.read.name,
                status: json!({"ancestors": ancestors}),
            }
        };
        self.all.into_iter().map(of).collect()
    }
}

/// The identities of which the certificate must have one, in place of the host's name; none where the name is what counts.
fn spiffe_ids(told: &BackendValidation) -> Result<Vec<&str>, String> {
    let mut ids = Vec::new();
    for name in &told.subject_alt_names {
        match (&name.uri, &name.hostname) {
            (Some(uri), _) if uri.starts_with("spiffe://") => ids.push(uri.as_str()),
            (None, Some(host)) if *host == told.hostname && told.subject_alt_names.len() == 1 => {}
            _ => {
                return Err("subjectAltNames are SPIFFE ids here, or the hostname alone".to_owned());
            }
        }
    }
    Ok(ids)
}

const ANCESTORS_MAX: usize = 16;

/// Where a backend of a route leads, and what is wrong with it.
pub(super) fn backend(
    told: &BackendRef,
    namespace: &str,
    behind: &BTreeSet<(String, String)>,
    context: &Context<'_, '_>,
    policies: &mut TlsPolicies,
) -> (Leads, Option<Wrong>) {
    let refused = |wrong| (Leads::Answer(500), Some(wrong));
    let kind = (told.group.as_deref().unwrap_or(""), told.kind.as_deref().unwrap_or("Service"));
    if kind != ("", "Service") {
        return refused(("InvalidKind", format!("{} {} is no Service", kind.1, told.name)));
    }
    let at = told.namespace.as_deref().unwrap_or(namespace);
    if !context.grants.allow(("HTTPRoute", namespace), kind, (at, &told.name)) {
        let why = format!("no ReferenceGrant lets {namespace} name the Service {at}/{}", told.name);
        return refused(("RefNotPermitted", why));
    }
    let Some(number) = told.port else {
        return refused((
            "BackendNotFound",
            format!("the Service {at}/{} is named without a port", told.name),
        ));
    };
    let port = ServiceBackendPort { number: Some(number), name: None };
    let service = IngressServiceBackend { name: told.name.clone(), port: Some(port) };
    let there = context.backends.port(at, &told.name, number);
    let section = there.as_ref().and_then(|port| port.name.clone());
    let tls = policies.of(at, &told.name, section.as_deref(), behind);
    let scheme = if tls.is_some() { "https" } else { "http" };
    let protocol = match there.and_then(|port| port.app_protocol).as_deref() {
        Some("kubernetes.io/h2c" | "grpc" | "kubernetes.io/grpc") => "http2",
        None | Some("http" | "https" | "kubernetes.io/ws" | "kubernetes.io/wss") => "http1",
        Some(other) => {
            return refused(("UnsupportedProtocol", format!("{other} is not spoken to services")));
        }
    };
    let urls = match context.backends.urls(at, &service, scheme, false) {
        Ok(urls) => urls,
        Err(why) => return refused(("BackendNotFound", why)),
    };
    if urls.is_empty() {
        return (Leads::Answer(503), None);
    }
    let mut upstream = json!({"url": urls});
    if protocol != "http1" {
        upstream["protocol"] = json!(protocol);
    }
    match tls {
        // Whom nobody can verify is not spoken to.
        Some(Err(())) => return (Leads::Answer(502), None),
        Some(Ok(tls)) => upstream["tls"] = tls,
        None => {}
    }
    (Leads::Upstream(upstream), None)
}

/// Labels of namespaces, by name.
pub(super) type Labels = BTreeMap<String, BTreeMap<String, String>>;
