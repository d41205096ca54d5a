//! The sockets on which an Envoy asks, TCP or a path, and the gRPC server behind them.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use envoy_types::pb::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessorServer;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::server::NamedService as _;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::check::Check;
use super::gathered::Gathered;
use super::incoming::incoming;
use super::joined::Joined;
use super::process::Process;
use super::readiness::Readiness;
use super::{EnvoyListener, Shared};
use crate::serve::{Drain, Drained, until_asked};
use crate::settings::Plane;
use crate::throttle::Throttle;

/// Where an Envoy finds us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvoyAddress {
    /// An address. Port 0 takes a free one.
    Tcp(SocketAddr),
    /// A path. A socket that nobody listens on any more is replaced.
    Unix(PathBuf),
}

impl std::fmt::Display for EnvoyAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A message of Envoy's at most: one with a whole body of the usual limit of request bodies (12.5 MiB) fits.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What Envoy may send of one message before we have taken it. Four times as much on a connection.
const WINDOW_BYTES: u32 = 1024 * 1024;
/// How long a connection over TLS lasts; then Envoy makes another, by what is asked of it then.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(600);
/// Exchanges at a time on one connection of Envoy's.
const STREAMS_MAX: u32 = 4096;

/// A listener that has its address.
#[derive(Debug)]
pub struct BoundEnvoy {
    listener: EnvoyListener,
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl BoundEnvoy {
    /// Binds a listener. Runs in a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be had, or something else than a socket is at the path.
    pub async fn bind(listener: EnvoyListener) -> io::Result<Self> {
        let socket = match &listener.address {
            EnvoyAddress::Tcp(address) => Socket::Tcp(TcpListener::bind(address).await?),
            EnvoyAddress::Unix(path) => {
                if let Ok(there) = std::fs::symlink_metadata(path) {
                    if !there.file_type().is_socket() {
                        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else is there"));
                    }
                    if UnixStream::connect(path).await.is_ok() {
                        return Err(io::ErrorKind::AddrInUse.into());
                    }
                    std::fs::remove_file(path)?;
                }
                let socket = UnixListener::bind(path)?;
                // Envoy runs as another user; who may reach the folder may ask.
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
                Socket::Unix(socket, path.clone())
            }
        };
        Ok(Self { listener, socket })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.listener.name
    }

    /// Where it listens, with the port that port 0 became.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_address(&self) -> io::Result<EnvoyAddress> {
        Ok(match &self.socket {
            Socket::Tcp(socket) => EnvoyAddress::Tcp(socket.local_addr()?),
            Socket::Unix(_, path) => EnvoyAddress::Unix(path.clone()),
        })
    }
}

/// Serves a listener until it is asked to end and what has begun has ended, or the deadline has come.
///
/// # Errors
/// When the server breaks.
pub async fn serve_envoy(bound: BoundEnvoy, plane: Arc<Plane>, drain: Drain) -> io::Result<Drained> {
    let BoundEnvoy { listener, socket } = bound;
    for protected in listener.routes.targets() {
        plane.metrics.requests_of(&listener.name, &protected.service.name);
    }
    if let Some(tls) = &listener.tls {
        plane.metrics.tls.watch(listener.name.clone(), tls.clone());
    }
    let path = match &socket {
        Socket::Unix(_, path) => Some(path.clone()),
        Socket::Tcp(_) => None,
    };
    let shared = Arc::new(Shared {
        listener,
        plane,
        joined: Joined::default(),
        said_joined_headers: AtomicBool::new(false),
        said_headers_stay: AtomicBool::new(false),
        said_unseen_request: AtomicBool::new(false),
        told_not_ready: Throttle::default(),
    });
    let (health, health_service) = tonic_health::server::health_reporter();
    let mut beside = JoinSet::new();
    beside.spawn(say_health(health, shared.listener.readiness.clone(), drain.clone()));
    beside.spawn(sweep(shared.clone()));
    let mut deadline = std::pin::pin!(until_asked(drain.asked()));
    let (ended, asked) = tokio::sync::oneshot::channel::<()>();
    let mut server = Server::builder();
    if shared.listener.tls.is_some() {
        // Who may ask changes while connections last.
        server = server.max_connection_age(CONNECTION_AGE_MAX);
    }
    let services = server
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(4 * WINDOW_BYTES)
        .add_service(health_service)
        .add_service(
            AuthorizationServer::new(Check(shared.clone())).max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            ExternalProcessorServer::new(Process(shared.clone()))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        );
    let shutdown = async {
        let _ = asked.await;
    };
    let tls = shared.listener.tls.clone();
    let mut serving = std::pin::pin!(async {
        match (socket, tls) {
            (Socket::Tcp(socket), Some(tls)) => {
                let incoming = incoming(socket, tls, shared.listener.handshake, shared.clone());
                services.serve_with_incoming_shutdown(gathered(incoming), shutdown).await
            }
            (Socket::Tcp(socket), None) => {
                let incoming = TcpIncoming::from(socket).with_nodelay(Some(true));
                services.serve_with_incoming_shutdown(gathered(incoming), shutdown).await
            }
            (Socket::Unix(socket, _), _) => {
                let incoming = gathered(UnixListenerStream::new(socket));
                services.serve_with_incoming_shutdown(incoming, shutdown).await
            }
        }
    });
    let served = tokio::select! {
        served = &mut serving => served,
        deadline = &mut deadline => {
            let _ = ended.send(());
            match tokio::time::timeout_at(deadline, serving).await {
                Ok(served) => served,
                Err(_) => Ok(()),
            }
        }
    };
    drop(beside);
    shared.joined.end_all();
    if let Some(path) = path {
        let _ = std::fs::remove_file(path);
    }
    served.map_err(io::Error::other)?;
    Ok(Drained::default())
}

/// Connections whose answers go together.
fn gathered<S>(incoming: impl Stream<Item = io::Result<S>>) -> impl Stream<Item = io::Result<Gathered<S>>> {
    incoming.map(|stream| stream.map(Gathered::new))
}

/// Says whether questions are answered by what is in force: not before it is, and not once we are to end.
async fn say_health(health: HealthReporter, readiness: Readiness, drain: Drain) {
    let mut missing = readiness.watch();
    let mut asked = std::pin::pin!(until_asked(drain.asked()));
    loop {
        let status = match (missing.borrow_and_update().is_none(), drain.is_asked()) {
            (true, false) => ServingStatus::Serving,
            _ => ServingStatus::NotServing,
        };
        for service in ["", AuthorizationServer::<Check>::NAME, ExternalProcessorServer::<Process>::NAME] {
            health.set_service_status(service, status).await;
        }
        if drain.is_asked() {
            return;
        }
        tokio::select! {
            changed = missing.changed() => if changed.is_err() { return },
            _ = &mut asked => {}
        }
    }
}

async fn sweep(shared: Arc<Shared>) {
    let mut every = tokio::time::interval(Duration::from_secs(5));
    loop {
        every.tick().await;
        shared.joined.sweep();
    }
}
