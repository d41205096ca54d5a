//! Services and their endpoints as URLs.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::IngressServiceBackend;

use crate::ingress::{Observed, key};

/// More endpoints than this are not told of.
const URLS_MAX: usize = 256;

/// What stands for a slice's Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Services and slices by namespace and the Service's name.
pub(crate) struct Backends<'a> {
    services: HashMap<(String, String), &'a Service>,
    slices: HashMap<(String, String), Vec<&'a EndpointSlice>>,
}

impl<'a> Backends<'a> {
    pub(crate) fn new(observed: &'a Observed) -> Self {
        let services = observed.services.iter().map(|service| (key(&service.metadata), &**service)).collect();
        let mut slices: HashMap<_, Vec<_>> = HashMap::new();
        for slice in &observed.slices {
            let name = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_NAME));
            let (Some(name), Some(namespace)) = (name, slice.metadata.namespace.clone()) else { continue };
            slices.entry((namespace, name.clone())).or_default().push(&**slice);
        }
        Self { services, slices }
    }

    /// A port of a Service.
    pub(crate) fn port(&self, namespace: &str, name: &str, number: i32) -> Option<ServicePort> {
        let service = self.services.get(&(namespace.to_owned(), name.to_owned()))?;
        service.spec.as_ref()?.ports.iter().flatten().find(|port| port.port == number).cloned()
    }

    /// The URLs of a backend, in order. None where nobody is ready.
    ///
    /// # Errors
    /// What there is not.
    pub(crate) fn urls(
        &self,
        namespace: &str,
        backend: &IngressServiceBackend,
        scheme: &str,
        by_service: bool,
    ) -> Result<Vec<String>, String> {
        let of = (namespace.to_owned(), backend.name.clone());
        let service = self.services.get(&of);
        let service = service.ok_or_else(|| format!("there is no Service {namespace}/{}", backend.name))?;
        let spec = service.spec.as_ref();
        let ports = spec.and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
        let port = port_of(ports, backend);
        if spec.is_some_and(|spec| spec.type_.as_deref() == Some("ExternalName")) {
            let host = spec.and_then(|spec| spec.external_name.as_deref()).unwrap_or_default();
            let asked = backend.port.as_ref().and_then(|port| port.number);
            let number = port.map(|port| port.port).or(asked);
            let number =
                number.ok_or_else(|| format!("the Service {namespace}/{} has no such port", backend.name))?;
            return Ok(vec![format!("{scheme}://{}:{number}", host.trim_end_matches('.'))]);
        }
        let port =
            port.ok_or_else(|| format!("the Service {namespace}/{} has no such port", backend.name))?;
        let cluster = spec.and_then(|spec| spec.cluster_ip.as_deref()).filter(|address| *address != "None");
        if let (true, Some(address)) = (by_service, cluster) {
            return Ok(vec![url(scheme, address, port.port)?]);
        }
        let wanted = port.name.as_deref().unwrap_or_default();
        let mut urls = BTreeSet::new();
        for slice in self.slices.get(&of).into_iter().flatten() {
            let ports = slice.ports.iter().flatten();
            let number = ports
                .filter(|there| there.name.as_deref().unwrap_or_default() == wanted)
                .find_map(|there| there.port);
            let Some(number) = number else { continue };
            for endpoint in &slice.endpoints {
                let ready =
                    endpoint.conditions.as_ref().is_none_or(|conditions| conditions.ready != Some(false));
                if !ready {
                    continue;
                }
                for address in &endpoint.addresses {
                    urls.extend(url(scheme, address, number));
                }
            }
        }
        Ok(urls.into_iter().take(URLS_MAX).collect())
    }
}

fn port_of<'p>(ports: &'p [ServicePort], backend: &IngressServiceBackend) -> Option<&'p ServicePort> {
    let asked = backend.port.as_ref();
    match (asked.and_then(|port| port.name.as_deref()), asked.and_then(|port| port.number)) {
        (Some(name), _) if !name.is_empty() => ports.iter().find(|port| port.name.as_deref() == Some(name)),
        (_, Some(number)) => ports.iter().find(|port| port.port == number),
        _ => ports.first().filter(|_| ports.len() == 1),
    }
}

fn url(scheme: &str, address: &str, port: i32) -> Result<String, String> {
    match address.parse() {
        Ok(IpAddr::V6(address)) => Ok(format!("{scheme}://[{address}]:{port}")),
        Ok(IpAddr::V4(address)) => Ok(format!("{scheme}://{address}:{port}")),
        Err(_) => Err(format!("{address:?} is no address")),
    }
}
