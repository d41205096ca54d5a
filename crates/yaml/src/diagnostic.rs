//! What is wrong with a file, and how that is shown.

use std::fmt::Write as _;

use crate::node::Origin;

/// Whether what was written may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// It may, but does something else than one could think.
    Warning,
    /// It must not be used.
    Error,
}

/// One finding about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Where the value was written.
    pub origin: Origin,
    /// Which value, as a path: `services[0].upstream.url`. Empty when it is about the whole.
    pub key: String,
    /// What is wrong with it, with the value; one line.
    pub message: String,
    /// A value that works, or what to do.
    pub help: Option<String>,
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
    /// Whether it forbids the use of what was written.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The text for people, ending in a line end. `file` is the file's name and text, where there is one.
    ///
    /// ```text
    /// error: services[0].upstream.url: `127.0.0.1:3000` is not an upstream
    ///   --> palisade.yaml:12:18
    ///    |
    /// 12 |   upstream: {url: 127.0.0.1:3000}
    ///    |                   ^^^^^^^^^^^^^^
    ///    = help: write http://127.0.0.1:3000
    /// ```
    pub fn render(&self, file: Option<(&str, &[u8])>, style: Style) -> String {
        let paint = |color: &str, text: &str| match style {
            Style::Plain => text.to_owned(),
            Style::Color => format!("\x1b[{color}m{text}\x1b[0m"),
        };
        let (word, color) = match self.severity {
            Severity::Error => ("error", "1;31"),
            Severity::Warning => ("warning", "1;33"),
        };
        let about = match self.origin {
            Origin::Flag(flag) => format!("{flag}: "),
            _ if self.key.is_empty() => String::new(),
            _ => format!("{}: ", self.key),
        };
        let mut out = String::new();
        let _ = writeln!(out, "{}{}", paint(color, word), paint("1", &format!(": {about}{}", self.message)));
        let mut width = 1;
        if let (Origin::File { line, column, length }, Some((name, text))) = (self.origin, file) {
            width = line.to_string().len();
            let bar = paint("1;34", "|");
            let _ = writeln!(out, " {:width$}{} {name}:{line}:{column}", "", paint("1;34", "-->"));
            if let Some((shown, before, marked)) = excerpt(text, line, column, length) {
                let number = paint("1;34", &line.to_string());
                let marks = paint(color, &"^".repeat(marked));
                let _ = writeln!(out, " {:width$} {bar}", "");
                let _ = writeln!(out, " {number} {bar} {shown}");
                let _ = writeln!(out, " {:width$} {bar} {:before$}{marks}", "", "");
            }
        } else if let (Origin::Default, Some((name, _))) = (self.origin, file) {
            let _ = writeln!(out, " {:width$}{} {name}", "", paint("1;34", "-->"));
        }
        if let Some(help) = &self.help {
            let bar = paint("1;34", &format!("{:width$} =", ""));
            let _ = writeln!(out, " {bar} {}: {help}", paint("1", "help"));
        }
        out
    }
}

/// A line as it is shown, the columns before the marks, and how many marks.
fn excerpt(text: &[u8], line: u32, column: u32, length: u32) -> Option<(String, usize, usize)> {
    let line = text.split(|byte| *byte == b'\n').nth(line.checked_sub(1)? as usize)?;
    let line = String::from_utf8_lossy(line);
    let column = column.saturating_sub(1) as usize;
    // The clip starts a little before the marks.
    let from = if line.chars().count() > CLIP_COLUMNS { column.saturating_sub(CLIP_BEFORE) } else { 0 };
    let mut shown = String::from(if from > 0 { "..." } else { "" });
    let before = shown.len() + (column - from);
    for (count, char) in line.trim_end().chars().skip(from).enumerate() {
        if count == CLIP_COLUMNS {
            shown.push_str("...");
            break;
        }
        shown.push(if char.is_control() { ' ' } else { char });
    }
    let room = shown.chars().count().saturating_sub(before);
    Some((shown, before, (length as usize).clamp(1, room.max(1))))
}

/// Columns of a line that are shown.
const CLIP_COLUMNS: usize = 110;
/// Columns shown before the marks in a clipped line.
const CLIP_BEFORE: usize = 40;

/// Collects findings, and counts those above a bound.
#[derive(Debug, Default)]
pub struct Sink {
    found: Vec<Diagnostic>,
    errors: usize,
    dropped: usize,
}

/// Findings that are kept. A file with more is of another kind altogether.
const DIAGNOSTICS_MAX: usize = 100;

impl Sink {
    /// Takes one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.is_error());
        if self.found.len() < DIAGNOSTICS_MAX {
            self.found.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// All of them in the order of the file; those of flags and of no place come first.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|diagnostic| match diagnostic.origin {
            Origin::File { line, column, .. } => (line, column),
            _ => (0, 0),
        });
        if self.dropped > 0 {
            self.found.push(Diagnostic {
                severity: if self.errors > 0 { Severity::Error } else { Severity::Warning },
                origin: Origin::Default,
                key: String::new(),
                message: format!("{} more findings are not shown", self.dropped),
                help: None,
            });
        }
        self.found
    }
}
