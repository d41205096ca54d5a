//! The fields of the Gateway API's objects that we read. Their kinds are the cluster's own: no CRD of theirs is kept here.
//!
//! Source: the Gateway API, v1 (standard channel, 1.5). What is absent here is not read; values of a choice are texts, so that
//! one that we do not know is told and not a failure to read the object.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The group of the Gateway API's kinds.
pub const GROUP: &str = "gateway.networking.k8s.io";

/// An object, read.
#[derive(Clone, Debug)]
pub(super) struct Read<S> {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) generation: i64,
    /// Sorts the oldest first.
    pub(super) age: (Option<i64>, String, String),
    pub(super) spec: S,
}

impl<S: DeserializeOwned> Read<S> {
    /// Reads an object.
    ///
    /// # Errors
    /// What the cluster's schema should have refused.
    pub(super) fn of(object: &DynamicObject) -> Result<Self, String> {
        let spec = object.data.get("spec").cloned().unwrap_or(Value::Null);
        let meta = &object.metadata;
        let (namespace, name) =
            (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
        let created = meta.creation_timestamp.as_ref().map(|at| at.0.as_second());
        Ok(Self {
            age: (created, namespace.clone(), name.clone()),
            namespace,
            name,
            generation: meta.generation.unwrap_or_default(),
            spec: serde_json::from_value(spec).map_err(|error| error.to_string())?,
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClassSpec {
    pub(super) controller_name: String,
    pub(super) parameters_ref: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GatewaySpec {
    pub(super) gateway_class_name: String,
    #[serde(default)]
    pub(super) listeners: Vec<ListenerSpec>,
    #[serde(default)]
    pub(super) addresses: Vec<AddressSpec>,
    pub(super) tls: Option<GatewayTls>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct AddressSpec {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) value: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct GatewayTls {
    pub(super) frontend: Option<Frontend>,
    pub(super) backend: Option<BackendTls>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BackendTls {
    pub(super) client_certificate_ref: Option<ObjectRef>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Frontend {
    pub(super) default: Option<FrontendTls>,
    #[serde(default)]
    pub(super) per_port: Vec<PortTls>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct PortTls {
    pub(super) port: u16,
    pub(super) tls: FrontendTls,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct FrontendTls {
    pub(super) validation: Option<Validation>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Validation {
    #[serde(default)]
    pub(super) ca_certificate_refs: Vec<ObjectRef>,
    pub(super) mode: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListenerSpec {
    pub(super) name: String,
    pub(super) hostname: Option<String>,
    pub(super) port: u16,
    pub(super) protocol: String,
    pub(super) tls: Option<ListenerTls>,
    pub(super) allowed_routes: Option<AllowedRoutes>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListenerTls {
    pub(super) mode: Option<String>,
    #[serde(default)]
    pub(super) certificate_refs: Vec<ObjectRef>,
}

/// A reference to an object, perhaps of another namespace.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ObjectRef {
    pub(super) group: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct AllowedRoutes {
    pub(super) namespaces: Option<RouteNamespaces>,
    #[serde(default)]
    pub(super) kinds: Vec<RouteKind>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct RouteKind {
    pub(super) group: Option<String>,
    pub(super) kind: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct RouteNamespaces {
    pub(super) from: Option<String>,
    pub(super) selector: Option<Selector>,
}

/// Which namespaces, by their labels.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Selector {
    #[serde(default)]
    pub(super) match_labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) match_expressions: Vec<Expression>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Expression {
    pub(super) key: String,
    pub(super) operator: String,
    #[serde(default)]
    pub(super) values: Vec<String>,
}

impl Selector {
    /// Whether labels are meant. An operator that nobody knows means none.
    pub(super) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let all = self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        all && self.match_expressions.iter().all(|expression| {
            let value = labels.get(&expression.key);
            let listed = value.is_some_and(|value| expression.values.contains(value));
            match expression.operator.as_str() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RouteSpec {
    #[serde(default)]
    pub(super) parent_refs: Vec<ParentRef>,
    #[serde(default)]
    pub(super) hostnames: Vec<String>,
    #[serde(default)]
    pub(super) rules: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) struct ParentRef {
    pub(super) group: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) section_name: Option<String>,
    pub(super) port: Option<u16>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) matches: Vec<Match>,
    #[serde(default)]
    pub(super) filters: Vec<Filter>,
    #[serde(default)]
    pub(super) backend_refs: Vec<BackendRef>,
    pub(super) timeouts: Option<Timeouts>,
    pub(super) retry: Option<Value>,
    pub(super) session_persistence: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Timeouts {
    pub(super) request: Option<String>,
    pub(super) backend_request: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Match {
    pub(super) path: Option<PathMatch>,
    #[serde(default)]
    pub(super) headers: Vec<NamedMatch>,
    #[serde(default)]
    pub(super) query_params: Vec<NamedMatch>,
    pub(super) method: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct PathMatch {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) value: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct NamedMatch {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) request_header_modifier: Option<HeaderModifier>,
    pub(super) response_header_modifier: Option<HeaderModifier>,
    pub(super) request_redirect: Option<RequestRedirect>,
    pub(super) url_rewrite: Option<UrlRewrite>,
    pub(super) extension_ref: Option<ObjectRef>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct HeaderModifier {
    #[serde(default)]
    pub(super) set: Vec<Header>,
    #[serde(default)]
    pub(super) add: Vec<Header>,
    #[serde(default)]
    pub(super) remove: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestRedirect {
    pub(super) scheme: Option<String>,
    pub(super) hostname: Option<String>,
    pub(super) path: Option<PathModifier>,
    pub(super) port: Option<u16>,
    pub(super) status_code: Option<u16>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UrlRewrite {
    pub(super) hostname: Option<String>,
    pub(super) path: Option<PathModifier>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PathModifier {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) replace_full_path: Option<String>,
    pub(super) replace_prefix_match: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct BackendRef {
    pub(super) group: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) port: Option<i32>,
    pub(super) weight: Option<u32>,
    #[serde(default)]
    pub(super) filters: Vec<Filter>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct GrantSpec {
    #[serde(default)]
    pub(super) from: Vec<GrantFrom>,
    #[serde(default)]
    pub(super) to: Vec<GrantTo>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct GrantFrom {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) namespace: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct GrantTo {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BackendTlsSpec {
    #[serde(default)]
    pub(super) target_refs: Vec<TargetRef>,
    pub(super) validation: BackendValidation,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TargetRef {
    pub(super) group: Option<String>,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) section_name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BackendValidation {
    #[serde(default)]
    pub(super) ca_certificate_refs: Vec<ObjectRef>,
    #[serde(rename = "wellKnownCACertificates")]
    pub(super) well_known: Option<String>,
    pub(super) hostname: String,
    #[serde(default)]
    pub(super) subject_alt_names: Vec<AltName>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct AltName {
    pub(super) hostname: Option<String>,
    pub(super) uri: Option<String>,
}
