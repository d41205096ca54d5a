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
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::check::Check;
use super::joined::Joined;
use super::process::Process;
use super::{EnvoyListener, Shared};
use crate::serve::{Drain, Drained, until_asked};
use crate::settings::Plane;

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
    let path = match &socket {
        Socket::Unix(_, path) => Some(path.clone()),
        Socket::Tcp(_) => None,
    };
    let shared = Arc::new(Shared {
        listener,
        plane,
        joined: Joined::default(),
        said_joined_headers: AtomicBool::new(false),
        said_unseen_request: AtomicBool::new(false),
    });
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status("", tonic_health::ServingStatus::Serving).await;
    health.set_serving::<AuthorizationServer<Check>>().await;
    health.set_serving::<ExternalProcessorServer<Process>>().await;
    let sweeper = tokio::spawn(sweep(shared.clone()));
    let mut deadline = std::pin::pin!(until_asked(drain.asked()));
    let (ended, asked) = tokio::sync::oneshot::channel::<()>();
    let services = Server::builder()
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
    let mut serving = std::pin::pin!(async {
        match socket {
            Socket::Tcp(socket) => {
                let incoming = TcpIncoming::from(socket).with_nodelay(Some(true));
                services.serve_with_incoming_shutdown(incoming, shutdown).await
            }
            Socket::Unix(socket, _) => {
                services.serve_with_incoming_shutdown(UnixListenerStream::new(socket), shutdown).await
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
    sweeper.abort();
    shared.joined.end_all();
    if let Some(path) = path {
        let _ = std::fs::remove_file(path);
    }
    served.map_err(io::Error::other)?;
    Ok(Drained::default())
}

async fn sweep(shared: Arc<Shared>) {
    let mut every = tokio::time::interval(Duration::from_secs(5));
    loop {
        every.tick().await;
        shared.joined.sweep();
    }
}
