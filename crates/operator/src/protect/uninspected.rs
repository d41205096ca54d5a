//! Connections that nobody inspects although their Service is protected: those that were open when it was switched. Nobody in
//! the cluster's API sees connections, and the pool sees only its own; but none is older than the pod at its end, so the pods
//! that have run since before are all that can still hold any. That is a bound from above, and is said to be one.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::jiff::Timestamp;

use super::names::{INSPECTED_CONDITION, PROTECTED_CONDITION};
use super::pods::Pod;
use super::report::Finding;

/// Pods behind a Service that is protected, and those of them that run since before. `None`: it is not known when it was
/// switched, because nothing was said of it yet.
pub(super) fn since_before<'p>(
    service: &Service,
    pods: impl Iterator<Item = &'p Pod>,
) -> Option<(usize, usize, Timestamp)> {
    let conditions = service.status.as_ref()?.conditions.as_deref()?;
    let protected = conditions
        .iter()
        .find(|condition| condition.type_ == PROTECTED_CONDITION && condition.status == "True")?;
    let switched = protected.last_transition_time.0;
    let (mut all, mut before) = (0, 0);
    for pod in pods {
        all += 1;
        before += usize::from(pod.created.is_none_or(|created| created <= switched));
    }
    Some((all, before, switched))
}

/// What is said of it.
pub(super) fn finding((all, before, switched): (usize, usize, Timestamp)) -> Finding {
    match before {
        0 => Finding::yes(
            INSPECTED_CONDITION,
            "AllInspected",
            "no pod is older than its protection: every connection is inspected",
        ),
        before => Finding::no(
            INSPECTED_CONDITION,
            "PodsFromBefore",
            &format!(
                "{before} of {all} pods have run since before {switched:.0} and may hold connections from then, which are not \
                 inspected until they close; whether they do is not known here: at most these pods, and none that is made anew \
                 (kubectl rollout restart)",
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(status: &str) -> Service {
        serde_json::from_value(json!({"status": {"conditions": [{"type": PROTECTED_CONDITION, "status": status, "reason": "Protected",
            "message": "", "lastTransitionTime": "2026-01-02T00:00:00Z"}]}}))
        .expect("a Service")
    }

    fn pod(created: &str) -> Pod {
        Pod { created: created.parse().ok(), ..Pod::default() }
    }

    #[test]
    fn only_pods_from_before_can_hold_connections_from_before() {
        let pods = [pod("2026-01-01T00:00:00Z"), pod("2026-01-03T00:00:00Z"), pod("nobody knows")];
        let counted = since_before(&service("True"), pods.iter()).expect("it was switched");
        assert_eq!((counted.0, counted.1), (3, 2));
        let said = finding(counted);
        assert!(
            !said.is && said.message.contains("2 of 3 pods have run since before 2026-01-02T00:00:00Z"),
            "{said:?}"
        );
        assert!(finding(since_before(&service("True"), pods[1..2].iter()).expect("it was switched")).is);
        assert_eq!(since_before(&service("False"), pods.iter()), None);
        assert_eq!(since_before(&Service::default(), pods.iter()), None);
    }
}
