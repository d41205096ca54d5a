//! What a Protection is told of each entrance of ours that it names: `status.ancestors`, as GEP-713 has it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::profiles::Profiles;
use crate::draft::Draft;
use crate::gateway_api::{StatusOf, Wrong, unless};
use crate::kinds::{PROTECTION, Target};

/// Entrances of ours with their sections (listeners of a Gateway, named rules of an HTTPRoute), by kind, namespace and name.
pub(crate) type Served = HashMap<(&'static str, String, String), BTreeSet<String>>;

/// The status of each Protection. Of what is not ours nothing is said.
pub(crate) fn statuses(
    objects: &[Arc<DynamicObject>],
    served: &Served,
    controller: &str,
    profiles: &mut Profiles<'_>,
    draft: &mut Draft,
) -> Vec<StatusOf> {
    let mut statuses = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        let attachment = profiles.attachment(index).clone();
        let generation = object.metadata.generation.unwrap_or_default();
        let mut ancestors = Vec::new();
        for target in &attachment.targets {
            let Target::Entrance { kind, name, section } = target else { continue };
            let Some((kind, sections)) = found(served, kind, &attachment.namespace, name) else { continue };
            let lost = section.as_ref().filter(|section| !sections.contains(*section));
            let wrong: Option<Wrong> = match (lost, profiles.before(index, target)) {
                (Some(section), _) => {
                    Some(("TargetNotFound", format!("{kind} {name} has no section {section}")))
                }
                (None, Some(first)) => {
                    Some(("Conflicted", format!("{kind} {name} has {first}, which is older")))
                }
                (None, None) => profiles
                    .of_attachment(index, draft)
                    .profile
                    .and_then(Result::err)
                    .map(|why| ("ProfileNotUsable", format!("nothing passes: {why}"))),
            };
            ancestors.push(json!({
                "ancestorRef": reference(kind, &attachment.namespace, name, section.as_deref()),
                "controllerName": controller,
                "conditions": [unless("Accepted", "Accepted", wrong.as_ref(), generation)],
            }));
        }
        let status = json!({"ancestors": ancestors});
        let (namespace, name) = (attachment.namespace, attachment.name);
        statuses.push(StatusOf { kind: PROTECTION.0, namespace, name, status });
    }
    statuses
}

fn found<'s>(
    served: &'s Served,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Option<(&'static str, &'s BTreeSet<String>)> {
    let kind = ["Ingress", "Gateway", "HTTPRoute"].into_iter().find(|known| *known == kind)?;
    let sections = served.get(&(kind, namespace.to_owned(), name.to_owned()))?;
    Some((kind, sections))
}

fn reference(kind: &str, namespace: &str, name: &str, section: Option<&str>) -> Value {
    let group = if kind == "Ingress" { "networking.k8s.io" } else { crate::gateway_api::GROUP };
    let mut reference = json!({"group": group, "kind": kind, "namespace": namespace, "name": name});
    if let Some(section) = section {
        reference["sectionName"] = json!(section);
    }
    reference
}
