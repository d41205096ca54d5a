//! `%HH`, as parameters are written.

use std::borrow::Cow;

/// What `+` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plus {
    /// A plus.
    Itself,
    /// A space, as in forms and queries.
    Space,
}

/// Undoes escapes; what is none stays. O(n).
pub(crate) fn decode(text: &[u8], plus: Plus) -> Cow<'_, [u8]> {
    let marks = |byte: &u8| *byte == b'%' || *byte == b'+' && plus == Plus::Space;
    if !text.iter().any(marks) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'+', _) if plus == Plus::Space => out.push(b' '),
            (b'%', [high, low, after @ ..]) => match hex(*high).zip(hex(*low)) {
                Some((high, low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                None => out.push(b'%'),
            },
            _ => out.push(*first),
        }
    }
    Cow::Owned(out)
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// The pairs of a query or form: the name decoded, the value as sent. Empty pieces are nothing.
pub(crate) fn pairs(text: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, &[u8])> {
    text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        (decode(&pair[..at], Plus::Space), pair.get(at + 1..).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_others_stay() {
        assert_eq!(&*decode(b"a%20b+c%zz%4", Plus::Space), b"a b c%zz%4");
        assert_eq!(&*decode(b"a+b", Plus::Itself), b"a+b");
        let all: Vec<_> =
            pairs(b"a=1&&b&c%5B%5D==x").map(|(name, value)| (name.into_owned(), value)).collect();
        assert_eq!(all, [(b"a".to_vec(), &b"1"[..]), (b"b".to_vec(), b""), (b"c[]".to_vec(), b"=x")]);
    }
}
