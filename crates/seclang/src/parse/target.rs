//! Target lists: `ARGS|!ARGS:x|&TX:/^y/|XML:/*`.

use bstr::ByteSlice;

use super::Parser;
use crate::ast::{Selector, Spanned, Target, TargetMode, Variable};
use crate::diagnostic::{Diagnostic, codes, quoted};
use crate::text::{View, closing_quote, is_blank};

impl Parser<'_> {
    /// Reads a target list; items that cannot be read are reported and left out.
    pub(crate) fn targets(&mut self, list: View<'_>) -> Vec<Spanned<Target>> {
        let mut targets = Vec::new();
        let mut rest = list;
        loop {
            rest = rest.trim_start();
            match rest.first() {
                None => break,
                Some(b'|' | b',') => {
                    rest = rest.from(1);
                    continue;
                }
                Some(_) => {}
            }
            let (target, end) = self.target(rest);
            let after = rest.from(end).trim_start();
            if let Some(target) = target {
                if matches!(after.first(), None | Some(b'|' | b',')) {
                    targets.push(Spanned::new(target, rest.slice(0, end).span()));
                } else {
                    self.sink.push(
                        Diagnostic::error(
                            codes::BAD_TARGETS,
                            after.slice(0, 1).span(),
                            format!(
                                "expected `|` or the end of the list, found {}",
                                quoted(after.slice(0, 1).bytes())
                            ),
                        )
                        .help("put a key with blanks or special characters in single quotes: `ARGS:'a|b'`"),
                    );
                }
            }
            let next = after.bytes().iter().take_while(|&&byte| byte != b'|' && byte != b',').count();
            rest = after.from(next);
        }
        targets
    }

    /// Reads one target from the start of `rest` and returns where it ends.
    fn target(&mut self, rest: View<'_>) -> (Option<Target>, usize) {
        let bytes = rest.bytes();
        let (mode, mut at) = match bytes[0] {
            b'!' => (TargetMode::Exclude, 1),
            b'&' => (TargetMode::Count, 1),
            _ => (TargetMode::Value, 0),
        };
        at += bytes[at..].iter().take_while(|&&byte| is_blank(byte)).count();
        let name_len =
            bytes[at..].iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || byte == b'_').count();
        let name = rest.slice(at, at + name_len);
        at += name_len;
        if name.is_empty() {
            let found = rest.slice(at, at + 1);
            let message = if found.is_empty() {
                "expected a variable's name".to_owned()
            } else {
                format!("expected a variable's name, found {}", quoted(found.bytes()))
            };
            self.sink.push(Diagnostic::error(codes::BAD_TARGETS, found.span(), message));
            return (None, at);
        }
        let variable = Variable::from_name(name.bytes());
        if variable.is_none() {
            self.unknown_variable(name);
        }
        // `TX.key` is read as `TX:key`, as ModSecurity 3 does.
        if !matches!(bytes.get(at), Some(b':' | b'.')) {
            return (variable.map(|variable| Target { mode, variable, selector: None }), at);
        }
        let selector_start = at + 1;
        let (selector, length) = self.selector(rest.from(selector_start), variable == Some(Variable::Xml));
        let end = selector_start + length;
        let (Some(variable), Some(selector)) = (variable, selector) else { return (None, end) };
        if !variable.takes_selector() {
            self.sink.push(
                Diagnostic::error(
                    codes::SELECTOR_NOT_TAKEN,
                    rest.slice(at, end).span(),
                    format!("{variable} is a single value and takes no selector"),
                )
                .label("remove this"),
            );
            return (None, end);
        }
        (Some(Target { mode, variable, selector: Some(selector) }), end)
    }

    /// Reads what follows the colon, and returns its length.
    fn selector(&mut self, rest: View<'_>, xml: bool) -> (Option<Selector>, usize) {
        let bytes = rest.bytes();
        match bytes.first() {
            None | Some(b'|' | b',') => {
                self.sink.push(
                    Diagnostic::error(
                        codes::BAD_SELECTOR,
                        rest.slice(0, 1).span(),
                        "nothing follows the colon",
                    )
                    .help("name a member, `ARGS:name`, or leave the colon out; an empty name is `ARGS:''`"),
                );
                (None, 0)
            }
            Some(b'\'') => {
                let Some(length) = closing_quote(&bytes[1..], b'\'') else {
                    self.sink.push(
                        Diagnostic::error(
                            codes::BAD_SELECTOR,
                            rest.slice(0, 1).span(),
                            "this `'` is not closed",
                        )
                        .label("opened here"),
                    );
                    return (None, bytes.len());
                };
                let key = rest.slice(1, length + 1).unescape(b'\'');
                let inner = key.view().bytes();
                let selector = if xml {
                    Selector::XPath(inner.into())
                } else if inner.len() >= 2 && inner.starts_with(b"/") && inner.ends_with(b"/") {
                    Selector::Regex(inner[1..inner.len() - 1].into())
                } else {
                    Selector::Key(self.template(key.view()))
                };
                (Some(selector), length + 2)
            }
            Some(_) if xml => {
                let length = xpath_length(bytes);
                (Some(Selector::XPath(bytes[..length].into())), length)
            }
            Some(b'/') => {
                match regex_length(bytes) {
                    Some(length) => (Some(Selector::Regex(bytes[1..length - 1].into())), length),
                    // `IP:/v1/login` is a key, as in ModSecurity 3.
                    None => {
                        let length = key_length(bytes);
                        self.sink.push(
                        Diagnostic::warning(
                            codes::SUSPICIOUS,
                            rest.slice(0, length).span(),
                            "without a `/` at its end this is a key and no regular expression",
                        )
                        .help("end a regular expression with `/`; write a key that starts with one as `'/key'`"),
                    );
                        (Some(Selector::Key(self.template(rest.slice(0, length)))), length)
                    }
                }
            }
            Some(_) => {
                let length = key_length(bytes);
                (Some(Selector::Key(self.template(rest.slice(0, length)))), length)
            }
        }
    }

    fn unknown_variable(&mut self, name: View<'_>) {
        let mut diagnostic = Diagnostic::error(
            codes::UNKNOWN_VARIABLE,
            name.span(),
            format!("unknown variable {}", quoted(name.bytes())),
        )
        .label("not a variable");
        let upper = name.bytes().to_ascii_uppercase();
        if upper.starts_with(b"STREAM_") {
            diagnostic = diagnostic.help("bodies are whole here: use REQUEST_BODY or RESPONSE_BODY");
        } else if upper.starts_with(b"PERF_") {
            diagnostic = diagnostic.help("rules cannot see their own cost; remove the target");
        } else if let Some(near) =
            self.suggestion(name.bytes(), Variable::ALL.iter().map(|variable| variable.as_str()))
        {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        }
        self.sink.push(diagnostic);
    }
}

/// Length of a bare key: up to the next separator, without blanks at its end.
pub(crate) fn key_length(bytes: &[u8]) -> usize {
    let end = bytes.iter().take_while(|&&byte| byte != b'|' && byte != b',').count();
    bytes[..end].trim_end_with(|char| u8::try_from(char).is_ok_and(is_blank)).len()
}

/// Length of `/regex/`, both slashes included: to the first unescaped slash that a separator or the end follows.
pub(crate) fn regex_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'/' => {
                let blanks = bytes[at + 1..].iter().take_while(|&&byte| is_blank(byte)).count();
                match bytes.get(at + 1 + blanks) {
                    None | Some(b'|' | b',') => return Some(at + 1),
                    Some(_) => at += 1 + blanks,
                }
            }
            _ => at += 1,
        }
    }
    None
}

/// Length of an XPath expression: up to a separator outside of quotes, brackets and parentheses.
pub(crate) fn xpath_length(bytes: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'[' | b'(' => depth += 1,
            b']' | b')' => depth = depth.saturating_sub(1),
            b'|' | b',' if depth == 0 => break,
            quote @ (b'"' | b'\'') => match bytes[at + 1..].find_byte(quote) {
                Some(length) => at += length + 1,
                None => at = bytes.len() - 1,
            },
            _ => {}
        }
        at += 1;
    }
    bytes[..at].trim_end_with(|char| u8::try_from(char).is_ok_and(is_blank)).len()
}
