//! ASCII texts, searched without regard to case: most languages that browsers and servers read begin with such words.

/// Where `word`, which is in lower case, first stands in `text` in any case. O(n) for the short words that are sought.
pub(super) fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    let (first, rest) = word.split_first()?;
    let last = text.len().checked_sub(word.len())?;
    memchr::memchr2_iter(*first, first.to_ascii_uppercase(), text)
        .take_while(|at| *at <= last)
        .find(|at| text[at + 1..at + word.len()].eq_ignore_ascii_case(rest))
}

/// Whether `text` begins with `word`, which is in lower case, in any case.
pub(super) fn starts(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(word))
}

/// Whether a name is in a list of lower-case names, in any case.
pub(super) fn is_one_of(name: &[u8], list: &[&str]) -> bool {
    list.iter().any(|word| name.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether a byte can stand in a name of most languages.
pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}

/// The number of bytes of the name that a text begins with.
pub(super) fn name_len(text: &[u8]) -> usize {
    text.iter().position(|byte| !is_name_byte(*byte)).unwrap_or(text.len())
}

/// A short piece of a text for a sentence: what is printable of it.
pub(super) fn shown(text: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 40;
    let cut = &text[..text.len().min(SHOWN_BYTES_MAX)];
    cut.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_case() {
        assert_eq!(find(b"a </ScRiPt>", b"</script"), Some(2));
        assert_eq!(find(b"</scrip", b"</script"), None);
        assert_eq!(find(b"", b"a"), None);
        assert!(starts(b"JavaScript:", b"javascript:"));
        assert!(!starts(b"java", b"javascript:"));
        assert_eq!(name_len(b"alert(1)"), 5);
    }
}
