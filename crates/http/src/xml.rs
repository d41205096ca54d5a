//! XML as a bounded tree.
//!
//! A reader of XML 1.0 with namespaces that checks well-formedness and builds a tree for [`crate::XPath`]. It knows
//! the five predefined entities and character references only. A document type declaration is skipped and
//! remembered, and never acted upon: nothing is expanded, nothing is fetched, so the usual XML bombs are a few bytes
//! of text here. A reference to any other entity is an error and stays in the text as it was written.
//!
//! Our own reader, because what we need of a library is its checks (one root, attributes given once, no control
//! bytes, no `]]>`), and those are most of the work; the tokens are the small part.
//!
//! Errors are of two kinds. After some (a bad character, an unknown entity, an attribute given twice) reading goes
//! on, so that rules see the rest; after others (tags that do not fit) it ends. Either way the text is not well
//! formed, and what was read stays.
//!
//! Source: XML 1.0 5th edition, Namespaces in XML 1.0; which documents ModSecurity takes observed on 3.0.9 with
//! libxml2. Differs: entities declared in a document are not expanded (libxml2 does), encodings other than UTF-8,
//! UTF-16, ISO-8859-1, windows-1252 and US-ASCII are errors, names may hold any character beyond ASCII.

use crate::limits::{BoundedFields, note};
use crate::{BodyLimits, Fields, LimitHit};
use std::collections::BTreeMap;
use std::ops::Range;

/// An XML document, or as much of one as was well formed.
#[derive(Clone, Debug, Default)]
pub struct XmlDocument {
    /// Whether there was a document type declaration. It is never acted upon.
    pub has_doctype: bool,
    /// Why the text is not well formed, and at which byte of it as UTF-8. The first error.
    pub error: Option<String>,
    /// Bounds that were met.
    pub limit_hits: Vec<LimitHit>,
    /// The text as UTF-8; names are slices of it.
    pub(crate) source: Vec<u8>,
    /// All character data in document order, so that an element's string value is a slice of it.
    pub(crate) text: Vec<u8>,
    /// Values of attributes, comments and processing instructions.
    pub(crate) other_text: Vec<u8>,
    /// In document order; the first is the document itself.
    pub(crate) nodes: Vec<Node>,
    /// In document order.
    pub(crate) attributes: Vec<Attribute>,
    /// Namespace names, by [`Name::namespace`].
    pub(crate) namespaces: Vec<Vec<u8>>,
    doctype: Range<usize>,
}

/// A node that is no attribute.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) parent: u32,
    /// The node after the last descendant.
    pub(crate) end: u32,
    /// An element's name, or a processing instruction's target.
    pub(crate) name: Name,
    /// The string value, in `text`; of comments and instructions in `other_text`.
    pub(crate) value: Range<usize>,
    pub(crate) attributes: Range<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    Document,
    Element,
    Text,
    Comment,
    Instruction,
}

#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) owner: u32,
    pub(crate) name: Name,
    /// In `other_text`.
    pub(crate) value: Range<usize>,
}

/// A name: where its local part stands in `source`, and its namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Name {
    pub(crate) qualified: Range<usize>,
    pub(crate) local: Range<usize>,
    pub(crate) namespace: Option<u32>,
}

impl XmlDocument {
    /// The document type declaration as written, for evidence; empty without one.
    pub fn doctype(&self) -> &[u8] {
        &self.source[self.doctype.clone()]
    }

    /// The document as arguments, `xml.root.item` and the text of it: an entry for each element without elements in
    /// it, in document order, named by the local names down to it. Under the bounds for arguments; the second part
    /// names those that were met. O(n) and the bytes of the names.
    ///
    /// Source: `SecParseXmlIntoArgs` of ModSecurity 3 (src/request_body_processor/xml.cc after 3.0.13). Differs: text
    /// that is not blank beside elements is an entry of its own there where it stands, so that nothing goes unseen.
    pub fn arguments(&self, limits: &BodyLimits) -> (Fields, Vec<LimitHit>) {
        let mut out = BoundedFields::new(limits);
        let mut path = b"xml".to_vec();
        // Elements that are open: the node after each, the path before it, whether it holds elements.
        let mut open: Vec<(usize, usize, bool)> = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            while let Some((_, length, _)) = open.pop_if(|(end, ..)| *end <= at) {
                path.truncate(length);
            }
            let value = &self.text[if node.kind == NodeKind::Text || node.kind == NodeKind::Element {
                node.value.clone()
            } else {
                0..0
            }];
            match node.kind {
                NodeKind::Element => {
                    let end = node.end as usize;
                    let holds = self.nodes[at + 1..end].iter().any(|inner| inner.kind == NodeKind::Element);
                    open.push((end, path.len(), holds));
                    path.push(b'.');
                    path.extend_from_slice(&self.source[node.name.local.clone()]);
                    if !holds {
                        out.push(&path, value);
                    }
                }
                NodeKind::Text
                    if open.last().is_some_and(|(.., holds)| *holds) && !value.trim_ascii().is_empty() =>
                {
                    out.push(&path, value);
                }
                _ => {}
            }
        }
        (out.fields, out.hits)
    }

    /// Everything in the document that somebody wrote into it, in document order: runs of text as `/order/item`,
    /// attributes as `/order/@id`, comments as `/order/comment()`, processing instructions as `/order/?target`. Names are
    /// those that stand there, prefixes included; blank text is left out. Under the bounds for arguments; the second part
    /// names those that were met. O(n) and the bytes of the names.
    pub fn points(&self, limits: &BodyLimits) -> (Fields, Vec<LimitHit>) {
        let mut out = BoundedFields::new(limits);
        let mut path = Vec::new();
        // Elements that are open: the node after each, and the path before it.
        let mut open: Vec<(usize, usize)> = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            while let Some((_, length)) = open.pop_if(|(end, _)| *end <= at) {
                path.truncate(length);
            }
            let length = path.len();
            match node.kind {
                NodeKind::Document => {}
                NodeKind::Text => {
                    let value = &self.text[node.value.clone()];
                    if !value.trim_ascii().is_empty() {
                        out.push(&path, value);
                    }
                }
                NodeKind::Comment | NodeKind::Instruction => {
                    path.extend_from_slice(if node.kind == NodeKind::Comment {
                        b"/comment()"
                    } else {
                        b"/?"
                    });
                    path.extend_from_slice(&self.source[node.name.qualified.clone()]);
                    out.push(&path, &self.other_text[node.value.clone()]);
                    path.truncate(length);
                }
                NodeKind::Element => {
                    open.push((node.end as usize, length));
                    path.push(b'/');
                    path.extend_from_slice(&self.source[node.name.qualified.clone()]);
                    let element = path.len();
                    let attributes = node.attributes.start as usize..node.attributes.end as usize;
                    for attribute in &self.attributes[attributes] {
                        path.extend_from_slice(b"/@");
                        path.extend_from_slice(&self.source[attribute.name.qualified.clone()]);
                        out.push(&path, &self.other_text[attribute.value.clone()]);
                        path.truncate(element);
                    }
                }
            }
        }
        (out.fields, out.hits)
    }

    /// How many nodes there are: elements, runs of text, comments, instructions and attributes.
    pub fn len(&self) -> usize {
        self.nodes.len().saturating_sub(1) + self.attributes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Reads an XML text that comes in pieces. It is held until its end: a tree of slices needs all of it. How much is
/// held is the caller's to bound. O(n log n) where n counts attributes of one element, else O(n).
#[derive(Clone, Debug)]
pub struct XmlParser {
    bytes: Vec<u8>,
    nodes_max: usize,
    depth_max: usize,
}

impl XmlParser {
    /// A parser at the start of a text.
    pub fn new(limits: &BodyLimits) -> Self {
        XmlParser { bytes: Vec::new(), nodes_max: limits.xml_nodes_max, depth_max: limits.xml_depth_max }
    }

    /// Takes the next piece.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
    }

    /// Ends the text. An empty text is an error, as it has no root.
    pub fn finish(self) -> XmlDocument {
        let (source, error) = to_utf8(self.bytes);
        let mut reader = Reader {
            source: &source,
            at: 0,
            document: XmlDocument::default(),
            open: Vec::new(),
            namespaces: BTreeMap::new(),
            declared: Vec::new(),
            cdata_end: None,
            nodes_max: self.nodes_max,
            depth_max: self.depth_max,
        };
        reader.document.error = error;
        reader.document.namespaces.push(b"http://www.w3.org/XML/1998/namespace".to_vec());
        reader.namespaces.insert(b"xml", vec![Some(0)]);
        reader.node(NodeKind::Document, 0..0);
        if let Err(Stop(message)) = reader.document() {
            reader.error(message);
        }
        reader.close_all();
        let mut document = reader.document;
        document.source = source;
        document
    }
}

/// The reading cannot go on.
struct Stop(&'static str);

struct Reader<'s> {
    source: &'s [u8],
    at: usize,
    document: XmlDocument,
    /// Open elements, the document first.
    open: Vec<Open>,
    /// The namespaces that each prefix has been given, the one in force last.
    namespaces: BTreeMap<&'s [u8], Vec<Option<u32>>>,
    /// Prefixes in the order of their declaration, to take them back.
    declared: Vec<&'s [u8]>,
    /// Where the last CDATA section ended.
    cdata_end: Option<usize>,
    nodes_max: usize,
    depth_max: usize,
}

struct Open {
    node: u32,
    /// How many declarations were in force outside.
    declared: usize,
}

impl<'s> Reader<'s> {
    fn document(&mut self) -> Result<(), Stop> {
        self.open.push(Open { node: 0, declared: 0 });
        if self.rest().starts_with(b"<?xml") && self.source.get(5).is_some_and(|&byte| is_space(byte)) {
            // What it says about the encoding has been heeded already.
            self.skip_past(b"?>", "an XML declaration without end")?;
        }
        let mut seen_root = false;
        while let Some(&byte) = self.source.get(self.at) {
            let inside = self.open.len() > 1;
            if byte != b'<' {
                if inside {
                    self.characters()?;
                } else {
                    self.outside(seen_root)?;
                }
                continue;
            }
            let rest = self.rest();
            if rest.starts_with(b"<!--") {
                self.comment()?;
            } else if rest.starts_with(b"<?") {
                self.instruction()?;
            } else if rest.starts_with(b"</") {
                self.end_tag()?;
            } else if rest.starts_with(b"<![CDATA[") && inside {
                self.cdata()?;
            } else if rest.starts_with(b"<!DOCTYPE") && !seen_root && !self.document.has_doctype {
                self.skip_doctype()?;
            } else if rest.starts_with(b"<!") {
                return Err(Stop("markup declaration not allowed here"));
            } else if seen_root && !inside {
                return Err(Stop("a second root element"));
            } else {
                seen_root = true;
                self.start_tag()?;
            }
        }
        if self.open.len() > 1 {
            return Err(Stop("an element is not closed"));
        }
        if !seen_root {
            return Err(Stop("no root element"));
        }
        Ok(())
    }

    fn rest(&self) -> &'s [u8] {
        &self.source[self.at..]
    }

    /// White space outside the root; anything else there ends the reading, and is shown as text.
    fn outside(&mut self, seen_root: bool) -> Result<(), Stop> {
        self.skip_space();
        match self.source.get(self.at) {
            None | Some(b'<') => Ok(()),
            Some(_) => {
                self.characters()?;
                Err(Stop(if seen_root {
                    "text after the root element"
                } else {
                    "text before the root element"
                }))
            }
        }
    }

    fn start_tag(&mut self) -> Result<(), Stop> {
        self.at += 1;
        let qualified = self.name()?;
        if self.open.len() > self.depth_max {
            note(&mut self.document.limit_hits, LimitHit::XmlDepth);
            return Err(Stop("elements too deep"));
        }
        let declared = self.declared.len();
        let start = self.document.text.len();
        let node = self.node(NodeKind::Element, start..start);
        self.check_nodes()?;
        self.open.push(Open { node, declared });
        let ended = self.attributes(node);
        self.resolve(node, qualified);
        if ended? {
            self.close();
        }
        Ok(())
    }

    /// Reads attributes up to the tag's end; true when the element ends with the tag.
    fn attributes(&mut self, node: u32) -> Result<bool, Stop> {
        loop {
            let spaces = self.skip_space();
            match self.rest() {
                [b'>', ..] => {
                    self.at += 1;
                    return Ok(false);
                }
                [b'/', b'>', ..] => {
                    self.at += 2;
                    return Ok(true);
                }
                [] => return Err(Stop("a tag without end")),
                _ if spaces == 0 => return Err(Stop("white space expected before an attribute")),
                _ => {}
            }
            let qualified = self.name()?;
            self.skip_space();
            if self.rest().first() != Some(&b'=') {
                return Err(Stop("an attribute without value"));
            }
            self.at += 1;
            self.skip_space();
            let quote = match self.rest().first() {
                Some(&quote @ (b'"' | b'\'')) => quote,
                _ => return Err(Stop("an attribute's value without quotes")),
            };
            self.at += 1;
            let start = self.document.other_text.len();
            let closed = self.attribute_value(quote);
            let value = start..self.document.other_text.len();
            let name = Name { local: qualified.clone(), qualified, namespace: None };
            self.document.attributes.push(Attribute { owner: node, name, value });
            self.document.nodes[node as usize].attributes.end = self.document.attributes.len() as u32;
            closed?;
            self.check_nodes()?;
        }
    }

    fn attribute_value(&mut self, quote: u8) -> Result<(), Stop> {
        loop {
            let Some(&byte) = self.source.get(self.at) else { return Err(Stop("an attribute without end")) };
            match byte {
                _ if byte == quote => {
                    self.at += 1;
                    return Ok(());
                }
                b'<' => return Err(Stop("a < in an attribute")),
                b'&' => self.reference(Place::Other),
                b'\t' | b'\n' | b'\r' => {
                    self.at += if self.rest().starts_with(b"\r\n") { 2 } else { 1 };
                    self.document.other_text.push(b' ');
                }
                _ => {
                    let end =
                        self.run(|byte| matches!(byte, b'<' | b'&' | b'\t' | b'\n' | b'\r') || byte == quote);
                    self.keep(end, Place::Other);
                }
            }
        }
    }

    /// Namespaces of an element and its attributes, once all declarations are known.
    fn resolve(&mut self, node: u32, qualified: Range<usize>) {
        let attributes = self.document.nodes[node as usize].attributes.clone();
        let range = attributes.start as usize..attributes.end as usize;
        let mut names: Vec<&[u8]> = Vec::with_capacity(range.len());
        for index in range.clone() {
            let attribute = &self.document.attributes[index];
            let name = &self.source[attribute.name.qualified.clone()];
            names.push(name);
            let prefix = match name.strip_prefix(b"xmlns") {
                Some([b':', prefix @ ..]) if !prefix.is_empty() => prefix,
                Some([]) => b"",
                _ => continue,
            };
            let uri = &self.document.other_text[attribute.value.clone()];
            let namespace = if uri.is_empty() {
                None
            } else {
                self.document.namespaces.push(uri.to_vec());
                Some((self.document.namespaces.len() - 1) as u32)
            };
            self.namespaces.entry(prefix).or_default().push(namespace);
            self.declared.push(prefix);
        }
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            self.error("an attribute given twice");
        }
        // Declarations are no attributes in the data model of XPath.
        for mut attribute in self.document.attributes.split_off(range.start) {
            let name = &self.source[attribute.name.qualified.clone()];
            if !is_declaration(name) {
                attribute.name = self.resolved(attribute.name.qualified, None);
                self.document.attributes.push(attribute);
            }
        }
        self.document.nodes[node as usize].attributes.end = self.document.attributes.len() as u32;
        let default = self.in_force(b"");
        self.document.nodes[node as usize].name = self.resolved(qualified, default);
    }

    /// A prefix that nobody declared is part of the name, as in libxml2.
    fn resolved(&self, qualified: Range<usize>, default: Option<u32>) -> Name {
        let text = &self.source[qualified.clone()];
        if let Some(colon) = memchr::memchr(b':', text)
            && let Some(namespace) = self.in_force(&text[..colon])
        {
            let local = qualified.start + colon + 1..qualified.end;
            return Name { qualified, local, namespace: Some(namespace) };
        }
        let namespace = if text.contains(&b':') { None } else { default };
        Name { local: qualified.clone(), qualified, namespace }
    }

    fn in_force(&self, prefix: &[u8]) -> Option<u32> {
        *self.namespaces.get(prefix)?.last()?
    }

    fn end_tag(&mut self) -> Result<(), Stop> {
        self.at += 2;
        let name = self.name()?;
        let Some(open) = self.open.last().filter(|open| open.node > 0) else {
            return Err(Stop("an end tag without element"));
        };
        let opened = self.document.nodes[open.node as usize].name.qualified.clone();
        if self.source[opened] != self.source[name] {
            return Err(Stop("an end tag of another name"));
        }
        self.skip_space();
        if self.rest().first() != Some(&b'>') {
            return Err(Stop("an end tag without end"));
        }
        self.at += 1;
        self.close();
        Ok(())
    }

    /// Closes the innermost element.
    fn close(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let end = self.document.nodes.len() as u32;
        let node = &mut self.document.nodes[open.node as usize];
        node.end = end;
        node.value.end = self.document.text.len();
        while self.declared.len() > open.declared {
            let Some(prefix) = self.declared.pop() else { return };
            if let Some(stack) = self.namespaces.get_mut(prefix) {
                stack.pop();
            }
        }
    }

    fn close_all(&mut self) {
        while !self.open.is_empty() {
            self.close();
        }
    }

    /// Character data up to the next markup.
    fn characters(&mut self) -> Result<(), Stop> {
        let start = self.document.text.len();
        while let Some(&byte) = self.source.get(self.at) {
            match byte {
                b'<' => break,
                b'&' => self.reference(Place::Text),
                b'\r' => {
                    self.at += if self.rest().starts_with(b"\r\n") { 2 } else { 1 };
                    self.document.text.push(b'\n');
                }
                b']' => {
                    if self.rest().starts_with(b"]]>") {
                        self.error("]]> in text");
                    }
                    self.at += 1;
                    self.document.text.push(b']');
                }
                _ => {
                    let end = self.run(|byte| matches!(byte, b'<' | b'&' | b'\r' | b']'));
                    self.keep(end, Place::Text);
                }
            }
        }
        self.node(NodeKind::Text, start..self.document.text.len());
        self.check_nodes()
    }

    fn cdata(&mut self) -> Result<(), Stop> {
        let continues = self.cdata_end == Some(self.at);
        self.at += b"<![CDATA[".len();
        let start = self.document.text.len();
        let end = memchr::memmem::find(self.rest(), b"]]>");
        let stop = self.at + end.unwrap_or(self.rest().len());
        while self.at < stop {
            if self.source[self.at] == b'\r' {
                self.at += if self.source[self.at..stop].starts_with(b"\r\n") { 2 } else { 1 };
                self.document.text.push(b'\n');
            } else {
                let run = memchr::memchr(b'\r', &self.source[self.at..stop]).map_or(stop, |at| self.at + at);
                self.keep(run, Place::Text);
            }
        }
        let end_of_text = self.document.text.len();
        match self.document.nodes.last_mut() {
            // One run of text, as in libxml2.
            Some(section) if continues => section.value.end = end_of_text,
            _ => _ = self.node(NodeKind::Text, start..end_of_text),
        }
        if end.is_none() {
            return Err(Stop("a CDATA section without end"));
        }
        self.at += b"]]>".len();
        self.cdata_end = Some(self.at);
        self.check_nodes()
    }

    fn comment(&mut self) -> Result<(), Stop> {
        self.at += b"<!--".len();
        let range = self.other_node(NodeKind::Comment, b"-->", "a comment without end")?;
        let text = &self.document.other_text[range];
        if memchr::memmem::find(text, b"--").is_some() || text.ends_with(b"-") {
            self.error("-- in a comment");
        }
        self.check_nodes()
    }

    fn instruction(&mut self) -> Result<(), Stop> {
        self.at += b"<?".len();
        let name = self.name()?;
        if self.source[name.clone()].eq_ignore_ascii_case(b"xml") {
            return Err(Stop("an XML declaration that is not at the start"));
        }
        if self.skip_space() == 0 && !self.rest().starts_with(b"?>") {
            return Err(Stop("a processing instruction without white space after its target"));
        }
        let node = self.document.nodes.len();
        self.other_node(NodeKind::Instruction, b"?>", "a processing instruction without end")?;
        self.document.nodes[node].name = Name { local: name.clone(), qualified: name, namespace: None };
        self.check_nodes()
    }

    /// A node whose text is no character data, up to its end mark.
    fn other_node(
        &mut self,
        kind: NodeKind,
        mark: &[u8],
        missing: &'static str,
    ) -> Result<Range<usize>, Stop> {
        let start = self.document.other_text.len();
        let end = memchr::memmem::find(self.rest(), mark);
        self.keep(self.at + end.unwrap_or(self.rest().len()), Place::Other);
        let range = start..self.document.other_text.len();
        self.node(kind, range.clone());
        if end.is_none() {
            return Err(Stop(missing));
        }
        self.at += mark.len();
        Ok(range)
    }

    /// Skips to the `>` that ends a document type declaration.
    fn skip_doctype(&mut self) -> Result<(), Stop> {
        const MISSING: &str = "a document type declaration without end";
        let start = self.at;
        self.document.has_doctype = true;
        self.document.doctype = start..self.source.len();
        self.at += b"<!DOCTYPE".len();
        let mut in_subset = false;
        loop {
            let rest = self.rest();
            match rest.first() {
                None => return Err(Stop(MISSING)),
                Some(&quote @ (b'"' | b'\'')) => {
                    self.at += 1;
                    self.skip_past(&[quote], MISSING)?;
                }
                Some(b'<') if rest.starts_with(b"<!--") => self.skip_past(b"-->", MISSING)?,
                Some(b'<') if rest.starts_with(b"<?") => self.skip_past(b"?>", MISSING)?,
                Some(b'[') => {
                    in_subset = true;
                    self.at += 1;
                }
                Some(b']') => {
                    in_subset = false;
                    self.at += 1;
                }
                Some(b'>') if !in_subset => {
                    self.at += 1;
                    self.document.doctype.end = self.at;
                    return Ok(());
                }
                Some(_) => self.at += 1,
            }
        }
    }

    /// `&...;` at the current place.
    fn reference(&mut self, place: Place) {
        let rest = self.rest();
        // The longest that we know is `&#x0010FFFF;`, leading zeros aside; names longer than this are unknown anyway.
        let window = &rest[..rest.len().min(64)];
        let Some(end) = memchr::memchr(b';', window) else {
            self.error("a & that begins no reference");
            return self.keep(self.at + 1, place);
        };
        let char = match &rest[1..end] {
            b"lt" => Some('<'),
            b"gt" => Some('>'),
            b"amp" => Some('&'),
            b"quot" => Some('"'),
            b"apos" => Some('\''),
            [b'#', b'x', digits @ ..] => character(digits, 16),
            [b'#', digits @ ..] => character(digits, 10),
            _ => None,
        };
        match char {
            Some(char) => {
                let mut buffer = [0; 4];
                let bytes = char.encode_utf8(&mut buffer).as_bytes();
                self.text_of(place).extend_from_slice(bytes);
                self.at += end + 1;
            }
            None => {
                self.error(match rest.get(1) {
                    Some(b'#') => "a reference to no character",
                    _ => "an entity that is not predefined",
                });
                // The rest of it is kept as text.
                self.keep(self.at + 1, place);
            }
        }
    }

    fn text_of(&mut self, place: Place) -> &mut Vec<u8> {
        match place {
            Place::Text => &mut self.document.text,
            Place::Other => &mut self.document.other_text,
        }
    }

    /// Where the first byte after the current one stands that `stops` names.
    fn run(&self, stops: impl Fn(u8) -> bool) -> usize {
        let rest = &self.source[self.at + 1..];
        self.at + 1 + rest.iter().position(|&byte| stops(byte)).unwrap_or(rest.len())
    }

    /// Keeps the source up to `end` and goes there.
    fn keep(&mut self, end: usize, place: Place) {
        let bytes = &self.source[self.at..end];
        if !bytes.iter().all(|&byte| byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r'))
            || memchr::memchr_iter(0xEF, bytes).any(|at| matches!(bytes[at..], [_, 0xBF, 0xBE | 0xBF, ..]))
        {
            self.error("a character that XML does not have");
        }
        self.text_of(place).extend_from_slice(bytes);
        self.at = end;
    }

    /// A name at the current place.
    fn name(&mut self) -> Result<Range<usize>, Stop> {
        let start = self.at;
        let rest = self.rest();
        let begins = rest
            .first()
            .is_some_and(|&byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') || byte >= 0x80);
        if !begins {
            return Err(Stop("a name expected"));
        }
        let length = rest
            .iter()
            .position(|&byte| {
                !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-' | b'.') || byte >= 0x80)
            })
            .unwrap_or(rest.len());
        self.at += length;
        Ok(start..self.at)
    }

    fn skip_space(&mut self) -> usize {
        let rest = self.rest();
        let count = rest.iter().position(|&byte| !is_space(byte)).unwrap_or(rest.len());
        self.at += count;
        count
    }

    fn skip_past(&mut self, mark: &[u8], missing: &'static str) -> Result<(), Stop> {
        match memchr::memmem::find(self.rest(), mark) {
            Some(at) => {
                self.at += at + mark.len();
                Ok(())
            }
            None => Err(Stop(missing)),
        }
    }

    fn node(&mut self, kind: NodeKind, value: Range<usize>) -> u32 {
        let index = self.document.nodes.len() as u32;
        let attributes = self.document.attributes.len() as u32;
        self.document.nodes.push(Node {
            kind,
            parent: self.open.last().map_or(0, |open| open.node),
            end: index + 1,
            name: Name::default(),
            value,
            attributes: attributes..attributes,
        });
        index
    }

    fn check_nodes(&mut self) -> Result<(), Stop> {
        if self.document.len() > self.nodes_max {
            note(&mut self.document.limit_hits, LimitHit::XmlNodes);
            return Err(Stop("too many nodes"));
        }
        Ok(())
    }

    /// Keeps the first error.
    fn error(&mut self, message: &str) {
        if self.document.error.is_none() {
            self.document.error = Some(format!("{message} at byte {}", self.at));
        }
    }
}

/// Which buffer takes a text.
#[derive(Clone, Copy)]
enum Place {
    Text,
    Other,
}

/// Whether an attribute of this name declares a namespace.
fn is_declaration(name: &[u8]) -> bool {
    matches!(name.strip_prefix(b"xmlns"), Some([] | [b':', _, ..]))
}

/// The character of a reference.
fn character(digits: &[u8], radix: u32) -> Option<char> {
    // A sign is no digit, though the standard library would take one.
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?;
    let allowed = matches!(code, 9 | 10 | 13 | 0x20..=0xD7FF | 0xE000..=0xFFFD | 0x10000..=0x10FFFF);
    char::from_u32(code).filter(|_| allowed)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The text as UTF-8, without byte order mark, and what was wrong with its encoding. Bytes that are no UTF-8 stay.
fn to_utf8(bytes: Vec<u8>) -> (Vec<u8>, Option<String>) {
    match &bytes[..] {
        [0xEF, 0xBB, 0xBF, rest @ ..] => return checked(rest.to_vec()),
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] | [b'<', 0, 0, 0, ..] | [0, 0, 0, b'<', ..] => {
            return (bytes, Some("encoding UTF-32 is not taken".to_owned()));
        }
        [0xFF, 0xFE, rest @ ..] => return utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => return utf16(rest, u16::from_be_bytes),
        [b'<', 0, ..] => return utf16(&bytes, u16::from_le_bytes),
        [0, b'<', ..] => return utf16(&bytes, u16::from_be_bytes),
        _ => {}
    }
    match declared_encoding(&bytes).to_ascii_lowercase().as_slice() {
        b"" | b"utf-8" | b"utf8" | b"us-ascii" | b"ascii" => checked(bytes),
        b"iso-8859-1" | b"latin1" => (single_byte(&bytes, char::from), None),
        b"windows-1252" | b"cp1252" => (single_byte(&bytes, windows_1252), None),
        other => {
            let shown = other[..other.len().min(40)].escape_ascii().to_string();
            (bytes, Some(format!("encoding {shown} is not taken")))
        }
    }
}

fn checked(bytes: Vec<u8>) -> (Vec<u8>, Option<String>) {
    let error = std::str::from_utf8(&bytes).err();
    (bytes, error.map(|error| format!("invalid UTF-8 at byte {}", error.valid_up_to())))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> (Vec<u8>, Option<String>) {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut out = String::with_capacity(bytes.len());
    let mut valid = rest.is_empty();
    for char in char::decode_utf16(pairs.iter().map(|&pair| unit(pair))) {
        valid &= char.is_ok();
        out.push(char.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    (out.into_bytes(), (!valid).then(|| "invalid UTF-16".to_owned()))
}

fn single_byte(bytes: &[u8], map: fn(u8) -> char) -> Vec<u8> {
    bytes.iter().map(|&byte| map(byte)).collect::<String>().into_bytes()
}

/// Source: the WHATWG Encoding Standard's index of windows-1252.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9F => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// The encoding that the XML declaration names; empty when it names none.
fn declared_encoding(bytes: &[u8]) -> &[u8] {
    let declaration = match bytes.strip_prefix(b"<?xml") {
        Some(rest) => &rest[..memchr::memmem::find(rest, b"?>").unwrap_or(0)],
        None => return b"",
    };
    let Some(at) = memchr::memmem::find(declaration, b"encoding") else { return b"" };
    let value = declaration[at + b"encoding".len()..].trim_ascii_start();
    let Some(value) = value.strip_prefix(b"=").map(<[u8]>::trim_ascii_start) else { return b"" };
    let Some((&quote @ (b'"' | b'\''), value)) = value.split_first() else { return b"" };
    &value[..memchr::memchr(quote, value).unwrap_or(0)]
}
