//! Heads of requests and responses as they stood on the wire, and what is odd about them.
//!
//! Our own reader, because an inspecting one must show what a serving one refuses: a head with two lengths, a bare
//! CR or a folded line is read as far as it makes sense, so that rules see it, and carries a [`FramingFinding`] for
//! each departure. Findings that let two readers disagree about where a message ends or for whom it is are
//! [`FramingFinding::is_ambiguous`]; who forwards messages refuses those. Grammar: RFC 9112.

use crate::params::{is_blank, trim};
use crate::{Fields, HeadLimits};

/// A departure from RFC 9112 in a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FramingFinding {
    /// Both Content-Length and Transfer-Encoding are there: the classic of request smuggling.
    ContentLengthWithTransferEncoding,
    /// Several Content-Length values that differ.
    ContentLengthDiffers,
    /// The same Content-Length more than once, as fields or as a list.
    ContentLengthRepeated,
    /// A Content-Length that is not a decimal number of at most 18 digits (`+5`, `0x5`, empty).
    ContentLengthInvalid,
    /// A CR that does not stand before an LF. Some readers end a line there.
    BareCr,
    /// A line that ends in LF without CR.
    BareLf,
    /// A header continued on a line that begins with a blank (obs-fold). Joined with one space.
    ObsFold,
    /// A first header line that begins with a blank: it continues nothing.
    FoldWithoutHeader,
    /// Blanks between a header's name and its colon.
    SpaceBeforeColon,
    /// A byte in a header's name that is no token character, or an empty name.
    HeaderNameInvalid,
    /// A header line without a colon. Kept with an empty value.
    HeaderWithoutColon,
    /// A control byte other than tab in a header's value.
    HeaderValueInvalid,
    /// A NUL anywhere in the head.
    Nul,
    /// More than one Host.
    HostRepeated,
    /// No Host in a request of HTTP/1.1.
    HostMissing,
    /// An empty Host, or one with bytes that no host and port can have (blanks, `/`, `@`, `%`, a list).
    HostInvalid,
    /// The authority of an absolute target is not what Host says.
    HostDiffersFromTarget,
    /// A transfer coding other than `chunked`, `chunked` not last or given twice, or an empty list.
    TransferCodingUnknown,
    /// Transfer-Encoding in HTTP/1.0, which has none.
    TransferEncodingOnHttp10,
    /// A version that is not `HTTP/digit.digit`.
    VersionInvalid,
    /// A well-formed version other than 1.0 and 1.1.
    VersionUnsupported,
    /// Blanks inside the target, or more than one blank between the parts of the start line.
    TargetSpace,
    /// A control byte inside the target.
    TargetControl,
    /// An empty target, one of no known form, or one with a fragment.
    TargetInvalid,
    /// A method with a byte that is no token character.
    MethodInvalid,
    /// A request line without a version: HTTP/0.9.
    Http09,
    /// A start line that has not even two parts.
    LineMalformed,
    /// A status that is not three digits.
    StatusInvalid,
    /// Empty lines before the start line. One is allowed by RFC 9112 section 2.2.
    BlankLinesBefore,
    /// The start line is longer than [`HeadLimits::line_bytes_max`].
    LineTooLong,
    /// The head is longer than [`HeadLimits::head_bytes_max`].
    HeadTooLarge,
    /// There are more fields than [`HeadLimits::headers_max`].
    TooManyHeaders,
}

impl FramingFinding {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::ContentLengthWithTransferEncoding,
        Self::ContentLengthDiffers,
        Self::ContentLengthRepeated,
        Self::ContentLengthInvalid,
        Self::BareCr,
        Self::BareLf,
        Self::ObsFold,
        Self::FoldWithoutHeader,
        Self::SpaceBeforeColon,
        Self::HeaderNameInvalid,
        Self::HeaderWithoutColon,
        Self::HeaderValueInvalid,
        Self::Nul,
        Self::HostRepeated,
        Self::HostMissing,
        Self::HostInvalid,
        Self::HostDiffersFromTarget,
        Self::TransferCodingUnknown,
        Self::TransferEncodingOnHttp10,
        Self::VersionInvalid,
        Self::VersionUnsupported,
        Self::TargetSpace,
        Self::TargetControl,
        Self::TargetInvalid,
        Self::MethodInvalid,
        Self::Http09,
        Self::LineMalformed,
        Self::StatusInvalid,
        Self::BlankLinesBefore,
        Self::LineTooLong,
        Self::HeadTooLarge,
        Self::TooManyHeaders,
    ];

    /// The one of a [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|finding| finding.name() == name)
    }

    /// Whether two readers of this head may disagree about where the message ends or for whom it is. Who forwards
    /// messages refuses such a head; the others are merely odd.
    pub fn is_ambiguous(self) -> bool {
        use FramingFinding::*;
        match self {
            ContentLengthWithTransferEncoding
            | ContentLengthDiffers
            | ContentLengthRepeated
            | ContentLengthInvalid
            | BareCr
            | BareLf
            | ObsFold
            | FoldWithoutHeader
            | SpaceBeforeColon
            | HeaderNameInvalid
            | HeaderWithoutColon
            | Nul
            | HostRepeated
            | HostMissing
            | HostInvalid
            | TransferCodingUnknown
            | TransferEncodingOnHttp10
            | VersionInvalid
            | VersionUnsupported
            | TargetSpace
            | TargetControl
            | TargetInvalid
            | MethodInvalid
            | Http09
            | LineMalformed
            | StatusInvalid
            | LineTooLong
            | HeadTooLarge
            | TooManyHeaders => true,
            // RFC 9112 section 2.2 has a server skip an empty line; RFC 9110 section 5.5 lets a recipient keep
            // control bytes other than CR, LF and NUL in a value; RFC 9112 section 3.2.2 says that the target wins.
            BlankLinesBefore | HeaderValueInvalid | HostDiffersFromTarget => false,
        }
    }

    /// A word for logs and metrics, in snake case.
    pub fn name(self) -> &'static str {
        use FramingFinding::*;
        match self {
            ContentLengthWithTransferEncoding => "content_length_with_transfer_encoding",
            ContentLengthDiffers => "content_length_differs",
            ContentLengthRepeated => "content_length_repeated",
            ContentLengthInvalid => "content_length_invalid",
            BareCr => "bare_cr",
            BareLf => "bare_lf",
            ObsFold => "obs_fold",
            FoldWithoutHeader => "fold_without_header",
            SpaceBeforeColon => "space_before_colon",
            HeaderNameInvalid => "header_name_invalid",
            HeaderWithoutColon => "header_without_colon",
            HeaderValueInvalid => "header_value_invalid",
            Nul => "nul",
            HostRepeated => "host_repeated",
            HostMissing => "host_missing",
            HostInvalid => "host_invalid",
            HostDiffersFromTarget => "host_differs_from_target",
            TransferCodingUnknown => "transfer_coding_unknown",
            TransferEncodingOnHttp10 => "transfer_encoding_on_http10",
            VersionInvalid => "version_invalid",
            VersionUnsupported => "version_unsupported",
            TargetSpace => "target_space",
            TargetControl => "target_control",
            TargetInvalid => "target_invalid",
            MethodInvalid => "method_invalid",
            Http09 => "http09",
            LineMalformed => "line_malformed",
            StatusInvalid => "status_invalid",
            BlankLinesBefore => "blank_lines_before",
            LineTooLong => "line_too_long",
            HeadTooLarge => "head_too_large",
            TooManyHeaders => "too_many_headers",
        }
    }
}

/// The head of a request.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// The request line as sent, without its line end.
    pub line: Vec<u8>,
    /// The method as sent.
    pub method: Vec<u8>,
    /// The target as sent, any byte but line ends included.
    pub target: Vec<u8>,
    /// The version as sent, such as `HTTP/1.1`; empty in HTTP/0.9.
    pub version: Vec<u8>,
    /// Header fields in order, duplicates kept, names as sent, values without blanks around them.
    pub headers: Fields,
    /// What was odd, each once, in the order it was met.
    pub findings: Vec<FramingFinding>,
}

/// The head of a response.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    /// The status line as sent, without its line end.
    pub line: Vec<u8>,
    /// The version as sent.
    pub version: Vec<u8>,
    /// The status code; 0 when it was no number of three digits.
    pub status: u16,
    /// The reason phrase as sent.
    pub reason: Vec<u8>,
    /// As in [`RequestHead::headers`].
    pub headers: Fields,
    /// What was odd, each once, in the order it was met.
    pub findings: Vec<FramingFinding>,
}

impl RequestHead {
    /// Whether any finding is ambiguous.
    pub fn is_ambiguous(&self) -> bool {
        self.findings.iter().any(|finding| finding.is_ambiguous())
    }

    /// The minor version of HTTP/1; `None` for any other version.
    pub fn http1_minor(&self) -> Option<u8> {
        http1_minor(&self.version)
    }
}

impl ResponseHead {
    /// Whether any finding is ambiguous.
    pub fn is_ambiguous(&self) -> bool {
        self.findings.iter().any(|finding| finding.is_ambiguous())
    }

    /// The minor version of HTTP/1; `None` for any other version.
    pub fn http1_minor(&self) -> Option<u8> {
        http1_minor(&self.version)
    }
}

/// What parsing a head gave.
#[derive(Clone, Debug)]
pub enum HeadParse<H> {
    /// No end of the head yet, and no limit exceeded: come back with more bytes.
    Incomplete,
    /// A head with all its parts. Its findings may still be ambiguous: ask [`RequestHead::is_ambiguous`].
    Complete {
        /// The head.
        head: H,
        /// Bytes of the input that belong to it; the body begins there.
        consumed: usize,
    },
    /// No head in the sense of HTTP/1: over a limit, HTTP/0.9, or a start line without its parts. What could be read
    /// is there to be shown to rules; the findings say why. Nothing after it on the connection can be trusted.
    Refused {
        /// The head as far as it was read.
        head: H,
        /// Bytes of the input that were looked at.
        consumed: usize,
    },
}

/// Looks for the end of a head without looking at a byte twice, when a head arrives in many reads.
///
/// Call [`HeadScanner::find`] with the whole buffer each time; parse once it returns a position (or once the buffer
/// exceeds [`HeadLimits::head_bytes_max`], to get the refusal).
#[derive(Clone, Debug, Default)]
pub struct HeadScanner {
    /// Bytes looked at.
    scanned: usize,
    /// Where the current line begins.
    line_start: usize,
    /// Whether a line with content was seen: empty lines before it end nothing.
    in_head: bool,
}

impl HeadScanner {
    /// A scanner at the start of a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// The length of the head, blank line included, once it is all there.
    pub fn find(&mut self, buffer: &[u8]) -> Option<usize> {
        while let Some(offset) = memchr::memchr(b'\n', buffer.get(self.scanned..)?) {
            let line = &buffer[self.line_start..self.scanned + offset];
            self.scanned += offset + 1;
            self.line_start = self.scanned;
            if !matches!(line, b"" | b"\r") {
                self.in_head = true;
            } else if self.in_head {
                return Some(self.scanned);
            }
        }
        self.scanned = buffer.len();
        None
    }
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// That many bytes.
    Length(u64),
    /// Chunks; see [`crate::ChunkedDecoder`].
    Chunked,
    /// All until the connection ends (responses only).
    UntilClose,
}

/// Reads the head of a request from the start of `bytes`. O(n) in the bytes of the head; call it once the end is
/// there (see [`HeadScanner`]) when reads are small.
pub fn parse_request_head(bytes: &[u8], limits: &HeadLimits) -> HeadParse<RequestHead> {
    let Some(lines) = Lines::read(bytes, limits) else { return HeadParse::Incomplete };
    let Lines { line, headers, mut findings, consumed, mut refused } = lines;
    let parts = split_request_line(line);
    for finding in parts.findings {
        note(&mut findings, finding);
    }
    refused |= parts.refused;
    let mut head = RequestHead {
        line: line.to_vec(),
        method: parts.method.to_vec(),
        target: parts.target.to_vec(),
        version: parts.version.to_vec(),
        headers,
        findings,
    };
    check_host(&mut head);
    if let Err(finding) = lengths(&head.headers, &head.version) {
        note(&mut head.findings, finding);
    }
    if refused { HeadParse::Refused { head, consumed } } else { HeadParse::Complete { head, consumed } }
}

/// Reads the head of a response from the start of `bytes`. O(n) in the bytes of the head.
pub fn parse_response_head(bytes: &[u8], limits: &HeadLimits) -> HeadParse<ResponseHead> {
    let Some(lines) = Lines::read(bytes, limits) else { return HeadParse::Incomplete };
    let Lines { line, headers, mut findings, consumed, mut refused } = lines;
    let (version, rest) = split_once_space(line);
    let (code, reason) = split_once_space(rest);
    check_version(version, &mut findings);
    let status = match code {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
        }
        _ => {
            note(&mut findings, FramingFinding::StatusInvalid);
            refused = true;
            0
        }
    };
    if let Err(finding) = lengths(&headers, version) {
        note(&mut findings, finding);
    }
    let head = ResponseHead {
        line: line.to_vec(),
        version: version.to_vec(),
        status,
        reason: reason.to_vec(),
        headers,
        findings,
    };
    if refused { HeadParse::Refused { head, consumed } } else { HeadParse::Complete { head, consumed } }
}

/// The framing of a request's body (RFC 9112 section 6).
///
/// # Errors
/// The finding that makes the length unknowable; it is also among the head's findings.
pub fn request_body_framing(head: &RequestHead) -> Result<Framing, FramingFinding> {
    Ok(match lengths(&head.headers, &head.version)? {
        Lengths::Neither => Framing::None,
        Lengths::Length(length) => Framing::Length(length),
        Lengths::Chunked => Framing::Chunked,
    })
}

/// The framing of a response's body; `request_method` is the method it answers (HEAD and CONNECT matter).
///
/// # Errors
/// The finding that makes the length unknowable. A response whose last transfer coding is not chunked would last
/// until the connection ends; as we take no other coding off, it is refused too.
pub fn response_body_framing(head: &ResponseHead, request_method: &[u8]) -> Result<Framing, FramingFinding> {
    let bodiless = matches!(head.status, 100..=199 | 204 | 304)
        || request_method == b"HEAD"
        || request_method == b"CONNECT" && matches!(head.status, 200..=299);
    if bodiless {
        return Ok(Framing::None);
    }
    Ok(match lengths(&head.headers, &head.version)? {
        Lengths::Neither => Framing::UntilClose,
        Lengths::Length(length) => Framing::Length(length),
        Lengths::Chunked => Framing::Chunked,
    })
}

/// A head cut into its start line and its fields.
struct Lines<'a> {
    line: &'a [u8],
    headers: Fields,
    findings: Vec<FramingFinding>,
    consumed: usize,
    refused: bool,
}

impl<'a> Lines<'a> {
    /// `None` while the head may still grow to be one.
    fn read(bytes: &'a [u8], limits: &HeadLimits) -> Option<Self> {
        let window = &bytes[..bytes.len().min(limits.head_bytes_max)];
        let mut findings = Vec::new();
        let mut rest = window;
        while let Some(after) = rest.strip_prefix(b"\n").or_else(|| rest.strip_prefix(b"\r\n")) {
            note(&mut findings, FramingFinding::BlankLinesBefore);
            rest = after;
        }
        let line_bytes = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let mut refused = false;
        let mut over_line = false;
        if line_bytes > limits.line_bytes_max.saturating_add(1) {
            // One more for the CR.
            note(&mut findings, FramingFinding::LineTooLong);
            over_line = true;
        }
        let end = HeadScanner::new().find(window);
        if end.is_none() && !over_line {
            if bytes.len() <= limits.head_bytes_max {
                return None;
            }
            note(&mut findings, FramingFinding::HeadTooLarge);
        }
        refused |= end.is_none() || over_line;
        let consumed = end.unwrap_or(window.len());
        if over_line {
            let line = &rest[..limits.line_bytes_max];
            return Some(Lines { line, headers: Fields::new(), findings, consumed, refused });
        }

        let blanks = window.len() - rest.len();
        let mut rest = &window[blanks..consumed];
        let (line, _) = take_line(&mut rest, &mut findings);
        let mut headers = HeaderReader { limits, fields: Fields::new() };
        while !rest.is_empty() {
            let (line, has_control) = take_line(&mut rest, &mut findings);
            if line.is_empty() {
                break;
            }
            if !headers.line(line, has_control, &mut findings) {
                refused = true;
                break;
            }
        }
        Some(Lines { line, headers: headers.fields, findings, consumed, refused })
    }
}

/// Takes a line off `rest`, without its line end.
/// Says beside it whether the line has a control byte other than tab.
fn take_line<'a>(rest: &mut &'a [u8], findings: &mut Vec<FramingFinding>) -> (&'a [u8], bool) {
    let (line, tail) = match memchr::memchr(b'\n', rest) {
        Some(end) => {
            let line = match rest[..end].strip_suffix(b"\r") {
                Some(line) => line,
                None => {
                    note(findings, FramingFinding::BareLf);
                    &rest[..end]
                }
            };
            (line, &rest[end + 1..])
        }
        // Only in a head that is over its limit, and then this is not the end of the line.
        None => (*rest, &[][..]),
    };
    *rest = tail;
    let has_control = has_control(line);
    if has_control {
        if memchr::memchr(b'\r', line).is_some() {
            note(findings, FramingFinding::BareCr);
        }
        if memchr::memchr(0, line).is_some() {
            note(findings, FramingFinding::Nul);
        }
    }
    (line, has_control)
}

/// Whether a text has a control byte other than tab. Blocks are looked at without branches, as vectors.
fn has_control(text: &[u8]) -> bool {
    let is_control = |byte: u8| (byte < b' ') & (byte != b'\t') | (byte == 0x7f);
    let (blocks, rest) = text.as_chunks::<16>();
    blocks.iter().any(|block| block.iter().fold(0, |found, &byte| found | u8::from(is_control(byte))) != 0)
        || rest.iter().any(|&byte| is_control(byte))
}

/// Collects fields, a folded one over several lines.
struct HeaderReader<'l> {
    limits: &'l HeadLimits,
    fields: Fields,
}

impl HeaderReader<'_> {
    /// Takes one line; `false` when there are too many fields.
    fn line(&mut self, line: &[u8], has_control: bool, findings: &mut Vec<FramingFinding>) -> bool {
        if line.first().is_some_and(|&byte| is_blank(byte)) {
            if !self.fields.is_empty() {
                note(findings, FramingFinding::ObsFold);
                self.fields.extend_last(b" ");
                self.fields.extend_last(trim(line));
                if has_control {
                    note(findings, FramingFinding::HeaderValueInvalid);
                }
                return true;
            }
            note(findings, FramingFinding::FoldWithoutHeader);
        }
        if self.fields.len() >= self.limits.headers_max {
            note(findings, FramingFinding::TooManyHeaders);
            return false;
        }
        let (name, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => {
                note(findings, FramingFinding::HeaderWithoutColon);
                (line, &[][..])
            }
        };
        if name.last().is_some_and(|&byte| is_blank(byte)) {
            note(findings, FramingFinding::SpaceBeforeColon);
        }
        // Blanks around a name are not kept: rules shall see the field under the name that a lenient reader gives it.
        let name = trim(name);
        if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
            note(findings, FramingFinding::HeaderNameInvalid);
        }
        if has_control && self::has_control(value) {
            note(findings, FramingFinding::HeaderValueInvalid);
        }
        self.fields.push_of_many(name, trim(value));
        true
    }
}

struct RequestLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
    version: &'a [u8],
    findings: Vec<FramingFinding>,
    refused: bool,
}

/// Takes the first word for the method and the last for the version; what is between them is the target.
fn split_request_line(line: &[u8]) -> RequestLine<'_> {
    let mut findings = Vec::new();
    let mut refused = false;
    let words = trim(line);
    if words.len() != line.len() {
        note(&mut findings, FramingFinding::TargetSpace);
    }
    let method_end = words.iter().position(|&byte| is_blank(byte)).unwrap_or(words.len());
    let (method, rest) = words.split_at(method_end);
    if method.is_empty() || !method.iter().all(|&byte| is_token(byte)) {
        note(&mut findings, FramingFinding::MethodInvalid);
    }
    let between = trim(rest);
    let (target, version) = match between.iter().rposition(|&byte| is_blank(byte)) {
        Some(at) => (trim(&between[..at]), &between[at + 1..]),
        None => (between, &[][..]),
    };
    if target.is_empty() {
        note(&mut findings, FramingFinding::LineMalformed);
        refused = true;
    } else if version.is_empty() {
        note(&mut findings, FramingFinding::Http09);
        refused = true;
    } else {
        check_version(version, &mut findings);
        let plain = method.len() + target.len() + version.len() + 2 == words.len();
        let blanks = target.iter().any(|&byte| is_blank(byte));
        let tabs = line.contains(&b'\t');
        if !plain || blanks || tabs {
            note(&mut findings, FramingFinding::TargetSpace);
        }
    }
    if target.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t') {
        note(&mut findings, FramingFinding::TargetControl);
    }
    // A fragment never goes over the wire; servers differ in whether they cut it off or look for it.
    let form = crate::Target::new(target, method).form();
    if form == crate::TargetForm::Other && !target.is_empty() || target.contains(&b'#') {
        note(&mut findings, FramingFinding::TargetInvalid);
    }
    RequestLine { method, target, version, findings, refused }
}

fn check_version(version: &[u8], findings: &mut Vec<FramingFinding>) {
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" => {}
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            note(findings, FramingFinding::VersionUnsupported);
        }
        _ => note(findings, FramingFinding::VersionInvalid),
    }
}

fn check_host(head: &mut RequestHead) {
    let mut hosts = head.headers.values(b"host");
    let host = hosts.next();
    let repeated = hosts.next().is_some();
    drop(hosts);
    match host {
        None if head.version == b"HTTP/1.1" => note(&mut head.findings, FramingFinding::HostMissing),
        None => {}
        Some(host) => {
            // Names of hosts have no percent escapes in practice; what one decodes to is for each server to guess.
            let odd = |&byte: &u8| {
                byte <= b' '
                    || matches!(
                        byte,
                        0x7f | b'/' | b'\\' | b'@' | b'?' | b'#' | b',' | b'<' | b'>' | b'"' | b'%'
                    )
            };
            let invalid = host.is_empty() || host.iter().any(odd);
            let target = crate::Target::new(&head.target, &head.method);
            let differs = target.form() == crate::TargetForm::Absolute
                && !target.authority().eq_ignore_ascii_case(host);
            if invalid {
                note(&mut head.findings, FramingFinding::HostInvalid);
            }
            if differs {
                note(&mut head.findings, FramingFinding::HostDiffersFromTarget);
            }
        }
    }
    if repeated {
        note(&mut head.findings, FramingFinding::HostRepeated);
    }
}

enum Lengths {
    Neither,
    Length(u64),
    Chunked,
}

/// What the fields of a head say about the body's length.
fn lengths(headers: &Fields, version: &[u8]) -> Result<Lengths, FramingFinding> {
    let mut lengths = headers.values(b"content-length").peekable();
    let mut codings = headers.values(b"transfer-encoding").peekable();
    if codings.peek().is_some() {
        if lengths.peek().is_some() {
            return Err(FramingFinding::ContentLengthWithTransferEncoding);
        }
        let first = codings.next().expect("it was just seen");
        if codings.next().is_some() || !first.eq_ignore_ascii_case(b"chunked") {
            return Err(FramingFinding::TransferCodingUnknown);
        }
        if version != b"HTTP/1.1" {
            return Err(FramingFinding::TransferEncodingOnHttp10);
        }
        return Ok(Lengths::Chunked);
    }
    let mut length = None;
    let mut repeated = false;
    for item in lengths.flat_map(|value| value.split(|&byte| byte == b',')).map(trim) {
        if item.is_empty() || item.len() > 18 || !item.iter().all(u8::is_ascii_digit) {
            return Err(FramingFinding::ContentLengthInvalid);
        }
        let number = item.iter().fold(0, |sum: u64, digit| sum * 10 + u64::from(digit - b'0'));
        match length {
            None => length = Some(number),
            Some(first) if first == number => repeated = true,
            Some(_) => return Err(FramingFinding::ContentLengthDiffers),
        }
    }
    match length {
        Some(_) if repeated => Err(FramingFinding::ContentLengthRepeated),
        Some(length) => Ok(Lengths::Length(length)),
        None => Ok(Lengths::Neither),
    }
}

fn split_once_space(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b' ', text) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

/// A token character of RFC 9110 section 5.6.2.
pub(crate) fn is_token(byte: u8) -> bool {
    IS_TOKEN[usize::from(byte)]
}

static IS_TOKEN: [bool; 256] = {
    let mut is_token = [false; 256];
    let mut byte = 0;
    while byte < is_token.len() {
        let mark = matches!(
            byte as u8,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        );
        is_token[byte] = mark || (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    is_token
};

fn note(findings: &mut Vec<FramingFinding>, finding: FramingFinding) {
    if !findings.contains(&finding) {
        findings.push(finding);
    }
}

fn http1_minor(version: &[u8]) -> Option<u8> {
    match version {
        b"HTTP/1.0" => Some(0),
        b"HTTP/1.1" => Some(1),
        _ => None,
    }
}
