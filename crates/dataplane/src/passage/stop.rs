//! Exchanges that end with an answer of ours, or with none.

use palisade_inspect::{Action, End};

use super::{After, Passage};
use crate::block_page::{AnswerForm, OwnAnswer};
use crate::certificate::Refusal;
use crate::exchange::{Exchange, Failed};
use crate::journal::{AnsweredBy, Sent};
use crate::request::RequestPlan;
use crate::sides::ClientSide;
use crate::tls::CertificatePage;

/// Where there is nobody left to answer.
pub(super) const CLIENT_GONE: &str = "The client went away before its answer was out";

/// A request that ends with an answer of ours, for a reason that is no rule's.
#[derive(Debug)]
pub(super) enum Stop {
    Answer {
        status: u16,
        why: String,
    },
    /// The listener sends every request elsewhere.
    Elsewhere {
        status: u16,
        location: String,
    },
    /// The client's certificate, or the lack of one.
    Certificate(Refusal),
    /// A check's word.
    Act(Action),
    /// The inspection failed; it has said so itself.
    Failed,
    ClientGone,
}

impl Stop {
    pub(super) fn answer(status: u16, why: impl Into<String>) -> Self {
        Self::Answer { status, why: why.into() }
    }
}

/// The line of an answer of ours: what clients do wrong is refused; what is nobody's, or an upstream's fault, is
/// answered for.
pub(crate) fn told(status: u16, why: &str) -> String {
    let word = if matches!(status, 404 | 502 | 504) { "Answered" } else { "Refused" };
    format!("{word} with code {status}: {why}")
}

impl From<Failed> for Stop {
    fn from(Failed: Failed) -> Self {
        Stop::Failed
    }
}

impl<C: ClientSide> Passage<'_, C> {
    /// Ends an exchange with an answer of ours, or with none. `whole`: the request was read to its end, so that the
    /// connection can go on.
    pub(super) async fn stop(
        &mut self,
        plan: &RequestPlan,
        exchange: &mut Exchange,
        stop: Stop,
        mut whole: bool,
    ) -> After {
        exchange.answered(None, 0);
        whole &= !self.closing;
        // A call is told what it lacks by its status.
        let by_check = matches!(stop, Stop::Act(_)) && !exchange.is_unauthenticated();
        let answer = match stop {
            Stop::Act(Action::Answer { status }) => {
                exchange.blocked();
                // Who asks too often, or has yet to say who they are, is no attacker, and is told so.
                let is_block = exchange.retry_after().is_none() && !exchange.is_unauthenticated();
                OwnAnswer { is_block, ..OwnAnswer::status(status) }
            }
            Stop::Act(Action::Redirect { status, location }) => {
                exchange.blocked();
                OwnAnswer { location: Some(location), ..OwnAnswer::status(status) }
            }
            Stop::Elsewhere { status, location } => {
                OwnAnswer { location: Some(location), ..OwnAnswer::status(status) }
            }
            Stop::Certificate(Refusal { status, said, why, page, closes }) => {
                self.caller.plane.metrics.events.certificates_refused_total.one();
                exchange.note(&told(status, &why));
                whole &= !closes;
                let location = page.and_then(|page| match page {
                    CertificatePage::Elsewhere(location) => Some(location),
                    // A request that cannot become another one is only refused.
                    CertificatePage::Here(_) => None,
                });
                OwnAnswer { location, said: Some(said), ..OwnAnswer::status(status) }
            }
            Stop::Act(Action::Close) => {
                exchange.blocked();
                exchange.finish(End::Aborted);
                return After::Cut;
            }
            Stop::Answer { status, why } => {
                exchange.note(&told(status, &why));
                OwnAnswer::status(status)
            }
            // Forwarding is not stopping; were it asked for here, it would be a bug, and must not pass.
            Stop::Failed | Stop::Act(Action::Forward) => OwnAnswer::status(500),
            Stop::ClientGone => {
                exchange.note(CLIENT_GONE);
                exchange.finish(End::Aborted);
                return After::Cut;
            }
        };
        let form = AnswerForm {
            request_id: exchange.request_id(),
            json: plan.wants_json,
            head_only: plan.is_head(),
            close: false,
            http10: false,
            site: self.site.as_deref(),
            retry_after: exchange.retry_after(),
            fields: exchange.refusal_fields(),
        };
        let mut page = answer.page(&form);
        if plan.grpc {
            page = page.into_grpc(by_check, exchange.request_id());
        }
        let written = self.client.send_own(page, whole);
        let sent = Sent { status: written.status, by: AnsweredBy::Palisade };
        exchange.answered(Some(sent), written.body_bytes);
        exchange.finish(End::Aborted);
        match (self.flush_client().await, self.client.stays()) {
            (true, true) => After::Next,
            (true, false) => After::Linger,
            (false, _) => After::Close,
        }
    }
}
