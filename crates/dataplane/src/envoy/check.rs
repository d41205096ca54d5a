//! `envoy.service.auth.v3.Authorization`: a request is judged before Envoy sends it on.

use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};
use envoy_types::pb::envoy::service::auth::v3::authorization_server::Authorization;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::Struct;
use envoy_types::pb::google::rpc;
use palisade_identity::vouched;
use palisade_inspect::{Action, End};
use std::sync::Arc;
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};

use super::answer::{Reason, Refusal, ValueForm, metadata, refused_metadata, response_changes, set};
use super::attributes::{EnvoyHead, HeadBuilder, bytes_of, socket_address};
use super::within::{Late, within};
use super::{Asked, Protected, Shared};
use crate::block_page::AnswerForm;
use crate::exchange::{Exchange, Failed, Stand};
use crate::journal::{AnsweredBy, Sent};

/// The service.
#[derive(Debug)]
pub(super) struct Check(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl Authorization for Check {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let Some(attributes) = request.into_inner().attributes else {
            return Err(Status::invalid_argument("a CheckRequest without attributes"));
        };
        Ok(Response::new(self.0.check(attributes).await))
    }
}

/// What of a request's body Envoy shows.
struct Shown {
    bytes: Vec<u8>,
    /// There is more.
    partial: bool,
    /// It is a call of gRPC, and nothing of its messages is shown.
    is_head_of_call: bool,
}

impl Shared {
    async fn check(&self, mut attributes: AttributeContext) -> CheckResponse {
        let http = attributes.request.take().and_then(|request| request.http).unwrap_or_default();
        let (mut asked, shown) = self.asked(&attributes, http);
        if self.is_not_ready(&asked) {
            return self.unjudged(&asked, None, 503, Reason::NotReady);
        }
        let Some(protected) = self.protected(&mut asked, &attributes.context_extensions) else {
            self.no_route(&asked);
            return self.unjudged(&asked, None, 404, Reason::NoRoute);
        };
        if self.joined.is_live(&asked.request_id) {
            return self.allowed(asked, None);
        }
        let due = Instant::now() + self.listener.deadline;
        let Ok((mut exchange, stand)) = within(due, self.begin(&mut asked, &protected, false)).await else {
            // What there was of it has said so in the log.
            self.plane.metrics.events.inspections_late_total.one();
            return self.unjudged(&asked, Some(&protected), 503, Reason::Late);
        };
        if shown.is_head_of_call && exchange.wants_request_body() {
            self.plane.metrics.events.requests_not_inspected_whole_total.one();
            exchange.note("The call's messages were not inspected: Envoy asks by its head alone");
        }
        let judged = match stand {
            Ok(Stand::More) => within(due, judge_body(&mut exchange, &shown)).await,
            stand => Ok(stand),
        };
        let fields = exchange.refusal_fields().to_vec();
        let form = AnswerForm { retry_after: exchange.retry_after(), fields: &fields, ..self.form(&asked) };
        let service = &protected.service.name;
        let unjudged = |status, reason| {
            let said = refused_metadata(&asked.request_id, Some(service), reason);
            (Some(Refusal::of_status(status, &form, reason)), Some(said))
        };
        let (refusal, said) = match judged {
            Ok(Ok(Stand::More | Stand::Decided(Action::Forward))) if asked.ambiguity.is_some() => {
                unjudged(400, Reason::Framing)
            }
            Ok(Ok(stand)) => {
                let action = match stand {
                    Stand::More => Action::Forward,
                    Stand::Decided(action) => action,
                };
                let said = metadata(&asked.request_id, service, exchange.outcome(), &action, shown.partial);
                let refusal = (action != Action::Forward).then(|| {
                    exchange.blocked();
                    let reason = match asked.ambiguity {
                        Some(_) => Reason::Framing,
                        None if exchange.is_unauthenticated() => Reason::Unauthenticated,
                        None => Reason::Blocked,
                    };
                    Refusal::of_action(action, &form, reason)
                });
                (refusal, said)
            }
            Ok(Err(Failed)) => unjudged(500, Reason::Failed),
            Err(Late) => {
                exchange.late();
                unjudged(503, Reason::Late)
            }
        };
        match refusal {
            None if self.listener.joined => self.joined.leave(&asked.request_id, exchange),
            None => exchange.finish(End::Complete),
            Some(refusal) => {
                let refusal = refusal.for_call(asked.is_grpc, &asked.request_id);
                let sent = Sent { status: refusal.status, by: AnsweredBy::Palisade };
                exchange.answered(Some(sent), refusal.body.len() as u64);
                exchange.finish(End::Aborted);
                return denied(refusal, said);
            }
        }
        self.allowed(asked, said)
    }

    fn allowed(&self, asked: Asked, said: Option<Struct>) -> CheckResponse {
        // Where ext_proc sees the response, it changes it.
        let site = asked.site.as_deref().filter(|_| !self.listener.joined);
        if site.is_some_and(|site| !site.headers.remove.is_empty()) {
            self.headers_stay(&asked);
        }
        CheckResponse {
            status: Some(rpc::Status { code: Code::Ok as i32, ..rpc::Status::default() }),
            http_response: Some(HttpResponse::OkResponse(OkHttpResponse {
                headers: asked.told.iter().map(|(name, value)| set(name, value, ValueForm::Text)).collect(),
                response_headers_to_add: response_changes(&asked.request_id, site, ValueForm::Text),
                headers_to_remove: asked.forged,
                ..OkHttpResponse::default()
            })),
            dynamic_metadata: said,
        }
    }

    /// The answer to a request that nobody has judged.
    fn unjudged(
        &self,
        asked: &Asked,
        protected: Option<&Protected>,
        status: u16,
        reason: Reason,
    ) -> CheckResponse {
        let refusal =
            Refusal::of_status(status, &self.form(asked), reason).for_call(asked.is_grpc, &asked.request_id);
        let service = protected.map(|protected| protected.service.name.as_str());
        denied(refusal, Some(refused_metadata(&asked.request_id, service, reason)))
    }

    fn asked(&self, attributes: &AttributeContext, http: HttpRequest) -> (Asked, Shown) {
        let limits = &self.listener.limits.request_head;
        let raw = http.header_map.as_ref().filter(|map| !map.headers.is_empty());
        let head = match raw {
            Some(map) => HeadBuilder::of(
                limits,
                map.headers.iter().map(|field| (field.key.as_bytes(), bytes_of(field))),
            ),
            None => {
                // A map has no order; ours at least does not change from one request to the next.
                let mut fields: Vec<_> = http.headers.iter().collect();
                fields.sort_unstable();
                HeadBuilder::of(
                    limits,
                    fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())),
                )
            }
        };
        let is_raw = raw.is_some();
        // `pack_as_bytes` decides which of the two it is.
        let bytes = if http.raw_body.is_empty() { http.body.into_bytes() } else { http.raw_body };
        let EnvoyHead { head, partial } = head.finish(&http.protocol, !bytes.is_empty());
        let (source, destination) = (attributes.source.as_ref(), attributes.destination.as_ref());
        let address = |peer: Option<&Peer>| socket_address(peer.and_then(|peer| peer.address.as_ref()));
        let mut asked = Asked::new(head, address(source), address(destination));
        asked.identity = source.and_then(|peer| vouched(&peer.principal, &peer.certificate)).map(Arc::new);
        if !is_raw {
            self.headers_are_joined(&asked);
        }
        // The size is Content-Length, or what was read of a chunked body; -1 where neither is known.
        let missing = usize::try_from(http.size).is_ok_and(|size| size > bytes.len());
        // Held, it might never end; what it says is for ext_proc to see.
        let is_head_of_call = asked.is_grpc && bytes.is_empty();
        (asked, Shown { bytes, partial: partial || missing || is_head_of_call, is_head_of_call })
    }
}

/// Shows the body, as far as there is one.
async fn judge_body(exchange: &mut Exchange, shown: &Shown) -> Result<Stand, Failed> {
    if !shown.bytes.is_empty() {
        exchange.streamed(shown.bytes.len() as u64);
        if exchange.wants_request_body() {
            let stand = exchange.request_chunk(&shown.bytes).await?;
            if stand != Stand::More {
                return Ok(stand);
            }
        }
    }
    if shown.partial && !shown.is_head_of_call && exchange.wants_request_body() {
        exchange.note(&format!(
            "The request's body was not inspected whole: Envoy shows its first {} bytes (max_request_bytes)",
            shown.bytes.len()
        ));
        return exchange.request_cut().await;
    }
    exchange.request_end().await
}

fn denied(refusal: Refusal, said: Option<Struct>) -> CheckResponse {
    let headers = refusal.headers.iter().map(|(name, value)| set(name, value, ValueForm::Text)).collect();
    CheckResponse {
        status: Some(rpc::Status { code: Code::PermissionDenied as i32, ..rpc::Status::default() }),
        http_response: Some(HttpResponse::DeniedResponse(DeniedHttpResponse {
            status: Some(HttpStatus { code: i32::from(refusal.status) }),
            headers,
            body: refusal.body,
        })),
        dynamic_metadata: said,
    }
}
