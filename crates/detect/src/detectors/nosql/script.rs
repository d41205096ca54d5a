//! Fragments of the server's script language, where a text leaves the string or number it was put into.

use std::ops::Range;

use crate::detectors::Evidence;
use crate::detectors::breakout::ends_of_string;
use crate::{Confidence, Value};

/// Looks for a fragment in a value.
pub(super) fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    if let Some((confidence, at, why)) = whole(text).or_else(|| after_number(text)) {
        return evidence.found(confidence, at, why);
    }
    for quote in [b'\'', b'"'] {
        if !value.set.contains(quote) {
            continue;
        }
        for at in ends_of_string(text, quote).into_iter().flatten() {
            if let Some((confidence, at, why)) = after_string(text, at, quote) {
                evidence.found(confidence, at, why);
            }
        }
    }
}

type Found = (Confidence, Range<usize>, String);

/// A statement that stands alone: `db.users.drop()`.
fn whole(text: &[u8]) -> Option<Found> {
    let begin = text.len() - text.trim_ascii_start().len();
    if let Some(why) = predicate(text.trim_ascii()) {
        return Some((Confidence::LIKELY, begin..text.len(), why.into()));
    }
    let does = of_database(&text[begin..])?;
    let line = memchr::memchr(b'\n', text.trim_ascii()).is_none();
    let confidence = if line { Confidence::LIKELY } else { Confidence::HINT };
    Some((confidence, begin..text.len(), format!("a statement of the server's shell that {does}")))
}

/// What `$where` and map-reduce take, whole: `this.role=='admin'`, `function(){return this.a==1}`.
fn predicate(text: &[u8]) -> Option<&'static str> {
    if text.len() > PREDICATE_BYTES_MAX || memchr::memchr(b'\n', text).is_some() {
        return None;
    }
    if let Some(rest) = text.strip_prefix(b"this.") {
        return compares(rest).then_some("a condition on the document and nothing else");
    }
    let body = text.strip_prefix(b"function")?.trim_ascii_start().strip_prefix(b"(")?;
    let body = body.strip_suffix(b"}")?;
    let emits = memchr::memmem::find(body, b"emit(").is_some();
    let asks = memchr::memmem::find(body, b"this.").is_some_and(|at| compares(&body[at + 5..]));
    let always = memchr::memmem::find(body, b"{return true").is_some()
        || memchr::memmem::find(body, b"{return 1").is_some();
    (emits || asks || always).then_some("a function for the server to run on each document")
}

/// Bytes of such a condition.
const PREDICATE_BYTES_MAX: usize = 512;

/// Whether a member's name is followed by a comparison.
fn compares(rest: &[u8]) -> bool {
    let (name, after) = word(rest);
    let after = after.trim_ascii_start();
    let signs = after.iter().take_while(|byte| b"=!<>".contains(byte)).count();
    let value = after[signs..].trim_ascii_start();
    // One `=` assigns.
    let compared = (1..=3).contains(&signs) && &after[..signs] != b"=" && &after[..signs] != b"=>";
    let constant = value.first().is_some_and(|byte| byte.is_ascii_digit() || b"'\"".contains(byte));
    !name.is_empty() && (compared && constant || after.starts_with(b".match("))
}

/// `0;while(true){}`.
fn after_number(text: &[u8]) -> Option<Found> {
    let value = text.trim_ascii_start();
    let begin = text.len() - value.len();
    let word = value.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(byte)).count();
    let rest = value[word..].trim_ascii_start();
    if word > 32 {
        return None;
    }
    let (weight, does) = match rest {
        [b';', tail @ ..] => statements(tail)?,
        [b'|', b'|', tail @ ..] | [b'&', b'&', tail @ ..] => condition(tail)?,
        _ => return None,
    };
    let confidence = if weight > 1 { Confidence::STRONG } else { Confidence::POSSIBLE };
    Some((confidence, begin..text.len(), format!("goes on after a value, then {does}")))
}

/// `'; return true; var a='`, `'||this.password.match(/x/)//`.
fn after_string(text: &[u8], at: usize, quote: u8) -> Option<Found> {
    let rest = &text[at..];
    let closers = rest.iter().take_while(|byte| byte.is_ascii_whitespace() || b")}]".contains(byte)).count();
    let rest = &rest[closers..];
    let (weight, does) = match rest {
        [b';', tail @ ..] => statements(tail)?,
        [b'|', b'|', tail @ ..] | [b'&', b'&', tail @ ..] => condition(tail)?,
        _ => return None,
    };
    let reopened = memchr::memchr_iter(quote, rest).count() % 2 == 1;
    let tail = rest.trim_ascii_end();
    let cut = tail.ends_with(b"//") || memchr::memmem::find(tail, b"//+").is_some() || tail.ends_with(b"\0");
    let confidence = match weight + u32::from(reopened || cut) {
        0 | 1 => Confidence::HINT,
        2 => Confidence::LIKELY,
        3 => Confidence::STRONG,
        _ => Confidence::CERTAIN,
    };
    let end = match (cut, reopened) {
        (true, _) => ", and comments out the rest",
        (_, true) => ", and leaves a quote for the rest to close",
        _ => "",
    };
    Some((confidence, at - 1..text.len(), format!("closes the string, then {does}{end}")))
}

/// Statements that are looked at.
const STATEMENTS_MAX: usize = 8;

/// The most telling of the statements that a text begins with.
fn statements(text: &[u8]) -> Option<(u32, &'static str)> {
    let read =
        text.split(|byte| *byte == b';').take(STATEMENTS_MAX).map_while(|text| match text.trim_ascii() {
            b"" => Some((0, "")),
            text => statement(text),
        });
    read.max_by_key(|found| found.0).filter(|found| found.0 > 0)
}

/// What a statement does, and how much that says: 3 where only this server's scripts do it, 2 where it is plainly a
/// script, 1 where prose could begin like it.
fn statement(text: &[u8]) -> Option<(u32, &'static str)> {
    if of_database(text).is_some() {
        return Some((3, "a statement on the database"));
    }
    let (word, rest) = word(text);
    let follows = rest.trim_ascii_start();
    Some(match word {
        b"return" if is_expression(rest) => (2, "returns a result of its own"),
        b"sleep" if follows.starts_with(b"(") => (2, "makes the server wait"),
        b"while" | b"for" | b"do" if follows.starts_with(b"(") || follows.starts_with(b"{") => (2, "a loop"),
        b"this" if rest.starts_with(b".") => (2, "a member of the document"),
        b"throw" if is_expression(rest) || follows.starts_with(b"new ") => (2, "throws"),
        b"var" | b"let" | b"const" if is_declaration(rest) => (1, "declares a variable"),
        b"if" if follows.starts_with(b"(") => (1, "a condition"),
        b"emit" | b"print" | b"printjson" | b"tojson" if follows.starts_with(b"(") => (2, "prints"),
        _ if !word.is_empty()
            && follows
                .strip_prefix(b"=")
                .is_some_and(|value| value.trim_ascii_start().starts_with(b"new ")) =>
        {
            (1, "makes an object")
        }
        _ => return None,
    })
}

/// What a condition that is joined by an operator asks for.
fn condition(text: &[u8]) -> Option<(u32, &'static str)> {
    let text = text
        .iter()
        .position(|byte| !b" \t\r\n(!".contains(byte))
        .map_or(&text[text.len()..], |at| &text[at..]);
    let (word, rest) = word(text);
    match word {
        b"this" if rest.starts_with(b".") || rest.starts_with(b"[") => {
            Some((2, "a condition on the document"))
        }
        b"sleep" if rest.starts_with(b"(") => Some((1, "makes the server wait")),
        b"db" if of_database(text).is_some() => Some((3, "a statement on the database")),
        b"0" | b"1" if rest.trim_ascii_start().starts_with(b"==") => Some((1, "a condition on constants")),
        b"function" if rest.trim_ascii_start().starts_with(b"(") => Some((1, "a function")),
        _ => None,
    }
}

/// `db.users.drop(`, `db['users'].find(`, `db.getCollection(`: what it does to the database.
fn of_database(text: &[u8]) -> Option<&'static str> {
    let rest = text.strip_prefix(b"db")?;
    let call = rest.iter().take(128).position(|byte| *byte == b'(')?;
    let path = &rest[..call];
    if !path.starts_with(b".") && !path.starts_with(b"[") || path.iter().any(u8::is_ascii_whitespace) {
        return None;
    }
    let method = path.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    Some(match method {
        b"insert" | b"insertOne" | b"insertMany" | b"update" | b"updateOne" | b"updateMany" | b"save"
        | b"replaceOne" | b"bulkWrite" | b"createUser" | b"findAndModify" | b"findOneAndUpdate"
        | b"grantRolesToUser" => "writes",
        b"remove" | b"drop" | b"dropDatabase" | b"deleteOne" | b"deleteMany" | b"dropUser"
        | b"findOneAndDelete" => "deletes",
        b"find"
        | b"findOne"
        | b"aggregate"
        | b"distinct"
        | b"count"
        | b"countDocuments"
        | b"mapReduce"
        | b"getCollection"
        | b"getCollectionNames"
        | b"getCollectionInfos"
        | b"getUsers"
        | b"group" => "reads",
        b"eval" | b"runCommand" | b"adminCommand" | b"shutdownServer" | b"version" | b"hostInfo"
        | b"serverStatus" => "speaks to the server",
        _ => return None,
    })
}

/// Whether an expression of a script follows `return`, rather than prose.
fn is_expression(rest: &[u8]) -> bool {
    let text = rest.trim_ascii_start();
    let separated = text.len() < rest.len();
    let (name, after) = word(text);
    let after = after.trim_ascii_start();
    match text.first() {
        Some(b'(' | b'!' | b'{' | b'[' | b'\'' | b'"') => true,
        Some(b'0'..=b'9') if separated => after.first().is_none_or(|byte| b";}/=<>&|)".contains(byte)),
        _ if matches!(name, b"true" | b"false" | b"null" | b"this") => {
            separated && after.first().is_none_or(|byte| !byte.is_ascii_alphabetic())
        }
        _ => {
            separated
                && !name.is_empty()
                && (after.starts_with(b"(")
                    || after.starts_with(b".") && after.get(1).is_some_and(u8::is_ascii_alphabetic)
                    || after.starts_with(b"=="))
        }
    }
}

fn is_declaration(rest: &[u8]) -> bool {
    let text = rest.trim_ascii_start();
    let (name, after) = word(text);
    text.len() < rest.len() && !name.is_empty() && after.trim_ascii_start().starts_with(b"=")
}

/// The letters and digits that a text begins with, and the rest.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let len = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    text.split_at(len)
}
