//! Where a text leaves the string that it was put into: what detectors of quoted languages share.

/// Where a string of this quote ends: at the first quote, and, where that one is escaped or doubled, at the first that is
/// not. Answers places after the quote.
///
/// Whoever is inside a string leaves it at its first quote, so these are all the places there are, however many quotes
/// the text holds.
pub(super) fn ends_of_string(text: &[u8], quote: u8) -> [Option<usize>; 2] {
    let Some(first) = memchr::memchr(quote, text) else { return [None, None] };
    let escaped = |at: usize| at > 0 && text[at - 1] == b'\\';
    let doubled = |at: usize| text.get(at + 1) == Some(&quote);
    let mut at = first;
    while escaped(at) || doubled(at) {
        at += if escaped(at) { 1 } else { 2 };
        match memchr::memchr(quote, text.get(at..).unwrap_or_default()) {
            Some(next) => at += next,
            None => return [Some(first + 1), None],
        }
    }
    [Some(first + 1), (at > first).then_some(at + 1)]
}

#[cfg(test)]
mod tests {
    use super::ends_of_string;

    #[test]
    fn a_string_ends_at_its_first_quote() {
        for (text, ends) in [
            ("abc", [None, None]),
            ("a'b'c", [Some(2), None]),
            (r"a\'b'c", [Some(3), Some(5)]),
            ("a''b'c", [Some(2), Some(5)]),
            ("a''b", [Some(2), None]),
            ("'", [Some(1), None]),
            (r"\'", [Some(2), None]),
        ] {
            assert_eq!(ends_of_string(text.as_bytes(), b'\''), ends, "{text}");
        }
    }
}
