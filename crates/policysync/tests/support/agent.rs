//! A server of the Policy Sync API that says what it is told to, made with another implementation of gRPC than the client's.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use palisade_policysync::messages::{SYNC_PATH, SyncRequest, ToDataplane};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::{UnboundedReceiverStream, UnixListenerStream};
use tonic::codegen::http;
use tonic::{Request, Response, Status};

/// An agent that listens. Every stream begins with all that was said since the last [`Agent::forget`].
pub(crate) struct Agent {
    path: PathBuf,
    shared: Arc<Mutex<Shared>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    said: VecDeque<ToDataplane>,
    streams: Vec<mpsc::UnboundedSender<Result<ToDataplane, Status>>>,
    asked: Vec<String>,
}

impl Agent {
    /// Listens at a path.
    pub(crate) fn listen(path: &Path) -> Self {
        let _ = std::fs::remove_file(path);
        let shared = Arc::new(Mutex::new(Shared::default()));
        let service = Service(shared.clone());
        let (end, ends) = oneshot::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let at = path.to_owned();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = UnixListener::bind(&at).unwrap();
                ready.send(()).unwrap();
                let incoming = UnixListenerStream::new(listener);
                let server =
                    tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming);
                tokio::select! {
                    _ = server => {}
                    // At once, with all its connections, as a process that is killed.
                    _ = ends => {}
                }
            });
        });
        is_ready.recv().unwrap();
        Self { path: path.to_owned(), shared, end: Some(end), thread: Some(thread) }
    }

    /// Says something, now and at the beginning of every later stream.
    pub(crate) fn say(&self, messages: impl IntoIterator<Item = ToDataplane>) {
        let mut shared = self.shared.lock().unwrap();
        for mut message in messages {
            message.sequence_number = shared.said.len() as u64 + 1;
            shared.streams.retain(|stream| stream.send(Ok(message.clone())).is_ok());
            shared.said.push_back(message);
        }
    }

    /// Ends all streams, with an error.
    pub(crate) fn hang_up(&self) {
        let mut shared = self.shared.lock().unwrap();
        for stream in shared.streams.drain(..) {
            let _ = stream.send(Err(Status::unavailable("a new join closes the old one")));
        }
    }

    /// What every stream was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.lock().unwrap().asked.clone()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

#[derive(Clone)]
struct Service(Arc<Mutex<Shared>>);

impl tonic::server::NamedService for Service {
    const NAME: &'static str = "felix.PolicySync";
}

impl tonic::server::ServerStreamingService<SyncRequest> for Service {
    type Response = ToDataplane;
    type ResponseStream = UnboundedReceiverStream<Result<ToDataplane, Status>>;
    type Future = std::future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<SyncRequest>) -> Self::Future {
        let (sender, stream) = mpsc::unbounded_channel();
        let mut shared = self.0.lock().unwrap();
        shared.asked.push(request.into_inner().subscription_type);
        for message in &shared.said {
            let _ = sender.send(Ok(message.clone()));
        }
        shared.streams.push(sender);
        std::future::ready(Ok(Response::new(UnboundedReceiverStream::new(stream))))
    }
}

impl tonic::codegen::Service<http::Request<tonic::body::Body>> for Service {
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            assert_eq!(request.uri().path(), SYNC_PATH);
            let mut grpc = tonic::server::Grpc::new(tonic_prost::ProstCodec::default());
            Ok(grpc.server_streaming(service, request).await)
        })
    }
}
