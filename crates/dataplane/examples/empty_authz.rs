//! An ext_authz server that allows everything at once: what Envoy's question costs by itself, for `bench/proxy/envoy` to
//! compare with.
//!
//!     cargo run --release -p palisade-dataplane --example empty_authz -- 127.0.0.1:9191 [--answer-as-palisade] [--busy MICROSECONDS]
//!
//! `--answer-as-palisade` gives the answer that Palisade gives to a request that passes: what the answer's form costs Envoy.
//! `--busy` counts for so long before each answer: what Envoy's own work costs it where answers take that long.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::authorization_server::{Authorization, AuthorizationServer};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse, OkHttpResponse};
use envoy_types::pb::google::rpc;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

#[derive(Default)]
struct Allow {
    answers_as_palisade: bool,
    busy: Duration,
}

#[tonic::async_trait]
impl Authorization for Allow {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let begun = Instant::now();
        while begun.elapsed() < self.busy {
            std::hint::spin_loop();
        }
        let http_response = self.answers_as_palisade.then(|| ok_with_id(request.into_inner())).flatten();
        let status = Some(rpc::Status::default());
        Ok(Response::new(CheckResponse { status, http_response, ..CheckResponse::default() }))
    }
}

fn ok_with_id(request: CheckRequest) -> Option<HttpResponse> {
    let fields = request.attributes?.request?.http?.header_map?.headers;
    let id = fields.into_iter().find(|field| field.key == "x-request-id")?;
    let header =
        HeaderValue { key: id.key, value: String::from_utf8(id.raw_value).ok()?, raw_value: Vec::new() };
    let set = HeaderValueOption {
        header: Some(header),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd as i32,
        ..HeaderValueOption::default()
    };
    Some(HttpResponse::OkResponse(OkHttpResponse {
        response_headers_to_add: vec![set],
        ..OkHttpResponse::default()
    }))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let address: SocketAddr = words.next().ok_or("name an address, such as 127.0.0.1:9191")?.parse()?;
    let mut allow = Allow::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--answer-as-palisade" => allow.answers_as_palisade = true,
            "--busy" => {
                allow.busy = Duration::from_micros(words.next().ok_or("--busy MICROSECONDS")?.parse()?)
            }
            other => return Err(format!("`{other}` is no option of this server").into()),
        }
    }
    Server::builder().add_service(AuthorizationServer::new(allow)).serve(address).await?;
    Ok(())
}
