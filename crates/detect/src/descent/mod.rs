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
use palisade_model::{Part, Point};

use self::readings::{Form, Reading};
use crate::detection::WORD;
use crate::detectors::{DETECTORS, Evidence, Findings, graphql};
use crate::{Attack, Confidence, Decoding, DetectLimits, Finding, Spent, Step, Value};

/// What one exchange has found and spent so far.
#[derive(Debug)]
pub(crate) struct Descent {
    pub(crate) limits: DetectLimits,
    pub(crate) spent: Spent,
    pub(crate) findings: Findings,
}

/// Bytes that two windows of a long text share: no payload's telling part is longer.
const WINDOW_OVERLAP_BYTES: usize = 2048;

/// Bytes of a place in a decode path. A longer one is cut: it is for people.
const STEP_BYTES_MAX: usize = 256;

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
        self.text(point, &mut Vec::new(), bytes);
    }

    /// Looks at the values of one name as one text.
    pub(crate) fn look_joined(&mut self, point: Point<'_>, bytes: &[u8]) {
        self.under(&mut Vec::new(), Decoding::Joined, b"", |descent, steps| {
            descent.text(point, steps, bytes)
        });
    }

    fn text(&mut self, point: Point<'_>, steps: &mut Vec<Step>, bytes: &[u8]) {
        // Most values of most requests are a word or a number.
        if bytes.len() < ENCODED_BYTES_MIN
            && bytes.iter().all(|byte| WORD.contains(*byte))
            && !readings::may_be_short_base64(bytes)
        {
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
        for reading in readings::WHOLE.iter().filter(|reading| reading.gate.intersects(&set)) {
            if self.reading(reading, point, steps, bytes, &set) {
                return;
            }
        }
        let window = self.limits.window_bytes.max(2 * WINDOW_OVERLAP_BYTES);
        if bytes.len() <= window {
            return self.window(point, steps, bytes, &set);
        }
        // One long text is many short ones.
        let mut start = 0;
        loop {
            let end = bytes.len().min(start + window);
            let part = &bytes[start..end];
            self.window(point, steps, part, &ByteSet::of(part));
            if end == bytes.len() {
                return;
            }
            start += window - WINDOW_OVERLAP_BYTES;
        }
    }

    /// Puts a text to the detectors, and then its readings.
    fn window(&mut self, point: Point<'_>, steps: &mut Vec<Step>, bytes: &[u8], set: &ByteSet) {
        let value = Value { point, decoded: steps, bytes, set };
        for detector in DETECTORS.iter().filter(|detector| detector.gate.intersects(set)) {
            (detector.look)(&value, &mut Evidence { detector, value: &value, findings: &mut self.findings });
        }
        for reading in readings::LOCAL.iter().filter(|reading| reading.gate.intersects(set)) {
            self.reading(reading, point, steps, bytes, set);
        }
    }

    /// Looks at one reading of a text. Whether there is nothing else in the text.
    fn reading(
        &mut self,
        reading: &Reading,
        point: Point<'_>,
        steps: &mut Vec<Step>,
        bytes: &[u8],
        set: &ByteSet,
    ) -> bool {
        let made = (reading.read)(bytes, set, &self.limits);
        if let Some(limit) = made.met {
            self.met(limit, point);
        }
        if let Some(noted) = made.noted {
            self.findings.note(noted, point, steps, bytes);
        }
        if reading.decoding == Decoding::GraphQl && !matches!(made.form, Form::None) {
            self.spent.graphql_documents += 1;
            if let Some(noted) = graphql::judge_batch(self.spent.graphql_documents, &self.limits) {
                self.findings.note(noted, point, steps, bytes);
            }
        }
        let (length, whole) = match &made.form {
            Form::None => return false,
            Form::Text(text) => (text.len(), false),
            Form::Places { fields, whole } => (fields.byte_count(), *whole),
        };
        if steps.len() >= self.limits.depth_max {
            self.met("depth_max", point);
            return false;
        }
        if self.spent.decoded_bytes + length > self.limits.decoded_bytes_max {
            self.met("decoded_bytes_max", point);
            return false;
        }
        self.spent.decoded_bytes += length;
        let decoding = reading.decoding;
        match made.form {
            Form::None => {}
            Form::Text(text) => {
                self.under(steps, decoding, b"", |descent, steps| descent.text(point, steps, &text))
            }
            Form::Places { fields, .. } => {
                let mut names = roots::NewNames::default();
                for (path, value) in fields.iter() {
                    self.under(steps, decoding, path, |descent, steps| {
                        // Names of the others are none that anybody could choose freely.
                        if decoding == Decoding::Json {
                            let named = Point { part: Part::Name, ..point };
                            names.each(path, |name| descent.text(named, steps, name));
                        }
                        descent.text(point, steps, value);
                    });
                }
            }
        }
        whole
    }

    /// Does something below a decoding.
    fn under(
        &mut self,
        steps: &mut Vec<Step>,
        decoding: Decoding,
        at: &[u8],
        inner: impl FnOnce(&mut Self, &mut Vec<Step>),
    ) {
        let at = String::from_utf8_lossy(&at[..at.len().min(STEP_BYTES_MAX)]).into();
        steps.push(Step { decoding, at });
        inner(self, steps);
        steps.pop();
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
