//! The fuzz targets as plain functions of bytes.
//!
//! One function a target, in the file of the crate that it is about. `fuzz/fuzz_targets/NAME.rs` hands libFuzzer's
//! bytes to it, and `tests/replay.rs` hands it every file of `fuzz/regressions/NAME/` in the ordinary test lane, so a
//! crash that was found once is a test from then on.
//!
//! A target asks more than "does it panic": it states what must hold for any input (cutting the input into other
//! chunks changes nothing, results stay within their bounds), and panics when it does not.
//!
//! To add one: the function, its line in [`TARGETS`], its file in `fuzz/fuzz_targets`, its `[[bin]]` in
//! `fuzz/Cargo.toml`, and a first input in `fuzz/regressions`.

pub mod addresses;
pub mod authn;
pub mod codec;
pub mod collector;
pub mod config;
pub mod control;
pub mod dataplane;
pub mod detect;
pub mod equivalence;
pub mod events;
pub mod http;
pub mod identity;
pub mod lists;
pub mod openapi;
pub mod policy;
pub mod policysync;
pub mod recording;
pub mod redaction;
pub mod regex;
pub mod seclang;

/// A target: takes any bytes, returns, or panics because something did not hold.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its file and of its folder of regressions.
pub const TARGETS: &[(&str, Target)] = &[
    ("alert_query", events::alert_query),
    ("alert_yaml", events::alert_yaml),
    ("authn_keys", authn::key_files),
    ("authn_token", authn::token),
    ("body_json", http::body_json),
    ("body_multipart", http::body_multipart),
    ("body_urlencoded", http::body_urlencoded),
    ("body_xml", http::body_xml),
    ("certificate_chain", identity::certificate_chain),
    ("certificate_names", identity::certificate_names),
    ("client_addresses", addresses::client_addresses),
    ("collector_portion", collector::collector_portion),
    ("config_file", config::config_file),
    ("connection", dataplane::connection),
    ("control_words", control::control_words),
    ("descent", detect::descent),
    ("detector", detect::detector),
    ("graphql_protobuf", detect::graphql_protobuf),
    ("har", recording::har),
    ("http2", dataplane::http2),
    ("libinjection", codec::libinjection),
    ("list_line", lists::list_line),
    ("list_record", lists::list_record),
    ("openapi", openapi::openapi),
    ("plan_equivalence", equivalence::plan_equivalence),
    ("proxy_header", addresses::proxy_header),
    ("policy_path", policy::policy_path),
    ("policy_selector", policy::policy_selector),
    ("policy_sync", policysync::policy_sync),
    ("policy_yaml", policy::policy_yaml),
    ("recording_file", recording::recording_file),
    ("redaction", redaction::redaction),
    ("regex", regex::regex),
    ("request_head", http::request_head),
    ("seclang", seclang::seclang),
    ("shared_reply", lists::shared_reply),
    ("spiffe_id", identity::spiffe_id),
    ("transformations", codec::transformations),
];

/// The target of that name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}
