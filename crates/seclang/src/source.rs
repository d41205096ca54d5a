//! The files of a program: their texts, their places, and lines and columns of spans.

use bstr::ByteSlice;

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
    /// Line ends before each block of [`BLOCK_BYTES`]: a file of nothing but line ends costs no more than its text.
    line_ends: Vec<u32>,
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
        let mut line_ends = vec![0];
        for block in text.chunks(BLOCK_BYTES) {
            line_ends.push(line_ends[line_ends.len() - 1] + count_line_ends(block));
        }
        self.files.push(SourceFile { name, directory, text, line_ends, included_at });
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

    /// The line on which a span starts, from 1. Looks at 4 KiB at most.
    pub fn line(&self, span: Span) -> usize {
        let file = self.file(span.file);
        let start = (span.start as usize).min(file.text.len());
        let block = start / BLOCK_BYTES;
        (file.line_ends[block] + count_line_ends(&file.text[block * BLOCK_BYTES..start])) as usize + 1
    }

    /// Line and column at which a span starts, from 1; the column counts characters (a stray byte is one).
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let (text, line_start) = self.line_text(span);
        let before = &text[..(span.start as usize).saturating_sub(line_start).min(text.len())];
        (self.line(span), before.chars().count() + 1)
    }

    /// The line on which a span starts, without its end, and the offset of its first byte.
    pub(crate) fn line_text(&self, span: Span) -> (&[u8], usize) {
        let text = &self.file(span.file).text;
        let at = (span.start as usize).min(text.len());
        let start = text[..at].rfind_byte(b'\n').map_or(0, |end| end + 1);
        let end = text[at..].find_byte(b'\n').map_or(text.len(), |length| at + length);
        let line = &text[start..end];
        (line.strip_suffix(b"\r").unwrap_or(line), start)
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

/// Bytes between two counts of line ends.
const BLOCK_BYTES: usize = 4096;

fn count_line_ends(text: &[u8]) -> u32 {
    text.iter().filter(|&&byte| byte == b'\n').count() as u32
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
