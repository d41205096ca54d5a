//! Probes and hooks of the application that lead to its port by name, or by a number that it gave away.
//!
//! They go to the application itself: a firewall has nothing to say about a kubelet's questions, and a probe of the
//! sidecar's would hide a dead application. Commands (`exec`) are never touched; `grpc` has only numbers.

use serde_json::{Value, json};

/// Lets handlers of a container that lead to `name` or `number` lead to `to`.
pub(super) fn lead_to(container: &mut Value, name: Option<&str>, number: Option<u16>, to: u16) {
    let leads = |port: &Value| match port {
        Value::String(text) => Some(text.as_str()) == name,
        Value::Number(value) => number.is_some_and(|number| value.as_u64() == Some(u64::from(number))),
        _ => false,
    };
    let turn = |handler: Option<&mut Value>| {
        let Some(handler) = handler else { return };
        for kind in ["httpGet", "tcpSocket", "grpc"] {
            if let Some(port) = handler.get_mut(kind).and_then(|kind| kind.get_mut("port"))
                && leads(port)
            {
                *port = json!(to);
            }
        }
    };
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        turn(container.get_mut(probe));
    }
    for hook in ["postStart", "preStop"] {
        turn(container.get_mut("lifecycle").and_then(|lifecycle| lifecycle.get_mut(hook)));
    }
}
