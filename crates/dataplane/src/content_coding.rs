//! Content codings of responses, taken off for inspection: gzip, deflate and br, with a bound on what comes out.
//! What goes to the client is what came.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use palisade_http::Fields;

/// Takes a content coding off, piece by piece.
pub(crate) struct ContentDecoder {
    state: State,
    max: u64,
}

enum State {
    Identity,
    Gzip(Box<MultiGzDecoder<Bounded>>),
    /// Not begun: servers mean either of two formats, and the first byte tells.
    Deflate,
    Zlib(Box<ZlibDecoder<Bounded>>),
    RawDeflate(Box<DeflateDecoder<Bounded>>),
    Brotli(Box<DecompressorWriter<Bounded>>),
    Stopped,
}

/// Why no more comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undecoded {
    /// The coding is not one that we read.
    Unknown,
    /// It would grow beyond the bound.
    TooLarge,
    /// It is broken.
    Broken,
}

impl Undecoded {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Undecoded::Unknown => "its content coding is not known",
            Undecoded::TooLarge => "it grows beyond the limit when decoded",
            Undecoded::Broken => "its content coding is broken",
        }
    }
}

/// Bytes that come out of a body that is only watched on its way. Its beginning is all that anybody looks at.
pub(crate) const WATCHED_BYTES_MAX: u64 = 64 * 1024;
/// Room for brotli's own output; not a bound on anything.
const BROTLI_BUFFER_BYTES: usize = 16 * 1024;

impl ContentDecoder {
    /// A decoder for what Content-Encoding says. `max` bounds what comes out, in bytes.
    ///
    /// # Errors
    /// For a coding that we do not read, and for more than one.
    pub(crate) fn new(headers: &Fields, max: u64) -> Result<Self, Undecoded> {
        let bounded = Bounded { out: Vec::new(), left: max, over: false };
        let mut codings = headers
            .values(b"content-encoding")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(|coding| coding.trim_ascii().to_ascii_lowercase())
            .filter(|coding| !coding.is_empty() && coding != b"identity");
        let state = match (codings.next(), codings.next()) {
            (None, _) => State::Identity,
            (Some(coding), None) => match coding.as_slice() {
                b"gzip" | b"x-gzip" => State::Gzip(Box::new(MultiGzDecoder::new(bounded))),
                b"deflate" => State::Deflate,
                b"br" => State::Brotli(Box::new(DecompressorWriter::new(bounded, BROTLI_BUFFER_BYTES))),
                _ => return Err(Undecoded::Unknown),
            },
            (Some(_), Some(_)) => return Err(Undecoded::Unknown),
        };
        Ok(Self { state, max })
    }

    /// Decodes a piece and appends what comes out. After an error nothing more does; what came before it counts.
    pub(crate) fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Undecoded> {
        if let (State::Deflate, Some(first)) = (&self.state, piece.first()) {
            let bounded = Bounded { out: Vec::new(), left: self.max, over: false };
            // RFC 1950: method 8 and a window of at most 32 KiB. RFC 9110 means this one; some servers send RFC 1951.
            self.state = if first & 0x0f == 8 && first >> 4 <= 7 {
                State::Zlib(Box::new(ZlibDecoder::new(bounded)))
            } else {
                State::RawDeflate(Box::new(DeflateDecoder::new(bounded)))
            };
        }
        let (written, bounded) = match &mut self.state {
            State::Identity => {
                out.extend_from_slice(piece);
                return Ok(());
            }
            State::Deflate | State::Stopped => return Ok(()),
            State::Gzip(decoder) => (write(decoder.as_mut(), piece), decoder.get_mut()),
            State::Zlib(decoder) => (write(decoder.as_mut(), piece), decoder.get_mut()),
            State::RawDeflate(decoder) => (write(decoder.as_mut(), piece), decoder.get_mut()),
            State::Brotli(decoder) => (write(decoder.as_mut(), piece), decoder.get_mut()),
        };
        out.append(&mut bounded.out);
        let over = bounded.over;
        written.map_err(|_| {
            self.state = State::Stopped;
            if over { Undecoded::TooLarge } else { Undecoded::Broken }
        })
    }
}

/// Decoders keep some of what they have until they are asked for it.
fn write(decoder: &mut impl Write, piece: &[u8]) -> io::Result<()> {
    decoder.write_all(piece)?;
    decoder.flush()
}

/// Takes what comes out, up to a bound: a few bytes may want to become gigabytes.
struct Bounded {
    out: Vec<u8>,
    left: u64,
    over: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        if fits == 0 && !bytes.is_empty() {
            self.over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.left -= fits as u64;
        self.out.extend_from_slice(&bytes[..fits]);
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    fn decoder(coding: &str, max: u64) -> Result<ContentDecoder, Undecoded> {
        let mut headers = Fields::new();
        headers.push(b"Content-Encoding", coding.as_bytes());
        ContentDecoder::new(&headers, max)
    }

    fn encoded(coding: &str, text: &[u8]) -> Vec<u8> {
        let level = Compression::default();
        match coding {
            "gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), level);
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            "zlib" => {
                let mut encoder = ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            _ => {
                let mut encoder = DeflateEncoder::new(Vec::new(), level);
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
        }
    }

    fn decode(coding: &str, bytes: &[u8], step: usize, max: u64) -> (Vec<u8>, Result<(), Undecoded>) {
        let mut decoder = decoder(coding, max).unwrap();
        let mut out = Vec::new();
        for piece in bytes.chunks(step) {
            if let Err(error) = decoder.feed(piece, &mut out) {
                return (out, Err(error));
            }
        }
        (out, Ok(()))
    }

    #[test]
    fn each_coding_gives_the_text_however_it_is_cut() {
        let text = b"You have an error in your SQL syntax. ".repeat(50);
        for step in [1, 2, 7, 1 << 20] {
            for (coding, format) in
                [("gzip", "gzip"), ("x-gzip", "gzip"), ("deflate", "zlib"), ("deflate", "raw")]
            {
                let (out, end) = decode(coding, &encoded(format, &text), step, 1 << 20);
                assert!(
                    out == text && end == Ok(()),
                    "{coding} as {format}, {step}: {} bytes, {end:?}",
                    out.len()
                );
            }
            // Brotli's plainest form (RFC 7932 section 9): a stored block, then the empty last one.
            let mut brotli = ((text.len() as u32 - 1) << 4 | 1 << 20).to_le_bytes()[..3].to_vec();
            brotli.extend_from_slice(&text);
            brotli.push(3);
            let (out, end) = decode("br", &brotli, step, 1 << 20);
            assert!(out == text && end == Ok(()), "br, {step}: {} bytes, {end:?}", out.len());
            assert_eq!(decode("identity", &text, step, 10), (text.clone(), Ok(())));
        }
    }

    #[test]
    fn a_bomb_stops_at_the_bound_and_garbage_is_said() {
        let bomb = encoded("gzip", &vec![b'a'; 10_000_000]);
        let (out, end) = decode("gzip", &bomb, 1024, 100_000);
        assert_eq!(end, Err(Undecoded::TooLarge));
        assert_eq!(out.len(), 100_000);
        for coding in ["gzip", "deflate", "br"] {
            let (_, end) = decode(coding, &[0xff; 100], 10, 1000);
            assert_eq!(end, Err(Undecoded::Broken), "{coding}");
        }
        assert_eq!(decoder("zstd", 10).err(), Some(Undecoded::Unknown));
        assert_eq!(decoder("gzip, br", 10).err(), Some(Undecoded::Unknown));
    }
}
