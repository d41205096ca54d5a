//! What is wrong with a rule file, and how that is shown: rustc's form, with the line, carets and a remedy.

use std::fmt::Write as _;

use crate::ast::Span;
use crate::limits::Limits;
use crate::source::SourceMap;

/// Whether the program may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// It may, but does something else than one could think.
    Warning,
    /// It must not be used.
    Error,
}

/// One finding about a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// A stable name, see [`codes`].
    pub code: &'static str,
    /// What is wrong, one line.
    pub message: String,
    /// Where; `None` when it is about no place in a file (a named file that is missing).
    pub span: Option<Span>,
    /// What stands beside the carets; may be empty.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Other places that belong to it, each with what it is.
    pub related: Vec<(Span, String)>,
}

/// How a diagnostic is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    Plain,
    /// With ANSI colours.
    Color,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, Some(span), message.into())
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, Some(span), message.into())
    }

    /// A finding without text beside the carets, help or related places.
    pub fn new(severity: Severity, code: &'static str, span: Option<Span>, message: String) -> Self {
        Self { severity, code, message, span, label: String::new(), help: None, related: Vec::new() }
    }

    /// With text beside the carets.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// With what to write instead.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With another place that belongs to it.
    pub fn related(mut self, span: Span, what: impl Into<String>) -> Self {
        self.related.push((span, what.into()));
        self
    }

    /// Whether it forbids the use of the program.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The text for people, ending in a line end.
    ///
    /// ```text
    /// error[E0301]: unknown action `dney`
    ///   --> site.conf:3:19
    ///    |
    ///  3 |     "id:1,phase:1,dney"
    ///    |                   ^^^^ not an action
    ///    = help: did you mean `deny`?
    /// ```
    ///
    /// Lines longer than 110 characters are clipped around the carets; tabs are four columns, and bytes that are
    /// not text show as `\xHH`. A span of several lines is marked to the end of its first.
    pub fn render(&self, sources: &SourceMap, style: Style) -> String {
        let paint = Paint { style };
        let color = if self.is_error() { "1;31" } else { "1;33" };
        let word = if self.is_error() { "error" } else { "warning" };
        let mut out = String::new();
        let head = paint.with(color, &format!("{word}[{}]", self.code));
        let _ = writeln!(out, "{head}{}", paint.with("1", &format!(": {}", self.message)));

        let places = || self.span.iter().chain(self.related.iter().map(|(span, _)| span));
        let width = places().map(|&span| sources.line(span).to_string().len()).max().unwrap_or(1);
        if let Some(span) = self.span {
            snippet(
                &mut out,
                sources,
                span,
                &self.label,
                Marker { arrow: "-->", mark: '^', color },
                width,
                paint,
            );
        }
        for (span, what) in &self.related {
            snippet(
                &mut out,
                sources,
                *span,
                what,
                Marker { arrow: ":::", mark: '-', color: "1;34" },
                width,
                paint,
            );
        }
        if let Some(help) = &self.help {
            let bar = paint.with("1;34", &format!("{:width$} =", ""));
            let indent = format!("\n{:width$}         ", "");
            let _ = writeln!(out, " {bar} {}: {}", paint.with("1", "help"), help.replace('\n', &indent));
        }
        out
    }
}

/// Collects diagnostics within [`Limits::diagnostics_max`].
#[derive(Debug)]
pub(crate) struct Sink {
    diagnostics: Vec<Diagnostic>,
    max: usize,
    errors: usize,
    errors_dropped: usize,
    warnings_dropped: usize,
}

impl Sink {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            diagnostics: Vec::new(),
            max: limits.diagnostics_max,
            errors: 0,
            errors_dropped: 0,
            warnings_dropped: 0,
        }
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.is_error());
        if self.diagnostics.len() < self.max {
            self.diagnostics.push(diagnostic);
        } else if diagnostic.is_error() {
            self.errors_dropped += 1;
        } else {
            self.warnings_dropped += 1;
        }
    }

    /// Whether further ones are only counted, so that no effort need be spent on their help.
    pub(crate) fn is_full(&self) -> bool {
        self.diagnostics.len() >= self.max
    }

    pub(crate) fn error_count(&self) -> usize {
        self.errors
    }

    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        let (errors, warnings) = (self.errors_dropped, self.warnings_dropped);
        if errors + warnings > 0 {
            let severity = if errors > 0 { Severity::Error } else { Severity::Warning };
            let message = format!("{errors} more errors and {warnings} more warnings are not shown");
            self.diagnostics.push(Diagnostic::new(severity, codes::TOO_MANY_DIAGNOSTICS, None, message));
        }
        self.diagnostics
    }
}

/// Text from a file, for a message: at most 60 characters, bytes that are not text as `\xHH`.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let mut out = String::from("`");
    for (count, (cell, _)) in Cells::new(bytes).enumerate() {
        if count == 60 {
            out.push_str("...");
            break;
        }
        cell.push_to(&mut out);
    }
    out.push('`');
    out
}

#[derive(Clone, Copy)]
struct Paint {
    style: Style,
}

impl Paint {
    fn with(self, color: &str, text: &str) -> String {
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Color => format!("\x1b[{color}m{text}\x1b[0m"),
        }
    }
}

#[derive(Clone, Copy)]
struct Marker {
    arrow: &'static str,
    mark: char,
    color: &'static str,
}

fn snippet(
    out: &mut String,
    sources: &SourceMap,
    span: Span,
    label: &str,
    marker: Marker,
    width: usize,
    paint: Paint,
) {
    let (line, column) = sources.line_column(span);
    let (text, line_start) = sources.line_text(span);
    let start = (span.start as usize).saturating_sub(line_start).min(text.len());
    let end = (span.end as usize).saturating_sub(line_start).clamp(start, text.len());

    // The clip starts at a byte that starts a character, a little before the carets.
    let clipped = text.len() > CLIP_COLUMNS;
    let mut from = if clipped { start.saturating_sub(CLIP_BEFORE) } else { 0 };
    while from > 0 && from > start.saturating_sub(CLIP_BEFORE + 4) && text[from] & 0xc0 == 0x80 {
        from -= 1;
    }

    let mut shown = String::from(if from > 0 { "..." } else { "" });
    let mut marks = " ".repeat(shown.len());
    let (mut at, mut columns, mut marked) = (from, 0, 0);
    let mut complete = true;
    for (cell, bytes) in Cells::new(&text[from..]) {
        if columns >= CLIP_COLUMNS {
            complete = false;
            break;
        }
        let cell_columns = cell.push_to(&mut shown);
        let inside = at >= start && at < end;
        if inside {
            marked += cell_columns;
        }
        if inside || at < start {
            let fill = if inside { marker.mark } else { ' ' };
            marks.extend(std::iter::repeat_n(fill, cell_columns));
        }
        columns += cell_columns;
        at += bytes;
    }
    if !complete {
        shown.push_str("...");
    }
    if marked == 0 {
        marks.push(marker.mark);
    }

    let bar = paint.with("1;34", "|");
    let arrow = paint.with("1;34", marker.arrow);
    let _ = writeln!(out, " {:width$}{arrow} {}:{line}:{column}", "", sources.name(span.file));
    let _ = writeln!(out, " {:width$} {bar}", "");
    let number = paint.with("1;34", &format!("{line:width$}"));
    let _ = writeln!(out, " {number} {bar} {}", shown.trim_end());
    let label = if label.is_empty() { String::new() } else { format!(" {label}") };
    let spaces = marks.len() - marks.trim_start_matches(' ').len();
    let marks = paint.with(marker.color, &format!("{}{label}", &marks[spaces..]));
    let _ = writeln!(out, " {:width$} {bar} {:spaces$}{marks}", "", "");
}

/// Columns of a source line that are shown.
const CLIP_COLUMNS: usize = 110;
/// Bytes shown before the carets in a clipped line.
const CLIP_BEFORE: usize = 40;

/// What a character or stray byte looks like on a terminal.
enum Cell {
    Char(char),
    Tab,
    Byte(u8),
}

impl Cell {
    /// Appends it and returns its width in columns (wide characters count as one).
    fn push_to(&self, out: &mut String) -> usize {
        match *self {
            Cell::Char(char) => {
                out.push(char);
                1
            }
            Cell::Tab => {
                out.push_str("    ");
                4
            }
            Cell::Byte(byte) => {
                let _ = write!(out, "\\x{byte:02x}");
                4
            }
        }
    }
}

/// The cells of a text, each with its number of bytes.
struct Cells<'a> {
    rest: &'a [u8],
}

impl<'a> Cells<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }
}

impl Iterator for Cells<'_> {
    type Item = (Cell, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let (char, bytes) = bstr::decode_utf8(self.rest);
        if bytes == 0 {
            return None;
        }
        let item = match char {
            Some('\t') => (Cell::Tab, 1),
            // Control characters would let a rule file steer the terminal.
            Some(char) if bytes == 1 && char.is_control() => (Cell::Byte(self.rest[0]), 1),
            Some(char) if char.is_control() || is_invisible(char) => (Cell::Byte(self.rest[0]), 1),
            Some(char) => (Cell::Char(char), bytes),
            None => (Cell::Byte(self.rest[0]), 1),
        };
        self.rest = &self.rest[item.1..];
        Some(item)
    }
}

/// Characters that reorder or hide text: shown as bytes, so that a line reads as the parser reads it.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The codes of diagnostics. `E` is an error, `W` a warning.
pub mod codes {
    macro_rules! codes {
        ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
            $($(#[$doc])* pub const $name: &str = $code;)*
            /// All codes, in order.
            pub const ALL: &[&str] = &[$($code,)*];
        };
    }

    codes! {
        /// A file cannot be read.
        UNREADABLE = "E0001",
        /// A bound of [`crate::Limits`] was reached.
        LIMIT = "E0002",
        /// A file includes itself, or includes nest too deeply.
        INCLUDE_CYCLE = "E0003",
        /// An `Include` names nothing.
        INCLUDE_NOTHING = "E0004",
        /// More diagnostics than are kept.
        TOO_MANY_DIAGNOSTICS = "E0005",
        /// A quote that is not closed on its (joined) line.
        UNTERMINATED_QUOTE = "E0101",
        /// Text directly after a closing quote.
        TEXT_AFTER_QUOTE = "E0102",
        /// Too few or too many arguments.
        ARGUMENT_COUNT = "E0103",
        /// An argument that a directive does not take.
        BAD_ARGUMENT = "E0104",
        /// No such directive.
        UNKNOWN_DIRECTIVE = "E0105",
        /// A directive that is known and refused.
        REFUSED_DIRECTIVE = "E0106",
        /// A section of a web server's configuration.
        SECTION = "E0107",
        /// A section that is not closed, or closed and not opened.
        UNBALANCED_SECTION = "E0108",
        /// A value that ends in a lone `\` or mixes quotes so that it cannot be written down again.
        UNQUOTABLE = "E0109",
        /// No such variable.
        UNKNOWN_VARIABLE = "E0201",
        /// A selector on a variable without members.
        SELECTOR_NOT_TAKEN = "E0202",
        /// A selector that cannot be read.
        BAD_SELECTOR = "E0203",
        /// A target list that cannot be read.
        BAD_TARGETS = "E0204",
        /// No such operator.
        UNKNOWN_OPERATOR = "E0211",
        /// An operator that is known and refused.
        REFUSED_OPERATOR = "E0212",
        /// An operator's argument that cannot be read.
        BAD_OPERATOR_ARGUMENT = "E0213",
        /// No such action.
        UNKNOWN_ACTION = "E0301",
        /// An action's argument that is missing or cannot be read.
        BAD_ACTION_ARGUMENT = "E0302",
        /// An action that is known and refused.
        REFUSED_ACTION = "E0303",
        /// No such transformation.
        UNKNOWN_TRANSFORMATION = "E0304",
        /// No such `ctl` option.
        UNKNOWN_CTL = "E0305",
        /// An action list that cannot be read.
        BAD_ACTIONS = "E0306",
        /// An action that may not stand here.
        MISPLACED_ACTION = "E0307",
        /// A rule without an id.
        MISSING_ID = "E0401",
        /// An id that two rules have.
        DUPLICATE_ID = "E0402",
        /// A disruptive action in a chained rule.
        DISRUPTIVE_IN_CHAIN = "E0403",
        /// A chain that does not go on.
        BROKEN_CHAIN = "E0404",
        /// A `SecDefaultAction` that is not allowed.
        BAD_DEFAULT_ACTION = "E0405",
        /// A directive without meaning here.
        IGNORED_DIRECTIVE = "W0501",
        /// An action or option without effect here.
        IGNORED_ACTION = "W0502",
        /// A rule without a phase.
        MISSING_PHASE = "W0503",
        /// An action that belongs to the first rule of a chain.
        ACTION_IN_CHAIN = "W0504",
        /// A `skipAfter` that leads nowhere.
        UNKNOWN_LABEL = "W0505",
        /// A target list of exclusions only.
        ONLY_EXCLUSIONS = "W0506",
        /// A macro that names no variable.
        UNKNOWN_MACRO = "W0507",
        /// Text that looks like something else than it is.
        SUSPICIOUS = "W0508",
        /// An action that is given twice, of which one counts.
        REPEATED_ACTION = "W0509",
        /// A file that is missing and can be done without.
        MISSING_FILE = "W0510",
        /// An update that stands before the rule it is about.
        UPDATE_TOO_EARLY = "W0511",
        /// A section of a web server's configuration that was accepted.
        ACCEPTED_SECTION = "W0512",
    }
}
