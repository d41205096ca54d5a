//! Syslog by RFC 5424, over UDP (RFC 5426), TCP with octet counting (RFC 6587) or TLS (RFC 5425).

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use palisade_model::Calendar;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::client::roots;
use super::document::{Document, Kind};
use super::worker::{Delivered, Transport};

/// Where to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogSetting {
    /// `host:port`.
    pub address: String,
    /// How.
    pub transport: SyslogTransport,
    /// The facility, 0 to 23.
    pub facility: u8,
    /// The name of this node.
    pub host: String,
    /// Authorities that the server is verified by; those of the system when absent.
    pub ca: Option<PathBuf>,
}

/// How messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SyslogTransport {
    /// A datagram each. Nobody says whether it came.
    Udp,
    /// One after the other, each with its length. Nobody says whether it came, but that the connection stands.
    Tcp,
    /// As TCP, over TLS.
    Tls,
}

pub(super) struct Syslog {
    setting: SyslogSetting,
    tls: Option<Arc<ClientConfig>>,
    open: Option<Open>,
}

enum Open {
    Udp(UdpSocket),
    Stream(Box<dyn Connection>),
}

/// What a stream has to tell before something is written to it.
trait Connection: Write + Send {
    /// Whether the other side has gone.
    fn is_gone(&mut self) -> bool;
}

impl Syslog {
    pub(super) fn new(setting: &SyslogSetting) -> Result<Self, String> {
        let tls = match setting.transport {
            SyslogTransport::Udp | SyslogTransport::Tcp => None,
            SyslogTransport::Tls => {
                let mut store = RootCertStore::empty();
                store.add_parsable_certificates(roots(setting.ca.as_deref())?);
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let config = ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .map_err(|error| format!("TLS cannot be used: {error}"))?
                    .with_root_certificates(store)
                    .with_no_client_auth();
                Some(Arc::new(config))
            }
        };
        Ok(Self { setting: setting.clone(), tls, open: None })
    }

    fn open(&self) -> io::Result<Open> {
        let SyslogSetting { address, transport, .. } = &self.setting;
        let nowhere = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        let mut last = nowhere();
        for to in address.to_socket_addrs()? {
            let opened = match transport {
                SyslogTransport::Udp => {
                    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                    UdpSocket::bind(any).and_then(|socket| socket.connect(to).map(|()| Open::Udp(socket)))
                }
                SyslogTransport::Tcp => connect(to).map(|stream| Open::Stream(Box::new(stream))),
                SyslogTransport::Tls => connect(to).and_then(|stream| self.over_tls(stream)),
            };
            match opened {
                Ok(opened) => return Ok(opened),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn over_tls(&self, stream: TcpStream) -> io::Result<Open> {
        let host = self.setting.address.rsplit_once(':').map_or(&*self.setting.address, |(host, _)| host);
        let host = host.trim_matches(['[', ']']).to_owned();
        let name =
            ServerName::try_from(host).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let config = self.tls.clone().ok_or_else(|| io::Error::other("no TLS"))?;
        let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        // The handshake, so that a certificate of somebody else costs no message.
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Open::Stream(Box::new(stream)))
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let open = match self.open.take() {
            Some(Open::Stream(mut stream)) => match stream.is_gone() {
                true => {
                    drop(stream);
                    self.open()?
                }
                false => Open::Stream(stream),
            },
            Some(open) => open,
            None => self.open()?,
        };
        let open = self.open.insert(open);
        let sent = match open {
            Open::Udp(socket) => {
                let message = &message[..message.len().min(DATAGRAM_BYTES_MAX)];
                match socket.send(message) {
                    // Somebody said earlier that nobody listens there. The next one may.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
                    sent => sent.map(|_| ()),
                }
            }
            Open::Stream(stream) => {
                let mut framed = format!("{} ", message.len()).into_bytes();
                framed.extend_from_slice(message);
                stream.write_all(&framed)
            }
        };
        if sent.is_err() {
            self.open = None;
        }
        sent
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.open {
            Some(Open::Stream(stream)) => stream.flush(),
            _ => Ok(()),
        }
    }
}

impl Transport for Syslog {
    fn deliver(&mut self, documents: &[Document]) -> Delivered {
        for (place, document) in documents.iter().enumerate() {
            let message = message(document, &self.setting);
            if let Err(error) = self.send(message.as_bytes()) {
                let problem = format!("{} cannot be reached: {error}", self.setting.address);
                let again = (place..documents.len()).collect();
                return Delivered { again, problem: Some(problem), ..Delivered::default() };
            }
        }
        match self.flush() {
            Ok(()) => Delivered::default(),
            Err(error) => {
                self.open = None;
                let problem = format!("{} cannot be reached: {error}", self.setting.address);
                Delivered::none_of(documents.len(), problem)
            }
        }
    }
}

/// `<PRI>1 TIME HOST palisade PID WHAT - JSON`
fn message(document: &Document, setting: &SyslogSetting) -> String {
    let denied = document.json.contains("\"action\":\"deny\"");
    // alert 1, warning 4, notice 5, informational 6
    let severity = match document.kind {
        Kind::Alerts => 1,
        Kind::Waf if denied => 4,
        Kind::Waf => 5,
        Kind::L7 => 6,
    };
    let priority = setting.facility * 8 + severity;
    let time = Calendar::new(document.time_ms, 0).rfc3339();
    let host: String = setting.host.chars().filter(char::is_ascii_graphic).take(255).collect();
    let host = if host.is_empty() { "-" } else { &host };
    let what = document.kind.as_str();
    format!("<{priority}>1 {time} {host} palisade {} {what} - {}", std::process::id(), document.json)
}

fn connect(to: std::net::SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Connection for TcpStream {
    fn is_gone(&mut self) -> bool {
        // A server of syslog says nothing: what can be read is its end.
        let mut byte = [0];
        let peeked = self.set_nonblocking(true).and_then(|()| self.peek(&mut byte));
        let blocking = self.set_nonblocking(false);
        blocking.is_err()
            || matches!(peeked, Ok(0))
            || peeked.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
    }
}

impl Connection for StreamOwned<ClientConnection, TcpStream> {
    fn is_gone(&mut self) -> bool {
        if self.sock.set_nonblocking(true).is_err() {
            return true;
        }
        // Tickets come right behind the handshake, and an end may stand behind them: all that is there is read.
        let is_gone = loop {
            match self.conn.read_tls(&mut self.sock) {
                Ok(0) => break true,
                Ok(_) => match self.conn.process_new_packets() {
                    Ok(state) if state.peer_has_closed() => break true,
                    Ok(_) => {}
                    Err(_) => break true,
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break false,
                Err(_) => break true,
            }
        };
        self.sock.set_nonblocking(false).is_err() || is_gone
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
/// What fits in a datagram over IPv4.
const DATAGRAM_BYTES_MAX: usize = 65_507;
