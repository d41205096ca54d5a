//! A body, read by what it says it is, and by what it looks like where that says nothing or is wrong.

use palisade_http::{
    BodyLimits, Fields, FormParser, JsonNames, JsonParser, LimitHit, Multipart, MultipartParser, RequestHead,
    XmlDocument, XmlParser, protobuf,
};

use super::readings::compressed::{ZstdFrames, bounded};
use super::readings::{Form, Made};
use crate::DetectLimits;
use crate::detectors::Noted;

/// What a body is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyForm {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    /// JSON, `+json` included.
    Json,
    /// XML, `+xml` included.
    Xml,
    /// `application/graphql`.
    GraphQl,
    /// `application/grpc`: framed protobuf messages.
    Grpc,
    /// A protobuf message.
    Protobuf,
    /// Anything else, or nothing said: it is looked at as it stands.
    Other,
}

impl BodyForm {
    /// What a `Content-Type` says. O(n).
    pub fn of_content_type(value: &[u8]) -> Self {
        let kind =
            value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
        let ends = |suffix: &[u8]| kind.ends_with(suffix);
        match &kind[..] {
            b"application/x-www-form-urlencoded" => Self::Form,
            b"application/graphql" => Self::GraphQl,
            _ if kind.starts_with(b"multipart/") => Self::Multipart,
            _ if kind.starts_with(b"application/grpc") => Self::Grpc,
            _ if ends(b"/json") || ends(b"+json") || ends(b"/x-ndjson") => Self::Json,
            _ if ends(b"/xml") || ends(b"+xml") => Self::Xml,
            _ if ends(b"protobuf") || ends(b"+proto") => Self::Protobuf,
            _ => Self::Other,
        }
    }

    /// What a body's beginning looks like.
    fn of_beginning(text: &[u8]) -> Self {
        match text.trim_ascii_start().first() {
            Some(b'{' | b'[' | b'"') => Self::Json,
            Some(b'<') => Self::Xml,
            _ if memchr::memchr(b'=', text).is_some()
                && memchr::memchr3(b' ', b'\n', b'<', text).is_none() =>
            {
                Self::Form
            }
            _ => Self::Other,
        }
    }
}

/// Reads a body that comes in pieces.
#[derive(Debug)]
pub(crate) struct BodyReader {
    form: BodyForm,
    parser: Parser,
    limits: BodyLimits,
    /// The body's beginning as sent.
    raw: Vec<u8>,
    raw_bytes_max: usize,
    truncated: bool,
    coding: Coding,
}

/// What a body's `Content-Encoding` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    None,
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    fn of(value: &[u8]) -> Self {
        match &value.trim_ascii().to_ascii_lowercase()[..] {
            b"gzip" | b"x-gzip" => Self::Gzip,
            b"deflate" => Self::Deflate,
            b"br" => Self::Brotli,
            b"zstd" => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// What a brotli decoder reads at a time.
const BROTLI_BUFFER_BYTES: usize = 4096;

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for an exchange")]
enum Parser {
    None,
    Form(FormParser),
    Multipart(Box<MultipartParser>),
    Json(Box<JsonParser>),
    Xml(XmlParser),
}

/// A body taken apart.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// As sent, as far as it was kept.
    pub(crate) raw: Vec<u8>,
    /// Whether `raw` says something that the parts below do not: no parser, or one that failed.
    pub(crate) raw_matters: bool,
    /// What was read.
    pub(crate) parts: Parts,
    /// Bounds that were met.
    pub(crate) limit_hits: Vec<LimitHit>,
    /// Whether there was more than `raw` holds, and nothing else read it.
    pub(crate) truncated: bool,
    /// The bound that cut its decoded form short.
    pub(crate) met: Option<&'static str>,
    /// What there is to say about that form.
    pub(crate) noted: Option<Noted>,
}

/// What a body was read as.
#[derive(Debug, Default)]
pub(crate) enum Parts {
    #[default]
    None,
    Form(Fields),
    Multipart(Multipart),
    Json(Fields),
    Xml {
        doctype: Vec<u8>,
        points: Fields,
    },
    /// Texts of protobuf messages, by field numbers.
    Protobuf(Fields),
}

impl BodyReader {
    pub(crate) fn new(head: &RequestHead, limits: &DetectLimits) -> Self {
        let content_type = header(&head.headers, b"content-type").unwrap_or_default();
        let form = BodyForm::of_content_type(content_type);
        let body_limits = BodyLimits {
            arguments_max: limits.values_max,
            key_bytes_max: limits.raw_body_bytes_max,
            file_content_bytes_max: limits.file_head_bytes_max,
            ..BodyLimits::default()
        };
        Self {
            form,
            parser: Parser::new(form, content_type, &body_limits),
            limits: body_limits,
            raw: Vec::new(),
            raw_bytes_max: limits.raw_body_bytes_max,
            truncated: false,
            coding: Coding::of(header(&head.headers, b"content-encoding").unwrap_or_default()),
        }
    }

    pub(crate) fn feed(&mut self, chunk: &[u8]) {
        if self.coding == Coding::None {
            self.parser.feed(chunk);
        }
        let room = self.raw_bytes_max - self.raw.len();
        self.raw.extend_from_slice(&chunk[..chunk.len().min(room)]);
        self.truncated |= chunk.len() > room;
    }

    /// Undoes a content coding that the head names. A body whose coding we do not read is looked at as it is.
    fn decoded(&mut self, limits: &DetectLimits) -> (Option<&'static str>, Option<Noted>) {
        let raw = std::mem::take(&mut self.raw);
        let made = match self.coding {
            Coding::Gzip => bounded(flate2::read::MultiGzDecoder::new(&raw[..]), raw.len(), limits),
            // Both are called deflate.
            Coding::Deflate if raw.first().is_some_and(|byte| byte & 0x0f == 8) => {
                bounded(flate2::read::ZlibDecoder::new(&raw[..]), raw.len(), limits)
            }
            Coding::Deflate => bounded(flate2::read::DeflateDecoder::new(&raw[..]), raw.len(), limits),
            Coding::Brotli => bounded(
                brotli_decompressor::Decompressor::new(&raw[..], BROTLI_BUFFER_BYTES),
                raw.len(),
                limits,
            ),
            Coding::Zstd => bounded(ZstdFrames::new(&raw), raw.len(), limits),
            Coding::None => Made::NOTHING,
        };
        match made.form {
            Form::Text(text) => {
                self.parser.feed(&text);
                self.raw = text;
            }
            Form::None | Form::Places { .. } => {
                self.parser.feed(&raw);
                self.raw = raw;
            }
        }
        (made.met, made.noted)
    }

    /// Ends the body. What it says it is comes first; where that fails, or nothing was said, it is also read as what it
    /// looks like.
    pub(crate) fn finish(&mut self, limits: &DetectLimits) -> Body {
        let (met, noted) = if self.coding == Coding::None { (None, None) } else { self.decoded(limits) };
        let raw = std::mem::take(&mut self.raw);
        let mut body = std::mem::replace(&mut self.parser, Parser::None).finish(&self.limits);
        (body.met, body.noted) = (met, noted);
        let messages = match self.form {
            BodyForm::Grpc => Some(grpc(&raw, limits)),
            BodyForm::Protobuf => protobuf::parse(&raw, limits.values_max),
            _ => None,
        };
        if let Some(texts) = messages {
            body.raw_matters = texts.is_empty();
            body.parts = Parts::Protobuf(texts);
        }
        let looks = BodyForm::of_beginning(&raw);
        if body.raw_matters && looks != self.form && !raw.is_empty() {
            let mut parser = Parser::new(looks, b"", &self.limits);
            parser.feed(&raw);
            let second = parser.finish(&self.limits);
            if !matches!(second.parts, Parts::None) {
                body = Body { met, noted: body.noted, ..second };
            }
        }
        // What elements of these say, they say together: their leaves alone do not tell.
        if let Parts::Xml { .. } = body.parts {
            body.raw_matters |= INSTRUCTIONS.iter().any(|names| memchr::memmem::find(&raw, names).is_some());
        }
        body.truncated = self.truncated && (body.raw_matters || self.coding != Coding::None);
        body.raw = raw;
        body
    }
}

/// Name spaces whose elements are instructions.
const INSTRUCTIONS: &[&[u8]] = &[b"http://www.w3.org/1999/XSL/Transform", b"http://www.w3.org/2001/XInclude"];

impl Parser {
    fn new(form: BodyForm, content_type: &[u8], limits: &BodyLimits) -> Self {
        match form {
            BodyForm::Form => Self::Form(FormParser::new(limits)),
            BodyForm::Multipart => Self::Multipart(Box::new(MultipartParser::new(content_type, limits))),
            BodyForm::Json => Self::Json(Box::new(JsonParser::with_names(limits, JsonNames::Pointers))),
            BodyForm::Xml => Self::Xml(XmlParser::new(limits)),
            BodyForm::GraphQl | BodyForm::Grpc | BodyForm::Protobuf | BodyForm::Other => Self::None,
        }
    }

    fn feed(&mut self, chunk: &[u8]) {
        match self {
            Self::None => {}
            Self::Form(parser) => parser.feed(chunk),
            Self::Multipart(parser) => parser.feed(chunk),
            Self::Json(parser) => parser.feed(chunk),
            Self::Xml(parser) => parser.feed(chunk),
        }
    }

    fn finish(self, limits: &BodyLimits) -> Body {
        match self {
            Self::None => Body { raw_matters: true, ..Body::default() },
            Self::Form(parser) => {
                let form = parser.finish();
                Body { parts: Parts::Form(form.fields), limit_hits: form.limit_hits, ..Body::default() }
            }
            Self::Multipart(parser) => {
                let mut multipart = parser.finish();
                Body {
                    raw_matters: multipart.error.is_some(),
                    limit_hits: std::mem::take(&mut multipart.limit_hits),
                    parts: Parts::Multipart(multipart),
                    ..Body::default()
                }
            }
            Self::Json(parser) => {
                let json = parser.finish();
                Body {
                    raw_matters: json.error.is_some(),
                    parts: Parts::Json(json.fields),
                    limit_hits: json.limit_hits,
                    ..Body::default()
                }
            }
            Self::Xml(parser) => {
                let document: XmlDocument = parser.finish();
                let (points, mut limit_hits) = document.points(limits);
                limit_hits.extend(&document.limit_hits);
                Body {
                    raw_matters: document.error.is_some(),
                    parts: Parts::Xml { doctype: document.doctype().to_vec(), points },
                    limit_hits,
                    ..Body::default()
                }
            }
        }
    }
}

/// The texts of the messages in a gRPC body. A compressed message is one of gzip, which is what clients use.
fn grpc(body: &[u8], limits: &DetectLimits) -> Fields {
    let mut out = Fields::new();
    for (compressed, message) in protobuf::frames(body) {
        let made = if compressed {
            bounded(flate2::read::MultiGzDecoder::new(message), message.len(), limits).form
        } else {
            Form::None
        };
        let message = match &made {
            Form::Text(text) => text,
            Form::None | Form::Places { .. } => message,
        };
        match protobuf::parse(message, limits.values_max.saturating_sub(out.len())) {
            Some(fields) => fields.iter().for_each(|(path, value)| out.push(path, value)),
            None => out.push(b"", message),
        }
    }
    out
}

/// The first header of a name, ASCII case ignored.
pub(crate) fn header<'a>(headers: &'a Fields, name: &[u8]) -> Option<&'a [u8]> {
    headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
