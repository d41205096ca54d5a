//! A text that an application may interpret, and how it was found.

use palisade_codec::ByteSet;
use palisade_model::{Point, Root};

/// A text as some application would see it.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// Where it stands in the exchange.
    pub point: Point<'a>,
    /// How it was decoded from what stands there, outermost first; empty for the text itself.
    pub decoded: &'a [Step],
    /// The text.
    pub bytes: &'a [u8],
    /// The bytes that occur in it.
    pub set: &'a ByteSet,
}

impl Value<'_> {
    /// Whether it is a request header that browsers fill in: a detector that reads prose differently there asks this.
    pub fn is_header(&self, name: &[u8]) -> bool {
        self.point.root == Root::Header && self.point.path == name
    }

    /// Whether the text came out of this decoding, at any depth.
    pub fn came_through(&self, decoding: Decoding) -> bool {
        self.decoded.iter().any(|step| step.decoding == decoding)
    }
}

/// One step of a decode path: the decoding, and where in what it gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was undone.
    pub decoding: Decoding,
    /// Where in the decoded text, for those with places of their own (a JSON pointer, a field's name), else empty.
    pub at: Box<str>,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.decoding.name())?;
        if self.at.is_empty() { Ok(()) } else { write!(f, ":{}", self.at) }
    }
}

macro_rules! decodings {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A way in which a text can be wrapped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Decoding {
            $($(#[$doc])* $variant,)*
        }

        impl Decoding {
            /// Its name in a decode path.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

decodings! {
    /// `%3C`, once more than the place itself asks for.
    Percent = "percent",
    /// `%u003C`.
    PercentU = "percent-u",
    /// `+` for a blank where the place does not have it.
    Plus = "plus",
    /// Base64 in any alphabet, padded or not.
    Base64 = "base64",
    /// Pairs of hexadecimal digits.
    Hex = "hex",
    /// `&lt;`, `&#60;`.
    HtmlEntities = "html",
    /// `\x3c`, `\u003c`, `\74`.
    JsEscapes = "js",
    /// `\3c `.
    CssEscapes = "css",
    /// Bytes that a lenient reader of UTF-8 takes for ASCII: overlong forms.
    Overlong = "overlong-utf8",
    /// Characters that some layer folds to ASCII: full width, mathematical, look-alikes.
    Folded = "unicode",
    /// `+ADw-`.
    Utf7 = "utf-7",
    /// UTF-16 of either order.
    Utf16 = "utf-16",
    /// gzip.
    Gzip = "gzip",
    /// zlib.
    Zlib = "zlib",
    /// Raw deflate.
    Deflate = "deflate",
    /// Brotli.
    Brotli = "brotli",
    /// Zstandard.
    Zstd = "zstd",
    /// A part of a JSON Web Token.
    Jwt = "jwt",
    /// The content of a `data:` URL.
    DataUrl = "data-url",
    /// A leaf of a JSON text.
    Json = "json",
    /// A text or attribute of an XML text.
    Xml = "xml",
    /// A literal or name of a GraphQL document.
    GraphQl = "graphql",
    /// A field of a protobuf message.
    Protobuf = "protobuf",
    /// A parameter of a form inside a value.
    Form = "form",
    /// Repeated parameters of one name, joined as some frameworks do.
    Joined = "joined",
}
