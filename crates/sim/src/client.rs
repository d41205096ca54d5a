//! The client side: one request on a connection of its own, from an address of this machine, with a certificate if any.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::identity::Identity;

/// Who asks, and how long it waits.
#[derive(Clone)]
pub struct Client {
    from: Option<IpAddr>,
    sockets: Option<Sockets>,
    tls: Option<Arc<ClientConfig>>,
    patience: Duration,
}

/// Makes the socket of a connection to an address, where a plain one will not do: one in another network namespace.
pub type Sockets = Arc<dyn Fn(SocketAddr) -> io::Result<TcpSocket> + Send + Sync>;

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: hyper::Method,
    /// Where it goes, and what it asks for.
    pub url: Url,
    /// The address that is connected to in place of the URL's host: a proxy that goes by the Host header.
    pub through: Option<SocketAddr>,
    /// Headers beside Host.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body. Its length is said as hyper says it.
    pub body: Vec<u8>,
}

impl Call {
    /// A GET.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self { method: hyper::Method::GET, url, through: None, headers: Vec::new(), body: Vec::new() }
    }

    /// A request with a body.
    #[must_use]
    pub fn with_body(
        method: hyper::Method,
        url: Url,
        content_type: &'static str,
        body: impl Into<Vec<u8>>,
    ) -> Self {
        let headers = vec![(hyper::header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        Self { method, url, through: None, headers, body: body.into() }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name that is written down is one");
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: hyper::HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first value of a header, where it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection, or one that was closed before TLS was agreed on.
    #[error("cannot connect to {to}: {source}")]
    Connect {
        /// The host and port that were asked for.
        to: String,
        /// What the system or TLS says.
        source: io::Error,
    },
    /// The connection ended without an answer, or what came is none.
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    /// The body ended too early or is longer than [`REPLY_BYTES_MAX`].
    #[error("no whole answer: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// The target has bytes that no request line can have.
    #[error("not a request: {0}")]
    Request(#[from] hyper::http::Error),
    /// Patience is over.
    #[error("no answer within {0:?}")]
    Late(Duration),
}

/// The longest body of an answer that is read.
pub const REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

impl Default for Client {
    fn default() -> Self {
        Self { from: None, sockets: None, tls: None, patience: Duration::from_secs(3) }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("from", &self.from)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// One that waits so long for connection, answer and body together. 3 s by default.
    #[must_use]
    pub fn patient(patience: Duration) -> Self {
        Self { patience, ..Self::default() }
    }

    /// One whose connections leave from an address of this machine.
    #[must_use]
    pub fn from(self, address: IpAddr) -> Self {
        Self { from: Some(address), ..self }
    }

    /// One with sockets of somebody else's making.
    #[must_use]
    pub fn by(self, sockets: Sockets) -> Self {
        Self { sockets: Some(sockets), ..self }
    }

    /// One that believes an authority, and shows a certificate if it has one. PEM.
    ///
    /// # Errors
    /// When one of them cannot be used, in words.
    pub fn believing(self, authority: &str, own: Option<&Identity>) -> Result<Self, String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
            roots.add(certificate.map_err(|error| words(&error))?).map_err(|error| words(&error))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| words(&error))?
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let chain: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| words(&error))?;
                builder
                    .with_client_auth_cert(chain.map_err(|error| words(&error))?, key)
                    .map_err(|error| words(&error))?
            }
        };
        Ok(Self { tls: Some(Arc::new(config)), ..self })
    }

    /// Asks, on a connection of its own.
    ///
    /// # Errors
    /// When there is no answer. Every status is an answer.
    pub async fn ask(&self, call: Call) -> Result<Reply, ClientError> {
        let asked = tokio::time::timeout(self.patience, self.ask_patiently(call)).await;
        asked.unwrap_or(Err(ClientError::Late(self.patience)))
    }

    async fn ask_patiently(&self, call: Call) -> Result<Reply, ClientError> {
        let to = || call.through.map_or_else(|| call.url.authority(), |address| address.to_string());
        let refused = |source| ClientError::Connect { to: to(), source };
        let stream = self.connect(&call).await.map_err(refused)?;
        match (call.url.tls, &self.tls) {
            (false, _) => talk(stream, call).await,
            (true, None) => Err(refused(io::Error::other("no authority to believe for https"))),
            (true, Some(config)) => {
                let name = ServerName::try_from(call.url.host.clone())
                    .map_err(|error| refused(io::Error::other(error)))?;
                let stream =
                    TlsConnector::from(config.clone()).connect(name, stream).await.map_err(refused)?;
                talk(stream, call).await
            }
        }
    }

    async fn connect(&self, call: &Call) -> io::Result<TcpStream> {
        let addresses: Vec<SocketAddr> = match call.through {
            Some(address) => vec![address],
            None => lookup_host((call.url.host.trim_matches(['[', ']']), call.url.port)).await?.collect(),
        };
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match self.open(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn open(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = match &self.sockets {
            Some(sockets) => sockets(address)?,
            None if address.is_ipv4() => TcpSocket::new_v4()?,
            None => TcpSocket::new_v6()?,
        };
        if let Some(from) = self.from {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        socket.connect(address).await
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    call: Call,
) -> Result<Reply, ClientError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let authority = call.url.authority();
    let mut request =
        hyper::Request::builder().method(call.method).uri(&call.url.target).header("host", authority);
    request = request.header("connection", "close");
    for (name, value) in call.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::from(call.body)))?;
    let answered = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, REPLY_BYTES_MAX).collect().await.map_err(ClientError::Body)?;
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes().into() })
    };
    let reply = answered.await;
    // One request a connection: whatever the other side thinks of that, it is closed here.
    driving.abort();
    reply
}

/// A URL: scheme, host, port, and a target that goes out as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    tls: bool,
    host: String,
    port: u16,
    target: String,
}

/// A text that is no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a URL: write http://HOST:PORT/PATH")]
pub struct UrlError(String);

impl Url {
    /// Reads `http://HOST[:PORT][/TARGET]`, or with https.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let error = || UrlError(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(error)?;
        let tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(error()),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let target = target.split('#').next().unwrap_or_default();
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| error())?),
            _ => (authority, if tls { 443 } else { 80 }),
        };
        if host.is_empty() || host.contains('@') || host.contains(char::is_whitespace) {
            return Err(error());
        }
        Ok(Self { tls, host: host.to_owned(), port, target })
    }

    /// The same place, asked for something else. The target begins with a slash.
    #[must_use]
    pub fn with_target(&self, target: impl Into<String>) -> Self {
        Self { target: target.into(), ..self.clone() }
    }

    /// What is asked for.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The host, and the port where it is not the scheme's.
    #[must_use]
    pub fn authority(&self) -> String {
        match (self.tls, self.port) {
            (false, 80) | (true, 443) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http{}://{}{}", if self.tls { "s" } else { "" }, self.authority(), self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_keep_their_target_as_it_stands() {
        for (text, authority, target) in [
            ("http://db:8080/", "db:8080", "/"),
            ("http://db", "db", "/"),
            ("https://db:443/a?b=%27#c", "db", "/a?b=%27"),
            ("http://h//test/artists.php?artist=0+div+1", "h", "//test/artists.php?artist=0+div+1"),
            ("http://[::1]:81?x", "[::1]:81", "/?x"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.authority().as_str(), url.target()), (authority, target), "{text}");
        }
        for text in [
            "db:8080",
            "ftp://db/",
            "http://",
            "http://a b/",
            "http://u@h/",
            "http://h:port/",
            "http://h:70000/",
        ] {
            assert_eq!(Url::parse(text), Err(UrlError(text.to_owned())));
        }
    }
}
