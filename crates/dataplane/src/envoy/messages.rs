//! Messages of `ext_proc`: how a piece passes, and what a request is by its head and Envoy's attributes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::{
    BodySendMode, HeaderSendMode,
};
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Shown;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, HttpBody, HttpHeaders,
    StreamedBodyResponse, TrailersResponse,
};
use envoy_types::pb::google::protobuf::Struct;
use envoy_types::pb::google::protobuf::value::Kind;
use palisade_identity::vouched;

use super::answer::{ValueForm, set};
use super::attributes::{EnvoyHead, HeadBuilder, bytes_of};
use super::{Asked, NOBODY, Shared};

/// Which direction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Request,
    Response,
}

/// The answer to a request's head that goes on without some fields, and with others.
pub(super) fn changed(remove_headers: Vec<String>, told: &[(String, String)]) -> HeadersResponse {
    if remove_headers.is_empty() && told.is_empty() {
        return HeadersResponse::default();
    }
    let set_headers = told.iter().map(|(name, value)| set(name, value, ValueForm::Raw)).collect();
    let changes = HeaderMutation { remove_headers, set_headers };
    let common = CommonResponse { header_mutation: Some(changes), ..CommonResponse::default() };
    HeadersResponse { response: Some(common) }
}

/// What lets a piece pass that is not looked at.
pub(super) fn untouched(shown: Shown, is_duplex: bool) -> Answer {
    let whole = |HttpBody { body, end_of_stream, .. }| is_duplex.then_some((body, end_of_stream));
    match shown {
        Shown::RequestHeaders(_) => Answer::RequestHeaders(HeadersResponse::default()),
        Shown::ResponseHeaders(_) => Answer::ResponseHeaders(HeadersResponse::default()),
        Shown::RequestBody(body) => passed(Way::Request, whole(body)),
        Shown::ResponseBody(body) => passed(Way::Response, whole(body)),
        Shown::RequestTrailers(_) => Answer::RequestTrailers(TrailersResponse::default()),
        Shown::ResponseTrailers(_) => Answer::ResponseTrailers(TrailersResponse::default()),
    }
}

/// The answer to a piece of a body: in a duplex mode the piece itself.
pub(super) fn passed(way: Way, streamed: Option<(Vec<u8>, bool)>) -> Answer {
    let response = streamed.map(|(body, end_of_stream)| CommonResponse {
        body_mutation: Some(BodyMutation {
            mutation: Some(Mutation::StreamedResponse(StreamedBodyResponse {
                body,
                end_of_stream,
                ..StreamedBodyResponse::default()
            })),
        }),
        ..CommonResponse::default()
    });
    match way {
        Way::Request => Answer::RequestBody(BodyResponse { response }),
        Way::Response => Answer::ResponseBody(BodyResponse { response }),
    }
}

/// Whether pieces of a body come back to Envoy by our hand.
pub(super) fn is_duplex(mode: Option<BodySendMode>) -> bool {
    matches!(mode, Some(BodySendMode::FullDuplexStreamed | BodySendMode::Grpc))
}

/// Bodies piece by piece, heads and trailers as well.
pub(super) fn streamed() -> ProcessingMode {
    ProcessingMode {
        request_header_mode: HeaderSendMode::Send as i32,
        response_header_mode: HeaderSendMode::Send as i32,
        request_body_mode: BodySendMode::Streamed as i32,
        response_body_mode: BodySendMode::Streamed as i32,
        request_trailer_mode: HeaderSendMode::Send as i32,
        response_trailer_mode: HeaderSendMode::Send as i32,
    }
}

/// The request as its head and Envoy's attributes show it.
pub(super) fn asked(shared: &Shared, shown: &HttpHeaders, attributes: &HashMap<String, Struct>) -> Asked {
    let attribute = |name: &str| {
        let value = attributes.values().find_map(|of| of.fields.get(name))?;
        match &value.kind {
            Some(Kind::StringValue(text)) => Some(text.as_str()),
            _ => None,
        }
    };
    let fields = shown.headers.iter().flat_map(|fields| &fields.headers);
    let fields = fields.map(|field| (field.key.as_bytes(), bytes_of(field)));
    let head = HeadBuilder::of(&shared.listener.limits.request_head, fields);
    let EnvoyHead { head, .. } =
        head.finish(attribute("request.protocol").unwrap_or_default(), !shown.end_of_stream);
    let address = |name: &str| attribute(name).and_then(|text| text.parse::<SocketAddr>().ok());
    // Without the attribute, the last that Envoy itself has appended.
    let forwarded = || {
        let last = head.headers.values(b"x-forwarded-for").last()?;
        let last = last.rsplit(|byte| *byte == b',').next()?;
        std::str::from_utf8(last.trim_ascii()).ok()?.parse().ok().map(|ip| SocketAddr::new(ip, 0))
    };
    let peer = address("source.address").or_else(forwarded).unwrap_or(NOBODY);
    let local = address("destination.address").unwrap_or(NOBODY);
    let mut asked = Asked::new(head, peer, local);
    let principal = attribute("connection.uri_san_peer_certificate").unwrap_or_default();
    asked.identity = vouched(principal, "").map(Arc::new);
    asked
}
