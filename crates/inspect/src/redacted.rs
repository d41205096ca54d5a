//! The way out: what of a report logs and events may show.
//!
//! ```text
//! Report (raw) --redacted(&Redactor)--> Redacted --error_log_lines()--> lines
//!                                                --audit_record()-----> AuditRecord, of Excerpts only
//!                                                --event()------------> Event, of Excerpts only
//! ```
//!
//! Where a rule matched a *point* (an argument, a cookie, a header), its value is shown: that is what the finding is
//! about. Where it matched a *composite* text (REQUEST_URI, REQUEST_BODY, TX), the secrets in that text are masked by
//! name and by value. What rules sanitise is hidden everywhere.

mod event;

use palisade_engine::{DebugText, InterruptionAction, Match, RuleId, Sanitised, Transaction, error_log};
use palisade_model::{
    AuditFile, AuditFinding, AuditMessage, AuditParts, AuditRecord, AuditRequest, AuditResponse, BodyForm,
    EngineMode, Excerpt, Intercepted, Interception, Place, Redactor, Severity,
};

pub use self::event::{cause_word, shortfall_text};
use crate::inspection::Cause;
use crate::report::Report;

/// Bytes of a body that an inspection keeps for the audit log, and that a record shows.
pub const AUDIT_BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a target that a record shows, and of a header's value.
const TARGET_BYTES_MAX: usize = 8 * 1024;
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a text of a finding that logs show.
const FINDING_BYTES_MAX: usize = 4 * 1024;
/// Bytes of names: methods, header names, file names.
const NAME_BYTES_MAX: usize = 512;
/// Bytes of the target in each line of the debug log.
const DEBUG_URI_BYTES_MAX: usize = 200;

/// A report seen through redaction.
#[derive(Debug)]
pub struct Redacted<'r> {
    report: &'r Report,
    redactor: Redactor,
    matches: Vec<Match>,
}

/// How the exchange ended for the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The status of the answer; `None` when none was sent.
    pub status: Option<u16>,
    /// How long the exchange took.
    pub duration_micros: u64,
}

impl Report {
    /// What logs and events may show of it, under the masks of its profile.
    pub fn redacted(&self) -> Redacted<'_> {
        let redactor = &self.service.profile.redactor;
        let Some(transaction) = self.transaction() else {
            return Redacted { report: self, redactor: redactor.clone(), matches: Vec::new() };
        };
        let visible: Vec<&Match> = transaction
            .matches()
            .iter()
            .filter(|matched| matched.logged || transaction.audits_match(matched))
            .collect();
        let redactor = of_exchange(redactor.clone(), transaction, &visible);
        let matches =
            visible.into_iter().map(|matched| redacted_match(transaction, matched, &redactor)).collect();
        Redacted { report: self, redactor, matches }
    }
}

impl Redacted<'_> {
    /// The lines of the error log in order, without line ends.
    pub fn error_log_lines(&self) -> Vec<String> {
        let findings = crate::findings::lines(self.report, &self.redactor);
        let Some(transaction) = self.report.transaction() else { return findings };
        let mut lines: Vec<String> = self
            .matches
            .iter()
            .filter(|matched| matched.logged)
            .map(|matched| masked_uri(error_log::line(transaction, matched)))
            .collect();
        let stop = transaction.interruption().or_else(|| transaction.would_interrupt());
        if let Some(by_limit) = stop.filter(|stop| stop.rule.is_none()) {
            lines.push(masked_uri(error_log::limit_line(transaction, by_limit)));
        }
        lines.extend(findings);
        lines
    }

    /// What the audit log keeps of the exchange; `None` when the rules do not want it logged, or when there are none. A
    /// finding makes an exchange relevant as a match of a rule does.
    pub fn audit_record(&self, sent: Sent) -> Option<AuditRecord> {
        let transaction = self.report.transaction()?;
        let found = self.report.notable_findings().next().is_some();
        let audited = transaction.is_audited(sent.status, found);
        audited.then(|| self.record(transaction, sent))
    }

    /// Findings of the built-in detector that are worth a line, the one that decided last.
    pub fn findings(&self) -> Vec<AuditFinding> {
        crate::findings::told(self.report, &self.redactor)
    }

    /// Kinds of attack of these findings, each once, in the order in which they were found.
    pub fn attacks(&self) -> Vec<&'static str> {
        let mut attacks: Vec<&'static str> = Vec::new();
        for finding in self.report.notable_findings() {
            if !attacks.contains(&finding.attack.name()) {
                attacks.push(finding.attack.name());
            }
        }
        attacks
    }

    /// The finding that stopped the exchange, or would have in a mode that stops.
    pub fn decisive_finding(&self) -> Option<AuditFinding> {
        let decides = |cause| matches!(cause, Cause::Finding(_) | Cause::Specification(_) | Cause::Patch);
        let decided = self.report.outcome.as_ref().is_some_and(|it| decides(it.cause));
        let finding = self.report.decisive_finding().filter(|_| decided)?;
        Some(crate::findings::shown(self.report, finding, &self.redactor, false))
    }

    /// The lines of the debug log, without line ends, in ModSecurity 3's form: `[unique_id] [uri] [level] text`.
    /// What could not be looked at comes last, at level 3, and then how much was left out.
    pub fn debug_log_lines(&self) -> Vec<String> {
        let Some(transaction) = self.report.transaction() else { return Vec::new() };
        let (entries, left_out) = transaction.debug_entries();
        let level = transaction.debug_level();
        if entries.is_empty() && level == 0 || transaction.rules().settings().debug_log.is_none() {
            return Vec::new();
        }
        let redactor = &self.redactor;
        let id = redactor.words(&transaction.connection().unique_id);
        let uri = redactor.target(&transaction.request().target, DEBUG_URI_BYTES_MAX);
        let line = |level: u8, text: std::fmt::Arguments<'_>| format!("[{id}] [{uri}] [{level}] {text}");
        let mut lines: Vec<String> = entries
            .iter()
            .map(|entry| match &entry.text {
                DebugText::Words(words) => line(entry.level, format_args!("{}", redactor.words(words))),
                DebugText::Looked { target, value } => {
                    let (name, value) =
                        (redactor.finding(target, NAME_BYTES_MAX), self.value_of(target, value));
                    line(entry.level, format_args!("Target value: \"{value}\" (Variable: {name})"))
                }
                DebugText::Saved { name, value } => {
                    let shown = redactor.finding(name, NAME_BYTES_MAX);
                    let value = self.value_of(name, value);
                    line(entry.level, format_args!("Saving variable: {shown} with value: {value}"))
                }
            })
            .collect();
        if level >= 3 {
            for shortfall in transaction.shortfalls() {
                let words = redactor.words(&format!("{shortfall:?}"));
                lines.push(line(3, format_args!("Not everything was looked at: {words}")));
            }
        }
        if left_out > 0 {
            lines.push(line(
                1,
                format_args!("{left_out} lines left out: the debug log of one request is bounded"),
            ));
        }
        lines
    }

    /// The value of a variable by its name, as the debug log may show it.
    fn value_of(&self, name: &[u8], value: &[u8]) -> Excerpt {
        let place = place_of(name);
        let is_hidden = match &place {
            Some(place) => self.redactor.hides_place(place),
            None => self.redactor.hides(name),
        };
        if is_hidden {
            self.redactor.all_but_ends(value, 0, 0, NAME_BYTES_MAX)
        } else if place.is_some() {
            self.redactor.finding(value, NAME_BYTES_MAX)
        } else {
            self.redactor.text(value, NAME_BYTES_MAX)
        }
    }

    /// Matches that go to the error log, for events and for forms of it other than ModSecurity's: without what the audit log
    /// alone has, which is several times as long as all of the rest.
    pub fn messages(&self) -> Vec<AuditMessage> {
        let Some(transaction) = self.report.transaction() else { return Vec::new() };
        let logged = self.matches.iter().filter(|matched| matched.logged);
        logged.map(|matched| self.message(transaction, matched)).collect()
    }

    /// The ids of rules that matched and are logged, in order.
    pub fn rule_ids(&self) -> impl Iterator<Item = RuleId> {
        self.matches.iter().filter(|matched| matched.logged).map(|matched| matched.id)
    }

    fn record(&self, transaction: &Transaction, sent: Sent) -> AuditRecord {
        let parts = AuditParts::new(transaction.audit_parts());
        let connection = transaction.connection();
        let started = transaction.started();
        let redactor = &self.redactor;
        let messages: Vec<AuditMessage> = self
            .matches
            .iter()
            .filter(|matched| transaction.audits_match(matched))
            .map(|matched| self.audited(transaction, matched))
            .collect();
        let findings = self.findings();
        let by_rule = transaction.interruption().map(|stop| Intercepted {
            phase: stop.phase as u8,
            by: self.interception(&stop.action, stop.status),
        });
        let intercepted =
            by_rule.or_else(|| findings.iter().rev().find_map(|finding| finding.intercepted.clone()));
        AuditRecord {
            parts,
            unique_id: redactor.words(&connection.unique_id),
            started_unix_millis: started.now.0,
            utc_offset_seconds: started.utc_offset_seconds,
            duration_micros: sent.duration_micros,
            client: connection.client,
            server: connection.server,
            request: self.request(transaction, parts),
            response: self.response(transaction, parts, sent),
            messages,
            findings,
            intercepted,
            engine: match transaction.rule_engine() {
                palisade_engine::RuleEngine::On => EngineMode::On,
                palisade_engine::RuleEngine::DetectionOnly => EngineMode::DetectionOnly,
                palisade_engine::RuleEngine::Off => EngineMode::Off,
            },
            components: transaction.rules().components().iter().map(|name| redactor.words(name)).collect(),
            files: transaction
                .files()
                .iter()
                .map(|file| AuditFile {
                    field: redactor.text(&file.name, NAME_BYTES_MAX),
                    name: redactor.text(&file.file_name, NAME_BYTES_MAX),
                    bytes: file.size,
                })
                .collect(),
        }
    }

    fn request(&self, transaction: &Transaction, parts: AuditParts) -> AuditRequest {
        let (redactor, head) = (&self.redactor, transaction.request());
        // What was kept while it came; a form is also kept by the engine, so that a rule that asks late gets it.
        let (kept, length) = self.report.kept_request_body();
        let visible = transaction.request_body();
        let raw = if kept.len() >= visible.len().min(AUDIT_BODY_BYTES_MAX) { kept } else { visible };
        let wanted = (parts.has('C') || parts.has('I')) && !raw.is_empty();
        // I is C without what was uploaded: the fields, as a form would send them.
        let fields_only = !parts.has('C') && transaction.body_processor() == "MULTIPART";
        let body = wanted.then(|| {
            if self.hides_target("REQUEST_BODY") || self.hides_target("FULL_REQUEST") {
                return redactor.all_but_ends(raw, 0, 0, NAME_BYTES_MAX);
            }
            if fields_only {
                return redactor.body(
                    BodyForm::Form,
                    &as_form(transaction.body_arguments()),
                    AUDIT_BODY_BYTES_MAX,
                );
            }
            let form = match transaction.body_processor() {
                "URLENCODED" => BodyForm::Form,
                "JSON" => BodyForm::Json,
                _ => form_of(head.headers.first(b"content-type").unwrap_or_default(), raw),
            };
            let missing = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(raw.len());
            redactor.body(form, raw, AUDIT_BODY_BYTES_MAX).with_left_out(missing)
        });
        AuditRequest {
            method: redactor.text(&head.method, NAME_BYTES_MAX),
            target: redactor.target(&head.target, TARGET_BYTES_MAX),
            version: redactor.text(&head.version, NAME_BYTES_MAX),
            headers: self.headers(head.headers.iter(), Place::RequestHeader),
            body,
        }
    }

    fn response(&self, transaction: &Transaction, parts: AuditParts, sent: Sent) -> AuditResponse {
        let redactor = &self.redactor;
        let raw = transaction.response_body();
        let body = (parts.has('E') && !raw.is_empty()).then(|| {
            if self.hides_target("RESPONSE_BODY") {
                return redactor.all_but_ends(raw, 0, 0, NAME_BYTES_MAX);
            }
            let kind = transaction.response().and_then(|head| head.headers.first(b"content-type"));
            redactor.body(form_of(kind.unwrap_or_default(), raw), raw, AUDIT_BODY_BYTES_MAX)
        });
        let head = transaction.response();
        AuditResponse {
            status: sent.status,
            version: redactor.text(head.map_or(b"HTTP/1.1", |head| &head.version), NAME_BYTES_MAX),
            headers: head
                .map(|head| self.headers(head.headers.iter(), Place::ResponseHeader))
                .unwrap_or_default(),
            body,
            body_bytes: raw.len() as u64,
        }
    }

    fn headers<'h>(
        &self,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
        place: fn(Vec<u8>) -> Place,
    ) -> Vec<(Excerpt, Excerpt)> {
        headers
            .map(|(name, value)| {
                let place = place(name.to_vec());
                (
                    self.redactor.text(name, NAME_BYTES_MAX),
                    self.redactor.header(&place, value, HEADER_BYTES_MAX),
                )
            })
            .collect()
    }

    /// A match with all that the audit log says of it.
    fn audited(&self, transaction: &Transaction, matched: &Match) -> AuditMessage {
        let redactor = &self.redactor;
        let line = masked_uri(error_log::line(transaction, matched));
        let line = line.split_once("] ").map_or(line.as_str(), |(_, line)| line);
        let begin = line.find("Matched \"").or_else(|| line.find("Unconditional match"));
        let words = begin.map_or("", |at| &line[at..]);
        let words = words.split(" [file \"").next().unwrap_or_default();
        AuditMessage {
            line: redactor.words(line),
            matched: redactor.words(words),
            operator: matched.operator.as_ref().map(|(name, ..)| redactor.words(name.as_str())),
            negated: matched.operator.as_ref().is_some_and(|(_, negated, _)| *negated),
            argument: matched
                .operator
                .as_ref()
                .map(|(.., argument)| redactor.finding(argument.as_bytes(), FINDING_BYTES_MAX))
                .unwrap_or_default(),
            ..self.message(transaction, matched)
        }
    }

    fn message(&self, transaction: &Transaction, matched: &Match) -> AuditMessage {
        let redactor = &self.redactor;
        let rules = transaction.rules();
        let rule = rules.rule(matched.rule);
        // The texts of this match are masked already: what is left is to make them printable.
        let shown = |text: &[u8]| redactor.finding(text, FINDING_BYTES_MAX);
        AuditMessage {
            phase: matched.phase as u8,
            rule_id: matched.id.0,
            file: redactor.words(rules.file_of(rule)),
            line_number: rule.line,
            message: shown(&matched.msg),
            data: shown(&matched.data),
            severity: matched.severity.map(Severity),
            version: redactor.words(&rule.ver),
            revision: redactor.words(&rule.rev),
            tags: matched.tags.iter().map(|tag| shown(tag)).collect(),
            maturity: rule.maturity,
            accuracy: rule.accuracy,
            target: shown(&matched.target),
            intercepted: matched.interrupted.as_ref().map(|action| Intercepted {
                phase: matched.phase as u8,
                by: self.interception(action, matched.status),
            }),
            ..AuditMessage::default()
        }
    }

    fn interception(&self, action: &InterruptionAction, status: Option<u16>) -> Interception {
        match action {
            InterruptionAction::Deny => Interception::Status(status.unwrap_or(403)),
            InterruptionAction::Drop => Interception::Close,
            InterruptionAction::Redirect { location } => Interception::Redirect {
                status: status.unwrap_or(302),
                location: self.redactor.target(location.as_bytes(), TARGET_BYTES_MAX),
            },
        }
    }

    /// Whether a rule sanitises a whole variable.
    fn hides_target(&self, name: &str) -> bool {
        self.report.transaction().is_some_and(|transaction| {
            transaction.sanitised().iter().any(|what| {
                matches!(what, Sanitised::MatchedBytes { target, .. } if target.eq_ignore_ascii_case(name.as_bytes()))
            })
        })
    }
}

/// The redactor of one exchange: it hides what rules sanitise, shows what findings are about, and knows the secrets.
fn of_exchange(redactor: Redactor, transaction: &Transaction, matches: &[&Match]) -> Redactor {
    let redactor = redactor.hiding(transaction.sanitised().iter().flat_map(|what| match what {
        Sanitised::Argument(name) => both_names(name),
        Sanitised::RequestHeader(name) => vec![Place::RequestHeader(name.clone())],
        Sanitised::ResponseHeader(name) => vec![Place::ResponseHeader(name.clone())],
        Sanitised::MatchedBytes { target, .. } => match place_of(target) {
            Some(Place::Argument(name)) => both_names(&name),
            place => place.into_iter().collect(),
        },
    }));
    if matches.is_empty() && transaction.debug_entries().0.is_empty() {
        return redactor;
    }
    let arguments = || transaction.query_arguments().iter().chain(transaction.body_arguments().iter());
    let shown = matches.iter().filter_map(|matched| place_of(&matched.target)).filter(|place| match place {
        // Where a name is given twice, only one of them need be what matched.
        Place::Argument(name) => {
            arguments().filter(|(own, _)| own.eq_ignore_ascii_case(name)).nth(1).is_none()
        }
        _ => true,
    });
    let mut shown: Vec<Place> = shown.collect();
    shown.dedup();
    let redactor = redactor.showing(shown);
    let secret = arguments().filter(|(name, _)| redactor.hides_place(&Place::Argument(name.to_vec())));
    let secrets: Vec<&[u8]> = secret.map(|(_, value)| value).take(SECRETS_MAX).collect();
    let headers = transaction.request().headers.iter();
    let credentials = headers.filter(|(name, _)| {
        name.eq_ignore_ascii_case(b"authorization") || name.eq_ignore_ascii_case(b"proxy-authorization")
    });
    let credentials: Vec<&[u8]> = credentials
        .filter_map(|(_, value)| value.rsplit(|byte| *byte == b' ').next())
        .take(SECRETS_MAX)
        .collect();
    redactor.knowing(credentials.into_iter().chain(secrets))
}

/// Secrets that are looked for in composite texts.
const SECRETS_MAX: usize = 32;

/// An argument by its name, and by the key that a JSON body gives it (`json.user.pin` has `pin`).
fn both_names(name: &[u8]) -> Vec<Place> {
    let mut places = vec![Place::Argument(name.to_vec())];
    if name.starts_with(b"json.")
        && let Some(key) = name.rsplit(|byte| *byte == b'.').next()
    {
        places.push(Place::Argument(key.to_vec()));
    }
    places
}

/// The point that MATCHED_VAR_NAME names; `None` for a composite text.
pub(crate) fn place_of(target: &[u8]) -> Option<Place> {
    let colon = target.iter().position(|byte| *byte == b':')?;
    let (collection, name) = (&target[..colon], target[colon + 1..].to_vec());
    match collection {
        b"ARGS" | b"ARGS_GET" | b"ARGS_POST" => Some(Place::Argument(name)),
        b"REQUEST_COOKIES" => Some(Place::Cookie(name)),
        // An address with arguments of its own.
        b"REQUEST_HEADERS" if name.eq_ignore_ascii_case(b"referer") => None,
        b"REQUEST_HEADERS" => Some(Place::RequestHeader(name)),
        b"RESPONSE_HEADERS" => Some(Place::ResponseHeader(name)),
        _ => None,
    }
}

/// Whether a target names one value without names in it, though none that is masked by its name.
fn is_leaf(target: &[u8]) -> bool {
    [&b"FILES"[..], b"FILES_NAMES", b"ARGS_NAMES", b"ARGS_GET_NAMES", b"ARGS_POST_NAMES", b"XML"]
        .iter()
        .any(|name| target.strip_prefix(*name).is_some_and(|rest| rest.is_empty() || rest.starts_with(b":")))
}

/// Whether a place is hidden whatever matched there, by its name or by the key that a JSON body gives it.
fn is_hidden(place: &Place, redactor: &Redactor) -> bool {
    let by_key = match place {
        Place::Argument(name) => both_names(name).iter().any(|place| redactor.is_hidden_by_rule(place)),
        _ => false,
    };
    by_key || redactor.is_hidden_by_rule(place)
}

/// A match whose texts may leave the process.
fn redacted_match(transaction: &Transaction, matched: &Match, redactor: &Redactor) -> Match {
    let place = place_of(&matched.target);
    let bytes = |excerpt: Excerpt| excerpt.as_str().as_bytes().to_vec();
    let sanitised = transaction.sanitised().iter().find_map(|what| match what {
        Sanitised::MatchedBytes { target, keep_start, keep_end } if *target == matched.target => {
            Some((*keep_start as usize, *keep_end as usize))
        }
        _ => None,
    });
    let is_hidden = sanitised.is_some() || place.as_ref().is_some_and(|place| is_hidden(place, redactor));
    let is_point = place.is_some() || is_leaf(&matched.target);
    let from = transaction.rules().rule(matched.rule).from_macros();
    let masked = |text: &[u8], has_macros: bool| match (has_macros, is_hidden, is_point) {
        (false, ..) => text.to_vec(),
        (true, true, _) => bytes(redactor.all_but_ends(text, 0, 0, FINDING_BYTES_MAX)),
        (true, false, true) => bytes(redactor.finding(text, FINDING_BYTES_MAX)),
        (true, false, false) => bytes(redactor.text(text, FINDING_BYTES_MAX)),
    };
    let mut out = matched.clone();
    out.value = if is_hidden {
        let (start, end) = sanitised.unwrap_or_default();
        bytes(redactor.all_but_ends(&matched.value, start, end, FINDING_BYTES_MAX))
    } else {
        masked(&matched.value, true)
    };
    out.msg = masked(&matched.msg, from.msg);
    out.data = masked(&matched.data, from.data);
    if let Some((_, _, argument)) = &mut out.operator
        && from.argument
    {
        *argument = redactor.text(argument.as_bytes(), FINDING_BYTES_MAX).as_str().to_owned();
    }
    out.target = bytes(redactor.finding(&matched.target, FINDING_BYTES_MAX));
    out.tags = matched.tags.iter().map(|tag| bytes(redactor.finding(tag, FINDING_BYTES_MAX))).collect();
    out.assigned = Vec::new();
    if let Some(InterruptionAction::Redirect { location }) = &mut out.interrupted {
        *location = redactor.target(location.as_bytes(), TARGET_BYTES_MAX).as_str().to_owned();
    }
    out
}

/// A line of the error log with the card numbers and session ids of its path masked. Quotes in its fields are escaped,
/// so the last field of that name is the one that we wrote.
pub fn masked_uri(line: String) -> String {
    const FIELD: &str = " [uri \"";
    let Some(at) = line.rfind(FIELD).map(|at| at + FIELD.len()) else { return line };
    let Some(end) = line[at..].find('"').map(|end| at + end) else { return line };
    let masked = Redactor::new().target(&line.as_bytes()[at..end], usize::MAX);
    if masked.as_str() == &line[at..end] {
        return line;
    }
    [&line[..at], masked.as_str(), &line[end..]].concat()
}

/// Fields as `name=value&name=value`, as much of them as a record shows.
fn as_form(fields: &palisade_http::Fields) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::new();
    for (name, value) in fields.iter() {
        if !out.is_empty() {
            out.push(b'&');
        }
        for (number, text) in [name, value].into_iter().enumerate() {
            if number == 1 {
                out.push(b'=');
            }
            for byte in text {
                match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => out.push(*byte),
                    b' ' => out.push(b'+'),
                    _ => out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
                }
            }
        }
        if out.len() > AUDIT_BODY_BYTES_MAX {
            break;
        }
    }
    out
}

/// How a body is written, by its media type and, where that says nothing, by its first byte.
pub fn form_of(content_type: &[u8], body: &[u8]) -> BodyForm {
    let kind = content_type.to_ascii_lowercase();
    let holds = |word: &[u8]| kind.windows(word.len()).any(|window| window == word);
    match body.trim_ascii_start().first() {
        _ if holds(b"x-www-form-urlencoded") => BodyForm::Form,
        _ if holds(b"json") => BodyForm::Json,
        Some(b'{' | b'[') => BodyForm::Json,
        _ => BodyForm::Text,
    }
}
