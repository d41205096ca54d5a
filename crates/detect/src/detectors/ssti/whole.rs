//! Expressions that are known as a whole: commands and lists of other languages, statements that print everything, sums.

use super::super::ascii;
use super::super::code::{Kind, Token};
use super::delimiters::{Mark, Template};
use super::expression::Judged;
use crate::Confidence;

/// What a body is as a whole; `None` where its parts have to be read.
pub(super) fn judge(body: &[u8], template: &Template) -> Option<Judged> {
    if template.mark == Mark::Thymeleaf && perl(body, template) {
        let why = "a list @{[..]} that Perl computes inside a text".into();
        return Some(Judged { confidence: Confidence::STRONG, why, in_browser: false });
    }
    if template.mark == Mark::Brace && ascii::is_one_of(body, &["php"]) {
        let why = "a template tag that opens PHP code".into();
        return Some(Judged { confidence: Confidence::STRONG, why, in_browser: false });
    }
    if template.mark == Mark::Statement && matches!(body.trim_ascii(), b"debug" | b"- debug -" | b"dump") {
        let why = "a template statement that prints the variables of the application".into();
        return Some(Judged { confidence: Confidence::LIKELY, why, in_browser: false });
    }
    if matches!(template.mark, Mark::Freemarker | Mark::Dollar)
        && [&b".data_model"[..], b".globals", b".main?", b".vars["].iter().any(|variable| {
            memchr::memmem::find(body, variable).is_some_and(|at| at == 0 || body[at - 1] == b' ')
        })
    {
        let why = format!("{} that shows FreeMarker's own variables", template.mark.told());
        return Some(Judged { confidence: Confidence::STRONG, why, in_browser: false });
    }
    if matches!(template.mark, Mark::Hash | Mark::Scriptlet) && ruby_command(body) {
        let why = format!("{} that starts a program by %x", template.mark.told());
        return Some(Judged { confidence: Confidence::STRONG, why, in_browser: false });
    }
    None
}

/// Whether a body is a command of Ruby's: `%x(id)`.
fn ruby_command(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    let body = body.strip_prefix(b"=").unwrap_or(body).trim_ascii_start();
    matches!(body, [b'%', b'x', open, rest @ ..] if b"([{|!".contains(open) && rest.len() > 1)
}

/// Whether the body of `@{..}` is a list of Perl's: brackets around something, and nothing after them.
fn perl(body: &[u8], template: &Template) -> bool {
    let Some(list) = body.trim_ascii().strip_prefix(b"[") else { return false };
    let inside = list.strip_suffix(b"]");
    (inside.is_some() || !template.closed) && list.iter().any(u8::is_ascii_alphabetic)
}

/// An expression of constants and signs alone: `7*7`, `7*'7'`, `(1337)*2`.
pub(super) fn arithmetic(tokens: &[Token<'_>], template: &Template) -> Option<(Confidence, String)> {
    let (mut operands, mut multiplies, mut sign) = (0, false, None);
    // `{{=7*7}}`, `<%= 7*7 %>`, `${{7*7}}`, `${(7*7)?c}`
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Number(number) if number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') => {
                operands += 1;
                if sign == Some(b'*') {
                    multiplies = true;
                }
                sign = None;
            }
            // `${1+"$@"}` is a shell's.
            Kind::Text(text) if text.len() <= 16 && !text.contains(&b'$') => {
                operands += 1;
                multiplies |= sign == Some(b'*');
                sign = None;
            }
            Kind::Sign(b'*' | b'+' | b'%' | b'-' | b'/') => sign = token_sign(token),
            Kind::Sign(b'(' | b')' | b'=' | b'{' | b'}' | b'[' | b']') => {}
            // A name that is set (`$x=7*7`), or a form that a number is printed in (`?c`).
            Kind::Sign(b'$' | b'?') => {}
            Kind::Name(name) if at < 3 && template.mark == Mark::Velocity || name == b"c" => {}
            Kind::Name(name) if at == 0 && template.mark == Mark::Statement && name == b"print" => {}
            _ => return None,
        }
    }
    let plain = matches!(template.mark, Mark::Brace | Mark::Freemarker);
    if operands < 2 || plain && !multiplies {
        return None;
    }
    let adds = tokens.iter().any(|token| token.is(b'+') || token.is(b'%'));
    let divides = operands == 2 && tokens.iter().any(|token| token.is(b'/') || token.is(b'-'));
    let confidence = match (multiplies, adds || divides) {
        (true, _) if plain || template.mark == Mark::Brackets || !template.closed => Confidence::LIKELY,
        (true, _) => Confidence::STRONG,
        (false, true) if matches!(template.mark, Mark::Brackets) => return None,
        (false, true) if adds => Confidence::LIKELY,
        (false, true) => Confidence::POSSIBLE,
        (false, false) => return None,
    };
    Some((confidence, "computes with constants, to see whether it is evaluated".into()))
}

fn token_sign(token: &Token<'_>) -> Option<u8> {
    if let Kind::Sign(sign) = token.kind { Some(sign) } else { None }
}
