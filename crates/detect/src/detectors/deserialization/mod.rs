//! Objects written out as text or bytes, which come to life with their class's code when they are read.
//!
//! # What it finds
//! Serialised objects of Java, PHP, .NET, Python, Ruby and Node, tags of YAML that construct, and in JSON and XML the names
//! of classes that are known to do harm when a reader makes one.
//!
//! # Why it matters
//! Reading such an object runs code of the application's own libraries with the sender's data.
//!
//! # How it decides
//! By each format's grammar: a magic number and version, `O:8:"stdClass":` with a name as long as it says, a tag and then
//! its arguments. Plain data in the same formats (PHP arrays, YAML scalars, `@type` of JSON-LD) is not a finding.
//!
//! # Example
//! `O:8:"Malware2":1:{s:3:"cmd";s:2:"id";}` reads: a PHP object of class Malware2.
//!
//! # What it misses
//! Formats of single frameworks that name no classes.
//!
//! # References
//! CWE-502; Java Object Serialization Specification 6.4.2; PHP manual, "Object serialization"; MS-NRBF 2.6.1; CPython
//! pickletools; Ruby doc/marshal.rdoc; Fastjson and Jackson advisories (CVE-2017-18349, CVE-2017-7525).

mod classes;

use memchr::memmem;
use palisade_codec::ByteSet;
use palisade_model::{Part, Root};

use super::{Detector, Evidence, ascii};
use crate::{Attack, Confidence, Decoding, Value};

/// Every format here has one of these; `O` and `5` stand in the beginnings of Java's in base64 and hexadecimal digits.
pub(super) const DETECTOR: Detector = Detector {
    name: "deserialization",
    attack: Attack::Deserialization,
    gate: ByteSet::of(b":.!$\x80\x04\xac\xed\xff/O5").union(ByteSet::of(b"\0")),
    look,
};

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let (text, set) = (value.bytes, value.set);
    magic(text, evidence);
    if set.contains(b':') && set.contains(b'"') {
        php(text, evidence);
    }
    if set.contains(b'!') {
        yaml(text, evidence);
    }
    if set.contains(b'\n') && set.contains(b'.') {
        pickle_text(text, evidence);
    }
    if set.contains(b'$')
        && let Some(at) = memmem::find(text, b"_$$ND_FUNC$$_")
    {
        evidence.found(Confidence::CERTAIN, at..at + 40, "a function in an object of node-serialize");
    }
    if set.contains(b'.') {
        class_name(value, evidence);
        if set.contains(b'<') || set.contains(b'"') {
            classes_inside(text, evidence);
        }
    }
}

/// Formats that begin with a number of their own.
fn magic(text: &[u8], evidence: &mut Evidence<'_>) {
    let trimmed = text.trim_ascii_start();
    let first = trimmed.first().copied().unwrap_or(0);
    if !FIRST_BYTES.contains(first) && text.first() != Some(&0) {
        return;
    }
    let all = 0..text.len();
    for (beginning, what) in MAGICS {
        if trimmed.starts_with(beginning) {
            evidence.found(Confidence::CERTAIN, all, *what);
            return;
        }
    }
    for (beginning, what) in MAGICS_LIKELY {
        if trimmed.starts_with(beginning) {
            evidence.found(Confidence::LIKELY, all, *what);
            return;
        }
    }
    if ascii::starts(trimmed, b"aced0005") {
        evidence.found(Confidence::STRONG, all, "a serialised Java object in hexadecimal digits");
    } else if text.starts_with(b"\x04\x08") {
        // Sessions are hashes of strings; objects and classes are what harms.
        let names = [
            &b"Gem::"[..],
            b"ActiveSupport::",
            b"ERB",
            b"Kernel",
            b"Rack::",
            b"Net::",
            b"Rails::",
            b"Object",
        ];
        if names.iter().any(|name| memmem::find(text, name).is_some()) {
            evidence.found(Confidence::STRONG, all, "a serialised Ruby object of a class that runs code");
        } else if text.get(2) == Some(&b'o') {
            evidence.found(Confidence::LIKELY, all, "a serialised Ruby object");
        }
    } else if let [0x80, version @ 2..=5, ..] = text
        && text.ends_with(b".")
        && (memmem::find(text, b"R").is_some() || memmem::find(text, b"\x81").is_some())
        && (memchr::memchr(b'c', text).is_some() || memchr::memchr(0x93, text).is_some())
    {
        evidence.found(
            Confidence::CERTAIN,
            all,
            format!("a Python pickle of protocol {version} that calls something"),
        );
    }
}

/// What the formats below begin with.
const FIRST_BYTES: ByteSet = ByteSet::of(b"\xac\x04\x80\xffrAa/\0");

const MAGICS: &[(&[u8], &str)] = &[
    (b"\xac\xed\x00\x05", "a serialised Java object"),
    (b"rO0AB", "a serialised Java object in base64"),
    (
        b"\x00\x01\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00",
        "an object of .NET's BinaryFormatter",
    ),
    (b"AAEAAAD/////AQAAAAAAAAA", "an object of .NET's BinaryFormatter in base64"),
];

const MAGICS_LIKELY: &[(&[u8], &str)] = &[
    (b"\xff\x01\x32", "a .NET view state that holds a serialised object"),
    (b"/wEy", "a .NET view state that holds a serialised object, in base64"),
];

/// `O:4:"User":2:{...}`, `C:11:"ArrayObject":37:{...}`.
fn php(text: &[u8], evidence: &mut Evidence<'_>) {
    for at in memmem::find_iter(text, b":\"") {
        // Backwards: digits, perhaps a plus, a colon, the kind.
        let digits =
            text[..at].iter().rev().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count();
        let before = &text[..at - digits];
        let before = before.strip_suffix(b"+").unwrap_or(before);
        let Some(kind) = before.strip_suffix(b":").and_then(|before| before.last()) else { continue };
        let start = before.len() - 2;
        let fresh = start == 0 || !ascii::is_name_byte(text[start - 1]);
        if digits == 0 || !fresh || !matches!(kind, b'O' | b'C' | b'E') {
            continue;
        }
        let name = &text[at + 2..];
        let len =
            name.iter().position(|byte| !ascii::is_name_byte(*byte) && *byte != b'\\').unwrap_or(name.len());
        let rest = &name[len..];
        let Some(count) = rest.strip_prefix(b"\":") else { continue };
        let count_len = count.iter().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count();
        if count_len == 0 || !count[count_len..].starts_with(b":{") && *kind != b'E' {
            continue;
        }
        let told = std::str::from_utf8(&text[at - digits..at]).ok().and_then(|digits| digits.parse().ok());
        let exact = told == Some(len);
        let confidence = if exact { Confidence::CERTAIN } else { Confidence::STRONG };
        let class = ascii::shown(&name[..len]);
        evidence.found(confidence, start..at + 2 + len, format!("a serialised PHP object of class {class}"));
    }
}

/// Digits of a length in PHP's format.
const DIGITS_MAX: usize = 10;

/// Tags that construct: `!!python/object/apply:os.system`, `!!java.net.URL [..]`, `!ruby/object:Gem::Installer`, and the
/// long way, `!<tag:yaml.org,2002:python/object/apply:os.system>`.
fn yaml(text: &[u8], evidence: &mut Evidence<'_>) {
    for at in memchr::memchr_iter(b'!', text) {
        let rest = &text[at + 1..];
        let rest = [&b"!"[..], b"<tag:yaml.org,2002:", b"<!"]
            .into_iter()
            .find_map(|long| rest.strip_prefix(long))
            .unwrap_or(rest);
        let near = &rest[..rest.len().min(TAG_BYTES_MAX)];
        let name = &near[..near.iter().position(|byte| !is_tag_byte(*byte)).unwrap_or(near.len())];
        let place = at..at + 2 + name.len();
        let shown = || ascii::shown(name);
        if let Some(kind) = name.strip_prefix(b"python/") {
            let confidence = if kind.starts_with(b"object") || kind.starts_with(b"apply") {
                Confidence::CERTAIN
            } else if kind.starts_with(b"name:") || kind.starts_with(b"module:") {
                // Configuration of documentation tools has such names; what calls them is the harm.
                Confidence::POSSIBLE
            } else {
                Confidence::HINT
            };
            evidence.found(
                confidence,
                place,
                format!("a YAML tag that makes an object of Python, {}", shown()),
            );
        } else if CONSTRUCTING_TAGS.iter().any(|tag| name.starts_with(tag.as_bytes())) {
            evidence.found(
                Confidence::STRONG,
                place,
                format!("a YAML tag that makes an object, {}", shown()),
            );
        } else if name.contains(&b'.') {
            // A class of Java, then the arguments of its constructor.
            let arguments = rest[name.len()..].trim_ascii_start().first();
            let dotted = name.split(|byte| *byte == b'.').filter(|step| !step.is_empty()).count() >= 3;
            if dotted && matches!(arguments, Some(b'[' | b'{' | b'!')) {
                let why = format!("a YAML tag that makes an object of the class {}", shown());
                evidence.found(Confidence::STRONG, place, why);
            }
        }
    }
}

/// Bytes of a tag that are read.
const TAG_BYTES_MAX: usize = 128;

/// Tags of readers that make objects of any class.
const CONSTRUCTING_TAGS: &[&str] = &[
    "ruby/object",
    "ruby/hash:",
    "ruby/struct:",
    "ruby/sym",
    "ruby/class",
    "ruby/exception",
    "php/object",
    "js/function",
    "perl/hash:",
    "perl/code",
];

fn is_tag_byte(byte: u8) -> bool {
    ascii::is_name_byte(byte) || matches!(byte, b'.' | b'/' | b':' | b'-')
}

/// A pickle of protocol 0: `cos\nsystem\n(S'id'\ntR.`
fn pickle_text(text: &[u8], evidence: &mut Evidence<'_>) {
    if memmem::find(text, b"R.").is_none()
        && memmem::find(text, b"o.").is_none()
        && memmem::find(text, b"b.").is_none()
    {
        return;
    }
    for at in memchr::memchr_iter(b'\n', text) {
        let line = &text[..at];
        let from = memchr::memrchr2(b'\n', b'(', &line[line.len().saturating_sub(80)..])
            .map_or(0, |found| line.len().saturating_sub(80) + found + 1);
        let Some(module) = line[from..].strip_prefix(b"c") else { continue };
        let after = &text[at + 1..];
        let name = &after[..after.iter().take(64).position(|byte| *byte == b'\n').unwrap_or(0)];
        let is_path = |path: &[u8]| {
            !path.is_empty() && path.iter().all(|byte| ascii::is_name_byte(*byte) || *byte == b'.')
        };
        if is_path(module)
            && is_path(name)
            && after.get(name.len() + 1).is_some_and(|byte| matches!(byte, b'(' | b'V' | b'S' | b'I'))
        {
            let (module, name) = (ascii::shown(module), ascii::shown(name));
            evidence.found(
                Confidence::CERTAIN,
                from..at + 1 + name.len(),
                format!("a Python pickle that calls {module}.{name}"),
            );
            return;
        }
    }
}

/// The whole value is a class that does harm, where a reader takes classes from.
fn class_name(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let name = value.bytes.trim_ascii();
    if name.len() > 300 || memchr::memchr_iter(b'.', name).take(2).count() < 2 {
        return;
    }
    // `Type, Assembly, Version=...` of .NET; `[Lclass;` of Java.
    let class = name.split(|byte| *byte == b',').next().unwrap_or_default();
    let class = class.strip_prefix(b"[L").unwrap_or(class);
    let class = class.strip_suffix(b";").unwrap_or(class);
    if !class.iter().all(|byte| ascii::is_name_byte(*byte) || matches!(byte, b'.' | b'`' | b'[' | b'+'))
        || !classes::is_harmful(class)
    {
        return;
    }
    let gadget = classes::is_gadget(class);
    let confidence = match says_type(value) {
        _ if value.point.part == Part::Name && gadget => Confidence::CERTAIN,
        Some(true) if gadget => Confidence::CERTAIN,
        Some(true) => Confidence::LIKELY,
        Some(false) if gadget => Confidence::STRONG,
        None if gadget => Confidence::POSSIBLE,
        _ => Confidence::HINT,
    };
    evidence.found(
        confidence,
        0..name.len(),
        format!("the name of a class to be made: {}", ascii::shown(class)),
    );
}

/// Whether what a value is called says that it is a type: `Some(true)` where nothing else can be meant.
fn says_type(value: &Value<'_>) -> Option<bool> {
    let (path, xml) = match value.decoded.last() {
        Some(step) => (step.at.as_bytes(), step.decoding == Decoding::Xml),
        None => (value.point.path, value.point.root == Root::Xml),
    };
    let mut steps = path.rsplit(|byte| *byte == b'/');
    let (key, parent) = (steps.next().unwrap_or_default(), steps.next().unwrap_or_default());
    if xml {
        let makes = MAKING_ELEMENTS.contains(&parent) || key == b"@serialization";
        return (makes && (key == b"@class" || key == b"@serialization")).then_some(true);
    }
    if ascii::is_one_of(key, TYPE_KEYS) {
        Some(true)
    } else {
        ascii::is_one_of(key, &["class", "type", "clazz", "classname", "target", "0"]).then_some(false)
    }
}

/// Members that nothing but a reader of types looks at.
const TYPE_KEYS: &[&str] = &["@type", "$type", "@class", "__type", "_class", "javaclass", "java_class"];

/// Elements by which XMLDecoder makes objects, in its own small letters; others with a class (`<bean class=..>`) are somebody's configuration.
const MAKING_ELEMENTS: &[&[u8]] = &[b"java", b"object", b"void", b"array", b"new", b"method"];

/// Classes inside a text: attributes and elements of XML, types of JSON that nobody has parsed.
fn classes_inside(text: &[u8], evidence: &mut Evidence<'_>) {
    for at in memchr::memchr_iter(b'.', text) {
        // Only at the first dot of a dotted name.
        let start =
            at - text[..at].iter().rev().take(24).take_while(|byte| ascii::is_name_byte(**byte)).count();
        if start == at || start == 0 || text[start - 1] == b'.' {
            continue;
        }
        let name = &text[start..];
        let len = name
            .iter()
            .take(200)
            .position(|byte| !ascii::is_name_byte(*byte) && !matches!(byte, b'.' | b'-'))
            .unwrap_or(name.len().min(200));
        let class = &name[..len];
        let dots = memchr::memchr_iter(b'.', class.strip_suffix(b".").unwrap_or(class)).take(2).count();
        if dots < 2 || !classes::is_harmful(class) {
            continue;
        }
        let before = &text[start.saturating_sub(48)..start];
        let class_shown = || ascii::shown(class);
        let place = start.saturating_sub(20)..start + len;
        let quote = before.last().copied().unwrap_or(0);
        let key_before = before[..before.len() - 1].trim_ascii_end();
        if matches!(quote, b'"' | b'\'') {
            if let Some(attribute) = key_before.strip_suffix(b"=") {
                let tag = memchr::memrchr(b'<', attribute).map_or(&b""[..], |open| &attribute[open + 1..]);
                let element = &tag[..ascii::name_len(tag)];
                if MAKING_ELEMENTS.contains(&element) {
                    let why = format!("an element that makes an object of the class {}", class_shown());
                    return evidence.found(Confidence::CERTAIN, place, why);
                }
            }
            let member = key_before.strip_suffix(b":").map(|rest| rest.trim_ascii_end());
            let member = member.and_then(|rest| rest.strip_suffix(b"\"").or(rest.strip_suffix(b"'")));
            let typed = member.is_some_and(|rest| TYPE_KEYS.iter().any(|key| rest.ends_with(key.as_bytes())));
            // Jackson's array form: `["com.sun...", {...}]`.
            let first = key_before.ends_with(b"[") && text[start + len..].starts_with(b"\",");
            if (typed || first) && classes::is_gadget(class) {
                let why = format!("a JSON object that is to be of the class {}", class_shown());
                return evidence.found(Confidence::CERTAIN, place, why);
            }
        } else if quote == b'<'
            && classes::is_gadget(class)
            && matches!(text.get(start + len), Some(b'>' | b' ' | b'/' | b'\n'))
        {
            evidence.found(
                Confidence::CERTAIN,
                place,
                format!("an element that makes an object of the class {}", class_shown()),
            );
            return;
        }
    }
}
