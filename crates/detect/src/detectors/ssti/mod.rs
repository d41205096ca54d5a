//! Expressions that a template engine or an expression language would evaluate.
//!
//! # What it finds
//! `{{..}}`, `${..}`, `#{..}`, `%{..}`, `<%..%>`, `[[..]]`, `#set(..)`, `@(..)` and their kin, where what stands inside goes
//! after the engine: arithmetic that shows whether it is evaluated, walks from an object to its class and on to everything
//! else, calls that start programs or read files, filters that call functions by name.
//!
//! # Why it matters
//! A template that is made of what somebody typed runs on the server, with all that the server may do.
//!
//! # How it decides
//! Delimiters are everywhere: mail templates, Helm charts, shells, grok patterns. So the expression inside is read, and it
//! is a finding for what it does. `{{ user.name | upper }}`, `${HOME}` and `{{ .Values.port | nindent 4 }}` do nothing.
//!
//! ```text
//!  delimiters   where expressions stand, nested and not closed ones too
//!  expression   what one does: tokens, then calls, walks, filters, arithmetic
//!  whole        expressions that are known without reading their parts
//!  places       names from which everything is reached
//! ```
//!
//! # Example
//! `{{cycler.__init__.__globals__.os}}` reads: a template expression that goes through Python's internals by __init__.
//!
//! # What it misses
//! Expressions without anything that tells them from a template's own: `{{settings}}`, `${user.password}`.
//!
//! # References
//! James Kettle, "Server-Side Template Injection" (2015); manuals of Jinja, Twig, FreeMarker, Velocity, Mako, ERB, SpEL, OGNL;
//! CWE-1336, CWE-917.

mod delimiters;
mod expression;
mod places;
mod whole;

use palisade_codec::ByteSet;

use super::{Detector, Evidence};
use crate::{Attack, Confidence, Value};
use delimiters::Templates;

pub(super) const DETECTOR: Detector = Detector {
    name: "ssti",
    attack: Attack::Ssti,
    // Every expression is closed by one of these, and those that are not were opened by the others.
    gate: ByteSet::of(b"{<#@"),
    look,
};

/// Templates inside templates: `[[${..}]]`, `{% if {{..}} %}`.
const DEPTH_MAX: usize = 3;

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    let probes = if value.set.contains(b'%') && value.set.contains(b'{') { PROBES } else { &[] };
    for (probe, engine) in probes {
        if let Some(at) = memchr::memmem::find(text, probe) {
            let why = format!("signs that upset {engine}, to see whether one is there");
            evidence.found(Confidence::STRONG, at..at + probe.len(), why);
        }
    }
    for name in OGNL {
        if let Some(at) = memchr::memmem::find(text, name) {
            let why = format!("gets at OGNL's context by {}", String::from_utf8_lossy(name));
            evidence.found(Confidence::STRONG, at..at + name.len(), why);
        }
    }
    inside(text, 0, 0, evidence);
}

/// Names of OGNL that no text has: a parameter whose name is evaluated needs no sign around them.
const OGNL: &[&[u8]] = &[b"#_memberAccess", b"@ognl.OgnlContext", b"#context['com.opensymphony"];

/// Reads the expressions of a text that stands at `offset` in the value.
fn inside(text: &[u8], offset: usize, depth: usize, evidence: &mut Evidence<'_>) {
    for template in Templates::new(text) {
        let body = &text[template.body.clone()];
        let place = offset + template.start..offset + template.end;
        if let Some(judged) = expression::judge(body, &template) {
            let attack = if judged.in_browser { Attack::Xss } else { Attack::Ssti };
            evidence.found_as(attack, judged.confidence, place, judged.why);
            if judged.confidence >= Confidence::CERTAIN {
                return;
            }
        }
        if depth < DEPTH_MAX && template.closed && memchr::memchr2(b'{', b'[', body).is_some() {
            inside(body, offset + template.body.start, depth + 1, evidence);
        }
    }
}

/// Texts of many engines' signs at once.
const PROBES: &[(&[u8], &str)] = &[
    (b"${{<%[%'\"}}%", "template engines"),
    (b"<%'${{/#{@}}%>{{", "template engines"),
    (b"{{<%[%'\"}}%\\", "template engines"),
];
