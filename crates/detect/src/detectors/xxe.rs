//! XML that makes its parser read something else, or grow.
//!
//! # What it finds
//! Declarations of external entities and document types, parameter entities, XInclude, and entities made of entities.
//!
//! # Why it matters
//! A parser that resolves what a document declares reads files and internal services into it, and a few hundred bytes of
//! entities become gigabytes.
//!
//! # How it decides
//! Declarations are read as a DTD's grammar has them, wherever they stand: a document's type, a broken document that a
//! lenient parser still takes, a field that carries XML. An external entity is what no client of an application sends. An
//! external document type is judged by its address: the public ones of XHTML, SVG or property lists are common. Growth is
//! counted: how long each entity would be, written out.
//!
//! # Example
//! `<!ENTITY xxe SYSTEM "file:///etc/passwd">` declares an entity with the content of a file.
//!
//! # What it misses
//! A document type at an address that looks like a public one.
//!
//! # References
//! CWE-611, CWE-776; XML 1.0 sections 2.8 and 4.2; XInclude 1.0; DTDs in reach of "local DTD" attacks.

use palisade_codec::ByteSet;

use super::{Detector, Evidence};
use crate::{Attack, Confidence, Value};

pub(super) const DETECTOR: Detector =
    Detector { name: "xxe", attack: Attack::Xxe, gate: ByteSet::of(b"<"), look };

/// Declarations that are read.
const DECLARATIONS_MAX: usize = 256;

/// Bytes to which a document's entities may grow, written out, per byte of theirs. Honest ones name a character or a
/// phrase and do not nest.
const GROWTH_MAX: u64 = 20;

/// References in one entity to others that hold references themselves: honest ones have one or two.
const REFERENCES_MIN: usize = 4;

/// Entities looked through for one entity's references.
const WORK_MAX: usize = 1 << 16;

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    if value.set.contains(b'!') {
        let mut entities: Vec<Entity<'_>> = Vec::new();
        let declarations = memchr::memmem::find_iter(text, b"<!").take(DECLARATIONS_MAX);
        for at in declarations {
            let mut words = Words { rest: &text[at + 2..] };
            let Some(keyword) = words.next() else { continue };
            if keyword.text.eq_ignore_ascii_case(b"ENTITY") {
                entity(at, words, text, &mut entities, evidence);
            } else if keyword.text.eq_ignore_ascii_case(b"DOCTYPE") {
                doctype(at, words, text, evidence);
            }
        }
    }
    if value.set.contains(b':') && value.set.contains(b'=') {
        inclusion(text, evidence);
    }
}

/// `<!ENTITY name SYSTEM "uri">`, `<!ENTITY % name "text">`.
fn entity<'t>(
    at: usize,
    mut words: Words<'t>,
    text: &'t [u8],
    entities: &mut Vec<Entity<'t>>,
    evidence: &mut Evidence<'_>,
) {
    let Some(mut name) = words.next() else { return };
    let parameter = name.text == b"%" && !name.quoted;
    if parameter {
        let Some(next) = words.next() else { return };
        name = next;
    }
    let Some(what) = words.next() else { return };
    let end = text.len() - words.rest.len();
    let kind = if parameter { "parameter entity" } else { "entity" };
    let shown = String::from_utf8_lossy(&name.text[..name.text.len().min(40)]).into_owned();
    let external = !what.quoted
        && (what.text.eq_ignore_ascii_case(b"SYSTEM") || what.text.eq_ignore_ascii_case(b"PUBLIC"));
    if external {
        // PUBLIC has an identifier first.
        let uri = match (words.next(), words.next()) {
            (Some(_), Some(second)) if second.quoted => second.text,
            (Some(first), _) if first.quoted => first.text,
            _ => {
                evidence.found(Confidence::LIKELY, at..end, format!("declares the external {kind} {shown}"));
                return;
            }
        };
        let target = Target::of(uri);
        let confidence = if target == Target::Public { Confidence::POSSIBLE } else { Confidence::CERTAIN };
        evidence.found(
            confidence,
            at..end,
            format!("declares the {kind} {shown} with the content of {}", target.told(uri)),
        );
    } else if what.quoted {
        // `<!ENTITY &#x25; error SYSTEM '...%file;'>` inside another entity.
        if parameter && memchr::memmem::find(what.text, b"<!ENTITY").is_some() {
            evidence.found(
                Confidence::CERTAIN,
                at..end,
                format!("the parameter entity {shown} declares another when it is used"),
            );
        }
        let Written { size, references, level } = Written::of(what.text, entities);
        let grows = references >= REFERENCES_MIN || size > GROWTH_MAX * what.text.len() as u64;
        if level >= 2 && grows || level >= 4 {
            evidence.found(
                Confidence::CERTAIN,
                at..end,
                format!("entities made of entities: {shown} is {size} bytes, written out"),
            );
        }
        // `<!ENTITY a "&a;">`.
        if has_reference(what.text, name.text) {
            evidence.found(Confidence::STRONG, at..end, format!("the entity {shown} contains itself"));
        }
        entities.push(Entity { name: name.text, size, level });
    }
}

/// `<!DOCTYPE name SYSTEM "uri" [...]>`.
fn doctype(at: usize, mut words: Words<'_>, text: &[u8], evidence: &mut Evidence<'_>) {
    let (Some(_), Some(what)) = (words.next(), words.next()) else { return };
    let public = what.text.eq_ignore_ascii_case(b"PUBLIC");
    if what.quoted || !(public || what.text.eq_ignore_ascii_case(b"SYSTEM")) {
        return;
    }
    let owner = if public { words.next().map(|id| id.text).unwrap_or_default() } else { b"" };
    let Some(uri) = words.next().filter(|word| word.quoted) else { return };
    let end = text.len() - words.rest.len();
    let target = Target::of(uri.text);
    let confidence = match target {
        Target::Public => return,
        // `-//freedesktop//DTD ..//EN` at www.freedesktop.org.
        Target::Elsewhere if is_published_by(owner, uri.text) => return,
        Target::Relative => Confidence::POSSIBLE,
        // Configuration that lies beside its type.
        Target::Climbing | Target::Scheme if is_local_dtd(uri.text) => Confidence::POSSIBLE,
        Target::Elsewhere => Confidence::LIKELY,
        Target::Share | Target::Scheme | Target::Climbing => Confidence::CERTAIN,
    };
    evidence.found(confidence, at..end, format!("takes its document type from {}", target.told(uri.text)));
}

/// A type that lies where its program lies.
fn is_local_dtd(uri: &[u8]) -> bool {
    uri.ends_with(b".dtd") && (uri.starts_with(b"file:///usr/share/") || uri.starts_with(b"../"))
}

/// `<xi:include href="..."/>`, and the name space that makes any prefix one.
fn inclusion(text: &[u8], evidence: &mut Evidence<'_>) {
    for at in memchr::memmem::find_iter(text, b":include").take(16) {
        let behind = &text[at + 8..];
        let tag = &behind[..memchr::memchr(b'>', behind).unwrap_or(behind.len()).min(1024)];
        if !tag.first().is_some_and(|byte| byte.is_ascii_whitespace()) {
            continue;
        }
        let opens = memchr::memrchr(b'<', &text[at.saturating_sub(32)..at]).is_some();
        let named = memchr::memmem::find(text, b"http://www.w3.org/2001/XInclude").is_some();
        let href =
            memchr::memmem::find(tag, b"href").is_some() || memchr::memmem::find(tag, b"parse").is_some();
        if opens && href {
            let confidence = if named { Confidence::CERTAIN } else { Confidence::LIKELY };
            evidence.found(confidence, at..text.len(), "includes another document by XInclude");
            return;
        }
    }
}

/// Where an identifier leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// A document type that is published for everybody.
    Public,
    /// Beside the document.
    Relative,
    /// Out of its folder.
    Climbing,
    /// Another host, over HTTP.
    Elsewhere,
    /// A share on another host.
    Share,
    /// Any other scheme: file, php, gopher, jar, netdoc, expect, data.
    Scheme,
}

impl Target {
    fn of(uri: &[u8]) -> Self {
        let uri = uri.trim_ascii();
        if uri.starts_with(br"\\") {
            return Self::Share;
        }
        let colon = uri.iter().take(24).position(|byte| *byte == b':').filter(|colon| {
            *colon > 1
                && uri[..*colon].iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
        });
        let Some(colon) = colon else {
            return if memchr::memmem::find(uri, b"..").is_some() || uri.starts_with(b"/") {
                Self::Climbing
            } else {
                Self::Relative
            };
        };
        let scheme = uri[..colon].to_ascii_lowercase();
        if !matches!(&scheme[..], b"http" | b"https") {
            return if scheme == b"urn" { Self::Public } else { Self::Scheme };
        }
        let host = uri[colon + 1..].strip_prefix(b"//").unwrap_or_default();
        let host =
            host.split(|byte| b"/:?#@\\".contains(byte)).next().unwrap_or_default().to_ascii_lowercase();
        if PUBLISHERS.contains(&&host[..]) { Self::Public } else { Self::Elsewhere }
    }

    fn told(self, uri: &[u8]) -> String {
        let shown = String::from_utf8_lossy(&uri[..uri.len().min(80)]).into_owned();
        match self {
            Self::Public => format!("the published {shown}"),
            Self::Relative => format!("{shown}, beside the document"),
            Self::Climbing => format!("the file {shown}"),
            Self::Elsewhere => format!("{shown}, on another host"),
            Self::Share => format!("{shown}, a share that Windows opens"),
            Self::Scheme => shown,
        }
    }
}

/// Whether a formal public identifier (`-//OWNER//DTD NAME//EN`) and an address belong together: the host is called as the
/// owner is.
fn is_published_by(identifier: &[u8], uri: &[u8]) -> bool {
    let mut parts = identifier.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
    let (Some(b"-" | b"+"), Some(owner), Some(class)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let name: Vec<u8> =
        owner.iter().take_while(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    let host = memchr::memmem::find(uri, b"://").map_or(uri, |at| &uri[at + 3..]);
    let host = host.split(|byte| b"/:?#@\\".contains(byte)).next().unwrap_or_default().to_ascii_lowercase();
    let labels = host.split(|byte| *byte == b'.');
    class.starts_with(b"DTD ")
        && name.len() >= 3
        && uri.ends_with(b".dtd")
        && labels.into_iter().any(|label| label == name)
}

/// Who publishes document types.
const PUBLISHERS: &[&[u8]] = &[
    b"www.w3.org",
    b"w3.org",
    b"www.oasis-open.org",
    b"docbook.org",
    b"java.sun.com",
    b"www.apple.com",
    b"mybatis.org",
    b"ibatis.apache.org",
    b"hibernate.org",
    b"www.hibernate.org",
    b"hibernate.sourceforge.net",
    b"struts.apache.org",
    b"jakarta.apache.org",
    b"xml.apache.org",
    b"logging.apache.org",
    b"www.springframework.org",
    b"www.jboss.org",
    b"www.wapforum.org",
    b"my.netscape.com",
    b"dtd.nlm.nih.gov",
    b"jats.nlm.nih.gov",
    b"puppycrawl.com",
    b"www.puppycrawl.com",
    b"checkstyle.org",
    b"www.web3d.org",
    b"schemas.xmlsoap.org",
];

/// An entity that was declared.
struct Entity<'t> {
    name: &'t [u8],
    /// Bytes, written out.
    size: u64,
    /// 0 for a text, one more than the highest of the entities that it is made of.
    level: usize,
}

/// What a text is with its references written out, by what is known of them.
struct Written {
    size: u64,
    references: usize,
    level: usize,
}

impl Written {
    fn of(text: &[u8], entities: &[Entity<'_>]) -> Self {
        let mut written = Self { size: text.len() as u64, references: 0, level: 0 };
        let mut rest = text;
        // Each reference looks through the entities so far: both are bounded together.
        let mut work = 0;
        while let Some(at) = memchr::memchr2(b'&', b'%', rest) {
            rest = &rest[at + 1..];
            let Some(end) = rest.iter().take(64).position(|byte| *byte == b';') else { continue };
            let name = &rest[..end];
            work += entities.len();
            if work > WORK_MAX {
                break;
            }
            if let Some(inner) = entities.iter().rev().find(|known| known.name == name) {
                written.size = written.size.saturating_add(inner.size);
                written.references += 1;
                written.level = written.level.max(inner.level + 1);
            }
        }
        written
    }
}

fn has_reference(text: &[u8], name: &[u8]) -> bool {
    let reference = [b"&", name, b";"].concat();
    memchr::memmem::find(text, &reference).is_some()
}

/// The words of a declaration: names and quoted texts, up to its end.
struct Words<'t> {
    rest: &'t [u8],
}

struct Word<'t> {
    text: &'t [u8],
    quoted: bool,
}

impl<'t> Iterator for Words<'t> {
    type Item = Word<'t>;

    fn next(&mut self) -> Option<Word<'t>> {
        let text = self.rest.trim_ascii_start();
        match *text.first()? {
            b'>' | b'[' => {
                self.rest = text;
                None
            }
            quote @ (b'"' | b'\'') => {
                // One that is not closed, in a broken document, ends with its line.
                let inner = &text[1..];
                let end = memchr::memchr(quote, &inner[..inner.len().min(8192)]);
                let end = end.or_else(|| memchr::memchr2(b'>', b'\n', inner)).unwrap_or(inner.len());
                self.rest = inner.get(end + 1..).unwrap_or_default();
                Some(Word { text: &inner[..end], quoted: true })
            }
            b'%' => {
                self.rest = &text[1..];
                Some(Word { text: &text[..1], quoted: false })
            }
            _ => {
                let end = text
                    .iter()
                    .position(|byte| byte.is_ascii_whitespace() || b"<>[\"'".contains(byte))
                    .unwrap_or(text.len());
                if end == 0 {
                    return None;
                }
                self.rest = &text[end..];
                Some(Word { text: &text[..end], quoted: false })
            }
        }
    }
}
