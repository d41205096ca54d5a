//! What a schema says of a value.
//!
//! Two ways to ask: aloud, where each breach is told with its place, and silently, in the branches of `anyOf`, `oneOf`, `not`
//! and `if`, where only yes or no counts. What was said silently is remembered, so that a value is held against a schema
//! once however many branches lead there: work is at most (schemas x values), and counted besides.

use std::collections::{HashMap, HashSet};

use palisade_model::Root;

use crate::breach::{Breaches, Violation};
use crate::number::Number;
use crate::schema::{Between, Literal, MapRules, RawForm, Schema, SchemaId, Schemas, TextRules, Types};
use crate::tree::{Item, ItemId, Link, Span, Tree, write_text};

/// The work of the request is done, or it went too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// How places below the value are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As pointers: `/items/0/name`.
    Pointer,
    /// By the member of the value that it is in: the field of a form.
    Member,
    /// All by one name: that of a parameter.
    Fixed,
}

/// Schemas inside one another around one value: `allOf` in `allOf`. Each takes a frame of the stack.
const DEPTH_MAX: usize = 300;
/// Bytes of a place that is told.
const PATH_BYTES_MAX: usize = 512;

/// Holds values against schemas, for one request.
pub(crate) struct Validator<'a> {
    pub(crate) schemas: &'a Schemas,
    pub(crate) tree: &'a Tree,
    /// Steps that are left.
    pub(crate) work: &'a mut u64,
    pub(crate) breaches: &'a mut Breaches,
    pub(crate) root: Root,
    pub(crate) naming: Naming,
    /// The place of the value.
    pub(crate) path: Vec<u8>,
    silent: bool,
    depth: usize,
    /// How deep in the value.
    level: usize,
    said: HashMap<(SchemaId, ItemId), bool>,
}

impl<'a> Validator<'a> {
    pub(crate) fn new(
        schemas: &'a Schemas,
        tree: &'a Tree,
        work: &'a mut u64,
        breaches: &'a mut Breaches,
        (root, naming, path): (Root, Naming, Vec<u8>),
    ) -> Self {
        let (silent, depth, level) = (false, 0, 0);
        Self { schemas, tree, work, breaches, root, naming, path, silent, depth, level, said: HashMap::new() }
    }

    /// Whether the value fits, each breach told.
    ///
    /// # Errors
    /// When that would be more work than a request may take.
    pub(crate) fn judge(&mut self, id: SchemaId, item: ItemId) -> Result<bool, Exhausted> {
        self.spend(1)?;
        if self.depth >= DEPTH_MAX {
            return Err(Exhausted);
        }
        if self.silent
            && let Some(said) = self.said.get(&(id, item))
        {
            return Ok(*said);
        }
        self.depth += 1;
        let fits = self.fits(&self.schemas[id], item);
        self.depth -= 1;
        let fits = fits?;
        if self.silent {
            self.said.insert((id, item), fits);
        }
        Ok(fits)
    }

    fn spend(&mut self, steps: usize) -> Result<(), Exhausted> {
        *self.work = self.work.checked_sub(steps as u64).ok_or(Exhausted)?;
        Ok(())
    }

    /// Tells a breach here. Always `false`.
    fn breach(&mut self, violation: Violation, why: impl FnOnce() -> String) -> bool {
        if !self.silent {
            self.breaches.add(violation, self.root, self.path.clone(), why());
        }
        false
    }

    fn invalid(&mut self, why: impl FnOnce() -> String) -> bool {
        self.breach(Violation::InvalidValue, why)
    }

    fn fits(&mut self, schema: &'a Schema, id: ItemId) -> Result<bool, Exhausted> {
        let item = self.tree.item(id);
        if schema.never {
            return Ok(self.breach(Violation::UndefinedParameter, || "nothing is allowed here".to_owned()));
        }
        if matches!(item, Item::Unread) || schema.nullable && self.is_null(item) {
            return Ok(true);
        }
        if !self.has_type(schema.types, item) {
            return Ok(self.invalid(|| format!("is not of type {}", schema.types.describe())));
        }
        // All of them, so that each breach is told: what is done about them differs by kind.
        let mut fits = true;
        if let Some(values) = &schema.values {
            fits &= self.is_one_of(values, id)?;
        }
        match item {
            Item::Number(number) => fits &= self.number_fits(schema, number),
            Item::Text(span) => fits &= self.text_fits(schema, span)?,
            Item::Raw(span) => {
                let number = Number::parse(self.tree.text(span));
                let numeric = schema.types.are_any() || schema.types.has(Types::NUMBER | Types::WHOLE);
                match number.or_else(|| Number::parse_whole(self.tree.text(span))).filter(|_| numeric) {
                    Some(number) => fits &= self.number_fits(schema, number),
                    None => fits &= self.text_fits(schema, span)?,
                }
            }
            Item::List(links) => fits &= self.list_fits(schema, self.tree.links(links))?,
            Item::Map(links) => {
                if let Some(rules) = &schema.map {
                    fits &= self.map_fits(rules, self.tree.links(links))?;
                    for (name, schema) in &rules.dependent_schemas {
                        let there = |link: &Link| self.tree.text(link.name) == &**name;
                        if self.tree.links(links).iter().any(there) {
                            fits &= self.judge(*schema, id)?;
                        }
                    }
                }
            }
            Item::Null | Item::Truth(_) | Item::File | Item::Unread => {}
        }
        for part in &schema.all {
            fits &= self.judge(*part, id)?;
        }
        if !schema.any.is_empty() {
            fits &= self.any_fits(&schema.any, id, false)?;
        }
        if !schema.one.is_empty() {
            fits &= self.any_fits(&schema.one, id, true)?;
        }
        if let Some(not) = schema.not
            && self.silently(not, id)?
        {
            fits &= self.invalid(|| "is what `not` excludes".to_owned());
        }
        if let Some((asked, then, other)) = schema.condition {
            let next = if self.silently(asked, id)? { then } else { other };
            if let Some(next) = next {
                fits &= self.judge(next, id)?;
            }
        }
        Ok(fits)
    }

    fn silently(&mut self, schema: SchemaId, item: ItemId) -> Result<bool, Exhausted> {
        let before = std::mem::replace(&mut self.silent, true);
        let fits = self.judge(schema, item);
        self.silent = before;
        fits
    }

    /// `anyOf`, or `oneOf` where exactly one shall fit.
    fn any_fits(
        &mut self,
        branches: &'a [SchemaId],
        id: ItemId,
        exactly_one: bool,
    ) -> Result<bool, Exhausted> {
        let item = self.tree.item(id);
        self.spend(branches.len())?;
        if !self.silent {
            // Where types leave one branch, that one says what is wrong better than we do.
            let of_type = |branch: &&SchemaId| self.may_have_type(&self.schemas[**branch], item);
            let mut possible = branches.iter().filter(of_type);
            if let (Some(only), None) = (possible.next(), possible.next()) {
                return self.judge(*only, id);
            }
        }
        let mut fitting = 0;
        for branch in branches {
            fitting += usize::from(self.silently(*branch, id)?);
            if fitting > usize::from(exactly_one) {
                break;
            }
        }
        Ok(match fitting {
            0 => self.invalid(|| format!("fits none of the {} forms it may have", branches.len())),
            1 => true,
            _ if exactly_one => {
                self.invalid(|| "fits more than one of the forms of which it may have one".to_owned())
            }
            _ => true,
        })
    }

    fn may_have_type(&self, schema: &Schema, item: Item) -> bool {
        !schema.never && (schema.nullable && self.is_null(item) || self.has_type(schema.types, item))
    }

    fn is_null(&self, item: Item) -> bool {
        match item {
            Item::Null => true,
            Item::Raw(span) => matches!(self.tree.text(span), b"" | b"null"),
            _ => false,
        }
    }

    fn has_type(&self, types: Types, item: Item) -> bool {
        if types.are_any() {
            return true;
        }
        match item {
            Item::Null => types.has(Types::NULL),
            Item::Truth(_) => types.has(Types::TRUTH),
            Item::Number(number) => types.has(Types::NUMBER) || types.has(Types::WHOLE) && number.is_whole(),
            Item::Text(_) | Item::File | Item::Unread => types.has(Types::TEXT),
            Item::List(_) => types.has(Types::LIST),
            Item::Map(_) => types.has(Types::MAP),
            Item::Raw(span) => {
                let text = self.tree.text(span);
                types.has(Types::TEXT)
                    || types.has(Types::NUMBER)
                        && (Number::parse(text).is_some() || Number::parse_whole(text).is_some())
                    || types.has(Types::WHOLE) && Number::parse_whole(text).is_some()
                    || types.has(Types::TRUTH) && matches!(text, b"true" | b"false")
                    || types.has(Types::NULL) && matches!(text, b"" | b"null")
            }
        }
    }

    fn is_one_of(&mut self, values: &'a [Literal], id: ItemId) -> Result<bool, Exhausted> {
        let found = match self.tree.item(id) {
            Item::Raw(span) => {
                let text = self.tree.text(span);
                let number = Number::parse(text);
                self.spend(values.len() + text.len() / 16)?;
                values.iter().any(|value| match &value.raw {
                    Some(RawForm::Text(known)) => known == text,
                    Some(RawForm::Number(known)) => number == Some(*known),
                    None => false,
                })
            }
            Item::File => true,
            _ => {
                let canonical = self.canonical(id)?;
                self.spend(values.len())?;
                values.iter().any(|value| value.canonical == canonical)
            }
        };
        if found {
            return Ok(true);
        }
        Ok(self.invalid(|| match values.len() {
            1 => "is not the only value allowed".to_owned(),
            count => format!("is none of the {count} values allowed"),
        }))
    }

    fn canonical(&mut self, id: ItemId) -> Result<Vec<u8>, Exhausted> {
        let mut canonical = Vec::new();
        self.tree.write_canonical(id, &mut canonical);
        self.spend(canonical.len() / 4)?;
        Ok(canonical)
    }

    fn number_fits(&mut self, schema: &'a Schema, number: Number) -> bool {
        let Some(rules) = &schema.number else { return true };
        use std::cmp::Ordering::{Equal, Greater, Less};
        let mut fits = true;
        if let Some((least, out)) = rules.minimum {
            let order = number.compare(least);
            if !(order == Some(Greater) || order == Some(Equal) && !out) {
                fits = self.invalid(|| {
                    format!("is below {least}{}", if out { ", which is excluded itself" } else { "" })
                });
            }
        }
        if let Some((most, out)) = rules.maximum {
            let order = number.compare(most);
            if !(order == Some(Less) || order == Some(Equal) && !out) {
                fits = self.invalid(|| {
                    format!("is above {most}{}", if out { ", which is excluded itself" } else { "" })
                });
            }
        }
        if let Some(step) = rules.multiple_of
            && !number.is_multiple_of(step)
        {
            fits = self.invalid(|| format!("is no multiple of {step}"));
        }
        if let Some(format) = rules.format
            && !format.fits_number(number)
        {
            fits = self.invalid(|| format!("has not the format {}", format.name()));
        }
        fits
    }

    fn text_fits(&mut self, schema: &'a Schema, span: Span) -> Result<bool, Exhausted> {
        let text = self.tree.text(span);
        // A string is characters; a parameter that is none of UTF-8 is no string, except where any bytes are welcome.
        let Ok(chars) = std::str::from_utf8(text) else {
            let binary =
                schema.text.as_ref().and_then(|rules| rules.format) == Some(crate::format::Format::Binary);
            return Ok(binary || self.invalid(|| "is not UTF-8".to_owned()));
        };
        match &schema.text {
            Some(rules) => self.chars_fit(rules, chars),
            None => Ok(true),
        }
    }

    fn chars_fit(&mut self, rules: &'a TextRules, text: &str) -> Result<bool, Exhausted> {
        let mut fits = true;
        if rules.length != Between::default() {
            self.spend(text.len() / 64)?;
            fits &= self.is_between(rules.length, text.chars().count(), "characters");
        }
        if let Some(pattern) = &rules.pattern {
            self.spend(4 + text.len())?;
            if !pattern.is_match(text.as_bytes()) {
                fits = self.invalid(|| format!("does not match the pattern {}", pattern.written()));
            }
        }
        if let Some(format) = rules.format {
            self.spend(text.len() / 64)?;
            if !format.fits_text(text.as_bytes()) {
                fits = self.invalid(|| format!("has not the format {}", format.name()));
            }
        }
        Ok(fits)
    }

    fn is_between(&mut self, between: Between, count: usize, of: &str) -> bool {
        let Between { least, most } = between;
        match count as u64 {
            count if count < least => self.invalid(|| format!("has fewer than {least} {of}")),
            count if count > most => self.invalid(|| format!("has more than {most} {of}")),
            _ => true,
        }
    }

    fn list_fits(&mut self, schema: &'a Schema, links: &'a [Link]) -> Result<bool, Exhausted> {
        let Some(rules) = &schema.list else { return Ok(true) };
        let mut fits = self.is_between(rules.length, links.len(), "items");
        // What is too long is refused whatever is in it.
        if links.len() as u64 > rules.length.most {
            return Ok(fits);
        }
        for (index, link) in links.iter().enumerate() {
            let Some(schema) = rules.first.get(index).copied().or(rules.items) else { break };
            let here = self.step_into_item(index);
            let judged = self.judge(schema, link.item);
            self.step_out(here);
            fits &= judged?;
        }
        if rules.unique && links.len() > 1 {
            let mut seen = HashSet::with_capacity(links.len());
            for link in links {
                if !seen.insert(self.canonical(link.item)?) {
                    fits = self.invalid(|| "has an item twice".to_owned());
                    break;
                }
            }
        }
        if let Some((schema, count)) = rules.contains {
            let mut found = 0;
            for link in links {
                found += usize::from(self.silently(schema, link.item)?);
            }
            fits &= self.is_between(count, found, "items of the kind that it has to contain");
        }
        Ok(fits)
    }

    fn map_fits(&mut self, rules: &'a MapRules, links: &'a [Link]) -> Result<bool, Exhausted> {
        let mut fits = self.is_between(rules.size, links.len(), "members");
        if links.len() as u64 > rules.size.most {
            return Ok(fits);
        }
        let names: HashSet<&[u8]> = match rules.required.is_empty() && rules.dependent_required.is_empty() {
            true => HashSet::new(),
            false => links.iter().map(|link| self.tree.text(link.name)).collect(),
        };
        self.spend(links.len() + rules.required.len())?;
        for name in &rules.required {
            if !names.contains(&**name) {
                fits &= self.missing(name, "is required");
            }
        }
        for (name, needed) in &rules.dependent_required {
            if names.contains(&**name) {
                for needed in needed.iter().filter(|needed| !names.contains(&***needed)) {
                    fits &= self.missing(needed, "is required where another member is there");
                }
            }
        }
        for link in links {
            let name = self.tree.text(link.name);
            let here = self.step_into_member(name);
            let judged = self.member_fits(rules, name, link.item);
            self.step_out(here);
            fits &= judged?;
        }
        Ok(fits)
    }

    fn member_fits(&mut self, rules: &'a MapRules, name: &[u8], item: ItemId) -> Result<bool, Exhausted> {
        let mut fits = true;
        let mut known = false;
        if let Some(schema) = rules.properties.get(name) {
            known = true;
            if self.schemas[*schema].read_only {
                fits &= self.breach(Violation::UndefinedParameter, || {
                    "is read-only: a request does not set it".to_owned()
                });
            }
            fits &= self.judge(*schema, item)?;
        }
        for (pattern, schema) in &rules.patterns {
            self.spend(4 + name.len())?;
            if pattern.is_match(name) {
                known = true;
                fits &= self.judge(*schema, item)?;
            }
        }
        if let Some(schema) = rules.names {
            fits &= self.name_fits(schema, name)?;
        }
        if let Some(schema) = rules.additional.filter(|_| !known) {
            fits &= match self.schemas[schema].never {
                true => self.breach(Violation::UndefinedParameter, || "is not defined".to_owned()),
                false => self.judge(schema, item)?,
            };
        }
        Ok(fits)
    }

    /// What `propertyNames` says of a name: types aside, as names are strings.
    fn name_fits(&mut self, id: SchemaId, name: &[u8]) -> Result<bool, Exhausted> {
        let schema = &self.schemas[id];
        let mut fits = true;
        if schema.never {
            return Ok(self.breach(Violation::UndefinedParameter, || "is not defined".to_owned()));
        }
        if let Some(values) = &schema.values {
            let mut canonical = Vec::new();
            write_text(name, &mut canonical);
            self.spend(values.len())?;
            if !values.iter().any(|value| value.canonical == canonical) {
                fits =
                    self.breach(Violation::UndefinedParameter, || "is not a name that is allowed".to_owned());
            }
        }
        match (&schema.text, std::str::from_utf8(name)) {
            (Some(rules), Ok(text)) => fits &= self.chars_fit(rules, text)?,
            (Some(_), Err(_)) => fits = self.invalid(|| "has a name that is not UTF-8".to_owned()),
            (None, _) => {}
        }
        Ok(fits)
    }

    fn missing(&mut self, name: &[u8], why: &'static str) -> bool {
        let here = self.step_into_member(name);
        self.breach(Violation::MissingParameter, || why.to_owned());
        self.step_out(here);
        false
    }

    /// Goes down to a member; gives back where the place ended.
    fn step_into_member(&mut self, name: &[u8]) -> usize {
        let here = self.path.len();
        self.level += 1;
        if self.silent || here > PATH_BYTES_MAX {
            return here;
        }
        match self.naming {
            Naming::Pointer => {
                self.path.push(b'/');
                for byte in &name[..name.len().min(PATH_BYTES_MAX)] {
                    match byte {
                        b'~' => self.path.extend_from_slice(b"~0"),
                        b'/' => self.path.extend_from_slice(b"~1"),
                        _ => self.path.push(*byte),
                    }
                }
            }
            Naming::Member if self.level == 1 => {
                self.path.extend_from_slice(&name[..name.len().min(PATH_BYTES_MAX)]);
            }
            Naming::Member | Naming::Fixed => {}
        }
        here
    }

    fn step_into_item(&mut self, index: usize) -> usize {
        let here = self.path.len();
        self.level += 1;
        if !self.silent && self.naming == Naming::Pointer && here <= PATH_BYTES_MAX {
            self.path.extend_from_slice(format!("/{index}").as_bytes());
        }
        here
    }

    fn step_out(&mut self, here: usize) {
        self.level -= 1;
        self.path.truncate(here);
    }
}
