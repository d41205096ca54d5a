//! Connections that come: greeted by TLS, each on its own, and let in.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::LiveTls;

/// Connections at a time, those that are being greeted among them. More wait to be accepted.
pub const CONNECTIONS_MAX: usize = 8192;
/// How long a handshake may take.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Connections that are let in and that nobody has taken yet. Each is taken at once.
const WAITING_MAX: usize = 16;

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it is.
    pub address: SocketAddr,
    /// What it showed, signed by an authority that we believe. `None` where it showed nothing.
    pub certificate: Option<CertificateDer<'static>>,
}

impl Peer {
    /// Whether its certificate is for that name: as a DNS name among its subject's alternative names, whose first label of three or more
    /// may be `*`, as a client would judge a server.
    pub fn is_called(&self, name: &str) -> bool {
        let Some(certificate) = &self.certificate else { return false };
        let (Ok(parsed), Ok(name)) = (ParsedCertificate::try_from(certificate), ServerName::try_from(name))
        else {
            return false;
        };
        verify_server_name(&parsed, &name).is_ok()
    }
}

/// A connection that was let in.
#[derive(Debug)]
pub struct Accepted {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    _place: OwnedSemaphorePermit,
}

/// Takes connections until the stream of them is dropped.
pub fn incoming(listener: TcpListener, tls: Arc<LiveTls>) -> ReceiverStream<io::Result<Accepted>> {
    let (let_in, stream) = mpsc::channel(WAITING_MAX);
    tokio::spawn(accept_all(listener, tls, let_in));
    ReceiverStream::new(stream)
}

async fn accept_all(listener: TcpListener, tls: Arc<LiveTls>, let_in: mpsc::Sender<io::Result<Accepted>>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut greeted = JoinSet::new();
    loop {
        let place = places.clone().acquire_owned().await.expect("nobody closes it");
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = let_in.closed() => return,
        };
        while greeted.try_join_next().is_some() {}
        let (Ok((stream, address)), Some(server)) = (accepted, tls.server()) else {
            // Out of descriptors, mostly: those who are here may finish and give theirs back.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let let_in = let_in.clone();
        greeted.spawn(async move {
            let _ = stream.set_nodelay(true);
            let Ok(Ok(stream)) = timeout(HANDSHAKE_TIME, TlsAcceptor::from(server).accept(stream)).await
            else {
                return;
            };
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let peer = Peer { address, certificate: shown.map(|shown| shown.clone().into_owned()) };
            let _ = let_in.send(Ok(Accepted { stream, peer, _place: place })).await;
        });
    }
}

impl Connected for Accepted {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Accepted {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
