//! `pattern`: a regular expression of ECMA 262, matched in linear time.
//!
//! The dialects differ in small things that let other texts through: in ECMA `\d` is 0 to 9 and nothing else, `$` is the
//! very end, `[` in a class is a bracket, `\/` a slash. So a pattern is rewritten before it is compiled. What needs
//! backtracking (lookaround, back references) has no linear form and is refused; whoever reads the specification says so.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

/// Patterns are compiled within this; a count such as `{1,100000}` does not fit.
const PROGRAM_BYTES_MAX: usize = 512 * 1024;
/// Memory of one matcher that works, where it has one.
const CACHE_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a pattern.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// A compiled pattern. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    written: Box<str>,
}

impl Pattern {
    /// Compiles a pattern; what is wrong with it comes back in words.
    pub(crate) fn new(written: &str) -> Result<Self, String> {
        if written.len() > TEXT_BYTES_MAX {
            return Err(format!("is longer than {TEXT_BYTES_MAX} bytes"));
        }
        let rewritten = rewritten(written)?;
        let config = Regex::config()
            .nfa_size_limit(Some(PROGRAM_BYTES_MAX))
            .onepass_size_limit(Some(CACHE_BYTES_MAX))
            .hybrid_cache_capacity(CACHE_BYTES_MAX)
            .dfa(false);
        let syntax = syntax::Config::new().nest_limit(100);
        let regex =
            Regex::builder().configure(config).syntax(syntax).build(&rewritten).map_err(
                |error| match error.size_limit() {
                    Some(_) => "is too large: its counts make too many states".to_owned(),
                    None => "is no regular expression that can be matched in linear time".to_owned(),
                },
            )?;
        Ok(Self { regex, written: written.into() })
    }

    /// Whether it matches somewhere in a text. O(n).
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// As it was written.
    pub(crate) fn written(&self) -> &str {
        &self.written
    }
}

/// The same pattern as regex-automata writes it.
fn rewritten(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    let mut class_begins = false;
    while let Some(char) = chars.next() {
        let first_in_class = std::mem::take(&mut class_begins);
        match char {
            '\\' => {
                let Some(next) = chars.next() else { return Err("ends in a backslash".to_owned()) };
                escape(next, in_class, &mut chars, &mut out)?;
            }
            '[' if !in_class => {
                in_class = true;
                class_begins = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            // `[]` is nothing and `[^]` anything, where other dialects begin a class with the bracket.
            ']' if in_class && first_in_class => {
                in_class = false;
                if out.ends_with("[^") {
                    out.truncate(out.len() - 2);
                    out.push_str("(?s:.)");
                } else {
                    out.pop();
                    out.push_str("[^\\x00-\\x{10FFFF}]");
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '[' | '&' | '~' | '#' if in_class => {
                out.push('\\');
                out.push(char);
            }
            '-' if in_class && chars.peek() == Some(&'-') => out.push_str("\\-"),
            '.' if !in_class => out.push_str("[^\\n\\r\\x{2028}\\x{2029}]"),
            '$' if !in_class => out.push_str("\\z"),
            '(' if !in_class && chars.peek() == Some(&'?') => {
                let rest: String = chars.clone().take(3).collect();
                let group =
                    rest.starts_with("?:") || rest.starts_with("?<") && !matches!(&rest[2..], "=" | "!");
                if !group {
                    return Err("needs lookaround or flags, which have no linear form".to_owned());
                }
                out.push('(');
            }
            ']' | '}' if !in_class => {
                // A bracket that closes nothing stands for itself; a brace that closes a count does not.
                let counts = char == '}' && closes_count(&out);
                if !counts {
                    out.push('\\');
                }
                out.push(char);
            }
            '{' if !in_class => {
                let count: String = chars.clone().take_while(|char| *char != '}').take(24).collect();
                let is_count = count.starts_with(|char: char| char.is_ascii_digit())
                    && count.chars().all(|char| char.is_ascii_digit() || char == ',');
                if !is_count {
                    out.push('\\');
                }
                out.push('{');
            }
            _ => out.push(char),
        }
    }
    if in_class { Err("has a class without end".to_owned()) } else { Ok(out) }
}

/// Whether what was written so far ends in an open count: `{2` or `{2,5`.
fn closes_count(out: &str) -> bool {
    let rest = out.trim_end_matches(|char: char| char.is_ascii_digit() || char == ',');
    rest.len() < out.len() && rest.ends_with('{') && !rest.ends_with("\\{")
}

/// What stands after a backslash.
fn escape(
    next: char,
    in_class: bool,
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    out: &mut String,
) -> Result<(), String> {
    let class = |positive: &str, negative: bool| match (in_class, negative) {
        (true, false) => positive.to_owned(),
        (_, true) => format!("[^{positive}]"),
        (false, false) => format!("[{positive}]"),
    };
    const WORD: &str = "A-Za-z0-9_";
    const SPACE: &str = "\\t\\n\\x0B\\f\\r \\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}\\x{FEFF}";
    match next {
        'd' => out.push_str(&class("0-9", false)),
        'D' => out.push_str(&class("0-9", true)),
        'w' => out.push_str(&class(WORD, false)),
        'W' => out.push_str(&class(WORD, true)),
        's' => out.push_str(&class(SPACE, false)),
        'S' => out.push_str(&class(SPACE, true)),
        'b' if in_class => out.push_str("\\x08"),
        'b' => out.push_str("(?-u:\\b)"),
        'B' => return Err("uses \\B".to_owned()),
        't' | 'n' | 'r' | 'f' | 'v' => {
            out.push('\\');
            out.push(next);
        }
        '0' => out.push_str("\\x00"),
        '1'..='9' | 'k' => return Err("refers back to a group, which has no linear form".to_owned()),
        'c' => {
            let letter = chars.next().filter(char::is_ascii_alphabetic).ok_or("has \\c without a letter")?;
            out.push_str(&format!("\\x{:02X}", letter as u32 % 32));
        }
        'x' => {
            let code: String = chars.by_ref().take(2).collect();
            push_code(&code, 2, out)?;
        }
        'u' if chars.next_if_eq(&'{').is_some() => {
            let code: String = chars.by_ref().take_while(|char| *char != '}').take(8).collect();
            push_code(&code, 1, out)?;
        }
        'u' => {
            let code: String = chars.by_ref().take(4).collect();
            push_code(&code, 4, out)?;
        }
        'p' | 'P' if chars.next_if_eq(&'{').is_some() => {
            let name: String = chars.by_ref().take_while(|char| *char != '}').take(64).collect();
            out.push_str(&format!("\\{next}{{{name}}}"));
        }
        // Everything else stands for itself.
        other if other.is_ascii_alphanumeric() => out.push(other),
        other if other.is_ascii() && !other.is_ascii_control() && other != ' ' && other != '/' => {
            out.push('\\');
            out.push(other);
        }
        other => out.push(other),
    }
    Ok(())
}

fn push_code(code: &str, digits_min: usize, out: &mut String) -> Result<(), String> {
    let value = u32::from_str_radix(code, 16).ok().filter(|_| code.len() >= digits_min);
    match value.and_then(char::from_u32) {
        Some(char) => {
            out.push_str(&format!("\\x{{{:X}}}", char as u32));
            Ok(())
        }
        None => Err("has an escape that is no character".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_ecma() {
        for (pattern, fits, fails) in [
            ("^[a-z]+$", "abc", "abc\n"),
            ("^\\d+$", "123", "\u{661}\u{662}"),
            ("^\\w+$", "a_1", "é"),
            ("^[\\w.-]+@[\\w-]+$", "a.b-c@d", "a b@d"),
            ("^a\\/b$", "a/b", "a\\/b"),
            ("^[[]$", "[", "]"),
            ("^[a&&b]$", "&", "c"),
            ("^.$", "é", "\r"),
            ("^\\u00e9$", "é", "e"),
            ("^[^\\s]+$", "a", "a\u{a0}"),
            ("^a{2}$", "aa", "a{2}"),
            ("^{a}$", "{a}", "a"),
            ("^(?:a|b)(?<name>c)?$", "bc", "cc"),
            ("^[^]$", "\n", "ab"),
            ("^\\-\\_\\.$", "-_.", "a"),
            ("^\\p{L}+$", "Zoë", "1"),
            ("^(\\([0-9]{3}\\))?[0-9]{3}-[0-9]{4}$", "(888)555-1212", "(888)555-12123"),
            ("b", "abc", "ac"),
        ] {
            let compiled = Pattern::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert!(compiled.is_match(fits.as_bytes()), "{pattern} on {fits}");
            assert!(!compiled.is_match(fails.as_bytes()), "{pattern} on {fails:?}");
        }
    }

    #[test]
    fn what_has_no_linear_form_or_no_form_is_refused() {
        for pattern in [
            "(?=a)b",
            "^(?!x)",
            "(?<=a)b",
            "(a)\\1",
            "(",
            "[a",
            "a\\",
            "(?i)a",
            "(((a{100}){100}){100}){100}",
            "*a",
            "\\u12",
        ] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
