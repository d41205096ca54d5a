//! What the audit log asks of a transaction: whether it is to be logged, and read access to what its parts show. Raw;
//! whoever lets it out of the process masks it first.

use palisade_http::{Fields, MultipartFile, ResponseHead};
use palisade_pcre::{Options, Pattern};
use palisade_seclang::ast::{AuditEngine, RuleEngine};

use crate::ruleset::{OperatorSource, Rule, RuleSet};
use crate::transaction::{Enforcement, Match, Transaction};
use crate::variables::Clock;

/// `SecAuditLogRelevantStatus`: the statuses that a pattern matches. They are asked once, when the rules are compiled.
#[derive(Clone, PartialEq, Eq)]
pub struct RelevantStatus {
    pattern: String,
    /// One bit a status from 0 to 999; `None` when the pattern is none.
    statuses: Option<[u64; 16]>,
}

impl RelevantStatus {
    /// Asks a pattern about every status. One that cannot be compiled makes none relevant, see
    /// [`is_valid`](Self::is_valid).
    pub fn new(pattern: &str) -> Self {
        let statuses = Pattern::new(pattern.as_bytes(), Options::default()).ok().map(|compiled| {
            let mut statuses = [0u64; 16];
            for status in 0..1000u16 {
                if compiled.is_match(format!("{status:03}").as_bytes()).unwrap_or(false) {
                    statuses[usize::from(status / 64)] |= 1 << (status % 64);
                }
            }
            statuses
        });
        Self { pattern: pattern.to_owned(), statuses }
    }

    /// Whether the pattern could be compiled.
    pub fn is_valid(&self) -> bool {
        self.statuses.is_some()
    }

    /// Whether an answer with this status is relevant.
    pub fn contains(&self, status: u16) -> bool {
        let place = usize::from(status / 64);
        self.statuses
            .is_some_and(|statuses| statuses.get(place).is_some_and(|bits| bits >> (status % 64) & 1 == 1))
    }

    /// The pattern as written.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }
}

impl std::fmt::Debug for RelevantStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RelevantStatus").field(&self.pattern).finish()
    }
}

impl Transaction {
    /// Whether the audit log takes this exchange, whose answer had this status (`None`: there was no answer). `found`: what
    /// is no rule found something in it, which makes it relevant as a match does.
    pub fn is_audited(&self, status: Option<u16>, found: bool) -> bool {
        if self.vars.engine == RuleEngine::Off {
            return false;
        }
        match self.control.audit_engine {
            AuditEngine::On => true,
            AuditEngine::Off => false,
            AuditEngine::RelevantOnly => {
                let relevant = self.rules.settings.audit.relevant_status.as_ref();
                found
                    || self.control.relevant
                    || relevant.zip(status).is_some_and(|(relevant, status)| relevant.contains(status))
            }
        }
    }

    /// Whether a part of the audit log that shows the request's body is wanted, as far as rules have said by now.
    pub fn audits_request_body(&self) -> bool {
        self.control.audit_engine != AuditEngine::Off
            && self.audit_parts().bytes().any(|part| matches!(part.to_ascii_uppercase(), b'C' | b'I'))
    }

    /// Whether the rule of a match goes to the audit log.
    pub fn audits_match(&self, matched: &Match) -> bool {
        self.rules.rule(matched.rule).audits
    }

    /// Arguments of the query.
    pub fn query_arguments(&self) -> &Fields {
        &self.vars.query
    }

    /// Arguments of the body.
    pub fn body_arguments(&self) -> &Fields {
        &self.vars.body.fields
    }

    /// The name of what read the body, as REQBODY_PROCESSOR shows it; empty when nothing did.
    pub fn body_processor(&self) -> &'static str {
        self.vars.processor
    }

    /// Files of a multipart body.
    pub fn files(&self) -> &[MultipartFile] {
        &self.vars.body.files
    }

    /// The request's body, where the rules could see all of it as one text.
    pub fn request_body(&self) -> &[u8] {
        &self.vars.request_body
    }

    /// The response's head, once there was one.
    pub fn response(&self) -> Option<&ResponseHead> {
        self.vars.response.as_ref()
    }

    /// The response's body, as far as the rules looked at it.
    pub fn response_body(&self) -> &[u8] {
        &self.vars.response_body
    }

    /// What SecRuleEngine and `ctl:ruleEngine` came to; DetectionOnly also where the caller lets nothing stop.
    pub fn rule_engine(&self) -> RuleEngine {
        match (self.vars.engine, self.control.enforcement) {
            (RuleEngine::On, Enforcement::DetectOnly) => RuleEngine::DetectionOnly,
            (engine, _) => engine,
        }
    }

    /// When it began.
    pub fn started(&self) -> Clock {
        self.vars.started
    }

    /// When something happened to it last.
    pub fn last_seen(&self) -> Clock {
        self.vars.clock
    }
}

/// Where a match's texts come from: those that are as the rules have them hold nothing of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FromMacros {
    /// `msg` holds macros.
    pub msg: bool,
    /// `logdata` holds macros.
    pub data: bool,
    /// The last link's argument holds macros.
    pub argument: bool,
}

impl RuleSet {
    /// The files that rules stand in, in load order.
    pub fn files(&self) -> &[String] {
        &self.files
    }
}

impl Rule {
    /// Which texts of its matches hold what macros stood for.
    pub fn from_macros(&self) -> FromMacros {
        let last = self.links.last().and_then(|link| link.condition.as_ref());
        FromMacros {
            msg: self.msg.as_ref().is_some_and(|text| text.as_literal().is_none()),
            data: self.logdata.as_ref().is_some_and(|text| text.as_literal().is_none()),
            argument: last.is_some_and(|condition| matches!(condition.operator, OperatorSource::Expanded(_))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RelevantStatus;

    #[test]
    fn relevant_statuses_are_those_that_the_pattern_finds() {
        let usual = RelevantStatus::new("^(?:5|4(?!04))");
        assert!([400, 403, 499, 500, 503].iter().all(|status| usual.contains(*status)));
        assert!(![0, 200, 302, 404, 999, 1000, u16::MAX].iter().any(|status| usual.contains(*status)));
        let broken = RelevantStatus::new("^(");
        assert!(!broken.is_valid() && !broken.contains(403));
    }
}
