//! Names that reach an object's prototype.
//!
//! # What it finds
//! `__proto__`, or `constructor` and then `prototype` or another, as a step of a name: in parameters (`a[__proto__][b]`), in keys of
//! JSON, in paths that a program would follow (`user.__proto__.admin`). Also names that become such when a filter takes
//! `__proto__` out of them once, and names that reach the class loader in the same way (`class.module.classLoader.x`).
//!
//! # Why it matters
//! A program that merges what it is sent into an object changes all objects: who is admin, which file is a template, which
//! options the next child process gets.
//!
//! # How it decides
//! Names are split into the steps that parsers make of them. Nobody calls a field so. In a value, the same steps must form
//! a path to something or be a key; talk about prototypes is not a finding.
//!
//! # Example
//! `{"a":{"__proto__":{"isAdmin":true}}}`
//!
//! # What it misses
//! Paths that a program puts together itself from several values, each a word.
//!
//! # References
//! CWE-1321; Olivier Arteau, "Prototype pollution attack in NodeJS application" (NorthSec 2018).

use memchr::memmem;
use palisade_codec::ByteSet;
use palisade_model::Part;

use super::{Detector, Evidence, ascii};
use crate::{Attack, Confidence, Decoding, Value};

pub(super) const DETECTOR: Detector = Detector {
    name: "proto-pollution",
    attack: Attack::ProtoPollution,
    gate: ByteSet::of(b"_.[:{"),
    look: guard,
};

/// Bytes of a name or path that are read; longer ones are no names.
const NAME_BYTES_MAX: usize = 1024;

/// A value without the two words is passed over at the price of one search each.
fn guard(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    let has = |byte| value.set.contains(byte);
    let proto = has(b'p') && has(b't') && has(b'_') && memmem::find(text, b"proto").is_some();
    let constructor = || has(b'c') && has(b'u') && memmem::find(text, b"constructor").is_some();
    if proto || constructor() {
        look(value, evidence);
    } else if has(b'L')
        && let Some(at) = memmem::find(text, b"lassLoader")
    {
        class_loader(value, at, evidence);
    }
}

/// `class.module.classLoader.x`: a name that a framework binds to the class of the object it fills.
fn class_loader(value: &Value<'_>, at: usize, evidence: &mut Evidence<'_>) {
    let steps = value.bytes[..at].split(|byte| matches!(byte, b'.' | b'[' | b']' | b'\'' | b'"'));
    let path = value.bytes[..at].iter().all(|byte| is_path_byte(*byte));
    if path && steps.clone().any(|step| step == b"class") {
        let confidence =
            if value.point.part == Part::Name { Confidence::CERTAIN } else { Confidence::LIKELY };
        let why = "a name that reaches the class loader through an object's class";
        evidence.found_as(Attack::CodeInjection, confidence, 0..at + 10, why);
    }
}

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = &value.bytes[..value.bytes.len().min(NAME_BYTES_MAX)];
    let all = 0..text.len();
    // A name, of the message or of an object inside a value, and the path on which it stands.
    let path = match value.decoded.last() {
        None => Some(value.point.path),
        Some(step) => (step.decoding == Decoding::Json).then_some(step.at.as_bytes()),
    };
    if let Some(path) = path.filter(|_| value.point.part == Part::Name) {
        if let Some(how) = [path, text].into_iter().find_map(reaches) {
            evidence.found(Confidence::CERTAIN, all, format!("a name that reaches the prototype by {how}"));
        }
        return;
    }
    // What is to be used as a name: `{"key": "__proto__"}`.
    if text == b"__proto__" {
        evidence.found(Confidence::LIKELY, all, "the name of the prototype and nothing else");
        return;
    }
    if let Some(at) = key(value.bytes) {
        evidence.found(Confidence::CERTAIN, at..at + 11, "__proto__ as a key of an object");
        return;
    }
    // A path, perhaps with what it is set to: `user.__proto__.admin=1`.
    let path = &text[..memchr::memchr(b'=', text).unwrap_or(text.len())];
    if path.is_empty() || path.iter().any(|byte| !is_path_byte(*byte)) {
        return;
    }
    if let Some(how) = reaches(path) {
        let steps = path.split(|byte| matches!(byte, b'.' | b'[' | b'/' | b':')).count();
        let set = path.len() < text.len();
        // A page about prototypes has such a path too.
        let page = how != BY_NAME && memchr::memchr(b'/', path).is_some();
        let confidence = match (set, steps) {
            _ if page => Confidence::POSSIBLE,
            (true, _) => Confidence::STRONG,
            (false, 2..) => Confidence::LIKELY,
            _ => Confidence::POSSIBLE,
        };
        let sets = if set { " and sets something there" } else { "" };
        evidence.found(confidence, all, format!("a path that reaches the prototype by {how}{sets}"));
    }
}

fn is_path_byte(byte: u8) -> bool {
    ascii::is_name_byte(byte) || matches!(byte, b'.' | b'[' | b']' | b'\'' | b'"' | b'/' | b'-' | b':')
}

/// The short way.
const BY_NAME: &str = "__proto__";

/// How a name gets to a prototype, if it does.
fn reaches(name: &[u8]) -> Option<&'static str> {
    if name.len() > NAME_BYTES_MAX
        || memmem::find(name, b"proto").is_none() && memmem::find(name, b"constructor").is_none()
    {
        return None;
    }
    if steps_reach(name) {
        return Some(if memmem::find(name, b"__proto__").is_some() {
            BY_NAME
        } else {
            "constructor and prototype"
        });
    }
    // What a filter that takes a word out once leaves behind.
    for word in [&b"__proto__"[..], b"proto", b"constructor", b"prototype"] {
        let left = without(name, word);
        if left.len() < name.len() && steps_reach(&left) {
            return Some("a word inside a word, which is left when a filter takes the inner one out");
        }
    }
    None
}

fn steps_reach(name: &[u8]) -> bool {
    let mut after_constructor = false;
    for step in name.split(|byte| matches!(byte, b'.' | b'[' | b']' | b'/' | b'\'' | b'"' | b':')) {
        if step.is_empty() {
            continue;
        }
        if step == b"__proto__" || after_constructor && (step == b"prototype" || step == b"constructor") {
            return true;
        }
        after_constructor = step == b"constructor";
    }
    false
}

fn without(name: &[u8], word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut from = 0;
    for at in memmem::find_iter(name, word) {
        out.extend_from_slice(&name[from..at]);
        from = at + word.len();
    }
    out.extend_from_slice(&name[from..]);
    out
}

/// Where `__proto__` stands as a key in a text like JSON: quoted, then a colon.
fn key(text: &[u8]) -> Option<usize> {
    memmem::find_iter(text, b"__proto__").find(|at| {
        let quote = text[..*at].last().copied().unwrap_or(0);
        let rest = &text[at + b"__proto__".len()..];
        let rest = &rest[..rest.len().min(16)];
        matches!(quote, b'"' | b'\'')
            && rest.first() == Some(&quote)
            && rest[1..].trim_ascii_start().starts_with(b":")
    })
}
