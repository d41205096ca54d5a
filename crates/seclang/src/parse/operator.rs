//! Operators: `@rx ...`, `!@eq 0`, or a bare regular expression.

use super::Parser;
use crate::ast::{Operator, OperatorName, Template};
use crate::diagnostic::{Diagnostic, codes, quoted};
use crate::text::{View, is_blank};

impl Parser<'_> {
    /// Reads an operator. When it cannot be read, `None`, and it is reported.
    pub(crate) fn operator(&mut self, text: View<'_>) -> Option<Operator> {
        let (negated, rest) = match text.first() {
            Some(b'!') => (true, text.from(1)),
            _ => (false, text),
        };
        // `! @rx x` is `!@rx x`, but ` @rx x` is a regular expression that happens to hold an `@`.
        let named = if negated { rest.trim_start() } else { rest };
        if named.first() != Some(b'@') {
            let trimmed = rest.trim_start();
            if !negated && rest.len() > trimmed.len() && trimmed.first() == Some(b'@') {
                self.sink.push(
                    Diagnostic::warning(
                        codes::SUSPICIOUS,
                        rest.slice(0, rest.len() - trimmed.len() + 1).span(),
                        "a blank stands before the `@`, so this is a regular expression and no operator",
                    )
                    .label("remove the blank")
                    .help("to mean the regular expression, write `@rx` before it"),
                );
            }
            let template = self.template(rest);
            return Some(Operator {
                negated,
                name: OperatorName::Rx,
                argument: rest.bytes().into(),
                template,
            });
        }

        let name_len = named.bytes()[1..].iter().take_while(|&&byte| !is_blank(byte)).count();
        let name_view = named.slice(1, 1 + name_len);
        // One blank ends the name; further ones belong to the argument, as in ModSecurity 3.
        let argument = named.from(1 + name_len + 1);
        let Some(name) = OperatorName::from_name(name_view.bytes()) else {
            self.unknown_operator(named.slice(0, 1 + name_len), name_view.bytes());
            return None;
        };
        let refused = match name {
            OperatorName::InspectFile => Some((
                "it runs a program for each file, which a request could do at will",
                "match on FILES, FILES_NAMES or FILES_TMP_CONTENT",
            )),
            OperatorName::FuzzyHash => Some((
                "there is no ssdeep here",
                "match the content itself, or compare a digest: `t:sha1,t:hexEncode`",
            )),
            OperatorName::GsbLookup => Some((
                "the service it asks, Google Safe Browsing v1, is gone",
                "remove the rule: it could never match",
            )),
            _ => None,
        };
        if let Some((why, instead)) = refused {
            self.sink.push(
                Diagnostic::error(
                    codes::REFUSED_OPERATOR,
                    named.slice(0, 1 + name_len).span(),
                    format!("`@{name}` is not supported: {why}"),
                )
                .help(instead),
            );
            return None;
        }
        self.check_argument(name, argument, named.slice(0, 1 + name_len));
        // Where nothing is expanded, what looks like a macro deserves no warning.
        let template =
            if expands_macros(name) { self.template(argument) } else { Template::parse(argument.bytes()) };
        Some(Operator { negated, name, argument: argument.bytes().into(), template })
    }

    fn check_argument(&mut self, name: OperatorName, argument: View<'_>, operator: View<'_>) {
        let text = argument.trim().bytes();
        match name {
            OperatorName::Eq | OperatorName::Ge | OperatorName::Gt | OperatorName::Le | OperatorName::Lt => {
                let digits = text.strip_prefix(b"-").unwrap_or(text);
                let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
                if !is_number && !text.is_empty() && !text.contains(&b'%') {
                    self.sink.push(
                        Diagnostic::warning(
                            codes::SUSPICIOUS,
                            argument.trim().span(),
                            format!("{} is no number: `@{name}` reads its leading digits, and 0 when there are none", quoted(text)),
                        )
                        .help("to compare texts, use `@streq`"),
                    );
                }
            }
            OperatorName::PmFromFile | OperatorName::IpMatchFromFile if text.is_empty() => {
                self.sink.push(
                    Diagnostic::error(
                        codes::BAD_OPERATOR_ARGUMENT,
                        operator.span(),
                        format!("`@{name}` needs the name of a file"),
                    )
                    .help(format!("`@{name} names.data`; the file lies beside this one")),
                );
            }
            OperatorName::ValidateByteRange => {
                for item in text.split(|&byte| byte == b',') {
                    let item = item.trim_ascii();
                    let mut ends =
                        item.splitn(2, |&byte| byte == b'-').map(|end| number(end).filter(|&end| end < 256));
                    let good = match (ends.next(), ends.next()) {
                        (Some(Some(_)), None) => true,
                        (Some(Some(first)), Some(Some(last))) => first <= last,
                        _ => false,
                    };
                    if !good && !item.contains(&b'%') {
                        self.sink.push(
                            Diagnostic::error(
                                codes::BAD_OPERATOR_ARGUMENT,
                                if argument.is_empty() { operator.span() } else { argument.span() },
                                format!("{} is neither a byte 0-255 nor a range of them", quoted(item)),
                            )
                            .help("for example `@validateByteRange 9,10,13,32-126`"),
                        );
                        break;
                    }
                }
            }
            _ => {}
        }
    }

    fn unknown_operator(&mut self, place: View<'_>, name: &[u8]) {
        let mut diagnostic = Diagnostic::error(
            codes::UNKNOWN_OPERATOR,
            place.span(),
            format!("unknown operator {}", quoted(place.bytes())),
        )
        .label("not an operator");
        let lower = name.to_ascii_lowercase();
        if lower.ends_with(b"fromdataset") {
            diagnostic =
                diagnostic.help("put the entries in a file and use `@pmFromFile` or `@ipMatchFromFile`");
        } else if let Some(near) =
            self.suggestion(name, OperatorName::ALL.iter().map(|operator| operator.as_str()))
        {
            diagnostic = diagnostic.help(format!("did you mean `@{near}`?"));
        } else {
            diagnostic =
                diagnostic.help("to match a text that starts with `@`, write `@rx` or `@streq` before it");
        }
        self.sink.push(diagnostic);
    }
}

/// Operators whose argument is a text with macros, not a file name, a byte range or nothing at all.
fn expands_macros(name: OperatorName) -> bool {
    !matches!(
        name,
        OperatorName::PmFromFile
            | OperatorName::ValidateDtd
            | OperatorName::ValidateSchema
            | OperatorName::DetectSqli
            | OperatorName::DetectXss
            | OperatorName::UnconditionalMatch
            | OperatorName::NoMatch
            | OperatorName::ValidateUrlEncoding
            | OperatorName::ValidateUtf8Encoding
    )
}

/// A number in decimal digits alone.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
