//! Calico's and Kubernetes's objects from YAML: as they are written, with the API's limits.
//!
//! Fields that an API does not know are errors in policies, tiers, sets and profiles (a mistyped clause would be no
//! clause), each with its place and a remedy. Of pods, services and the like only what matters here is read.
//!
//! Not here: files (texts come in), and what the objects mean together ([`Objects`](crate::Objects)).

mod claims;
mod entity;
mod kubernetes_policy;
mod others;
mod policy;
mod rules;
#[cfg(test)]
mod tests;

use palisade_yaml::objects::{Form, each_object};
use palisade_yaml::reader::{self, Fields, Reader};
use palisade_yaml::{Diagnostic, Node, Value, YamlLimits, quoted};

use crate::object::{Object, ObjectKey};

/// A file of objects may be this large.
pub const POLICY_FILE_BYTES_MAX: usize = 64 << 20;

const FORM: Form = Form {
    // Pods nest to 12; definitions of other kinds that stand in the same file nest deeper.
    limits: YamlLimits { bytes_max: POLICY_FILE_BYTES_MAX, depth_max: 100, weight_max: 1 << 30 },
    help: "begin an object with `apiVersion: projectcalico.org/v3` and `kind: NetworkPolicy`, or the like",
    typed_lists: true,
};

/// What a text holds.
#[derive(Clone, Debug, Default)]
pub struct ObjectsRead {
    /// The objects that can be used, in order.
    pub objects: Vec<(ObjectKey, Object)>,
    /// Those that cannot, as far as their names can be read.
    pub refused: Vec<ObjectKey>,
    /// The text is not YAML: what it holds is not known.
    pub unreadable: bool,
    /// How many objects of kinds that have no meaning here.
    pub ignored: usize,
    /// All that is to be said about it, in order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads objects: documents of YAML, lists (`kind: List`) among them. Any bytes give objects or diagnostics, in time and
/// memory that are linear in them.
#[must_use]
pub fn read_objects(text: &[u8]) -> ObjectsRead {
    let mut read = ObjectsRead::default();
    let of_text =
        each_object(text, &FORM, |reader, node, api, kind| read_object(reader, node, api, kind, &mut read));
    ObjectsRead { unreadable: of_text.unreadable, diagnostics: of_text.diagnostics, ..read }
}

fn read_object(reader: &mut Reader, node: &Node, api: &str, kind: &str, read: &mut ObjectsRead) {
    let Some((known, scope, reads)) = find(api, kind) else {
        read.ignored += 1;
        if is_calico(api) && POLICY_LIKE.contains(&kind) {
            reader.warn(node, format!("{} has no meaning here", quoted(kind)), "leave it out");
        }
        return;
    };
    let errors = reader.sink.errors();
    let Some(fields) = reader.any_fields(node) else { return };
    let Some(meta) = Metadata::read(reader, node, &fields, scope) else { return };
    let key = ObjectKey { kind: known, namespace: meta.namespace.clone(), name: meta.name.clone() };
    let object = reads(reader, &fields, &meta);
    match object {
        Some(object) if reader.sink.errors() == errors => read.objects.push((key, object)),
        _ => read.refused.push(key),
    }
}

/// Whether objects of a kind are in a namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Global,
    Namespaced,
}

type Reads = fn(&mut Reader, &Fields<'_>, &Metadata) -> Option<Object>;

fn is_calico(api: &str) -> bool {
    matches!(api, "projectcalico.org/v3" | "crd.projectcalico.org/v1")
}

/// Kinds of Calico's that decide about traffic, and have no meaning here.
const POLICY_LIKE: [&str; 2] = ["StagedClusterNetworkPolicy", "ClusterNetworkPolicy"];

/// The kinds that have a meaning here.
fn find(api: &str, kind: &str) -> Option<(&'static str, Scope, Reads)> {
    use Scope::{Global, Namespaced};
    let calico: &[(&'static str, Scope, Reads)] = &[
        ("GlobalNetworkPolicy", Global, policy::global),
        ("NetworkPolicy", Namespaced, policy::namespaced),
        ("StagedGlobalNetworkPolicy", Global, policy::staged_global),
        ("StagedNetworkPolicy", Namespaced, policy::staged_namespaced),
        ("StagedKubernetesNetworkPolicy", Namespaced, kubernetes_policy::staged),
        ("Tier", Global, others::tier),
        ("GlobalNetworkSet", Global, others::network_set),
        ("NetworkSet", Namespaced, others::network_set),
        ("Profile", Global, others::profile),
        ("HostEndpoint", Global, others::host_endpoint),
        ("WorkloadEndpoint", Namespaced, others::workload_endpoint),
    ];
    let core: &[(&'static str, Scope, Reads)] = &[
        ("ServiceAccount", Namespaced, others::service_account),
        ("Namespace", Global, others::namespace),
        ("Pod", Namespaced, others::pod),
        ("Service", Namespaced, others::service),
        ("Endpoints", Namespaced, others::endpoints),
    ];
    let networking: &[(&'static str, Scope, Reads)] = &[
        // Calico has a kind of the same name.
        ("NetworkPolicy", Namespaced, kubernetes_policy::enforced),
    ];
    let discovery: &[(&'static str, Scope, Reads)] = &[("EndpointSlice", Namespaced, others::endpoint_slice)];
    let kinds = match api {
        api if is_calico(api) => calico,
        "v1" => core,
        "networking.k8s.io/v1" => networking,
        "discovery.k8s.io/v1" => discovery,
        _ => return None,
    };
    let (name, scope, reads) = kinds.iter().find(|(name, ..)| *name == kind)?;
    let name = if api == "networking.k8s.io/v1" { KUBERNETES_POLICY } else { name };
    Some((name, *scope, *reads))
}

/// How Kubernetes's NetworkPolicy is known here, since Calico has one too.
pub(crate) const KUBERNETES_POLICY: &str = "KubernetesNetworkPolicy";

/// What every object says of itself.
struct Metadata {
    name: Box<str>,
    /// Empty where the kind has none.
    namespace: Box<str>,
    labels: crate::labels::Labels,
}

impl Metadata {
    fn read(reader: &mut Reader, node: &Node, fields: &Fields<'_>, scope: Scope) -> Option<Self> {
        let meta = reader.at(fields, "metadata", |reader, node| {
            let fields = reader.any_fields(node)?;
            let name = reader.at(&fields, "name", |reader, node| self::name(reader, node, "a name"));
            let namespace =
                reader.at(&fields, "namespace", |reader, node| self::name(reader, node, "a namespace"));
            let labels = labels(reader, &fields, "labels");
            Some((name?, namespace, labels))
        });
        let Some((name, namespace, labels)) = meta else {
            if fields.get("metadata").and_then(|meta| meta.get("name")).is_none() {
                reader.error(node, "an object without a name", "add `metadata: {name: NAME}`");
            }
            return None;
        };
        let namespace = match scope {
            Scope::Global => "".into(),
            Scope::Namespaced => namespace.unwrap_or_else(|| "default".into()),
        };
        Some(Self { name, namespace, labels })
    }
}

/// A name as Kubernetes allows them: a DNS subdomain.
fn name(reader: &mut Reader, node: &Node, what: &str) -> Option<Box<str>> {
    let text = reader.text(node)?;
    let label = |label: &str| {
        let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        ends(label.bytes().next()) && ends(label.bytes().last())
    };
    let characters = text.bytes().all(|byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'_' | b':')
    });
    if text.is_empty() || text.len() > NAME_BYTES_MAX || !characters || !text.split('.').all(label) {
        let help = "names have up to 253 lower-case letters, digits, `-` and `.`";
        reader.error(node, format!("{} is not {what}", quoted(text)), help);
        return None;
    }
    Some(text.into())
}

const NAME_BYTES_MAX: usize = 253;

fn labels(reader: &mut Reader, fields: &Fields<'_>, name: &str) -> crate::labels::Labels {
    let read = reader.at(fields, name, |reader, node| {
        let Value::Map(entries) = &node.value else {
            reader.any_fields(node);
            return None;
        };
        let mut pairs = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match &value.value {
                Value::Text { text, .. } => pairs.push((key.name.as_str(), text.as_str())),
                Value::Null => pairs.push((key.name.as_str(), "")),
                _ => {
                    reader.text(value);
                }
            }
        }
        Some(pairs.into_iter().collect())
    });
    read.unwrap_or_default()
}
