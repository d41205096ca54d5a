//! The detectors, one file each, and the table of them.
//!
//! A detector reads one [`Value`] and says what it found. It documents itself under fixed headings: What it finds / Why it
//! matters / How it decides / Example / What it misses / References. It is linear in the value, keeps nothing between
//! values, and never looks at other values: what needs the whole message is a [`HeadDetector`], or belongs to the descent.

mod ascii;
mod breakout;
mod code;
mod code_injection;
mod crlf;
mod deserialization;
mod frame;
pub(crate) mod graphql;
mod jndi;
mod ldap;
pub(crate) mod leak;
mod mail;
mod nosql;
mod path;
mod proto_pollution;
mod protocol;
mod scanner;
mod shell;
mod shellshock;
mod sql;
mod ssi;
mod ssti;
mod upload;
mod url;
mod xpath;
mod xss;
mod xxe;

use std::ops::Range;

use palisade_codec::ByteSet;
use palisade_http::RequestHead;
use palisade_model::Point;

use crate::finding::EXCERPT_BYTES_MAX;
use crate::{Attack, Confidence, Finding, Step, Value};

/// All that read values, in the order in which they are asked.
pub(crate) static DETECTORS: &[Detector] = &[
    jndi::DETECTOR,
    sql::INJECTION,
    sql::STATEMENT,
    nosql::DETECTOR,
    ldap::DETECTOR,
    xpath::DETECTOR,
    xss::DETECTOR,
    ssi::DETECTOR,
    ssti::DETECTOR,
    code_injection::DETECTOR,
    proto_pollution::DETECTOR,
    deserialization::DETECTOR,
    path::DETECTOR,
    url::DETECTOR,
    crlf::DETECTOR,
    mail::DETECTOR,
    shell::DETECTOR,
    shellshock::DETECTOR,
    xxe::DETECTOR,
    upload::DETECTOR,
];

/// All that read a request's head as a whole.
pub(crate) static HEAD_DETECTORS: &[HeadDetector] = &[protocol::DETECTOR, scanner::DETECTOR];

/// Makes the tables of all detectors, so that no request waits for them.
pub(crate) fn prepare() {
    scanner::prepare();
    shell::prepare();
}

/// Reads a value.
#[derive(Debug)]
pub(crate) struct Detector {
    /// Its name in findings.
    pub(crate) name: &'static str,
    /// What it finds, unless it says otherwise.
    pub(crate) attack: Attack,
    /// A value without any of these bytes holds nothing for it: it is not asked.
    pub(crate) gate: ByteSet,
    /// Looks at a value that has passed the gate.
    pub(crate) look: fn(&Value<'_>, &mut Evidence<'_>),
}

/// What a reading itself says, before anybody looks at what it gave: a document that is made to cost, data that grows.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    pub(crate) attack: Attack,
    pub(crate) detector: &'static str,
    pub(crate) confidence: Confidence,
    pub(crate) why: String,
}

/// Reads a request's head as a whole: methods, framing, what headers say together.
#[derive(Debug)]
pub(crate) struct HeadDetector {
    /// Its name in findings.
    pub(crate) name: &'static str,
    /// What it finds.
    pub(crate) attack: Attack,
    /// Looks at a head.
    pub(crate) look: fn(&RequestHead, &mut HeadEvidence<'_>),
}

/// Where a head detector says what it found.
#[derive(Debug)]
pub(crate) struct HeadEvidence<'a> {
    pub(crate) detector: &'a HeadDetector,
    pub(crate) findings: &'a mut Findings,
}

impl HeadEvidence<'_> {
    /// A finding at a point; `shown` is what it is about.
    pub(crate) fn found(
        &mut self,
        confidence: Confidence,
        point: Point<'_>,
        shown: &[u8],
        why: impl Into<String>,
    ) {
        if self.findings.wants(confidence) {
            self.findings.add(Finding {
                attack: self.detector.attack,
                detector: self.detector.name,
                confidence,
                point: point.into(),
                decode_path: Vec::new(),
                excerpt: excerpt(shown, 0..shown.len()),
                why: why.into(),
            });
        }
    }
}

/// Where a detector says what it found in the value before it.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) detector: &'a Detector,
    pub(crate) value: &'a Value<'a>,
    pub(crate) findings: &'a mut Findings,
}

impl Evidence<'_> {
    /// A finding of the detector's own kind. `at` is what it is about, in the value; `why` its reading.
    pub(crate) fn found(&mut self, confidence: Confidence, at: Range<usize>, why: impl Into<String>) {
        self.found_as(self.detector.attack, confidence, at, why);
    }

    /// A finding of another kind.
    pub(crate) fn found_as(
        &mut self,
        attack: Attack,
        confidence: Confidence,
        at: Range<usize>,
        why: impl Into<String>,
    ) {
        if !self.findings.wants(confidence) {
            return;
        }
        self.findings.add(Finding {
            attack,
            detector: self.detector.name,
            confidence,
            point: self.value.point.into(),
            decode_path: self.value.decoded.to_vec(),
            excerpt: excerpt(self.value.bytes, at),
            why: why.into(),
        });
    }
}

/// The text around a range, as much as an excerpt holds: what was found, and before and after it in equal parts.
fn excerpt(text: &[u8], at: Range<usize>) -> Vec<u8> {
    let end = at.end.min(text.len());
    let start = at.start.min(end);
    if end - start >= EXCERPT_BYTES_MAX {
        return text[start..start + EXCERPT_BYTES_MAX].to_vec();
    }
    let room = EXCERPT_BYTES_MAX - (end - start);
    let start = start.saturating_sub(room / 2);
    text[start..text.len().min(start + EXCERPT_BYTES_MAX)].to_vec()
}

/// The findings of one exchange, the strongest of each detector, kind and point, bounded in number.
#[derive(Clone, Debug)]
pub(crate) struct Findings {
    kept: Vec<Finding>,
    max: usize,
}

impl Findings {
    pub(crate) fn new(max: usize) -> Self {
        Self { kept: Vec::new(), max }
    }

    /// Whether a finding of this confidence would be kept: nothing is built for one that would not.
    pub(crate) fn wants(&self, confidence: Confidence) -> bool {
        self.kept.len() < self.max || self.kept.iter().any(|kept| kept.confidence < confidence)
    }

    /// Keeps a finding if it is the strongest of its kind, and if there is room or it is stronger than the weakest.
    pub(crate) fn add(&mut self, finding: Finding) {
        let twin = self.kept.iter_mut().find(|kept| {
            kept.detector == finding.detector && kept.attack == finding.attack && kept.point == finding.point
        });
        if let Some(twin) = twin {
            if finding.confidence > twin.confidence {
                *twin = finding;
            }
        } else if self.kept.len() < self.max {
            self.kept.push(finding);
        } else if let Some(weakest) = self.kept.iter_mut().min_by_key(|kept| kept.confidence)
            && weakest.confidence < finding.confidence
        {
            *weakest = finding;
        }
    }

    /// Adds what a reading noted about a text at a point.
    pub(crate) fn note(&mut self, noted: Noted, point: Point<'_>, decoded: &[Step], text: &[u8]) {
        let Noted { attack, detector, confidence, why } = noted;
        let decode_path = decoded.to_vec();
        let excerpt = excerpt(text, 0..text.len());
        self.add(Finding { attack, detector, confidence, point: point.into(), decode_path, excerpt, why });
    }

    pub(crate) fn as_slice(&self) -> &[Finding] {
        &self.kept
    }
}

/// The strongest confidence that one detector has in a value, 0 without a finding: for the tests of detectors that ask where
/// a value stands.
#[cfg(test)]
pub(crate) fn finding_confidence(detector: &Detector, value: &Value<'_>, findings: &mut Findings) -> u8 {
    (detector.look)(value, &mut Evidence { detector, value, findings });
    crate::strongest(findings.as_slice()).map_or(0, Confidence::get)
}

#[cfg(test)]
mod tests {
    use palisade_model::{Part, Root};

    use super::*;

    fn finding(confidence: u8, path: &str) -> Finding {
        let point = Point { root: Root::Query, part: Part::Value, path: path.as_bytes() };
        Finding {
            attack: Attack::Sqli,
            detector: "test",
            confidence: Confidence::percent(confidence),
            point: point.into(),
            decode_path: Vec::new(),
            excerpt: Vec::new(),
            why: String::new(),
        }
    }

    #[test]
    fn the_strongest_findings_are_kept() {
        let mut findings = Findings::new(2);
        for (confidence, point) in [(30, "a"), (20, "b"), (50, "a"), (10, "c"), (40, "d")] {
            findings.add(finding(confidence, point));
        }
        let kept: Vec<_> =
            findings.as_slice().iter().map(|f| (f.point.to_string(), f.confidence.get())).collect();
        assert_eq!(kept, [("query:a".to_owned(), 50), ("query:d".to_owned(), 40)]);
    }

    #[test]
    fn an_excerpt_shows_what_was_found() {
        let text = [vec![b'a'; 1000], b"FOUND".to_vec(), vec![b'b'; 1000]].concat();
        let shown = excerpt(&text, 1000..1005);
        assert_eq!(shown.len(), EXCERPT_BYTES_MAX);
        assert!(shown.windows(5).any(|window| window == b"FOUND"));
        assert_eq!(excerpt(b"short", 3..900), b"short");
        assert_eq!(excerpt(&text, 0..2000).len(), EXCERPT_BYTES_MAX);
    }
}
