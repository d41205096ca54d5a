//! Calico's policies: GlobalNetworkPolicy, NetworkPolicy, and both of them staged.

use palisade_yaml::Node;

use super::entity::{Place, selector};
use super::reader::{Fields, Reader};
use super::{Metadata, name, rules};
use crate::labels;
use crate::object::{Object, Policy, PolicyId, PolicyKind, StagedAction};
use crate::selector::{Expr, Selector};

/// Where policies are that name no tier.
pub(crate) const DEFAULT_TIER: &str = "default";

pub(super) fn global(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    read(reader, fields, meta, PolicyKind::Global, false)
}

pub(super) fn namespaced(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    read(reader, fields, meta, PolicyKind::Namespaced, false)
}

pub(super) fn staged_global(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    read(reader, fields, meta, PolicyKind::Global, true)
}

pub(super) fn staged_namespaced(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    read(reader, fields, meta, PolicyKind::Namespaced, true)
}

const BOTH: [&str; 8] =
    ["tier", "order", "selector", "serviceAccountSelector", "types", "ingress", "egress", "performanceHints"];
const GLOBAL: [&str; 4] = ["namespaceSelector", "doNotTrack", "preDNAT", "applyOnForward"];

fn read(
    reader: &mut Reader,
    fields: &Fields<'_>,
    meta: &Metadata,
    kind: PolicyKind,
    is_staged: bool,
) -> Option<Object> {
    let id = PolicyId { name: meta.name.clone(), namespace: meta.namespace.clone(), kind };
    let empty = Node::empty_map(palisade_yaml::Origin::Default);
    if fields.get("spec").is_none() {
        return spec(reader, &empty, id, is_staged).map(Object::Policy);
    }
    reader.at(fields, "spec", |reader, node| spec(reader, node, id, is_staged)).map(Object::Policy)
}

fn spec(reader: &mut Reader, node: &Node, id: PolicyId, is_staged: bool) -> Option<Policy> {
    let mut known = BOTH.to_vec();
    if id.kind == PolicyKind::Global {
        known.extend(GLOBAL);
    }
    if is_staged {
        known.push("stagedAction");
    }
    let fields = reader.fields(node, &known)?;
    let tier = reader.at(&fields, "tier", |reader, node| name(reader, node, "a tier"));
    let order = reader.at(&fields, "order", Reader::float);
    let staged = is_staged.then(|| staged_action(reader, &fields));
    let applies_to = applies_to(reader, &fields, &id);
    host_only(reader, &fields);
    let types = types(reader, &fields);
    let ingress = rules::read(reader, &fields, Place { policy: &id, side: rules::Side::Ingress });
    let egress = rules::read(reader, &fields, Place { policy: &id, side: rules::Side::Egress });
    let (does_ingress, does_egress) =
        types.unwrap_or((ingress.is_some() || egress.is_none(), egress.is_some()));
    if let (Some((false, _)), Some(node)) = (types, fields.get("ingress"))
        && ingress.as_ref().is_some_and(|rules| !rules.is_empty())
    {
        reader.warn(node, "these rules never act: `types` has no Ingress", "add Ingress to `types`");
    }
    if let (Some((_, false)), Some(node)) = (types, fields.get("egress"))
        && egress.as_ref().is_some_and(|rules| !rules.is_empty())
    {
        reader.warn(node, "these rules never act: `types` has no Egress", "add Egress to `types`");
    }
    Some(Policy {
        id,
        tier: tier.unwrap_or_else(|| DEFAULT_TIER.into()),
        order,
        staged,
        applies_to,
        ingress: does_ingress.then(|| ingress.unwrap_or_default()),
        egress: does_egress.then(|| egress.unwrap_or_default()),
    })
}

pub(super) fn staged_action(reader: &mut Reader, fields: &Fields<'_>) -> StagedAction {
    let words = [
        ("Set", StagedAction::Set),
        ("Delete", StagedAction::Delete),
        ("Learn", StagedAction::Learn),
        ("Ignore", StagedAction::Ignore),
    ];
    let action = reader.at(fields, "stagedAction", |reader, node| reader.word(node, "staged action", &words));
    action.unwrap_or(StagedAction::Set)
}

/// Which workloads a policy is for, as one selector.
fn applies_to(reader: &mut Reader, fields: &Fields<'_>, id: &PolicyId) -> Selector {
    let mut parts = Vec::new();
    if id.kind == PolicyKind::Namespaced {
        parts.push(Expr::is(labels::NAMESPACE, &id.namespace));
    }
    if let Some(own) = reader.at(fields, "selector", selector) {
        parts.push(own.expr().clone());
    }
    for (field, prefix, there) in [
        ("namespaceSelector", labels::OF_NAMESPACE, labels::NAMESPACE),
        ("serviceAccountSelector", labels::OF_SERVICE_ACCOUNT, labels::SERVICE_ACCOUNT),
    ] {
        if let Some(theirs) = reader.at(fields, field, selector) {
            parts.push(theirs.expr().prefixed(prefix).map(&|leaf| match leaf {
                // All that have one.
                Expr::All => Expr::has(there),
                other => other.clone(),
            }));
        }
    }
    parts.retain(|part| *part != Expr::All);
    Expr::all_of(parts).into()
}

/// Whether it is about ingress, and whether about egress; `None` where it does not say.
pub(super) fn types(reader: &mut Reader, fields: &Fields<'_>) -> Option<(bool, bool)> {
    types_of(reader, fields, "types")
}

pub(super) fn types_of(reader: &mut Reader, fields: &Fields<'_>, field: &str) -> Option<(bool, bool)> {
    fields.get(field)?;
    let mut seen = Vec::new();
    let words = [("Ingress", true), ("Egress", false)];
    let types = reader.each(fields, field, |reader, node| {
        let one = reader.word(node, "type of policy", &words)?;
        if seen.contains(&one) {
            reader.error(node, "the type stands here twice", "remove one of them");
        }
        seen.push(one);
        Some(one)
    });
    if types.is_empty() { None } else { Some((types.contains(&true), types.contains(&false))) }
}

/// Settings of the network's own enforcement: checked, and without meaning at a workload's door.
fn host_only(reader: &mut Reader, fields: &Fields<'_>) {
    let is_set = |reader: &mut Reader, name| reader.at(fields, name, Reader::truth).unwrap_or(false);
    let (untracked, before_nat) = (is_set(reader, "doNotTrack"), is_set(reader, "preDNAT"));
    let forwarded = is_set(reader, "applyOnForward");
    for (is_set, name) in [(untracked, "doNotTrack"), (before_nat, "preDNAT")] {
        let Some(node) = fields.get(name).filter(|_| is_set) else { continue };
        if !forwarded {
            let message = format!("`{name}` needs `applyOnForward: true`");
            reader.error(node, message, "add it, or remove both");
        }
        let message =
            format!("`{name}` policies act on machines' own endpoints, before any workload is asked");
        reader.warn(
            node,
            message,
            "nothing: Calico goes on enforcing it, and here it is asked like any other",
        );
    }
    if untracked
        && before_nat
        && let Some(node) = fields.get("preDNAT")
    {
        reader.error(node, "`preDNAT` does not go together with `doNotTrack`", "keep one of them");
    }
    if before_nat && let Some(node) = fields.get("egress") {
        reader.error(node, "a `preDNAT` policy has no egress rules", "remove them");
    }
}
