//! Whole programs: sources in order, includes expanded, everything checked.
//!
//! Files are read through a [`Loader`]; this crate opens none itself.

use std::collections::BTreeMap;
use std::fmt;

use bstr::ByteSlice;

use crate::ast::{Directive, FileId, Setting, Span, Spanned};
use crate::check::check_into;
use crate::diagnostic::{Diagnostic, Severity, Sink, codes, quoted};
use crate::glob::{glob_matches, is_glob};
use crate::limits::Limits;
use crate::parse::{file_too_large, parse_into};
use crate::source::{Source, SourceMap, directory_of, join};

/// How files are reached.
pub trait Loader {
    /// The content of a file.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, LoadError>;

    /// The paths of the files that a glob names, in any order; none is no error. See [`glob_matches`].
    ///
    /// # Errors
    /// When a directory cannot be read.
    fn expand(&self, pattern: &str) -> Result<Vec<String>, LoadError>;
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// There is no such file, as opposed to one that cannot be read.
    pub not_found: bool,
    /// What happened, in words.
    pub message: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LoadError {}

/// Files in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryLoader {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryLoader {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same files and one more.
    pub fn with(mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), content.into());
        self
    }
}

impl Loader for MemoryLoader {
    fn read(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        let missing = || LoadError { not_found: true, message: "no such file".to_owned() };
        self.files.get(path).cloned().ok_or_else(missing)
    }

    fn expand(&self, pattern: &str) -> Result<Vec<String>, LoadError> {
        Ok(self.files.keys().filter(|path| glob_matches(pattern, path)).cloned().collect())
    }
}

/// A program: the directives of all files in the order in which they act, without `Include`s.
pub type Program = Vec<Spanned<Directive>>;

/// What loading gave.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The directives. Not to be used when [`Loaded::is_valid`] is false: rules with errors lack what could not be read.
    pub program: Program,
    /// The files that the spans point into.
    pub sources: SourceMap,
    /// All findings: those of each file in the order of reading, then those about the whole program.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether there is no error, so that the program may be used.
    pub fn is_valid(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Loads a program within the default [`Limits`].
pub fn load(sources: &[Source], loader: &dyn Loader) -> Loaded {
    load_with(sources, loader, &Limits::default())
}

/// Loads a program.
pub fn load_with(sources: &[Source], loader: &dyn Loader, limits: &Limits) -> Loaded {
    let mut expansion = Expansion {
        loader,
        limits,
        sink: Sink::new(limits),
        sources: SourceMap::new(),
        program: Vec::new(),
        open: Vec::new(),
        bytes: 0,
        stopped: false,
    };
    for source in sources {
        match source {
            Source::File(path) => expansion.named(path, None, false),
            Source::Text { name, text, directory } => {
                expansion.file(name.clone(), directory.clone(), text.clone(), None);
            }
        }
    }
    let Expansion { mut sink, sources, program, .. } = expansion;
    check_into(&program, &mut sink);
    Loaded { program, sources, diagnostics: sink.finish() }
}

struct Expansion<'a> {
    loader: &'a dyn Loader,
    limits: &'a Limits,
    sink: Sink,
    sources: SourceMap,
    program: Program,
    /// Names of the files that are being read, from the outermost in.
    open: Vec<String>,
    bytes: usize,
    /// A bound was reached; it was reported once.
    stopped: bool,
}

impl Expansion<'_> {
    /// Reads the file or files that a path names; `at` is the `Include` that does.
    fn named(&mut self, path: &str, at: Option<Span>, optional: bool) {
        if !is_glob(path) {
            self.read(path, at, optional);
            return;
        }
        match self.loader.expand(path) {
            Ok(mut paths) => {
                paths.sort_unstable();
                paths.dedup();
                if paths.is_empty() && !optional {
                    let message = format!("no file matches `{path}`");
                    let help =
                        "correct the path, or write `IncludeOptional` when it is fine that there is none";
                    self.report(codes::INCLUDE_NOTHING, at, message, Some(help));
                }
                for path in paths {
                    self.read(&path, at, optional);
                }
            }
            Err(error) if error.not_found && optional => {}
            Err(error) => {
                self.report(codes::UNREADABLE, at, format!("cannot look up `{path}`: {error}"), None)
            }
        }
    }

    fn read(&mut self, path: &str, at: Option<Span>, optional: bool) {
        if self.stopped {
            return;
        }
        if self.open.iter().any(|open| open == path) {
            self.report(
                codes::INCLUDE_CYCLE,
                at,
                format!("`{path}` includes itself"),
                Some("remove this `Include`"),
            );
            return;
        }
        if self.open.len() > self.limits.include_depth_max {
            let message = format!("includes nest deeper than {}", self.limits.include_depth_max);
            self.report(codes::INCLUDE_CYCLE, at, message, Some("include the file from an outer one"));
            return;
        }
        match self.loader.read(path) {
            Ok(text) => self.file(path.to_owned(), directory_of(path).to_owned(), text, at),
            Err(error) if error.not_found && optional => {}
            Err(error) => {
                let help = at.map(|_| "relative names start at the directory of the file that names them");
                self.report(codes::UNREADABLE, at, format!("cannot read `{path}`: {error}"), help);
            }
        }
    }

    fn file(&mut self, name: String, directory: String, text: Vec<u8>, at: Option<Span>) {
        if self.stopped {
            return;
        }
        self.bytes = self.bytes.saturating_add(text.len());
        if self.sources.len() >= self.limits.files_max || self.bytes > self.limits.total_bytes_max {
            self.stopped = true;
            let message = if self.bytes > self.limits.total_bytes_max {
                format!("`{name}` would bring the program above {} bytes", self.limits.total_bytes_max)
            } else {
                format!(
                    "`{name}` would be file {} of at most {}",
                    self.sources.len() + 1,
                    self.limits.files_max
                )
            };
            self.report(codes::LIMIT, at, message, Some("nothing after it was read"));
            return;
        }
        // A file too large to read is not kept either; its name is, for the report.
        let too_large = (text.len() > self.limits.file_bytes_max).then_some(text.len());
        let kept = if too_large.is_some() { Vec::new() } else { text };
        let file = self.sources.add(name.clone(), directory, kept, at);
        if let Some(bytes) = too_large {
            self.sink.push(file_too_large(file, bytes, self.limits));
            return;
        }
        let directives = parse_into(file, self.sources.text(file), self.limits, &mut self.sink);
        self.open.push(name);
        for directive in directives {
            if self.stopped {
                break;
            }
            self.directive(file, directive);
        }
        self.open.pop();
    }

    fn directive(&mut self, file: FileId, directive: Spanned<Directive>) {
        if self.program.len() >= self.limits.directives_max {
            self.stopped = true;
            let message = format!("more than {} directives", self.limits.directives_max);
            self.report(codes::LIMIT, Some(directive.span), message, Some("nothing after this one was read"));
            return;
        }
        match &directive.node {
            Directive::Include { path, optional } => match path.node.to_str() {
                Ok(text) => {
                    let target = join(self.sources.directory(file), text);
                    self.named(&target, Some(path.span), *optional);
                }
                Err(_) => {
                    let message = format!("the path {} is not UTF-8", quoted(&path.node));
                    self.report(codes::UNREADABLE, Some(path.span), message, Some("rename the file"));
                }
            },
            Directive::Setting(Spanned { node: Setting::UnicodeMapFile { path, .. }, .. }) => {
                self.unicode_map(file, path);
                self.program.push(directive);
            }
            _ => self.program.push(directive),
        }
    }

    /// A mapping that is named and not there is a warning: the built-in one serves, and rule folders often lack it.
    fn unicode_map(&mut self, file: FileId, path: &Spanned<bstr::BString>) {
        let Ok(text) = path.node.to_str() else { return };
        let target = self.sources.resolve(file, text);
        if self.loader.read(&target).is_err_and(|error| error.not_found) {
            self.sink.push(
                Diagnostic::warning(
                    codes::MISSING_FILE,
                    path.span,
                    format!("the Unicode map `{target}` is not there"),
                )
                .label("the built-in map is used")
                .help("put the file beside this one, or remove the line"),
            );
        }
    }

    fn report(&mut self, code: &'static str, at: Option<Span>, message: String, help: Option<&str>) {
        let diagnostic = Diagnostic::new(Severity::Error, code, at, message);
        self.sink.push(match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
}
