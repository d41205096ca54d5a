//! The handshake of a connection that was accepted: within its time, and not more of them at once than their bound.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::ProtocolVersion;
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;

use super::{ClientStream, ServerTls, TlsServer};
use crate::arrival::{Alpn, TlsArrival};

/// Handshakes under way on a listener.
#[derive(Debug, Default)]
pub(crate) struct Handshakes(Arc<AtomicUsize>);

/// One of them, while it lives.
#[derive(Debug)]
pub(crate) struct Handshaking(Arc<AtomicUsize>);

impl Handshakes {
    /// One more, unless there are so many already.
    pub(crate) fn begin(&self, max: usize) -> Option<Handshaking> {
        let begun = Handshaking(self.0.clone());
        (self.0.fetch_add(1, Ordering::Relaxed) < max).then_some(begun)
    }
}

impl Drop for Handshaking {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How a connection to a TLS listener began.
#[derive(Debug)]
pub(crate) enum Greeting {
    /// By a handshake that both sides completed.
    Tls(ClientStream, TlsArrival),
    /// By something that is no TLS; nothing of it was read.
    Plain(TcpStream),
    /// The client went away without a word, as probes of load balancers do.
    Gone,
    /// It did not come to its end in time.
    Late,
    /// One side did not like what the other said.
    Failed(String),
}

/// Greets a client.
pub(crate) async fn handshake(stream: TcpStream, tls: &ServerTls, due: Instant) -> Greeting {
    let server = tls.in_force();
    timeout_at(due, greet(stream, &server)).await.unwrap_or(Greeting::Late)
}

async fn greet(stream: TcpStream, server: &TlsServer) -> Greeting {
    // As nginx does: the first byte of TLS is a record's type, and no method of HTTP begins with it.
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(0) | Err(_) => return Greeting::Gone,
        Ok(_) if first[0] != HANDSHAKE_RECORD => return Greeting::Plain(stream),
        Ok(_) => {}
    }
    let start = match LazyConfigAcceptor::new(Acceptor::default(), stream).await {
        Ok(start) => start,
        Err(error) => return failed(&error),
    };
    let sni = start.client_hello().server_name().map(str::to_ascii_lowercase);
    let config = server.config_for(sni.as_deref());
    match start.into_stream(config).await {
        Ok(stream) => {
            let (_, session) = stream.get_ref();
            let rules = server.rules();
            let rule = rules.of(sni.as_deref().map(str::as_bytes));
            let chain: Vec<&[u8]> =
                session.peer_certificates().into_iter().flatten().map(|der| &**der).collect();
            let identity = match rule.identify(&chain, now()) {
                Ok(identity) => identity,
                Err(unreadable) => return Greeting::Failed(unreadable.to_string()),
            };
            let arrival = TlsArrival {
                own_uris: server.uris(sni.as_deref()),
                sni: sni.map(Arc::from),
                version: version(session.protocol_version()),
                cipher: session
                    .negotiated_cipher_suite()
                    .and_then(|suite| suite.suite().as_str())
                    .map_or("unknown", iana),
                alpn: session.alpn_protocol().and_then(Alpn::from_bytes),
                identity: identity.map(Arc::new),
                client_rules: rules.clone(),
            };
            Greeting::Tls(ClientStream::Tls(Box::new(stream)), arrival)
        }
        Err(error) => failed(&error),
    }
}

/// The IANA's name of a cipher suite; rustls has its own for those of TLS 1.3.
fn iana(name: &'static str) -> &'static str {
    match name {
        "TLS13_AES_128_GCM_SHA256" => "TLS_AES_128_GCM_SHA256",
        "TLS13_AES_256_GCM_SHA384" => "TLS_AES_256_GCM_SHA384",
        "TLS13_CHACHA20_POLY1305_SHA256" => "TLS_CHACHA20_POLY1305_SHA256",
        name => name,
    }
}

/// The type of a record that carries a handshake.
const HANDSHAKE_RECORD: u8 = 0x16;

fn failed(error: &io::Error) -> Greeting {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            Greeting::Failed("the client went away in the middle".to_owned())
        }
        _ => Greeting::Failed(error.to_string()),
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

fn version(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "unknown",
    }
}
