//! XPath location paths as rules use them: `XML:/*`, `XML://@*`, `XML:/soap:Envelope/soap:Body//id/text()`.
//!
//! The part of XPath 1.0 that selects nodes, in a form whose cost is known: location paths joined by `|`; the axes
//! child, descendant, descendant-or-self, attribute, self and parent with their abbreviations; name tests with
//! prefixes, `*`, `text()`, `node()`, `comment()`, `processing-instruction()`; predicates by position (on child and
//! attribute steps), by existence and by comparison of a path of child and attribute steps, of `name()` and of
//! `local-name()` with a literal by `=`, `!=`, `contains()` and `starts-with()`, joined by `and`, `or` and `not()`.
//! Not taken, with an error that says where: other axes and functions, arithmetic, variables, `//` inside a
//! predicate, and expressions that are no node set, which select nothing in ModSecurity either.
//!
//! Each step works on a set of nodes and visits each node of the document at most a fixed number of times, so that
//! a path costs O(document x steps).
//!
//! Differs from libxml2: a relative path begins at the document; in ModSecurity v3 it selects nothing.

use crate::XmlDocument;
use crate::xml::{Name, NodeKind};
use std::fmt;

/// A compiled location path.
#[derive(Clone, Debug)]
pub struct XPath {
    text: String,
    /// Alternatives of `|`.
    paths: Vec<Vec<Step>>,
}

impl PartialEq for XPath {
    /// The text is all that it is made of.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for XPath {}

/// Why a text is no location path that we take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XPathError {
    /// Byte offset in the text.
    pub offset: usize,
    /// What is wrong there, lower case, without a full stop.
    pub message: String,
}

impl fmt::Display for XPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} of the XPath", self.message, self.offset)
    }
}

impl std::error::Error for XPathError {}

/// String values of the selected nodes, in document order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XPathValues {
    /// One value a node.
    pub values: Vec<Vec<u8>>,
    /// Whether there were more than the bound allowed.
    pub truncated: bool,
}

impl XPath {
    /// Compiles a location path.
    ///
    /// # Errors
    /// With the place of what we do not take.
    pub fn parse(text: &str) -> Result<XPath, XPathError> {
        let mut parser = Parser { text, at: 0, depth: 0 };
        let mut paths = vec![parser.path()?];
        while parser.take("|") {
            paths.push(parser.path()?);
        }
        if !parser.rest().is_empty() {
            return Err(parser.error("a path, a predicate or the end expected"));
        }
        Ok(XPath { text: text.to_owned(), paths })
    }

    /// The text it was compiled from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The string values of the nodes that the path selects. `namespaces` maps prefixes used in the path to URIs
    /// (the `xmlns` action); a prefix that is not mapped selects nothing. `values_bytes_max` bounds all values
    /// together: nested elements repeat one another's text. The value at the bound is cut.
    pub fn evaluate(
        &self,
        document: &XmlDocument,
        namespaces: &[(String, String)],
        values_bytes_max: usize,
    ) -> XPathValues {
        let mut out = XPathValues::default();
        if document.nodes.is_empty() {
            return out;
        }
        let context = Context { document, namespaces };
        let mut selected = Set::new(document);
        for path in &self.paths {
            let mut set = Set::new(document);
            set.nodes[0] = true;
            for step in path {
                set = context.step(&set, step);
            }
            for (all, one) in selected.nodes.iter_mut().zip(&set.nodes) {
                *all |= one;
            }
            for (all, one) in selected.attributes.iter_mut().zip(&set.attributes) {
                *all |= one;
            }
        }
        let mut left = values_bytes_max;
        let mut emit = |value: &[u8]| {
            let kept = value.len().min(left);
            left -= kept;
            out.truncated |= kept < value.len();
            if kept == value.len() || kept > 0 {
                out.values.push(value[..kept].to_vec());
            }
            !out.truncated
        };
        for node in 0..document.nodes.len() {
            if selected.nodes[node] && !emit(context.node_value(node)) {
                break;
            }
            let attributes = &document.nodes[node].attributes;
            let mut attributes = attributes.start as usize..attributes.end as usize;
            if !attributes.all(|index| !selected.attributes[index] || emit(context.attribute_value(index))) {
                break;
            }
        }
        out
    }
}

#[derive(Clone, Debug)]
struct Step {
    axis: Axis,
    test: Test,
    predicates: Vec<Predicate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    Child,
    Descendant,
    DescendantOrSelf,
    Attribute,
    Itself,
    Parent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// Any element, or any attribute.
    Any,
    AnyNode,
    Text,
    Comment,
    Instruction(Option<String>),
    /// Any name in the namespace of a prefix.
    Prefix(String),
    Name {
        prefix: Option<String>,
        local: String,
    },
}

#[derive(Clone, Debug)]
enum Predicate {
    Position(Position),
    Condition(Condition),
}

#[derive(Clone, Copy, Debug)]
enum Position {
    At(u64),
    Last,
}

#[derive(Clone, Debug)]
enum Condition {
    Exists(Operand),
    Equals(Operand, Vec<u8>),
    Differs(Operand, Vec<u8>),
    Contains(Operand, Vec<u8>),
    StartsWith(Operand, Vec<u8>),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

#[derive(Clone, Debug)]
enum Operand {
    /// Child, attribute and self steps.
    Path(Vec<Step>),
    QualifiedName,
    LocalName,
}

/// A node, while a predicate looks at it.
#[derive(Clone, Copy, Debug)]
enum Item {
    Node(usize),
    Attribute(usize),
}

/// A set of nodes and attributes; the order is the document's.
struct Set {
    nodes: Vec<bool>,
    attributes: Vec<bool>,
}

impl Set {
    fn new(document: &XmlDocument) -> Self {
        Set { nodes: vec![false; document.nodes.len()], attributes: vec![false; document.attributes.len()] }
    }
}

struct Context<'d> {
    document: &'d XmlDocument,
    namespaces: &'d [(String, String)],
}

impl Context<'_> {
    fn step(&self, from: &Set, step: &Step) -> Set {
        let mut to = Set::new(self.document);
        let nodes = (0..from.nodes.len()).filter(|&node| from.nodes[node]);
        let attributes = (0..from.attributes.len()).filter(|&index| from.attributes[index]);
        match step.axis {
            Axis::Child => {
                let mut group = Vec::new();
                for node in nodes {
                    group.clear();
                    group.extend(self.children(node).map(Item::Node).filter(|&item| self.test(item, step)));
                    self.select(&mut group, step, &mut to);
                }
            }
            Axis::Attribute => {
                let mut group = Vec::new();
                for node in nodes {
                    group.clear();
                    let range = &self.document.nodes[node].attributes;
                    let items = (range.start as usize..range.end as usize).map(Item::Attribute);
                    group.extend(items.filter(|&item| self.test(item, step)));
                    self.select(&mut group, step, &mut to);
                }
            }
            Axis::Descendant | Axis::DescendantOrSelf => {
                // A descendant of two is visited once: subtrees are runs, and runs nest.
                let mut reached = 0;
                for node in nodes {
                    let own = usize::from(step.axis == Axis::Descendant);
                    let end = self.document.nodes[node].end as usize;
                    let start = (node + own).max(reached);
                    for item in (start..end).map(Item::Node) {
                        self.select_one(item, step, &mut to);
                    }
                    // The node itself may have been jumped over as a descendant of an outer one: it was taken there.
                    reached = reached.max(end);
                }
                if step.axis == Axis::DescendantOrSelf {
                    attributes.for_each(|index| self.select_one(Item::Attribute(index), step, &mut to));
                }
            }
            Axis::Itself => {
                nodes.for_each(|node| self.select_one(Item::Node(node), step, &mut to));
                attributes.for_each(|index| self.select_one(Item::Attribute(index), step, &mut to));
            }
            Axis::Parent => {
                let mut parents = Set::new(self.document);
                for node in nodes.filter(|&node| node > 0) {
                    parents.nodes[self.document.nodes[node].parent as usize] = true;
                }
                for index in attributes {
                    parents.nodes[self.document.attributes[index].owner as usize] = true;
                }
                for node in (0..parents.nodes.len()).filter(|&node| parents.nodes[node]) {
                    self.select_one(Item::Node(node), step, &mut to);
                }
            }
        }
        to
    }

    /// Applies predicates to a node on its own; its step has none by position.
    fn select_one(&self, item: Item, step: &Step, to: &mut Set) {
        if self.test(item, step) {
            let holds = |predicate: &Predicate| match predicate {
                Predicate::Condition(condition) => self.holds(item, condition),
                Predicate::Position(_) => false,
            };
            if step.predicates.iter().all(holds) {
                mark(item, to);
            }
        }
    }

    /// Applies predicates to the children or attributes of one node.
    fn select(&self, group: &mut Vec<Item>, step: &Step, to: &mut Set) {
        for predicate in &step.predicates {
            match predicate {
                Predicate::Condition(condition) => group.retain(|&item| self.holds(item, condition)),
                Predicate::Position(position) => {
                    let chosen = match position {
                        Position::Last => group.last().copied(),
                        Position::At(place) => {
                            let index = usize::try_from(*place).ok().and_then(|place| place.checked_sub(1));
                            index.and_then(|index| group.get(index)).copied()
                        }
                    };
                    group.clear();
                    group.extend(chosen);
                }
            }
        }
        group.iter().for_each(|&item| mark(item, to));
    }

    fn holds(&self, item: Item, condition: &Condition) -> bool {
        match condition {
            Condition::Exists(operand) => self.any(item, operand, &mut |_| true),
            Condition::Equals(operand, text) => self.any(item, operand, &mut |value| value == &text[..]),
            Condition::Differs(operand, text) => self.any(item, operand, &mut |value| value != &text[..]),
            // Functions take the first node of a set, and the empty text for an empty set.
            Condition::Contains(operand, text) => {
                memchr::memmem::find(self.first(item, operand), text).is_some()
            }
            Condition::StartsWith(operand, text) => self.first(item, operand).starts_with(text),
            Condition::Not(inner) => !self.holds(item, inner),
            Condition::All(all) => all.iter().all(|condition| self.holds(item, condition)),
            Condition::Any(any) => any.iter().any(|condition| self.holds(item, condition)),
        }
    }

    fn first(&self, item: Item, operand: &Operand) -> &[u8] {
        let mut first: &[u8] = b"";
        let mut found = None;
        match operand {
            Operand::Path(steps) => {
                self.walk(item, steps, &mut |item| {
                    found = Some(item);
                    true
                });
            }
            Operand::QualifiedName => first = self.name_text(item, false),
            Operand::LocalName => first = self.name_text(item, true),
        }
        found.map_or(first, |item| self.value(item))
    }

    /// Whether any value of an operand satisfies a question.
    fn any(&self, item: Item, operand: &Operand, question: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        match operand {
            Operand::Path(steps) => self.walk(item, steps, &mut |item| question(self.value(item))),
            Operand::QualifiedName => question(self.name_text(item, false)),
            Operand::LocalName => question(self.name_text(item, true)),
        }
    }

    /// Follows child, attribute and self steps from one node until `visit` is content.
    fn walk(&self, item: Item, steps: &[Step], visit: &mut dyn FnMut(Item) -> bool) -> bool {
        let Some((step, rest)) = steps.split_first() else { return visit(item) };
        let mut go = |next: Item| self.test(next, step) && self.walk(next, rest, visit);
        match (step.axis, item) {
            (Axis::Itself, _) => go(item),
            (Axis::Child, Item::Node(node)) => self.children(node).map(Item::Node).any(go),
            (Axis::Attribute, Item::Node(node)) => {
                let range = &self.document.nodes[node].attributes;
                (range.start as usize..range.end as usize).map(Item::Attribute).any(go)
            }
            _ => false,
        }
    }

    fn children(&self, node: usize) -> impl Iterator<Item = usize> {
        let end = self.document.nodes[node].end as usize;
        let mut next = node + 1;
        std::iter::from_fn(move || {
            (next < end).then(|| {
                let child = next;
                next = self.document.nodes[child].end as usize;
                child
            })
        })
    }

    fn test(&self, item: Item, step: &Step) -> bool {
        let (kind, name) = match item {
            Item::Node(node) => {
                let node = &self.document.nodes[node];
                (Some(node.kind), &node.name)
            }
            Item::Attribute(index) => (None, &self.document.attributes[index].name),
        };
        // A name test asks for the principal kind of its axis: attributes on one, elements on all others.
        let principal = match step.axis {
            Axis::Attribute => kind.is_none(),
            _ => kind == Some(NodeKind::Element),
        };
        match &step.test {
            Test::Any => principal,
            Test::AnyNode => true,
            Test::Text => kind == Some(NodeKind::Text),
            Test::Comment => kind == Some(NodeKind::Comment),
            Test::Instruction(target) => {
                let named = |target: &String| &self.document.source[name.local.clone()] == target.as_bytes();
                kind == Some(NodeKind::Instruction) && target.as_ref().is_none_or(named)
            }
            Test::Prefix(prefix) => principal && self.in_namespace(name, Some(prefix)),
            Test::Name { prefix, local } => {
                principal
                    && &self.document.source[name.local.clone()] == local.as_bytes()
                    && self.in_namespace(name, prefix.as_ref())
            }
        }
    }

    /// Whether a name is in the namespace that a prefix of the path is mapped to, or in none.
    fn in_namespace(&self, name: &Name, prefix: Option<&String>) -> bool {
        let has = name.namespace.map(|index| &self.document.namespaces[index as usize][..]);
        match prefix {
            None => has.is_none(),
            Some(prefix) => match self.namespaces.iter().find(|(known, _)| known == prefix) {
                Some((_, uri)) => has == Some(uri.as_bytes()),
                None => false,
            },
        }
    }

    fn name_text(&self, item: Item, local: bool) -> &[u8] {
        let name = match item {
            Item::Node(node) => &self.document.nodes[node].name,
            Item::Attribute(index) => &self.document.attributes[index].name,
        };
        &self.document.source[if local { name.local.clone() } else { name.qualified.clone() }]
    }

    fn value(&self, item: Item) -> &[u8] {
        match item {
            Item::Node(node) => self.node_value(node),
            Item::Attribute(index) => self.attribute_value(index),
        }
    }

    fn node_value(&self, node: usize) -> &[u8] {
        let node = &self.document.nodes[node];
        match node.kind {
            NodeKind::Document | NodeKind::Element | NodeKind::Text => {
                &self.document.text[node.value.clone()]
            }
            NodeKind::Comment | NodeKind::Instruction => &self.document.other_text[node.value.clone()],
        }
    }

    fn attribute_value(&self, index: usize) -> &[u8] {
        &self.document.other_text[self.document.attributes[index].value.clone()]
    }
}

fn mark(item: Item, to: &mut Set) {
    match item {
        Item::Node(node) => to.nodes[node] = true,
        Item::Attribute(index) => to.attributes[index] = true,
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    /// Predicates and parentheses around the current place.
    depth: usize,
}

/// Predicates and parentheses inside one another.
const DEPTH_MAX: usize = 16;
/// Steps of a path.
const STEPS_MAX: usize = 64;

impl Parser<'_> {
    fn path(&mut self) -> Result<Vec<Step>, XPathError> {
        let mut steps = Vec::new();
        self.skip_space();
        if self.take("//") {
            steps.push(any_descendant());
        } else if self.take("/") && !self.at_step() {
            return Ok(steps);
        }
        loop {
            steps.push(self.step(false)?);
            if steps.len() > STEPS_MAX {
                return Err(self.error("too many steps"));
            }
            if self.take("//") {
                steps.push(any_descendant());
            } else if !self.take("/") {
                return Ok(steps);
            }
        }
    }

    fn at_step(&self) -> bool {
        let rest = self.rest();
        rest.starts_with(['@', '*', '.', '_']) || rest.starts_with(|c: char| c.is_alphabetic())
    }

    /// One step; inside a predicate only those whose cost is the node's own children.
    fn step(&mut self, in_predicate: bool) -> Result<Step, XPathError> {
        self.skip_space();
        if self.take("..") {
            if in_predicate {
                return Err(self.error("no .. inside a predicate"));
            }
            return Ok(Step { axis: Axis::Parent, test: Test::AnyNode, predicates: Vec::new() });
        }
        if self.take(".") {
            return Ok(Step { axis: Axis::Itself, test: Test::AnyNode, predicates: Vec::new() });
        }
        let mut axis = Axis::Child;
        if self.take("@") {
            axis = Axis::Attribute;
        } else {
            const AXES: [(&str, Axis); 6] = [
                ("child::", Axis::Child),
                ("attribute::", Axis::Attribute),
                ("descendant::", Axis::Descendant),
                ("descendant-or-self::", Axis::DescendantOrSelf),
                ("self::", Axis::Itself),
                ("parent::", Axis::Parent),
            ];
            if let Some((_, named)) = AXES.iter().find(|(name, _)| self.take(name)) {
                axis = *named;
            }
        }
        if in_predicate && !matches!(axis, Axis::Child | Axis::Attribute | Axis::Itself) {
            return Err(self.error("only child, attribute and self steps inside a predicate"));
        }
        let test = self.test()?;
        let mut predicates = Vec::new();
        while !in_predicate && self.take("[") {
            let predicate = self.predicate()?;
            if matches!(predicate, Predicate::Position(_)) && !matches!(axis, Axis::Child | Axis::Attribute) {
                return Err(self.error("a position counts on child and attribute steps only"));
            }
            predicates.push(predicate);
            if !self.take("]") {
                return Err(self.error("a ] expected"));
            }
            if predicates.len() > STEPS_MAX {
                return Err(self.error("too many predicates"));
            }
        }
        Ok(Step { axis, test, predicates })
    }

    fn test(&mut self) -> Result<Test, XPathError> {
        if self.take("*") {
            return Ok(Test::Any);
        }
        let start = self.at;
        let name = self.name()?;
        if self.rest().starts_with("::") {
            self.at = start;
            return Err(self.error("an axis that is not taken"));
        }
        if self.take("(") {
            let test = match name.as_str() {
                "text" => Test::Text,
                "node" => Test::AnyNode,
                "comment" => Test::Comment,
                "processing-instruction" => {
                    let target =
                        if self.rest().starts_with(['"', '\'']) { Some(self.literal()?) } else { None };
                    Test::Instruction(target)
                }
                _ => {
                    self.at = start;
                    return Err(self.error("a function that selects no nodes"));
                }
            };
            if !self.take(")") {
                return Err(self.error("a ) expected"));
            }
            return Ok(test);
        }
        if !self.rest().starts_with("::") && self.rest().starts_with(':') {
            self.at += 1;
            if self.take("*") {
                return Ok(Test::Prefix(name));
            }
            let local = self.name()?;
            return Ok(Test::Name { prefix: Some(name), local });
        }
        Ok(Test::Name { prefix: None, local: name })
    }

    fn predicate(&mut self) -> Result<Predicate, XPathError> {
        self.skip_space();
        if let Some(position) = self.position()? {
            self.skip_space();
            return Ok(Predicate::Position(position));
        }
        Ok(Predicate::Condition(self.any_of()?))
    }

    fn position(&mut self) -> Result<Option<Position>, XPathError> {
        if self.take("position()") && !self.take("=") {
            return Err(self.error("position() is taken with = only"));
        }
        if self.take("last()") {
            return Ok(Some(Position::Last));
        }
        let rest = self.rest();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 {
            return Ok(None);
        }
        let number = rest[..digits].parse().map_err(|_| self.error("a number too large"))?;
        self.at += digits;
        Ok(Some(Position::At(number)))
    }

    fn any_of(&mut self) -> Result<Condition, XPathError> {
        let mut any = vec![self.all_of()?];
        while self.take_word("or") {
            any.push(self.all_of()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Condition::Any(any) })
    }

    fn all_of(&mut self) -> Result<Condition, XPathError> {
        let mut all = vec![self.condition()?];
        while self.take_word("and") {
            all.push(self.condition()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn condition(&mut self) -> Result<Condition, XPathError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error("too many parentheses"));
        }
        let condition = self.condition_inside();
        self.depth -= 1;
        condition
    }

    fn condition_inside(&mut self) -> Result<Condition, XPathError> {
        let inverted = self.take_call("not");
        if inverted || self.take("(") {
            let inner = self.any_of()?;
            if !self.take(")") {
                return Err(self.error("a ) expected"));
            }
            return Ok(if inverted { Condition::Not(Box::new(inner)) } else { inner });
        }
        let contains = self.take_call("contains");
        if contains || self.take_call("starts-with") {
            let operand = self.operand()?;
            if contains && !is_flat(&operand) {
                return Err(self.error("contains() is taken on text() and attributes only"));
            }
            if !self.take(",") {
                return Err(self.error("a comma expected"));
            }
            let text = self.literal()?.into_bytes();
            if !self.take(")") {
                return Err(self.error("a ) expected"));
            }
            return Ok(if contains {
                Condition::Contains(operand, text)
            } else {
                Condition::StartsWith(operand, text)
            });
        }
        let operand = self.operand()?;
        if self.take("!=") {
            Ok(Condition::Differs(operand, self.literal()?.into_bytes()))
        } else if self.take("=") {
            Ok(Condition::Equals(operand, self.literal()?.into_bytes()))
        } else if matches!(operand, Operand::Path(_)) {
            Ok(Condition::Exists(operand))
        } else {
            Err(self.error("a comparison with a literal expected"))
        }
    }

    fn operand(&mut self) -> Result<Operand, XPathError> {
        self.skip_space();
        if self.take("local-name()") {
            return Ok(Operand::LocalName);
        }
        if self.take("name()") {
            return Ok(Operand::QualifiedName);
        }
        if self.rest().starts_with('/') {
            return Err(self.error("only relative paths inside a predicate"));
        }
        let mut steps = vec![self.step(true)?];
        loop {
            if self.rest().starts_with("//") {
                return Err(self.error("no // inside a predicate"));
            }
            if !self.take("/") {
                return Ok(Operand::Path(steps));
            }
            steps.push(self.step(true)?);
            if steps.len() > STEPS_MAX {
                return Err(self.error("too many steps"));
            }
        }
    }

    fn literal(&mut self) -> Result<String, XPathError> {
        self.skip_space();
        let rest = self.rest();
        let inner =
            rest.strip_prefix(['"', '\'']).ok_or_else(|| self.error("a literal in quotes expected"))?;
        let quote = &rest[..1];
        let end = inner.find(quote).ok_or_else(|| self.error("a literal that is not closed"))?;
        let text = inner[..end].to_owned();
        self.at += end + 2;
        self.skip_space();
        Ok(text)
    }

    fn name(&mut self) -> Result<String, XPathError> {
        let rest = self.rest();
        let begins = |c: char| c.is_alphabetic() || c == '_';
        if !rest.starts_with(begins) {
            return Err(self.error("a name expected"));
        }
        let end =
            rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        self.at += end;
        Ok(name)
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_ascii_start().len();
    }

    /// Takes a token and the blanks around it.
    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest().trim_ascii_start();
        let Some(after) = rest.strip_prefix(token) else { return false };
        let after = after.trim_ascii_start();
        self.at = self.text.len() - after.len();
        true
    }

    /// Takes a word that blanks or punctuation end.
    fn take_word(&mut self, word: &str) -> bool {
        let start = self.at;
        let ended = |after: &str| !after.starts_with(|c: char| c.is_alphanumeric() || "_-.:".contains(c));
        let rest = self.rest().trim_ascii_start();
        if rest.strip_prefix(word).is_some_and(ended) {
            return self.take(word);
        }
        self.at = start;
        false
    }

    fn take_call(&mut self, name: &str) -> bool {
        let start = self.at;
        if self.take_word(name) && self.take("(") {
            return true;
        }
        self.at = start;
        false
    }

    fn error(&self, message: &str) -> XPathError {
        XPathError { offset: self.at, message: message.to_owned() }
    }
}

/// Whether the values of an operand never overlap, so that searching all of them costs no more than the document.
fn is_flat(operand: &Operand) -> bool {
    match operand {
        Operand::Path(steps) => {
            steps.last().is_some_and(|step| step.axis == Axis::Attribute || step.test == Test::Text)
        }
        Operand::QualifiedName | Operand::LocalName => true,
    }
}

/// What `//` stands for.
fn any_descendant() -> Step {
    Step { axis: Axis::DescendantOrSelf, test: Test::AnyNode, predicates: Vec::new() }
}
