//! Clients of HTTP/2, one that knows the protocol (`h2`) and one that speaks in frames, and a service on it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::PATIENCE;

/// A connection of a client that keeps the rules.
pub struct Http2 {
    pub send: SendRequest<Bytes>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn trailer(&self, name: &str) -> &str {
        self.trailers.as_ref().and_then(|map| map.get(name)).map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Http2 {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Self { send }
    }

    /// Begins a request.
    pub async fn begin(&self, request: Request<()>, ends: bool) -> (ResponseFuture, SendStream<Bytes>) {
        let mut ready = timeout(PATIENCE, self.send.clone().ready()).await.unwrap().unwrap();
        ready.send_request(request, ends).unwrap()
    }

    /// One request and its whole answer.
    pub async fn ask(&self, request: Request<()>, body: &[u8]) -> Result<Answer, h2::Error> {
        let (response, mut stream) = self.begin(request, body.is_empty()).await;
        if !body.is_empty() {
            send(&mut stream, body, true).await?;
        }
        answer(response).await
    }

    pub async fn get(&self, uri: &str) -> Answer {
        self.ask(Request::get(uri).body(()).unwrap(), b"").await.unwrap()
    }
}

/// Sends as the windows allow.
pub async fn send(stream: &mut SendStream<Bytes>, mut bytes: &[u8], ends: bool) -> Result<(), h2::Error> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let room = stream.capacity();
        if room == 0 {
            let more = std::future::poll_fn(|cx| stream.poll_capacity(cx));
            match timeout(PATIENCE, more).await.expect("a window in time") {
                Some(more) => more?,
                None => return Err(Reason::CANCEL.into()),
            };
            continue;
        }
        let (piece, rest) = bytes.split_at(room.min(bytes.len()));
        stream.send_data(Bytes::copy_from_slice(piece), ends && rest.is_empty())?;
        bytes = rest;
    }
    Ok(())
}

pub async fn answer(response: ResponseFuture) -> Result<Answer, h2::Error> {
    let (parts, body) = timeout(PATIENCE, response).await.expect("an answer in time")?.into_parts();
    let (body, trailers) = whole(body).await?;
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, trailers })
}

pub async fn whole(mut body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = timeout(PATIENCE, body.data()).await.expect("a piece in time") {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    Ok((bytes, body.trailers().await?))
}

/// A connection of a client that says what it likes.
pub struct Frames {
    pub stream: TcpStream,
    read: BytesMut,
}

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// A frame's bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// A header block of literals without indexing (RFC 7541 section 6.2.2).
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    let string = |text: &str, out: &mut Vec<u8>| {
        let mut left = text.len();
        if left < 127 {
            out.push(left as u8);
        } else {
            out.push(127);
            left -= 127;
            while left >= 128 {
                out.push((left % 128) as u8 | 128);
                left /= 128;
            }
            out.push(left as u8);
        }
        out.extend_from_slice(text.as_bytes());
    };
    for (name, value) in fields {
        out.push(0);
        string(name, &mut out);
        string(value, &mut out);
    }
    out
}

/// A plain request's block.
pub fn get(path: &str) -> Vec<u8> {
    block(&[(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "h")])
}

impl Frames {
    /// A connection on which nothing was said.
    pub async fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: BytesMut::new() }
    }

    /// A connection that has begun well.
    pub async fn connect(address: SocketAddr) -> Self {
        let mut frames = Self::silent(address).await;
        frames.send(PREFACE).await;
        frames.send(frame(SETTINGS, 0, 0, &[])).await;
        frames
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // Who was refused may be told so while it still speaks.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// The next frame; none when the connection has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(head) = self.read.get(..9) {
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
                let (kind, flags) = (head[3], head[4]);
                let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                if self.read.len() >= 9 + length {
                    let payload = self.read.split_to(9 + length)[9..].to_vec();
                    return Some(Frame { kind, flags, stream, payload });
                }
            }
            let read =
                timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await.expect("a frame in time");
            if !matches!(read, Ok(1..)) {
                return None;
            }
        }
    }

    /// The next frame of a kind, or how the connection ended.
    pub async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// What becomes of the connection or the stream.
    pub async fn verdict(&mut self) -> Verdict {
        loop {
            match self.next().await {
                None => return Verdict::Closed,
                Some(frame) if frame.kind == GOAWAY => {
                    return Verdict::GoAway(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap()));
                }
                Some(frame) if frame.kind == RST_STREAM => {
                    return Verdict::Reset(u32::from_be_bytes(frame.payload[..4].try_into().unwrap()));
                }
                Some(frame) if frame.kind == HEADERS => return Verdict::Answer(status(&frame.payload)),
                Some(_) => {}
            }
        }
    }
}

/// The status at the beginning of a header block: an index of the static table, or a literal with the name's index.
fn status(block: &[u8]) -> u16 {
    const INDEXED: [(u8, u16); 7] =
        [(0x88, 200), (0x89, 204), (0x8a, 206), (0x8b, 304), (0x8c, 400), (0x8d, 404), (0x8e, 500)];
    let known = INDEXED.iter().find(|(byte, _)| block.first() == Some(byte)).map(|(_, status)| *status);
    known.unwrap_or(0)
}

/// What became of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An answer; its status where that is in the static table, else 0.
    Answer(u16),
    Reset(u32),
    GoAway(u32),
    Closed,
}

/// A service on HTTP/2 that does with each request as it is told. How many connections it has had.
pub async fn service_on_http2<F, A>(act: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(Request<RecvStream>, SendResponse<Bytes>) -> A + Clone + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let act = act.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    tokio::spawn(act(request, respond));
                }
            });
        }
    });
    (address, connections)
}
