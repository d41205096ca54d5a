//! From nodes to types. [`section!`] makes a struct out of keys with their words, types and defaults, and with it all
//! that depends on them: decoding, and the description that the reference page and the JSON Schema are made from.

use crate::diagnostic::{Diagnostic, Severity, Sink};
use crate::node::{Node, Origin, Value};

pub(crate) use palisade_yaml::nearest;

/// A type that a key may have.
pub(crate) trait Decode: Sized {
    /// Reads it; what is wrong goes to the decoder, and `None` comes back.
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self>;

    /// What it is when its key is absent and has no default; `None` when the key is required.
    fn absent() -> Option<Self> {
        None
    }

    /// What may be written.
    fn shape() -> Shape;
}

/// What may be written for a type.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A text of a form, which a regular expression tells where there is one (for the JSON Schema).
    Text { what: &'static str, pattern: Option<&'static str>, example: &'static str },
    /// A whole number between two.
    Integer { min: i64, max: i64 },
    /// `true` or `false`.
    Switch,
    /// One of some words.
    OneOf(&'static [&'static str]),
    /// One of some words, or else a text.
    WordOr(&'static [&'static str], Box<Shape>),
    /// `null`, or else.
    Nullable(Box<Shape>),
    /// A list of something.
    List(Box<Shape>),
    /// Something, or a list of it.
    OneOrMore(Box<Shape>),
    /// A mapping from names to something.
    Names(Box<Shape>),
    /// The one or the other.
    Either(Box<Shape>, Box<Shape>),
    /// A mapping with known keys.
    Section(&'static Section),
}

/// A section: a mapping with known keys.
#[derive(Debug)]
pub(crate) struct Section {
    /// The struct's name.
    pub(crate) name: &'static str,
    /// Its words.
    pub(crate) docs: &'static [&'static str],
    /// Its keys, in order.
    pub(crate) keys: &'static [KeyInfo],
    /// Keys of the whole format that this version does not have.
    pub(crate) later: &'static [&'static str],
}

/// A key of a section.
#[derive(Debug)]
pub(crate) struct KeyInfo {
    /// As in Rust; [`key_name`] makes the file's word of it.
    pub(crate) field: &'static str,
    /// Its words.
    pub(crate) docs: &'static [&'static str],
    /// What may be written.
    pub(crate) shape: fn() -> Shape,
    /// What is so when it is absent, as it would be written; `None`: what its shape says.
    pub(crate) default: Option<&'static str>,
    /// Whether it has to be there.
    pub(crate) required: fn() -> bool,
}

/// `on_request_body` is `onRequestBody` in a file.
pub(crate) fn key_name(field: &str) -> String {
    key_chars(field).collect()
}

/// Whether a word of a file names a field.
fn names(word: &str, field: &str) -> bool {
    // Most words are another field's: their ends tell sooner than all of it.
    word.as_bytes().last() == field.as_bytes().last() && key_chars(field).eq(word.chars())
}

fn key_chars(field: &str) -> impl Iterator<Item = char> {
    let mut upper = false;
    field.chars().filter_map(move |char| {
        let first = std::mem::replace(&mut upper, char == '_');
        (char != '_').then(|| if first { char.to_ascii_uppercase() } else { char })
    })
}

/// Goes through a tree, knows where it is, and collects what is wrong.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    path: String,
    folder: String,
    pub(crate) sink: Sink,
}

impl Decoder {
    /// A decoder of a file in a folder, where relative paths in it start; empty for the working directory.
    pub(crate) fn new(folder: &str) -> Self {
        Self { folder: folder.to_owned(), ..Self::default() }
    }

    /// A path from where it was written.
    pub(crate) fn resolve(&self, path: &str, origin: Origin) -> String {
        if !matches!(origin, Origin::File { .. })
            || path.starts_with('/')
            || matches!(&*self.folder, "" | ".")
        {
            return path.to_owned();
        }
        format!("{}/{}", self.folder.trim_end_matches('/'), path.trim_start_matches("./"))
    }

    /// An error about a node.
    pub(crate) fn error(&mut self, node: &Node, message: impl Into<String>, help: impl Into<Option<String>>) {
        self.report(Severity::Error, node.origin, message.into(), help.into());
    }

    pub(crate) fn report(
        &mut self,
        severity: Severity,
        origin: Origin,
        message: String,
        help: Option<String>,
    ) {
        self.sink.push(Diagnostic { severity, origin, key: self.path.clone(), message, help });
    }

    /// Runs something one step further down.
    pub(crate) fn within<T>(&mut self, step: &Step<'_>, run: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if length > 0 && !matches!(step, Step::Index(_)) {
            self.path.push('.');
        }
        match step {
            Step::Key(key) => self.path.push_str(key),
            Step::Field(field) => self.path.extend(key_chars(field)),
            Step::Index(index) => self.path.push_str(&format!("[{index}]")),
        }
        let result = run(self);
        self.path.truncate(length);
        result
    }

    /// The entries of a section, its unknown keys reported.
    pub(crate) fn section(&mut self, node: &Node, section: &'static Section) -> bool {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => return true,
            _ => {
                let keys: Vec<_> = section.keys.iter().map(|key| key_name(key.field)).collect();
                let message = format!("{} stands where keys are expected", node.describe());
                self.error(node, message, format!("write a mapping with some of: {}", keys.join(", ")));
                return false;
            }
        };
        let mut clean = true;
        for (key, _) in entries {
            let known = section.keys.iter().any(|known| names(&key.name, known.field));
            if known {
                continue;
            }
            clean = false;
            let (message, help) = unknown_key(section, &key.name);
            self.report(Severity::Error, key.origin, message, Some(help));
        }
        clean
    }

    /// One key of a section.
    pub(crate) fn key<T: Decode>(
        &mut self,
        node: &Node,
        field: &str,
        default: Option<&'static str>,
    ) -> Option<T> {
        let written = match &node.value {
            Value::Map(entries) => entries.iter().find(|(key, _)| names(&key.name, field)),
            _ => None,
        };
        self.within(&Step::Field(field), |decoder| match (written.map(|(_, value)| value), default) {
            (Some(value), Some(_)) if value.value == Value::Null => {
                let help = format!("remove the key for its default, {}", default.unwrap_or_default());
                decoder.error(value, format!("`{}` has no value", key_name(field)), help);
                None
            }
            (Some(value), _) => T::decode(value, decoder),
            (None, Some(default)) => T::decode(&Node::text(default, Origin::Default), decoder),
            (None, None) => {
                let absent = T::absent();
                if absent.is_none() {
                    let name = key_name(field);
                    let shape = match T::shape() {
                        Shape::OneOrMore(one) => *one,
                        shape => shape,
                    };
                    let help = match shape {
                        Shape::Text { example, .. } => Some(format!("add `{name}: {example}`")),
                        _ => Some(format!("add `{name}:` with its keys")),
                    };
                    decoder.report(Severity::Error, node.origin, format!("`{name}` is missing"), help);
                }
                absent
            }
        })
    }
}

/// A step down a tree.
pub(crate) enum Step<'a> {
    Key(&'a str),
    /// A key, as its field is called.
    Field(&'a str),
    Index(usize),
}

fn unknown_key(section: &Section, name: &str) -> (String, String) {
    let shown = crate::node::quoted(name);
    let names: Vec<String> = section.keys.iter().map(|key| key_name(key.field)).collect();
    if section.later.contains(&name) {
        return (format!("the key {shown} is not in this version"), "remove it".to_owned());
    }
    let all = names.iter().map(String::as_str).chain(section.later.iter().copied());
    let help = match nearest(name, all) {
        Some(near) if section.later.contains(&near) => {
            format!("did you mean `{near}`? It is not in this version")
        }
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", names.join(", ")),
    };
    (format!("the key {shown} is not known"), help)
}

impl<T: Decode> Decode for Option<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if node.value == Value::Null { Some(None) } else { T::decode(node, decoder).map(Some) }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn shape() -> Shape {
        Shape::Nullable(Box::new(T::shape()))
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let items = match &node.value {
            Value::List(items) => items,
            Value::Null => return Some(Vec::new()),
            _ => {
                let help = match &node.value {
                    Value::Text { text, .. } if text.len() < 80 && !text.contains(['[', ',', '{']) => {
                        format!("write [{text}]")
                    }
                    _ => "begin each item with `- `".to_owned(),
                };
                decoder.error(node, format!("{} stands where a list is expected", node.describe()), help);
                return None;
            }
        };
        let mut out = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            out.push(decoder.within(&Step::Index(index), |decoder| T::decode(item, decoder)));
        }
        // All of them, so that each mistake is seen.
        out.into_iter().collect()
    }

    fn absent() -> Option<Self> {
        Some(Vec::new())
    }

    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
}

impl Decode for bool {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::Text { text, plain: true } if text == "true" => Some(true),
            Value::Text { text, plain: true } if text == "false" => Some(false),
            value => {
                let help = match value {
                    Value::Text { text, .. } => match text.to_lowercase().as_str() {
                        "on" | "yes" | "true" | "1" => "write true",
                        "off" | "no" | "false" | "0" => "write false",
                        _ => "write true or false",
                    },
                    _ => "write true or false",
                };
                decoder.error(
                    node,
                    format!("{} is neither true nor false", node.describe()),
                    help.to_owned(),
                );
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Switch
    }
}

/// Declares a section. Each key is a field: its words, its name, its type, and its default as it would be written in
/// a file. Without a default it is what its type says of an absent key: nothing, an empty list, a section of
/// defaults; or the key is required.
macro_rules! section {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $( $(#[doc = $key_doc:literal])* $field:ident: $type:ty $(= $default:literal)?, )*
        }
        $(not in this version: $($later:literal),+;)?
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[doc = $key_doc])* pub $field: $type, )*
        }

        impl $name {
            pub(crate) const SECTION: &'static $crate::decode::Section = &$crate::decode::Section {
                name: stringify!($name),
                docs: &[$($doc),*],
                keys: &[$( $crate::decode::KeyInfo {
                    field: stringify!($field),
                    docs: &[$($key_doc),*],
                    shape: <$type as $crate::decode::Decode>::shape,
                    default: section!(@default $($default)?),
                    required: || {
                        let default: Option<&str> = section!(@default $($default)?);
                        default.is_none() && <$type as $crate::decode::Decode>::absent().is_none()
                    },
                }, )*],
                later: &[$($($later),+)?],
            };
        }

        impl $crate::decode::Decode for $name {
            fn decode(
                node: &$crate::node::Node,
                decoder: &mut $crate::decode::Decoder,
            ) -> Option<Self> {
                let clean = decoder.section(node, Self::SECTION);
                // Every key is read before any failure counts, so that each mistake is seen.
                $( let $field: Option<$type> =
                    decoder.key(node, stringify!($field), section!(@default $($default)?)); )*
                if !clean {
                    return None;
                }
                Some(Self { $( $field: $field?, )* })
            }

            fn absent() -> Option<Self> {
                // Always the same, and asked for by each of thousands of objects that leave the section out.
                static ABSENT: std::sync::OnceLock<Option<$name>> = std::sync::OnceLock::new();
                let made = || {
                    if Self::SECTION.keys.iter().any(|key| (key.required)()) {
                        return None;
                    }
                    let node = $crate::node::Node::empty_map($crate::node::Origin::Default);
                    Self::decode(&node, &mut $crate::decode::Decoder::default())
                };
                ABSENT.get_or_init(made).clone()
            }

            fn shape() -> $crate::decode::Shape {
                $crate::decode::Shape::Section(Self::SECTION)
            }
        }
    };
    (@default $default:literal) => { Some($default) };
    (@default) => { None };
}

pub(crate) use section;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_its_word() {
        assert_eq!(key_name("on_request_body"), "onRequestBody");
        assert_eq!(key_name("crs"), "crs");
        assert!(names("onRequestBody", "on_request_body") && names("crs", "crs"));
        assert!(!names("on_request_body", "on_request_body") && !names("onRequestBod", "on_request_body"));
        assert!(!names("", "crs") && !names("rs", "crs") && !names("xcrs", "crs"));
    }
}
