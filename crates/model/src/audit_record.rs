//! What the audit log keeps of one exchange: the durable, redacted side of a report. Made of [`Excerpt`]s and numbers
//! only, so nothing in it is raw. How it is printed is `palisade-events`' business.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::Attack;
use crate::redact::Excerpt;

/// One exchange in the audit log.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// Which parts are wanted.
    pub parts: AuditParts,
    /// UNIQUE_ID: what we answered as `x-request-id`.
    pub unique_id: Excerpt,
    /// When the exchange began, in milliseconds since 1970.
    pub started_unix_millis: u64,
    /// What is shown of it: local time minus UTC.
    pub utc_offset_seconds: i32,
    /// How long it took.
    pub duration_micros: u64,
    /// REMOTE_ADDR and REMOTE_PORT.
    pub client: SocketAddr,
    /// SERVER_ADDR and SERVER_PORT.
    pub server: SocketAddr,
    /// The request.
    pub request: AuditRequest,
    /// The response, as far as there was one.
    pub response: AuditResponse,
    /// Matches that go to the audit log, in order.
    pub messages: Vec<AuditMessage>,
    /// Findings of the built-in detector that are worth a line, the one that decided last.
    pub findings: Vec<AuditFinding>,
    /// What stopped the exchange.
    pub intercepted: Option<Intercepted>,
    /// What SecRuleEngine came to.
    pub engine: EngineMode,
    /// Names given by SecComponentSignature.
    pub components: Vec<Excerpt>,
    /// Files of a multipart body.
    pub files: Vec<AuditFile>,
}

/// The request of a record.
#[derive(Clone, Debug, Default)]
pub struct AuditRequest {
    /// The method as sent.
    pub method: Excerpt,
    /// The target as sent, masked.
    pub target: Excerpt,
    /// `1.1`.
    pub version: Excerpt,
    /// Header fields in order.
    pub headers: Vec<(Excerpt, Excerpt)>,
    /// The body, when a part that shows it is wanted and there was one.
    pub body: Option<Excerpt>,
}

impl AuditRequest {
    /// The first header of a name, ASCII case ignored.
    pub fn header(&self, name: &str) -> Option<&Excerpt> {
        self.headers.iter().find(|(own, _)| own.as_str().eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The response of a record.
#[derive(Clone, Debug, Default)]
pub struct AuditResponse {
    /// What the client got; `None` when no answer was sent.
    pub status: Option<u16>,
    /// `1.1`.
    pub version: Excerpt,
    /// Header fields in order, as the rules saw them.
    pub headers: Vec<(Excerpt, Excerpt)>,
    /// The body as the rules saw it, when part E is wanted and it was looked at.
    pub body: Option<Excerpt>,
    /// Bytes of the body that were looked at.
    pub body_bytes: u64,
}

/// One match in the audit log. Of one that is told elsewhere `line`, `matched`, `operator`, `negated` and `argument` are
/// left out.
#[derive(Clone, Debug, Default)]
pub struct AuditMessage {
    /// The line as the error log has it: `ModSecurity: Warning. Matched ...`, without the client before it.
    pub line: Excerpt,
    /// ``Matched "Operator `Rx' ...``: the beginning of that, up to its fields.
    pub matched: Excerpt,
    /// The phase, 1 to 5.
    pub phase: u8,
    /// The rule.
    pub rule_id: u64,
    /// Its file.
    pub file: Excerpt,
    /// Its line in it.
    pub line_number: u32,
    /// `msg`.
    pub message: Excerpt,
    /// `logdata`.
    pub data: Excerpt,
    /// `severity`.
    pub severity: Option<Severity>,
    /// `ver`.
    pub version: Excerpt,
    /// `rev`.
    pub revision: Excerpt,
    /// `tag`s in order.
    pub tags: Vec<Excerpt>,
    /// `maturity`.
    pub maturity: u8,
    /// `accuracy`.
    pub accuracy: u8,
    /// The operator of the last link: its name as rules write it, without `@`. `None` for a `SecAction`.
    pub operator: Option<Excerpt>,
    /// Whether it was negated.
    pub negated: bool,
    /// Its argument.
    pub argument: Excerpt,
    /// `ARGS:q`.
    pub target: Excerpt,
    /// What it did to the exchange, when that was more than passing.
    pub intercepted: Option<Intercepted>,
}

/// One finding of the built-in detector in a log.
#[derive(Clone, Debug)]
pub struct AuditFinding {
    /// The kind of attack.
    pub attack: Attack,
    /// Which detector saw it.
    pub detector: &'static str,
    /// How sure it is, in percent.
    pub confidence: u8,
    /// Where, as exceptions name it: `query:q`.
    pub point: Excerpt,
    /// What was undone to see it, outermost first: `base64, json:/cmd`; empty for nothing.
    pub decoded: Excerpt,
    /// What was seen there.
    pub data: Excerpt,
    /// How it reads.
    pub why: Excerpt,
    /// The phase: 2 for a request, 4 for a response.
    pub phase: u8,
    /// What it did to the exchange, when that was more than passing.
    pub intercepted: Option<Intercepted>,
}

impl AuditFinding {
    /// As error log and audit log have it, without the client before it and the request behind it:
    /// `Palisade: Warning. SQL injection at query:q: closes the string, ... [attack "sqli"] ...`.
    pub fn line(&self) -> String {
        let quoted = |text: &Excerpt| text.as_str().replace('"', "\\x22");
        let mut out = String::from("Palisade: ");
        match &self.intercepted {
            Some(Intercepted { phase, by: Interception::Status(status) }) => {
                let _ = write!(out, "Access denied with code {status} (phase {phase}). ");
            }
            Some(Intercepted { phase, .. }) => {
                let _ = write!(out, "Access denied (phase {phase}). ");
            }
            None => out.push_str("Warning. "),
        }
        let (attack, point) = (self.attack, quoted(&self.point));
        let _ = write!(out, "{} at {point}: {}", attack.title(), quoted(&self.why));
        let _ = write!(out, " [attack \"{attack}\"] [detector \"{}\"]", self.detector);
        let _ = write!(out, " [confidence \"{}\"] [point \"{point}\"]", self.confidence);
        if !self.decoded.as_str().is_empty() {
            let _ = write!(out, " [decoded \"{}\"]", quoted(&self.decoded));
        }
        let _ = write!(out, " [data \"{}\"]", quoted(&self.data));
        out
    }
}

/// How the exchange was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intercepted {
    /// The phase, 1 to 5.
    pub phase: u8,
    /// What was done.
    pub by: Interception,
}

/// What stops an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interception {
    /// An answer with this status.
    Status(u16),
    /// The connection was closed without one.
    Close,
    /// A redirect.
    Redirect {
        /// Its status.
        status: u16,
        /// Its target.
        location: Excerpt,
    },
}

/// An uploaded file.
#[derive(Clone, Debug)]
pub struct AuditFile {
    /// The field's name.
    pub field: Excerpt,
    /// The file's name as sent.
    pub name: Excerpt,
    /// Its size.
    pub bytes: u64,
}

/// What SecRuleEngine came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineMode {
    /// On, and the mode lets rules act.
    On,
    /// DetectionOnly, by the rules or by the mode.
    DetectionOnly,
    /// Off.
    Off,
}

/// A severity from 0 to 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Severity(pub u8);

impl Severity {
    /// `CRITICAL`: ModSecurity 2's word.
    pub fn as_word(self) -> &'static str {
        const WORDS: [&str; 8] =
            ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];
        WORDS.get(usize::from(self.0)).copied().unwrap_or("DEBUG")
    }
}

/// Letters of SecAuditLogParts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditParts(u32);

impl AuditParts {
    /// From `ABIJDEFHZ`; what is no letter is ignored.
    pub fn new(letters: &str) -> Self {
        Self(letters.bytes().filter_map(bit).fold(0, |parts, bit| parts | bit))
    }

    /// Whether a part is wanted. A and Z frame every entry and always are.
    pub fn has(self, letter: char) -> bool {
        matches!(letter, 'A' | 'Z')
            || u8::try_from(letter).ok().and_then(bit).is_some_and(|bit| self.0 & bit != 0)
    }
}

fn bit(letter: u8) -> Option<u32> {
    letter.is_ascii_alphabetic().then(|| 1 << (letter.to_ascii_uppercase() - b'A'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_read_as_rules_write_them() {
        let parts = AuditParts::new("abH");
        assert!("AZBH".chars().all(|letter| parts.has(letter)));
        assert!(!"CEFé".chars().any(|letter| parts.has(letter)));
        assert_eq!((Severity(2).as_word(), Severity(9).as_word()), ("CRITICAL", "DEBUG"));
    }
}
