//! Texts with `*` in them, as exceptions write them.

use std::fmt;

/// A text in which `*` stands for any bytes.
///
/// Two readings: [`matches`](Self::matches) takes the text as it stands, and `*` for anything; as a path
/// ([`matches_path`](Self::matches_path)) it goes segment by segment, `*` stays within one, and a segment `**` stands
/// for any number of them, none included. Letter case counts in both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wildcard(Box<str>);

/// A wildcard has no more bytes; a longer text is a slip.
pub const WILDCARD_BYTES_MAX: usize = 256;

/// A text that is compared with a wildcard has no more bytes. A longer one matches nothing: names are chosen by clients,
/// and comparing takes the product of both lengths at worst.
pub const WILDCARD_TEXT_BYTES_MAX: usize = 1024;

impl Wildcard {
    /// A wildcard of a text; `None` when it is empty or longer than [`WILDCARD_BYTES_MAX`].
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= WILDCARD_BYTES_MAX).then(|| Self(text.into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for exactly one text.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether a text is one that it stands for. O(n m), both of them bounded.
    pub fn matches(&self, text: &[u8]) -> bool {
        text.len() <= WILDCARD_TEXT_BYTES_MAX && glob(self.0.as_bytes(), text)
    }

    /// The same with ASCII case ignored.
    pub fn matches_any_case(&self, text: &[u8]) -> bool {
        text.len() <= WILDCARD_TEXT_BYTES_MAX
            && glob(self.0.to_ascii_lowercase().as_bytes(), &text.to_ascii_lowercase())
    }

    /// Whether a path is one that it stands for, segment by segment. O(n m), both of them bounded.
    pub fn matches_path(&self, path: &[u8]) -> bool {
        if path.len() > WILDCARD_TEXT_BYTES_MAX {
            return false;
        }
        let split = |path| <[u8]>::split(path, |byte: &u8| *byte == b'/').collect::<Vec<_>>();
        let wanted = split(self.0.as_bytes());
        let there = split(path);
        star(&wanted, &there, |part| *part == b"**", |wanted, there| glob(wanted, there))
    }
}

impl fmt::Display for Wildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    star(pattern, text, |byte| *byte == b'*', |wanted, there| wanted == there)
}

/// Whether a sequence matches a pattern in which some parts stand for any number of elements. Only the last such part
/// that was met is ever widened: what stood before it has matched as early as it could.
fn star<P, T>(
    pattern: &[P],
    text: &[T],
    is_star: impl Fn(&P) -> bool,
    same: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut widen: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(part) if is_star(part) => {
                at += 1;
                widen = Some((at, seen));
            }
            Some(part) if same(part, &text[seen]) => {
                at += 1;
                seen += 1;
            }
            _ => match &mut widen {
                Some((after, from)) => {
                    *from += 1;
                    (at, seen) = (*after, *from);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(is_star)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wildcard(text: &str) -> Wildcard {
        Wildcard::new(text).unwrap()
    }

    #[test]
    fn a_star_stands_for_anything_and_nothing_else_does() {
        for (pattern, text, matches) in [
            ("q", "q", true),
            ("q", "Q", false),
            ("q", "qq", false),
            ("*", "", true),
            ("filter[*]", "filter[name]", true),
            ("filter[*]", "filter[]", true),
            ("filter[*]", "filter[a]b", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("**", "x/y", true),
            ("?", "x", false),
        ] {
            assert_eq!(wildcard(pattern).matches(text.as_bytes()), matches, "{pattern} {text}");
        }
        assert!(wildcard("User-*").matches_any_case(b"user-AGENT"));
    }

    #[test]
    fn a_path_is_compared_segment_by_segment() {
        for (pattern, path, matches) in [
            ("/content", "/content", true),
            ("/content", "/content/x", false),
            ("/*", "/content", true),
            ("/*", "/a/b", false),
            ("/**", "/a/b", true),
            ("/**", "", true),
            ("**", "", true),
            ("/items/*/text", "/items/12/text", true),
            ("/items/*/text", "/items/a/b/text", false),
            ("/items/**/text", "/items/a/b/text", true),
            ("/items/**/text", "/items/text", true),
            ("/a/na*e", "/a/name", true),
            ("/a/na*e", "/a/na/e", false),
        ] {
            assert_eq!(wildcard(pattern).matches_path(path.as_bytes()), matches, "{pattern} {path}");
        }
    }

    #[test]
    fn long_texts_match_nothing_and_stars_do_not_explode() {
        assert!(!wildcard("*").matches(&vec![b'a'; WILDCARD_TEXT_BYTES_MAX + 1]));
        assert!(Wildcard::new("").is_none() && Wildcard::new(&"a".repeat(257)).is_none());
        let hostile = wildcard(&"a*".repeat(128));
        let text = [&[b'a'; 1000][..], b"b"].concat();
        assert!(hostile.matches(&text));
        assert!(!wildcard(&format!("{}c", "*a".repeat(127))).matches(&text));
    }
}
