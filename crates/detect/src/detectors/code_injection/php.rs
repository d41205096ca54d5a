//! PHP's own marks: opening tags and the arrays in which requests come.

use super::super::Evidence;
use super::super::ascii;
use super::super::code;
use super::standing::{self, Standing};
use crate::Confidence;

/// Bytes after a tag that are looked at for code.
const CODE_BYTES_MAX: usize = 256;

/// `<?php`, `<?=`, `<?` and then code; `<script language=php>`.
pub(super) fn tags(text: &[u8], evidence: &mut Evidence<'_>) {
    for at in memchr::memmem::find_iter(text, b"<?") {
        let rest = &text[at + 2..];
        let near = &rest[..rest.len().min(CODE_BYTES_MAX)];
        // `<?php` between backticks, or as a word of a sentence, is talk about it.
        let quoted = text[..at].last() == Some(&b'`');
        let place = at..at + 2 + near.len().min(80);
        if ascii::starts(near, b"php") && near.get(3).is_none_or(|byte| !ascii::is_name_byte(*byte)) {
            let body = &near[3..];
            let words = body.trim_ascii().first().is_some_and(u8::is_ascii_alphabetic) && !is_statement(body);
            let confidence = match does(body) {
                _ if quoted && body.first() == Some(&b'`') => Confidence::HINT,
                // A block of code in a text, as forums mark it.
                true if standing::is_program(text) && is_fenced(&text[..at]) => Confidence::POSSIBLE,
                true => Confidence::CERTAIN,
                false if quoted || words => Confidence::HINT,
                // A file of somebody's program, as people paste it.
                false if standing::is_program(text) => Confidence::POSSIBLE,
                false => Confidence::STRONG,
            };
            evidence.found(confidence, place, "opens PHP code");
        } else if let Some(body) = near.strip_prefix(b"=") {
            if body
                .trim_ascii_start()
                .first()
                .is_some_and(|byte| matches!(byte, b'`' | b'$' | b'@' | b'"' | b'\''))
                || does(body)
            {
                evidence.found(Confidence::STRONG, place, "opens PHP code that prints something");
            }
        } else if near
            .first()
            .is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'@' | b'$' | b'/'))
            && (does(near) || is_statement(near))
        {
            evidence.found(Confidence::STRONG, place, "opens PHP code by its short tag");
        }
    }
}

/// Whether the line before a place opens a block of code.
fn is_fenced(before: &[u8]) -> bool {
    let near = &before[before.len().saturating_sub(32)..];
    memchr::memmem::rfind(near, b"```").is_some_and(|at| near[at..].trim_ascii_end().len() <= 12)
}

/// Whether code calls something that matters, or takes from the request.
fn does(body: &[u8]) -> bool {
    body.contains(&b'`')
        || memchr::memmem::find(body, b"$_").is_some()
        || memchr::memchr_iter(b'(', body).any(|at| {
            let before = body[..at].trim_ascii_end();
            let len = before.iter().rev().take_while(|byte| ascii::is_name_byte(**byte)).count();
            code::call(&before[before.len() - len..]).is_some()
        })
}

fn is_statement(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    let word = &body[..ascii::name_len(body)];
    word.starts_with(b"$")
        || ascii::is_one_of(
            word,
            &[
                "echo",
                "print",
                "if",
                "for",
                "foreach",
                "while",
                "include",
                "require",
                "require_once",
                "function",
                "class",
                "namespace",
                "use",
                "return",
                "die",
                "exit",
                "goto",
                "static",
                "global",
                "eval",
                "system",
            ],
        )
}

/// `$_GET['a']($_GET['b'])` and what else a request's array does alone in a value.
pub(super) fn superglobals(text: &[u8], evidence: &mut Evidence<'_>) {
    for at in memchr::memmem::find_iter(text, b"$_") {
        let rest = &text[at + 2..];
        let name = &rest[..ascii::name_len(rest)];
        if !ascii::is_one_of(name, &["GET", "POST", "REQUEST", "COOKIE", "SERVER", "FILES", "ENV", "SESSION"])
        {
            continue;
        }
        let after = &rest[name.len()..];
        let near = &after[..after.len().min(CODE_BYTES_MAX)];
        if !matches!(near.first(), Some(b'[' | b'{')) {
            continue;
        }
        let close = near.iter().position(|byte| matches!(byte, b']' | b'}')).unwrap_or(0);
        let called = near.get(close + 1) == Some(&b'(');
        let place = at..at + 2 + name.len() + close;
        if called {
            return evidence.found(
                Confidence::CERTAIN,
                place,
                "calls a function whose name the client sends",
            );
        }
        let confidence =
            if standing::of(text, at) == Standing::Alone { Confidence::POSSIBLE } else { Confidence::HINT };
        evidence.found(confidence, place, "reads what the client sends");
    }
}
