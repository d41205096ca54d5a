//! One HTTP exchange as data: heads as they stood on the wire, and bodies taken apart into ordered fields.
//!
//! Everything here is a function of bytes. There is no I/O, no clock and no async, and nothing panics on any input.
//! Parsers are lenient in what they show and strict in what they accept: whatever could be read is handed on for
//! inspection, and each departure from the grammar is a named finding beside it. The one idea to hold: cutting the
//! input into other chunks never changes a result.
//!
//! ```text
//!  wire bytes -> head     RequestHead / ResponseHead + findings -> body_framing
//!             -> chunked  transfer coding off                   -> body bytes
//!  target     -> target   path, query, fragment                 -> form  arguments
//!             -> path     the normal form of a path
//!  Cookie     -> cookies  fields
//!  body bytes -> body     form | multipart | json | xml         -> ParsedBody
//!                                                  xml + xpath  -> values
//! texts      -> graphql | protobuf                         -> fields
//! ```
//!
//! Not here: which of these a rule sees under which variable name (the engine's), transformations (codec's), and
//! HTTP/2, whose reader is the data plane's.

pub mod body;
pub mod chunked;
pub mod cookies;
pub mod fields;
pub mod form;
pub mod graphql;
pub mod head;
pub mod json;
pub mod limits;
pub mod multipart;
pub mod params;
pub mod path;
pub mod protobuf;
pub mod recurring;
pub mod target;
pub mod xml;
pub mod xpath;

pub use body::{BodyKind, BodyParser, ParsedBody};
pub use chunked::{ChunkFinding, ChunkProgress, ChunkedDecoder, chunk_head};
pub use cookies::{CookieFormat, parse_cookies};
pub use fields::Fields;
pub use form::{Form, FormParser, parse_form, parse_form_reusing};
pub use graphql::GraphQl;
pub use head::{
    Framing, FramingFinding, HeadParse, HeadScanner, RequestHead, ResponseHead, parse_request_head,
    parse_response_head, request_body_framing, response_body_framing,
};
pub use json::{JsonNames, JsonOutcome, JsonParser};
pub use limits::{BodyLimits, HeadLimits, LimitHit};
pub use multipart::{Multipart, MultipartFile, MultipartFlags, MultipartParser};
pub use params::{MediaType, content_type};
pub use path::normal_path;
pub use recurring::is_recurring_header;
pub use target::{Target, TargetForm, host_of_authority, percent_decode};
pub use xml::{XmlDocument, XmlParser};
pub use xpath::{XPath, XPathError, XPathValues};
