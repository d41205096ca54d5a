//! What changes in the application's container: the name of its port, its number where ports are swapped, and the probes
//! and hooks that lead there. Everything else of it stays as it was written.

use serde_json::{Value, json};

use super::options::shown;
use super::plan::{Plan, Strategy, Target};
use super::probes::lead_to;
use super::{No, deny, view};

/// Makes room for the sidecar.
pub(super) fn apply(pod: &mut Value, plan: &Plan) -> Result<(), No> {
    let Some(target) = plan.target.as_ref().filter(|_| plan.strategy != Strategy::Service) else {
        return Ok(());
    };
    let containers = pod.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
    let Some(container) = containers.and_then(|containers| containers.get_mut(target.index)) else {
        return Ok(());
    };
    rename_port(container, plan, target);
    let former_number = (plan.strategy == Strategy::PortSwap).then_some(target.number);
    lead_to(container, plan.port_name.as_deref(), former_number, plan.app);
    if plan.strategy == Strategy::PortSwap {
        tell_port(container, target, plan)?;
    }
    Ok(())
}

fn rename_port(container: &mut Value, plan: &Plan, target: &Target) {
    let Some(declared) = target.declared else { return };
    let Some(ports) = container.get_mut("ports").and_then(Value::as_array_mut) else { return };
    let name = plan.port_name.as_ref().map(|name| {
        let taken: Vec<&str> = ports.iter().filter_map(view::name).collect();
        name_for_application(name, &taken)
    });
    let Some(port) = ports.get_mut(declared).and_then(Value::as_object_mut) else { return };
    if let Some(name) = name {
        port.insert("name".to_owned(), json!(name));
    }
    if plan.strategy == Strategy::PortSwap {
        port.insert("containerPort".to_owned(), json!(plan.app));
    }
}

/// `app-http` for `http`, within the 15 bytes that a port's name may have, and unlike the others of its container.
fn name_for_application(name: &str, taken: &[&str]) -> String {
    let cut = |text: String| {
        let end = text.char_indices().nth(PORT_NAME_MAX).map_or(text.len(), |(at, _)| at);
        text[..end].trim_end_matches('-').to_owned()
    };
    let first = cut(format!("app-{name}"));
    let others = (2..=taken.len() + 2).map(|number| cut(format!("app{number}-{name}")));
    std::iter::once(first.clone()).chain(others).find(|name| !taken.contains(&name.as_str())).unwrap_or(first)
}

/// As IANA has it, and Kubernetes.
const PORT_NAME_MAX: usize = 15;

/// Tells the application its new port.
fn tell_port(container: &mut Value, target: &Target, plan: &Plan) -> Result<(), No> {
    let variables = view::list_at(container, &["env"]);
    let told = json!(plan.app.to_string());
    match variables.iter_mut().find(|variable| view::name(variable) == Some(&plan.variable)) {
        Some(variable) if variable.get("valueFrom").is_some() => deny(format!(
            "port-swap cannot set {} of container {}: it has a valueFrom; name another variable by the annotation \
             palisade.dev/app-port-env",
            plan.variable,
            shown(&target.container)
        )),
        Some(variable) => {
            if let Some(variable) = variable.as_object_mut() {
                variable.insert("value".to_owned(), told);
            }
            Ok(())
        }
        None => {
            variables.push(json!({"name": plan.variable, "value": told}));
            Ok(())
        }
    }
}
