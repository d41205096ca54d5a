//! Heads of requests and responses as they stood on the wire, and what is odd about them.
//!
//! Our own reader, because an inspecting one must show what a serving one refuses: a head with two lengths, a bare
//! CR or a folded line is read as far as it makes sense, so that rules see it, and carries a [`FramingFinding`] for
//! each departure. Findings that let two readers disagree about where a message ends or for whom it is are
//! [`FramingFinding::is_ambiguous`]; who forwards messages refuses those. Grammar: RFC 9112.

use crate::params::trim;
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
    /// A Host with bytes that no host and port can have (blanks, `/`, `@`, a list).
    HostInvalid,
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
    /// An empty target, or one of no known form.
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
            | TooManyHeaders
            | HeaderValueInvalid => true,
            BlankLinesBefore => false,
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
    scanned: usize,
    in_head: bool,
    line_bytes: usize,
}

impl HeadScanner {
    /// A scanner at the start of a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// The length of the head, blank line included, once it is all there.
    pub fn find(&mut self, buffer: &[u8]) -> Option<usize> {
        while let Some(&byte) = buffer.get(self.scanned) {
            self.scanned += 1;
            match byte {
                b'\n' => {
                    if self.line_bytes == 0 && self.in_head {
                        return Some(self.scanned);
                    }
                    self.in_head |= self.line_bytes > 0;
                    self.line_bytes = 0;
                }
                // A CR before an LF is no content; one before anything else is counted with what follows it.
                b'\r' => {}
                _ => self.line_bytes += 1,
            }
        }
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
    let _ = (bytes, limits, trim(b""));
    HeadParse::Incomplete
}

/// Reads the head of a response from the start of `bytes`. O(n) in the bytes of the head.
pub fn parse_response_head(bytes: &[u8], limits: &HeadLimits) -> HeadParse<ResponseHead> {
    let _ = (bytes, limits);
    HeadParse::Incomplete
}

/// The framing of a request's body (RFC 9112 section 6).
///
/// # Errors
/// The finding that makes the length unknowable.
pub fn request_body_framing(head: &RequestHead) -> Result<Framing, FramingFinding> {
    let _ = head;
    Ok(Framing::None)
}

/// The framing of a response's body; `request_method` is the method it answers (HEAD and CONNECT matter).
///
/// # Errors
/// The finding that makes the length unknowable.
pub fn response_body_framing(head: &ResponseHead, request_method: &[u8]) -> Result<Framing, FramingFinding> {
    let _ = (head, request_method);
    Ok(Framing::None)
}

fn http1_minor(version: &[u8]) -> Option<u8> {
    match version {
        b"HTTP/1.0" => Some(0),
        b"HTTP/1.1" => Some(1),
        _ => None,
    }
}
