//! What of a report makes an event: decisions that matter, with why they were made.

use palisade_engine::{Shortfall, Transaction, leading_integer};
use palisade_model::{
    Attack, AuditMessage, Event, EventAction, EventFinding, EventKind, Excerpt, Numbers, PolicyHit,
    PolicyTrace, Redactor, RuleHit, Verdict,
};
use palisade_policy::{Decision, Speaker};

use crate::gate;
use crate::inspection::{Cause, Outcome};
use crate::profile::OnFailure;
use crate::redacted::Redacted;
use crate::report::Report;

/// Rules that one event names, and findings.
const RULES_MAX: usize = 64;
const FINDINGS_MAX: usize = 32;
/// Bytes of each text of a rule or a finding. With the bounds above an event stays below 256 KiB.
const TEXT_BYTES_MAX: usize = 512;
/// Tags of a rule, scores, shortfalls and stops of a policy decision.
const TAGS_MAX: usize = 16;
const SCORES_MAX: usize = 32;
const SHORTFALLS_MAX: usize = 16;
const STOPS_MAX: usize = 16;

impl Redacted<'_> {
    /// What the report says for an event, `None` where nothing in it matters: no verdict but a pass, nothing logged by
    /// rules, no finding, nothing left out, no policy that denies or would. Who asked whom is the caller's to add.
    ///
    /// `messages` are [`Redacted::messages`]; `stopped` says that the exchange was stopped.
    pub fn event(&self, messages: &[AuditMessage], stopped: bool) -> Option<Event> {
        let report = self.report;
        let policy = report.policy().filter(|policy| matters(policy));
        let findings = self.findings();
        let outcome = report.outcome.as_ref();
        let cause = outcome.map_or(Cause::None, |outcome| outcome.cause);
        let incomplete = outcome.is_some_and(|outcome| outcome.incomplete);
        let verdict = report.verdict();
        let kind = match cause {
            Cause::Policy => EventKind::Policy,
            Cause::Framing(_) => EventKind::Framing,
            Cause::List => EventKind::List,
            Cause::Rate => EventKind::Rate,
            Cause::Authentication => EventKind::Authentication,
            Cause::Rule(_) | Cause::Limit | Cause::Finding(_) | Cause::Specification(_) | Cause::Patch => {
                EventKind::Waf
            }
            Cause::None if incomplete => EventKind::Incomplete,
            Cause::None if !messages.is_empty() || !findings.is_empty() => EventKind::Waf,
            Cause::None if policy.is_some() => EventKind::Policy,
            Cause::None if report.standing.would_be_unauthenticated() => EventKind::Authentication,
            Cause::None => return None,
        };
        let closed = incomplete && report.service.profile.on_failure == OnFailure::Closed;
        let staged =
            policy.is_some_and(gate::Judged::would_deny) || report.standing.would_be_unauthenticated();
        let action = match verdict {
            _ if stopped => EventAction::Deny,
            Verdict::Pass if !closed && !staged => EventAction::Pass,
            _ => EventAction::WouldBlock,
        };
        let words = |text: &str| self.redactor.words(text);
        let caps = &report.service.profile.caps;
        let transaction = report.transaction();
        Some(Event {
            kind,
            action,
            verdict: Some(verdict.as_str()),
            msg: match report.standing.unauthenticated.filter(|_| kind == EventKind::Authentication) {
                Some(why) => words(&format!("{} ({})", message(kind, action, verdict), why.reason)),
                None => words(message(kind, action, verdict)),
            },
            rules: messages.iter().take(RULES_MAX).map(|message| rule_hit(message, &self.redactor)).collect(),
            findings: findings.iter().rev().take(FINDINGS_MAX).rev().map(finding).collect(),
            attacks: attacks(self.attacks(), messages),
            cause: cause_word(cause, incomplete),
            rule_id: match cause {
                Cause::Rule(rule) => Some(rule.0),
                _ => None,
            },
            attack: match cause {
                Cause::Finding(attack) | Cause::Specification(attack) => Some(attack),
                Cause::Patch => Some(Attack::VirtualPatch),
                _ => None,
            },
            framing: match cause {
                Cause::Framing(finding) => Some(finding.name()),
                _ => None,
            },
            phase: outcome.filter(|_| *verdict != Verdict::Pass).map(|outcome| self.phase(outcome)),
            scores: Numbers(transaction.map(scores).unwrap_or_default()),
            policy: policy.map(|policy| Box::new(trace(policy, &self.redactor))),
            incomplete,
            shortfalls: report
                .shortfalls()
                .iter()
                .take(SHORTFALLS_MAX)
                .map(|shortfall| self.redactor.finding(shortfall_text(shortfall).as_bytes(), TEXT_BYTES_MAX))
                .collect(),
            request_bytes_inspected: Some(report.request_bytes.min(caps.request_body_bytes_max)),
            response_bytes_inspected: Some(report.response_bytes.min(caps.response_body_bytes_max)),
            ..Event::default()
        })
    }

    /// The phase that decided.
    fn phase(&self, outcome: &Outcome) -> u8 {
        let by_rule =
            self.report.transaction().and_then(|it| it.interruption().or_else(|| it.would_interrupt()));
        by_rule.map_or(outcome.stage as u8 + 1, |stop| stop.phase as u8)
    }
}

impl Report {
    /// Variables of the rules that are scores and not zero, in the order of their first assignment.
    pub fn scores(&self) -> Vec<(String, i64)> {
        self.transaction().map(scores).unwrap_or_default()
    }
}

fn scores(transaction: &Transaction) -> Vec<(String, i64)> {
    let score = |(name, value): (&[u8], &[u8])| {
        let name = String::from_utf8_lossy(name).to_lowercase();
        let is_score = name.ends_with("score") || name.contains("anomaly_score_pl");
        // CRS's settings are called scores as well: how much a finding counts.
        let is_setting = ["critical", "error", "warning", "notice"].iter().any(|word| name.starts_with(word));
        let score = leading_integer(value);
        (is_score && !is_setting && score != 0).then_some((name, score))
    };
    transaction.tx().filter_map(score).take(SCORES_MAX).collect()
}

/// What kept an inspection from looking at everything, in words. The name of a value in it is as the client sent it.
pub fn shortfall_text(shortfall: &Shortfall) -> String {
    match shortfall {
        Shortfall::StepLimit { rule, target } => {
            format!("rule {rule} gave up on {} at its step limit", target.escape_ascii())
        }
        Shortfall::Limit(name) => format!("limit {name} met: what is beyond it was not looked at"),
        Shortfall::TooManyLookups => "more lookups than one request may ask for".to_owned(),
        Shortfall::LookupFailed => "a lookup failed".to_owned(),
        Shortfall::ArgumentInvalid { rule, message } => {
            format!("rule {rule} has an unusable argument: {message}")
        }
    }
}

fn message(kind: EventKind, action: EventAction, verdict: &Verdict) -> &'static str {
    match (kind, action) {
        (EventKind::Policy, EventAction::Deny) => "Policy denied the request",
        (EventKind::Policy, EventAction::WouldBlock) => "Staged policies would deny the request",
        (EventKind::Policy, _) => "Staged policies would allow the request",
        (EventKind::Framing, _) => "The message can be read in more than one way",
        (EventKind::List, _) => "Its source is on the deny list",
        (EventKind::Rate, _) => "It came above a rate limit",
        (EventKind::Authentication, _) => "It is not known who it is from",
        (EventKind::Incomplete, _) => "Not everything could be inspected",
        // Calico's word for it.
        _ if *verdict != Verdict::Pass => "WAF check FAILED!",
        _ => "WAF check found something",
    }
}

/// The word of a cause in events and recordings; none for a pass.
pub fn cause_word(cause: Cause, incomplete: bool) -> Option<&'static str> {
    match cause {
        Cause::Rule(_) => Some("rule"),
        Cause::Limit => Some("limit"),
        Cause::Finding(_) => Some("finding"),
        Cause::Specification(_) => Some("specification"),
        Cause::Patch => Some("patch"),
        Cause::Framing(_) => Some("framing"),
        Cause::Policy => Some("policy"),
        Cause::List => Some("list"),
        Cause::Rate => Some("rate"),
        Cause::Authentication => Some("authentication"),
        Cause::None => incomplete.then_some("incomplete"),
    }
}

/// Kinds of attack that findings and rules tell of, each once: rules say theirs by CRS's tags.
fn attacks(mut attacks: Vec<&'static str>, messages: &[AuditMessage]) -> Vec<&'static str> {
    for tag in messages.iter().flat_map(|message| &message.tags) {
        let Some(class) = tag.as_str().strip_prefix("attack-") else { continue };
        let known = TAGGED.iter().find(|(tag, _)| *tag == class);
        if let Some((_, attack)) = known
            && !attacks.contains(&attack.name())
        {
            attacks.push(attack.name());
        }
    }
    attacks
}

/// CRS's tags `attack-..` and what they mean here. `generic` and `multipart` say nothing of the attack.
const TAGGED: &[(&str, Attack)] = &[
    ("sqli", Attack::Sqli),
    ("xss", Attack::Xss),
    ("rce", Attack::Rce),
    ("lfi", Attack::PathTraversal),
    ("rfi", Attack::FileInclusion),
    ("ssrf", Attack::Ssrf),
    ("ssti", Attack::Ssti),
    ("injection-php", Attack::CodeInjection),
    ("injection-java", Attack::CodeInjection),
    ("injection-generic", Attack::CodeInjection),
    ("protocol", Attack::Protocol),
    ("reputation-scanner", Attack::Scanner),
    ("disclosure", Attack::Leak),
];

fn rule_hit(message: &AuditMessage, redactor: &Redactor) -> RuleHit {
    // Masked already; only cut.
    let cut = |text: &Excerpt| redactor.finding(text.as_str().as_bytes(), TEXT_BYTES_MAX);
    RuleHit {
        id: redactor.words(&message.rule_id.to_string()),
        message: cut(&message.message),
        severity: message
            .severity
            .map(|severity| redactor.words(&severity.0.to_string()))
            .unwrap_or_default(),
        file: cut(&message.file),
        line: redactor.words(&message.line_number.to_string()),
        disruptive: message.intercepted.is_some(),
        phase: Some(message.phase),
        target: cut(&message.target),
        data: cut(&message.data),
        tags: message.tags.iter().take(TAGS_MAX).map(cut).collect(),
    }
}

fn finding(finding: &palisade_model::AuditFinding) -> EventFinding {
    EventFinding {
        attack: Some(finding.attack),
        detector: finding.detector,
        confidence: finding.confidence,
        point: finding.point.clone(),
        decode_path: finding.decoded.clone(),
        excerpt: finding.data.clone(),
        why: finding.why.clone(),
        phase: finding.phase,
        disruptive: finding.intercepted.is_some(),
    }
}

/// Whether policies denied, or would decide otherwise if what is staged were in force.
fn matters(policy: &gate::Judged) -> bool {
    let pending = policy.decisions.pending.as_ref();
    !policy.is_allowed()
        || pending.is_some_and(|pending| pending.verdict != policy.decisions.enforced.verdict)
}

impl gate::Judged {
    /// What an event says of a connection that was refused: no request of it was read. Who asked whom is the caller's to
    /// add.
    #[must_use]
    pub fn event(&self, redactor: &Redactor) -> Event {
        Event {
            kind: EventKind::Policy,
            action: EventAction::Deny,
            cause: Some("policy"),
            msg: redactor.words("Policy closed the connection"),
            policy: Some(Box::new(trace(self, redactor))),
            ..Event::default()
        }
    }
}

fn trace(policy: &gate::Judged, redactor: &Redactor) -> PolicyTrace {
    let (enforced, pending) = (&policy.decisions.enforced, policy.decisions.pending.as_ref());
    let other = pending.filter(|pending| pending.verdict != enforced.verdict);
    let nearest = policy.near_miss.as_ref().map(|miss| {
        let doubt = miss.doubt.map(|doubt| format!(" ({doubt})")).unwrap_or_default();
        format!("rule {} of {}, by its {}{doubt}", miss.rule_index, miss.policy, miss.clause)
    });
    PolicyTrace {
        verdict: enforced.verdict.as_str(),
        reason: redactor.words(&enforced.reason.to_string()),
        pending_verdict: other.map(|pending| pending.verdict.as_str()),
        pending_reason: other.map(|pending| redactor.words(&pending.reason.to_string())).unwrap_or_default(),
        enforced: hits(enforced, redactor),
        pending: other.map(|pending| hits(pending, redactor)).unwrap_or_default(),
        nearest: nearest.map(|nearest| redactor.words(&nearest)).unwrap_or_default(),
    }
}

fn hits(decision: &Decision, redactor: &Redactor) -> Vec<PolicyHit> {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let skipped = decision.trace.len().saturating_sub(STOPS_MAX);
    let stops = decision.trace.iter().enumerate().skip(skipped);
    let hit = |(at, stop): (usize, &palisade_policy::Stop)| {
        let (kind, namespace, name) = match &stop.policy {
            Speaker::Policy(id) => (id.kind.as_str(), &*id.namespace, &*id.name),
            Speaker::Profile(name) => ("Profile", "", &**name),
        };
        PolicyHit {
            kind,
            namespace: redactor.words(namespace),
            name: redactor.words(name),
            tier: redactor.words(&stop.tier),
            action: stop.action.as_str(),
            policy_index: number(at),
            rule_index: stop.rule_index.map(number),
        }
    };
    stops.map(hit).collect()
}
