//! A function definition where an environment variable's value is expected.
//!
//! # What it finds
//! Values that begin as bash exports functions, `() {`, and bring something behind or inside that bash would run.
//!
//! # Why it matters
//! CGI hands headers and parameters to programs as environment variables. Bash before its patches of autumn 2014 ran what
//! followed the function.
//!
//! # How it decides
//! The value must begin with `()`, blanks of any kind (fuzzers write dots), and `{`. Then one of the shapes that exploited a
//! bug of the series: a body that ends with something behind it, here-documents one after another, a redirection that
//! swallows the next command. A function in a text does not stand at its beginning, and arrow functions have an arrow.
//!
//! # Example
//! `() { :;}; /bin/cat /etc/passwd` defines a function, then runs a command.
//!
//! # What it misses
//! Nothing known.
//!
//! # References
//! CVE-2014-6271, CVE-2014-6277, CVE-2014-6278, CVE-2014-7169, CVE-2014-7186.

use palisade_codec::ByteSet;

use super::{Detector, Evidence, frame::Frame};
use crate::{Attack, Confidence, Value};

pub(super) const DETECTOR: Detector =
    Detector { name: "shellshock", attack: Attack::Shellshock, gate: ByteSet::of(b"{"), look };

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes.trim_ascii_start();
    let text = text.strip_prefix(b"\"").or_else(|| text.strip_prefix(b"'")).unwrap_or(text);
    let Some(rest) = text.strip_prefix(b"(") else { return };
    let Some(rest) = blanks(rest).strip_prefix(b")") else { return };
    let Some(body) = blanks(rest).strip_prefix(b"{") else { return };
    let line = body.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let end = memchr::memchr(b'}', line);
    let mut behind = end.map_or(&b""[..], |end| line[end + 1..].trim_ascii());
    // The command may stand on the next line.
    if matches!(behind, b";" | b"") && end.is_some() && Frame::of(text).lines <= 3 {
        behind = body[end.unwrap_or(0) + 1..].trim_ascii();
    }
    let swallows =
        memchr::memmem::find(line, b">\\").is_some() || memchr::memmem::find(line, b"=>\\'").is_some();
    let documents = memchr::memmem::find_iter(line, b"<<").count() >= 3;
    let why = if swallows {
        "begins a function, then a redirection that swallows what follows"
    } else if documents {
        "begins a function with more here-documents than bash can hold"
    } else if matches!(behind, [b';' | b'&' | b'|' | b'.', ..]) && behind.len() > 1 {
        "defines a function, then runs a command"
    } else if behind.starts_with(b">") || behind.starts_with(b"_") || behind.len() > 3 {
        "defines a function with something behind it that bash runs"
    } else if Frame::of(text).lines <= 1 {
        evidence.found(Confidence::LIKELY, 0..value.bytes.len(), "begins as bash exports a function");
        return;
    } else {
        return;
    };
    let confidence = if Frame::of(text).is_text() { Confidence::LIKELY } else { Confidence::CERTAIN };
    evidence.found(confidence, 0..value.bytes.len(), why);
}

fn blanks(text: &[u8]) -> &[u8] {
    let count = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'.' | b'+')).count();
    &text[count..]
}
