//! DER, read strictly: definite and shortest lengths, one-byte tags, nothing left over.
//!
//! Only the encoding. What the elements of a certificate mean is read where it is needed.

use std::ops::Range;

use palisade_model::days_since_1970;

/// Bytes that are not what their reader was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0A;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// `[n]` that holds elements.
pub(crate) const fn constructed(number: u8) -> u8 {
    0xA0 | number
}

/// `[n]` that holds bytes.
pub(crate) const fn primitive(number: u8) -> u8 {
    0x80 | number
}

/// A tag with its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// With tag and length.
    pub(crate) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// A reader of the elements inside.
    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader { rest: self.content }
    }

    /// The one element inside an explicit tag.
    pub(crate) fn only(&self) -> Result<Element<'a>, Malformed> {
        let mut reader = self.reader();
        let inner = reader.next()?;
        reader.end().map(|()| inner)
    }

    /// The bytes of a BIT STRING that is whole bytes: signatures and keys.
    pub(crate) fn whole_bits(&self) -> Result<&'a [u8], Malformed> {
        match self.content.split_first() {
            Some((0, bytes)) => Ok(bytes),
            _ => Err(Malformed),
        }
    }

    /// A short BIT STRING of named bits: bit 0 is the highest of the first byte. Bits beyond the sixteenth are dropped:
    /// no list of names here is that long.
    pub(crate) fn named_bits(&self) -> Result<u16, Malformed> {
        let (unused, bytes) = self.content.split_first().ok_or(Malformed)?;
        if *unused > 7 || (*unused > 0 && bytes.is_empty()) {
            return Err(Malformed);
        }
        let byte = |at: usize| u16::from(bytes.get(at).copied().unwrap_or(0));
        Ok(byte(0) << 8 | byte(1))
    }

    pub(crate) fn boolean(&self) -> Result<bool, Malformed> {
        match self.content {
            [byte] => Ok(*byte != 0),
            _ => Err(Malformed),
        }
    }

    /// A number that is not negative; larger ones than `u32` holds are its largest.
    pub(crate) fn unsigned(&self) -> Result<u32, Malformed> {
        match self.content {
            [] => Err(Malformed),
            [first, ..] if *first >= 0x80 => Err(Malformed),
            bytes => {
                let mut value: u32 = 0;
                for byte in bytes {
                    value = match value.checked_mul(256) {
                        Some(value) => value | u32::from(*byte),
                        None => return Ok(u32::MAX),
                    };
                }
                Ok(value)
            }
        }
    }
}

/// Elements, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The only element of these bytes.
    pub(crate) fn only(bytes: &'a [u8], tag: u8) -> Result<Element<'a>, Malformed> {
        let mut reader = Self::new(bytes);
        let element = reader.expect(tag)?;
        reader.end().map(|()| element)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    pub(crate) fn next(&mut self) -> Result<Element<'a>, Malformed> {
        let [tag, first, after @ ..] = self.rest else { return Err(Malformed) };
        if tag & 0x1F == 0x1F {
            return Err(Malformed);
        }
        let (length, content) = match *first {
            short @ 0..0x80 => (usize::from(short), after),
            long => {
                let bytes = usize::from(long & 0x7F);
                if bytes == 0 || bytes > 4 || after.len() < bytes || after[0] == 0 {
                    return Err(Malformed);
                }
                let length = after[..bytes].iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
                if length < 0x80 {
                    return Err(Malformed);
                }
                (length, &after[bytes..])
            }
        };
        if content.len() < length {
            return Err(Malformed);
        }
        let head = self.rest.len() - content.len();
        let element = Element { tag: *tag, content: &content[..length], whole: &self.rest[..head + length] };
        self.rest = &content[length..];
        Ok(element)
    }

    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        self.next().and_then(|element| if element.tag == tag { Ok(element) } else { Err(Malformed) })
    }

    /// The next element where it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        if self.rest.first() == Some(&tag) { self.next().map(Some) } else { Ok(None) }
    }
}

/// Seconds since 1970 of a UTCTime or GeneralizedTime in the one form that RFC 5280 allows: seconds are there, the zone
/// is `Z`. None for any other text: what has such a time can be read, but is valid at no time.
pub(crate) fn time(element: &Element<'_>) -> Result<Option<i64>, Malformed> {
    let digits = match element.tag {
        UTC_TIME => 12,
        GENERALIZED_TIME => 14,
        _ => return Err(Malformed),
    };
    let Some((b'Z', text)) = element.content.split_last() else { return Ok(None) };
    if text.len() != digits || !text.iter().all(u8::is_ascii_digit) {
        return Ok(None);
    }
    let number =
        |range: Range<usize>| text[range].iter().fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'));
    let year = match element.tag {
        UTC_TIME => number(0..2) + if number(0..2) < 50 { 2000 } else { 1900 },
        _ => number(0..4),
    };
    let at = digits - 10;
    let (month, day) = (number(at..at + 2), number(at + 2..at + 4));
    let (hour, minute, second) = (number(at + 4..at + 6), number(at + 6..at + 8), number(at + 8..at + 10));
    let Some(days) = days_since_1970(year, month, day) else { return Ok(None) };
    if hour > 23 || minute > 59 || second > 59 {
        return Ok(None);
    }
    Ok(Some(days * 86_400 + hour * 3_600 + minute * 60 + second))
}

/// `2.5.4.3` of an OID's content; None where it is no OID.
pub(crate) fn dotted(content: &[u8]) -> Option<String> {
    let mut out = String::new();
    let mut value: u128 = 0;
    if content.last()? & 0x80 != 0 {
        return None;
    }
    for byte in content {
        value = value.checked_mul(128)? | u128::from(byte & 0x7F);
        if byte & 0x80 != 0 {
            continue;
        }
        if out.is_empty() {
            let first = (value / 40).min(2);
            out = format!("{first}.{}", value - first * 40);
        } else {
            out.push('.');
            out.push_str(&value.to_string());
        }
        value = 0;
    }
    Some(out)
}

/// Where a part stands in the whole that it was read from.
pub(crate) fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let at = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
    assert!(at <= whole.len() && part.len() <= whole.len() - at, "a part is read from its whole");
    at..at + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_definite_shortest_and_within_what_is_there() {
        let next = |bytes: &[u8]| Reader::new(bytes).next().map(|element| element.content.len());
        assert_eq!(next(&[0x04, 0x00]), Ok(0));
        assert_eq!(next(&[0x04, 0x02, 1, 2, 3]), Ok(2));
        assert_eq!(next(&[&[0x04, 0x81, 0x80][..], &[0; 128]].concat()), Ok(128));
        for bad in [
            &[][..],
            &[0x04],
            &[0x04, 0x01],
            &[0x30, 0x80, 0, 0],
            &[0x04, 0x81, 0x01, 7],
            &[0x04, 0x82, 0x00, 0x01, 7],
            &[0x04, 0x85, 1, 1, 1, 1, 1],
            &[0x04, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0],
            &[0x1F, 0x01, 0],
        ] {
            assert_eq!(next(bad), Err(Malformed), "{bad:02x?}");
        }
        assert!(Reader::only(&[0x04, 0x00, 0x00], OCTET_STRING).is_err());
    }

    #[test]
    fn times_are_of_the_one_allowed_form() {
        let seconds = |tag, text: &str| time(&Element { tag, content: text.as_bytes(), whole: &[] }).unwrap();
        assert_eq!(seconds(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(seconds(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(seconds(UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(seconds(GENERALIZED_TIME, "20000229000000Z"), Some(951_782_400));
        assert_eq!(seconds(GENERALIZED_TIME, "20240229235959Z"), Some(1_709_251_199));
        assert_eq!(seconds(GENERALIZED_TIME, "99991231235959Z"), Some(253_402_300_799));
        for bad in
            ["7001010000Z", "700101000000+0000", "701301000000Z", "700230000000Z", "700101240000Z", "", "Z"]
        {
            assert_eq!(seconds(UTC_TIME, bad), None, "{bad}");
        }
        assert_eq!(seconds(GENERALIZED_TIME, "19000229000000Z"), None);
        assert!(time(&Element { tag: INTEGER, content: b"1", whole: &[] }).is_err());
    }

    #[test]
    fn object_identifiers_print_as_numbers() {
        assert_eq!(dotted(&[0x55, 4, 3]).as_deref(), Some("2.5.4.3"));
        assert_eq!(
            dotted(&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1]).as_deref(),
            Some("1.2.840.113549.1.9.1")
        );
        assert_eq!(dotted(&[0x88, 0x37, 3]).as_deref(), Some("2.999.3"));
        for bad in [&[][..], &[0x55, 0x84], &[0xFF; 40]] {
            assert_eq!(dotted(bad), None);
        }
    }
}
