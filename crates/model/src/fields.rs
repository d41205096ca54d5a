//! Records that say of themselves which fields they have: what is written as JSON, what a query may name and what the
//! reference page lists are one table.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::redact::Excerpt;
use crate::{Attack, Mode};

/// A field of a record.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// What stands there.
    pub kind: FieldKind,
    /// What it means: lines of its documentation.
    pub doc: &'static [&'static str],
}

/// What stands in a field.
#[derive(Clone, Copy, Debug)]
pub enum FieldKind {
    /// A text.
    Text,
    /// One of a few words.
    Word,
    /// A whole number.
    Number,
    /// `true`; a field that would be `false` is left out.
    Flag,
    /// A point in time, RFC 3339 in UTC.
    Time,
    /// An IP address.
    Address,
    /// Fields of its own.
    Object(&'static [Field]),
    /// Numbers by name; which names there are depends on rules.
    Numbers,
    /// Several of a kind.
    List(&'static FieldKind),
}

impl FieldKind {
    /// The fields of an object, or of the objects of a list.
    pub const fn inner(self) -> &'static [Field] {
        match self {
            Self::Object(inner) => inner,
            Self::List(of) => of.inner(),
            _ => &[],
        }
    }

    /// As the reference says it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Word => "word",
            Self::Number => "number",
            Self::Flag => "true",
            Self::Time => "time",
            Self::Address => "address",
            Self::Object(_) => "object",
            Self::Numbers => "object of numbers",
            Self::List(Self::Text) => "list of texts",
            Self::List(Self::Word) => "list of words",
            Self::List(Self::Object(_)) => "list of objects",
            Self::List(_) => "list",
        }
    }
}

/// Every field with the names above it, as queries name them: `source.ip`, and `rules.id` for each of a list.
pub fn paths(fields: &'static [Field]) -> Vec<(String, &'static Field)> {
    fn below(fields: &'static [Field], above: &str, into: &mut Vec<(String, &'static Field)>) {
        for field in fields {
            let path = format!("{above}{}", field.name);
            into.push((path.clone(), field));
            below(field.kind.inner(), &format!("{path}."), into);
        }
    }
    let mut all = Vec::new();
    below(fields, "", &mut all);
    all
}

/// What can stand in a field of a record.
pub trait Member {
    /// Which kind it is.
    const KIND: FieldKind;

    /// Whether there is nothing to write.
    fn is_absent(&self) -> bool {
        false
    }

    /// Writes it.
    ///
    /// # Errors
    /// Those of the serializer.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// A member on its way to a serializer.
pub(crate) struct Written<'m, M: Member>(pub(crate) &'m M);

impl<M: Member> Serialize for Written<'_, M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

/// A point in time, in milliseconds since 1970. As JSON it is `2026-11-22T11:50:00.123Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// So much later; the end of time, where that is beyond it.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago an earlier moment was; nothing where it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Member for Moment {
    const KIND: FieldKind = FieldKind::Time;

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::Calendar::new(self.0, 0).rfc3339())
    }
}

impl Member for Excerpt {
    const KIND: FieldKind = FieldKind::Text;

    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Member for IpAddr {
    const KIND: FieldKind = FieldKind::Address;

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Member for bool {
    const KIND: FieldKind = FieldKind::Flag;

    fn is_absent(&self) -> bool {
        !self
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*self)
    }
}

macro_rules! members {
    ($($type:ty: $kind:ident by $write:expr;)*) => {
        $(impl Member for $type {
            const KIND: FieldKind = FieldKind::$kind;

            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let write: fn(&$type, S) -> Result<S::Ok, S::Error> = $write;
                write(self, serializer)
            }
        })*
    };
}

members! {
    u8: Number by |number, serializer| serializer.serialize_u8(*number);
    u16: Number by |number, serializer| serializer.serialize_u16(*number);
    u32: Number by |number, serializer| serializer.serialize_u32(*number);
    u64: Number by |number, serializer| serializer.serialize_u64(*number);
    &'static str: Word by |word, serializer| serializer.serialize_str(word);
    Mode: Word by |mode, serializer| serializer.serialize_str(mode.as_str());
    Attack: Word by |attack, serializer| serializer.serialize_str(attack.name());
}

impl<M: Member> Member for Option<M> {
    const KIND: FieldKind = M::KIND;

    fn is_absent(&self) -> bool {
        self.as_ref().is_none_or(Member::is_absent)
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(member) => member.write(serializer),
            None => serializer.serialize_none(),
        }
    }
}

impl<M: Member> Member for Vec<M> {
    const KIND: FieldKind = FieldKind::List(&M::KIND);

    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Written))
    }
}

impl<M: Member> Member for Box<M> {
    const KIND: FieldKind = M::KIND;

    fn is_absent(&self) -> bool {
        (**self).is_absent()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).write(serializer)
    }
}

/// Numbers by name, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers(pub Vec<(String, i64)>);

impl Member for Numbers {
    const KIND: FieldKind = FieldKind::Numbers;

    fn is_absent(&self) -> bool {
        self.0.is_empty()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, number)| (name, number)))
    }
}

/// Makes a record: a struct whose fields have a name in JSON, and are left out there when there is nothing in them.
macro_rules! record {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $($(#[doc = $field_doc:literal])+ $field:ident: $type:ty = $key:literal,)*
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $($(#[doc = $field_doc])+ pub $field: $type,)*
        }

        impl $name {
            /// Its fields, in the order in which they are written.
            pub const FIELDS: &'static [$crate::fields::Field] = &[$($crate::fields::Field {
                name: $key,
                kind: <$type as $crate::fields::Member>::KIND,
                doc: &[$($field_doc),+],
            },)*];
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                use $crate::fields::{Member as _, Written};
                let mut map = serializer.serialize_map(None)?;
                $(if !self.$field.is_absent() {
                    map.serialize_entry($key, &Written(&self.$field))?;
                })*
                map.end()
            }
        }

        impl $crate::fields::Member for $name {
            const KIND: $crate::fields::FieldKind = $crate::fields::FieldKind::Object(Self::FIELDS);

            fn is_absent(&self) -> bool {
                true $(&& $crate::fields::Member::is_absent(&self.$field))*
            }

            fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(self, serializer)
            }
        }
    };
}

/// Makes a kind of words: an enum whose values are written as one word each. The first is the default.
macro_rules! field_words {
    (
        $(#[$doc:meta])+
        pub enum $name:ident { $($(#[doc = $word_doc:literal])+ $variant:ident = $word:literal,)+ }
    ) => {
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name { $($(#[doc = $word_doc])+ $variant,)+ }

        impl $name {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// As it is written.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// What it means.
            pub const fn doc(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($word_doc),+],)+ }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::ALL[0]
            }
        }

        impl $crate::fields::Member for $name {
            const KIND: $crate::fields::FieldKind = $crate::fields::FieldKind::Word;

            fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

pub(crate) use {field_words, record};
