//! `multipart/form-data`, read strictly, with a flag for each thing that lets two readers disagree.
//!
//! Source: ModSecurity v3 `multipart.cc` for what is flagged and refused, observed on 3.0.9; the refusal of header
//! names with bytes outside 33-126 as in 3.0.13. Differs, so that nothing goes uninspected:
//!
//! - An error does not end the reading (only limits do): parts after it, a part without a final boundary, and a part
//!   without a name are shown. The first error is kept, where v3 keeps the last.
//! - Line breaks inside a value stay; 3.0.9 drops them (`SEL\r\nECT` is seen as `SELECT`).
//! - `MULTIPART_UNMATCHED_BOUNDARY` is 2 only when it was 1 before; v3 sets 2 for every body of two parts.
//! - A boundary inside a part's headers or right after them, with no line break of its own, is a boundary and an
//!   error; 3.0.9 takes it for a header or for data.
//! - Blanks before an unquoted boundary are flagged and not part of it.
//! - A header given twice in one part is an error; v3 goes on with the first and says nothing.
//! - Values of part headers have no line end (as 3.0.10).

use crate::limits::{BoundedFields, note};
use crate::params::is_blank;
use crate::{BodyLimits, Fields, LimitHit};
use memchr::memmem::Finder;

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

/// Reads a multipart body that comes in pieces. O(n). Memory: one line, one part's headers, and what is kept.
#[derive(Clone, Debug)]
pub struct MultipartParser {
    limits: BodyLimits,
    /// `--` and the boundary; empty when the header gave none, and then nothing is read.
    delimiter: Vec<u8>,
    finder: Finder<'static>,
    fields: BoundedFields,
    part_headers: BoundedFields,
    out: Multipart,
    /// The line being read, at most [`LINE_BYTES_MAX`] of it.
    line: Vec<u8>,
    /// Whether `line` begins where a line begins, and not in the middle of a long one.
    line_is_whole: bool,
    place: Place,
    part: Part,
    parts: usize,
    files_kept: usize,
    seen_data: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Preamble,
    Headers,
    Content,
    /// After the last boundary.
    Epilogue,
    /// Over a limit: nothing more is read.
    Stopped,
}

/// The part being read.
#[derive(Clone, Debug, Default)]
struct Part {
    /// Header lines as sent, without line ends; folded ones joined. And where each name ends.
    headers: Vec<(Vec<u8>, usize)>,
    headers_bytes: usize,
    name: Option<Vec<u8>>,
    file_name: Option<Vec<u8>>,
    is_file: bool,
    keep_content: bool,
    content: Vec<u8>,
    content_truncated: bool,
    size: u64,
    /// The line end that stands before a boundary belongs to the boundary: it is held back until the next line.
    line_end: &'static [u8],
}

/// How much of a line is looked at at once. A boundary line or a part's header that is longer is none.
const LINE_BYTES_MAX: usize = 4096;
/// Header lines of one part; they are compared with one another.
const PART_HEADERS_MAX: usize = 64;
/// The `Content-Type` value.
const CONTENT_TYPE_BYTES_MAX: usize = 1024;

impl MultipartParser {
    /// A parser for a body whose `Content-Type` is this value. A value without a usable boundary is an error, and
    /// nothing of the body is read.
    pub fn new(content_type: &[u8], limits: &BodyLimits) -> Self {
        let mut out = Multipart::default();
        let delimiter = match boundary(content_type, &mut out.flags) {
            Ok(boundary) => [b"--", boundary].concat(),
            Err(message) => {
                out.flags.error = true;
                out.error = Some(format!("Multipart: {message}."));
                Vec::new()
            }
        };
        let unbounded = BodyLimits { arguments_max: usize::MAX, ..limits.clone() };
        MultipartParser {
            limits: limits.clone(),
            fields: BoundedFields::new(limits),
            // Counted by part and by line already; here by bytes, as a long name stands before each line.
            part_headers: BoundedFields::new(&unbounded),
            place: if delimiter.is_empty() { Place::Stopped } else { Place::Preamble },
            finder: Finder::new(&delimiter).into_owned(),
            delimiter,
            out,
            line: Vec::new(),
            line_is_whole: true,
            part: Part::default(),
            parts: 0,
            files_kept: 0,
            seen_data: false,
        }
    }

    /// Takes the next piece.
    pub fn feed(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            match self.place {
                Place::Stopped => return,
                Place::Epilogue => {
                    self.out.flags.data_after = true;
                    return;
                }
                Place::Preamble | Place::Headers | Place::Content => {}
            }
            self.seen_data = true;
            let room = LINE_BYTES_MAX - self.line.len();
            let window = &chunk[..chunk.len().min(room)];
            let taken = match memchr::memchr(b'\n', window) {
                Some(end) => end + 1,
                None => window.len(),
            };
            self.line.extend_from_slice(&chunk[..taken]);
            chunk = &chunk[taken..];
            if self.line.ends_with(b"\n") {
                self.end_line();
            } else if self.line.len() == LINE_BYTES_MAX {
                // A CR at the edge waits for the LF that may follow it.
                let kept = self.line.pop_if(|byte| *byte == b'\r');
                self.end_line();
                self.line.extend(kept);
            }
        }
    }

    /// Whether what was read so far cannot be the beginning of a body.
    pub(crate) fn has_error(&self) -> bool {
        self.out.error.is_some()
    }

    /// Ends the body. A part without its final boundary is an error, and is kept.
    pub fn finish(mut self) -> Multipart {
        if matches!(self.place, Place::Preamble | Place::Headers | Place::Content) {
            let ends = self.line_is_whole
                && self.line.strip_prefix(&self.delimiter[..]) == Some(b"--")
                && self.place != Place::Preamble;
            if ends {
                self.check_boundary_place();
                self.line.clear();
                self.end_part();
                self.place = Place::Epilogue;
            } else if self.seen_data {
                let message = match self.place {
                    Place::Preamble => "No boundaries found in payload",
                    _ => "Final boundary missing",
                };
                if !self.line.is_empty() {
                    self.take_line();
                }
                self.error(message.to_owned());
            }
        }
        if matches!(self.place, Place::Headers | Place::Content | Place::Stopped) {
            self.end_part();
        }
        self.out.fields = self.fields.fields;
        self.out.part_headers = self.part_headers.fields;
        for hit in self.fields.hits.into_iter().chain(self.part_headers.hits) {
            note(&mut self.out.limit_hits, hit);
        }
        self.out
    }

    /// Deals with `line`: all of a line, or as much of a long one as fits.
    fn end_line(&mut self) {
        let is_boundary = self.line_is_whole && self.boundary_line();
        if !is_boundary {
            self.take_line();
        }
        self.line_is_whole = self.line.ends_with(b"\n");
        self.line.clear();
    }

    /// Takes a boundary line for what it is; notes what only looks like one.
    fn boundary_line(&mut self) -> bool {
        let line = &self.line[..];
        let Some(rest) = line.strip_prefix(b"--") else {
            if self.finder.find(line).is_some() {
                self.out.flags.unmatched_boundary = 1;
            }
            return false;
        };
        let boundary = &self.delimiter[2..];
        let Some(rest) = rest.strip_prefix(boundary) else {
            let inner = &rest[rest.iter().position(|&byte| !is_space(byte)).unwrap_or(rest.len())..];
            if self.out.flags.boundary_quoted
                && rest.strip_prefix(b"\"").is_some_and(|rest| rest.starts_with(boundary))
            {
                self.error("Invalid boundary (quotes)".to_owned());
            } else if inner.len() < rest.len() && inner.starts_with(boundary) {
                self.error("Invalid boundary (whitespace)".to_owned());
            } else if line.len() > 3 {
                self.out.flags.unmatched_boundary = 1;
            }
            return false;
        };
        let (is_final, rest) = match rest.strip_prefix(b"--") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        match rest {
            b"\r\n" => self.out.flags.crlf_line = true,
            b"\n" => self.out.flags.lf_line = true,
            _ => {
                let message = format!("Invalid boundary: {}", shown(line));
                self.error(message);
                return false;
            }
        }
        self.check_boundary_place();
        if self.out.flags.unmatched_boundary == 1 {
            self.out.flags.unmatched_boundary = 2;
        }
        if self.place != Place::Preamble {
            self.end_part();
        }
        self.place = Place::Headers;
        if is_final {
            self.place = Place::Epilogue;
        } else if self.parts == self.limits.parts_max {
            self.stop(LimitHit::Parts, format!("More than {} parts", self.limits.parts_max));
        } else {
            self.parts += 1;
        }
        true
    }

    /// Right after a part's headers, or inside them, some readers look for a line break and the boundary, and find
    /// none yet.
    fn check_boundary_place(&mut self) {
        let after_headers =
            self.place == Place::Content && self.part.size == 0 && self.part.line_end.is_empty();
        if after_headers || self.place == Place::Headers {
            self.error("Invalid boundary (no line break before it)".to_owned());
        }
    }

    fn take_line(&mut self) {
        match self.place {
            Place::Preamble => self.out.flags.data_before = true,
            Place::Headers => self.header_line(),
            Place::Content => self.content_line(),
            Place::Epilogue | Place::Stopped => {}
        }
    }

    fn header_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.read_header(&line);
        self.line = line;
    }

    fn read_header(&mut self, line: &[u8]) {
        let (text, whole) = match line.strip_suffix(b"\n") {
            Some(text) => match text.strip_suffix(b"\r") {
                Some(text) => {
                    self.out.flags.crlf_line = true;
                    (text, true)
                }
                None => {
                    self.out.flags.lf_line = true;
                    (text, true)
                }
            },
            None => (line, false),
        };
        self.part.headers_bytes += line.len();
        if (!whole && line.len() >= LINE_BYTES_MAX - 1) || line.len() > self.limits.part_header_bytes_max {
            let message = format!("Part header line over {} bytes long", self.limits.part_header_bytes_max);
            return self.stop(LimitHit::PartHeader, message);
        }
        if self.part.headers_bytes > self.limits.part_headers_bytes_max
            || self.part.headers.len() == PART_HEADERS_MAX && !text.is_empty()
        {
            return self.stop(LimitHit::PartHeader, "Part headers too long".to_owned());
        }
        if text.is_empty() {
            if whole {
                self.end_headers();
            }
            return;
        }
        if memchr::memchr(0, text).is_some() {
            self.error("Nul byte in part headers".to_owned());
        }
        if is_space(text[0]) {
            self.out.flags.header_folding = true;
            let blanks = text.iter().take_while(|&&byte| is_space(byte)).count();
            if !text[..blanks].iter().all(|&byte| is_blank(byte)) {
                self.out.flags.invalid_header_folding = true;
            }
            match self.part.headers.last_mut() {
                Some((header, _)) => {
                    header.push(b' ');
                    header.extend_from_slice(&text[blanks..]);
                }
                None => {
                    self.error("Invalid part header (folding error)".to_owned());
                    self.part.headers.push((text.to_vec(), 0));
                }
            }
            return;
        }
        let colon = memchr::memchr(b':', text);
        let name = &text[..colon.unwrap_or(text.len())];
        if colon.is_none() {
            self.error(format!("Invalid part header (colon missing): {}", shown(text)));
        } else if name.is_empty() {
            self.error("Invalid part header (header name missing)".to_owned());
        } else if !name.iter().all(|byte| byte.is_ascii_graphic()) {
            self.error("Invalid part header (contains invalid character)".to_owned());
        } else if self.part.headers.iter().any(|(header, end)| header[..*end].eq_ignore_ascii_case(name)) {
            self.error(format!("Duplicate part header: {}", shown(name)));
        }
        // Without a colon it is no header, but rules see it among the part's all the same.
        let name_end = if colon.is_some() { name.len() } else { 0 };
        self.part.headers.push((text.to_vec(), name_end));
    }

    /// The blank line after the headers: who is this part? Whatever is wrong, its content is read.
    fn end_headers(&mut self) {
        self.place = Place::Content;
        let disposition = self
            .part
            .headers
            .iter()
            .find(|(header, end)| header[..*end].eq_ignore_ascii_case(b"content-disposition"))
            .map(|(header, end)| header[end + 1..].to_vec());
        let Some(disposition) = disposition else {
            return self.error("Part missing Content-Disposition header".to_owned());
        };
        let read = read_disposition(disposition.trim_ascii_start(), &mut self.part);
        self.out.flags.invalid_quoting |= read.invalid_quoting;
        if let Some(name) = &self.part.name {
            self.out.last_name.clone_from(name);
        }
        if let Some(name) = &self.part.file_name {
            self.out.last_file_name.clone_from(name);
        }
        if let Some(message) = read.error {
            self.error(format!("Invalid Content-Disposition header ({message}): {}", shown(&disposition)));
        } else if self.part.name.as_ref().is_none_or(|name| name.is_empty()) {
            self.error("Content-Disposition header missing name field".to_owned());
        }
        self.part.is_file = self.part.file_name.as_ref().is_some_and(|name| !name.is_empty());
        if self.part.is_file && memchr::memmem::find(&disposition, b"filename=").is_none() {
            // Crude parsers look for just this text and would see a field.
            self.error("Invalid Content-Disposition header (filename)".to_owned());
        }
        if self.part.is_file && self.limits.file_content_bytes_max > 0 {
            if self.files_kept < self.limits.files_max {
                self.files_kept += 1;
                self.part.keep_content = true;
            } else {
                self.out.flags.file_limit_exceeded = true;
                note(&mut self.out.limit_hits, LimitHit::Files);
            }
        }
    }

    fn content_line(&mut self) {
        let held = std::mem::take(&mut self.part.line_end);
        let line = std::mem::take(&mut self.line);
        let (text, line_end): (&[u8], &'static [u8]) = match line.strip_suffix(b"\n") {
            Some(text) => match text.strip_suffix(b"\r") {
                Some(text) => (text, b"\r\n"),
                None => (text, b"\n"),
            },
            None => (&line, b""),
        };
        self.add_content(held);
        self.add_content(text);
        self.part.line_end = line_end;
        self.line = line;
    }

    fn add_content(&mut self, bytes: &[u8]) {
        let part = &mut self.part;
        part.size += bytes.len() as u64;
        if !part.is_file {
            part.content.extend_from_slice(bytes);
        } else if part.keep_content {
            let room = self.limits.file_content_bytes_max - part.content.len();
            let kept = bytes.len().min(room);
            part.content.extend_from_slice(&bytes[..kept]);
            if kept < bytes.len() {
                part.content_truncated = true;
                note(&mut self.out.limit_hits, LimitHit::FileContent);
            }
        }
    }

    /// Hands on the part that was being read, if there is one.
    fn end_part(&mut self) {
        let part = std::mem::take(&mut self.part);
        let name = part.name.unwrap_or_default();
        for (header, _) in &part.headers {
            self.part_headers.push(&name, header);
        }
        if name.is_empty() && self.place != Place::Stopped {
            self.out.flags.invalid_part = true;
        }
        if part.is_file {
            self.out.files.push(MultipartFile {
                name,
                file_name: part.file_name.unwrap_or_default(),
                size: part.size,
                content: part.content,
                content_truncated: part.content_truncated,
            });
        } else if !name.is_empty() || !part.content.is_empty() {
            self.fields.push(&name, &part.content);
        }
    }

    /// Keeps the first error.
    fn error(&mut self, message: String) {
        self.out.flags.error = true;
        if self.out.error.is_none() {
            self.out.error = Some(format!("Multipart: {message}."));
        }
    }

    fn stop(&mut self, hit: LimitHit, message: String) {
        self.error(message);
        note(&mut self.out.limit_hits, hit);
        self.place = Place::Stopped;
    }
}

/// The boundary of a `Content-Type` value, taken as narrowly as ModSecurity does: what one server takes for a
/// boundary and another does not is an error or a flag.
fn boundary<'a>(value: &'a [u8], flags: &mut MultipartFlags) -> Result<&'a [u8], &'static str> {
    const TYPE: &[u8] = b"multipart/form-data";
    if value.is_empty() {
        return Err("Content-Type header not available");
    }
    if value.len() > CONTENT_TYPE_BYTES_MAX {
        return Err("Invalid boundary in C-T (length)");
    }
    let Some((head, rest)) = value.split_at_checked(TYPE.len()) else { return Err("Invalid MIME type") };
    if !head.eq_ignore_ascii_case(TYPE) {
        return Err("Invalid MIME type");
    }
    if boundary_params(value) > 1 {
        return Err("Multiple boundary parameters in C-T");
    }
    let Some(at) = memchr::memmem::find(rest, b"boundary") else {
        return Err(match boundary_params(value) {
            0 => "Boundary not found in C-T",
            _ => "Invalid boundary in C-T (case sensitivity)",
        });
    };
    match rest[..at].trim_ascii() {
        b";" => {}
        b"" => flags.missing_semicolon = true,
        _ => return Err("Invalid boundary in C-T (malformed)"),
    }
    let after = &rest[at + b"boundary".len()..];
    let Some(equals) = memchr::memchr(b'=', after) else {
        return Err("Invalid boundary in C-T (malformed)");
    };
    let before_equals = &after[..equals];
    if !before_equals.iter().all(|&byte| is_space(byte)) {
        return Err("Invalid boundary in C-T (parameter name)");
    }
    let text = &after[equals + 1..];
    flags.boundary_whitespace = !before_equals.is_empty() || text.first().is_some_and(|&byte| is_space(byte));
    let end = memchr::memchr(b';', text).unwrap_or(text.len());
    let text = text[..end].trim_ascii();
    let boundary = match text {
        [b'"', inner @ .., b'"'] => {
            flags.boundary_quoted = true;
            inner
        }
        [b'"', ..] | [.., b'"'] => return Err("Invalid boundary in C-T (quote)"),
        _ => text,
    };
    if boundary.is_empty() {
        return Err("Invalid boundary in C-T (empty)");
    }
    if boundary_params(boundary) > 0 {
        return Err("Invalid boundary in C-T (content)");
    }
    // RFC 2046 section 5.1.1.
    let valid = |&byte: &u8| byte.is_ascii_alphanumeric() || b" '()+_,-./:=?".contains(&byte);
    if !boundary.iter().all(valid) || boundary.ends_with(b" ") {
        return Err("Invalid boundary in C-T (characters)");
    }
    Ok(boundary)
}

/// How often the word `boundary` stands before a `=`, blanks between them allowed.
fn boundary_params(text: &[u8]) -> usize {
    let lower = text.to_ascii_lowercase();
    memchr::memmem::find_iter(&lower, b"boundary")
        .filter(|at| lower[at + b"boundary".len()..].trim_ascii_start().starts_with(b"="))
        .count()
}

#[derive(Default)]
struct DispositionRead {
    error: Option<&'static str>,
    invalid_quoting: bool,
}

/// Reads `form-data; name="..."; filename="..."` into the part. Stops at the first error; what was read before it
/// is the part's.
fn read_disposition(value: &[u8], part: &mut Part) -> DispositionRead {
    let mut read = DispositionRead::default();
    read.error = read_disposition_params(value, part, &mut read.invalid_quoting).err();
    read
}

fn read_disposition_params(
    value: &[u8],
    part: &mut Part,
    invalid_quoting: &mut bool,
) -> Result<(), &'static str> {
    let type_error = match value.strip_prefix(b"form-data") {
        Some(_) => Ok(()),
        None => Err("not form-data"),
    };
    let type_end = value.iter().position(|&byte| byte == b';' || is_blank(byte)).unwrap_or(value.len());
    if type_error.is_ok() && type_end != b"form-data".len() {
        return Err("no semicolon");
    }
    let mut rest = skip_blanks(&value[type_end..]);
    while !rest.is_empty() {
        rest = match rest.strip_prefix(b";") {
            Some(rest) => skip_blanks(rest),
            None => {
                *invalid_quoting |= rest.contains(&b'"') || rest.contains(&b'\'');
                return Err("no semicolon");
            }
        };
        let name_end = rest.iter().position(|&byte| byte == b'=' || is_blank(byte)).unwrap_or(rest.len());
        let name = &rest[..name_end];
        rest = skip_blanks(&rest[name_end..]);
        rest = match rest.strip_prefix(b"=") {
            Some(rest) => skip_blanks(rest),
            None => return Err("no value"),
        };
        let mut text = Vec::new();
        let quote = match rest {
            [quote @ (b'"' | b'\''), ..] => Some(*quote),
            [] => return Err("no value"),
            _ => None,
        };
        if let Some(quote) = quote {
            *invalid_quoting |= quote == b'\'';
            rest = &rest[1..];
            let mut closed = false;
            while let [byte, tail @ ..] = rest {
                rest = tail;
                match (*byte, tail) {
                    // Only the quote and the backslash are escaped: old browsers send `C:\dir\file` as it is.
                    (b'\\', [next, tail @ ..]) if *next == quote || *next == b'\\' => {
                        text.push(*next);
                        rest = tail;
                    }
                    (byte, _) if byte == quote => {
                        closed = true;
                        break;
                    }
                    (byte, _) => text.push(byte),
                }
            }
            if !closed {
                *invalid_quoting = true;
                keep_param(name, text, part)?;
                return Err("quote not closed");
            }
        } else {
            let end = rest.iter().position(|&byte| !is_mime_token(byte)).unwrap_or(rest.len());
            text.extend_from_slice(&rest[..end]);
            rest = &rest[end..];
        }
        if quote != Some(b'"') && text.contains(&b'\'') && matches!(name, b"name" | b"filename") {
            *invalid_quoting = true;
        }
        keep_param(name, text, part)?;
        rest = skip_blanks(rest);
    }
    type_error
}

fn keep_param(name: &[u8], text: Vec<u8>, part: &mut Part) -> Result<(), &'static str> {
    let (place, duplicate) = match name {
        b"name" => (&mut part.name, "duplicate name"),
        b"filename" => (&mut part.file_name, "duplicate filename"),
        _ => return Err("unknown parameter"),
    };
    match place {
        Some(_) => Err(duplicate),
        None => {
            *place = Some(text);
            Ok(())
        }
    }
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|&byte| !is_blank(byte)).unwrap_or(text.len())..]
}

/// White space as C's `isspace` has it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// A token character of RFC 2045.
fn is_mime_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}

/// The beginning of a text for a message, printable.
fn shown(text: &[u8]) -> String {
    text[..text.len().min(80)].escape_ascii().to_string()
}
