//! Code points: from UTF-8 to `%uHHHH`, and from code points to single bytes by best fit.

use memchr::memchr;

use super::edits::Edits;
use super::{ByteSet, Effect};

/// The code page that ModSecurity's recommended configuration names: US-ASCII.
pub const DEFAULT_CODE_PAGE: u32 = 20127;

/// Which byte a web server of a certain code page makes of a code point (`SecUnicodeMapFile`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnicodeMap {
    /// In order of code point, each once; at most 65,536.
    entries: Vec<(u16, u8)>,
}

/// Why a Unicode map was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnicodeMapError {
    /// The text has no section, or an empty one, for the code page.
    #[error("the unicode map has no entries for code page {code_page}")]
    MissingCodePage {
        /// The code page that was asked for.
        code_page: u32,
    },
    /// Not of the form `HHHH:HH`.
    #[error("line {line}: `{entry}` is not an entry; write code point and byte as `00e9:65`")]
    Entry {
        /// Counted from 1.
        line: usize,
        /// The word, as it stands.
        entry: String,
    },
}

impl UnicodeMap {
    /// Reads the section of a code page from a text in the format of ModSecurity's `unicode.mapping`: a line
    /// `20127 (US-ASCII)` opens a section, the lines after it hold entries `HHHH:HH`, code point and byte in
    /// hexadecimal, with white space between. Lines that start with `#` and sections of other pages are
    /// skipped.
    ///
    /// Three dots of RFC 3490 (3002, FF0E, FF61) and 002E map to `.`, unless the section says otherwise.
    ///
    /// Source: ModSecurity v3 `rules_set_properties.cc`. Differs: there a page that is absent and an entry
    /// that is malformed go unnoticed.
    pub fn parse(text: &str, code_page: u32) -> Result<Self, UnicodeMapError> {
        let mut found = Vec::new();
        let mut in_section = false;
        for (index, line) in text.lines().enumerate() {
            let Some(first) = line.split_whitespace().next().filter(|word| !word.starts_with('#')) else {
                continue;
            };
            if !first.contains(':') {
                in_section = first.parse() == Ok(code_page);
            } else if in_section {
                for word in line.split_whitespace() {
                    let entry = parse_entry(word)
                        .ok_or_else(|| UnicodeMapError::Entry { line: index + 1, entry: word.to_owned() })?;
                    found.push(entry);
                }
            }
        }
        if found.is_empty() {
            return Err(UnicodeMapError::MissingCodePage { code_page });
        }
        let mut entries: Vec<_> = DOTS.iter().map(|&dot| (dot, b'.')).chain(found).collect();
        // Of several entries for a code point the last one holds: reversed, it is the first, which `dedup`
        // keeps.
        entries.reverse();
        entries.sort_by_key(|&(code, _)| code);
        entries.dedup_by_key(|&mut (code, _)| code);
        Ok(Self { entries })
    }

    /// The byte for a code point, if the map has one. O(log n).
    pub fn get(&self, code: u16) -> Option<u8> {
        let at = self.entries.binary_search_by_key(&code, |&(known, _)| known).ok()?;
        Some(self.entries[at].1)
    }

    /// How many code points have a byte.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none has; not the case after [`parse`](Self::parse).
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// `utf8toUnicode`: sequences of two to four bytes become `%uhhhh`, with five or six digits beyond FFFF. NUL
/// bytes are dropped, and so is a lead byte without its continuation; other bytes stay. Output is at most 7
/// bytes for 2. O(n).
///
/// What UTF-8 forbids is decoded and then marked by the sequence's first byte behind it: overlong forms (`C0
/// AF` is `%u002f` and 0xC0) and surrogates, both marks if both hold. Lead bytes F5 to F7 stand before their
/// sequence.
///
/// Source: ModSecurity v3 `utf8_to_unicode.cc`. Differs: nothing known; `testdata/transforms/text.toml`
/// pins it.
pub fn utf8_to_unicode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    // Most values are plain ASCII, and these two look at many bytes at a time.
    if input.is_ascii() && memchr(0, input).is_none() {
        return Effect::Unchanged;
    }
    let mut edits = Edits::new(input, out);
    let mut at = 0;
    while let Some(found) = input[at..].iter().position(|&byte| byte == 0 || byte >= 0x80) {
        at += found;
        let lead = input[at];
        let (len, bits) = match lead {
            0xc0..=0xdf => (2, lead & 0x1f),
            0xe0..=0xef => (3, lead & 0x0f),
            0xf0..=0xf7 => (4, lead & 0x07),
            0 => {
                edits.remove(at..at + 1);
                at += 1;
                continue;
            }
            _ => {
                at += 1;
                continue;
            }
        };
        let stays = lead >= 0xf5;
        let tail = input.get(at + 1..at + len).filter(|tail| tail.iter().all(|byte| byte & 0xc0 == 0x80));
        let Some(tail) = tail else {
            if !stays {
                edits.remove(at..at + 1);
            }
            at += 1;
            continue;
        };
        let code = tail.iter().fold(u32::from(bits), |code, byte| code << 6 | u32::from(byte & 0x3f));
        let is_surrogate = (0xd800..=0xdfff).contains(&code);
        let is_overlong = code < [0x80, 0x800, 0x1_0000][len - 2];
        if code <= 0xffff && !(stays | is_surrogate | is_overlong) {
            let [.., a, b, c, d] = escape_of(code).0;
            edits.replace_array(at..at + len, &[b'%', b'u', a, b, c, d]);
            at += len;
            continue;
        }
        let (escape, first) = escape_of(code);
        let mut text = [0; 16];
        let mut end = 0;
        let mut push = |byte: u8, is_wanted: bool| {
            text[end] = byte;
            end += usize::from(is_wanted);
        };
        push(lead, stays);
        for (place, &byte) in escape.iter().enumerate() {
            push(byte, place >= first);
        }
        push(lead, is_surrogate);
        push(lead, is_overlong);
        edits.replace_short(at..at + len, &text, end);
        at += len;
    }
    edits.finish()
}

/// `%u` and four to six hexadecimal digits, and where in the array that begins.
fn escape_of(code: u32) -> ([u8; 8], usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |place: u32| DIGITS[(code >> (4 * place) & 15) as usize];
    let mut escape = [b'%', b'u', digit(5), digit(4), digit(3), digit(2), digit(1), digit(0)];
    let first = match code {
        0..=0xffff => 2,
        0x1_0000..=0xf_ffff => 1,
        _ => 0,
    };
    (escape[first], escape[first + 1]) = (b'%', b'u');
    (escape, first)
}

/// A code point's low byte, to which full-width ASCII (FF01 to FF5E) adds 0x20: U+FF1C is `<`.
pub const fn low_byte_folded(code: u32) -> u8 {
    match code {
        0xff01..=0xff5e => code as u8 + 0x20,
        _ => code as u8,
    }
}

fn parse_entry(word: &str) -> Option<(u16, u8)> {
    let (code, byte) = word.split_once(':')?;
    Some((u16::from_str_radix(code, 16).ok()?, u8::from_str_radix(byte, 16).ok()?))
}

/// Full stops that RFC 3490, 3.1 wants recognised.
const DOTS: [u16; 4] = [0x002e, 0x3002, 0xff0e, 0xff61];

/// Bytes with the top bit set.
pub(super) const NOT_ASCII: ByteSet = ByteSet::range(0x80, 0xff);

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "(MAC - Roman)\n\n1250  (ANSI - Central Europe)\n00a1:21 00a2:63 \n\n# 20127 is below\n\
                        20127 (US-ASCII)\r\n00a1:22 00c0:41\nff0e:2a 00c0:42 \n\n28591 (Latin I)\n00a1:zz\n";

    #[test]
    fn only_the_section_of_the_code_page_is_read() {
        let map = UnicodeMap::parse(TEXT, DEFAULT_CODE_PAGE).expect("a valid section");
        assert_eq!((map.get(0xa1), map.get(0xa2)), (Some(0x22), None));
        assert_eq!(map.get(0xc0), Some(0x42), "of several entries the last one holds");
        assert_eq!(
            (map.get(0x3002), map.get(0xff0e)),
            (Some(b'.'), Some(b'*')),
            "the section wins over the dots"
        );
        assert_eq!(map.len(), 6);
    }

    #[test]
    fn errors_name_the_line_or_the_page() {
        let error = UnicodeMap::parse(TEXT, 28591).unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 12: `00a1:zz` is not an entry; write code point and byte as `00e9:65`"
        );
        let error = UnicodeMap::parse(TEXT, 932).unwrap_err();
        assert_eq!(error.to_string(), "the unicode map has no entries for code page 932");
        for entry in ["10000:41", "00e9:141", "00e9:", ":41", "-0e9:65"] {
            let text = format!("932\n{entry}");
            assert!(
                matches!(UnicodeMap::parse(&text, 932), Err(UnicodeMapError::Entry { line: 2, .. })),
                "{entry}"
            );
        }
    }
}
