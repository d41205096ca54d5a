//! What a real server adds to and refuses in objects of built-in kinds, as far as tests rely on it.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::status::{Cause, Failed};

/// Defaults of a new object.
pub(crate) fn fill_in(kind: &Kind, object: &mut Value, made: u64) {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace") => {
            let name = object["metadata"]["name"].clone();
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            object["status"] = json!({"phase": "Active"});
        }
        ("", "Secret") if object["type"].is_null() => object["type"] = json!("Opaque"),
        ("", "Service") => service(object, made),
        ("", "Pod") => object["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"}),
        _ => {}
    }
}

fn service(object: &mut Value, made: u64) {
    let spec = &mut object["spec"];
    for (field, value) in [("type", json!("ClusterIP")), ("sessionAffinity", json!("None"))] {
        if spec[field].is_null() {
            spec[field] = value;
        }
    }
    for port in spec["ports"].as_array_mut().into_iter().flatten() {
        if port["protocol"].is_null() {
            port["protocol"] = json!("TCP");
        }
        if port["targetPort"].is_null() {
            port["targetPort"] = port["port"].clone();
        }
    }
    if spec["clusterIP"].is_null() && spec["type"] != "ExternalName" {
        let address = format!("10.96.{}.{}", made / 250 % 250, made % 250 + 1);
        spec["clusterIPs"] = json!([address]);
        spec["clusterIP"] = json!(address);
    }
    object["status"] = json!({"loadBalancer": {}});
}

/// What is wrong with `new`, which is to take the place of `old`.
pub(crate) fn check(kind: &Kind, old: Option<&Value>, new: &Value) -> Result<(), Failed> {
    let name = new["metadata"]["name"].as_str().unwrap_or("");
    let mut causes = Vec::new();
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "ConfigMap") => {
            let bytes: usize = ["data", "binaryData"]
                .iter()
                .flat_map(|field| new[*field].as_object().into_iter().flatten())
                .map(|(name, value)| name.len() + value.as_str().map_or(0, str::len))
                .sum();
            if bytes > 1_048_576 {
                let message = "Too long: may not be more than 1048576 bytes".to_owned();
                causes.push(Cause { reason: "FieldValueTooLong", message, field: "[]".into() });
            }
            if let Some(old) = old.filter(|old| old["immutable"] == true) {
                for field in ["data", "binaryData"] {
                    if old[field] != new[field] {
                        causes.push(Cause::forbidden(field, "field is immutable when `immutable` is set"));
                    }
                }
            }
        }
        ("coordination.k8s.io", "Lease") => {
            let (duration, transitions) =
                (&new["spec"]["leaseDurationSeconds"], &new["spec"]["leaseTransitions"]);
            if duration.as_i64().is_some_and(|seconds| seconds <= 0) {
                let cause = Cause::invalid(
                    "spec.leaseDurationSeconds",
                    &duration.to_string(),
                    "must be greater than 0",
                );
                causes.push(cause);
            }
            if transitions.as_i64().is_some_and(|transitions| transitions < 0) {
                let detail = "must be greater than or equal to 0";
                causes.push(Cause::invalid("spec.leaseTransitions", &transitions.to_string(), detail));
            }
            for field in ["acquireTime", "renewTime"] {
                if new["spec"][field].as_str().is_some_and(|time| !is_micro_time(time)) {
                    // The message of a real server holds the whole object; clients only see that it was refused.
                    let told = format!("patch: Invalid value: parsing time {}", new["spec"][field]);
                    causes.push(Cause { reason: "FieldValueInvalid", message: told, field: "patch".into() });
                    return Err(Failed::invalid_as("", "", "", "", &causes));
                }
            }
        }
        ("discovery.k8s.io", "EndpointSlice") => {
            for (index, endpoint) in new["endpoints"].as_array().into_iter().flatten().enumerate() {
                for (at, address) in endpoint["addresses"].as_array().into_iter().flatten().enumerate() {
                    let field = format!("endpoints[{index}].addresses[{at}]");
                    let Some(ip) = address.as_str().and_then(|text| text.parse::<IpAddr>().ok()) else {
                        if new["addressType"] != "FQDN" {
                            let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
                            causes.push(Cause::invalid(field, &address.to_string(), detail));
                        }
                        continue;
                    };
                    if let Some(detail) = refused(ip) {
                        causes.push(Cause::invalid(field, &address.to_string(), detail));
                    }
                }
            }
        }
        _ => {}
    }
    if causes.is_empty() { Ok(()) } else { Err(Failed::invalid(kind, name, &causes)) }
}

fn refused(ip: IpAddr) -> Option<&'static str> {
    if ip.is_unspecified() {
        Some("may not be unspecified (0.0.0.0 or ::)")
    } else if ip.is_loopback() {
        Some("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    } else if matches!(ip, IpAddr::V4(ip) if ip.is_link_local()) {
        Some("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    } else if matches!(ip, IpAddr::V4(ip) if ip.octets()[..3] == [224, 0, 0]) {
        Some("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    } else {
        None
    }
}

/// Exactly six digits of fraction.
fn is_micro_time(time: &str) -> bool {
    time.split_once('.')
        .is_some_and(|(_, fraction)| fraction.bytes().take_while(u8::is_ascii_digit).count() == 6)
}

/// A name that objects may have.
pub(crate) fn check_name(kind: &Kind, name: &str) -> Option<Cause> {
    // RBAC's names are free.
    if kind.group == "rbac.authorization.k8s.io" {
        return None;
    }
    let label = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-')
    };
    let (fine, detail) = if matches!(kind.kind.as_str(), "Namespace" | "Service") {
        let detail = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
        (label(name) && name.len() <= 63, detail)
    } else {
        let detail = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
        (name.split('.').all(label) && name.len() <= 253, detail)
    };
    (!fine).then(|| Cause::invalid("metadata.name", &format!("{name:?}"), detail))
}
