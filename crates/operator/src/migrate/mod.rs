//! `palisade migrate ingress-nginx`: what is there for ingress-nginx as objects for us, and what becomes of each annotation
//! and of each key of its ConfigMap. A pure function of manifests.
//!
//! An annotation that is kept stays as it is, one without effect goes, and one that is refused stays as well: the gateway
//! closes its Ingress then, where an Ingress without it would be open.
//!
//! Not here: reading files and clusters (the binary).

mod gateway_api;
mod quirks;
mod redirects;
mod sections;
mod yaml;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use self::yaml::{Broken, read_objects, to_yaml};
use crate::ingress::annotations::{self, Honour, PREFIX};
use crate::ingress::{CONTROLLER, INGRESS_NGINX};

/// What is said of an annotation, of a key, or of how things work together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// About what: `Ingress shop/web`, `ConfigMap ingress-nginx/controller`.
    pub object: String,
    /// The annotation or key; empty for what is about several together.
    pub name: String,
    /// `kept`, `changed`, `unsupported`, `refused`, `quirk`; `stays` where an Ingress cannot be said by the Gateway API.
    pub verdict: &'static str,
    /// Why, or how.
    pub why: String,
}

/// Objects for us, and what is to be said of them.
#[derive(Clone, Debug, Default)]
pub struct Migration {
    /// To be applied, in order.
    pub objects: Vec<Value>,
    /// Flags of `palisade gateway` that Helm values and classes come to.
    pub flags: Vec<String>,
    /// In the order of objects.
    pub findings: Vec<Finding>,
}

impl Migration {
    /// Whether somebody has to look: something has no effect here, is refused, or works otherwise.
    pub fn needs_a_look(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| matches!(finding.verdict, "unsupported" | "refused" | "quirk" | "stays"))
    }
}

/// In which kinds the outcome is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Ingresses of our class.
    #[default]
    Ingress,
    /// The Gateway API's, and Ingresses where it has no word for something.
    GatewayApi,
}

/// Migrates manifests, with the values of ingress-nginx's Helm chart if there are any.
pub fn migrate(objects: &[Value], values: Option<&Value>, form: Form) -> Migration {
    let mut out = Migration::default();
    let classes = classes(objects, values);
    let ingresses: Vec<&Value> = objects.iter().filter(|object| is_nginx(object, &classes)).collect();
    let data = controller_keys(objects, values).1;
    let routed = match form {
        Form::Ingress => None,
        Form::GatewayApi => Some(gateway_api::of(&ingresses, objects, &data)),
    };
    let stays = |index: &usize| routed.as_ref().is_none_or(|routed| routed.stay.contains(index));
    if routed.is_none() || (0..ingresses.len()).any(|index| stays(&index)) {
        out.objects.push(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
            "metadata": {"name": "palisade"}, "spec": {"controller": CONTROLLER},
        }));
    }
    let snippets = ingresses.iter().any(|ingress| {
        let names = annotations_of(ingress).into_keys();
        names.into_iter().any(|name| name.ends_with("-snippet"))
    });
    config_map(objects, values, snippets, &mut out);
    for (index, ingress) in ingresses.iter().enumerate() {
        let moved = moved(ingress, &mut out.findings);
        if stays(&index) {
            out.objects.push(moved);
        }
    }
    if let Some(routed) = routed {
        out.objects.extend(routed.objects);
        out.findings.extend(routed.findings);
    }
    if let Some(values) = values {
        flags(values, &mut out);
    }
    out.findings.extend(quirks::of(&ingresses));
    out
}

/// `Ingress shop/web`.
fn title(object: &Value) -> String {
    let meta = &object["metadata"];
    let namespace = meta["namespace"].as_str().unwrap_or("default");
    format!(
        "{} {namespace}/{}",
        object["kind"].as_str().unwrap_or_default(),
        meta["name"].as_str().unwrap_or_default()
    )
}

fn annotations_of(object: &Value) -> BTreeMap<String, String> {
    let all = object["metadata"]["annotations"].as_object();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    all.into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The classes of ingress-nginx; `nginx` where nothing says so.
fn classes(objects: &[Value], values: Option<&Value>) -> Vec<String> {
    let theirs = objects
        .iter()
        .filter(|object| object["kind"] == "IngressClass" && object["spec"]["controller"] == INGRESS_NGINX);
    let mut names: Vec<String> =
        theirs.filter_map(|class| Some(class["metadata"]["name"].as_str()?.to_owned())).collect();
    let controller = values.map(|values| &values["controller"]);
    let told = controller.and_then(|controller| controller["ingressClassResource"]["name"].as_str());
    names.extend(told.map(str::to_owned));
    names.push("nginx".to_owned());
    names
}

fn is_nginx(object: &Value, classes: &[String]) -> bool {
    let class = object["spec"]["ingressClassName"].as_str().map(str::to_owned);
    let class = class.or_else(|| annotations_of(object).remove("kubernetes.io/ingress.class"));
    object["kind"] == "Ingress" && class.is_some_and(|class| classes.contains(&class))
}

/// An Ingress of our class.
fn moved(ingress: &Value, findings: &mut Vec<Finding>) -> Value {
    let object = title(ingress);
    let mut kept = Map::new();
    for (name, value) in annotations_of(ingress) {
        if matches!(
            name.as_str(),
            "kubernetes.io/ingress.class" | "kubectl.kubernetes.io/last-applied-configuration"
        ) {
            continue;
        }
        let Some(short) = name.strip_prefix(PREFIX) else {
            kept.insert(name, json!(value));
            continue;
        };
        let (honour, why) = match annotations::annotation(short) {
            Some(known) => (known.honour, known.words),
            None => (Honour::Ignored, "it is not known"),
        };
        if honour != Honour::Ignored {
            kept.insert(name.clone(), json!(value));
        }
        findings.push(Finding {
            object: object.clone(),
            name: short.to_owned(),
            verdict: honour.as_str(),
            why: why.to_owned(),
        });
    }
    let mut meta = Map::new();
    for key in ["name", "namespace", "labels"] {
        if let Some(value) = ingress["metadata"].get(key) {
            meta.insert(key.to_owned(), value.clone());
        }
    }
    if !kept.is_empty() {
        meta.insert("annotations".to_owned(), Value::Object(kept));
    }
    let mut spec = ingress["spec"].as_object().cloned().unwrap_or_default();
    spec.insert("ingressClassName".to_owned(), json!("palisade"));
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": spec})
}

/// The controller's ConfigMap, that of the manifests that looks like one, with its keys and `controller.config` of Helm's values
/// over them.
fn controller_keys<'o>(
    objects: &'o [Value],
    values: Option<&Value>,
) -> (Option<&'o Value>, BTreeMap<String, String>) {
    let known = |object: &&Value| {
        let keys = object["data"].as_object().into_iter().flatten();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let theirs = name.contains("nginx") || name.contains("ingress");
        object["kind"] == "ConfigMap"
            && (theirs || keys.into_iter().any(|(key, _)| annotations::key(key).is_some()))
    };
    let there = objects.iter().find(known);
    let mut data: BTreeMap<String, String> = BTreeMap::new();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for map in [there.map(|object| &object["data"]), values.map(|values| &values["controller"]["config"])] {
        for (key, value) in map.and_then(Value::as_object).into_iter().flatten() {
            data.insert(key.clone(), text(value));
        }
    }
    if let Some(allow) = values.and_then(|values| values["controller"]["allowSnippetAnnotations"].as_bool()) {
        data.entry("allow-snippet-annotations".to_owned()).or_insert_with(|| allow.to_string());
    }
    (there, data)
}

/// The ConfigMap for us, and what becomes of its keys.
fn config_map(objects: &[Value], values: Option<&Value>, snippets: bool, out: &mut Migration) {
    let (there, mut data) = controller_keys(objects, values);
    let object = there.map_or_else(|| "ConfigMap palisade-system/palisade-gateway".to_owned(), title);
    for key in data.keys() {
        let (verdict, why) = match annotations::key(key) {
            Some(known) => (known.honour.as_str(), known.words),
            None => (Honour::Ignored.as_str(), "it has no effect here"),
        };
        out.findings.push(Finding {
            object: object.clone(),
            name: key.clone(),
            verdict,
            why: why.to_owned(),
        });
    }
    data.retain(|key, _| annotations::key(key).is_some());
    if snippets {
        // What went without saying is said, so that nobody has to know it.
        data.entry("allow-snippet-annotations".to_owned()).or_insert_with(|| "false".to_owned());
        data.entry("annotations-risk-level".to_owned()).or_insert_with(|| "High".to_owned());
    }
    if !data.is_empty() {
        out.flags.push("--config-map palisade-system/palisade-gateway".to_owned());
        out.objects.push(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"namespace": "palisade-system", "name": "palisade-gateway"}, "data": data,
        }));
    }
}

/// What Helm's values come to beside the ConfigMap.
fn flags(values: &Value, out: &mut Migration) {
    let controller = &values["controller"];
    let arguments = controller["extraArgs"].as_object().into_iter().flatten();
    for (name, value) in arguments {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let flag = match name.as_str() {
            "default-backend-service" => Some(format!("--default-backend {value}")),
            "publish-service" => Some(format!("--publish-service {value}")),
            "annotations-prefix" => Some(format!("--annotations-prefix {value}/")),
            "watch-namespace" => Some(format!("--namespace {value}")),
            "publish-status-address" => Some(format!("--publish-address {value}")),
            "watch-ingress-without-class" => Some("--without-class".to_owned()),
            _ => None,
        };
        let (verdict, why) = match &flag {
            Some(flag) => ("kept", format!("`palisade gateway {flag}`")),
            None => ("unsupported", "`palisade gateway` has no such flag".to_owned()),
        };
        let finding = Finding {
            object: "Helm values".to_owned(),
            name: format!("controller.extraArgs.{name}"),
            verdict,
            why,
        };
        out.findings.push(finding);
        out.flags.extend(flag);
    }
    for (key, why) in [("tcp", "only HTTP is taken"), ("udp", "only HTTP is taken")] {
        if values[key].as_object().is_some_and(|ports| !ports.is_empty()) {
            let (object, name) = ("Helm values".to_owned(), key.to_owned());
            out.findings.push(Finding { object, name, verdict: "unsupported", why: why.to_owned() });
        }
    }
}
