//! What MATCHED_VAR, MATCHED_VAR_NAME and MATCHED_VARS show.
//!
//! Most matches are those of set-up rules, and nobody asks about them. So a match is kept as the item that matched;
//! its name, and a value that stays as it is, are made of the item when somebody asks.

use std::ops::Range;

use crate::store::TextId;
use crate::variables::{Item, ItemKind, Variables};

/// The matches that rules can look at.
#[derive(Debug, Default)]
pub(crate) struct Matched {
    /// Those of the link at work. They become visible as MATCHED_VARS when it is done.
    link: List,
    /// Those of the last link that matched.
    last: List,
    /// Those of a link that stopped for a lookup and begins anew.
    interrupted: List,
}

/// MATCHED_VARS as a link left it, to be shown again.
#[derive(Debug)]
pub(crate) struct Shown(List);

#[derive(Clone, Debug, Default)]
struct List {
    matches: Vec<Entry>,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Entry {
    item: Item,
    name: Name,
    value: Value,
}

#[derive(Clone, Debug)]
enum Name {
    OfItem,
    Text(TextId),
    Copied(Range<usize>),
}

#[derive(Clone, Debug)]
enum Value {
    OfItem,
    Copied(Range<usize>),
}

/// A match that rules can look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MatchedVar<'a> {
    list: &'a List,
    entry: &'a Entry,
}

/// Memory of a list that the next transaction may have.
const KEPT_BYTES_MAX: usize = 8 << 10;

impl Matched {
    /// The last match.
    pub(crate) fn var(&self) -> Option<MatchedVar<'_>> {
        [&self.link, &self.interrupted, &self.last]
            .into_iter()
            .find_map(|list| list.get(list.matches.len().wrapping_sub(1)))
    }

    /// How many members MATCHED_VARS has.
    pub(crate) fn len(&self) -> usize {
        self.last.matches.len()
    }

    /// A member of MATCHED_VARS.
    pub(crate) fn get(&self, index: usize) -> Option<MatchedVar<'_>> {
        self.last.get(index)
    }

    /// A link ends. If it matched, its matches are the members of MATCHED_VARS.
    pub(crate) fn end_link(&mut self) {
        if !self.link.matches.is_empty() {
            std::mem::swap(&mut self.link, &mut self.last);
            self.link.clear();
        }
    }

    /// What the last link left.
    pub(crate) fn shown(&self) -> Shown {
        Shown(self.last.clone())
    }

    /// Shows what a link left, as if it had run.
    pub(crate) fn show(&mut self, Shown(list): &Shown) {
        self.last.clear();
        self.last.matches.extend_from_slice(&list.matches);
        self.last.bytes.extend_from_slice(&list.bytes);
        self.interrupted.clear();
    }

    /// A link stops in the middle and will begin anew. Its last match stays the one of MATCHED_VAR.
    pub(crate) fn interrupt_link(&mut self) {
        if !self.link.matches.is_empty() {
            std::mem::swap(&mut self.link, &mut self.interrupted);
            self.link.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        for list in [&mut self.link, &mut self.last, &mut self.interrupted] {
            list.clear();
            list.bytes.shrink_to(KEPT_BYTES_MAX);
            list.matches.shrink_to(KEPT_BYTES_MAX / size_of::<Entry>());
        }
    }
}

impl List {
    fn push(&mut self, item: Item, name: Name, value: Option<&[u8]>) {
        let value = match value {
            None => Value::OfItem,
            Some(value) => {
                let begins = self.bytes.len();
                self.bytes.extend_from_slice(value);
                Value::Copied(begins..self.bytes.len())
            }
        };
        self.matches.push(Entry { item, name, value });
    }

    fn get(&self, index: usize) -> Option<MatchedVar<'_>> {
        Some(MatchedVar { list: self, entry: self.matches.get(index)? })
    }

    fn clear(&mut self) {
        self.matches.clear();
        self.bytes.clear();
    }
}

impl Variables {
    /// A value matched. `value` is `None` when it is the item's own and [lasts](Item::lasts); `name` where the item
    /// does not tell its name, as a count.
    pub(crate) fn tell_match(&mut self, item: Item, name: Option<TextId>, value: Option<&[u8]>) {
        debug_assert!(value.is_some() || item.lasts());
        let mut list = std::mem::take(&mut self.matched.link);
        let name = match (name, item.kind) {
            (Some(name), _) => Name::Text(name),
            // What these name is gone when the next link or rule runs.
            (None, ItemKind::Matched { .. } | ItemKind::Record { .. }) => {
                let begins = list.bytes.len();
                self.write_name(item, &mut list.bytes);
                Name::Copied(begins..list.bytes.len())
            }
            (None, _) => Name::OfItem,
        };
        list.push(item, name, value);
        self.matched.link = list;
        self.matched.interrupted.clear();
    }
}

impl Variables {
    /// What a variable of TX holds, whose value does not last; nothing for a number.
    pub(crate) fn held(&self, item: Item) -> Option<&[u8]> {
        match item.kind {
            ItemKind::Var { slot, .. } => Some(self.tx.value(slot).unwrap_or_default()),
            _ => None,
        }
    }

    /// All of a link that has one match and no assignments: [`Variables::tell_match`] of a variable of TX, or of a
    /// number, as it stands, and [`Matched::end_link`]. Gives the bytes that were looked at.
    pub(crate) fn tell_alone(&mut self, item: Item, name: Option<TextId>) -> usize {
        let mut last = std::mem::take(&mut self.matched.last);
        last.clear();
        let held = self.held(item);
        let looked_at = held.map_or(1, <[u8]>::len);
        last.push(item, name.map_or(Name::OfItem, Name::Text), held);
        self.matched.last = last;
        self.matched.interrupted.clear();
        looked_at
    }
}

impl<'a> MatchedVar<'a> {
    /// Its value after its transformations.
    pub(crate) fn value(self, vars: &'a Variables, buffer: &'a mut Vec<u8>) -> &'a [u8] {
        match &self.entry.value {
            Value::OfItem => vars.value(self.entry.item, buffer).unwrap_or_default(),
            Value::Copied(range) => &self.list.bytes[range.clone()],
        }
    }

    /// Its name, `ARGS:q`.
    pub(crate) fn name(self, vars: &'a Variables, buffer: &'a mut Vec<u8>) -> &'a [u8] {
        match &self.entry.name {
            Name::OfItem => {
                buffer.clear();
                vars.write_name(self.entry.item, buffer);
                buffer
            }
            Name::Text(text) => vars.tx.names().text(*text),
            Name::Copied(range) => &self.list.bytes[range.clone()],
        }
    }
}
