//! `multipart/form-data`, read strictly, with a flag for each thing that lets two readers disagree.

use crate::{BodyLimits, Fields, LimitHit};

/// What was odd about a multipart body; the names are those of the `MULTIPART_*` variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultipartFlags {
    /// An error ended or spoiled the reading (the message is in [`Multipart::error`]).
    pub error: bool,
    /// The boundary was given in quotes.
    pub boundary_quoted: bool,
    /// White space around the `=` of the boundary parameter.
    pub boundary_whitespace: bool,
    /// Data before the first boundary.
    pub data_before: bool,
    /// Data after the last boundary.
    pub data_after: bool,
    /// A part's header was continued on a second line.
    pub header_folding: bool,
    /// Such a line began with white space other than space and tab.
    pub invalid_header_folding: bool,
    /// A line ended in LF without CR.
    pub lf_line: bool,
    /// A line ended in CRLF. With `lf_line` it makes `MULTIPART_CRLF_LF_LINES`.
    pub crlf_line: bool,
    /// No semicolon before the boundary parameter.
    pub missing_semicolon: bool,
    /// A name or file name was quoted with `'` or held one.
    pub invalid_quoting: bool,
    /// A part without a name.
    pub invalid_part: bool,
    /// More files than [`BodyLimits::files_max`].
    pub file_limit_exceeded: bool,
    /// 1: a line looked like a boundary and was none. 2: the same, and then the boundary came after all. 0: neither.
    pub unmatched_boundary: u8,
}

impl MultipartFlags {
    /// `MULTIPART_CRLF_LF_LINES`: both line ends were used.
    pub fn crlf_lf_lines(&self) -> bool {
        self.crlf_line && self.lf_line
    }

    /// `MULTIPART_STRICT_ERROR`: any of the flags but an unmatched boundary.
    pub fn strict_error(&self) -> bool {
        self.error
            || self.boundary_quoted
            || self.boundary_whitespace
            || self.data_before
            || self.data_after
            || self.header_folding
            || self.lf_line
            || self.missing_semicolon
            || self.invalid_quoting
            || self.invalid_part
            || self.invalid_header_folding
            || self.file_limit_exceeded
    }
}

/// A part that had a file name.
#[derive(Clone, Debug, Default)]
pub struct MultipartFile {
    /// The field's name (`FILES_NAMES`, and the key of the other `FILES*` collections).
    pub name: Vec<u8>,
    /// The file's name as sent (`FILES`).
    pub file_name: Vec<u8>,
    /// Bytes of content (`FILES_SIZES`).
    pub size: u64,
    /// The content, as far as [`BodyLimits::file_content_bytes_max`] kept it.
    pub content: Vec<u8>,
    /// Whether there was more content than was kept.
    pub content_truncated: bool,
}

/// A multipart body in its parts.
#[derive(Clone, Debug, Default)]
pub struct Multipart {
    /// Parts without a file name, in order.
    pub fields: Fields,
    /// Parts with a file name, in order.
    pub files: Vec<MultipartFile>,
    /// Header lines of all parts: the part's name, and `Header: value` without its line end (`MULTIPART_PART_HEADERS`).
    pub part_headers: Fields,
    /// What was odd.
    pub flags: MultipartFlags,
    /// The first error.
    pub error: Option<String>,
    /// Bounds that were met.
    pub limit_hits: Vec<LimitHit>,
    /// The last part's name (`MULTIPART_NAME`).
    pub last_name: Vec<u8>,
    /// The last file's name (`MULTIPART_FILENAME`).
    pub last_file_name: Vec<u8>,
}

/// Reads a multipart body that comes in pieces.
#[derive(Clone, Debug)]
pub struct MultipartParser {
    out: Multipart,
}

impl MultipartParser {
    /// A parser for a body whose `Content-Type` is this value.
    pub fn new(content_type: &[u8], limits: &BodyLimits) -> Self {
        let _ = (content_type, limits);
        MultipartParser { out: Multipart::default() }
    }

    /// Takes the next piece.
    pub fn feed(&mut self, chunk: &[u8]) {
        let _ = chunk;
    }

    /// Ends the body.
    pub fn finish(self) -> Multipart {
        self.out
    }
}
