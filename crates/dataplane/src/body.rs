//! Message bodies on the wire: the transfer coding taken off, and put on.

use palisade_http::{ChunkFinding, ChunkProgress, ChunkedDecoder, Fields, Framing, chunk_head};

use crate::identity_headers::is_identity_header;

/// Takes the body of one message from what its connection gives.
#[derive(Debug)]
pub(crate) struct BodyReader {
    state: State,
}

#[derive(Debug)]
enum State {
    Length { left: u64 },
    Chunked(Box<ChunkedDecoder>),
    UntilClose,
    Done(Option<Box<ChunkedDecoder>>),
}

impl BodyReader {
    pub(crate) fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done(None),
            Framing::Length(left) => State::Length { left },
            Framing::Chunked => State::Chunked(Box::default()),
            Framing::UntilClose => State::UntilClose,
        };
        Self { state }
    }

    /// Whether all of it was taken.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_))
    }

    /// Takes what belongs to the body and hands its bytes to `sink`. Returns how much of `input` is used up.
    ///
    /// # Errors
    /// When the chunked coding is broken; nothing after it on the connection can be trusted.
    pub(crate) fn take(&mut self, input: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<usize, ChunkFinding> {
        match &mut self.state {
            State::Length { left } => {
                let run = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                sink(&input[..run]);
                *left -= run as u64;
                if *left == 0 {
                    self.state = State::Done(None);
                }
                Ok(run)
            }
            State::Chunked(decoder) => match decoder.feed(input, sink) {
                ChunkProgress::More => Ok(input.len()),
                ChunkProgress::Done { consumed } => {
                    let decoder = std::mem::take(decoder);
                    self.state = State::Done(Some(decoder));
                    Ok(consumed)
                }
                ChunkProgress::Refused(finding) => Err(finding),
            },
            State::UntilClose => {
                sink(input);
                Ok(input.len())
            }
            State::Done(_) => Ok(0),
        }
    }

    /// Takes the end of the connection. Whether the body may end so.
    pub(crate) fn end(&mut self) -> bool {
        if matches!(self.state, State::UntilClose) {
            self.state = State::Done(None);
        }
        self.is_done()
    }

    /// The trailer fields, once it is done.
    pub(crate) fn trailers(&self) -> Option<&Fields> {
        match &self.state {
            State::Done(Some(decoder)) => Some(decoder.trailers()),
            _ => None,
        }
    }
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// There is none.
    None,
    /// As it is: its length was announced, or it lasts until the connection ends.
    Plain,
    /// In chunks.
    Chunked,
}

impl Coding {
    /// Writes a piece.
    pub(crate) fn write(self, piece: &[u8], out: &mut Vec<u8>) {
        match self {
            Coding::None => {}
            Coding::Plain => out.extend_from_slice(piece),
            // A chunk of no bytes would end the body.
            Coding::Chunked if piece.is_empty() => {}
            Coding::Chunked => {
                let (line, start) = chunk_head(piece.len());
                out.extend_from_slice(&line[start..]);
                out.extend_from_slice(piece);
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Writes the end.
    pub(crate) fn finish(self, trailers: Option<&Fields>, out: &mut Vec<u8>) {
        if self != Coding::Chunked {
            return;
        }
        out.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.into_iter().flat_map(Fields::iter) {
            if !is_forbidden_trailer(name) {
                write_field(name, value, out);
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Writes one header field.
pub(crate) fn write_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Fields that must not come after a body (RFC 9110 section 6.5.1), because some server takes trailers for headers:
/// framing, routing, credentials, and what we say ourselves about the client.
pub(crate) fn is_forbidden_trailer(name: &[u8]) -> bool {
    const NAMES: [&str; 20] = [
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "proxy-authorization",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-real-ip",
        "x-request-id",
    ];
    let lower = name.to_ascii_lowercase();
    NAMES.iter().any(|known| known.as_bytes() == lower)
        || lower.starts_with(b"x-forwarded-")
        || is_identity_header(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(framing: Framing, input: &[u8], step: usize) -> (Vec<u8>, usize, bool) {
        let mut reader = BodyReader::new(framing);
        let (mut body, mut used) = (Vec::new(), 0);
        for piece in input.chunks(step) {
            used += reader.take(piece, &mut |run| body.extend_from_slice(run)).expect("it is well formed");
        }
        (body, used, reader.is_done())
    }

    #[test]
    fn a_body_ends_where_its_framing_says_however_it_is_cut() {
        for step in 1..20 {
            assert_eq!(read(Framing::Length(3), b"abcGET", step), (b"abc".to_vec(), 3, true), "{step}");
            let chunked = b"3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\nGET";
            assert_eq!(read(Framing::Chunked, chunked, step), (b"abc".to_vec(), 23, true), "{step}");
            assert_eq!(read(Framing::UntilClose, b"abc", step), (b"abc".to_vec(), 3, false), "{step}");
            assert_eq!(read(Framing::None, b"GET", step), (Vec::new(), 0, true), "{step}");
        }
    }

    #[test]
    fn chunks_never_end_a_body_early_and_trailers_cannot_pose_as_headers() {
        let mut trailers = Fields::new();
        trailers.push(b"Checksum", b"1");
        trailers.push(b"Content-Length", b"5");
        trailers.push(b"X-Forwarded-For", b"192.0.2.1");
        let mut out = Vec::new();
        Coding::Chunked.write(b"", &mut out);
        Coding::Chunked.write(b"0123456789abcdef", &mut out);
        Coding::Chunked.finish(Some(&trailers), &mut out);
        assert_eq!(out, b"10\r\n0123456789abcdef\r\n0\r\nChecksum: 1\r\n\r\n");
    }
}
