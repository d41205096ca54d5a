//! The transformations of SecLang (`t:`): functions from bytes to bytes.
//!
//! Here live the names, [`Transformation::apply`], and one file for each family with plain functions that
//! detectors use as well. What does not live here: which transformations a rule asks for (SecLang), in what
//! order they run and what is cached between rules (engine), and libinjection (`crate::libinjection`).
//!
//! The one idea: **a value that does not change is not copied.** Most values of most requests pass most
//! transformations untouched. So each function first looks for something to do, answers [`Effect::Unchanged`]
//! when there is nothing, and writes to the caller's buffer otherwise. [`Transformation::may_change`] answers
//! from the set of bytes alone, so a compiled plan can skip a step without looking at the value.
//!
//! Behaviour follows ModSecurity v3, measured against libmodsecurity 3.0.9. Where 3.0.9 loses part of a value
//! (cuts it at a NUL, or answers nothing for a malformed escape), we keep the value and say so at the
//! function (`Differs:`): a transformation that can be made to hide a payload with one byte is no
//! transformation to match.
//!
//! All functions are linear in their input, allocate nothing but room in `out`, and never fail.

mod byte_set;
mod edits;
mod neighbours;

pub mod base64;
pub mod case;
pub mod cmdline;
pub mod comments;
pub mod css;
pub mod digest;
pub mod escape_seq;
pub mod hex;
pub mod html;
pub mod js;
pub mod length;
pub mod nulls;
pub mod parity;
pub mod path;
pub mod percent;
pub mod php;
pub mod unicode;
pub mod whitespace;

pub use byte_set::ByteSet;
pub use unicode::{UnicodeMap, UnicodeMapError};

use path::Separators;

/// Whether a transformation changed a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// The value is as it was; what `out` holds means nothing, the caller goes on with the input.
    Unchanged,
    /// `out` holds the result, which differs from the input.
    Changed,
}

impl Effect {
    /// The effect of having written `out` for `input`. O(1) unless the lengths agree.
    fn of_result(input: &[u8], out: &[u8]) -> Self {
        if input == out { Self::Unchanged } else { Self::Changed }
    }
}

/// What a transformation needs beside the value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// The map of `SecUnicodeMapFile`, for `urlDecodeUni`.
    pub unicode_map: Option<&'a UnicodeMap>,
}

macro_rules! transformations {
    ($($variant:ident = $name:literal $(| $alias:literal)*,)*) => {
        /// A transformation by its SecLang name. `none` is not among them: it clears a list and never runs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the functions that they run say what they do")]
        pub enum Transformation {
            $($variant,)*
        }

        impl Transformation {
            /// Every transformation, in order of name.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The canonical spelling, without `t:`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Finds a transformation by any of its spellings, ASCII case ignored.
            pub fn from_name(name: &str) -> Option<Self> {
                const NAMES: &[(&str, Transformation)] =
                    &[$(($name, Transformation::$variant), $(($alias, Transformation::$variant),)*)*];
                NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, found)| *found)
            }
        }
    };
}

transformations! {
    Base64Decode = "base64Decode",
    Base64DecodeExt = "base64DecodeExt",
    Base64Encode = "base64Encode",
    CmdLine = "cmdLine",
    CompressWhitespace = "compressWhitespace",
    CssDecode = "cssDecode",
    EscapeSeqDecode = "escapeSeqDecode",
    HexDecode = "hexDecode",
    HexEncode = "hexEncode",
    HtmlEntityDecode = "htmlEntityDecode",
    JsDecode = "jsDecode",
    Length = "length",
    Lowercase = "lowercase",
    Md5 = "md5",
    NormalizePath = "normalizePath" | "normalisePath",
    NormalizePathWin = "normalizePathWin" | "normalisePathWin",
    ParityEven7Bit = "parityEven7bit",
    ParityOdd7Bit = "parityOdd7bit",
    ParityZero7Bit = "parityZero7bit",
    PhpArgsNames = "phpArgsNames",
    RemoveComments = "removeComments",
    RemoveCommentsChar = "removeCommentsChar",
    RemoveNulls = "removeNulls",
    RemoveWhitespace = "removeWhitespace",
    ReplaceComments = "replaceComments",
    ReplaceNulls = "replaceNulls",
    Sha1 = "sha1",
    SqlHexDecode = "sqlHexDecode",
    Trim = "trim",
    TrimLeft = "trimLeft",
    TrimRight = "trimRight",
    Uppercase = "uppercase",
    UrlDecode = "urlDecode",
    UrlDecodeUni = "urlDecodeUni",
    UrlEncode = "urlEncode",
    Utf8ToUnicode = "utf8toUnicode",
}

impl Transformation {
    /// Transforms `input`. On [`Effect::Changed`] `out` holds the result: it was cleared first, and its
    /// capacity is used again. On [`Effect::Unchanged`] nothing was decided about `out`, and the result is
    /// `input` itself.
    ///
    /// `Changed` is exact: a result equal to the input is reported as `Unchanged`. O(n).
    pub fn apply(self, input: &[u8], out: &mut Vec<u8>, context: &Context<'_>) -> Effect {
        match self {
            Self::Base64Decode => base64::decode(input, out),
            Self::Base64DecodeExt => base64::decode_lenient(input, out),
            Self::Base64Encode => base64::encode(input, out),
            Self::CmdLine => cmdline::cmd_line(input, out),
            Self::CompressWhitespace => whitespace::compress(input, out),
            Self::CssDecode => css::decode(input, out),
            Self::EscapeSeqDecode => escape_seq::decode(input, out),
            Self::HexDecode => hex::decode(input, out),
            Self::HexEncode => hex::encode(input, out),
            Self::HtmlEntityDecode => html::decode(input, out),
            Self::JsDecode => js::decode(input, out),
            Self::Length => length::length(input, out),
            Self::Lowercase => case::lowercase(input, out),
            Self::Md5 => digest::md5(input, out),
            Self::NormalizePath => path::normalize(input, out, Separators::Slash),
            Self::NormalizePathWin => path::normalize(input, out, Separators::SlashAndBackslash),
            Self::ParityEven7Bit => parity::even(input, out),
            Self::ParityOdd7Bit => parity::odd(input, out),
            Self::ParityZero7Bit => parity::zero(input, out),
            Self::PhpArgsNames => php::args_names(input, out),
            Self::RemoveComments => comments::remove(input, out),
            Self::RemoveCommentsChar => comments::remove_chars(input, out),
            Self::RemoveNulls => nulls::remove(input, out),
            Self::RemoveWhitespace => whitespace::remove(input, out),
            Self::ReplaceComments => comments::replace(input, out),
            Self::ReplaceNulls => nulls::replace(input, out),
            Self::Sha1 => digest::sha1(input, out),
            Self::SqlHexDecode => hex::sql_decode(input, out),
            Self::Trim => whitespace::trim(input, out),
            Self::TrimLeft => whitespace::trim_left(input, out),
            Self::TrimRight => whitespace::trim_right(input, out),
            Self::Uppercase => case::uppercase(input, out),
            Self::UrlDecode => percent::url_decode(input, out),
            Self::UrlDecodeUni => percent::url_decode_uni(input, out, context.unicode_map),
            Self::UrlEncode => percent::url_encode(input, out),
            Self::Utf8ToUnicode => unicode::utf8_to_unicode(input, out),
        }
    }

    /// Whether a value made of these bytes, in any order and number, could come out different. Sound, not
    /// exact: `false` means that [`apply`](Self::apply) answers `Unchanged`; `true` promises nothing. A few
    /// instructions.
    pub fn may_change(self, bytes: &ByteSet) -> bool {
        let has = |byte: u8| bytes.contains(byte);
        match self {
            // These rewrite every value, the empty one included.
            Self::Length | Self::Md5 | Self::Sha1 => true,
            Self::Base64Decode | Self::Base64DecodeExt | Self::Base64Encode => !bytes.is_empty(),
            Self::HexDecode | Self::HexEncode => !bytes.is_empty(),
            Self::CmdLine => bytes.intersects(&cmdline::TOUCHED),
            Self::CompressWhitespace | Self::Trim | Self::TrimLeft | Self::TrimRight => {
                bytes.intersects(&whitespace::SPACES)
            }
            Self::RemoveWhitespace => bytes.intersects(&whitespace::SPACES_AND_NBSP),
            Self::CssDecode | Self::EscapeSeqDecode | Self::JsDecode => has(b'\\'),
            Self::HtmlEntityDecode => has(b'&'),
            Self::Lowercase => bytes.intersects(&case::UPPER),
            Self::Uppercase => bytes.intersects(&case::LOWER),
            Self::NormalizePath => has(b'/') || has(b'.'),
            Self::NormalizePathWin => has(b'/') || has(b'.') || has(b'\\'),
            Self::ParityEven7Bit => bytes.intersects(&parity::NOT_EVEN),
            Self::ParityOdd7Bit => bytes.intersects(&parity::NOT_ODD),
            Self::ParityZero7Bit => bytes.intersects(&unicode::NOT_ASCII),
            Self::PhpArgsNames => bytes.intersects(&php::TOUCHED),
            Self::RemoveComments | Self::RemoveCommentsChar => {
                has(b'#') || has(b'-') || (has(b'/') && has(b'*'))
            }
            Self::ReplaceComments => has(b'/') && has(b'*'),
            Self::RemoveNulls | Self::ReplaceNulls => has(0),
            Self::SqlHexDecode => has(b'0') && (has(b'x') || has(b'X')),
            Self::UrlDecode | Self::UrlDecodeUni => {
                has(b'+') || (has(b'%') && bytes.intersects(&hex::HEX_DIGITS))
            }
            Self::UrlEncode => bytes.intersects(&percent::ENCODED),
            Self::Utf8ToUnicode => has(0) || bytes.intersects(&unicode::NOT_ASCII),
        }
    }

    /// The bytes of which a value needs at least one to come out different; `None` when every value may, the empty
    /// one included. Says less than [`may_change`](Self::may_change), as a set that can be joined with others.
    pub const fn unchanged_without(self) -> Option<ByteSet> {
        Some(match self {
            Self::Length | Self::Md5 | Self::Sha1 => return None,
            Self::Base64Decode
            | Self::Base64DecodeExt
            | Self::Base64Encode
            | Self::HexDecode
            | Self::HexEncode => ByteSet::FULL,
            Self::CmdLine => cmdline::TOUCHED,
            Self::CompressWhitespace | Self::Trim | Self::TrimLeft | Self::TrimRight => whitespace::SPACES,
            Self::RemoveWhitespace => whitespace::SPACES_AND_NBSP,
            Self::CssDecode | Self::EscapeSeqDecode | Self::JsDecode => ByteSet::of(b"\\"),
            Self::HtmlEntityDecode => ByteSet::of(b"&"),
            Self::Lowercase => case::UPPER,
            Self::Uppercase => case::LOWER,
            Self::NormalizePath => ByteSet::of(b"/."),
            Self::NormalizePathWin => ByteSet::of(b"/.\\"),
            Self::ParityEven7Bit => parity::NOT_EVEN,
            Self::ParityOdd7Bit => parity::NOT_ODD,
            Self::ParityZero7Bit => unicode::NOT_ASCII,
            Self::PhpArgsNames => php::TOUCHED,
            Self::RemoveComments | Self::RemoveCommentsChar => ByteSet::of(b"#-*"),
            Self::ReplaceComments => ByteSet::of(b"*"),
            Self::RemoveNulls | Self::ReplaceNulls => ByteSet::of(b"\0"),
            Self::SqlHexDecode => ByteSet::of(b"xX"),
            Self::UrlDecode | Self::UrlDecodeUni => ByteSet::of(b"+%"),
            Self::UrlEncode => percent::ENCODED,
            Self::Utf8ToUnicode => unicode::NOT_ASCII.union(ByteSet::of(b"\0")),
        })
    }

    /// Whether [`apply`](Self::apply) surely answers `Unchanged` for `value`, whose set of bytes is `bytes`. Sound,
    /// not exact. Mostly [`may_change`](Self::may_change); where a harmless byte is common (a dot, a single space),
    /// one plain pass over the value. O(n).
    pub fn leaves(self, bytes: &ByteSet, value: &[u8]) -> bool {
        if !self.may_change(bytes) {
            return true;
        }
        let starts_bare = || !value.first().is_some_and(|&byte| whitespace::is_space(byte));
        let ends_bare = || !value.last().is_some_and(|&byte| whitespace::is_space(byte));
        match self {
            Self::Trim => starts_bare() && ends_bare(),
            Self::TrimLeft => starts_bare(),
            Self::TrimRight => ends_bare(),
            Self::CompressWhitespace => whitespace::is_compressed(bytes, value),
            Self::NormalizePath => !path::has_detour(value, Separators::Slash),
            Self::NormalizePathWin => !path::has_detour(value, Separators::SlashAndBackslash),
            Self::RemoveComments | Self::RemoveCommentsChar => !comments::has_mark(bytes, value),
            Self::ReplaceComments => !neighbours::has_pair(value, |a, b| (a == b'/') & (b == b'*')),
            _ => false,
        }
    }

    /// The set of the result's bytes, where that of the value, `bytes`, says it; `None` where the value has to be read.
    pub const fn bytes_after(self, bytes: &ByteSet) -> Option<ByteSet> {
        let nul = ByteSet::of(b"\0");
        Some(match self {
            Self::Lowercase => bytes.lowercased(),
            Self::RemoveNulls => bytes.intersection(nul.complement()),
            Self::RemoveWhitespace => bytes.intersection(whitespace::SPACES_AND_NBSP.complement()),
            Self::ReplaceNulls if bytes.contains(0) => {
                bytes.intersection(nul.complement()).union(ByteSet::of(b" "))
            }
            Self::CompressWhitespace if bytes.intersects(&whitespace::SPACES) => {
                bytes.intersection(whitespace::SPACES.complement()).union(ByteSet::of(b" "))
            }
            _ => return None,
        })
    }

    /// The bytes of which a value has one whose result has one of `wanted`. All bytes where nothing is known, also of the
    /// empty value.
    pub const fn bytes_before(self, wanted: ByteSet) -> ByteSet {
        match self {
            Self::Lowercase => wanted.before_lowercased(),
            Self::RemoveNulls | Self::RemoveWhitespace | Self::Trim | Self::TrimLeft | Self::TrimRight => {
                wanted
            }
            _ => ByteSet::FULL,
        }
    }

    /// An upper bound of the result's length for an input of `input_len` bytes. The decoders never exceed
    /// their input; `urlEncode` at most triples it and `utf8toUnicode` writes at most 7 bytes for 2.
    pub const fn output_len_max(self, input_len: usize) -> usize {
        match self {
            Self::Base64Encode => input_len.div_ceil(3) * 4,
            Self::HexEncode => input_len * 2,
            Self::Length => 20,
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::UrlEncode => input_len * 3,
            Self::Utf8ToUnicode => input_len * 7 / 2,
            _ => input_len,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_transformation_in_any_case() {
        for &transformation in Transformation::ALL {
            let name = transformation.name();
            assert_eq!(Transformation::from_name(name), Some(transformation));
            assert_eq!(Transformation::from_name(&name.to_uppercase()), Some(transformation));
        }
        assert_eq!(Transformation::from_name("normalisePath"), Some(Transformation::NormalizePath));
        assert_eq!(Transformation::from_name("none"), None);
    }

    #[test]
    fn the_buffer_is_cleared_and_its_room_used_again() {
        let mut out = b"left over from the last value".to_vec();
        let room = out.capacity();
        let effect = Transformation::UrlDecode.apply(b"%41b", &mut out, &Context::default());
        assert_eq!((effect, out.as_slice(), out.capacity()), (Effect::Changed, b"Ab".as_slice(), room));
    }
}
