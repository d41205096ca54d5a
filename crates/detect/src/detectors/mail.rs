//! Line breaks that begin a header of a mail, or a command of a mail server.
//!
//! # What it finds
//! A value meant for one header of a mail (an address, a name, a subject) that brings further headers: `a@example.com\nBcc:
//! everybody@example.org`; commands of IMAP and SMTP behind a line break.
//!
//! # Why it matters
//! A contact form becomes a relay for spam, or a mail server runs what a visitor wrote.
//!
//! # How it decides
//! People quote mails in messages, `To:` lines included. What is meant for a header is one line: an address or a word, and
//! directly behind it stands the injected header. Behind sentences the same line is a quotation.
//!
//! # Example
//! `q@example.com\nMIME-Version: 1.0` ends the address, then declares a message of its own.
//!
//! # What it misses
//! Headers behind a subject of several words, unless they are such as nobody quotes.
//!
//! # References
//! CWE-93; RFC 5322 section 2.2; RFC 9051 (IMAP); RFC 5321 (SMTP).

use palisade_codec::ByteSet;

use super::{Detector, Evidence, frame::Frame};
use crate::{Attack, Confidence, Value};

pub(super) const DETECTOR: Detector =
    Detector { name: "mail", attack: Attack::MailInjection, gate: ByteSet::of(b"\r\n@"), look };

/// Lines that are looked at behind the first.
const LINES_MAX: usize = 12;

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    if value.set.contains(b'@') && value.set.contains(b'-') {
        arguments(text, evidence);
    }
    let Some(first) = memchr::memchr2(b'\r', b'\n', text) else { return };
    let subject = text[..first].trim_ascii();
    let words = Frame::of(subject).words;
    // An address, alone or in angle brackets behind a name. `Author: a@example.com` is a header itself: a quotation.
    let by_itself = words == 1 || words <= 4 && subject.ends_with(b">");
    let address = by_itself && header(subject).is_none() && is_address(subject);
    // A list of headers that begins with one which nobody quotes.
    let hidden = header(subject).is_some_and(|name| name.eq_ignore_ascii_case(b"bcc")) && is_address(subject);
    let lines = Frame::of(text).lines;
    let mut at = first;
    for line in text[first..].split(|byte| *byte == b'\n').take(LINES_MAX) {
        let trimmed = line.trim_ascii();
        let place = at..at + line.len();
        at += line.len() + 1;
        // A dot alone ends the message, and commands follow.
        if trimmed.is_empty() || trimmed == b"." {
            continue;
        }
        let alone = VERBS.iter().any(|verb| trimmed.eq_ignore_ascii_case(verb.as_bytes()));
        if alone && (address || subject.is_empty()) && Frame::of(text).lines <= 3 {
            evidence.found(Confidence::LIKELY, place, "ends the line, then a command of a mail server");
            continue;
        }
        if let Some((confidence, why)) = command(trimmed, words) {
            evidence.found(confidence, place, why);
            continue;
        }
        let Some(name) = header(trimmed) else {
            // Behind other lines it is a message.
            break;
        };
        let telling = TELLING.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        let plain = PLAIN.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        let confidence = match (telling, plain) {
            (true, _) if address => Confidence::CERTAIN,
            (_, true) if address => Confidence::STRONG,
            (true, _) if words <= 1 => Confidence::STRONG,
            (true, _)
                if words <= 6 && UNQUOTED.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) =>
            {
                Confidence::LIKELY
            }
            // A subject, and at once somebody else to answer to.
            (true, _) if words <= 4 && lines == 2 && is_address(trimmed) => Confidence::LIKELY,
            (true, _) => Confidence::POSSIBLE,
            (_, true) if hidden && lines <= 3 => Confidence::LIKELY,
            // One word, and then somebody else to write to.
            (_, true) if words <= 1 && header(subject).is_none() && is_address(trimmed) => Confidence::LIKELY,
            (_, true) if words <= 1 => Confidence::POSSIBLE,
            _ => continue,
        };
        let what = if address { "the address" } else { "the line" };
        evidence.found(
            confidence,
            place,
            format!("ends {what}, then adds the mail header {}", String::from_utf8_lossy(name)),
        );
    }
}

/// A command of a mail server: a tag and a verb of IMAP, a verb of SMTP with what it takes.
fn command(line: &[u8], words: usize) -> Option<(Confidence, &'static str)> {
    let mut parts = line.split(|byte| byte.is_ascii_whitespace()).filter(|part| !part.is_empty());
    let first = parts.next()?.to_ascii_uppercase();
    let second = parts.next().unwrap_or_default().to_ascii_uppercase();
    let is_tag = (2..=8).contains(&first.len())
        && first[0].is_ascii_uppercase()
        && first.iter().any(u8::is_ascii_digit)
        && first.iter().all(u8::is_ascii_alphanumeric);
    if is_tag && IMAP.iter().any(|verb| second == verb.as_bytes()) {
        let confidence = if words <= 4 { Confidence::STRONG } else { Confidence::POSSIBLE };
        return Some((confidence, "ends the line, then a command of IMAP"));
    }
    let smtp = match &first[..] {
        b"RCPT" => second.starts_with(b"TO:"),
        b"MAIL" => second.starts_with(b"FROM:"),
        _ => false,
    };
    // `EHLO x`, `VRFY root`: a verb and one word.
    if matches!(&first[..], b"EHLO" | b"HELO" | b"VRFY" | b"EXPN")
        && !second.is_empty()
        && parts.next().is_none()
    {
        let confidence = if words <= 1 { Confidence::STRONG } else { Confidence::POSSIBLE };
        return Some((confidence, "ends the line, then a command of SMTP"));
    }
    if smtp {
        let confidence = if words <= 4 { Confidence::CERTAIN } else { Confidence::LIKELY };
        return Some((confidence, "ends the line, then a command of SMTP"));
    }
    None
}

/// An address, and behind it options for the program that sends the mail: `a@b.c -X/var/www/x.php`.
fn arguments(text: &[u8], evidence: &mut Evidence<'_>) {
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let address = words.next().is_some_and(|word| {
        let word = word.strip_suffix(b"\"").or_else(|| word.strip_suffix(b"'")).unwrap_or(word);
        is_address(word.strip_suffix(b"\\").unwrap_or(word))
    });
    let option = |word: &[u8]| match word {
        [b'-', b'X' | b'C' | b'D', b'/', ..] | [b'-', b'o', b'Q', b'/', ..] => true,
        [b'-', b'O', name @ ..] => name.first().is_some_and(u8::is_ascii_uppercase) && name.contains(&b'='),
        [b'-', b'b', b'e' | b'p' | b's'] => true,
        _ => false,
    };
    if address && words.take(ARGUMENTS_MAX).any(option) {
        let why = "an address, then options for the program that sends the mail";
        evidence.found(Confidence::STRONG, 0..text.len(), why);
    }
}

/// Words behind an address that are looked at.
const ARGUMENTS_MAX: usize = 8;

/// The name of a header at a line's beginning.
fn header(line: &[u8]) -> Option<&[u8]> {
    let end = line.iter().take(40).position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-')?;
    (end >= 2 && line[end] == b':').then(|| &line[..end])
}

fn is_address(text: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'@', text) else { return false };
    let domain = &text[at + 1..];
    let domain = domain.split(|byte| b"> ,;%".contains(byte)).next().unwrap_or_default();
    at > 0
        && domain.len() >= 3
        && domain.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte))
}

/// Headers that only a message's source has.
const TELLING: &[&str] = &[
    "bcc",
    "mime-version",
    "content-transfer-encoding",
    "content-disposition",
    "content-type",
    "x-mailer",
    "x-priority",
    "reply-to",
    "return-path",
    "errors-to",
    "disposition-notification-to",
];

/// Those of them that not even a question about mails quotes.
const UNQUOTED: &[&str] = &["bcc", "x-mailer", "mime-version", "content-transfer-encoding"];

/// Headers that people see and quote.
const PLAIN: &[&str] = &["to", "cc", "from", "subject", "sender", "date", "message-id"];

/// Commands of SMTP and POP3 that stand alone.
const VERBS: &[&str] = &["quit", "data", "rset", "noop", "stls", "starttls"];

const IMAP: &[&str] = &[
    "CREATE",
    "DELETE",
    "RENAME",
    "LOGIN",
    "LOGOUT",
    "SELECT",
    "EXAMINE",
    "FETCH",
    "STORE",
    "COPY",
    "APPEND",
    "LIST",
    "LSUB",
    "STATUS",
    "SEARCH",
    "CAPABILITY",
    "NOOP",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "EXPUNGE",
    "CLOSE",
    "UID",
    "AUTHENTICATE",
    "STARTTLS",
];
