//! Characters that some layer takes for others: overlong forms, full width, look-alikes, other encodings.

use palisade_codec::ByteSet;

use super::escapes::push_char;
use super::{Made, Reading};
use crate::Decoding;

/// Forms of UTF-8 that are longer than they need be: `C0 AE` for a dot.
pub(super) const OVERLONG: Reading = Reading {
    decoding: Decoding::Overlong,
    gate: ByteSet::of(b"\xc0\xc1\xe0\xf0\xf8\xfc"),
    read: |text, _, _| read_overlong(text),
};

/// Characters that are folded to ASCII on their way: by NFKC, or by a best-fit map to a code page.
pub(super) const FOLDED: Reading = Reading {
    decoding: Decoding::Folded,
    gate: ByteSet::of(b"\xca\xe2\xe3\xef\xf0"),
    read: |text, _, _| read_folded(text),
};

/// UTF-7: `+ADw-script+AD4-`.
pub(super) const UTF7: Reading =
    Reading { decoding: Decoding::Utf7, gate: ByteSet::of(b"+"), read: |text, _, _| read_utf7(text) };

/// UTF-16 of either order: a NUL beside each letter.
pub(super) const UTF16: Reading =
    Reading { decoding: Decoding::Utf16, gate: ByteSet::of(b"\0"), read: |text, _, _| read_utf16(text) };

fn read_overlong(text: &[u8]) -> Made {
    let mut out = Vec::with_capacity(text.len());
    let (mut at, mut changed) = (0, false);
    while at < text.len() {
        match overlong(&text[at..]) {
            Some((byte, length)) => {
                out.push(byte);
                at += length;
                changed = true;
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    if changed { Made::text(out) } else { Made::NOTHING }
}

/// An ASCII character in more bytes than one. Lenient readers take the lowest bits of continuation bytes that are none, so
/// `C0 2E` counts as well.
fn overlong(text: &[u8]) -> Option<(u8, usize)> {
    let (lead_bits, length) = match *text.first()? {
        lead @ (0xc0 | 0xc1) => (lead & 1, 2),
        0xe0 => (0, 3),
        0xf0 => (0, 4),
        0xf8 => (0, 5),
        0xfc => (0, 6),
        _ => return None,
    };
    let rest = text.get(1..length)?;
    let (last, middle) = rest.split_last()?;
    // The bits before the last seven are zero.
    if length == 2 {
        let is_continuation = last & 0xc0 == 0x80 || last.is_ascii();
        return is_continuation.then_some((lead_bits << 6 | last & 0x3f, 2));
    }
    let (before_last, zeros) = middle.split_last()?;
    let fits =
        zeros.iter().all(|byte| *byte == 0x80) && matches!(before_last, 0x80 | 0x81) && last & 0xc0 == 0x80;
    fits.then_some(((before_last & 1) << 6 | last & 0x3f, length))
}

fn read_folded(text: &[u8]) -> Made {
    let mut out = Vec::with_capacity(text.len());
    let mut changed = false;
    for chunk in text.utf8_chunks() {
        for char in chunk.valid().chars() {
            match folded(char) {
                Some(byte) => {
                    out.push(byte);
                    changed = true;
                }
                None => push_char(char.into(), &mut out),
            }
        }
        out.extend_from_slice(chunk.invalid());
    }
    if changed { Made::text(out) } else { Made::NOTHING }
}

/// The ASCII character that another is folded to, if one is.
///
/// Source: UnicodeData.txt for compatibility decompositions (NFKC) of single ASCII characters; Windows best-fit tables for
/// quotes and angle brackets.
fn folded(char: char) -> Option<u8> {
    let code = u32::from(char);
    let letters = |from: u32, first: u8| first + ((code - from) % 26) as u8;
    Some(match code {
        // Full width, from ! to ~.
        0xff01..=0xff5e => (code - 0xff01) as u8 + b'!',
        0x3000 | 0x2000..=0x200a | 0x202f | 0x205f => b' ',
        0x02b9 | 0x02bc | 0x02c8 | 0x2018 | 0x2019 | 0x201b | 0x2032 | 0x2035 => b'\'',
        0x02ba | 0x201c..=0x201f | 0x2033 | 0x2036 => b'"',
        0x2039 | 0x2329 | 0x27e8 | 0x3008 | 0xfe64 => b'<',
        0x203a | 0x232a | 0x27e9 | 0x3009 | 0xfe65 => b'>',
        0x2044 | 0x2215 | 0x29f8 => b'/',
        0x2216 | 0x29f5 | 0x29f9 | 0xfe68 => b'\\',
        0x2024 => b'.',
        0xfe50 => b',',
        0xfe52 => b'.',
        0xfe54 => b';',
        0xfe55 => b':',
        0xfe59 => b'(',
        0xfe5a => b')',
        0xfe5b => b'{',
        0xfe5c => b'}',
        0xfe5f => b'#',
        0xfe60 => b'&',
        0xfe61 => b'*',
        0xfe62 => b'+',
        0xfe63 => b'-',
        0xfe66 => b'=',
        0xfe69 => b'$',
        0xfe6a => b'%',
        0xfe6b => b'@',
        // Digits and letters in circles.
        0x2460..=0x2468 => (code - 0x2460) as u8 + b'1',
        0x24ea => b'0',
        0x24b6..=0x24cf => letters(0x24b6, b'A'),
        0x24d0..=0x24e9 => letters(0x24d0, b'a'),
        // Mathematical letters: thirteen alphabets of capitals and small ones, then five of digits.
        0x1d400..=0x1d6a3 => {
            let at = (code - 0x1d400) % 52;
            if at < 26 { b'A' + at as u8 } else { b'a' + (at - 26) as u8 }
        }
        0x1d7ce..=0x1d7ff => b'0' + ((code - 0x1d7ce) % 10) as u8,
        _ => return None,
    })
}

fn read_utf7(text: &[u8]) -> Made {
    let mut out = Vec::with_capacity(text.len());
    let (mut rest, mut ascii) = (text, false);
    while let Some(at) = memchr::memchr(b'+', rest) {
        out.extend_from_slice(&rest[..at]);
        let shifted = &rest[at + 1..];
        let length = shifted.iter().take_while(|byte| base64_digit(**byte).is_some()).count();
        match utf7_run(&shifted[..length]) {
            Some(decoded) => {
                ascii |= decoded.iter().any(u8::is_ascii_punctuation);
                out.extend_from_slice(&decoded);
                rest = &shifted[length..];
                rest = rest.strip_prefix(b"-").unwrap_or(rest);
            }
            None => {
                out.push(b'+');
                rest = shifted;
            }
        }
    }
    out.extend_from_slice(rest);
    // Letters need no shift: who writes `<` so has a reason.
    if ascii { Made::text(out) } else { Made::NOTHING }
}

/// A run of base64 as UTF-16, big end first, whole units only; `None` when it is none.
fn utf7_run(run: &[u8]) -> Option<Vec<u8>> {
    // Three digits for one unit, eight for three: 16 bits and fewer than six that are zero.
    if run.len() < 3 || !matches!(run.len() % 8, 0 | 3 | 6) {
        return None;
    }
    let (mut bits, mut count) = (0_u32, 0_u32);
    let mut out = Vec::new();
    for &byte in run {
        bits = bits << 6 | u32::from(base64_digit(byte)?);
        count += 6;
        if count >= 16 {
            count -= 16;
            push_char(bits >> count & 0xffff, &mut out);
            bits &= (1 << count) - 1;
        }
    }
    (bits == 0).then_some(out)
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn read_utf16(text: &[u8]) -> Made {
    let little = text.starts_with(b"\xff\xfe");
    let big = text.starts_with(b"\xfe\xff");
    let body = if little || big { &text[2..] } else { text };
    let (units, _) = body.as_chunks::<2>();
    let zero_second = units.iter().filter(|unit| unit[1] == 0 && unit[0] != 0).count();
    let zero_first = units.iter().filter(|unit| unit[0] == 0 && unit[1] != 0).count();
    // Most characters of a text that is an attack on anything are ASCII.
    let enough = |count: usize| units.len() >= 4 && count * 4 >= units.len() * 3;
    let decode = if little || !big && enough(zero_second) {
        u16::from_le_bytes
    } else if big || enough(zero_first) {
        u16::from_be_bytes
    } else {
        return Made::NOTHING;
    };
    let text = char::decode_utf16(units.iter().map(|unit| decode(*unit)));
    Made::text(text.map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::Form;
    use super::*;

    fn reads(read: fn(&[u8]) -> Made, text: &[u8]) -> Option<String> {
        match read(text).form {
            Form::Text(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            _ => None,
        }
    }

    #[test]
    fn what_lenient_readers_take_for_ascii_is_read_so() {
        assert_eq!(reads(read_overlong, b"\xc0\xae\xe0\x80\xaf\xf0\x80\x80\xae").as_deref(), Some("./."));
        assert_eq!(reads(read_overlong, "é — 😀".as_bytes()), None);
        assert_eq!(reads(read_folded, "＜script＞ʼ".as_bytes()).as_deref(), Some("<script>'"));
        assert_eq!(reads(read_folded, "𝚜𝚎𝚕𝚎𝚌𝚝 ①".as_bytes()).as_deref(), Some("select 1"));
        assert_eq!(reads(read_folded, "Đặng Thị 😀".as_bytes()), None);
        assert_eq!(reads(read_utf7, b"+ADw-script+AD4-1").as_deref(), Some("<script>1"));
        assert_eq!(reads(read_utf7, b"a+b and 1+1=2 +44 20 7946 0958"), None);
        assert_eq!(reads(read_utf16, b"<\0b\0>\0!\0").as_deref(), Some("<b>!"));
        assert_eq!(reads(read_utf16, b"\xfe\xff\0<\0b").as_deref(), Some("<b"));
        assert_eq!(reads(read_utf16, b"a\0b"), None);
    }
}
