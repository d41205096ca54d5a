//! Our container and its volumes. It runs `palisade run`, told by its environment, as a user without rights on a
//! read-only root file system: Pod Security's `restricted` takes it as it is.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::names::{CONTAINER, VOLUME_PREFIX};
use super::options::{Options, shown};
use super::plan::Plan;
use super::settings::{Settings, SidecarForm};
use super::{No, deny, view};

/// A sidecar that was made.
#[derive(Debug)]
pub(super) struct Made {
    container: Value,
    volumes: Vec<Value>,
}

const DATA: &str = "palisade-data";
const DATA_PATH: &str = "/var/lib/palisade";
const SETUP: &str = "palisade-config";
const SETUP_PATH: &str = "/etc/palisade/config";
const IDENTITY: &str = "palisade-identity";
const IDENTITY_PATH: &str = "/var/run/secrets/palisade.dev/identity";

/// Makes the sidecar of a plan.
pub(super) fn make(plan: &Plan, options: &Options, settings: &Settings) -> Made {
    let (volumes, mounts) = volumes(options, settings);
    let mut container = json!({
        "name": CONTAINER,
        "image": settings.image,
        "args": ["run"],
        "env": environment(plan, options, settings),
        "ports": [
            {"name": plan.port_name.as_deref().unwrap_or("palisade-http"), "containerPort": plan.listen, "protocol": "TCP"},
            {"name": "palisade-probes", "containerPort": plan.probes, "protocol": "TCP"},
        ],
        // A sidecar that starts lets the application wait: what it would answer by then nobody would have looked at.
        "startupProbe": probe("/readyz", plan.probes, 1, 120),
        "readinessProbe": probe("/readyz", plan.probes, 5, 2),
        "livenessProbe": probe("/livez", plan.probes, 10, 3),
        "resources": options.resources.to_json(),
        "securityContext": security(settings),
        "volumeMounts": mounts,
    });
    if let Some(policy) = &settings.image_pull_policy {
        container["imagePullPolicy"] = json!(policy);
    }
    if settings.form == SidecarForm::Native {
        container["restartPolicy"] = json!("Always");
    }
    // Those who send traffic hear late that a pod ends: it is taken until then. Never more than half of the time there is.
    let wait = u64::from(settings.drain_seconds).min(plan.grace_seconds / 2);
    if wait > 0 {
        let command = ["/usr/bin/palisade", "drain", "--for", &format!("{wait}s")];
        container["lifecycle"] = json!({"preStop": {"exec": {"command": command}}});
    }
    Made { container, volumes }
}

fn environment(plan: &Plan, options: &Options, settings: &Settings) -> Value {
    let told = |name: &str, value: String| json!({"name": name, "value": value});
    let field =
        |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let mut all = vec![
        // Variables of other images may stand in the pod for other reasons.
        told("PALISADE_COMPAT", "off".to_owned()),
        told("PALISADE_LISTEN", format!("{}:{}", settings.bind, plan.listen)),
        told("PALISADE_UPSTREAM", format!("http://127.0.0.1:{}", plan.app)),
        // Everything in the pod reaches its loopback; nothing there may change modes and lists.
        told("PALISADE_ADMIN", "off".to_owned()),
        told("PALISADE_PROBES", format!("{}:{}", settings.bind, plan.probes)),
        told("PALISADE_DATA_DIR", DATA_PATH.to_owned()),
    ];
    // A mounted configuration says its mode and rules itself, unless the pod does.
    let mode = options.mode.or(options.config.is_none().then_some(settings.mode));
    all.extend(mode.map(|mode| told("PALISADE_MODE", mode.to_string())));
    if options.config.is_some() {
        all.push(told("PALISADE_CONFIG", format!("{SETUP_PATH}/palisade.yaml")));
    } else if let Some(crs) = &settings.crs {
        all.push(told("PALISADE_CRS", crs.clone()));
    }
    all.push(field("PALISADE_WORKLOAD_NAMESPACE", "metadata.namespace"));
    all.push(field("PALISADE_WORKLOAD_NAME", "metadata.name"));
    all.push(field("PALISADE_WORKLOAD_SERVICE_ACCOUNT", "spec.serviceAccountName"));
    Value::Array(all)
}

fn probe(path: &str, port: u16, period: u32, failures: u32) -> Value {
    json!({
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    })
}

fn security(settings: &Settings) -> Value {
    let mut context = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "privileged": false,
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    if let Some(user) = settings.run_as_user {
        context["runAsUser"] = json!(user);
        context["runAsGroup"] = json!(user);
    }
    context
}

fn volumes(options: &Options, settings: &Settings) -> (Vec<Value>, Vec<Value>) {
    let mut volumes = vec![json!({"name": DATA, "emptyDir": {"sizeLimit": settings.data_limit}})];
    let mut mounts = vec![json!({"name": DATA, "mountPath": DATA_PATH})];
    if let Some(map) = &options.config {
        // A ConfigMap that is not there keeps the pod from starting: better than starting without what it says.
        let source = json!({"configMap": {"name": map, "optional": false}});
        volumes.push(json!({"name": SETUP, "projected": {"sources": [source]}}));
        mounts.push(json!({"name": SETUP, "mountPath": SETUP_PATH, "readOnly": true}));
    }
    if let Some(audience) = &settings.token_audience {
        let token = json!({"serviceAccountToken": {"audience": audience, "expirationSeconds": 3600, "path": "token"}});
        volumes.push(json!({"name": IDENTITY, "projected": {"sources": [token]}}));
        mounts.push(json!({"name": IDENTITY, "mountPath": IDENTITY_PATH, "readOnly": true}));
    }
    (volumes, mounts)
}

impl Made {
    /// What it is made of, in 16 hex digits.
    pub(super) fn hash(&self) -> String {
        let mut text = String::new();
        canonical(&self.container, &mut text);
        self.volumes.iter().for_each(|volume| canonical(volume, &mut text));
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether a pod has it, where it belongs. What others add to it does not matter, with three exceptions: another
    /// command, and variables, would make something else of it.
    pub(super) fn stands_in(&self, pod: &Value, settings: &Settings) -> bool {
        let (here, elsewhere) = places(settings);
        let ours = |value: &&Value| view::name(value) == Some(CONTAINER);
        let mut found = view::list(pod, &["spec", here]).iter().filter(ours);
        let (Some(found), None) = (found.next(), found.next()) else { return false };
        let variables = |container: &Value| {
            let all = view::list(container, &["env"]).iter();
            all.filter(|variable| view::name(variable).is_some_and(|name| name.starts_with("PALISADE_")))
                .count()
        };
        let set_empty = |key: &str| {
            let value = found.get(key);
            value.is_none_or(|value| value.is_null() || value.as_array().is_some_and(Vec::is_empty))
        };
        !view::list(pod, &["spec", elsewhere]).iter().any(|container| ours(&container))
            && set_empty("command")
            && set_empty("envFrom")
            && found.get("args") == self.container.get("args")
            && variables(found) == variables(&self.container)
            && self.container.as_object().is_some_and(|made| {
                // Images are led to a mirror by some clusters; the hash is of the one that we named.
                made.iter()
                    .all(|(key, value)| key == "image" || found.get(key).is_some_and(|has| holds(has, value)))
            })
            && self
                .volumes
                .iter()
                .all(|volume| view::list(pod, &["spec", "volumes"]).iter().any(|there| holds(there, volume)))
            && our_volumes(pod).count() == self.volumes.len()
    }

    /// Puts it into a pod that has none.
    pub(super) fn put_into(self, pod: &mut Value, settings: &Settings) -> Result<(), No> {
        if let Some(taken) = our_volumes(pod).next() {
            return deny(format!(
                "the pod has a volume called {}; names that begin with palisade- are the sidecar's, so give it another",
                shown(taken)
            ));
        }
        // First: it ends last then, and nobody has to wait for what starts later.
        view::list_at(pod, &["spec", places(settings).0]).insert(0, self.container);
        view::list_at(pod, &["spec", "volumes"]).extend(self.volumes);
        Ok(())
    }
}

/// Where the sidecar stands, and where it does not.
fn places(settings: &Settings) -> (&'static str, &'static str) {
    match settings.form {
        SidecarForm::Native => ("initContainers", "containers"),
        SidecarForm::Plain => ("containers", "initContainers"),
    }
}

/// Takes an earlier sidecar out of a pod.
pub(super) fn remove(pod: &mut Value) {
    let Some(spec) = pod.get_mut("spec") else { return };
    for list in ["containers", "initContainers"] {
        if let Some(containers) = spec.get_mut(list).and_then(Value::as_array_mut) {
            containers.retain(|container| view::name(container) != Some(CONTAINER));
        }
    }
    if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
        volumes.retain(|volume| !is_ours(volume));
    }
}

fn is_ours(volume: &Value) -> bool {
    view::name(volume).is_some_and(|name| [DATA, SETUP, IDENTITY].contains(&name))
}

fn our_volumes(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = view::list(pod, &["spec", "volumes"]).iter();
    volumes.filter_map(view::name).filter(|name| name.starts_with(VOLUME_PREFIX))
}

/// Whether a value has all that another has; what else it has does not matter. Lists hold theirs in order.
fn holds(has: &Value, wanted: &Value) -> bool {
    match (has, wanted) {
        (Value::Object(has), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| has.get(key).is_some_and(|has| holds(has, wanted)))
        }
        (Value::Array(has), Value::Array(wanted)) => {
            let mut rest = has.iter();
            wanted.iter().all(|wanted| rest.any(|has| holds(has, wanted)))
        }
        (has, wanted) => has == wanted,
    }
}

/// JSON with sorted keys: the same whatever order a map keeps.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for key in keys {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(&map[key], out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            items.iter().for_each(|item| {
                canonical(item, out);
                out.push(',');
            });
            out.push(']');
        }
        leaf => out.push_str(&leaf.to_string()),
    }
}
