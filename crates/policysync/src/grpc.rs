//! One call of gRPC over a socket in the file system: a question, and a stream of answers.
//!
//! By hand on `h2`, because that is all there is to it, and because nothing of a message is then kept but the message: its
//! length is looked at before its bytes are.

use std::io;
use std::path::Path;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use h2::RecvStream;
use prost::Message;
use tokio::net::UnixStream;

use crate::limits::MESSAGE_BYTES_MAX;

/// A message's flag and length.
const PREFIX_BYTES: usize = 5;
/// What the other side may send before we have taken it.
const WINDOW_BYTES: u32 = 1024 * 1024;

/// Why a call did not begin, or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    #[error("the connection broke: {0}")]
    Broken(#[from] h2::Error),
    #[error("the answer is not gRPC: status {0}")]
    NotGrpc(http::StatusCode),
    #[error("the call was refused: status {status}{}", said(.message))]
    Refused { status: String, message: String },
    #[error("a message of {0} bytes; {MESSAGE_BYTES_MAX} at most are taken")]
    TooLong(usize),
    #[error("a compressed message, which nobody asked for")]
    Compressed,
    #[error("the stream ended within a message")]
    Cut,
    #[error("a message cannot be read: {0}")]
    Unreadable(#[from] prost::DecodeError),
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(", {message}") }
}

/// A stream of answers.
pub(crate) struct Answers {
    body: RecvStream,
    buffer: BytesMut,
    /// Drives the connection; ends with this value.
    connection: tokio::task::JoinHandle<()>,
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Answers {
    /// Connects, asks, and waits for the answer to begin.
    pub(crate) async fn ask(socket: &Path, call: &str, question: &impl Message) -> Result<Self, CallError> {
        let stream = UnixStream::connect(socket).await?;
        let (client, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_header_list_size(16 * 1024)
            .enable_push(false)
            .handshake::<_, Bytes>(stream)
            .await?;
        let connection = tokio::spawn(async move {
            // What breaks it is told by the stream.
            let _ = connection.await;
        });
        let mut answers = None;
        let asked = ask(client, call, question).await.map(|body| {
            answers = Some(body);
        });
        match (asked, answers) {
            (Ok(()), Some(body)) => Ok(Self { body, buffer: BytesMut::new(), connection }),
            (Err(error), _) => {
                connection.abort();
                Err(error)
            }
            (Ok(()), None) => Err(CallError::Cut),
        }
    }

    /// The next answer; `None` at a good end. May be dropped and called again.
    pub(crate) async fn next<M: Message + Default>(&mut self) -> Result<Option<M>, CallError> {
        loop {
            if let Some(message) = self.buffered()? {
                return Ok(Some(message));
            }
            match self.body.data().await {
                Some(data) => {
                    let data = data?;
                    let _ = self.body.flow_control().release_capacity(data.len());
                    self.buffer.extend_from_slice(&data);
                }
                None if self.buffer.is_empty() => {
                    let trailers = self.body.trailers().await?.unwrap_or_default();
                    refused(&trailers)?;
                    return Ok(None);
                }
                None => return Err(CallError::Cut),
            }
        }
    }

    fn buffered<M: Message + Default>(&mut self) -> Result<Option<M>, CallError> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
        if prefix[0] != 0 {
            return Err(CallError::Compressed);
        }
        if length > MESSAGE_BYTES_MAX {
            return Err(CallError::TooLong(length));
        }
        if self.buffer.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX_BYTES);
        Ok(Some(M::decode(self.buffer.split_to(length).freeze())?))
    }
}

async fn ask(
    client: h2::client::SendRequest<Bytes>,
    call: &str,
    question: &impl Message,
) -> Result<RecvStream, CallError> {
    let request = http::Request::post(format!("http://localhost{call}"))
        .header(http::header::CONTENT_TYPE, "application/grpc")
        .header(http::header::TE, "trailers")
        .body(());
    let Ok(request) = request else { return Err(CallError::Cut) };
    let (answer, mut body) = client.ready().await?.send_request(request, false)?;
    let mut bytes = BytesMut::with_capacity(PREFIX_BYTES + question.encoded_len());
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(question.encoded_len()).unwrap_or(u32::MAX));
    bytes.put_slice(&question.encode_to_vec());
    body.send_data(bytes.freeze(), true)?;
    let (head, body) = answer.await?.into_parts();
    if head.status != http::StatusCode::OK {
        return Err(CallError::NotGrpc(head.status));
    }
    refused(&head.headers)?;
    Ok(body)
}

/// An error where a status says one.
fn refused(headers: &http::HeaderMap) -> Result<(), CallError> {
    let text = |name: &str| {
        let text = String::from_utf8_lossy(&unescaped(headers.get(name)?.as_bytes())).into_owned();
        Some(text.chars().filter(|c| !c.is_control()).take(200).collect::<String>())
    };
    match text("grpc-status") {
        Some(status) if status != "0" => {
            Err(CallError::Refused { status, message: text("grpc-message").unwrap_or_default() })
        }
        _ => Ok(()),
    }
}

/// Text as gRPC writes it in a header, with `%HH` for what is not plain.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}
