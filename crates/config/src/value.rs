//! Values of keys: each type says what it accepts, and what to write instead of what it does not.

mod address;
mod amount;
mod choice;
mod file;
mod located;
mod name;
mod number;
mod route;
mod upstream_url;

pub use address::{Address, AdminAddress, IpAddress};
pub use amount::{Size, SizeIn, Time};
pub use choice::{
    AuditFormat, ForwardedHeaders, ListenerProtocol, OnFailure, OnRequestBody, OnResponseBody, RouteBody,
    UpstreamProtocol,
};
pub use file::{FilePath, LogTarget};
pub use located::Located;
pub use name::Name;
pub use number::{AnswerStatus, Count, CountIn, Paranoia, Port, RedirectStatus};
pub use route::{HostPattern, Location, RoutePath};
pub use upstream_url::{UpstreamUrl, UpstreamUrls};

use palisade_model::{Attack, PointPattern, Wildcard};

use crate::decode::{Decoder, Shape, nearest};
use crate::exception::RuleIds;
use crate::headers::HeaderName;
use crate::node::{Node, Value, quoted};

/// Why a text is not a value: what it is not, and what to write.
pub(crate) type Refused = (String, String);

/// A value that is one text.
pub(crate) trait FromText: Sized {
    fn from_text(text: &str) -> Result<Self, Refused>;
    fn shape() -> Shape;
}

pub(crate) fn decode_text<T: FromText>(node: &Node, decoder: &mut Decoder) -> Option<T> {
    let text = text_of::<T>(node, decoder)?;
    match T::from_text(text) {
        Ok(value) => Some(value),
        Err((what, help)) => {
            decoder.error(node, format!("{} {what}", quoted(text)), help);
            None
        }
    }
}

macro_rules! decode_as_text {
    ($($type:ty),*) => { $(
        impl $crate::decode::Decode for $type {
            fn decode(
                node: &$crate::node::Node,
                decoder: &mut $crate::decode::Decoder,
            ) -> Option<Self> {
                $crate::value::decode_text(node, decoder)
            }

            fn shape() -> $crate::decode::Shape {
                <Self as $crate::value::FromText>::shape()
            }
        }
    )* };
}

pub(crate) use decode_as_text;

decode_as_text!(RuleIds, Attack, Wildcard, PointPattern, HeaderName, crate::socket::Socket);

fn text_of<'a, T: FromText>(node: &'a Node, decoder: &mut Decoder) -> Option<&'a str> {
    match &node.value {
        Value::Text { text, .. } => Some(text),
        _ => {
            let help = match T::shape() {
                Shape::Text { what, example, .. } => format!("write {what}, such as {example}"),
                Shape::OneOf(words) => format!("write {}", or(words)),
                Shape::WordOr(words, _) => format!("write {} or a file's path", words.join(", ")),
                Shape::Integer { min, max } => format!("write a number from {min} to {max}"),
                _ => "write a text".to_owned(),
            };
            decoder.error(node, format!("{} stands where a value is expected", node.describe()), help);
            None
        }
    }
}

/// `a, b or c`.
fn or(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A word of several, with a hint at the nearest.
macro_rules! words {
    ($(#[doc = $doc:literal])* pub enum $name:ident: $what:literal {
        $( $(#[doc = $variant_doc:literal])* $variant:ident = $word:literal, )*
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $( $(#[doc = $variant_doc])* $variant, )*
        }

        impl $name {
            const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word in a file.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        impl $crate::value::FromText for $name {
            fn from_text(text: &str) -> Result<Self, $crate::value::Refused> {
                match text {
                    $( $word => Ok(Self::$variant), )*
                    _ => Err($crate::value::not_a_word(text, $what, Self::WORDS)),
                }
            }

            fn shape() -> $crate::decode::Shape {
                $crate::decode::Shape::OneOf(Self::WORDS)
            }
        }
    };
}

pub(crate) use words;

pub(crate) fn not_a_word(text: &str, what: &str, words: &'static [&'static str]) -> Refused {
    let all = format!("write {}", or(words));
    let help = match nearest(text, words.iter().copied()) {
        Some(near) => format!("did you mean {near}? Otherwise {all}"),
        None => all,
    };
    (format!("is not {what}"), help)
}

/// What is said of a text that is not accepted.
#[cfg(test)]
fn refused<T: FromText>(text: &str) -> String {
    match T::from_text(text) {
        Ok(_) => panic!("`{text}` is accepted"),
        Err((what, help)) => format!("{what}; {help}"),
    }
}
