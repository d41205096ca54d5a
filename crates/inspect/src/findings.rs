//! Findings of the built-in detector as lines of the error log.
//!
//! ```text
//! [client 203.0.113.9] Palisade: Access denied with code 403 (phase 2). SQL injection at query:q: closes the string, ...
//!   [attack "sqli"] [detector "sql-injection"] [confidence "98"] [point "query:q"] [decoded "base64"] [data "1' OR ..."]
//!   [hostname "192.0.2.1"] [uri "/search"] [unique_id "..."]
//! ```
//!
//! The fields that a ModSecurity line has as well have its names, so that one parser reads both. There is no `id`: ids are
//! rules'.

use std::fmt::Write as _;

use palisade_detect::Finding;
use palisade_http::Target;
use palisade_model::{Mode, Redactor};

use crate::detector::LOGGED_FROM;
use crate::inspection::Cause;
use crate::report::Report;

/// Bytes of a finding's texts in a line, of each.
const TEXT_BYTES_MAX: usize = 400;
/// Bytes of the path in a line.
const URI_BYTES_MAX: usize = 200;

/// A line for each finding that is worth one, without line ends, the one that decided last.
pub(crate) fn lines(report: &Report, redactor: &Redactor) -> Vec<String> {
    let told = report.findings().iter().filter(|finding| finding.confidence.get() >= LOGGED_FROM);
    let decisive = report.decisive_finding().filter(|_| denies(report));
    let mut lines: Vec<String> = told
        .filter(|finding| decisive != Some(*finding))
        .map(|finding| line(report, finding, redactor, false))
        .collect();
    lines.extend(decisive.map(|finding| line(report, finding, redactor, true)));
    lines
}

/// Whether a finding, and nothing else, stopped the request.
fn denies(report: &Report) -> bool {
    report.service.profile.mode == Mode::Block
        && report.outcome.as_ref().is_some_and(|outcome| matches!(outcome.cause, Cause::Finding(_)))
}

fn line(report: &Report, finding: &Finding, redactor: &Redactor, denied: bool) -> String {
    let text = |bytes: &[u8]| redactor.finding(bytes, TEXT_BYTES_MAX).as_str().replace('"', "\\x22");
    let mut out = format!("[client {}] Palisade: ", report.peer.client_addr.ip());
    out.push_str(if denied { "Access denied with code 403 (phase 2). " } else { "Warning. " });
    let (point, why) = (text(finding.point.to_string().as_bytes()), text(finding.why.as_bytes()));
    let _ = write!(out, "{} at {point}: {why}", finding.attack.title());
    let _ = write!(out, " [attack \"{}\"] [detector \"{}\"]", finding.attack.name(), finding.detector);
    let _ = write!(out, " [confidence \"{}\"] [point \"{point}\"]", finding.confidence.get());
    if !finding.decode_path.is_empty() {
        let _ = write!(out, " [decoded \"{}\"]", text(finding.decoded().as_bytes()));
    }
    let _ = write!(out, " [data \"{}\"]", text(&finding.excerpt));
    let target = report.detection.as_ref().map(|detection| {
        let head = detection.head();
        redactor.target(Target::new(&head.target, &head.method).path(), URI_BYTES_MAX)
    });
    let uri = target.as_ref().map_or("", |target| target.as_str()).replace('"', "\\x22");
    let _ = write!(out, " [hostname \"{}\"] [uri \"{uri}\"]", report.peer.server_addr.ip());
    let _ = write!(out, " [unique_id \"{}\"]", report.peer.request_id);
    out
}
