//! From an exchange to the texts in it, and from a text to what it reads after decoding.
//!
//! ```text
//!  roots      the places of a message, as its parsers give them: path, query, headers, cookies, fields, leaves
//!  body       the body, read by what it says it is, and by what it looks like
//!  readings   one text in its other forms: percent-encoded once more, base64, JSON in a string, ...
//! ```
//!
//! Each reading is looked at beside the text that it was made of, and is read again itself: a payload shows in the form
//! in which its interpreter will see it, and we do not know how many layers are in between. Readings are guesses: one that
//! makes no sense (base64 of a word) is not made. All of it is under [`DetectLimits`].

mod body;
mod readings;
mod roots;

pub use body::BodyForm;
pub(crate) use body::BodyReader;
pub(crate) use roots::Roots;

use palisade_codec::ByteSet;
use palisade_model::Point;

use crate::detection::WORD;
use crate::detectors::{DETECTORS, Evidence, Findings};
use crate::{Attack, Confidence, DetectLimits, Finding, Spent, Step, Value};

/// What one exchange has found and spent so far.
#[derive(Debug)]
pub(crate) struct Descent {
    pub(crate) limits: DetectLimits,
    pub(crate) spent: Spent,
    pub(crate) findings: Findings,
}

/// Bytes that two windows of a long text share: no payload's telling part is longer.
const WINDOW_OVERLAP_BYTES: usize = 2048;

/// A text of letters and digits that is shorter holds nothing encoded that could matter.
const ENCODED_BYTES_MIN: usize = 12;

impl Descent {
    pub(crate) fn new(limits: DetectLimits) -> Self {
        let findings = Findings::new(limits.findings_max);
        Self { limits, spent: Spent::default(), findings }
    }

    pub(crate) fn findings(&self) -> &[Finding] {
        self.findings.as_slice()
    }

    /// Looks at a text and all its readings.
    pub(crate) fn look(&mut self, point: Point<'_>, bytes: &[u8]) {
        self.windows(point, &mut Vec::new(), bytes);
    }

    /// Looks at a text through windows, so that one long text is many short ones.
    fn windows(&mut self, point: Point<'_>, steps: &mut Vec<Step>, bytes: &[u8]) {
        let window = self.limits.window_bytes.max(2 * WINDOW_OVERLAP_BYTES);
        let mut start = 0;
        while bytes.len() - start > window {
            self.window(point, steps, &bytes[start..start + window]);
            start += window - WINDOW_OVERLAP_BYTES;
        }
        self.window(point, steps, &bytes[start..]);
    }

    fn window(&mut self, point: Point<'_>, steps: &mut Vec<Step>, bytes: &[u8]) {
        // Most values of most requests are a word or a number.
        if bytes.len() < ENCODED_BYTES_MIN && bytes.iter().all(|byte| WORD.contains(*byte)) {
            self.spent.values += 1;
            return;
        }
        if self.spent.values >= self.limits.values_max {
            return self.met("values_max", point);
        }
        if self.spent.work_bytes >= self.limits.work_bytes_max {
            return self.met("work_bytes_max", point);
        }
        self.spent.values += 1;
        self.spent.work_bytes += bytes.len();
        let set = ByteSet::of(bytes);
        let value = Value { point, decoded: steps, bytes, set: &set };
        for detector in DETECTORS.iter().filter(|detector| detector.gate.intersects(&set)) {
            (detector.look)(&value, &mut Evidence { detector, value: &value, findings: &mut self.findings });
        }
        self.readings(point, steps, bytes, &set);
    }

    /// Looks at the text's other forms.
    fn readings(&mut self, point: Point<'_>, steps: &mut Vec<Step>, bytes: &[u8], set: &ByteSet) {
        for reading in readings::ALL.iter().filter(|reading| reading.gate.intersects(set)) {
            let made = (reading.read)(bytes, set, &self.limits);
            for part in made.parts {
                if steps.len() >= self.limits.depth_max {
                    return self.met("depth_max", point);
                }
                if self.spent.decoded_bytes + part.bytes.len() > self.limits.decoded_bytes_max {
                    return self.met("decoded_bytes_max", point);
                }
                self.spent.decoded_bytes += part.bytes.len();
                steps.push(Step { decoding: reading.decoding, at: part.at });
                self.windows(point, steps, &part.bytes);
                steps.pop();
            }
            if let Some(limit) = made.met {
                self.met(limit, point);
            }
        }
    }

    /// Notes a bound that was met, as a finding of its own the first time.
    pub(crate) fn met(&mut self, limit: &'static str, point: Point<'_>) {
        if self.spent.limits_met.contains(&limit) {
            return;
        }
        self.spent.met(limit);
        self.findings.add(Finding {
            attack: Attack::InspectionLimit,
            detector: "inspection-limit",
            confidence: Confidence::HINT,
            point: point.into(),
            decode_path: Vec::new(),
            excerpt: Vec::new(),
            why: format!("{limit} was met; what lies beyond it was not looked at"),
        });
    }
}
