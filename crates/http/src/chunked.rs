//! The chunked transfer coding (RFC 9112 section 7.1), taken off incrementally.

use crate::Fields;
use crate::head::is_token;
use crate::params::trim;
use crate::target::hex_digit;

/// What made a chunked body unreadable. Each ends it: after any of these two readers may disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkFinding {
    /// A chunk size without a hexadecimal digit, with another byte, or of more than 15 digits.
    SizeInvalid,
    /// A size line that ends in LF without CR, or has a CR elsewhere.
    LineEndInvalid,
    /// A chunk's data is not followed by CRLF.
    DataEndInvalid,
    /// A control byte or a NUL in an extension.
    ExtensionInvalid,
    /// A size line with its extensions is longer than the decoder allows.
    LineTooLong,
    /// A trailer field that is no header field.
    TrailerInvalid,
    /// Trailers are longer or more than the decoder allows.
    TrailersTooLarge,
}

impl ChunkFinding {
    /// A word for logs and metrics, in snake case.
    pub fn name(self) -> &'static str {
        match self {
            ChunkFinding::SizeInvalid => "size_invalid",
            ChunkFinding::LineEndInvalid => "line_end_invalid",
            ChunkFinding::DataEndInvalid => "data_end_invalid",
            ChunkFinding::ExtensionInvalid => "extension_invalid",
            ChunkFinding::LineTooLong => "line_too_long",
            ChunkFinding::TrailerInvalid => "trailer_invalid",
            ChunkFinding::TrailersTooLarge => "trailers_too_large",
        }
    }
}

/// What a call of [`ChunkedDecoder::feed`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkProgress {
    /// All input was taken and more is wanted.
    More,
    /// The body has ended; `consumed` bytes of this input belonged to it, the rest is the next message's.
    Done {
        /// Bytes of this input that belonged to the body.
        consumed: usize,
    },
    /// The body is unreadable from here on.
    Refused(ChunkFinding),
}

/// Takes the chunked coding off a body. Memory: one trailer line and the trailers.
#[derive(Clone, Debug)]
pub struct ChunkedDecoder {
    state: State,
    /// Bytes of the current size line or trailer line.
    line_bytes: usize,
    /// The trailer line being read.
    line: Vec<u8>,
    trailers: Fields,
    trailer_bytes: usize,
    extensions_seen: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In a chunk size of which that many digits were seen.
    Size {
        digits: u8,
        size: u64,
    },
    /// After the size, before the line's end: blanks or an extension.
    Extension {
        size: u64,
        inside: bool,
    },
    /// After the CR of a size line.
    SizeLf {
        size: u64,
    },
    /// That many bytes of data are still to come; at least one.
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// In a trailer line, or the empty one.
    Trailer,
    TrailerLf,
    Done,
    Refused(ChunkFinding),
}

/// A size line with its extensions, in bytes. Larger ones serve only to make readers work (CVE-2023-39326).
const LINE_BYTES_MAX: usize = 4096;
/// All trailer lines together, in bytes.
const TRAILER_BYTES_MAX: usize = 16 * 1024;
/// Trailer fields.
const TRAILERS_MAX: usize = 64;
/// Digits of a size. 15 keep it below 2^60, so that sums of sizes cannot wrap.
const SIZE_DIGITS_MAX: u8 = 15;

impl ChunkedDecoder {
    /// A decoder at the first chunk. Bounds: 4 KiB for a size line, 16 KiB and 64 fields of trailers.
    pub fn new() -> Self {
        ChunkedDecoder {
            state: State::Size { digits: 0, size: 0 },
            line_bytes: 0,
            line: Vec::new(),
            trailers: Fields::new(),
            trailer_bytes: 0,
            extensions_seen: false,
        }
    }

    /// Decodes `input` and gives runs of body bytes to `sink` as they are found, without copying. Once it returned
    /// anything but [`ChunkProgress::More`] it takes no more input. O(n).
    pub fn feed(&mut self, input: &[u8], sink: &mut dyn FnMut(&[u8])) -> ChunkProgress {
        let mut at = 0;
        while at < input.len() {
            match self.state {
                State::Done => return ChunkProgress::Done { consumed: at },
                State::Refused(finding) => return ChunkProgress::Refused(finding),
                State::Data { left } => {
                    let run = usize::try_from(left).unwrap_or(usize::MAX).min(input.len() - at);
                    sink(&input[at..at + run]);
                    at += run;
                    let left = left - run as u64;
                    self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                }
                _ => {
                    self.state = self.byte(input[at]);
                    at += 1;
                }
            }
        }
        match self.state {
            State::Done => ChunkProgress::Done { consumed: at },
            State::Refused(finding) => ChunkProgress::Refused(finding),
            _ => ChunkProgress::More,
        }
    }

    /// Trailer fields read so far: names as sent, values without blanks around them.
    pub fn trailers(&self) -> &Fields {
        &self.trailers
    }

    /// Whether any chunk had an extension. They are read over; nobody uses them but to hide something.
    pub fn extensions_seen(&self) -> bool {
        self.extensions_seen
    }

    /// The state after one byte that is no data.
    fn byte(&mut self, byte: u8) -> State {
        match self.state {
            State::Size { digits, size } => {
                self.line_bytes += 1;
                match hex_digit(byte) {
                    Some(_) if digits == SIZE_DIGITS_MAX => State::Refused(ChunkFinding::SizeInvalid),
                    Some(digit) => State::Size { digits: digits + 1, size: size << 4 | u64::from(digit) },
                    None if digits == 0 => State::Refused(ChunkFinding::SizeInvalid),
                    None => match byte {
                        b'\r' => State::SizeLf { size },
                        b'\n' => State::Refused(ChunkFinding::LineEndInvalid),
                        b';' => State::Extension { size, inside: true },
                        // RFC 9112 section 7.1.1 has a recipient take blanks before an extension. Before the line's
                        // end they belong to nothing, and readers differ.
                        b' ' | b'\t' => State::Extension { size, inside: false },
                        _ => State::Refused(ChunkFinding::SizeInvalid),
                    },
                }
            }
            State::Extension { size, inside } => {
                self.line_bytes += 1;
                match byte {
                    _ if self.line_bytes > LINE_BYTES_MAX => State::Refused(ChunkFinding::LineTooLong),
                    b'\r' if inside => State::SizeLf { size },
                    b'\n' => State::Refused(ChunkFinding::LineEndInvalid),
                    b' ' | b'\t' => self.state,
                    b';' => State::Extension { size, inside: true },
                    _ if !inside => State::Refused(ChunkFinding::SizeInvalid),
                    _ if byte.is_ascii_control() => State::Refused(ChunkFinding::ExtensionInvalid),
                    _ => {
                        self.extensions_seen = true;
                        self.state
                    }
                }
            }
            State::SizeLf { size } => match byte {
                b'\n' => {
                    self.line_bytes = 0;
                    if size == 0 { State::Trailer } else { State::Data { left: size } }
                }
                _ => State::Refused(ChunkFinding::LineEndInvalid),
            },
            State::DataCr if byte == b'\r' => State::DataLf,
            State::DataLf if byte == b'\n' => State::Size { digits: 0, size: 0 },
            State::DataCr | State::DataLf => State::Refused(ChunkFinding::DataEndInvalid),
            State::Trailer => {
                self.trailer_bytes += 1;
                match byte {
                    _ if self.trailer_bytes > TRAILER_BYTES_MAX => {
                        State::Refused(ChunkFinding::TrailersTooLarge)
                    }
                    b'\r' => State::TrailerLf,
                    b'\n' => State::Refused(ChunkFinding::LineEndInvalid),
                    _ => {
                        self.line.push(byte);
                        State::Trailer
                    }
                }
            }
            State::TrailerLf if byte != b'\n' => State::Refused(ChunkFinding::LineEndInvalid),
            State::TrailerLf if self.line.is_empty() => State::Done,
            State::TrailerLf => self.trailer(),
            State::Data { .. } | State::Done | State::Refused(_) => self.state,
        }
    }

    /// Keeps a trailer line.
    fn trailer(&mut self) -> State {
        let line = std::mem::take(&mut self.line);
        let Some(colon) = memchr::memchr(b':', &line) else {
            return State::Refused(ChunkFinding::TrailerInvalid);
        };
        let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
        let value_is_odd = value.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t');
        if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) || value_is_odd {
            return State::Refused(ChunkFinding::TrailerInvalid);
        }
        if self.trailers.len() == TRAILERS_MAX {
            return State::Refused(ChunkFinding::TrailersTooLarge);
        }
        self.trailers.push(name, value);
        State::Trailer
    }
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        Self::new()
    }
}

/// The line that goes before a chunk of `size` bytes; after the data goes `\r\n`, and after the last chunk
/// `0\r\n\r\n`. The digits are in the returned array, from the returned start.
pub fn chunk_head(size: usize) -> ([u8; 18], usize) {
    let mut line = [0; 18];
    line[16] = b'\r';
    line[17] = b'\n';
    let mut start = 16;
    let mut rest = size;
    loop {
        start -= 1;
        line[start] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
        if rest == 0 {
            return (line, start);
        }
    }
}
