//! A body of any kind that SecLang has a processor for, behind one interface.

use crate::{
    BodyLimits, Fields, FormParser, JsonParser, LimitHit, MultipartFile, MultipartFlags, MultipartParser,
    XmlDocument, XmlParser,
};

/// Which body processor reads a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyKind {
    /// `URLENCODED`.
    UrlEncoded,
    /// `MULTIPART`.
    Multipart,
    /// `JSON`.
    Json,
    /// `XML`.
    Xml,
}

impl BodyKind {
    /// The kind of a `REQBODY_PROCESSOR` name, ASCII case ignored.
    pub fn from_name(name: &[u8]) -> Option<BodyKind> {
        [BodyKind::UrlEncoded, BodyKind::Multipart, BodyKind::Json, BodyKind::Xml]
            .into_iter()
            .find(|kind| kind.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Its `REQBODY_PROCESSOR` name.
    pub fn name(self) -> &'static str {
        match self {
            BodyKind::UrlEncoded => "URLENCODED",
            BodyKind::Multipart => "MULTIPART",
            BodyKind::Json => "JSON",
            BodyKind::Xml => "XML",
        }
    }

    /// The processor that a `Content-Type` chooses by itself, without a rule: `UrlEncoded` or `Multipart`. As v3,
    /// by the value's beginning, ASCII case ignored.
    pub fn from_content_type(value: &[u8]) -> Option<BodyKind> {
        let begins =
            |prefix: &[u8]| value.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        if begins(b"application/x-www-form-urlencoded") {
            Some(BodyKind::UrlEncoded)
        } else if begins(b"multipart/form-data") {
            Some(BodyKind::Multipart)
        } else {
            None
        }
    }
}

/// A body taken apart.
#[derive(Clone, Debug, Default)]
pub struct ParsedBody {
    /// Arguments in order (`ARGS_POST`).
    pub fields: Fields,
    /// Uploaded files.
    pub files: Vec<MultipartFile>,
    /// Header lines of parts; see [`crate::Multipart::part_headers`].
    pub part_headers: Fields,
    /// Flags of a multipart body; `None` for the other kinds.
    pub multipart: Option<MultipartFlags>,
    /// `MULTIPART_NAME`: the last part's name.
    pub multipart_name: Vec<u8>,
    /// `MULTIPART_FILENAME`: the last file's name.
    pub multipart_file_name: Vec<u8>,
    /// The document of an XML body, as far as it was read.
    pub xml: Option<XmlDocument>,
    /// The processor's error (`REQBODY_ERROR`, `REQBODY_ERROR_MSG`), for example `JSON parsing error: ...`.
    pub error: Option<String>,
    /// `URLENCODED_ERROR`.
    pub invalid_encoding: bool,
    /// Names given twice in one JSON object.
    pub duplicate_keys: usize,
    /// Bounds that were met, each once.
    pub limit_hits: Vec<LimitHit>,
}

/// Reads a body that comes in pieces.
#[derive(Clone, Debug)]
pub struct BodyParser {
    parser: Parser,
}

#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the form parser is the one that many requests need; no memory of its own"
)]
enum Parser {
    UrlEncoded(FormParser),
    Multipart(Box<MultipartParser>),
    Json(Box<JsonParser>),
    Xml(Box<XmlParser>),
}

impl BodyParser {
    /// A parser of a kind. `content_type` is the header's value; only multipart looks at it.
    pub fn new(kind: BodyKind, content_type: &[u8], limits: &BodyLimits) -> Self {
        Self::reusing(kind, content_type, limits, Fields::new())
    }

    /// [`BodyParser::new`] with memory for the arguments that is there already; what it holds is forgotten.
    pub fn reusing(kind: BodyKind, content_type: &[u8], limits: &BodyLimits, fields: Fields) -> Self {
        let parser = match kind {
            BodyKind::UrlEncoded => Parser::UrlEncoded(FormParser::reusing(limits, fields)),
            BodyKind::Multipart => Parser::Multipart(Box::new(MultipartParser::new(content_type, limits))),
            BodyKind::Json => Parser::Json(Box::new(JsonParser::new(limits))),
            BodyKind::Xml => Parser::Xml(Box::new(XmlParser::new(limits))),
        };
        BodyParser { parser }
    }

    /// Takes the next piece of the body.
    pub fn feed(&mut self, chunk: &[u8]) {
        match &mut self.parser {
            Parser::UrlEncoded(parser) => parser.feed(chunk),
            Parser::Multipart(parser) => parser.feed(chunk),
            Parser::Json(parser) => parser.feed(chunk),
            Parser::Xml(parser) => parser.feed(chunk),
        }
    }

    /// Ends a body that goes on, but of which nobody hands over more: that it ends in the middle is no error. Errors of
    /// XML are found only at the end, and count for none.
    pub fn finish_cut(self) -> ParsedBody {
        let had_error = match &self.parser {
            Parser::UrlEncoded(_) | Parser::Xml(_) => false,
            Parser::Multipart(parser) => parser.has_error(),
            Parser::Json(parser) => parser.has_error(),
        };
        let body = self.finish();
        ParsedBody { error: body.error.filter(|_| had_error), ..body }
    }

    /// Ends the body. An error never loses what was read before it.
    pub fn finish(self) -> ParsedBody {
        match self.parser {
            Parser::UrlEncoded(parser) => {
                let form = parser.finish();
                ParsedBody {
                    fields: form.fields,
                    invalid_encoding: form.invalid_encoding,
                    limit_hits: form.limit_hits,
                    ..ParsedBody::default()
                }
            }
            Parser::Multipart(parser) => {
                let multipart = parser.finish();
                ParsedBody {
                    fields: multipart.fields,
                    files: multipart.files,
                    part_headers: multipart.part_headers,
                    multipart: Some(multipart.flags),
                    multipart_name: multipart.last_name,
                    multipart_file_name: multipart.last_file_name,
                    error: multipart.error.map(|error| format!("Multipart parsing error: {error}")),
                    limit_hits: multipart.limit_hits,
                    ..ParsedBody::default()
                }
            }
            Parser::Json(parser) => {
                let json = parser.finish();
                ParsedBody {
                    fields: json.fields,
                    error: json.error.map(|error| format!("JSON parsing error: {error}")),
                    duplicate_keys: json.duplicate_keys,
                    limit_hits: json.limit_hits,
                    ..ParsedBody::default()
                }
            }
            Parser::Xml(parser) => {
                let document = parser.finish();
                ParsedBody {
                    error: document.error.as_ref().map(|error| format!("XML parsing error: {error}")),
                    limit_hits: document.limit_hits.clone(),
                    xml: Some(document),
                    ..ParsedBody::default()
                }
            }
        }
    }
}
