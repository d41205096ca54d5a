//! All that an inspection saw. Raw: it holds what clients sent and never leaves the process; what does leave is
//! made from it through redaction.

use std::sync::Arc;

use palisade_detect::{Detection, Finding};
use palisade_engine::persistent::Operation;
use palisade_engine::{Shortfall, Transaction, error_log};
use palisade_http::{BodyLimits, RequestHead, Target, parse_form};
use palisade_model::{Verdict, VisitParameter};

use crate::detector::{Judged, LOGGED_FROM};
use crate::gate;
use crate::inspection::{End, Outcome, Peer};
use crate::profile::Service;
use crate::standing::Standing;

/// The end of an inspection.
#[derive(Debug)]
pub struct Report {
    /// Who asked.
    pub peer: Peer,
    /// Whom they asked.
    pub service: Arc<Service>,
    /// How the request stood.
    pub standing: Standing,
    /// How the exchange ended.
    pub end: End,
    /// The outcome that was not a pass, or the last one. `None` when no stage was decided.
    pub outcome: Option<Outcome>,
    /// Bytes of the request's body that came in.
    pub request_bytes: u64,
    /// Bytes of the response's body that came in.
    pub response_bytes: u64,
    /// Changes to persistent collections, for the store.
    pub operations: Vec<Operation>,
    pub(crate) transaction: Option<Box<Transaction>>,
    pub(crate) detection: Option<Box<Detection>>,
    pub(crate) judged: Judged,
    /// Boxed: few exchanges have policies that say much.
    pub(crate) policy: Option<Box<gate::Judged>>,
    /// The beginning of the request's body, when the audit log may want it.
    pub(crate) kept_request_body: Vec<u8>,
    /// The head, where the request was held against a specification.
    pub(crate) specified: Option<RequestHead>,
}

impl Report {
    /// The verdict; a pass when nothing was decided.
    pub fn verdict(&self) -> &Verdict {
        self.outcome.as_ref().map_or(&Verdict::Pass, |outcome| &outcome.verdict)
    }

    /// The rule engine's part; `None` when no rules ran.
    pub fn transaction(&self) -> Option<&Transaction> {
        self.transaction.as_deref()
    }

    /// What policies said to the request; `None` where there are none.
    pub fn policy(&self) -> Option<&gate::Judged> {
        self.policy.as_deref()
    }

    /// What the built-in detector found, hints included. Raw, as [`error_log_lines`](Self::error_log_lines).
    pub fn findings(&self) -> &[Finding] {
        &self.judged.findings
    }

    /// Those of them that are worth a line in a log.
    pub fn notable_findings(&self) -> impl Iterator<Item = &Finding> {
        self.judged.findings.iter().filter(|finding| finding.confidence.get() >= LOGGED_FROM)
    }

    /// What it found and an exception allows.
    pub fn excepted_findings(&self) -> &[Finding] {
        &self.judged.excepted
    }

    /// The finding that stopped the request, or would have in a mode that stops.
    pub fn decisive_finding(&self) -> Option<&Finding> {
        self.judged.decisive()
    }

    /// The lines of the error log in order, without line ends. Raw: for somebody who explains a request of their own;
    /// a log has [`crate::Redacted::error_log_lines`].
    pub fn error_log_lines(&self) -> Vec<String> {
        let findings = crate::findings::lines(self, &self.service.profile.redactor);
        let Some(transaction) = &self.transaction else { return findings };
        let mut lines: Vec<String> = transaction
            .matches()
            .iter()
            .filter(|matched| matched.logged)
            .map(|matched| error_log::line(transaction, matched))
            .collect();
        let stop = transaction.interruption().or_else(|| transaction.would_interrupt());
        if let Some(by_limit) = stop.filter(|stop| stop.rule.is_none()) {
            lines.push(error_log::limit_line(transaction, by_limit));
        }
        lines.extend(findings);
        lines
    }

    /// The head of the request, where anybody looked at it.
    pub(crate) fn request_head(&self) -> Option<&RequestHead> {
        let transaction = self.transaction.as_deref().map(Transaction::request);
        self.detection.as_ref().map(|detection| detection.head()).or(self.specified.as_ref()).or(transaction)
    }

    /// Visits the parameters of the request: `query` or `body`, name, value. Raw. Without rules those of the query alone.
    pub fn each_parameter(&self, visit: &mut VisitParameter<'_>) {
        match (&self.transaction, &self.detection) {
            (Some(transaction), _) => {
                transaction.query_arguments().iter().for_each(|(name, value)| visit("query", name, value));
                transaction.body_arguments().iter().for_each(|(name, value)| visit("body", name, value));
            }
            (None, Some(detection)) => {
                let head = detection.head();
                let target = Target::new(&head.target, &head.method);
                let Some(query) = target.query() else { return };
                let form = parse_form(query, &BodyLimits::default());
                form.fields.iter().for_each(|(name, value)| visit("query", name, value));
            }
            (None, None) => {}
        }
    }

    /// As much of the request's body as was kept for the audit log, and how long it was.
    pub(crate) fn kept_request_body(&self) -> (&[u8], u64) {
        (&self.kept_request_body, self.request_bytes)
    }

    /// What could not be looked at.
    pub fn shortfalls(&self) -> &[Shortfall] {
        self.transaction.as_deref().map_or(&[], Transaction::shortfalls)
    }
}
