//! Protobuf messages without their schema, by the wire format, and the frames of gRPC.
//!
//! Without a schema a field of bytes may be a string, a message or anything: what parses whole as a message is read as one
//! and what is text as text, both where both hold. Numbers say nothing that an attacker could make use of and are left out.
//!
//! Source: the encoding page of the Protocol Buffers documentation; gRPC over HTTP/2, "Length-Prefixed-Message".

use crate::Fields;

/// Messages inside one another. Over it bytes are text.
const DEPTH_MAX: usize = 32;

/// The texts of a message, by field numbers: `1.2` for field 2 of the message in field 1. `None` when the bytes are no
/// message. At most `fields_max` of them; a message with more gives so many. O(n) for each level, of which there are at
/// most 32.
pub fn parse(message: &[u8], fields_max: usize) -> Option<Fields> {
    let mut out = Fields::new();
    walk(message, &mut String::new(), 0, fields_max, &mut out).then_some(out)
}

/// The messages of a gRPC body, with whether each is compressed. What is cut short comes as far as it goes.
pub fn frames(body: &[u8]) -> impl Iterator<Item = (bool, &[u8])> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let (head, tail) = rest.split_first_chunk::<5>()?;
        let [compressed, length @ ..] = *head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX).min(tail.len());
        let (message, after) = tail.split_at(length);
        rest = after;
        Some((compressed != 0, message))
    })
}

/// Whether the bytes are a message; its texts are added if so.
fn walk(message: &[u8], path: &mut String, depth: usize, fields_max: usize, out: &mut Fields) -> bool {
    if depth >= DEPTH_MAX || !is_message(message) {
        return false;
    }
    let mut rest = message;
    while let Some((number, field)) = next(&mut rest) {
        let Field::Bytes(bytes) = field else { continue };
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        path.push_str(&number.to_string());
        // Short texts often parse as messages; a message with text in it is seldom valid text without control bytes.
        let is_text = std::str::from_utf8(bytes)
            .is_ok_and(|text| !text.chars().any(|char| char.is_control() && !"\t\r\n".contains(char)));
        let is_message = !bytes.is_empty() && walk(bytes, path, depth + 1, fields_max, out);
        if (is_text || !is_message) && out.len() < fields_max {
            out.push_of_many(path.as_bytes(), bytes);
        }
        path.truncate(length);
    }
    true
}

enum Field<'m> {
    Number,
    Bytes(&'m [u8]),
}

/// Whether the bytes are fields to the end.
fn is_message(mut message: &[u8]) -> bool {
    while !message.is_empty() {
        if next(&mut message).is_none() {
            return false;
        }
    }
    true
}

/// Takes the next field: its number, and what it holds.
fn next<'m>(rest: &mut &'m [u8]) -> Option<(u64, Field<'m>)> {
    let key = varint(rest)?;
    let number = key >> 3;
    if number == 0 || number >= 1 << 29 {
        return None;
    }
    let field = match key & 7 {
        0 => {
            varint(rest)?;
            Field::Number
        }
        1 => {
            *rest = rest.get(8..)?;
            Field::Number
        }
        5 => {
            *rest = rest.get(4..)?;
            Field::Number
        }
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            let (bytes, after) = rest.split_at_checked(length)?;
            *rest = after;
            Field::Bytes(bytes)
        }
        // Groups have been gone since 2008.
        _ => return None,
    };
    Some((number, field))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    fn texts(message: &[u8]) -> Vec<(String, String)> {
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        parse(message, 100)
            .expect("a message")
            .iter()
            .map(|(path, value)| (text_of(path), text_of(value)))
            .collect()
    }

    #[test]
    fn texts_are_found_by_field_numbers() {
        let inner = [field(2, b"' OR 1=1 --"), vec![3 << 3, 0x96, 0x01]].concat();
        let message =
            [field(1, &inner), field(4, "Łukasz".as_bytes()), vec![5 << 3 | 5, 0, 0, 0, 0]].concat();
        assert_eq!(
            texts(&message),
            [("1.2".into(), "' OR 1=1 --".into()), ("4".into(), "Łukasz".to_owned())]
        );
    }

    #[test]
    fn what_is_cut_short_is_no_message() {
        let message = field(1, b"hello");
        for end in 1..message.len() {
            assert!(parse(&message[..end], 100).is_none(), "{end}");
        }
        assert!(parse(b"", 100).is_some_and(|fields| fields.is_empty()));
        assert!(parse(&[0xff; 20], 100).is_none());
    }

    #[test]
    fn frames_are_taken_one_by_one() {
        let body = [&[0, 0, 0, 0, 2][..], b"ab", &[1, 0, 0, 0, 9], b"c"].concat();
        let frames: Vec<_> = frames(&body).collect();
        assert_eq!(frames, [(false, &b"ab"[..]), (true, &b"c"[..])]);
    }

    #[test]
    fn nesting_is_bounded() {
        let mut message = field(1, b"x");
        for _ in 0..60 {
            message = field(1, &message);
        }
        assert!(parse(&message, 100).is_some());
        let many = field(1, b"x").repeat(300);
        assert_eq!(parse(&many, 100).map(|fields| fields.len()), Some(100));
    }
}
