//! Header values of the form `value; name=value; name="quoted value"`.

use crate::Fields;

/// A media type with its parameters.
#[derive(Clone, Debug, Default)]
pub struct MediaType {
    /// `type/subtype`, in lower case, blanks around it removed; empty when the header was.
    pub essence: Vec<u8>,
    /// Parameters in order: names in lower case, values unquoted. A parameter without `=` has an empty value.
    pub params: Fields,
}

impl MediaType {
    /// Whether the media type is this one, which is given in lower case.
    pub fn is(&self, essence: &str) -> bool {
        self.essence == essence.as_bytes()
    }

    /// Whether the subtype is `suffix` or ends in `+suffix` (`json` takes `application/problem+json` too).
    pub fn has_subtype(&self, suffix: &str) -> bool {
        let Some(slash) = self.essence.iter().position(|&b| b == b'/') else { return false };
        let subtype = &self.essence[slash + 1..];
        subtype == suffix.as_bytes()
            || subtype.strip_suffix(suffix.as_bytes()).is_some_and(|rest| rest.ends_with(b"+"))
    }

    /// The first value of a parameter, given in lower case.
    pub fn param(&self, name: &str) -> Option<&[u8]> {
        self.params.first(name.as_bytes())
    }
}

/// Reads a `Content-Type` value (RFC 9110 section 8.3). Never fails: what is malformed is taken as far as it reads.
/// O(n).
pub fn content_type(value: &[u8]) -> MediaType {
    let end = value.iter().position(|&b| b == b';').unwrap_or(value.len());
    let essence = trim(&value[..end]).to_ascii_lowercase();
    let mut params = Fields::new();
    let mut rest = &value[end..];
    let mut text = Vec::new();
    while let Some(after) = rest.strip_prefix(b";") {
        let name_end = after.iter().position(|&b| b == b';' || b == b'=').unwrap_or(after.len());
        let name = trim(&after[..name_end]).to_ascii_lowercase();
        rest = &after[name_end..];
        text.clear();
        if let Some(after) = rest.strip_prefix(b"=") {
            let start = after.iter().position(|&b| !is_blank(b)).unwrap_or(after.len());
            let after = &after[start..];
            rest = if after.first() == Some(&b'"') {
                let mut index = 1;
                while index < after.len() && after[index] != b'"' {
                    if after[index] == b'\\' && index + 1 < after.len() {
                        index += 1;
                    }
                    text.push(after[index]);
                    index += 1;
                }
                let tail = &after[(index + 1).min(after.len())..];
                &tail[tail.iter().position(|&b| b == b';').unwrap_or(tail.len())..]
            } else {
                let end = after.iter().position(|&b| b == b';').unwrap_or(after.len());
                text.extend_from_slice(trim(&after[..end]));
                &after[end..]
            };
        }
        if !name.is_empty() {
            params.push(&name, &text);
        }
    }
    MediaType { essence, params }
}

/// Without spaces and tabs at both ends.
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_blank(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_blank(*last)
    {
        text = rest;
    }
    text
}

/// Space or tab.
pub(crate) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_unquoted_and_lower_cased() {
        let media =
            content_type(b" Application/Problem+JSON ; Charset=\"utf\\\"-8;\" junk ;boundary = a b;;x");
        assert!(media.is("application/problem+json"));
        assert!(media.has_subtype("json"));
        assert!(!media.has_subtype("xml"));
        assert_eq!(media.param("charset"), Some(&b"utf\"-8;"[..]));
        assert_eq!(media.param("boundary"), Some(&b"a b"[..]));
        assert_eq!(media.param("x"), Some(&b""[..]));
        assert_eq!(media.params.len(), 3);
    }
}
