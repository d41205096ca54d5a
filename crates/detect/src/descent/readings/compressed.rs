//! Compressed texts, under a bound on what comes out.

use std::io::Read as _;

use palisade_codec::ByteSet;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::{Form, Made, Reading};
use crate::detectors::Noted;
use crate::{Attack, Confidence, Decoding, DetectLimits};

/// gzip.
pub(super) const GZIP: Reading = Reading {
    decoding: Decoding::Gzip,
    gate: ByteSet::of(b"\x1f"),
    read: |text, _, limits| match text.starts_with(b"\x1f\x8b\x08") {
        true => bounded(flate2::read::MultiGzDecoder::new(text), text.len(), limits),
        false => Made::NOTHING,
    },
};

/// zlib.
pub(super) const ZLIB: Reading = Reading {
    decoding: Decoding::Zlib,
    gate: ByteSet::of(b"\x78"),
    read: |text, _, limits| match text {
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => {
            bounded(flate2::read::ZlibDecoder::new(text), text.len(), limits)
        }
        _ => Made::NOTHING,
    },
};

/// Zstandard, several frames one after the other.
pub(super) const ZSTD: Reading = Reading {
    decoding: Decoding::Zstd,
    gate: ByteSet::of(b"\xfd"),
    read: |text, _, limits| match text.starts_with(b"\x28\xb5\x2f\xfd") {
        true => bounded(ZstdFrames::new(text), text.len(), limits),
        false => Made::NOTHING,
    },
};

/// Reads the frames of a Zstandard text. A frame that asks for a larger window than [`ZSTD_WINDOW_BYTES_MAX`] ends it, as
/// in clients, before any memory is taken for it.
pub(in crate::descent) struct ZstdFrames<'t> {
    rest: &'t [u8],
    frame: Option<StreamingDecoder<&'t [u8], FrameDecoder>>,
}

/// What RFC 9659 lets a content coding ask for.
const ZSTD_WINDOW_BYTES_MAX: u64 = 8 << 20;

impl<'t> ZstdFrames<'t> {
    pub(in crate::descent) fn new(text: &'t [u8]) -> Self {
        Self { rest: text, frame: None }
    }
}

impl std::io::Read for ZstdFrames<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                match frame.read(out)? {
                    0 if !out.is_empty() => {
                        self.rest = frame.get_ref();
                        self.frame = None;
                    }
                    read => return Ok(read),
                }
            }
            if self.rest.is_empty() {
                return Ok(0);
            }
            match StreamingDecoder::new_with_max_window_size(self.rest, ZSTD_WINDOW_BYTES_MAX) {
                Ok(frame) => self.frame = Some(frame),
                // A frame for somebody else.
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let skipped =
                        usize::try_from(length).unwrap_or(usize::MAX).saturating_add(SKIPPED_HEADER_BYTES);
                    self.rest = self.rest.get(skipped..).unwrap_or_default();
                }
                Err(error) => return Err(std::io::Error::other(error)),
            }
        }
    }
}

/// The magic number and the length before what is skipped.
const SKIPPED_HEADER_BYTES: usize = 8;

/// A text that may grow so much beyond its bound for nothing: small texts compress well without meaning harm.
const FREE_BYTES: usize = 64 << 10;

/// What a decoder gives, as far as the bound goes. A text that is cut or broken gives what came before.
pub(in crate::descent) fn bounded(
    decoder: impl std::io::Read,
    compressed_bytes: usize,
    limits: &DetectLimits,
) -> Made {
    let most = FREE_BYTES.saturating_add(compressed_bytes.saturating_mul(limits.expansion_max));
    let most = most.min(limits.decoded_bytes_max);
    let mut out = Vec::new();
    // An error ends the text; what was read stays.
    let _ = decoder.take(most as u64 + 1).read_to_end(&mut out);
    let bomb = out.len() > most;
    out.truncate(most);
    Made {
        form: if out.is_empty() { Form::None } else { Form::Text(out) },
        met: bomb.then_some("expansion_max"),
        noted: bomb.then(|| Noted {
            attack: Attack::DataBomb,
            detector: "data-bomb",
            confidence: Confidence::LIKELY,
            why: format!("{compressed_bytes} bytes that grow to more than {most}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn zstandard_is_read_frame_by_frame_and_within_the_same_bounds() {
        let read = |bytes: &[u8]| (ZSTD.read)(bytes, &ByteSet::of(bytes), &DetectLimits::default());
        let skipped = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc";
        let frames = [&zstd(b"' OR 1=1")[..], skipped, &zstd(b" -- ")].concat();
        assert!(matches!(read(&frames).form, Form::Text(text) if text == b"' OR 1=1 -- "));
        let bomb = zstd(&vec![0; 20 << 20]);
        let made = read(&bomb);
        assert_eq!(made.met, Some("expansion_max"));
        assert!(matches!(&made.form, Form::Text(text) if text.len() <= FREE_BYTES + 100 * bomb.len()));
        // A window of 2 GiB.
        assert!(matches!(read(b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00").form, Form::None));
        for cut in 0..frames.len() {
            let _ = read(&frames[..cut]);
        }
    }

    fn read(bytes: &[u8]) -> Made {
        (GZIP.read)(bytes, &ByteSet::of(bytes), &DetectLimits::default())
    }

    #[test]
    fn a_text_comes_out_and_a_bomb_is_cut() {
        let made = read(&gzip(b"' OR 1=1 --"));
        assert!(matches!(&made.form, Form::Text(text) if text == b"' OR 1=1 --") && made.met.is_none());
        let bomb = gzip(&vec![0; 20 << 20]);
        let made = read(&bomb);
        assert_eq!(made.met, Some("expansion_max"));
        assert!(matches!(&made.form, Form::Text(text) if text.len() <= FREE_BYTES + 100 * bomb.len()));
        assert!(matches!(read(b"\x1f\x8b\x08garbage").form, Form::None));
    }
}
