//! Schemas: every keyword that says something of a value. What is not known here is told, never guessed.

use palisade_yaml::{Node, Value, nearest, quoted};

use super::{Compiler, SCHEMAS_MAX, Version, text_of};
use crate::format::Format;
use crate::number::Number;
use crate::pattern::Pattern;
use crate::schema::{
    Between, ListRules, Literal, MapRules, NumberRules, RawForm, Schema, SchemaId, TextRules, Types,
};
use crate::tree::write_text;

/// Keywords that say something of a value.
const KEYWORDS: &[&str] = &[
    "type",
    "nullable",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "format",
    "items",
    "prefixItems",
    "maxItems",
    "minItems",
    "uniqueItems",
    "contains",
    "minContains",
    "maxContains",
    "properties",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "required",
    "maxProperties",
    "minProperties",
    "dependentRequired",
    "dependentSchemas",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "readOnly",
    "$ref",
];
/// Keywords that say nothing of a value, or nothing that others do not say as well.
const WORDS: &[&str] = &[
    "title",
    "description",
    "default",
    "example",
    "examples",
    "deprecated",
    "writeOnly",
    "discriminator",
    "xml",
    "externalDocs",
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "$anchor",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "$vocabulary",
];
/// Keywords that would say something, and are not read.
const NOT_READ: &[&str] =
    &["unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$dynamicAnchor", "dependencies"];
/// Values of an `enum`.
const VALUES_MAX: usize = 10_000;

impl<'n> Compiler<'n> {
    /// A schema's number. What a reference names is read later, so that depth is bounded by the text's own.
    pub(super) fn schema(&mut self, node: &'n Node) -> SchemaId {
        if let Some(reference) = node.get("$ref") {
            let siblings = matches!(&node.value, Value::Map(entries) if entries.len() > 1);
            if !(siblings && self.version == Version::V31) {
                return self.named(reference, node);
            }
        }
        let id = self.empty(node);
        let schema = self.read(node);
        self.put(id, schema);
        id
    }

    fn empty(&mut self, node: &Node) -> SchemaId {
        if self.schemas.len() >= SCHEMAS_MAX {
            if self.schemas.len() == SCHEMAS_MAX {
                self.error(node, format!("more than {SCHEMAS_MAX} schemas"), None);
                self.schemas.push(Schema::default());
                self.places.push(node.origin);
            }
            return SchemaId(SCHEMAS_MAX as u32);
        }
        self.schemas.push(Schema::default());
        self.places.push(node.origin);
        SchemaId(self.schemas.len() as u32 - 1)
    }

    fn put(&mut self, id: SchemaId, schema: Schema) {
        self.schemas[id.0 as usize] = schema;
    }

    /// The schema that a reference names.
    fn named(&mut self, reference: &'n Node, node: &'n Node) -> SchemaId {
        let name = text_of(reference).unwrap_or_default();
        if let Some(known) = self.named.get(name) {
            return *known;
        }
        let Some(target) = self.target(reference) else { return self.empty(node) };
        let id = self.empty(target);
        self.named.insert(name.to_owned(), id);
        self.waiting.push((id, target));
        id
    }

    /// Reads what references named.
    pub(super) fn drain_schemas(&mut self) {
        while let Some((id, node)) = self.waiting.pop() {
            let schema = match node.get("$ref") {
                Some(_) => Schema { all: vec![self.schema(node)], ..Schema::default() },
                None => self.read(node),
            };
            self.put(id, schema);
        }
    }

    /// Schemas that hold themselves around the same value have no meaning.
    pub(super) fn refuse_circles(&mut self) {
        // 0: not seen; 1: on the way; 2: done.
        let mut marks = vec![0u8; self.schemas.len()];
        let mut circles = Vec::new();
        for start in 0..self.schemas.len() {
            let mut way: Vec<(usize, Vec<SchemaId>)> = Vec::new();
            let mut next = Some(start);
            loop {
                if let Some(at) = next.take()
                    && marks[at] == 0
                {
                    marks[at] = 1;
                    way.push((at, self.schemas[at].of_same_value().collect()));
                }
                let Some((at, below)) = way.last_mut() else { break };
                match below.pop() {
                    Some(child) if marks[child.0 as usize] == 1 => circles.push(child.0 as usize),
                    Some(child) => next = Some(child.0 as usize),
                    None => {
                        marks[*at] = 2;
                        way.pop();
                    }
                }
            }
        }
        for at in circles {
            let message = "a schema holds itself, with nothing between".to_owned();
            let help = Some("put it under a property or into items, or remove the reference");
            self.report(palisade_yaml::Severity::Error, self.places[at], message, help);
        }
    }

    fn read(&mut self, node: &'n Node) -> Schema {
        let mut schema = Schema::default();
        match &node.value {
            Value::Map(_) => {}
            Value::Text { text, plain: true } if text == "true" => return schema,
            Value::Text { text, plain: true } if text == "false" => return Schema { never: true, ..schema },
            Value::Null => return schema,
            _ => {
                self.error(node, format!("{} stands where a schema is expected", node.describe()), None);
                return schema;
            }
        }
        self.unknown_keywords(node);
        schema.types = self.types(node);
        schema.nullable = self.version == Version::V30 && self.truth(node.get("nullable"));
        schema.read_only = self.truth(node.get("readOnly"));
        schema.values = self.values(node);
        schema.number = self.number_rules(node);
        schema.text = self.text_rules(node);
        schema.list = self.list_rules(node);
        schema.map = self.map_rules(node);
        if let Some(reference) = node.get("$ref").filter(|_| self.version == Version::V31) {
            schema.all.push(self.named(reference, node));
        }
        schema.all.extend(self.several(node, "allOf"));
        schema.any = self.several(node, "anyOf");
        schema.one = self.several(node, "oneOf");
        schema.not = node.get("not").map(|node| self.schema(node));
        schema.condition = node.get("if").map(|asked| {
            let asked = self.schema(asked);
            let then = node.get("then").map(|node| self.schema(node));
            (asked, then, node.get("else").map(|node| self.schema(node)))
        });
        schema
    }

    fn unknown_keywords(&mut self, node: &'n Node) {
        for (name, value) in self.members(node) {
            if KEYWORDS.contains(&name) || WORDS.contains(&name) || name.starts_with("x-") {
                continue;
            }
            if NOT_READ.contains(&name) {
                let message = format!("{} is not enforced", quoted(name));
                self.warn(
                    value,
                    message,
                    "say it by additionalProperties, items or a plain $ref where it matters",
                );
                continue;
            }
            let help = match nearest(name, KEYWORDS.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "remove it, or begin it with x-".to_owned(),
            };
            self.warn(
                value,
                format!("{} is no keyword of a schema, and nothing is made of it", quoted(name)),
                &help,
            );
        }
    }

    fn types(&mut self, node: &'n Node) -> Types {
        let Some(written) = node.get("type") else { return Types::default() };
        let list = match &written.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![written],
        };
        let mut types = 0;
        for item in list {
            // `type: null` without quotes is nothing to YAML, and a type to whoever wrote it.
            let name = if item.value == Value::Null { "null" } else { text_of(item).unwrap_or_default() };
            match Types::NAMES.iter().find(|(known, _)| *known == name) {
                Some((_, bit)) => types |= bit,
                None => {
                    let help = match nearest(name, Types::NAMES.map(|(name, _)| name)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("write one of {}", Types::NAMES.map(|(name, _)| name).join(", ")),
                    };
                    self.error(item, format!("{} is no type", item.describe()), help.as_str());
                }
            }
        }
        Types(types)
    }

    fn several(&mut self, node: &'n Node, name: &str) -> Vec<SchemaId> {
        let Some(written) = node.get(name) else { return Vec::new() };
        let items = self.items(written);
        if items.is_empty() {
            self.error(written, format!("`{name}` has no schema in it"), "add one, or remove it");
        }
        items.into_iter().map(|node| self.schema(node)).collect()
    }

    fn values(&mut self, node: &'n Node) -> Option<Box<[Literal]>> {
        let written = match (node.get("enum"), node.get("const")) {
            (Some(list), _) => self.items(list),
            (None, Some(one)) => vec![one],
            (None, None) => return None,
        };
        if written.len() > VALUES_MAX {
            self.error(node, format!("`enum` has more than {VALUES_MAX} values"), None);
        }
        Some(written.into_iter().take(VALUES_MAX).map(literal).collect())
    }

    fn number(&mut self, node: &'n Node, name: &str) -> Option<Number> {
        let written = node.get(name)?;
        let number = text_of(written).and_then(|text| Number::parse(text.as_bytes()));
        if number.is_none() {
            self.error(
                written,
                format!("`{name}` is a number, not {}", written.describe()),
                "write one such as 10",
            );
        }
        number
    }

    fn count(&mut self, node: &'n Node, name: &str) -> Option<u64> {
        let whole = self.number(node, name)?.whole();
        let count = whole.and_then(|whole| u64::try_from(whole).ok());
        if let (None, Some(written)) = (count, node.get(name)) {
            self.error(written, format!("`{name}` is a whole number from 0 on"), "write one such as 10");
        }
        count
    }

    fn between(&mut self, node: &'n Node, least: &str, most: &str) -> Between {
        let Between { least: none, most: all } = Between::default();
        Between {
            least: self.count(node, least).unwrap_or(none),
            most: self.count(node, most).unwrap_or(all),
        }
    }

    fn number_rules(&mut self, node: &'n Node) -> Option<Box<NumberRules>> {
        let bound = |compiler: &mut Self, name: &str, excluded: &str| {
            let number = node.get(name).and_then(|_| compiler.number(node, name));
            match node.get(excluded).map(|node| (node, text_of(node))) {
                // 3.0: a word beside the bound.
                Some((_, Some("true"))) => number.map(|number| (number, true)),
                Some((_, Some("false"))) | None => number.map(|number| (number, false)),
                // 3.1: a bound of its own; the stricter of two holds.
                Some(_) => {
                    let own = compiler.number(node, excluded)?;
                    let inner = number.filter(|number| {
                        let order = number.compare(own);
                        let stricter = if name == "minimum" {
                            std::cmp::Ordering::Greater
                        } else {
                            std::cmp::Ordering::Less
                        };
                        order == Some(stricter)
                    });
                    Some(inner.map_or((own, true), |inner| (inner, false)))
                }
            }
        };
        let minimum = bound(self, "minimum", "exclusiveMinimum");
        let maximum = bound(self, "maximum", "exclusiveMaximum");
        let multiple_of = self.number(node, "multipleOf");
        let format = self.format(node).filter(|format| format.is_of_numbers());
        let rules = NumberRules { minimum, maximum, multiple_of, format };
        let says =
            rules.minimum.is_some() || rules.maximum.is_some() || multiple_of.is_some() || format.is_some();
        says.then(|| Box::new(rules))
    }

    fn format(&self, node: &Node) -> Option<Format> {
        node.get("format").and_then(text_of).and_then(Format::from_name)
    }

    fn text_rules(&mut self, node: &'n Node) -> Option<Box<TextRules>> {
        let length = self.between(node, "minLength", "maxLength");
        let pattern = node
            .get("pattern")
            .and_then(|written| self.pattern(written, text_of(written).unwrap_or_default()));
        let binary = node.get("contentEncoding").or(node.get("contentMediaType")).map(|_| Format::Binary);
        let format = self.format(node).filter(|format| !format.is_of_numbers()).or(binary);
        let says = length != Between::default() || pattern.is_some() || format.is_some();
        says.then(|| Box::new(TextRules { length, pattern, format }))
    }

    fn pattern(&mut self, node: &'n Node, text: &str) -> Option<Pattern> {
        match Pattern::new(text) {
            Ok(pattern) => Some(pattern),
            Err(why) => {
                let help = "write it without; until then values are not held against it";
                self.warn(node, format!("the pattern {} {why}", quoted(text)), help);
                None
            }
        }
    }

    fn list_rules(&mut self, node: &'n Node) -> Option<Box<ListRules>> {
        let length = self.between(node, "minItems", "maxItems");
        let unique = self.truth(node.get("uniqueItems"));
        let first: Vec<SchemaId> = match node.get("prefixItems") {
            Some(list) => self.items(list).into_iter().map(|node| self.schema(node)).collect(),
            None => Vec::new(),
        };
        let items = node.get("items").map(|node| self.schema(node));
        let contains = node.get("contains").map(|written| {
            let schema = self.schema(written);
            let count = self.between(node, "minContains", "maxContains");
            let least = if node.get("minContains").is_some() { count.least } else { 1 };
            (schema, Between { least, ..count })
        });
        let says = length != Between::default()
            || unique
            || !first.is_empty()
            || items.is_some()
            || contains.is_some();
        says.then(|| Box::new(ListRules { length, unique, first, items, contains }))
    }

    fn map_rules(&mut self, node: &'n Node) -> Option<Box<MapRules>> {
        let mut rules =
            MapRules { size: self.between(node, "minProperties", "maxProperties"), ..MapRules::default() };
        if let Some(properties) = node.get("properties") {
            for (name, node) in self.members(properties) {
                let schema = self.schema(node);
                rules.properties.insert(name.as_bytes().into(), schema);
            }
        }
        let read_only: Vec<&str> = match node.get("properties") {
            Some(properties) => {
                let members = self.members(properties);
                members
                    .into_iter()
                    .filter(|(_, node)| self.is_read_only(node))
                    .map(|(name, _)| name)
                    .collect()
            }
            None => Vec::new(),
        };
        if let Some(required) = node.get("required") {
            // 3.0 writes `required: true` at a parameter, and some at a property, where it means nothing.
            for name in self.items(required).into_iter().filter_map(text_of) {
                // What a request may not set, none has to.
                if !read_only.contains(&name) {
                    rules.required.push(name.as_bytes().into());
                }
            }
        }
        if let Some(patterns) = node.get("patternProperties") {
            for (text, node) in self.members(patterns) {
                let schema = self.schema(node);
                match self.pattern(node, text) {
                    Some(pattern) => rules.patterns.push((pattern, schema)),
                    // Names that nobody can tell may be anything.
                    None => rules.patterns.extend(Pattern::new("").ok().map(|any| (any, schema))),
                }
            }
        }
        rules.additional = node.get("additionalProperties").map(|node| self.schema(node));
        rules.names = node.get("propertyNames").map(|node| self.schema(node));
        if let Some(dependent) = node.get("dependentRequired") {
            for (name, list) in self.members(dependent) {
                let needed = self.items(list).into_iter().filter_map(text_of);
                let needed = needed.map(|name| name.as_bytes().into()).collect();
                rules.dependent_required.push((name.as_bytes().into(), needed));
            }
        }
        if let Some(dependent) = node.get("dependentSchemas") {
            for (name, node) in self.members(dependent) {
                let schema = self.schema(node);
                rules.dependent_schemas.push((name.as_bytes().into(), schema));
            }
        }
        let says = rules.size != Between::default()
            || !rules.required.is_empty()
            || !rules.properties.is_empty()
            || !rules.patterns.is_empty()
            || rules.additional.is_some()
            || rules.names.is_some()
            || !rules.dependent_required.is_empty()
            || !rules.dependent_schemas.is_empty();
        says.then(|| Box::new(rules))
    }

    /// Whether a property, or what it refers to, is not for requests.
    fn is_read_only(&mut self, node: &'n Node) -> bool {
        let says = |node: &Node| node.get("readOnly").and_then(text_of) == Some("true");
        says(node)
            || node.get("$ref").is_some_and(|_| {
                let before = self.sink.errors();
                // A reference that leads nowhere was told when it was read.
                before == 0 && self.resolve(node).is_some_and(says)
            })
    }
}

/// A value as it is written in the specification.
fn literal(node: &Node) -> Literal {
    let mut canonical = Vec::new();
    write_literal(node, &mut canonical);
    let raw = match &node.value {
        Value::Text { text, plain } => Some(match Number::parse(text.as_bytes()).filter(|_| *plain) {
            Some(number) => RawForm::Number(number),
            None => RawForm::Text(text.clone().into_bytes()),
        }),
        Value::Null => Some(RawForm::Text(Vec::new())),
        Value::List(_) | Value::Map(_) => None,
    };
    Literal { canonical, raw }
}

fn write_literal(node: &Node, out: &mut Vec<u8>) {
    match &node.value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Text { text, plain: true } if text == "true" || text == "false" => {
            out.extend_from_slice(text.as_bytes())
        }
        Value::Text { text, plain } => match Number::parse(text.as_bytes()).filter(|_| *plain) {
            Some(number) => number.write(out),
            None => write_text(text.as_bytes(), out),
        },
        Value::List(items) => {
            out.push(b'[');
            for item in items {
                write_literal(item, out);
                out.push(b',');
            }
            out.push(b']');
        }
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|(one, _), (other, _)| one.name.as_bytes().cmp(other.name.as_bytes()));
            out.push(b'{');
            for (key, value) in entries {
                write_text(key.name.as_bytes(), out);
                write_literal(value, out);
                out.push(b',');
            }
            out.push(b'}');
        }
    }
}
