//! An ext_authz server that allows everything at once: what Envoy's question costs by itself, for `bench/proxy/envoy` to
//! compare with.
//!
//!     cargo run --release -p palisade-dataplane --example empty_authz -- 127.0.0.1:9191

use std::net::SocketAddr;

use envoy_types::pb::envoy::service::auth::v3::authorization_server::{Authorization, AuthorizationServer};
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use envoy_types::pb::google::rpc;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

struct Allow;

#[tonic::async_trait]
impl Authorization for Allow {
    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let status = Some(rpc::Status::default());
        Ok(Response::new(CheckResponse { status, ..CheckResponse::default() }))
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address: SocketAddr =
        std::env::args().nth(1).ok_or("name an address, such as 127.0.0.1:9191")?.parse()?;
    Server::builder().add_service(AuthorizationServer::new(Allow)).serve(address).await?;
    Ok(())
}
