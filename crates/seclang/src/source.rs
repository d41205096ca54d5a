//! The files of a program: their texts, their places, and lines and columns of spans.

use crate::ast::{FileId, Span};

/// Where rule text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, or a glob of files, that the loader knows.
    File(String),
    /// A text at hand, such as built-in settings or an annotation's snippet.
    Text {
        /// What diagnostics and logs call it.
        name: String,
        /// The text.
        text: Vec<u8>,
        /// Relative names in it resolve from this directory.
        directory: String,
    },
}

/// The files of a loaded program, by [`FileId`].
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

#[derive(Clone, Debug)]
struct SourceFile {
    name: String,
    directory: String,
    text: Vec<u8>,
    /// Offset of each line's first byte.
    lines: Vec<u32>,
    included_at: Option<Span>,
}

impl SourceMap {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file. `directory` is where relative names in it resolve from; `included_at` is the `Include` that named it.
    ///
    /// # Panics
    /// With more than `u32::MAX` files; [`crate::Limits::files_max`] is far below.
    pub fn add(
        &mut self,
        name: String,
        directory: String,
        text: Vec<u8>,
        included_at: Option<Span>,
    ) -> FileId {
        let id = FileId(
            u32::try_from(self.files.len()).expect("the number of files is bounded far below u32::MAX"),
        );
        let mut lines = vec![0];
        lines.extend(bstr::ByteSlice::find_iter(text.as_slice(), b"\n").map(|at| at as u32 + 1));
        self.files.push(SourceFile { name, directory, text, lines, included_at });
        id
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The ids of all files, in the order in which they were read.
    pub fn ids(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..self.files.len() as u32).map(FileId)
    }

    /// The name of a file as it was opened.
    ///
    /// # Panics
    /// When the id is of another map, as do the other getters.
    pub fn name(&self, file: FileId) -> &str {
        &self.file(file).name
    }

    /// The directory from which relative names in a file resolve; empty for the working directory.
    pub fn directory(&self, file: FileId) -> &str {
        &self.file(file).directory
    }

    /// The text of a file.
    pub fn text(&self, file: FileId) -> &[u8] {
        &self.file(file).text
    }

    /// The `Include` by which a file was reached; `None` for a named source.
    pub fn included_at(&self, file: FileId) -> Option<Span> {
        self.file(file).included_at
    }

    /// Where a name in a file leads, such as a `.data` file's.
    pub fn resolve(&self, file: FileId, name: &str) -> String {
        join(self.directory(file), name)
    }

    /// The line on which a span starts, from 1. O(log lines).
    pub fn line(&self, span: Span) -> usize {
        self.file(span.file).lines.partition_point(|&start| start <= span.start)
    }

    /// Line and column at which a span starts, from 1; the column counts characters (a stray byte is one).
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let line = self.line(span);
        let file = self.file(span.file);
        let start = (span.start as usize).min(file.text.len());
        let before = &file.text[(file.lines[line - 1] as usize).min(start)..start];
        (line, bstr::ByteSlice::chars(before).count() + 1)
    }

    /// A line's bytes without its end, and the offset of its first byte. Lines count from 1.
    pub(crate) fn line_text(&self, file: FileId, line: usize) -> (&[u8], usize) {
        let file = self.file(file);
        let start = file.lines[line - 1] as usize;
        let end = file.lines.get(line).map_or(file.text.len(), |&next| next as usize - 1);
        let text = &file.text[start..end];
        (text.strip_suffix(b"\r").unwrap_or(text), start)
    }

    fn file(&self, file: FileId) -> &SourceFile {
        &self.files[file.0 as usize]
    }
}

/// Where a relative name leads that a file uses: beside that file. An absolute name stays.
///
/// Nothing is looked up and `..` is kept, since only the file system knows where it leads.
pub fn resolve(naming_file: &str, name: &str) -> String {
    join(directory_of(naming_file), name)
}

/// A path without its last component; empty when there is none, `/` for files in the root.
pub(crate) fn directory_of(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) => "/",
        Some(at) => &path[..at],
        None => "",
    }
}

pub(crate) fn join(directory: &str, name: &str) -> String {
    if name.starts_with('/') || directory.is_empty() {
        return name.to_owned();
    }
    if directory.ends_with('/') { format!("{directory}{name}") } else { format!("{directory}/{name}") }
}
