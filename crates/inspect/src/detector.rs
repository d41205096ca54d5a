//! The built-in detector's part in an inspection: how it takes part, and what its findings are worth.

use std::sync::Arc;

use palisade_detect::{Confidence, Finding, Recall};
use palisade_http::{RequestHead, ResponseHead, Target};
use palisade_model::{Leaks, Sensitivity};

use crate::exceptions::Exceptions;

/// How the detector takes part in the inspection of a profile's traffic.
#[derive(Clone, Debug, Default)]
pub struct Detector {
    /// How sure a finding must be to stop a request.
    pub sensitivity: Sensitivity,
    /// What becomes of a response that shows what it should not.
    pub leaks: Leaks,
    /// How far it looks, and what it remembers of what it has seen.
    pub recall: Arc<Recall>,
}

/// What the detector found in a request, judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judged {
    /// Findings that count, in the order in which they were found.
    pub(crate) findings: Vec<Finding>,
    /// Those that an exception allows.
    pub(crate) excepted: Vec<Finding>,
    /// Which of `findings` stops the request, if one does.
    pub(crate) decisive: Option<usize>,
}

impl Detector {
    /// Judges what was found, under the exceptions of a service.
    pub(crate) fn judge(&self, found: &[Finding], head: &RequestHead, exceptions: &Exceptions) -> Judged {
        if found.is_empty() {
            return Judged::default();
        }
        let target = Target::new(&head.target, &head.method);
        let allowed = exceptions.findings_at(target.path());
        let (excepted, findings): (Vec<Finding>, Vec<Finding>) = found
            .iter()
            .cloned()
            .partition(|finding| allowed.except(finding.attack, &finding.point.as_point()));
        let decisive = self.decisive(&findings);
        Judged { findings, excepted, decisive }
    }

    /// The finding that stops a request, if one does: the surest, of equals the first. Findings of one kind at one point
    /// that come from different detectors support each other; others do not add up, since ten odd values are no attack.
    fn decisive(&self, findings: &[Finding]) -> Option<usize> {
        let mut decisive: Option<(Confidence, usize)> = None;
        for (number, finding) in findings.iter().enumerate() {
            let together = findings
                .iter()
                .filter(|other| {
                    other.attack == finding.attack
                        && other.point == finding.point
                        && other.detector != finding.detector
                })
                .fold(finding.confidence, |sum, other| sum.and(other.confidence));
            if together.get() >= threshold(self.sensitivity)
                && decisive.is_none_or(|(surest, _)| together > surest)
            {
                decisive = Some((together, number));
            }
        }
        decisive.map(|(_, number)| number)
    }
}

impl Judged {
    /// The finding that decides, if one does.
    pub(crate) fn decisive(&self) -> Option<&Finding> {
        self.findings.get(self.decisive?)
    }

    /// Adds what was found later in the same exchange. What decided before decides still.
    pub(crate) fn add(&mut self, later: Judged) {
        let before = self.findings.len();
        self.findings.extend(later.findings);
        self.excepted.extend(later.excepted);
        self.decisive = self.decisive.or(later.decisive.map(|number| before + number));
    }
}

/// Whether a response is a text that can be looked at before it has ended.
pub(crate) fn is_text(head: &ResponseHead) -> bool {
    let kind = head.headers.first(b"content-type").unwrap_or(b"text/plain");
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    let ends = [&b"json"[..], b"xml", b"javascript", b"html"];
    kind != b"text/event-stream" && (kind.starts_with(b"text/") || ends.iter().any(|end| kind.ends_with(end)))
}

/// What a finding's confidence must reach, in percent: the share of attacks among values that read alike. Low sensitivity
/// stops what has hardly an innocent reading, high what is as likely the one as the other.
fn threshold(sensitivity: Sensitivity) -> u8 {
    match sensitivity {
        Sensitivity::Low => 85,
        Sensitivity::Medium => 65,
        Sensitivity::High => 45,
    }
}

/// Confidence from which a finding is worth a line in a log, whether or not it stopped anything: what high sensitivity
/// would stop.
pub(crate) const LOGGED_FROM: u8 = 45;

#[cfg(test)]
mod tests {
    use palisade_detect::Attack;
    use palisade_model::{Part, Point, Root};

    use super::*;

    fn finding(detector: &'static str, confidence: u8, point: &str) -> Finding {
        Finding {
            attack: Attack::Sqli,
            detector,
            confidence: Confidence::percent(confidence),
            point: Point { root: Root::Query, part: Part::Value, path: point.as_bytes() }.into(),
            decode_path: Vec::new(),
            excerpt: Vec::new(),
            why: String::new(),
        }
    }

    fn decides(sensitivity: Sensitivity, findings: &[Finding]) -> Option<u8> {
        let detector = Detector { sensitivity, ..Detector::default() };
        detector.decisive(findings).map(|number| findings[number].confidence.get())
    }

    #[test]
    fn sensitivity_says_how_sure_a_finding_must_be() {
        for (confidence, low, medium, high) in [
            (44, false, false, false),
            (45, false, false, true),
            (65, false, true, true),
            (85, true, true, true),
        ] {
            for (sensitivity, stops) in
                [(Sensitivity::Low, low), (Sensitivity::Medium, medium), (Sensitivity::High, high)]
            {
                let decided = decides(sensitivity, &[finding("a", confidence, "q")]);
                assert_eq!(decided.is_some(), stops, "{confidence} at {sensitivity:?}");
            }
        }
    }

    #[test]
    fn only_evidence_about_one_point_adds_up() {
        let here = |detector, confidence| finding(detector, confidence, "q");
        assert_eq!(decides(Sensitivity::Medium, &[here("a", 50), here("b", 50)]), Some(50));
        assert_eq!(decides(Sensitivity::Medium, &[here("a", 50), finding("b", 50, "r")]), None);
        assert_eq!(decides(Sensitivity::Medium, &[here("a", 50), here("a", 50)]), None);
        assert_eq!(decides(Sensitivity::Medium, &[here("a", 70), here("b", 98)]), Some(70));
    }
}
