//! What stands between an accepted socket and its first request: the PROXY protocol's header, then the TLS handshake,
//! both within one time. What does not come through is counted, told now and then, and closed.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::admission::{Known, admit};
use crate::arrival::{Arrival, canonical};
use crate::body::write_field;
use crate::exchange::own_line;
use crate::journal::Remark;
use crate::metrics::HandshakeOutcome;
use crate::proxy_protocol::{self, Proxied};
use crate::request_id::request_id;
use crate::settings::{Listener, Plane};
use crate::throttle::Throttle;
use crate::tls::{ClientStream, Greeting, Handshakes, ServerTls, handshake};

/// What connections of one listener share before their first request.
#[derive(Debug, Default)]
pub(crate) struct Threshold {
    handshakes: Handshakes,
    told: Throttle,
}

impl Threshold {
    /// Takes a connection over the threshold. `None`: it ended here.
    pub(crate) async fn pass(
        &self,
        mut stream: TcpStream,
        mut arrival: Arrival,
        listener: &Listener,
        plane: &Plane,
    ) -> Option<(ClientStream, Arrival)> {
        let due = Instant::now() + listener.timeouts.handshake;
        let by_protocol = listener.client_addresses.as_ref().filter(|from| from.is_by_protocol());
        // Of others nothing is expected, and what they send is no header but a request.
        if by_protocol.is_some_and(|from| from.trusts(arrival.peer_addr.ip())) {
            let named = timeout_at(due, proxy_protocol::take(&mut stream)).await;
            match named.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(Proxied::Client { source, destination }) => {
                    arrival.client_addr = canonical(source);
                    arrival.local_addr = canonical(destination);
                }
                Ok(Proxied::Itself) => {}
                Err(error) => {
                    plane.metrics.events.proxy_headers_refused_total.one();
                    let why = match error.kind() {
                        io::ErrorKind::InvalidData => error.to_string(),
                        io::ErrorKind::TimedOut => {
                            "the header of the PROXY protocol did not come in time".into()
                        }
                        _ => "the connection ended in the header of the PROXY protocol".to_owned(),
                    };
                    self.tell(&why, &arrival, listener, plane);
                    return None;
                }
            }
        }
        let known = if listener.tls.is_some() { Known::BeforeHandshake } else { Known::All };
        if !admit(&mut arrival, known, listener, plane) {
            return None;
        }
        let Some(tls) = &listener.tls else { return Some((ClientStream::Plain(stream), arrival)) };
        // Boxed: connections without TLS need not be as large.
        Box::pin(self.greet(stream, arrival, tls, due, listener, plane)).await
    }

    async fn greet(
        &self,
        stream: TcpStream,
        mut arrival: Arrival,
        tls: &ServerTls,
        due: Instant,
        listener: &Listener,
        plane: &Plane,
    ) -> Option<(ClientStream, Arrival)> {
        let count = |outcome| plane.metrics.tls.one(outcome);
        let max = listener.limits.handshakes_max;
        let Some(handshaking) = self.handshakes.begin(max) else {
            count(HandshakeOutcome::Refused);
            let why = format!("TLS is not begun: {max} handshakes are under way");
            self.tell(&why, &arrival, listener, plane);
            return None;
        };
        let greeting = handshake(stream, tls, due).await;
        drop(handshaking);
        match greeting {
            Greeting::Tls(stream, settled) => {
                count(HandshakeOutcome::Completed);
                arrival.tls = Some(settled.into());
                return admit(&mut arrival, Known::All, listener, plane).then_some((stream, arrival));
            }
            Greeting::Plain(stream) => {
                count(HandshakeOutcome::PlainHttp);
                let why = "Refused with code 400: the plain HTTP request was sent to HTTPS port";
                self.tell(why, &arrival, listener, plane);
                let _ = timeout_at(due, refuse_plain(stream)).await;
            }
            Greeting::Gone => count(HandshakeOutcome::Gone),
            Greeting::Late => {
                count(HandshakeOutcome::Late);
                self.tell("The TLS handshake did not come to its end in time", &arrival, listener, plane);
            }
            Greeting::Failed(why) => {
                count(HandshakeOutcome::Failed);
                self.tell(&format!("The TLS handshake failed: {why}"), &arrival, listener, plane);
            }
        }
        None
    }

    fn tell(&self, what: &str, arrival: &Arrival, listener: &Listener, plane: &Plane) {
        let Some(times) = self.told.one() else { return };
        let others = match times {
            1 => String::new(),
            times => format!(
                " (and {} connections that ended like this or otherwise before their first request)",
                times - 1
            ),
        };
        let (client, local) = (arrival.client_addr, arrival.local_addr);
        plane.journal.remark(Remark {
            listener: listener.name.clone(),
            client_addr: client,
            line: own_line(client, local, b"", &request_id(), &format!("{what}{others}")),
        });
    }
}

/// Answers plain HTTP on a port for TLS as nginx does (its 497, which clients see as 400).
async fn refuse_plain(mut stream: TcpStream) -> io::Result<()> {
    // Its head first: an answer to half of it might be lost with the rest.
    let mut head = Vec::with_capacity(1024);
    while head.len() < PLAIN_HEAD_BYTES_MAX && !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    let page = NGINX_497;
    let mut answer = b"HTTP/1.1 400 Bad Request\r\n".to_vec();
    write_field(b"Content-Type", b"text/html", &mut answer);
    write_field(b"Content-Length", page.len().to_string().as_bytes(), &mut answer);
    write_field(b"X-Request-Id", request_id().as_bytes(), &mut answer);
    write_field(b"Connection", b"close", &mut answer);
    answer.extend_from_slice(b"\r\n");
    if !head.starts_with(b"HEAD ") {
        answer.extend_from_slice(page.as_bytes());
    }
    stream.write_all(&answer).await?;
    stream.shutdown().await?;
    let mut rest = [0; 4096];
    let mut left = PLAIN_HEAD_BYTES_MAX;
    while left > 0 {
        let read = stream.read(&mut rest).await?;
        if read == 0 {
            break;
        }
        left = left.saturating_sub(read);
    }
    Ok(())
}

/// What is read of a client that speaks in the clear where it should not, twice at most.
const PLAIN_HEAD_BYTES_MAX: usize = 64 * 1024;

const NGINX_497: &str = "<html>\r\n\
    <head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n\
    <body>\r\n\
    <center><h1>400 Bad Request</h1></center>\r\n\
    <center>The plain HTTP request was sent to HTTPS port</center>\r\n\
    <hr><center>nginx</center>\r\n\
    </body>\r\n\
    </html>\r\n";
