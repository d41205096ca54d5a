//! Operators between two quotes: `'='`, `'-0-'`.
//!
//! A string that is closed, computed with and opened again needs no word: `name=''-''` compares with 0, which in MySQL every
//! text is.

/// What the operators between two quotes do, where a whole text is nothing else; quoted signs that people name are not.
pub(super) fn between_quotes(text: &[u8]) -> Option<&'static str> {
    let text = text.trim_ascii();
    // `1'^(1)^'1`: what the value was stands before it, and what the rest closes behind.
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
    let before = text.iter().take_while(|byte| is_word(byte)).count();
    let after = text.iter().rev().take_while(|byte| is_word(byte)).count();
    if before + after >= text.len() || before.max(after) > WORD_BYTES_MAX {
        return None;
    }
    let [quote @ (b'\'' | b'"'), inner @ .., last] = &text[before..text.len() - after] else { return None };
    let inner = inner.trim_ascii();
    let alone = before + after == 0;
    let is_operator = |byte: &u8| b"-+*/%^&|=<>!".contains(byte);
    let fits = |byte: &u8| is_operator(byte) || byte.is_ascii_digit() || b" ~()".contains(byte);
    if last != quote || inner.is_empty() || inner.len() > INNER_BYTES_MAX || !inner.iter().all(fits) {
        return None;
    }
    let computes = inner.first().is_some_and(is_operator) && inner.last().is_some_and(is_operator);
    let number = inner.iter().any(u8::is_ascii_digit);
    // `'->'` and `"-"` are signs that people quote.
    let named =
        [&b"->"[..], b"=>", b"<-", b"--", b"<->", b"/*", b"*/", b"<!--", b"-->", b"..."].contains(&inner);
    (computes && !named && (number || alone && *quote == b'\''))
        .then_some("closes the string, computes with it, and leaves a quote for the rest to close")
}

/// Bytes between the quotes.
const INNER_BYTES_MAX: usize = 24;

/// Bytes of a word before or behind the quotes.
const WORD_BYTES_MAX: usize = 16;

/// Whether a text is a word in quotes.
pub(super) fn is_quoted_word(text: &[u8]) -> bool {
    matches!(text.trim_ascii(), [quote @ (b'\'' | b'"' | b'`'), word @ .., last]
        if last == quote && !word.is_empty() && word.iter().all(u8::is_ascii_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_told_from_quoted_signs() {
        for text in [
            "1'^(1)^'1",
            "a'-0-'b",
            "'=',".trim_end_matches(','),
            "'-0-'",
            "'-0||'",
            "'|1|'",
            "'-'",
            "\"-0-\"",
            "' ^ 0 ^ '",
        ] {
            assert!(between_quotes(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "5'-6'",
            "rock'-'n'-'roll",
            "5'+6'+7'",
            "Xi'-'an",
            "'->'",
            "\"-\"",
            "'1-2'",
            "''",
            "'~'",
            "'5'",
            "'a'",
            "\"*\"",
            "'-",
            "' '",
        ] {
            assert!(between_quotes(text.as_bytes()).is_none(), "{text}");
        }
    }
}
