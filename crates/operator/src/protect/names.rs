//! What we call things in a cluster, and how Services and their ports are named here.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Calico's annotation of Services whose traffic its WAF inspects.
pub const PROTECT_CALICO: &str = "projectcalico.org/l7-logging";
/// Ours: `"true"`, or `"false"` for a Service that is left out of what its namespace is protected by.
pub const PROTECT: &str = "palisade.dev/protect";
/// The selector that a protected Service had, as a JSON object.
pub const ORIGINAL_SELECTOR: &str = "palisade.dev/original-selector";
/// On a shadow Service: the Service that it stands for.
pub const SHADOW_OF: &str = "palisade.dev/shadow-of";
/// On our EndpointSlices, beside the label of the Service that they are of.
pub const MANAGED_BY_US: &str = "palisade.dev";
/// Who writes, for managedFields.
pub const FIELD_MANAGER: &str = "palisade-operator";
/// The type of the condition on Services.
pub const PROTECTED_CONDITION: &str = "palisade.dev/Protected";

/// The type of the condition about connections from before.
pub const INSPECTED_CONDITION: &str = "palisade.dev/AllInspected";

pub(super) const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";
pub(super) const MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
pub(super) const SLICE_CONTROLLER: &str = "endpointslice-controller.k8s.io";
pub(super) const MIRROR_CONTROLLER: &str = "endpointslicemirroring-controller.k8s.io";

/// An object in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// An object's.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// Of what stands in an object. Names that are missing are empty.
    pub fn of(meta: &ObjectMeta) -> Self {
        Self::new(meta.namespace.as_deref().unwrap_or(""), meta.name.as_deref().unwrap_or(""))
    }

    /// Reads `NAMESPACE/NAME`.
    pub fn parse(text: &str) -> Option<Self> {
        let (namespace, name) = text.split_once('/')?;
        (!namespace.is_empty() && !name.is_empty() && !name.contains('/')).then(|| Self::new(namespace, name))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A port of a Service, by its name, which is empty where a Service has one port and gives it none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortKey {
    /// The Service.
    pub service: Key,
    /// The port's name.
    pub port: String,
}

impl fmt::Display for PortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.port)
    }
}

/// An annotation of an object.
pub(super) fn annotation<'a>(meta: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(name).map(String::as_str)
}

/// A label of an object.
pub(super) fn label<'a>(meta: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    meta.labels.as_ref()?.get(name).map(String::as_str)
}

/// `NAME-palisade`, or a beginning of the name and a hash of it, where that would be more than a name may have.
pub(super) fn shadow_name(service: &str) -> String {
    const NAME_MAX: usize = 63;
    let name = format!("{service}-palisade");
    if name.len() <= NAME_MAX {
        return name;
    }
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(service.as_bytes());
    let hash: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let kept: String = service.chars().take(NAME_MAX - "-palisade-".len() - hash.len()).collect();
    format!("{kept}-palisade-{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shadow_has_a_name_that_a_service_may_have_and_no_other_shadow_has() {
        assert_eq!(shadow_name("web"), "web-palisade");
        let (one, other) = (shadow_name(&"a".repeat(63)), shadow_name(&"a".repeat(62)));
        assert!(one.len() <= 63 && other.len() <= 63 && one != other, "{one} {other}");
    }

    #[test]
    fn a_key_reads_what_it_writes() {
        assert_eq!(Key::parse("shop/web"), Some(Key::new("shop", "web")));
        assert!(["web", "/web", "shop/", "a/b/c"].into_iter().all(|text| Key::parse(text).is_none()));
    }
}
