//! Questions as an Envoy asks them, by messages of our own: what is answered before what decides is in force, and while we
//! end. What a real Envoy makes of answers is tested with the binary.

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Shown;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpHeaders, ProcessingRequest, ProcessingResponse};
use envoy_types::pb::google::protobuf::Struct;
use envoy_types::pb::google::protobuf::value::Kind;
use palisade_dataplane::{
    BoundEnvoy, Budget, DrainTrigger, EnvoyAddress, EnvoyListener, Health, Limits, Plane, Protected, Rates,
    Readiness, Routes, Value, ask_health, drain, serve_envoy,
};
use palisade_model::Mode;
use prost::Message;
use tokio::net::UnixStream;

use support::{Kept, PATIENCE, service};

struct Server {
    path: PathBuf,
    plane: Arc<Plane>,
    journal: Arc<Kept>,
    drain: DrainTrigger,
}

impl Server {
    async fn start(name: &str, readiness: Readiness) -> Self {
        let path = std::env::temp_dir().join(format!("palisade-{name}-{}.sock", std::process::id()));
        let rules = "SecRuleEngine On\nSecRule ARGS \"@contains attack\" \"id:1,phase:1,deny\"\n";
        let protected = Protected {
            service: service(Mode::Block, rules),
            site: None,
            profile: "default".into(),
            rates: Rates::default(),
            authentication: None,
        };
        let listener = EnvoyListener {
            name: "envoy".into(),
            address: EnvoyAddress::Unix(path.clone()),
            routes: Routes::all_to(protected),
            limits: Limits::default(),
            joined: false,
            deadline: Duration::from_secs(5),
            tls: None,
            handshake: Duration::from_secs(5),
            readiness,
        };
        let journal = Arc::new(Kept::default());
        let plane = Plane::new(journal.clone(), Budget::new(std::env::temp_dir()), 0);
        let bound = BoundEnvoy::bind(listener).await.unwrap();
        let (trigger, ear) = drain();
        tokio::spawn(serve_envoy(bound, plane.clone(), ear));
        Self { path, plane, journal, drain: trigger }
    }

    async fn health(&self) -> Health {
        ask_health(&EnvoyAddress::Unix(self.path.clone()), PATIENCE).await.unwrap()
    }

    /// One message there, the first back. What is asked stays open, as ext_proc's streams do.
    async fn ask<A: Message + Default>(&self, method: &str, message: &impl Message) -> A {
        let stream = UnixStream::connect(&self.path).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::post(format!("http://localhost/envoy.service.{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let (response, mut body) = client.ready().await.unwrap().send_request(request, false).unwrap();
        let mut frame = vec![0];
        frame.extend(u32::try_from(message.encoded_len()).unwrap().to_be_bytes());
        frame.extend(message.encode_to_vec());
        body.send_data(Bytes::from(frame), method.contains("Check")).unwrap();
        let mut response = response.await.unwrap().into_body();
        let mut answer = Vec::new();
        loop {
            if let Some([_, length @ ..]) = answer.first_chunk::<5>() {
                let end = 5 + u32::from_be_bytes(*length) as usize;
                if answer.len() >= end {
                    return A::decode(&answer[5..end]).unwrap();
                }
            }
            answer.extend_from_slice(&response.data().await.expect("an answer").unwrap());
        }
    }

    async fn check(&self, path: &str) -> CheckResponse {
        let http = HttpRequest { header_map: Some(head(path)), ..HttpRequest::default() };
        let request = Some(Request { http: Some(http), ..Request::default() });
        let attributes = Some(AttributeContext { request, ..AttributeContext::default() });
        self.ask("auth.v3.Authorization/Check", &CheckRequest { attributes }).await
    }

    async fn process(&self, path: &str) -> ProcessingResponse {
        let head = HttpHeaders { headers: Some(head(path)), end_of_stream: true, ..HttpHeaders::default() };
        let shown =
            ProcessingRequest { request: Some(Shown::RequestHeaders(head)), ..ProcessingRequest::default() };
        self.ask("ext_proc.v3.ExternalProcessor/Process", &shown).await
    }

    fn count(&self, name: &str) -> u64 {
        let mut sum = 0;
        self.plane.visit_metrics(&mut |sample| {
            if let (true, Value::Counter(value)) = (sample.name == name, sample.value) {
                sum += value;
            }
        });
        sum
    }
}

fn head(path: &str) -> HeaderMap {
    let field = |(key, value): (&str, &str)| HeaderValue {
        key: key.to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..HeaderValue::default()
    };
    let fields =
        [(":method", "GET"), (":path", path), (":authority", "shop"), ("x-request-id", "request-one")];
    HeaderMap { headers: fields.map(field).into() }
}

fn said<'s>(metadata: &'s Option<Struct>, name: &str) -> &'s str {
    match metadata.as_ref().and_then(|said| said.fields.get(name)?.kind.as_ref()) {
        Some(Kind::StringValue(text)) => text,
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test]
async fn until_what_decides_is_in_force_nothing_passes_and_the_answer_says_why() {
    let readiness = Readiness::waiting_for("policies have not come yet");
    let server = Server::start("not-ready", readiness.clone()).await;
    assert_eq!(server.health().await, Health::NotServing);
    let answer = server.check("/").await;
    assert_eq!(answer.status.as_ref().unwrap().code, 7);
    let Some(HttpResponse::DeniedResponse(denied)) = answer.http_response else { panic!("it passes") };
    assert_eq!(denied.status.unwrap().code, 503);
    let field = |name: &str| {
        let fields = denied.headers.iter().filter_map(|field| field.header.as_ref());
        fields.filter(|field| field.key == name).map(|field| field.value.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(field("x-palisade-reason"), ["not-ready"]);
    assert_eq!(field("x-request-id"), ["request-one"]);
    assert_eq!(said(&answer.dynamic_metadata, "verdict"), "not-ready");
    assert_eq!(said(&answer.dynamic_metadata, "request_id"), "request-one");

    let answer = server.process("/").await;
    let Some(Answer::ImmediateResponse(immediate)) = answer.response else { panic!("it passes") };
    assert_eq!(immediate.status.unwrap().code, 503);
    let fields = immediate.headers.unwrap().set_headers;
    let reason = |field: &HeaderValue| field.key == "x-palisade-reason" && field.raw_value == b"not-ready";
    assert!(fields.iter().filter_map(|field| field.header.as_ref()).any(reason));
    assert_eq!(said(&answer.dynamic_metadata, "verdict"), "not-ready");
    assert_eq!(
        (server.count("palisade_not_ready_total"), server.count("palisade_requests_blocked_total")),
        (2, 0)
    );
    assert!(
        server.journal.lines()[0].contains("Refused with code 503: not ready: policies have not come yet")
    );

    readiness.is_there();
    assert!(matches!(server.check("/").await.http_response, Some(HttpResponse::OkResponse(_))));
    assert!(matches!(server.process("/").await.response, Some(Answer::RequestHeaders(_))));
    assert_eq!(said(&server.check("/?a=attack").await.dynamic_metadata, "verdict"), "block");
    assert_eq!(server.health().await, Health::Serving);

    readiness.lacks("policies are gone");
    assert!(matches!(server.check("/").await.http_response, Some(HttpResponse::DeniedResponse(_))));
    assert_eq!(server.count("palisade_not_ready_total"), 3);
}

#[tokio::test]
async fn who_ends_takes_no_more_questions() {
    let server = Server::start("draining", Readiness::ready()).await;
    assert_eq!(server.health().await, Health::Serving);
    server.drain.start(PATIENCE);
    let address = EnvoyAddress::Unix(server.path.clone());
    tokio::time::timeout(PATIENCE, async {
        while ask_health(&address, PATIENCE).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it still answers");
}
