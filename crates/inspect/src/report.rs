//! All that an inspection saw. Raw: it holds what clients sent and never leaves the process; what does leave is
//! made from it through redaction.

use std::sync::Arc;

use palisade_engine::persistent::Operation;
use palisade_engine::{Shortfall, Transaction, error_log};
use palisade_model::Verdict;

use crate::inspection::{End, Outcome, Peer};
use crate::profile::Service;

/// The end of an inspection.
#[derive(Debug)]
pub struct Report {
    /// Who asked.
    pub peer: Peer,
    /// Whom they asked.
    pub service: Arc<Service>,
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
    transaction: Option<Box<Transaction>>,
    /// The beginning of the request's body, when the audit log may want it.
    kept_request_body: Vec<u8>,
}

impl Report {
    #[allow(clippy::too_many_arguments, reason = "an inspection gives up all that it has, once")]
    pub(crate) fn new(
        peer: Peer,
        service: Arc<Service>,
        mut transaction: Option<Box<Transaction>>,
        outcome: Option<Outcome>,
        end: End,
        request_bytes: u64,
        response_bytes: u64,
        kept_request_body: Vec<u8>,
    ) -> Self {
        let operations =
            transaction.as_mut().map(|transaction| transaction.take_operations()).unwrap_or_default();
        Self {
            peer,
            service,
            end,
            outcome,
            request_bytes,
            response_bytes,
            operations,
            transaction,
            kept_request_body,
        }
    }

    /// The verdict; a pass when nothing was decided.
    pub fn verdict(&self) -> &Verdict {
        self.outcome.as_ref().map_or(&Verdict::Pass, |outcome| &outcome.verdict)
    }

    /// The rule engine's part; `None` when no rules ran.
    pub fn transaction(&self) -> Option<&Transaction> {
        self.transaction.as_deref()
    }

    /// The lines of the error log in order, without line ends. Raw: for somebody who explains a request of their own;
    /// a log has [`crate::Redacted::error_log_lines`].
    pub fn error_log_lines(&self) -> Vec<String> {
        let Some(transaction) = &self.transaction else { return Vec::new() };
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
        lines
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
