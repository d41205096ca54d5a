//! Calico's own switches: `ApplicationLayer` tigera-secure and `FelixConfiguration`, read without wanting more of them than
//! what matters here, and what is to be said about them.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::report::Finding;

/// The one name that an `ApplicationLayer` may have.
pub const APPLICATION_LAYER_NAME: &str = "tigera-secure";

/// The condition that says which fields mean something here.
pub const HONOURED_CONDITION: &str = "palisade.dev/Honoured";
/// The condition about the Policy Sync API, which other shapes of Palisade need.
pub const POLICY_SYNC_CONDITION: &str = "palisade.dev/PolicySync";

/// `ApplicationLayer` of operator.tigera.io/v1, its spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplicationLayer {
    /// The WAF for annotated Services.
    pub web_application_firewall: Switch,
    /// Application layer policy.
    pub application_layer_policy: Switch,
    /// Sidecars.
    pub sidecar_injection: Switch,
    /// L7 logs.
    pub log_collection: LogCollection,
    /// Whom the data plane believes about the client.
    pub envoy: Option<Envoy>,
    /// Overrides of a DaemonSet that there is not here.
    #[serde(rename = "l7LogCollectorDaemonSet")]
    pub daemon_set: Option<Value>,
}

/// `Enabled` or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Switch {
    /// It is on.
    Enabled,
    /// It is off, or nothing is said.
    #[default]
    #[serde(other)]
    Disabled,
}

/// `spec.logCollection`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogCollection {
    /// Whether there are any.
    pub collect_logs: Switch,
    /// Seconds between two writings; 5 when absent.
    pub log_interval_seconds: Option<i64>,
    /// Distinct records of one interval; -1: no limit.
    pub log_requests_per_interval: Option<i64>,
}

/// `spec.envoy`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Envoy {
    /// The connection's other end is the client, or the last proxy.
    pub use_remote_address: bool,
    /// So many entries of X-Forwarded-For are believed.
    pub xff_num_trusted_hops: i64,
}

impl ApplicationLayer {
    /// Reads an object. Fields that are not known, or of another type, are the API's matter; what cannot be read counts as
    /// nothing said, and the reason comes back.
    pub fn read(object: &Value) -> (Self, Option<String>) {
        match object.get("spec").map(ApplicationLayer::deserialize) {
            None => (Self::default(), None),
            Some(Ok(spec)) => (spec, None),
            Some(Err(error)) => (Self::default(), Some(error.to_string().chars().take(200).collect())),
        }
    }

    /// Whether Services that Calico's annotation names are taken to the pool at all.
    pub fn takes_services(&self) -> bool {
        self.web_application_firewall == Switch::Enabled
            || self.application_layer_policy == Switch::Enabled
            || self.log_collection.collect_logs == Switch::Enabled
    }

    /// What it changes at the top of a bundle.
    pub(super) fn settings(&self, into: &mut Map<String, Value>) {
        let logs = &self.log_collection;
        let mut l7 = json!({"enabled": logs.collect_logs == Switch::Enabled});
        if let Some(seconds) = logs.log_interval_seconds.filter(|seconds| (1..=86_400).contains(seconds)) {
            l7["flushInterval"] = json!(format!("{seconds}s"));
        }
        match logs.log_requests_per_interval {
            Some(limit) if limit > 0 => l7["perFlushLimit"] = json!(limit.min(NO_LIMIT)),
            Some(_) => l7["perFlushLimit"] = json!(NO_LIMIT),
            None => {}
        }
        let events = into.entry("events").or_insert_with(|| json!({}));
        if let Some(events) = events.as_object_mut() {
            events.insert("l7".to_owned(), l7);
        }
    }

    /// Whom listeners of the pool believe about the client.
    pub(super) fn client_address(&self) -> Option<Value> {
        let envoy = self.envoy.as_ref()?;
        // Envoy's count leaves out the entry that it would add itself.
        let hops = envoy.xff_num_trusted_hops + i64::from(!envoy.use_remote_address);
        let hops = (envoy.xff_num_trusted_hops > 0).then_some(hops)?.min(32);
        Some(json!({"from": "x-forwarded-for", "hops": hops}))
    }

    /// What is to be said on its status. `felix` is FelixConfiguration's `policySyncPathPrefix`, where the kind is there.
    pub fn findings(&self, unreadable: Option<&str>, felix: Option<&str>) -> Vec<Finding> {
        let mut findings = vec![self.honoured(unreadable)];
        let asked = self.web_application_firewall == Switch::Enabled
            || self.application_layer_policy == Switch::Enabled;
        if asked && felix == Some("") {
            findings.push(Finding::no(
                POLICY_SYNC_CONDITION,
                "PolicySyncPathPrefixEmpty",
                "FelixConfiguration default has no policySyncPathPrefix, so Calico's agent hands no policies to Dikastes or \
                 `palisade authz`; the pool reads policies from the API and needs none. To set it: kubectl patch \
                 felixconfiguration default --type=merge -p '{\"spec\":{\"policySyncPathPrefix\":\"/var/run/nodeagent\"}}'",
            ));
        } else if asked && felix.is_some() {
            findings.push(Finding::yes(
                POLICY_SYNC_CONDITION,
                "PolicySyncPathPrefixSet",
                "policySyncPathPrefix is set",
            ));
        }
        findings
    }

    fn honoured(&self, unreadable: Option<&str>) -> Finding {
        if let Some(error) = unreadable {
            let message = format!("spec cannot be read, and counts as if nothing were said: {error}");
            return Finding::no(HONOURED_CONDITION, "Unreadable", &message);
        }
        if !self.takes_services() && self.sidecar_injection == Switch::Disabled {
            let message = "none of webApplicationFirewall, applicationLayerPolicy, logCollection and sidecarInjection is \
                           Enabled: annotated Services stay as they are";
            return Finding::no(HONOURED_CONDITION, "NothingEnabled", message);
        }
        let mut not = Vec::new();
        if self.daemon_set.is_some() {
            not.push(
                "l7LogCollectorDaemonSet: there is no such DaemonSet; the pool is a Deployment of our chart",
            );
        }
        if self.sidecar_injection == Switch::Enabled {
            not.push(
                "sidecarInjection: sidecars are chosen by the namespace label palisade.dev/injection and the pod label \
                 palisade.dev/inject",
            );
        }
        if let Some(envoy) = &self.envoy
            && !envoy.use_remote_address
            && envoy.xff_num_trusted_hops <= 0
        {
            not.push(
                "envoy.useRemoteAddress false without xffNumTrustedHops would believe anybody's X-Forwarded-For; the \
                 connection's other end is the client",
            );
        }
        let logs = &self.log_collection;
        if logs.log_interval_seconds.is_some_and(|seconds| !(1..=86_400).contains(&seconds)) {
            not.push("logCollection.logIntervalSeconds is not between 1 and 86400");
        }
        match &not[..] {
            [] => Finding::yes(HONOURED_CONDITION, "AllFields", "every field that is set acts"),
            not => {
                Finding::no(HONOURED_CONDITION, "SomeFields", &format!("not honoured: {}", not.join("; ")))
            }
        }
    }
}

/// A limit that nobody meets.
const NO_LIMIT: i64 = 1_000_000;

/// `policySyncPathPrefix` of a `FelixConfiguration`; empty when it is not set.
pub fn policy_sync_path_prefix(object: &Value) -> &str {
    object.pointer("/spec/policySyncPathPrefix").and_then(Value::as_str).unwrap_or("")
}
