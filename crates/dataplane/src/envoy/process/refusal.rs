//! How an exchange of `ext_proc` ends with an answer of ours: what stops it, what Envoy is told, and what is counted. A
//! check's word is a block; everything else is not counted as one.

use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    GrpcStatus, HeaderMutation, ImmediateResponse, ProcessingResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use palisade_inspect::{Action, End};

use super::{About, Conversation};
use crate::block_page::{AnswerForm, grpc_code};
use crate::envoy::answer::{Reason, Refusal, ValueForm, metadata, refused_metadata, set};
use crate::envoy::{Asked, NOBODY};
use crate::exchange::{Exchange, Failed};
use crate::hold::HoldError;
use crate::journal::{AnsweredBy, Sent};
use crate::passage::told;
use crate::upload::UploadError;

/// Why an exchange does not go on.
pub(super) enum Stop {
    /// It is answered by us.
    Refused(Refusal, Why),
    /// Envoy has gone.
    Gone,
}

/// What an exchange is refused for.
pub(super) enum Why {
    /// A check's word.
    Check(Action),
    /// Something that is no check's.
    Other(Reason),
}

impl From<Failed> for Word {
    fn from(Failed: Failed) -> Self {
        Word::Status(500, Reason::Failed)
    }
}

/// What stops an exchange, before it has become an answer.
pub(super) enum Word {
    Action(Action),
    Status(u16, Reason),
}

impl Conversation {
    pub(super) fn cannot_hold(&mut self, error: &HoldError) -> Word {
        self.shared.plane.metrics.events.budget_refused_total.one();
        self.note(&told(503, &error.to_string()));
        Word::Status(503, Reason::OverBudget)
    }

    /// Why a body that is judged on its way goes no further.
    pub(super) fn not_passed(&mut self, error: UploadError) -> Word {
        match error {
            UploadError::Blocked(action) => Word::Action(action),
            UploadError::TooLarge(bytes_max) => {
                self.shared.plane.metrics.events.bodies_too_large_total.one();
                self.note(&told(413, &format!("a message of the call is larger than {bytes_max} bytes")));
                Word::Status(413, Reason::TooLarge)
            }
            // Routes of Envoys have no such bound.
            UploadError::OverRoute(bytes_max) => {
                self.shared.plane.metrics.events.bodies_too_large_total.one();
                self.note(&told(413, &format!("the request's body is larger than {bytes_max} bytes")));
                Word::Status(413, Reason::TooLarge)
            }
            UploadError::OverBudget => self.cannot_hold(&HoldError::OverBudget),
            UploadError::Held(error) => self.cannot_hold(&HoldError::Disk(error)),
            // Envoy says no more of it, and ends the stream: nobody is there to be answered.
            UploadError::Failed | UploadError::Client(_) => Word::Status(500, Reason::Failed),
        }
    }

    /// What stops the exchange, as an answer.
    pub(super) fn stop(&mut self, word: Word) -> Stop {
        let nobody = Asked::new(palisade_http::RequestHead::default(), NOBODY, NOBODY);
        let asked = self.about.as_ref().map_or(&nobody, |about| &about.asked);
        let exchange = self.about.as_ref().and_then(|about| about.exchange.as_deref());
        let retry_after = exchange.and_then(Exchange::retry_after);
        let fields = exchange.map_or(&[][..], Exchange::refusal_fields);
        let form = AnswerForm { retry_after, fields, ..self.shared.form(asked) };
        match word {
            Word::Action(action) => {
                let reason = match asked.ambiguity {
                    Some(_) => Reason::Framing,
                    None if exchange.is_some_and(Exchange::is_unauthenticated) => Reason::Unauthenticated,
                    None => Reason::Blocked,
                };
                Stop::Refused(Refusal::of_action(action.clone(), &form, reason), Why::Check(action))
            }
            Word::Status(status, reason) => {
                Stop::Refused(Refusal::of_status(status, &form, reason), Why::Other(reason))
            }
        }
    }

    /// Answers in place of the service.
    pub(super) async fn refuse(&mut self, refusal: Refusal, why: &Why) {
        let is_grpc = self.is_grpc();
        let (mut refusal, mut said) = (refusal, None);
        if let Some(About { asked, protected, exchange }) = &mut self.about {
            refusal = refusal.for_call(is_grpc, &asked.request_id);
            let service = protected.as_ref().map(|protected| protected.service.name.as_str());
            said = match (why, &exchange) {
                (Why::Check(action), Some(exchange)) => {
                    let service = service.unwrap_or("-");
                    metadata(&asked.request_id, service, exchange.outcome(), action, false)
                }
                (Why::Check(_), None) => None,
                (Why::Other(reason), _) => Some(refused_metadata(&asked.request_id, service, *reason)),
            };
        }
        if let Ok((_, exchange)) = self.exchange() {
            if matches!(why, Why::Check(_)) {
                exchange.blocked();
            }
            let sent = Sent { status: refusal.status, by: AnsweredBy::Palisade };
            exchange.answered(Some(sent), refusal.body.len() as u64);
            exchange.finish(End::Aborted);
        }
        let set_headers =
            refusal.headers.iter().map(|(name, value)| set(name, value, ValueForm::Raw)).collect();
        let immediate = ImmediateResponse {
            status: Some(HttpStatus { code: i32::from(refusal.status) }),
            headers: Some(HeaderMutation { set_headers, ..HeaderMutation::default() }),
            body: refusal.body.into_bytes(),
            grpc_status: is_grpc.then(|| GrpcStatus { status: grpc_code(refusal.status) }),
            details: "palisade".to_owned(),
        };
        let response = ProcessingResponse {
            response: Some(Answer::ImmediateResponse(immediate)),
            dynamic_metadata: said,
            ..ProcessingResponse::default()
        };
        let _ = self.answers.send(Ok(response)).await;
    }
}
