//! What is watched, in memory.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::api::{Api, DynamicObject};
use kube::runtime::watcher;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use super::Scope;
use crate::cluster::{Watched, resource};
use crate::gateway_api;
use crate::ingress::Observed;
use crate::kinds;

/// Objects of one kind, by watched namespace.
type Each<K> = Vec<Watched<K>>;

/// Everything that translation looks at.
pub(super) struct World {
    classes: Each<IngressClass>,
    ingresses: Each<Ingress>,
    services: Each<Service>,
    slices: Each<EndpointSlice>,
    secrets: Each<Secret>,
    config: Each<ConfigMap>,
    api: Further,
}

/// The kinds of the Gateway API, and what their objects name. A cluster need not have them.
struct Further {
    classes: Each<DynamicObject>,
    gateways: Each<DynamicObject>,
    routes: Each<DynamicObject>,
    grants: Each<DynamicObject>,
    backend_tls: Each<DynamicObject>,
    namespaces: Each<Namespace>,
    config_maps: Each<ConfigMap>,
    profiles: Each<DynamicObject>,
    rule_sets: Each<DynamicObject>,
    protections: Each<DynamicObject>,
}

impl World {
    pub(super) fn follow(client: &Client, scope: &Scope, changed: &Arc<Notify>) -> Self {
        let start = Start { client, scope, changed };
        let config = scope.config.as_ref().map(|(namespace, name)| {
            let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
            Watched::start(Api::namespaced(client.clone(), namespace), only, Arc::clone(changed))
        });
        let of_api = |kind: &str, plural: &str| start.named(gateway_api::GROUP, "v1", kind, plural);
        let ours = |(kind, plural): (&str, &str)| start.named(kinds::GROUP, kinds::VERSION, kind, plural);
        let mut grants = of_api("ReferenceGrant", "referencegrants");
        // Where its v1 is not served yet.
        grants.extend(start.named(gateway_api::GROUP, "v1beta1", "ReferenceGrant", "referencegrants"));
        let class = resource(gateway_api::GROUP, "v1", "GatewayClass", "gatewayclasses");
        Self {
            classes: vec![start.whole(Api::all(client.clone()))],
            ingresses: start.each(),
            services: start.each(),
            slices: start.each(),
            secrets: start.each(),
            config: config.into_iter().collect(),
            api: Further {
                classes: vec![start.whole(Api::all_with(client.clone(), &class))],
                gateways: of_api("Gateway", "gateways"),
                routes: of_api("HTTPRoute", "httproutes"),
                grants,
                backend_tls: of_api("BackendTLSPolicy", "backendtlspolicies"),
                namespaces: vec![start.whole(Api::all(client.clone()))],
                config_maps: start.config_maps(),
                profiles: ours(kinds::WAF_PROFILE),
                rule_sets: ours(kinds::RULE_SET),
                protections: ours(kinds::PROTECTION),
            },
        }
    }

    /// Whether everything was listed once. What only the Gateway API needs is not waited for where it cannot be read.
    pub(super) fn is_ready(&self) -> bool {
        fn read<K: Kept>(all: &[Watched<K>]) -> bool {
            all.iter().all(Watched::is_read)
        }
        fn told<K: Kept>(all: &[Watched<K>]) -> bool {
            all.iter().all(|kept| kept.is_read() || kept.trouble().is_some())
        }
        let api = &self.api;
        let dynamic = [
            &api.classes,
            &api.gateways,
            &api.routes,
            &api.grants,
            &api.backend_tls,
            &api.profiles,
            &api.rule_sets,
            &api.protections,
        ];
        read(&self.classes)
            && read(&self.ingresses)
            && read(&self.services)
            && read(&self.slices)
            && read(&self.secrets)
            && read(&self.config)
            && dynamic.into_iter().all(|all| told(all))
            && told(&api.namespaces)
            && told(&api.config_maps)
    }

    /// What cannot be read, and why.
    pub(super) fn troubles(&self) -> Vec<String> {
        fn of<K: Kept>(what: &str, all: &[Watched<K>], out: &mut Vec<String>) {
            let first = all.iter().find_map(Watched::trouble);
            out.extend(first.map(|why| format!("gateway: watching {what}: {why}")));
        }
        let (mut out, api) = (Vec::new(), &self.api);
        of("ingressclasses", &self.classes, &mut out);
        of("ingresses", &self.ingresses, &mut out);
        of("services", &self.services, &mut out);
        of("endpointslices", &self.slices, &mut out);
        of("secrets", &self.secrets, &mut out);
        of("the ConfigMap", &self.config, &mut out);
        let dynamic = [
            ("gatewayclasses", &api.classes),
            ("gateways", &api.gateways),
            ("httproutes", &api.routes),
            ("referencegrants", &api.grants),
            ("backendtlspolicies", &api.backend_tls),
            ("wafprofiles", &api.profiles),
            ("rulesets", &api.rule_sets),
            ("protections", &api.protections),
        ];
        dynamic.into_iter().for_each(|(what, all)| of(what, all, &mut out));
        of("namespaces", &api.namespaces, &mut out);
        of("configmaps", &api.config_maps, &mut out);
        out
    }

    pub(super) fn observed(&self, addresses: &[String]) -> Observed {
        fn all<K: Kept>(each: &[Watched<K>]) -> Vec<Arc<K>> {
            each.iter().flat_map(Watched::all).collect()
        }
        let api = &self.api;
        Observed {
            classes: all(&self.classes),
            ingresses: all(&self.ingresses),
            services: all(&self.services),
            slices: all(&self.slices),
            secrets: all(&self.secrets),
            config: all(&self.config).into_iter().next(),
            gateway_api: gateway_api::Observed {
                classes: all(&api.classes),
                gateways: all(&api.gateways),
                routes: all(&api.routes),
                grants: all(&api.grants),
                backend_tls: all(&api.backend_tls),
                namespaces: all(&api.namespaces),
                config_maps: all(&api.config_maps),
                profiles: all(&api.profiles),
                rule_sets: all(&api.rule_sets),
                protections: all(&api.protections),
                addresses: addresses.to_vec(),
            },
        }
    }
}

/// What can be watched.
trait Kept: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static {}

impl<K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static> Kept for K {}

/// How watches begin.
#[derive(Clone, Copy)]
struct Start<'a> {
    client: &'a Client,
    scope: &'a Scope,
    changed: &'a Arc<Notify>,
}

impl Start<'_> {
    fn whole<K: Kept>(self, api: Api<K>) -> Watched<K> {
        Watched::start(api, watcher::Config::default(), Arc::clone(self.changed))
    }

    /// One watch for each namespace.
    fn each<K>(self) -> Each<K>
    where
        K: Kept + Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        self.apis(Api::all(self.client.clone()), |name| Api::namespaced(self.client.clone(), name))
            .into_iter()
            .map(|api| self.whole(api))
            .collect()
    }

    fn named(self, group: &str, version: &str, kind: &str, plural: &str) -> Each<DynamicObject> {
        let of = resource(group, version, kind, plural);
        let all = Api::all_with(self.client.clone(), &of);
        self.apis(all, |name| Api::namespaced_with(self.client.clone(), name, &of))
            .into_iter()
            .map(|api| self.whole(api))
            .collect()
    }

    /// Of a cluster's ConfigMaps only authorities and rules are kept.
    fn config_maps(self) -> Each<ConfigMap> {
        let apis =
            self.apis(Api::all(self.client.clone()), |name| Api::namespaced(self.client.clone(), name));
        let slim = |map: &mut ConfigMap| {
            let labels = map.metadata.labels.as_ref();
            if labels.and_then(|labels| labels.get(RULES_LABEL)).map(String::as_str) != Some("true")
                && let Some(data) = &mut map.data
            {
                data.retain(|key, _| key == "ca.crt");
            }
            map.binary_data = None;
            map.metadata.managed_fields = None;
        };
        let start = |api| Watched::slim(api, watcher::Config::default(), Arc::clone(self.changed), slim);
        apis.into_iter().map(start).collect()
    }

    fn apis<K>(self, all: Api<K>, of: impl Fn(&str) -> Api<K>) -> Vec<Api<K>> {
        match self.scope.namespaces.is_empty() {
            true => vec![all],
            false => self.scope.namespaces.iter().map(|name| of(name)).collect(),
        }
    }
}

/// On ConfigMaps that RuleSets name.
const RULES_LABEL: &str = "palisade.dev/rules";
