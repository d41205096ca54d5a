//! Paths that leave the folder they were meant for, and files that no visitor has business with.
//!
//! # What it finds
//! A value that climbs out of its folder (`../../etc/passwd`) in every spelling that some layer takes for dots and
//! separators, absolute paths of files that hold secrets, file URLs, and the stream wrappers of PHP.
//!
//! # Why it matters
//! An application that opens what a visitor names hands out its configuration, its keys and its users.
//!
//! # How it decides
//! The value is walked segment by segment as lenient file systems and parsers would: either slash, overlong and look-alike
//! characters, control bytes ignored, `..;` as Tomcat reads it, `....//` as it reads after a filter took `../` out once.
//! What counts is how far it climbs, where it arrives, and whether anybody writes it so by honest means: a page links
//! `../images/logo.png`, and a text quotes paths among words.
//!
//! # Example
//! `..%c0%af..%c0%afetc%c0%afissue` climbs 2 folders, spelled in overlong bytes, to `etc/issue`.
//!
//! # What it misses
//! A file of the application itself, named by a relative path that does not climb.
//!
//! # References
//! CWE-22, CWE-98; RFC 3629 section 3 (overlong forms); PHP manual, "Supported Protocols and Wrappers".

mod files;
mod walk;

use palisade_codec::ByteSet;
use palisade_model::Root;

use self::files::Known;
pub(super) use self::files::is_secret;
use self::walk::{Odd, Walk};
use super::{Detector, Evidence, frame::Frame};
use crate::{Attack, Confidence, Decoding, Value};

pub(super) const DETECTOR: Detector = Detector {
    name: "path",
    attack: Attack::PathTraversal,
    gate: ByteSet::of(b"/\\\x15\x16\xc0\xc1\xe2\xef\xf0\xf8").union(ByteSet::of(b"\xe0:")),
    look,
};

/// Words of a text that may be one path: `Documents and Settings` is three.
const PATH_WORDS_MAX: usize = 8;

/// Levels of a JSON text below which paths are configuration.
const NESTED_MIN: usize = 6;

/// Bytes of a path that are walked. Longer ones are padded to be cut; both ends are seen.
const PATH_BYTES_MAX: usize = 8192;

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    if !may_lead_somewhere(text, value.set) {
        return;
    }
    let frame = Frame::of(text);
    if frame.words <= PATH_WORDS_MAX && frame.lines <= 1 {
        let trimmed = text.trim_ascii();
        if let Some(why) = wrapper(trimmed) {
            evidence.found(why.0, 0..text.len(), why.1);
        }
        whole(trimmed, value, &frame, evidence);
        // `/files/php://filter/..`
        if value.point.root == Root::Path
            && let Some(colon) = memchr::memmem::find(trimmed, b"://")
        {
            let scheme =
                trimmed[..colon].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            if let Some(why) = wrapper(&trimmed[colon - scheme..]).filter(|_| scheme < colon) {
                evidence.found(why.0, colon - scheme..text.len(), why.1);
            }
        }
        // `/files//etc/passwd`: what takes the rest of the path for a name takes it from the root.
        if value.point.root == Root::Path
            && value.point.path.is_empty()
            && let Some(at) = memchr::memmem::find(trimmed, b"//").filter(|at| *at > 0)
        {
            let walk = Walk::of(&trimmed[at + 1..]);
            if walk.ups == 0
                && matches!(files::known_from_root(&walk.target), Some(Known::Secret | Known::File))
            {
                let why = format!("behind two slashes, the file {}", shown(&walk.target));
                evidence.found(Confidence::STRONG, at..text.len(), why);
            }
        }
    }
    // In `include("../../etc/passwd")` too.
    if frame.words > 1
        && (memchr::memmem::find(text, b"..").is_some() || memchr::memchr(0xc0, text).is_some())
    {
        in_text(text, evidence);
    }
}

/// Bytes in odd spellings of dots and separators.
const ODD: ByteSet = ByteSet::of(b"\0\x01\x15\x16\xc0\xc1\xe0\xe2\xef\xf0\xf8");

/// Whether a value has anything of what counts: dots that climb, a root, a scheme, a hidden file. Most have a slash only.
fn may_lead_somewhere(text: &[u8], set: &ByteSet) -> bool {
    let begins = text.trim_ascii_start();
    let scheme = begins.iter().take(20).position(|byte| *byte == b':');
    matches!(begins.first(), Some(b'/' | b'\\' | b'~' | b'\'' | b'"' | b'.'))
        || matches!(begins, [b'W' | b'w' | b'M' | b'm', ..])
        || scheme.is_some_and(|at| {
            let scheme = &begins[..at];
            scheme.first().is_some_and(u8::is_ascii_alphabetic)
                && !(scheme.eq_ignore_ascii_case(b"https") || scheme.eq_ignore_ascii_case(b"http"))
                && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
        })
        || set.intersects(&ODD)
        || memchr::memmem::find(text, b"..").is_some()
        || set.contains(b'x') && memchr::memmem::find(text, b"0x2e0x2e").is_some()
}

/// The value is one path.
fn whole(text: &[u8], value: &Value<'_>, frame: &Frame, evidence: &mut Evidence<'_>) {
    let text = strip_quotes(text);
    // `\\?\C:\`: the same path, told to Windows literally.
    let text = text.strip_prefix(br"\\?\").or_else(|| text.strip_prefix(br"\\.\")).unwrap_or(text);
    let walk = Walk::of(&text[text.len().saturating_sub(PATH_BYTES_MAX)..]);
    let at = 0..value.bytes.len();
    let climbs = walk.ups + walk.dotted;
    if climbs == 0 {
        return absolute(text, &walk, value, frame, evidence);
    }
    let known = files::known(&walk.target);
    let told = told(&walk, known);
    let confidence = match (known, walk.odd) {
        (_, Odd::Overlong) => Confidence::CERTAIN,
        (_, Odd::Parameter) if walk.ups > 0 => Confidence::STRONG,
        (Some(_), Odd::LookAlike | Odd::Control) => Confidence::CERTAIN,
        (None, Odd::LookAlike | Odd::Control) if walk.ups > 0 => Confidence::STRONG,
        (Some(Known::Secret), _) => Confidence::CERTAIN,
        (Some(Known::File), _) => Confidence::STRONG,
        (Some(Known::Folder), _) if climbs >= 2 => Confidence::STRONG,
        _ if walk.ups == 0 => Confidence::HINT,
        _ if value.point.root == Root::FileName => Confidence::STRONG,
        _ if walk.above_root && climbs >= 2 => Confidence::LIKELY,
        _ if walk.target.is_empty() && walk.ups >= 3 && value.point.root != Root::Json => Confidence::LIKELY,
        _ if walk.target.is_empty() => Confidence::POSSIBLE,
        // Somewhere in a sentence.
        _ if frame.words > 3 && !text.starts_with(b".") && !walk.absolute => Confidence::HINT,
        _ if walk.ups >= 3 && !files::is_asset(&walk.target) => Confidence::LIKELY,
        _ if walk.ups >= 2 && files::is_internal(&walk.target) => Confidence::LIKELY,
        // A client resolves dots in a path before it asks.
        _ if walk.ups >= 2 && value.point.root == Root::Path => Confidence::LIKELY,
        _ if walk.ups >= 2 => Confidence::POSSIBLE,
        _ => Confidence::HINT,
    };
    evidence.found(confidence, at, told);
}

/// A path that does not climb.
fn absolute(text: &[u8], walk: &Walk, value: &Value<'_>, frame: &Frame, evidence: &mut Evidence<'_>) {
    let at = 0..value.bytes.len();
    // `C:\\Program Files\\Apache Group\\...` is a path of three words.
    let in_words = memchr::memmem::find(text, b"rogram Files").is_some();
    if frame.words > if in_words { 5 } else { 3 } {
        return;
    }
    if !walk.absolute {
        if files::is_kept(&walk.target) && value.point.root != Root::Path {
            evidence.found(
                Confidence::LIKELY,
                at,
                format!("the file {}, which is served to nobody", shown(&walk.target)),
            );
        }
        return;
    }
    // The path of a request names pages: there, only the whole of it can be a file of the system.
    // A segment that has slashes had them encoded.
    let segment = value.point.root == Root::Path && !value.point.path.is_empty();
    let known = if segment && memchr::memchr2(b'/', b'\\', text).is_none() {
        None
    } else {
        files::known_from_root(&walk.target)
    };
    match (known, walk.odd) {
        (Some(Known::Secret), _) => {
            evidence.found(Confidence::STRONG, at, format!("the file {}", shown(&walk.target)));
        }
        (Some(_), Odd::Control | Odd::Overlong) => {
            evidence.found(
                Confidence::STRONG,
                at,
                format!("the file {}, its end cut off by a NUL", shown(&walk.target)),
            );
        }
        (Some(Known::File), _) => {
            // A manifest says deep inside where a file is to be put.
            let nested = value.point.root == Root::Json
                && memchr::memchr_iter(b'/', value.point.path).count() >= NESTED_MIN;
            let in_text = frame.words > 1 && !in_words || value.came_through(Decoding::Xml);
            let confidence = if nested || in_text { Confidence::POSSIBLE } else { Confidence::LIKELY };
            evidence.found(confidence, at, format!("the file {}", shown(&walk.target)));
        }
        _ => {}
    }
    // `\\198.51.100.7\share\x.php`: Windows fetches it.
    if let Some(rest) = text.strip_prefix(br"\\") {
        let host = rest.split(|byte| *byte == b'\\').next().unwrap_or_default();
        let path = &rest[host.len()..];
        let numbers = !host.is_empty()
            && host.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
            && host.contains(&b'.');
        if numbers && path.len() > 1 {
            evidence.found(
                Confidence::STRONG,
                at_all(value),
                "a share on a host given in numbers, which Windows fetches",
            );
        } else if path.get(2) == Some(&b'$') && path.get(1).is_some_and(u8::is_ascii_alphabetic) {
            evidence.found(Confidence::LIKELY, at_all(value), "the share of a whole drive");
        }
    }
}

fn at_all(value: &Value<'_>) -> std::ops::Range<usize> {
    0..value.bytes.len()
}

/// Paths among words: only what climbs to a file that everybody knows.
fn in_text(text: &[u8], evidence: &mut Evidence<'_>) {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`<>()[],|".contains(byte);
    let mut start = 0;
    for token in text.split(ends) {
        let at = start..start + token.len();
        start += token.len() + 1;
        let climbing = memchr::memmem::find(token, b"..").is_some() || token.contains(&0xc0);
        if token.len() < 6 || token.len() > PATH_BYTES_MAX || !climbing {
            continue;
        }
        let walk = Walk::of(token);
        let climbs = walk.ups + walk.dotted;
        match (files::known(&walk.target), walk.odd) {
            (_, Odd::Overlong) if walk.ups > 0 => {
                evidence.found(Confidence::STRONG, at, told(&walk, None));
            }
            (Some(known @ Known::Secret), _) if climbs >= 2 => {
                evidence.found(Confidence::LIKELY, at, told(&walk, Some(known)));
            }
            (Some(known @ Known::File), _) if climbs >= 2 => {
                evidence.found(Confidence::POSSIBLE, at, told(&walk, Some(known)));
            }
            _ => {}
        }
    }
}

/// A scheme that reads files, at the value's beginning.
fn wrapper(text: &[u8]) -> Option<(Confidence, String)> {
    let colon = text.iter().take(24).position(|byte| *byte == b':')?;
    let scheme = text[..colon].to_ascii_lowercase();
    let rest = &text[colon + 1..];
    let after = rest.strip_prefix(b"//");
    let name = String::from_utf8_lossy(&scheme);
    match &scheme[..] {
        b"php" => {
            let kind = after?.to_ascii_lowercase();
            let kinds = [&b"filter"[..], b"input", b"stdin", b"fd", b"memory", b"temp", b"output"];
            kinds
                .iter()
                .any(|known| kind.starts_with(known))
                .then(|| (Confidence::CERTAIN, "a stream of PHP, read in place of a file".into()))
        }
        b"phar" | b"expect" | b"compress.zlib" | b"compress.bzip2" | b"zlib" => {
            after.map(|_| (Confidence::CERTAIN, format!("a path through PHP's wrapper {name}://")))
        }
        b"zip" | b"rar" | b"glob" | b"ogg" | b"ssh2.exec" | b"ssh2.sftp" | b"ssh2.shell" => {
            after.map(|_| (Confidence::LIKELY, format!("a path through PHP's wrapper {name}://")))
        }
        // With slashes it is PHP's; browsers write `data:text/html`.
        b"data" => after.filter(|rest| rest.contains(&b',')).map(|_| {
            (Confidence::STRONG, "content given in place of a file, as PHP's data:// takes it".into())
        }),
        b"netdoc" => Some((Confidence::CERTAIN, "a file by Java's netdoc: scheme".into())),
        b"file" => {
            // `file://C:/` and `file:\\\C:\`.
            let slashes = rest.iter().take_while(|byte| matches!(byte, b'/' | b'\\')).count();
            let drive = rest.get(slashes + 1) == Some(&b':');
            let walk = Walk::of(&rest[if drive { slashes } else { slashes.saturating_sub(1) }..]);
            match files::known_from_root(&walk.target) {
                _ if walk.ups > 0 => {
                    Some((Confidence::STRONG, format!("a file URL that climbs to {}", shown(&walk.target))))
                }
                Some(_) => Some((Confidence::CERTAIN, format!("a file URL of {}", shown(&walk.target)))),
                // What a browser shows of a page that was saved.
                None if rest.starts_with(b"/") => Some((Confidence::POSSIBLE, "a file URL".into())),
                None => None,
            }
        }
        _ => None,
    }
}

/// The reading in words.
fn told(walk: &Walk, known: Option<Known>) -> String {
    let mut told = format!(
        "climbs {} folder{}",
        walk.ups + walk.dotted,
        if walk.ups + walk.dotted == 1 { "" } else { "s" }
    );
    if walk.dotted > 0 {
        told.push_str(", with dots that remain when a filter has taken some out");
    }
    told.push_str(match walk.odd {
        Odd::None => "",
        Odd::Overlong => ", spelled in overlong bytes",
        Odd::LookAlike => ", spelled in characters that look like dots and slashes",
        Odd::Control => ", with control characters that are left out",
        Odd::Parameter => ", behind path parameters",
    });
    if !walk.target.is_empty() {
        told.push_str(" to ");
        told.push_str(&shown(&walk.target));
    }
    if known == Some(Known::Secret) {
        told.push_str(", a file with secrets");
    }
    told
}

fn shown(target: &[u8]) -> String {
    String::from_utf8_lossy(&target[..target.len().min(80)]).into_owned()
}

/// A value that somebody put in quotes, or that closes one first.
fn strip_quotes(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\"").or_else(|| text.strip_prefix(b"'")).unwrap_or(text);
    text.strip_suffix(b"\"").or_else(|| text.strip_suffix(b"'")).unwrap_or(text)
}
