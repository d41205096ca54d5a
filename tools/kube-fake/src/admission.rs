//! Calls to the webhooks that are registered, as a real server makes them.

use std::sync::Arc;

use serde_json::Value;

use crate::server::Shared;
use crate::status::Failed;
use crate::verbs::{Asked, Prepared};

/// What webhooks make of a write.
pub(crate) async fn admit(
    shared: &Arc<Shared>,
    asked: &Asked<'_>,
    prepared: Prepared,
) -> Result<Prepared, Failed> {
    let configured = {
        let store = shared.store();
        ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"].iter().any(|plural| {
            let kind = store.kinds.get("admissionregistration.k8s.io", plural).expect("built in");
            store.list(kind, None).any(|(_, configuration)| mentions(configuration, asked, &prepared))
        })
    };
    if configured { Err(Failed::not_here("calls to webhooks")) } else { Ok(prepared) }
}

fn mentions(configuration: &Value, asked: &Asked<'_>, prepared: &Prepared) -> bool {
    let has = |list: &Value, wanted: &str| {
        list.as_array().is_some_and(|list| list.iter().any(|it| it == wanted || it == "*"))
    };
    configuration["webhooks"].as_array().into_iter().flatten().any(|webhook| {
        webhook["rules"].as_array().into_iter().flatten().any(|rule| {
            has(&rule["apiGroups"], &asked.kind.group)
                && has(&rule["resources"], &asked.kind.plural)
                && has(&rule["operations"], prepared.operation)
        })
    })
}
