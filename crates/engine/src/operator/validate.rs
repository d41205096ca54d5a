//! `@validateByteRange`, `@validateUrlEncoding`, `@validateUtf8Encoding`: they match what is *not* valid.
//!
//! Differs: UTF-8 ends at U+10FFFF (RFC 3629); libmodsecurity lets U+110000 to U+13FFFF pass.

use palisade_seclang::ast::OperatorName;

use super::{CompileError, Evaluation, shown, trim_blanks};

#[derive(Clone, Debug)]
pub(super) enum Validate {
    /// Bytes that may occur.
    Bytes(ByteSet),
    UrlEncoding,
    Utf8,
}

impl Validate {
    /// `name` is one of the three.
    pub(super) fn compile(name: OperatorName, argument: &[u8]) -> Result<Self, CompileError> {
        Ok(match name {
            OperatorName::ValidateUrlEncoding => Validate::UrlEncoding,
            OperatorName::ValidateUtf8Encoding => Validate::Utf8,
            _ => Validate::Bytes(ByteSet::parse(argument)?),
        })
    }

    /// Bytes without which a value is valid.
    pub(super) fn telling_bytes(&self) -> palisade_codec::ByteSet {
        match self {
            Validate::Bytes(allowed) => {
                let mut others = palisade_codec::ByteSet::EMPTY;
                (0..=255u8).filter(|byte| !allowed.contains(*byte)).for_each(|byte| others.insert(byte));
                others
            }
            Validate::UrlEncoding => palisade_codec::ByteSet::of(b"%"),
            Validate::Utf8 => palisade_codec::ByteSet::range(0x80, 0xff),
        }
    }

    pub(super) fn evaluate(&self, value: &[u8], context: &mut Evaluation) -> bool {
        match self {
            Validate::Bytes(allowed) => allowed.evaluate(value, context),
            Validate::UrlEncoding => {
                let bad = bad_percent(value);
                if let Some(offset) = bad {
                    context.refer(offset, value.len());
                }
                bad.is_some()
            }
            Validate::Utf8 => {
                let Err(error) = std::str::from_utf8(value) else {
                    return false;
                };
                let offset = error.valid_up_to();
                // libmodsecurity gives no reference when fewer bytes are left than the first one announces.
                if value.len() - offset >= announced_bytes(value[offset]) {
                    context.refer(offset, value.len());
                }
                true
            }
        }
    }
}

/// `@validateByteRange`: which of the 256 bytes may occur. An empty argument allows none.
///
/// Differs: an item that is no byte or range of bytes is an error. libmodsecurity ignores it, so that with a
/// typing error the rule matches everything.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    fn parse(argument: &[u8]) -> Result<Self, CompileError> {
        let mut set = Self([0; 4]);
        if trim_blanks(argument).is_empty() {
            return Ok(set);
        }
        let mut offset = 0;
        for item in argument.split(|byte| *byte == b',') {
            let wrong = || {
                CompileError::new(format!("`{}` is not a byte or a range of bytes", shown(trim_blanks(item))))
                    .help("write numbers from 0 to 255 and ranges, such as 9,10,13,32-126")
                    .at(offset)
            };
            let mut ends = item.splitn(2, |byte| *byte == b'-').map(byte_number);
            let first = ends.next().flatten().ok_or_else(wrong)?;
            let last = match ends.next() {
                Some(last) => last.ok_or_else(wrong)?,
                None => first,
            };
            if first > last {
                return Err(wrong());
            }
            for byte in first..=last {
                set.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
            }
            offset += item.len() + 1;
        }
        Ok(set)
    }

    fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    fn evaluate(&self, value: &[u8], context: &mut Evaluation) -> bool {
        let mut matched = false;
        for (offset, _) in
            value.iter().enumerate().filter(|(_, byte)| !self.contains(**byte)).take(super::REFS_MAX)
        {
            context.refer(offset, 1);
            matched = true;
        }
        matched
    }
}

fn byte_number(text: &[u8]) -> Option<u8> {
    let text = trim_blanks(text);
    // `parse` would take a plus sign.
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// How many bytes a UTF-8 sequence has by its first byte; 1 for a byte that begins none.
fn announced_bytes(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    }
}

/// The first `%` that two hexadecimal digits do not follow.
fn bad_percent(value: &[u8]) -> Option<usize> {
    // A `%` that follows another one's digits is looked at in its own right: digits hold no `%`.
    memchr::memchr_iter(b'%', value)
        .find(|offset| !matches!(value.get(offset + 1..offset + 3), Some(digits) if digits.iter().all(u8::is_ascii_hexdigit)))
}
