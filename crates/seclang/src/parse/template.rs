//! Texts with macros.

use bstr::{BString, ByteSlice};

use super::Parser;
use crate::ast::{Template, TemplatePart, Variable};
use crate::diagnostic::{Diagnostic, codes, quoted};
use crate::text::View;

impl Template {
    /// Splits a text at its macros. What looks like a macro and names no variable is text. O(bytes).
    pub fn parse(text: &[u8]) -> Self {
        split(text).0
    }

    /// The text as it is written, macros included.
    pub fn to_text(&self) -> BString {
        let mut text = Vec::new();
        for part in &self.parts {
            match part {
                TemplatePart::Literal(literal) => text.extend_from_slice(literal),
                TemplatePart::Macro { text: inner, .. } => {
                    text.extend_from_slice(b"%{");
                    text.extend_from_slice(inner);
                    text.push(b'}');
                }
            }
        }
        text.into()
    }
}

impl Parser<'_> {
    /// Splits a text at its macros. What looks like one and names no variable is text, with a warning.
    pub(crate) fn template(&mut self, text: View<'_>) -> Template {
        let (template, unknown) = split(text.bytes());
        for (start, end) in unknown {
            let place = text.slice(start, end);
            let written = macro_name(&place.bytes()[2..place.len() - 1]);
            let mut diagnostic = Diagnostic::warning(
                codes::UNKNOWN_MACRO,
                place.span(),
                format!("the macro {} names no variable", quoted(place.bytes())),
            )
            .label("stays as text");
            if let Some(name) =
                self.suggestion(written, Variable::ALL.iter().map(|variable| variable.as_str()))
            {
                let after = bstr::BStr::new(&place.bytes()[2 + written.len()..]);
                diagnostic = diagnostic.help(format!("did you mean `%{{{name}{after}`?"));
            }
            self.sink.push(diagnostic);
        }
        template
    }
}

/// Splits a text at its macros, and finds the ranges that look like macros and are none.
///
/// O(bytes): a macro's text holds no `%{`, so no byte is looked at twice.
fn split(bytes: &[u8]) -> (Template, Vec<(usize, usize)>) {
    let mut parts = Vec::new();
    let mut unknown = Vec::new();
    let (mut literal, mut at) = (0, 0);
    while let Some(start) = bytes[at..].find(b"%{").map(|found| at + found) {
        let limit = bytes[start + 2..].find(b"%{").map_or(bytes.len(), |found| start + 2 + found);
        let Some(end) = bytes[start + 2..limit].find_byte(b'}').map(|found| start + 2 + found) else {
            at = limit;
            continue;
        };
        let inner = &bytes[start + 2..end];
        at = end + 1;
        match read_macro(inner) {
            Some((variable, key)) => {
                if start > literal {
                    parts.push(TemplatePart::Literal(bytes[literal..start].into()));
                }
                parts.push(TemplatePart::Macro { variable, key, text: inner.into() });
                literal = at;
            }
            // `%{2,3}` in a regular expression is a quantifier.
            None if inner.first().is_some_and(u8::is_ascii_alphabetic) => unknown.push((start, at)),
            None => {}
        }
    }
    if literal < bytes.len() {
        parts.push(TemplatePart::Literal(bytes[literal..].into()));
    }
    (Template { parts }, unknown)
}

fn read_macro(inner: &[u8]) -> Option<(Variable, Option<BString>)> {
    let name = macro_name(inner);
    let variable = Variable::from_name(name)?;
    match inner.get(name.len()) {
        None => Some((variable, None)),
        Some(b'.' | b':') => {
            let key = &inner[name.len() + 1..];
            (!key.is_empty() && variable.takes_selector()).then(|| (variable, Some(key.into())))
        }
        Some(_) => None,
    }
}

fn macro_name(inner: &[u8]) -> &[u8] {
    &inner[..inner.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || byte == b'_').count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_are_found_and_everything_else_is_text() {
        let (template, unknown) =
            split(b"a%{tx.x}b%{REMOTE_ADDR}%{request_headers:User-Agent}%{nosuch}%{%{tx.1}%{");
        let shown: Vec<_> = template.parts.iter().map(|part| format!("{part:?}")).collect();
        assert_eq!(
            shown,
            [
                r#"Literal("a")"#,
                r#"Macro { variable: Tx, key: Some("x"), text: "tx.x" }"#,
                r#"Literal("b")"#,
                r#"Macro { variable: RemoteAddr, key: None, text: "REMOTE_ADDR" }"#,
                r#"Macro { variable: RequestHeaders, key: Some("User-Agent"), text: "request_headers:User-Agent" }"#,
                r#"Literal("%{nosuch}%{")"#,
                r#"Macro { variable: Tx, key: Some("1"), text: "tx.1" }"#,
                r#"Literal("%{")"#,
            ]
        );
        assert_eq!(unknown.len(), 1);
    }
}
