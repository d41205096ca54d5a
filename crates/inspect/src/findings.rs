//! Findings of the built-in detector as logs have them.
//!
//! ```text
//! [client 203.0.113.9] Palisade: Access denied with code 403 (phase 2). SQL injection at query:q: closes the string, ...
//!   [attack "sqli"] [detector "sql-injection"] [confidence "98"] [point "query:q"] [decoded "base64"] [data "1' OR ..."]
//!   [hostname "192.0.2.1"] [uri "/search"] [unique_id "..."]
//! ```
//!
//! The fields that a ModSecurity line has as well have its names, so that one parser reads both. There is no `id`: ids are
//! rules'.

use palisade_detect::Finding;
use palisade_http::Target;
use palisade_model::{
    AuditFinding, Excerpt, Intercepted, Interception, Part, Place, Point, Redactor, Root, Stage, Verdict,
};

use crate::inspection::Cause;
use crate::report::Report;
use crate::specification::SPECIFICATION;

/// Bytes of a finding's texts in a log, of each.
const TEXT_BYTES_MAX: usize = 400;
/// Bytes of the path in a line.
const URI_BYTES_MAX: usize = 200;

/// A line for each finding that is worth one, without line ends, the one that decided last.
pub(crate) fn lines(report: &Report, redactor: &Redactor) -> Vec<String> {
    let findings = told(report, redactor);
    if findings.is_empty() {
        return Vec::new();
    }
    let target = report
        .request_head()
        .map(|head| redactor.target(Target::new(&head.target, &head.method).path(), URI_BYTES_MAX));
    let uri = target.as_ref().map_or("", |target| target.as_str()).replace('"', "\\x22");
    let (client, server) = (report.peer.client_addr.ip(), report.peer.server_addr.ip());
    let id = &report.peer.request_id;
    let line = |finding: &AuditFinding| {
        let finding = finding.line();
        format!("[client {client}] {finding} [hostname \"{server}\"] [uri \"{uri}\"] [unique_id \"{id}\"]")
    };
    findings.iter().map(line).collect()
}

/// The findings that are worth a line, as they may leave the process, the one that decided last.
pub(crate) fn told(report: &Report, redactor: &Redactor) -> Vec<AuditFinding> {
    let decisive = report.decisive_finding();
    let denying = decisive.filter(|_| denies(report));
    let others = report.notable_findings().filter(|finding| denying != Some(*finding));
    others
        .map(|finding| shown(report, finding, redactor, false))
        .chain(denying.map(|finding| shown(report, finding, redactor, true)))
        .collect()
}

/// Whether a finding, and nothing else, stopped the exchange.
fn denies(report: &Report) -> bool {
    report.outcome.as_ref().is_some_and(|outcome| match outcome.cause {
        Cause::Finding(_) | Cause::Specification(_) => report.standing.enforces(),
        Cause::Patch => true,
        _ => false,
    })
}

/// A finding as it may leave the process.
pub(crate) fn shown(report: &Report, finding: &Finding, redactor: &Redactor, denied: bool) -> AuditFinding {
    let point = finding.point.as_point();
    let phase = match report.outcome.as_ref().map(|outcome| outcome.stage) {
        _ if point.root == Root::ResponseBody => 4,
        Some(Stage::RequestHead) => 1,
        _ => 2,
    };
    let status = match report.outcome.as_ref().map(|outcome| &outcome.verdict) {
        Some(Verdict::Deny { status }) => *status,
        _ => 403,
    };
    let words = |text: &str| redactor.finding(text.as_bytes(), TEXT_BYTES_MAX);
    AuditFinding {
        attack: finding.attack,
        detector: finding.detector,
        confidence: finding.confidence.get(),
        point: words(&finding.point.to_string()),
        decoded: words(&finding.decoded()),
        data: data(&point, &finding.excerpt, redactor),
        // A reason quotes what it is about, but for that of a specification.
        why: if finding.detector != SPECIFICATION && is_hidden(&point, redactor) {
            redactor.words("what was seen here is masked")
        } else {
            words(&finding.why)
        },
        phase,
        intercepted: denied.then_some(Intercepted { phase, by: Interception::Status(status) }),
    }
}

/// What was seen at a point: shown where the finding is about that point alone, with its secrets masked where it is a
/// composite text, and hidden where rules sanitise the point.
fn data(point: &Point<'_>, seen: &[u8], redactor: &Redactor) -> Excerpt {
    if is_hidden(point, redactor) {
        return redactor.all_but_ends(seen, 0, 0, TEXT_BYTES_MAX);
    }
    let composite = match point.root {
        Root::Query | Root::Body | Root::ResponseBody => point.path.is_empty(),
        Root::Header => point.path == b"referer",
        _ => false,
    };
    if composite { redactor.text(seen, TEXT_BYTES_MAX) } else { redactor.finding(seen, TEXT_BYTES_MAX) }
}

/// Whether rules sanitise a point, or a profile masks it.
fn is_hidden(point: &Point<'_>, redactor: &Redactor) -> bool {
    let name = point.path.to_vec();
    let place = match (point.root, point.part) {
        (_, Part::Name) => None,
        (Root::Query | Root::Form | Root::Multipart, _) => Some(Place::Argument(name)),
        // The last name of a path is the key that rules sanitise.
        (Root::Json, _) => {
            Some(Place::Argument(name.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec()))
        }
        (Root::Cookie, _) => Some(Place::Cookie(name)),
        (Root::Header, _) => Some(Place::RequestHeader(name)),
        _ => None,
    };
    place.is_some_and(|place| redactor.is_hidden_by_rule(&place))
}
