//! Directives that a server or an edge cache would carry out in a page.
//!
//! # What it finds
//! Server-side includes (`<!--#exec cmd="id" -->`) and edge-side includes (`<esi:include src=...>`, `<!--esi ...-->`).
//!
//! # Why it matters
//! A value that is put into a page runs there: SSI starts programs and reads files, ESI fetches from inside and reads
//! cookies that scripts may not read.
//!
//! # How it decides
//! A comment that begins with `#`, then a directive that servers know, then its parameters; blanks as servers allow them.
//! For ESI, an element of that name space or its comment. Comments of people (`<!-- #region -->`) have no parameters.
//!
//! # Example
//! `<!--#include virtual="/etc/passwd" -->` reads: the directive include with virtual.
//!
//! # What it misses
//! Directives of servers that we have not heard of.
//!
//! # References
//! Apache mod_include; nginx ngx_http_ssi_module; W3C note "ESI Language Specification 1.0"; CWE-97.

use palisade_codec::ByteSet;

use super::{Detector, Evidence, ascii};
use crate::{Attack, Confidence, Value};

pub(super) const DETECTOR: Detector =
    Detector { name: "ssi", attack: Attack::Ssi, gate: ByteSet::of(b"<"), look };

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    for at in memchr::memchr_iter(b'<', text) {
        let rest = &text[at + 1..];
        if let Some(comment) = rest.strip_prefix(b"!--") {
            if let Some(inside) = comment.trim_ascii_start().strip_prefix(b"#") {
                include(inside, at, comment.starts_with(b"#"), evidence);
            } else if ascii::starts(comment, b"esi")
                && comment.get(3).is_some_and(|byte| !byte.is_ascii_alphanumeric())
            {
                evidence.found(
                    Confidence::CERTAIN,
                    at..at + 7,
                    "a comment that an edge cache opens and carries out",
                );
            }
        } else if ascii::starts(rest, b"esi:") || ascii::starts(rest, b"/esi:") {
            let name = &rest[rest.iter().position(|byte| *byte == b':').expect("it is there") + 1..];
            let name = &name[..ascii::name_len(name)];
            let (confidence, what) = if ascii::is_one_of(name, ELEMENTS) {
                (Confidence::CERTAIN, "the edge-side element")
            } else {
                (Confidence::LIKELY, "an unknown edge-side element")
            };
            evidence.found(confidence, at..at + 5 + name.len(), format!("{what} esi:{}", ascii::shown(name)));
        }
    }
}

/// Reads a directive after its `#`. `exact`: nothing stood between the comment and the `#`.
fn include(inside: &[u8], at: usize, exact: bool, evidence: &mut Evidence<'_>) {
    let inside = inside.trim_ascii_start();
    let name = &inside[..ascii::name_len(inside)];
    if !ascii::is_one_of(name, DIRECTIVES) {
        return;
    }
    let parameters = inside[name.len()..].trim_ascii_start();
    let parameter = &parameters[..ascii::name_len(parameters)];
    let given = !parameter.is_empty() && parameters[parameter.len()..].trim_ascii_start().starts_with(b"=");
    let bare = ascii::is_one_of(name, &["printenv", "else", "endif"]);
    if !given && !bare {
        return;
    }
    let confidence = if exact { Confidence::CERTAIN } else { Confidence::STRONG };
    let with = if given { format!(" with {}", ascii::shown(parameter)) } else { String::new() };
    let len = 5 + name.len() + parameters.len().min(60);
    evidence.found(
        confidence,
        at..at + len,
        format!("the server-side directive {}{with}", ascii::shown(name)),
    );
}

const DIRECTIVES: &[&str] = &[
    "exec", "include", "echo", "config", "set", "printenv", "fsize", "flastmod", "if", "elif", "else",
    "endif", "block", "perl", "comment",
];

const ELEMENTS: &[&str] = &[
    "include",
    "inline",
    "remove",
    "comment",
    "try",
    "attempt",
    "except",
    "choose",
    "when",
    "otherwise",
    "vars",
    "assign",
    "eval",
    "function",
    "foreach",
    "debug",
    "text",
    "break",
    "return",
];
