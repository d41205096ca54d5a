//! Calls of gRPC through the binary, by tonic on both sides: what other people's services in Rust are made of.

mod pooled;
mod support;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::PathAndQuery;
use pooled::Cluster;
use serde_json::{Value, json};
use support::{Folder, Running, command, eventually};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt as _};
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// A message with a text, as a `.proto` would have it: `message Text { string text = 1; }`.
#[derive(Clone, PartialEq, prost::Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

fn text(text: impl Into<String>) -> Text {
    Text { text: text.into() }
}

/// `service shop.Words { Unary, Client, Server, Bidi }`.
#[derive(Clone)]
struct Words;

impl NamedService for Words {
    const NAME: &'static str = "shop.Words";
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;
type Texts = Pin<Box<dyn Stream<Item = Result<Text, Status>> + Send>>;

/// A method, as tonic's generated code has one type for each.
struct Method<F>(F);

impl<F, Q, A> Service<Request<Q>> for Method<F>
where
    F: FnMut(Request<Q>) -> Answer<A>,
{
    type Response = Response<A>;
    type Error = Status;
    type Future = Answer<A>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Q>) -> Answer<A> {
        (self.0)(request)
    }
}

impl Service<http::Request<Body>> for Words {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Text, Text>::default());
            Ok(match request.uri().path().rsplit('/').next() {
                Some("Unary") => grpc.unary(Method(unary), request).await,
                Some("Client") => grpc.client_streaming(Method(client), request).await,
                Some("Server") => grpc.server_streaming(Method(server), request).await,
                _ => grpc.streaming(Method(bidi), request).await,
            })
        })
    }
}

fn unary(request: Request<Text>) -> Answer<Text> {
    Box::pin(async move {
        let mut answer = Response::new(text(format!("hello {}", request.get_ref().text)));
        let seen = request.metadata().get("x-tag").cloned();
        answer.metadata_mut().insert("x-seen", seen.unwrap_or_else(|| "none".parse().unwrap()));
        Ok(answer)
    })
}

fn client(request: Request<Streaming<Text>>) -> Answer<Text> {
    Box::pin(async move {
        let (mut all, mut texts) = (Vec::new(), request.into_inner());
        while let Some(one) = texts.message().await? {
            all.push(one.text);
        }
        Ok(Response::new(text(all.join("+"))))
    })
}

fn server(request: Request<Text>) -> Answer<Texts> {
    Box::pin(async move {
        let word = request.into_inner().text;
        let texts = (0..5).map(move |n| Ok(text(format!("{word} {n}"))));
        Ok(Response::new(Box::pin(tokio_stream::iter(texts)) as Texts))
    })
}

fn bidi(request: Request<Streaming<Text>>) -> Answer<Texts> {
    Box::pin(async move {
        let echoed = request.into_inner().map(|one| one.map(|one| text(format!("echo {}", one.text))));
        Ok(Response::new(Box::pin(echoed) as Texts))
    })
}

async fn serve() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Server::builder().add_service(Words).serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

const ATTACK: &str = "x' UNION SELECT password FROM users WHERE '1'='1";

struct Caller(Grpc<Channel>);

impl Caller {
    async fn ready(&mut self) -> (&mut Grpc<Channel>, ProstCodec<Text, Text>) {
        self.0.ready().await.unwrap();
        (&mut self.0, ProstCodec::default())
    }

    async fn unary(&mut self, word: &str) -> Result<Response<Text>, Status> {
        let mut request = Request::new(text(word));
        request.metadata_mut().insert("x-tag", "blue".parse().unwrap());
        let (grpc, codec) = self.ready().await;
        grpc.unary(request, path("Unary"), codec).await
    }

    async fn client(&mut self, words: &[&str]) -> Result<String, Status> {
        let words: Vec<Text> = words.iter().copied().map(text).collect();
        let (grpc, codec) = self.ready().await;
        let request = Request::new(tokio_stream::iter(words));
        Ok(grpc.client_streaming(request, path("Client"), codec).await?.into_inner().text)
    }

    async fn server(&mut self, word: &str) -> Result<Vec<String>, Status> {
        let (grpc, codec) = self.ready().await;
        let answer = grpc.server_streaming(Request::new(text(word)), path("Server"), codec).await?;
        let (mut all, mut texts) = (Vec::new(), answer.into_inner());
        while let Some(one) = texts.message().await? {
            all.push(one.text);
        }
        Ok(all)
    }

    /// Each message is sent only after the answer to the one before.
    async fn bidi(&mut self, words: &[&str]) -> Result<Vec<String>, Status> {
        let (send, receive) = mpsc::channel(1);
        let (grpc, codec) = self.ready().await;
        let request = Request::new(ReceiverStream::new(receive));
        let mut words = words.iter().copied();
        let _ = send.send(text(words.next().unwrap())).await;
        let mut answers = grpc.streaming(request, path("Bidi"), codec).await?.into_inner();
        let mut all = Vec::new();
        let mut send = Some(send);
        while let Some(one) = answers.message().await? {
            all.push(one.text);
            match (words.next(), &send) {
                (Some(word), Some(there)) => drop(there.send(text(word)).await),
                _ => send = None,
            }
        }
        Ok(all)
    }
}

fn path(method: &str) -> PathAndQuery {
    format!("/shop.Words/{method}").parse().unwrap()
}

async fn calls(palisade: SocketAddr) {
    let channel = Endpoint::from_shared(format!("http://{palisade}")).unwrap().connect().await.unwrap();
    let mut caller = Caller(Grpc::new(channel));

    let answer = caller.unary("blue shoes").await.unwrap();
    assert_eq!(answer.get_ref().text, "hello blue shoes");
    assert_eq!(answer.metadata().get("x-seen").unwrap(), "blue");
    assert_eq!(caller.client(&["a", "blue shoes", "b"]).await.unwrap(), "a+blue shoes+b");
    assert_eq!(caller.server("word").await.unwrap(), ["word 0", "word 1", "word 2", "word 3", "word 4"]);
    assert_eq!(caller.bidi(&["one", "two", "three"]).await.unwrap(), ["echo one", "echo two", "echo three"]);

    let stopped = [
        ("unary", caller.unary(ATTACK).await.map(drop)),
        ("client", caller.client(&["a", ATTACK, "b"]).await.map(drop)),
        ("server", caller.server(ATTACK).await.map(drop)),
        ("bidi", caller.bidi(&["one", ATTACK]).await.map(drop)),
    ];
    for (kind, stopped) in stopped {
        let status = stopped.expect_err(kind);
        assert_eq!(status.code(), Code::PermissionDenied, "{kind}: {status:?}");
        // It names the request and nothing else.
        assert!(
            status.message().starts_with("request ") && status.message().len() == 40,
            "{kind}: {status:?}"
        );
    }
    assert_eq!(caller.unary("once more").await.unwrap().get_ref().text, "hello once more");
}

#[test]
fn every_kind_of_call_goes_through_and_an_attack_in_any_message_is_refused() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(serve());
    let folder = Folder::new();
    let config = format!(
        "admin: {{address: \"off\"}}\ndataDir: {}\nlisteners: [{{name: web, address: 127.0.0.1:0}}]\n\
         services: [{{name: shop, upstream: {{url: \"http://{service}\", protocol: http2}}}}]\n\
         profiles: {{default: {{mode: block}}}}\n",
        folder.at("data"),
    );
    let mut proxy = Running::start(command(&["run", "--config", &folder.write("palisade.yaml", config)]));
    let address = proxy.address();
    runtime.block_on(async { timeout(Duration::from_secs(60), calls(address)).await.expect("in time") });
    proxy.wait_err("body.protobuf:1");
    assert_eq!(proxy.end(), 0);
}

/// A call that is under way.
struct Held {
    send: mpsc::Sender<Text>,
    answers: Streaming<Text>,
    _caller: Caller,
}

impl Held {
    async fn open(at: SocketAddr) -> Self {
        let channel = Endpoint::from_shared(format!("http://{at}")).unwrap().connect().await.unwrap();
        let mut caller = Caller(Grpc::new(channel));
        let (send, receive) = mpsc::channel(1);
        send.send(text("first")).await.unwrap();
        let (grpc, codec) = caller.ready().await;
        let request = Request::new(ReceiverStream::new(receive));
        let mut answers = grpc.streaming(request, path("Bidi"), codec).await.unwrap().into_inner();
        assert_eq!(answers.message().await.unwrap().unwrap().text, "echo first");
        Self { send, answers, _caller: caller }
    }

    async fn goes_on(&mut self, word: &str) {
        self.send.send(text(word)).await.unwrap();
        let answer =
            timeout(Duration::from_secs(60), self.answers.message()).await.expect("in time").unwrap();
        assert_eq!(answer.unwrap().text, format!("echo {word}"));
    }
}

/// Calls, which are streams of HTTP/2, of before each step go on over it: to the pool, other rules, and back.
#[test]
fn calls_that_are_under_way_go_on_when_a_service_goes_to_the_pool_and_comes_back() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(serve());
    let mut cluster = Cluster::before(service, "grpc", &["customer"]);
    cluster.drain = 300;
    eventually("endpoints", || (!cluster.endpoints().is_empty()).then_some(()));
    let _operator = cluster.operator();
    let _pool = cluster.pool();
    let mut before = runtime.block_on(Held::open(cluster.only_endpoint()));

    cluster.annotate(json!("true"));
    cluster.wait_reason("Protected");
    let inspected = cluster.only_endpoint();
    assert_ne!(inspected, service);
    runtime.block_on(before.goes_on("over to the pool"));
    let mut through = runtime.block_on(Held::open(inspected));

    // Other rules: new calls are judged by them, and those under way go on.
    cluster.rules("deny,status:403");
    // By HTTP/1.1, whose arguments the rule looks at.
    eventually("an attack is refused", || {
        (support::get(inspected, support::COMMENT_ATTACK, "").status == 403).then_some(())
    });
    runtime.block_on(async {
        before.goes_on("over other rules").await;
        through.goes_on("over other rules").await;
    });

    cluster.annotate(Value::Null);
    eventually("endpoints as before", || (cluster.endpoints() == [service].into()).then_some(()));
    runtime.block_on(async {
        before.goes_on("and back").await;
        through.goes_on("and back").await;
    });
}
