//! Options of requests that a real server checks before it looks at anything.

use serde_json::Value;

use crate::request::Request;
use crate::status::{Cause, Failed};

/// `CreateOptions`, `UpdateOptions`, `PatchOptions`, `DeleteOptions`.
pub(crate) fn check(request: &Request, options: &str, apply: bool) -> Result<(), Failed> {
    let mut causes = Vec::new();
    match request.query("dryRun") {
        "" | "All" => {}
        other => causes.push(Cause::unsupported("dryRun", &format!("[{other:?}]"), &quoted(&["All"]))),
    }
    match request.query("fieldValidation") {
        "" | "Ignore" | "Warn" => {}
        "Strict" => return Err(Failed::not_here("fieldValidation=Strict")),
        other => {
            let supported = quoted(&["", "Ignore", "Strict", "Warn"]);
            causes.push(Cause::unsupported("fieldValidation", &format!("{other:?}"), &supported));
        }
    }
    let manager = request.query("fieldManager");
    if manager.len() > 128 {
        let message = "Too long: may not be more than 128 bytes".to_owned();
        causes.push(Cause { reason: "FieldValueTooLong", message, field: "fieldManager".into() });
    }
    if apply && manager.is_empty() {
        causes.push(Cause::required("fieldManager", "is required for apply patch"));
    }
    if !apply && options == "PatchOptions" && request.query.contains_key("force") {
        causes.push(Cause::forbidden("force", "may not be specified for non-apply patch"));
    }
    of(options, &causes)
}

/// What a list or watch asks for.
pub(crate) fn check_list(request: &Request, watch: bool) -> Result<(), Failed> {
    let (version, matching) = (request.query("resourceVersion"), request.query("resourceVersionMatch"));
    if !request.query("continue").is_empty() && !version.is_empty() {
        return Err(Failed::bad_request("specifying resource version is not allowed when using continue"));
    }
    let field = "resourceVersionMatch";
    let initial = request.query.contains_key("sendInitialEvents");
    let mut causes = Vec::new();
    if initial && matching != "NotOlderThan" {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        causes.push(Cause::forbidden(field, why));
    } else if watch && !initial && !matching.is_empty() {
        causes.push(Cause::forbidden(
            field,
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ));
    } else if watch && initial && !request.flag("allowWatchBookmarks") {
        // Accepted by a real server too: it then ends without a mark.
    } else if !watch && !matching.is_empty() {
        if version.is_empty() {
            causes.push(Cause::forbidden(
                field,
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        } else if !matches!(matching, "Exact" | "NotOlderThan") {
            let supported = quoted(&["Exact", "NotOlderThan", ""]);
            causes.push(Cause::unsupported(field, &format!("{matching:?}"), &supported));
        } else if matching == "Exact" && version == "0" {
            causes.push(Cause::forbidden(
                field,
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ));
        }
    }
    if initial && !watch {
        causes.push(Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    of("ListOptions", &causes)
}

/// `propagationPolicy` of a deletion: query or body.
pub(crate) fn propagation(request: &Request, body: &Value) -> Result<String, Failed> {
    let policy = match request.query("propagationPolicy") {
        "" => body["propagationPolicy"].as_str().unwrap_or("Background"),
        policy => policy,
    };
    match policy {
        "Background" | "Foreground" => Ok(policy.to_owned()),
        "Orphan" => Err(Failed::not_here("propagationPolicy: Orphan")),
        other => {
            let supported: Vec<String> = ["Foreground", "Background", "Orphan", "nil"]
                .iter()
                .map(|policy| format!("{policy:?}"))
                .collect();
            let cause = Cause::unsupported("propagationPolicy", &format!("{other:?}"), &supported);
            of("DeleteOptions", &[cause]).map(|()| String::new())
        }
    }
}

fn quoted(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| format!("{value:?}")).collect()
}

fn of(options: &str, causes: &[Cause]) -> Result<(), Failed> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(Failed::invalid_as(&format!("{options}.meta.k8s.io"), "meta.k8s.io", options, "", causes))
}
