//! XPath that leaves the string or place into which a value was put, and stylesheets that reach outside.
//!
//! # What it finds
//! Values that close a string of an XPath expression and go on with conditions, paths and functions of XPath; expressions
//! that call what reaches files, processes or the processor itself; stylesheets that use such extensions.
//!
//! # Why it matters
//! An expression that was put together from text selects what the text says: another user's node, the whole document. A
//! stylesheet is a program.
//!
//! # How it decides
//! From each place where the text could land, an expression is read on token by token as XPath 1.0 says: operand, operator,
//! operand, brackets on a stack. Steps, axes and functions that only XPath has are weighed; leaving a quote open for the
//! rest to close adds, anything that XPath does not have takes away. Conditions on constants are left to the detector of
//! SQL, which reads them the same.
//!
//! # Example
//! `'] | //user/password | a['` closes the string and 1 bracket, then any node below, and leaves a quote for the rest
//! to close.
//!
//! # What it misses
//! A whole path in a field that takes paths.
//!
//! # References
//! XML Path Language 1.0; XSL Transformations 1.0, 2.0; EXSLT; CWE-643, CWE-91.

use palisade_codec::ByteSet;

use super::breakout::ends_of_string;
use super::{Detector, Evidence};
use crate::{Attack, Confidence, Value};

pub(super) const DETECTOR: Detector =
    Detector { name: "xpath", attack: Attack::Xpath, gate: ByteSet::of(b"(/"), look };

/// Brackets inside one another.
const DEPTH_MAX: usize = 64;

const DEEP: &str = "any node below";
const ROOT: &str = "the document's root";
const AXIS: &str = "an axis";

/// The namespace that makes an element an instruction.
const TRANSFORM: &[u8] = b"http://www.w3.org/1999/XSL/Transform";

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    if value.set.contains(b'<') {
        stylesheet(text, evidence);
    }
    let bare = Reader::new(text, 0, None).read();
    let mut best = bare.judged();
    for quote in [b'\'', b'"'] {
        if value.set.contains(quote) {
            for at in ends_of_string(text, quote).into_iter().flatten() {
                let judged = Reader::new(text, at, Some(quote)).read().judged();
                if judged.as_ref().map(|found| found.0) > best.as_ref().map(|found| found.0) {
                    best = judged;
                }
            }
        }
    }
    if let Some((confidence, at, why)) = best {
        evidence.found(confidence, at, why);
    }
}

/// What stylesheets reach outside by: a spelling that only the extension has, and what it does.
const REACHES: &[(&[u8], &str)] = &[
    (b"system-property(", "asks which processor runs it"),
    (b"http://php.net/xsl", "calls functions of PHP"),
    (b"php:function", "calls functions of PHP"),
    (b"document(", "loads another document"),
    (b"unparsed-text(", "reads a file"),
    (b"http://exslt.org/common", "writes files"),
    (b"http://xml.apache.org/xalan", "calls the processor's extensions"),
    (b"http://icl.com/saxon", "calls the processor's extensions"),
    (b"http://saxon.sf.net/", "calls the processor's extensions"),
    (b"http://xsltsl.org", "calls the processor's extensions"),
    (b"urn:schemas-microsoft-com:xslt", "holds a script"),
    (b"<msxsl:script", "holds a script"),
    (b"java.lang.", "calls classes of Java"),
    (b"<xsl:include", "includes another stylesheet"),
    (b"<xsl:import", "imports another stylesheet"),
    (b"<xsl:result-document", "writes files"),
];

fn stylesheet(text: &[u8], evidence: &mut Evidence<'_>) {
    let Some(at) = memchr::memmem::find(text, TRANSFORM)
        .or_else(|| memchr::memmem::find(text, b"<xsl:"))
        .or_else(|| memchr::memmem::find(text, b"<msxsl:script"))
    else {
        return;
    };
    match REACHES.iter().find(|(spelled, _)| memchr::memmem::find(text, spelled).is_some()) {
        Some((_, does)) => {
            evidence.found(Confidence::STRONG, at..text.len(), format!("a stylesheet that {does}"))
        }
        None => evidence.found(Confidence::HINT, at..text.len(), "a stylesheet"),
    }
}

/// Reads an expression.
struct Reader<'a> {
    text: &'a [u8],
    start: usize,
    at: usize,
    /// The quote that was left to get here.
    quote: Option<u8>,
    /// Open brackets.
    open: Vec<u8>,
    /// Brackets of the expression around that were closed.
    closed: usize,
    /// An operator joins something to what stood there.
    led: bool,
    weight: u32,
    /// What was met that only XPath has, in order.
    met: Vec<&'static str>,
    /// A function that reaches outside the document.
    reaches: Option<&'static str>,
    complete: bool,
    reopened: bool,
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8], at: usize, quote: Option<u8>) -> Self {
        Self {
            text,
            start: at,
            at,
            quote,
            open: Vec::new(),
            closed: 0,
            led: false,
            weight: 0,
            met: Vec::new(),
            reaches: None,
            complete: false,
            reopened: false,
        }
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn blanks(&mut self) {
        while self.byte(0).is_ascii_whitespace() {
            self.at += 1;
        }
    }

    /// Reads until something stands there that XPath does not have.
    fn read(mut self) -> Self {
        let mut operand = self.quote.is_none() && !self.word_follows(&[b"or", b"and"]);
        // After an opening bracket or a slash an operand may be missing.
        let mut optional = false;
        // Whether what is read belongs to the expression around, rather than to a value in it.
        let mut joined = !operand;
        loop {
            self.blanks();
            if self.at >= self.text.len() {
                self.complete = !operand || optional;
                return self;
            }
            let step = if operand { self.operand(optional) } else { self.operator() };
            match step {
                Some(next) => (operand, optional) = next,
                None => return self,
            }
            // What stood before the operator was the value's own.
            if !joined && (self.led || self.closed > 0) {
                joined = true;
                self.weight = 0;
                self.met.clear();
            }
        }
    }

    /// Reads an operand, or the beginning of one. Answers what is expected next: whether an operand, and whether it may
    /// be missing.
    fn operand(&mut self, optional: bool) -> Option<(bool, bool)> {
        match self.byte(0) {
            quote @ (b'\'' | b'"') => {
                match memchr::memchr(quote, &self.text[self.at + 1..]) {
                    Some(len) => self.at += len + 2,
                    None => {
                        self.at = self.text.len();
                        self.reopened = Some(quote) == self.quote;
                    }
                }
                Some((false, false))
            }
            b'0'..=b'9' => {
                while matches!(self.byte(0), b'0'..=b'9' | b'.') {
                    self.at += 1;
                }
                Some((false, false))
            }
            b'(' => self.opened(b'(').map(|()| (true, false)),
            b')' if optional && self.open.last() == Some(&b'(') => {
                self.open.pop();
                self.at += 1;
                Some((false, false))
            }
            b'-' | b'@' | b'$' => {
                self.at += 1;
                Some((true, false))
            }
            b'.' => {
                let parent = self.byte(1) == b'.';
                self.at += 1 + usize::from(parent);
                // `not(.)`, `contains(.,'a')`, and a step up behind a bracket that was left.
                if parent && self.closed > 0 {
                    self.note(1, "the parent node");
                } else if !parent && self.open.last() == Some(&b'(') && matches!(self.byte(0), b')' | b',') {
                    self.note(1, "the node itself");
                } else {
                    self.weigh(u32::from(parent));
                }
                Some((false, false))
            }
            b'*' => {
                self.at += 1;
                Some((false, false))
            }
            b'/' => self.slash(),
            byte if is_name_byte(byte) => self.name(),
            // `/` alone is the document; an operator follows.
            _ if optional => self.operator(),
            _ => None,
        }
    }

    /// `/` or `//`: the document or any node below.
    fn slash(&mut self) -> Option<(bool, bool)> {
        if self.byte(1) == b'/' {
            // A comment of many languages begins like it.
            if self.byte(2) == b'/' || self.byte(2).is_ascii_whitespace() {
                return None;
            }
            self.at += 2;
            self.note(2, DEEP);
            return Some((true, false));
        }
        self.at += 1;
        if self.byte(0) == b'*' {
            self.note(2, ROOT);
        } else {
            self.weigh(1);
        }
        Some((true, true))
    }

    fn name(&mut self) -> Option<(bool, bool)> {
        let start = self.at;
        while is_name_byte(self.byte(0))
            || self.byte(0) == b':' && self.byte(1) != b':' && is_name_byte(self.byte(1))
        {
            self.at += 1;
        }
        let name = &self.text[start..self.at];
        if self.byte(0) == b':' && self.byte(1) == b':' {
            if !AXES.contains(&name) {
                return None;
            }
            self.at += 2;
            self.note(2, AXIS);
            return Some((true, false));
        }
        self.blanks();
        if self.byte(0) != b'(' {
            return Some((false, false));
        }
        match FUNCTIONS.iter().find(|(known, _)| known.as_bytes() == name) {
            Some((known, weight)) => self.note(*weight, known),
            None => self.reaches(name),
        }
        self.opened(b'(').map(|()| (true, true))
    }

    /// A call of something that reaches outside; documents only where the argument is an address or a file.
    fn reaches(&mut self, name: &[u8]) {
        let argument = self.text[self.at + 1..].trim_ascii_start();
        let literal = argument.first().is_some_and(|byte| b"'\"".contains(byte));
        let head = &argument[..argument.len().min(64)];
        let file = literal && (head.contains(&b'/') || head.contains(&b':'));
        let found = match name {
            b"system-property" if literal => "system-property",
            b"php:function" | b"php:functionString" => "php:function",
            b"unparsed-text" | b"unparsed-text-lines" if literal => "unparsed-text",
            b"document" | b"doc" | b"doc-available" | b"collection" if file => "document",
            _ if name.starts_with(b"rt:") || name.starts_with(b"java:") || name.starts_with(b"Runtime:") => {
                "a class of Java"
            }
            _ => return,
        };
        self.reaches = Some(found);
        self.note(3, found);
    }

    /// Reads what may follow an operand.
    fn operator(&mut self) -> Option<(bool, bool)> {
        let operators: [&[u8]; 9] = [b"!=", b"<=", b">=", b"=", b"<", b">", b"|", b"+", b"-"];
        let outer = self.open.is_empty();
        match self.byte(0) {
            b'/' => {
                // Where a string was closed, no step follows.
                if self.at == self.start {
                    return None;
                }
                let deep = self.byte(1) == b'/';
                self.at += 1 + usize::from(deep);
                self.weigh(u32::from(deep));
                Some((true, false))
            }
            b'[' => self.opened(b'[').map(|()| (true, false)),
            close @ (b']' | b')') => {
                let opener = if close == b']' { b'[' } else { b'(' };
                match self.open.pop() {
                    None => self.closed += 1,
                    Some(open) if open == opener => {}
                    Some(_) => return None,
                }
                self.at += 1;
                Some((false, false))
            }
            b',' if self.open.last() == Some(&b'(') => {
                self.at += 1;
                Some((true, false))
            }
            b'*' => {
                self.at += 1;
                Some((true, false))
            }
            0 => {
                // A null byte ends it for libraries in C.
                self.at = self.text.len();
                Some((false, false))
            }
            _ => {
                if let Some(operator) =
                    operators.iter().find(|operator| self.text[self.at..].starts_with(operator))
                {
                    self.at += operator.len();
                    self.led |= outer && operator == b"|";
                    self.weigh(u32::from(outer && operator == b"|" && self.closed > 0));
                    return Some((true, false));
                }
                let word = self.word_follows(&[b"and", b"or"]);
                if word
                    || self.word_follows(&[b"div", b"mod", b"eq", b"ne", b"lt", b"gt", b"le", b"ge", b"is"])
                {
                    self.led |= outer && word;
                    while self.byte(0).is_ascii_alphabetic() {
                        self.at += 1;
                    }
                    return Some((true, false));
                }
                None
            }
        }
    }

    fn word_follows(&self, words: &[&[u8]]) -> bool {
        let rest = self.text[self.at.min(self.text.len())..].trim_ascii_start();
        words.iter().any(|word| {
            rest.starts_with(word)
                && rest.get(word.len()).is_some_and(|byte| !is_name_byte(*byte) && *byte != b':')
        })
    }

    fn opened(&mut self, bracket: u8) -> Option<()> {
        if self.open.len() >= DEPTH_MAX {
            return None;
        }
        self.open.push(bracket);
        self.at += 1;
        Some(())
    }

    fn note(&mut self, weight: u32, met: &'static str) {
        if !self.met.contains(&met) {
            self.weigh(weight);
            self.met.push(met);
        }
    }

    fn weigh(&mut self, weight: u32) {
        self.weight = (self.weight + weight).min(9);
    }

    fn judged(&self) -> Option<(Confidence, std::ops::Range<usize>, String)> {
        if self.met.is_empty() {
            return None;
        }
        let at = self.start.saturating_sub(1)..self.at;
        if self.quote.is_none() && !self.led && self.closed == 0 {
            // An expression of its own: what reaches outside counts, or asks about the whole document.
            if !self.complete {
                return None;
            }
            if let Some(reaches) = self.reaches {
                return Some((Confidence::STRONG, at, format!("an expression that calls {reaches}")));
            }
            let asks = self.text.trim_ascii_start().first().is_some_and(u8::is_ascii_alphabetic)
                && self.weight >= 4
                && self.met.iter().any(|met| matches!(*met, DEEP | ROOT | AXIS));
            return asks.then(|| (Confidence::LIKELY, at, "an expression on the whole document".into()));
        }
        if !self.led && self.closed == 0 {
            return None;
        }
        let heavy = self.weight >= 2;
        let for_it = self.weight
            + u32::from(self.quote.is_some())
            + u32::from(self.reopened && self.complete)
            + u32::from(self.closed > 0);
        let weight = for_it.saturating_sub(if self.complete { 0 } else { 3 });
        let confidence = match weight {
            0 | 1 => return None,
            _ if !heavy || weight == 2 => Confidence::HINT,
            3 => Confidence::LIKELY,
            4 => Confidence::STRONG,
            _ => Confidence::CERTAIN,
        };
        Some((confidence, at, self.why()))
    }

    fn why(&self) -> String {
        let mut why = String::from(match self.quote {
            Some(_) => "closes the string",
            None => "goes on with an expression",
        });
        match self.closed {
            0 => {}
            1 => why.push_str(" and 1 bracket"),
            brackets => why.push_str(&format!(" and {brackets} brackets")),
        }
        for met in self.met.iter().take(3) {
            why.push_str(", then ");
            why.push_str(met);
        }
        if self.complete && self.reopened {
            why.push_str(", and leaves a quote for the rest to close");
        }
        why
    }
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || byte >= 0x80
}

const AXES: &[&[u8]] = &[
    b"ancestor",
    b"ancestor-or-self",
    b"attribute",
    b"child",
    b"descendant",
    b"descendant-or-self",
    b"following",
    b"following-sibling",
    b"namespace",
    b"parent",
    b"preceding",
    b"preceding-sibling",
    b"self",
];

/// Functions, and how much their names say: 2 where no other language of conditions has them.
const FUNCTIONS: &[(&str, u32)] = &[
    ("position", 2),
    ("last", 2),
    ("name", 2),
    ("local-name", 2),
    ("namespace-uri", 2),
    ("string-length", 2),
    ("starts-with", 2),
    ("ends-with", 2),
    ("substring-before", 2),
    ("substring-after", 2),
    ("normalize-space", 2),
    ("text", 2),
    ("node", 2),
    ("comment", 2),
    ("processing-instruction", 2),
    ("generate-id", 2),
    ("string-to-codepoints", 2),
    ("codepoints-to-string", 2),
    ("encode-for-uri", 2),
    ("current-date", 2),
    ("base-uri", 2),
    ("document-uri", 2),
    ("string-join", 2),
    ("count", 1),
    ("contains", 1),
    ("substring", 1),
    ("concat", 1),
    ("translate", 1),
    ("string", 1),
    ("number", 1),
    ("boolean", 1),
    ("not", 1),
    ("true", 1),
    ("false", 1),
    ("sum", 1),
    ("floor", 1),
    ("matches", 1),
    ("exists", 1),
    ("lower-case", 1),
    ("upper-case", 1),
    ("id", 1),
    ("key", 1),
];
