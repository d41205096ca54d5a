//! A value as a tree in one piece of memory: of a JSON body, of a form, or of a parameter.

use std::ops::Range;

use crate::number::Number;

/// A value's place in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ItemId(u32);

/// Bytes of a tree's text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

/// A value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item {
    /// `null`.
    Null,
    /// `true` or `false`.
    Truth(bool),
    /// A number of JSON.
    Number(Number),
    /// A string of JSON.
    Text(Span),
    /// The text of a parameter or field: what it is, its schema says.
    Raw(Span),
    /// An uploaded file.
    File,
    /// What is there and could not be read, which was told: it fits everything.
    Unread,
    /// A list: its links.
    List(Links),
    /// An object: its links, no two with one name.
    Map(Links),
}

/// Children of a list or object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    start: u32,
    end: u32,
}

/// A child, with its name in an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) name: Span,
    pub(crate) item: ItemId,
}

/// Values that belong together. At most `values_max` of them.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    items: Vec<Item>,
    links: Vec<Link>,
    text: Vec<u8>,
    values_max: usize,
}

/// More values than a tree takes, or more text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Tree {
    pub(crate) fn new(values_max: usize) -> Self {
        Self { values_max: values_max.min(u32::MAX as usize / 4), ..Self::default() }
    }

    pub(crate) fn add(&mut self, item: Item) -> Result<ItemId, Full> {
        if self.items.len() >= self.values_max {
            return Err(Full);
        }
        self.items.push(item);
        Ok(ItemId(self.items.len() as u32 - 1))
    }

    /// Keeps a text.
    pub(crate) fn keep(&mut self, text: &[u8]) -> Result<Span, Full> {
        let start = self.text.len();
        if start + text.len() > u32::MAX as usize {
            return Err(Full);
        }
        self.text.extend_from_slice(text);
        Ok(Span { start: start as u32, end: self.text.len() as u32 })
    }

    pub(crate) fn raw(&mut self, text: &[u8]) -> Result<ItemId, Full> {
        let span = self.keep(text)?;
        self.add(Item::Raw(span))
    }

    /// A list of values that are there.
    pub(crate) fn list(&mut self, items: impl IntoIterator<Item = ItemId>) -> Result<ItemId, Full> {
        let name = Span { start: 0, end: 0 };
        let links = self.link(items.into_iter().map(|item| Link { name, item }))?;
        self.add(Item::List(links))
    }

    /// An object of values that are there.
    pub(crate) fn map(&mut self, members: impl IntoIterator<Item = Link>) -> Result<ItemId, Full> {
        let links = self.link(members)?;
        self.add(Item::Map(links))
    }

    /// An object of values that are there, by names; of two with one name both stay, and each is judged.
    pub(crate) fn named(&mut self, members: Vec<(Vec<u8>, ItemId)>) -> Result<ItemId, Full> {
        let mut links = Vec::with_capacity(members.len());
        for (name, item) in members {
            links.push(Link { name: self.keep(&name)?, item });
        }
        self.map(links)
    }

    fn link(&mut self, links: impl IntoIterator<Item = Link>) -> Result<Links, Full> {
        let start = self.links.len();
        self.links.extend(links);
        let end = u32::try_from(self.links.len()).map_err(|_| Full)?;
        Ok(Links { start: start as u32, end })
    }

    pub(crate) fn item(&self, id: ItemId) -> Item {
        self.items[id.0 as usize]
    }

    pub(crate) fn text(&self, span: Span) -> &[u8] {
        &self.text[span.start as usize..span.end as usize]
    }

    pub(crate) fn links(&self, links: Links) -> &[Link] {
        let range: Range<usize> = links.start as usize..links.end as usize;
        &self.links[range]
    }

    /// Writes a value so that equal ones read the same: members in order of their names, numbers in one form.
    pub(crate) fn write_canonical(&self, id: ItemId, out: &mut Vec<u8>) {
        match self.item(id) {
            Item::Null => out.extend_from_slice(b"null"),
            Item::Truth(true) => out.extend_from_slice(b"true"),
            Item::Truth(false) => out.extend_from_slice(b"false"),
            Item::Number(number) => number.write(out),
            Item::Text(span) | Item::Raw(span) => write_text(self.text(span), out),
            Item::File | Item::Unread => out.extend_from_slice(b"file"),
            Item::List(links) => {
                out.push(b'[');
                for link in self.links(links) {
                    self.write_canonical(link.item, out);
                    out.push(b',');
                }
                out.push(b']');
            }
            Item::Map(links) => {
                let mut members = self.links(links).to_vec();
                members.sort_by(|one, other| self.text(one.name).cmp(self.text(other.name)));
                out.push(b'{');
                for member in members {
                    write_text(self.text(member.name), out);
                    self.write_canonical(member.item, out);
                    out.push(b',');
                }
                out.push(b'}');
            }
        }
    }
}

/// A text with its length before it, so that no two texts run into one.
pub(crate) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(&(text.len() as u32).to_be_bytes());
    out.extend_from_slice(text);
}
