//! Line breaks that begin a header of their own.
//!
//! # What it finds
//! A value in which a line break is followed by a header, a status line or a body: `x\r\nSet-Cookie: admin=1`. Also
//! characters whose low byte is a line break, for programs that keep only low bytes.
//!
//! # Why it matters
//! What copies a visitor's text into a header (a redirect, a cookie, a request to another service) sends what follows as a
//! header of its own: cookies are set, caches poisoned, answers split.
//!
//! # How it decides
//! Messages have lines too, and people quote headers in them. So a header counts where the value before it is one word,
//! as something that belongs into a header is, and where few lines follow. Headers of an answer (`Set-Cookie`, `Location`)
//! say more than such as also stand in mails and forms. A value in a path, a cookie or a header never has lines.
//!
//! # Example
//! `/\r\nSet-Cookie: sid=evil` ends the line, then sets a cookie.
//!
//! # What it misses
//! A header behind several sentences.
//!
//! # References
//! CWE-93, CWE-113; RFC 9112 section 2.2; Twitter's U+560A and U+560D (HackerOne 52042).

use palisade_codec::ByteSet;
use palisade_model::Root;

use super::{Detector, Evidence, frame::Frame};
use crate::{Attack, Confidence, Value};

pub(super) const DETECTOR: Detector = Detector {
    name: "crlf",
    attack: Attack::Crlf,
    gate: ByteSet::of(b"\r\n\\").union(ByteSet::range(0xe0, 0xef)).union(ByteSet::range(0xc4, 0xd6)),
    look,
};

/// Lines of a value that is still meant for one header.
const LINES_MAX: usize = 8;

/// Line breaks that are looked at.
const BREAKS_MAX: usize = 16;

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    // Headers contain a colon, status lines a slash.
    if !ByteSet::of(b":/").intersects(value.set) {
        return;
    }
    if value.set.contains(b'\r') || value.set.contains(b'\n') {
        lines(value, evidence);
    }
    if value.set.contains(b'\\') {
        spelled(value, evidence);
    }
    if value.bytes.len() <= 4096 && !value.bytes.is_ascii() {
        low_bytes(value, evidence);
    }
}

fn lines(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    if Frame::of(text).lines > LINES_MAX {
        return;
    }
    let first = memchr::memchr2(b'\r', b'\n', text).unwrap_or(text.len());
    // A list of headers in a message begins with one.
    let before = &text[..first];
    let one_word = Frame::of(before).words <= 1 && !before.ends_with(b":");
    // `GET /admin HTTP/1.1`: a request of its own, for a connection that is kept.
    if before.ends_with(b" HTTP/1.1") || before.ends_with(b" HTTP/1.0") {
        let line = text[first..].trim_ascii_start();
        if Frame::of(text).lines <= 4 && Header::read(line).is_some() {
            evidence.found(Confidence::LIKELY, 0..text.len(), "a request of its own, with its headers");
        }
    }
    let carries_lines = !matches!(value.point.root, Root::Path | Root::Cookie | Root::Header);
    for at in memchr::memchr2_iter(b'\r', b'\n', text).take(BREAKS_MAX) {
        let rest = &text[at + 1..];
        let line = rest.strip_prefix(b"\n").unwrap_or(rest);
        let Some(header) = Header::read(line) else {
            // The end of the headers, and a page.
            if one_word && begins_page(line.trim_ascii_start()) && line.trim_ascii_start().len() < line.len()
            {
                let why = "ends the headers, then begins a page of its own";
                evidence.found(Confidence::LIKELY, at..text.len(), why);
            }
            if line.starts_with(b"HTTP/1.") || line.starts_with(b"HTTP/2 ") {
                evidence.found(
                    Confidence::STRONG,
                    at..text.len(),
                    "ends the line, then begins an answer of its own",
                );
            }
            continue;
        };
        let confidence = match header.kind {
            Kind::Answer if one_word => Confidence::CERTAIN,
            Kind::Answer if !carries_lines => Confidence::CERTAIN,
            Kind::Message if !carries_lines => Confidence::STRONG,
            Kind::Message if one_word && text[at] == b'\r' => Confidence::STRONG,
            // Nobody begins with an empty line to write a header.
            Kind::Message if before.is_empty() && at == first && Frame::of(text).lines == 1 => {
                Confidence::STRONG
            }
            // Forms send CRLF, editors LF.
            Kind::Answer if text[at] == b'\r' => Confidence::POSSIBLE,
            Kind::Message if one_word => Confidence::POSSIBLE,
            Kind::Other if !carries_lines => Confidence::LIKELY,
            _ => continue,
        };
        evidence.found(
            confidence,
            at..text.len(),
            format!("ends the line, then sets the header {}", String::from_utf8_lossy(header.name)),
        );
    }
}

/// `\r\n` as four characters, for whoever undoes escapes: only headers of answers, behind a word.
fn spelled(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    let Some(first) = memchr::memmem::find(text, b"\\n").or_else(|| memchr::memmem::find(text, b"\\r"))
    else {
        return;
    };
    let before = text[..first].strip_suffix(b"\\r").unwrap_or(&text[..first]);
    let line = text[first + 2..].strip_prefix(b"\\n").unwrap_or(&text[first + 2..]);
    let answer = Header::read(line).is_some_and(|header| header.kind == Kind::Answer);
    if answer && Frame::of(before).words <= 1 && Frame::of(text).lines == 1 {
        let why = "a line break spelled by escapes, then a header of an answer";
        evidence.found(Confidence::LIKELY, first..text.len(), why);
    }
}

/// Whether a text begins as pages do.
fn begins_page(text: &[u8]) -> bool {
    [&b"<html"[..], b"<!doctype", b"<script", b"<head", b"<body"]
        .iter()
        .any(|tag| text.get(..tag.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(tag)))
}

/// Characters of which only the low byte is kept: U+560A is a line feed then, U+560D a carriage return.
fn low_bytes(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let Ok(text) = std::str::from_utf8(value.bytes) else { return };
    for (at, character) in text.char_indices() {
        if character.is_ascii() || !matches!(character as u32 & 0xff, 0x0a | 0x0d) {
            continue;
        }
        let rest = &value.bytes[at + character.len_utf8()..];
        if let Some(header) = Header::read(rest)
            && header.kind != Kind::Other
        {
            evidence.found(
                Confidence::CERTAIN,
                at..value.bytes.len(),
                format!(
                    "a character whose low byte ends the line, then the header {}",
                    String::from_utf8_lossy(header.name)
                ),
            );
            return;
        }
    }
}

/// The name of a header at a line's beginning.
struct Header<'t> {
    name: &'t [u8],
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Only answers of HTTP have it, or it steers them.
    Answer,
    /// Requests, answers and mails have it.
    Message,
    /// Anything that looks like one.
    Other,
}

impl<'t> Header<'t> {
    fn read(line: &'t [u8]) -> Option<Self> {
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        let end = line.iter().take(48).position(|byte| !is_name(byte))?;
        let behind = line[end..].trim_ascii_start();
        if end < 2 || behind.first() != Some(&b':') {
            return None;
        }
        let name = &line[..end];
        let value =
            behind[1..].split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default().trim_ascii();
        // `Location: Berlin` is a fact, `Host: Ann` another.
        let fits = match name.to_ascii_lowercase().as_slice() {
            b"location" | b"refresh" | b"link" | b"origin" | b"referer" => {
                value.is_empty() || value.iter().any(|byte| b"/=<".contains(byte))
            }
            b"host" => value.iter().any(|byte| b".:".contains(byte)) || value == b"localhost",
            b"proxy" => memchr::memmem::find(value, b"://").is_some(),
            b"forwarded" => value.contains(&b'='),
            b"te" => value == b"trailers" || value == b"chunked",
            b"connection" => [&b"close"[..], b"keep-alive", b"upgrade"]
                .iter()
                .any(|known| value.eq_ignore_ascii_case(known)),
            _ => true,
        };
        let among = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        let kind = if !fits {
            Kind::Other
        } else if among(ANSWER) {
            Kind::Answer
        } else if among(MESSAGE) || name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case(b"x-")) {
            Kind::Message
        } else {
            Kind::Other
        };
        Some(Self { name, kind })
    }
}

const ANSWER: &[&str] = &[
    "set-cookie",
    "set-cookie2",
    "location",
    "refresh",
    "content-length",
    "transfer-encoding",
    "content-security-policy",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "strict-transport-security",
    "x-xss-protection",
    "x-frame-options",
    "www-authenticate",
    "proxy-authenticate",
    "link",
    "clear-site-data",
    "last-modified",
    "etag",
];

const MESSAGE: &[&str] = &[
    "host",
    "cookie",
    "content-type",
    "content-encoding",
    "content-disposition",
    "cache-control",
    "connection",
    "authorization",
    "user-agent",
    "referer",
    "origin",
    "pragma",
    "accept-encoding",
    "if-none-match",
    "vary",
    "proxy-connection",
    "proxy",
    "forwarded",
    "te",
    "content-language",
    "content-location",
    "if-modified-since",
];
