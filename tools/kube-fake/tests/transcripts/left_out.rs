//! What of the transcripts is not asked of the fake, and why; and what was there before a transcript began.

use palisade_kube_fake::Server;
use serde_json::{Value, json};

/// Namespaces that were there before.
pub(crate) const REPLAYED: &[(&str, &str)] = &[
    ("02-crud", "crud"),
    ("02b-defaults-and-lifecycle", "crud"),
    ("03-list-and-watch", "lw"),
    ("03b-expiry", "exp"),
    ("04-server-side-apply", "ssa"),
    ("05-crd", "crd"),
    ("08-leases", "le"),
];

/// What somebody else did before the exchange `index` of `file`.
pub(crate) fn before(server: &Server, file: &str, index: usize) {
    let config_map = |namespace: &str, name: &str, labels: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": name, "labels": labels}, "data": {"k": "0"}});
    match (file, index) {
        ("03-list-and-watch", 0) => {
            for n in 0..7 {
                let app = if n % 2 == 0 { "y" } else { "x" };
                let mut object = config_map("lw", &format!("c{n}"), json!({"app": app, "n": n.to_string()}));
                object["data"]["k"] = json!(n.to_string());
                server.put(object);
            }
        }
        ("03-list-and-watch", 3) => drop(server.put(config_map("lw", "c9", Value::Null))),
        ("02-crud", 76) => {
            for n in 0..3 {
                server.put(config_map("crud", &format!("col{n}"), json!({"col": "y"})));
            }
        }
        ("03b-expiry", 0) => {
            for n in 0..5 {
                server.put(config_map("exp", &format!("c{n}"), Value::Null));
            }
        }
        ("03b-expiry", 2) => server.compact(),
        ("04-server-side-apply", 42) => {
            server.put(
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "ssa", "name": "p"}}),
            );
        }
        _ => {}
    }
}

/// Exchanges that are not replayed.
pub(crate) const EXCHANGES: &[(&str, &[usize], &str)] = &[
    ("02-crud", &[21, 24, 73, 82, 83, 84], "the fake validates few fields of built-in kinds"),
    ("02-crud", &[38, 39, 40, 41, 42], "the fake has no schemas of built-in kinds"),
    ("02-crud", &[80], "no tables"),
    ("02-crud", &[81], "the body is shortened in the transcript"),
    (
        "02b-defaults-and-lifecycle",
        &[1, 2, 12, 13, 17, 19],
        "the fake validates few fields of built-in kinds, and has no scale",
    ),
    ("02b-defaults-and-lifecycle", &[9, 10, 11, 14, 15, 16], "after the Deployment controller"),
    ("02b-defaults-and-lifecycle", &[21, 22, 23], "namespaces end at once"),
    ("02b-defaults-and-lifecycle", &[25, 26, 27, 28, 29, 30], "the owner is not in the transcript"),
    ("03b-expiry", &[4, 11, 12, 13], "another server, that was not restarted"),
    ("04-server-side-apply", &[26, 27, 28, 30], "the fake has no schemas of built-in kinds"),
    ("05-crd", &[2], "a CRD is served at once"),
    ("02b-defaults-and-lifecycle", &[6, 7], "Pods end without grace"),
    ("05-crd", &[5, 7, 40], "cut in the transcript, or with hashes of storage"),
    ("05-crd", &[12, 37], "unknown fields are pruned, not told"),
    ("05-crd", &[20, 21, 23], "no CEL"),
    ("05-crd", &[38, 39, 42], "no tables"),
    ("05-crd", &[43, 44], "JSON only"),
    (
        "05-crd",
        &[48, 49, 50, 51, 52, 53, 54, 55, 56],
        "CRDs are not validated here; crates/operator checks its own",
    ),
    ("05-crd", &[57, 58, 59], "no ratcheting"),
    ("05-crd", &[60, 61, 62, 63], "a CRD ends at once"),
    ("08-leases", &[14, 15, 16, 18], "refused here too (tests/writes.rs), in fewer words"),
    ("08-leases", &[17], "offsets are kept as they came"),
];

/// Transcripts that are not replayed.
pub(crate) const LEFT_OUT: &[(&str, &str)] = &[
    (
        "01-discovery",
        "lists what a real server serves; what kube's client needs of it is tested with kube's client",
    ),
    ("06-admission-mutating", "needs webhooks of the transcript's own"),
    ("06b-admission-answers", "tests/webhooks.rs gives its answers again"),
    ("06c-admission-validating", "as 06"),
    ("07-rbac-and-auth", "the fake knows no users"),
    ("09-events", "the fake does not convert between the two APIs of events, nor validate events"),
    ("09b-endpoints", "needs the controllers of endpoints"),
    ("10-gateway", "needs the Gateway API's CRDs with CEL"),
    ("11-admission-policy", "the fake evaluates no CEL"),
    ("12-pod-security", "the fake has no pod security admission"),
    (
        "13-kubectl-requests",
        "only statuses of what kubectl sends, discovery by protobuf and OpenAPI among them",
    ),
];
