//! A schema as it is asked: what OpenAPI 3.0 writes (`nullable`, `exclusiveMaximum: true`) and what 3.1 writes (lists of
//! types, numbers) mean the same here. Schemas stand in one table and know each other by number, so that a schema may
//! hold itself.

use std::collections::HashMap;

use crate::format::Format;
use crate::number::Number;
use crate::pattern::Pattern;

/// A schema's place in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SchemaId(pub(crate) u32);

/// All schemas of a specification.
#[derive(Debug, Default)]
pub(crate) struct Schemas(pub(crate) Vec<Schema>);

impl std::ops::Index<SchemaId> for Schemas {
    type Output = Schema;

    fn index(&self, id: SchemaId) -> &Schema {
        &self.0[id.0 as usize]
    }
}

/// Which types a value may have; any where none is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Types(pub(crate) u8);

impl Types {
    pub(crate) const NULL: u8 = 1;
    pub(crate) const TRUTH: u8 = 2;
    pub(crate) const MAP: u8 = 4;
    pub(crate) const LIST: u8 = 8;
    pub(crate) const NUMBER: u8 = 16;
    pub(crate) const WHOLE: u8 = 32;
    pub(crate) const TEXT: u8 = 64;

    pub(crate) const NAMES: [(&'static str, u8); 7] = [
        ("null", Self::NULL),
        ("boolean", Self::TRUTH),
        ("object", Self::MAP),
        ("array", Self::LIST),
        ("number", Self::NUMBER),
        ("integer", Self::WHOLE),
        ("string", Self::TEXT),
    ];

    pub(crate) fn are_any(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// For a message: `an integer`, `string or null`.
    pub(crate) fn describe(self) -> String {
        let names: Vec<&str> =
            Self::NAMES.iter().filter(|(_, bit)| self.has(*bit)).map(|(name, _)| *name).collect();
        names.join(" or ")
    }
}

/// What a value has to be.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) types: Types,
    /// `false`: nothing fits.
    pub(crate) never: bool,
    /// A null fits whatever else is said.
    pub(crate) nullable: bool,
    /// Not for requests.
    pub(crate) read_only: bool,
    /// `enum` or `const`.
    pub(crate) values: Option<Box<[Literal]>>,
    pub(crate) number: Option<Box<NumberRules>>,
    pub(crate) text: Option<Box<TextRules>>,
    pub(crate) list: Option<Box<ListRules>>,
    pub(crate) map: Option<Box<MapRules>>,
    pub(crate) all: Vec<SchemaId>,
    pub(crate) any: Vec<SchemaId>,
    pub(crate) one: Vec<SchemaId>,
    pub(crate) not: Option<SchemaId>,
    /// `if`, `then`, `else`.
    pub(crate) condition: Option<(SchemaId, Option<SchemaId>, Option<SchemaId>)>,
}

impl Schema {
    /// Schemas that judge the same value.
    pub(crate) fn of_same_value(&self) -> impl Iterator<Item = SchemaId> {
        let condition =
            self.condition.into_iter().flat_map(|(asked, then, other)| [Some(asked), then, other]);
        let lists = [&self.all, &self.any, &self.one].into_iter().flatten().copied();
        lists.chain(self.not).chain(condition.flatten())
    }
}

/// A value that is written in a specification.
#[derive(Debug)]
pub(crate) struct Literal {
    /// As [`crate::tree::Tree::write_canonical`] writes it.
    pub(crate) canonical: Vec<u8>,
    /// As a parameter writes it; `None` for lists and objects.
    pub(crate) raw: Option<RawForm>,
}

/// A value as a parameter writes it.
#[derive(Debug, PartialEq)]
pub(crate) enum RawForm {
    Text(Vec<u8>),
    Number(Number),
}

#[derive(Debug, Default)]
pub(crate) struct NumberRules {
    /// The least, and whether it is out itself.
    pub(crate) minimum: Option<(Number, bool)>,
    pub(crate) maximum: Option<(Number, bool)>,
    pub(crate) multiple_of: Option<Number>,
    pub(crate) format: Option<Format>,
}

#[derive(Debug, Default)]
pub(crate) struct TextRules {
    /// In characters.
    pub(crate) length: Between,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) format: Option<Format>,
}

#[derive(Debug, Default)]
pub(crate) struct ListRules {
    pub(crate) length: Between,
    pub(crate) unique: bool,
    pub(crate) first: Vec<SchemaId>,
    pub(crate) items: Option<SchemaId>,
    pub(crate) contains: Option<(SchemaId, Between)>,
}

#[derive(Debug, Default)]
pub(crate) struct MapRules {
    pub(crate) size: Between,
    pub(crate) required: Vec<Box<[u8]>>,
    pub(crate) properties: HashMap<Box<[u8]>, SchemaId>,
    pub(crate) patterns: Vec<(Pattern, SchemaId)>,
    /// Of members that are not named; anything where it is absent.
    pub(crate) additional: Option<SchemaId>,
    pub(crate) names: Option<SchemaId>,
    pub(crate) dependent_required: Vec<(MemberName, Vec<MemberName>)>,
    pub(crate) dependent_schemas: Vec<(Box<[u8]>, SchemaId)>,
}

/// The name of a member.
pub(crate) type MemberName = Box<[u8]>;

/// Bounds of a count, both in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Between {
    pub(crate) least: u64,
    pub(crate) most: u64,
}

impl Default for Between {
    fn default() -> Self {
        Self { least: 0, most: u64::MAX }
    }
}
