//! One file: text to directives, with every finding that needs no other file.
//!
//! What spans files (ids, chains, labels) is in [`crate::check()`]; here a line is read on its own, and what is wrong
//! in it does not keep the rest from being read.

mod action;
mod ctl;
mod directive;
mod operator;
mod setting;
mod target;
mod template;

pub(crate) use target::{key_length, regex_length, xpath_length};

use bstr::ByteSlice;

use crate::ast::{Directive, FileId, Span, Spanned};
use crate::diagnostic::{Diagnostic, Sink, codes, quoted};
use crate::limits::Limits;
use crate::names;
use crate::text::{Text, View, closing_quote, is_blank, logical_line};

/// Parses one file. Includes stay as they are; see [`crate::load()`] for whole programs.
///
/// Directives come in order of the file. A rule with errors is still there, with what could be read of it, so that
/// later findings make sense: the list must not be used when a diagnostic is an error. Cost: O(bytes).
pub fn parse(file: FileId, text: &[u8], limits: &Limits) -> (Vec<Spanned<Directive>>, Vec<Diagnostic>) {
    let mut sink = Sink::new(limits);
    let directives = parse_into(file, text, limits, &mut sink);
    (directives, sink.finish())
}

/// [`parse`] with the diagnostics collected by the caller.
pub(crate) fn parse_into(
    file: FileId,
    source: &[u8],
    limits: &Limits,
    sink: &mut Sink,
) -> Vec<Spanned<Directive>> {
    let mut parser = Parser { sink, directives: Vec::new(), sections: Vec::new() };
    if source.len() > limits.file_bytes_max || u32::try_from(source.len()).is_err() {
        parser.sink.push(file_too_large(file, source.len(), limits));
        return Vec::new();
    }

    let mut at = if source.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    // After a broken quote the lines that were meant to belong to it are passed over.
    let mut recovering = false;
    while let Some((text, cut)) = logical_line(file, source, &mut at, limits.line_bytes_max) {
        let line = text.view().trim();
        let Some(first) = line.first() else { continue };
        if first == b'#' {
            continue;
        }
        if cut {
            let message = format!("the line is longer than {} bytes and is not read", limits.line_bytes_max);
            parser.sink.push(Diagnostic::error(codes::LIMIT, line.slice(0, 60).span(), message));
            continue;
        }
        if recovering && !starts_directive(line) {
            continue;
        }
        recovering = !parser.line(line);
        if parser.directives.len() >= limits.directives_max {
            let message = format!("more than {} directives; the rest is not read", limits.directives_max);
            parser.sink.push(Diagnostic::error(codes::LIMIT, line.span(), message));
            break;
        }
        if parser.sections.len() > limits.block_depth_max {
            let message =
                format!("sections nest deeper than {}; the rest is not read", limits.block_depth_max);
            parser.sink.push(Diagnostic::error(codes::LIMIT, line.span(), message));
            break;
        }
    }
    parser.finish()
}

pub(crate) fn file_too_large(file: FileId, bytes: usize, limits: &Limits) -> Diagnostic {
    let start = Span { file, start: 0, end: 0 };
    let message = format!("the file has {bytes} bytes; at most {} are read", limits.file_bytes_max);
    Diagnostic::error(codes::LIMIT, start, message).help("split it into several files")
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The state of reading one file.
pub(crate) struct Parser<'a> {
    sink: &'a mut Sink,
    directives: Vec<Spanned<Directive>>,
    sections: Vec<Section>,
}

/// An open `<IfModule ...>`.
struct Section {
    name: Vec<u8>,
    span: Span,
    /// Its content is not for us (`<IfModule !security2_module>`).
    skipped: bool,
}

/// An argument of a directive, quoting undone.
pub(crate) struct Word {
    pub(crate) text: Text,
    /// With its quotes.
    pub(crate) span: Span,
    pub(crate) quote: Option<u8>,
}

impl Word {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.text.view().bytes()
    }

    pub(crate) fn view(&self) -> View<'_> {
        self.text.view()
    }
}

/// A directive's line, split.
pub(crate) struct Line<'a> {
    pub(crate) name: View<'a>,
    pub(crate) words: Vec<Word>,
    pub(crate) span: Span,
}

impl Parser<'_> {
    /// Reads one joined line; false when its quotes are broken.
    fn line(&mut self, line: View<'_>) -> bool {
        if line.first() == Some(b'<') {
            self.section(line);
            return true;
        }
        if self.sections.iter().any(|section| section.skipped) {
            return true;
        }
        let name_len = line.bytes().iter().take_while(|&&byte| !is_blank(byte)).count();
        let name = line.slice(0, name_len);
        match self.words(line.from(name_len)) {
            Some(words) => {
                self.directive(&Line { name, words, span: line.span() });
                true
            }
            None => false,
        }
    }

    /// Splits arguments at blanks: `"double"`, `'single'` or bare. `None` when a quote is broken.
    fn words(&mut self, mut rest: View<'_>) -> Option<Vec<Word>> {
        let mut words = Vec::new();
        loop {
            rest = rest.trim_start();
            let Some(first) = rest.first() else { return Some(words) };
            if first != b'"' && first != b'\'' {
                let end = rest.bytes().iter().take_while(|&&byte| !is_blank(byte)).count();
                let word = rest.slice(0, end);
                words.push(Word { text: word.to_text(), span: word.span(), quote: None });
                rest = rest.from(end);
                continue;
            }
            let Some(length) = closing_quote(rest.from(1).bytes(), first) else {
                self.unterminated(rest, first);
                return None;
            };
            let word = rest.slice(0, length + 2);
            let text = rest.slice(1, length + 1).unescape(first);
            words.push(Word { text, span: word.span(), quote: Some(first) });
            rest = rest.from(length + 2);
            if let Some(next) = rest.first()
                && !is_blank(next)
                // `"@rx a""id:1"` are two arguments, for Apache and ModSecurity 3 alike.
                && next != b'"'
            {
                let quote = first as char;
                self.sink.push(
                    Diagnostic::error(
                        codes::TEXT_AFTER_QUOTE,
                        rest.slice(0, 1).span(),
                        format!("text directly after a closing `{quote}`"),
                    )
                    .label("the string ended before this")
                    .help(format!(
                        "write `\\{quote}` for a quote inside the string, or a blank after the string"
                    )),
                );
                return None;
            }
        }
    }

    fn unterminated(&mut self, rest: View<'_>, quote: u8) {
        let quote = quote as char;
        let help = if rest.bytes().trim_end_with(is_blank_char).ends_with(b"\\") {
            "the `\\` that should join the next line is not the last character of its line: remove the blanks behind it"
                .to_owned()
        } else {
            format!("close it with `{quote}`; to go on in the next line, end this one with `\\`")
        };
        self.sink.push(
            Diagnostic::error(
                codes::UNTERMINATED_QUOTE,
                rest.slice(0, 1).span(),
                format!("this `{quote}` is not closed before its line ends"),
            )
            .label("opened here")
            .help(help),
        );
    }

    /// `<Name arguments>` and `</Name>`: sections of Apache's configuration.
    fn section(&mut self, line: View<'_>) {
        let inner = line.from(1);
        let inner = match inner.bytes().last() {
            Some(b'>') => inner.slice(0, inner.len() - 1).trim(),
            _ => inner.trim(),
        };
        if inner.first() == Some(b'/') {
            let name = inner.from(1).trim();
            match self.sections.pop() {
                Some(section) if section.name.eq_ignore_ascii_case(name.bytes()) => {}
                Some(section) => {
                    let message = format!("{} closes {}", quoted(line.bytes()), quoted(&section.name));
                    self.sink.push(
                        Diagnostic::error(codes::UNBALANCED_SECTION, line.span(), message)
                            .related(section.span, "the section that is open"),
                    );
                }
                None => self.sink.push(Diagnostic::error(
                    codes::UNBALANCED_SECTION,
                    line.span(),
                    format!("{} closes no section", quoted(line.bytes())),
                )),
            }
            return;
        }

        let name_len = inner.bytes().iter().take_while(|&&byte| !is_blank(byte)).count();
        let name = inner.slice(0, name_len);
        let argument = inner.from(name_len).trim().bytes();
        let argument =
            argument.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(argument);
        let mut skipped = false;
        if name.bytes().eq_ignore_ascii_case(b"IfModule") {
            let (negated, module) = match argument.strip_prefix(b"!") {
                Some(module) => (true, module),
                None => (false, argument),
            };
            if OUR_MODULES.iter().any(|ours| module.eq_ignore_ascii_case(ours.as_bytes())) {
                skipped = negated;
                let what =
                    if negated { "is for servers without ModSecurity and is skipped" } else { "is accepted" };
                self.sink.push(
                    Diagnostic::warning(
                        codes::ACCEPTED_SECTION,
                        line.span(),
                        format!("this section of Apache's configuration {what}"),
                    )
                    .help("rule files need no `<IfModule>`; remove it and its `</IfModule>`"),
                );
            } else {
                self.sink.push(
                    Diagnostic::error(
                        codes::SECTION,
                        line.span(),
                        format!("whether the module {} is there cannot be known here", quoted(argument)),
                    )
                    .help("move what is meant for this engine out of the section, and leave the rest to the web server"),
                );
            }
        } else {
            let shown = name.bytes().to_str_lossy().into_owned();
            let help = match shown.to_ascii_lowercase().as_str() {
                "location" | "locationmatch" | "directory" | "directorymatch" | "files" | "filesmatch"
                | "proxy" | "proxymatch" => {
                    "to limit rules to a path, select on it: `SecRule REQUEST_FILENAME \"@beginsWith /path/\" \
                     \"id:...,phase:1,pass,nolog,ctl:ruleRemoveById=...\"`, or give the route a profile of its own"
                }
                "virtualhost" => {
                    "to limit rules to a host, select on it: `SecRule REQUEST_HEADERS:Host \"@streq host\" \
                     \"id:...,phase:1,pass,nolog,ctl:...\"`, or give the host's route a profile of its own"
                }
                "ifdefine" | "ifversion" | "if" | "elseif" | "else" => {
                    "decide it here: keep the lines that apply, remove the others and the section around them"
                }
                _ => {
                    "rule files have no sections; keep the lines that apply and remove the section around them"
                }
            };
            self.sink.push(
                Diagnostic::error(
                    codes::SECTION,
                    line.span(),
                    format!("{} is a section of the web server's configuration", quoted(line.bytes())),
                )
                .label("ignoring it would make its rules apply everywhere")
                .help(help),
            );
        }
        self.sections.push(Section { name: name.bytes().to_vec(), span: line.span(), skipped });
    }

    fn finish(mut self) -> Vec<Spanned<Directive>> {
        for section in std::mem::take(&mut self.sections) {
            let message = format!("the section `<{}>` is not closed", section.name.as_bstr());
            self.sink.push(Diagnostic::error(codes::UNBALANCED_SECTION, section.span, message));
        }
        self.directives
    }

    /// `did you mean ...?`, unless nobody would see it.
    pub(crate) fn suggestion<'n>(
        &self,
        name: &[u8],
        known: impl IntoIterator<Item = &'n str>,
    ) -> Option<&'n str> {
        if self.sink.is_full() { None } else { names::nearest(name, known) }
    }
}

fn starts_directive(line: View<'_>) -> bool {
    let bytes = line.bytes();
    let name = &bytes[..bytes.iter().take_while(|&&byte| !is_blank(byte)).count()];
    bytes.starts_with(b"<") || names::is_among(name, names::DIRECTIVES)
}

fn is_blank_char(char: char) -> bool {
    u8::try_from(char).is_ok_and(is_blank)
}

/// Modules whose presence means that SecLang is understood.
const OUR_MODULES: &[&str] = &[
    "security2_module",
    "security3_module",
    "security_module",
    "mod_security2.c",
    "mod_security2",
    "mod_security3.c",
    "mod_security.c",
];
