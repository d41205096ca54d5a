//! What is told to people: conditions, and whose hand else is on a selector.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    Condition, FieldsV1, ManagedFieldsEntry, ObjectMeta, Time,
};
use serde_json::json;

use super::ask::Ask;
use super::names::{FIELD_MANAGER, PROTECTED_CONDITION};
use super::refusal::Refusal;
use super::steps::{Next, Stage, Waiting};

/// A condition without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its type.
    pub kind: &'static str,
    /// Its status.
    pub is: bool,
    /// One word.
    pub reason: String,
    /// Sentences.
    pub message: String,
}

impl Finding {
    /// It is so.
    pub fn yes(kind: &'static str, reason: &str, message: &str) -> Self {
        Self { kind, is: true, reason: reason.to_owned(), message: message.to_owned() }
    }

    /// It is not.
    pub fn no(kind: &'static str, reason: &str, message: &str) -> Self {
        Self { is: false, ..Self::yes(kind, reason, message) }
    }

    fn status(&self) -> &'static str {
        if self.is { "True" } else { "False" }
    }

    /// Whether a condition says this already.
    pub fn is_said(&self, by: &Condition) -> bool {
        by.type_ == self.kind
            && by.status == self.status()
            && by.reason == self.reason
            && by.message == self.message
    }

    /// As a condition. The time of its status is kept where that stays.
    pub fn condition(&self, before: &[Condition], generation: Option<i64>, now: &Time) -> Condition {
        let was = before.iter().find(|condition| condition.type_ == self.kind);
        let since = was.filter(|was| was.status == self.status()).map(|was| was.last_transition_time.clone());
        Condition {
            type_: self.kind.to_owned(),
            status: self.status().to_owned(),
            reason: self.reason.clone(),
            message: self.message.clone(),
            observed_generation: generation,
            last_transition_time: since.unwrap_or_else(|| now.clone()),
        }
    }
}

/// What is said of a Service. None: nobody asks, and nothing is to be said.
pub fn finding(
    ask: &Ask,
    refusal: Option<&Refusal>,
    next: &Next,
    owners: &[String],
    drain: u64,
) -> Option<Finding> {
    let say = |is: bool, reason: &str, message: String| {
        let finding = Finding::yes(PROTECTED_CONDITION, reason, &message);
        Some(Finding { is, ..finding })
    };
    let contest = || match owners {
        [] => String::new(),
        owners => format!(
            " {} also writes spec.selector and will put it back: tell it to leave that field of this Service alone \
             (Argo CD: ignoreDifferences with managedFieldsManagers; Flux: kustomize.toolkit.fluxcd.io/ssa: IfNotPresent).",
            owners.join(", "),
        ),
    };
    if let Some(refusal) = refusal {
        return say(false, refusal.reason(), format!("not protected: {refusal}"));
    }
    match &next.stage {
        // What is so tells by its time since when every new connection is inspected, so this is not so.
        Stage::Preparing(_) if next.contested => say(
            false,
            "SelectorContested",
            format!("somebody gave it a selector again: new connections may reach its pods until that is taken.{}", contest()),
        ),
        Stage::Protected => say(
            true,
            "Protected",
            format!(
                "new connections go to the pool; those that were open at this condition's lastTransitionTime are not \
                 inspected until they close.{}",
                contest(),
            ),
        ),
        Stage::PoolAway => say(
            true,
            "PoolAway",
            "new connections go to the pool, of which nobody is ready: they fail".to_owned(),
        ),
        Stage::Preparing(waiting) => {
            let waits = waiting.as_ref().map_or_else(String::new, |waiting| format!(", waits for {}", waiting.words()));
            say(false, "Preparing", format!("on its way to the pool{waits}.{}", contest()))
        }
        Stage::Restoring(waiting) => {
            let waits = waiting.as_ref().map_or_else(String::new, |waiting| format!(", waits for {}", waiting.words()));
            say(false, "Restoring", format!("on its way back to its pods{waits}"))
        }
        Stage::Draining => say(
            false,
            "Draining",
            format!("new connections go to its pods; the pool serves those it has for {drain} s more at most"),
        ),
        Stage::Lost => say(
            false,
            "SelectorLost",
            "its selector is gone, and neither its annotation nor its shadow says what it was: set spec.selector".to_owned(),
        ),
        Stage::Off if matches!(ask, Ask::No) => None,
        Stage::Off => say(false, "NotProtected", "it is not protected".to_owned()),
    }
}

impl Waiting {
    fn words(&self) -> String {
        match self {
            Self::Pool => {
                "a data plane of the pool that is ready and has an address of its family".to_owned()
            }
            Self::PoolPort(port) => format!("the pool to serve port {port:?}"),
            Self::Shadow(port) => {
                format!("the cluster to find pods by the shadow Service, for port {port:?}")
            }
            Self::Pods(port) => format!("the cluster to find pods by the Service, for port {port:?}"),
        }
    }
}

/// Field managers, other than us, that write a Service's selector again and again: GitOps controllers. People who use
/// kubectl write it once.
pub fn selector_owners(meta: &ObjectMeta) -> Vec<String> {
    let owners = meta.managed_fields.iter().flatten().filter(|entry| owns_selector(entry));
    let mut names: Vec<_> = owners.filter_map(|entry| entry.manager.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Takes from a Service's managed fields, which are larger than all the rest of it, what [`selector_owners`] does not read.
pub(super) fn keep_selector_owners(meta: &mut ObjectMeta) {
    let Some(entries) = &mut meta.managed_fields else { return };
    entries.retain(owns_selector);
    for entry in entries.iter_mut() {
        entry.fields_v1 = Some(FieldsV1(json!({"f:spec": {"f:selector": {}}})));
    }
    if entries.is_empty() {
        meta.managed_fields = None;
    }
}

/// It writes the selector, is not us, and writes it again.
fn owns_selector(entry: &ManagedFieldsEntry) -> bool {
    let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
    fields.and_then(|fields| fields.pointer("/f:spec/f:selector")).is_some()
        && entry.manager.as_ref().is_some_and(|name| name != FIELD_MANAGER && returns(name))
}

/// Managers that put back what they once wrote.
fn returns(manager: &str) -> bool {
    const KNOWN: [&str; 7] =
        ["argocd", "flux", "kustomize-controller", "helm-controller", "fleet", "config-sync", "rancher"];
    KNOWN.iter().any(|known| manager.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_owns_a_selector_is_known_when_the_rest_is_gone() {
        let entry =
            |manager: &str, fields| json!({"manager": manager, "operation": "Apply", "fieldsV1": fields});
        let selector = || json!({"f:metadata": {"f:labels": {}}, "f:spec": {"f:ports": {}, "f:selector": {"f:app": {}}}});
        let mut meta: ObjectMeta = serde_json::from_value(json!({"managedFields": [
            entry("argocd-controller", selector()),
            entry("kubectl-client-side-apply", selector()),
            entry("flux", json!({"f:spec": {"f:ports": {}}})),
            entry(FIELD_MANAGER, selector()),
        ]}))
        .expect("it is metadata");
        let before = selector_owners(&meta);
        keep_selector_owners(&mut meta);
        assert_eq!((before, meta.managed_fields.as_ref().map(Vec::len)), (selector_owners(&meta), Some(1)));
        assert_eq!(selector_owners(&meta), ["argocd-controller"]);
    }
}
