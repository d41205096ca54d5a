//! One method of gRPC, a stream in both directions: served to those who may come, and called.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::{KEEP_ALIVE_EVERY, KEEP_ALIVE_TIME, LiveTls, Peer, incoming};

/// How long somebody may take no word of what it is told.
pub const STALL_TIME: Duration = Duration::from_secs(60);
/// Words that wait for one caller.
const WORDS_WAITING_MAX: usize = 4;
/// Streams of one connection. A caller of ours has one.
const STREAMS_MAX: u32 = 4;
/// Bytes of a stream that may be under way.
const WINDOW_BYTES: u32 = 1 << 20;
/// Where a caller shows its token.
const AUTHORIZATION: &str = "authorization";

/// A method, as who answers it sees it.
pub trait Method: Clone + Send + Sync + 'static {
    /// The service that it is in, as gRPC names it.
    const SERVICE: &'static str;
    /// Its path.
    const PATH: &'static str;
    /// How long a message of a caller may be.
    const HEARD_BYTES_MAX: usize;
    /// What callers say.
    type Heard: Message + Default + 'static;
    /// What they are told.
    type Said: Message + 'static;

    /// One stream, to its end. An error is the last that the caller is told.
    fn converse(
        self,
        caller: Caller,
        heard: Streaming<Self::Heard>,
        words: Words<Self::Said>,
    ) -> impl Future<Output = Result<(), Status>> + Send;
}

/// Where words to a caller go. Waits where the caller does not take them.
pub type Words<S> = mpsc::Sender<Result<S, Status>>;

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The other end of its connection.
    pub peer: Peer,
    /// The bearer token that it showed.
    pub token: Option<String>,
}

/// Serves a method until `end`, to whoever the certificates let in.
///
/// # Errors
/// When the server breaks.
pub async fn serve<M: Method>(
    method: M,
    listener: TcpListener,
    tls: Arc<LiveTls>,
    end: impl Future<Output = ()> + Send,
) -> Result<(), tonic::transport::Error> {
    Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEP_ALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIME))
        .add_service(Service(method))
        .serve_with_incoming_shutdown(incoming(listener, tls), end)
        .await
}

/// Calls a method over a connection. What is said goes into the sender; `words_max` of it may wait.
///
/// # Errors
/// What the other end says where it does not take the call.
pub async fn call<Q: Message + 'static, A: Message + Default + 'static>(
    channel: Channel,
    path: &'static str,
    token: Option<&str>,
    (answer_bytes_max, words_max): (usize, usize),
) -> Result<(mpsc::Sender<Q>, Streaming<A>), Status> {
    let mut grpc = tonic::client::Grpc::new(channel).max_decoding_message_size(answer_bytes_max);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let (say, said) = mpsc::channel(words_max);
    let mut request = Request::new(ReceiverStream::new(said));
    if let Some(token) = token {
        let mut value: MetadataValue<_> = format!("Bearer {token}")
            .parse()
            .map_err(|_| Status::invalid_argument("the token is not one line of plain characters"))?;
        value.set_sensitive(true);
        request.metadata_mut().insert(AUTHORIZATION, value);
    }
    let answer =
        grpc.streaming(request, PathAndQuery::from_static(path), ProstCodec::<Q, A>::default()).await;
    Ok((say, answer?.into_inner()))
}

/// What tonic asks.
#[derive(Clone)]
struct Service<M>(M);

impl<M: Method> NamedService for Service<M> {
    const NAME: &'static str = M::SERVICE;
}

impl<M: Method> StreamingService<M::Heard> for Service<M> {
    type Response = M::Said;
    type ResponseStream = ReceiverStream<Result<M::Said, Status>>;
    type Future = std::future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<M::Heard>>) -> Self::Future {
        let Some(peer) = request.extensions().get::<Peer>().cloned() else {
            return std::future::ready(Err(Status::internal("nobody knows who asks")));
        };
        let shown = request.metadata().get(AUTHORIZATION).and_then(|shown| shown.to_str().ok());
        let token = shown.and_then(|shown| shown.strip_prefix("Bearer ")).map(str::to_owned);
        let (words, said) = mpsc::channel(WORDS_WAITING_MAX);
        let method = self.0.clone();
        tokio::spawn(async move {
            let conversation = method.converse(Caller { peer, token }, request.into_inner(), words.clone());
            if let Err(status) = conversation.await {
                let _ = timeout(STALL_TIME, words.send(Err(status))).await;
            }
        });
        std::future::ready(Ok(Response::new(ReceiverStream::new(said))))
    }
}

impl<M: Method> tonic::codegen::Service<http::Request<Body>> for Service<M> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if request.uri().path() != M::PATH {
                return Ok(
                    Status::unimplemented(format!("there is one method here: {}", M::PATH)).into_http()
                );
            }
            let mut grpc = Grpc::new(ProstCodec::<M::Said, M::Heard>::default())
                .max_decoding_message_size(M::HEARD_BYTES_MAX);
            Ok(grpc.streaming(service, request).await)
        })
    }
}
