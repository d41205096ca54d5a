//! Reading objects of Kubernetes's form from nodes: what is wrong goes to a sink with its place, its path and what to
//! write instead. For policies and alerts; the configuration file has sections of its own (`palisade-config`).

use std::fmt::Write as _;

use crate::{Diagnostic, Key, Node, Origin, Severity, Sink, Value, nearest, quoted};

/// Goes through a document, knows where it is, and collects what is wrong.
#[derive(Debug, Default)]
pub struct Reader {
    path: String,
    /// What was found so far.
    pub sink: Sink,
}

/// The values of a mapping; those without one are absent.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'n>(&'n [(Key, Node)]);

impl<'n> Fields<'n> {
    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&'n Node> {
        let found = self.0.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
        found.filter(|node| node.value != Value::Null)
    }
}

impl Reader {
    /// Runs something one key further down, where there is a value.
    pub fn at<'n, T>(
        &mut self,
        fields: &Fields<'n>,
        name: &str,
        read: impl FnOnce(&mut Self, &'n Node) -> Option<T>,
    ) -> Option<T> {
        let node = fields.get(name)?;
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        let read = read(self, node);
        self.path.truncate(length);
        read
    }

    /// The same for every item of a list.
    pub fn each<'n, T>(
        &mut self,
        fields: &Fields<'n>,
        name: &str,
        mut read: impl FnMut(&mut Self, &'n Node) -> Option<T>,
    ) -> Vec<T> {
        let items = self.at(fields, name, |reader, node| {
            let items = reader.list(node)?;
            let mut out = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                let length = reader.path.len();
                let _ = write!(reader.path, "[{index}]");
                out.extend(read(reader, item));
                reader.path.truncate(length);
            }
            Some(out)
        });
        items.unwrap_or_default()
    }

    /// The fields of a mapping, unknown ones reported.
    pub fn fields<'n>(&mut self, node: &'n Node, known: &[&str]) -> Option<Fields<'n>> {
        let fields = self.any_fields(node)?;
        for (key, _) in fields.0 {
            if !known.contains(&key.name.as_str()) {
                let help = match nearest(&key.name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                self.report(key.origin, format!("the field {} is not known", quoted(&key.name)), Some(help));
            }
        }
        Some(fields)
    }

    /// The fields of a mapping of which only some matter here.
    pub fn any_fields<'n>(&mut self, node: &'n Node) -> Option<Fields<'n>> {
        match &node.value {
            Value::Map(entries) => Some(Fields(entries)),
            Value::Null => Some(Fields(&[])),
            _ => {
                self.error(node, format!("{} stands where fields are expected", node.describe()), None);
                None
            }
        }
    }

    /// The items of a list; nothing is an empty one.
    pub fn list<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        match &node.value {
            Value::List(items) => Some(items),
            Value::Null => Some(&[]),
            _ => {
                let help = "begin each item with `- `";
                self.error(node, format!("{} stands where a list is expected", node.describe()), Some(help));
                None
            }
        }
    }

    /// A text.
    pub fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        match &node.value {
            Value::Text { text, .. } => Some(text),
            _ => {
                self.error(node, format!("{} stands where a text is expected", node.describe()), None);
                None
            }
        }
    }

    /// The texts of a list, with their nodes.
    pub fn texts<'n>(&mut self, fields: &Fields<'n>, name: &str) -> Vec<(&'n Node, &'n str)> {
        self.each(fields, name, |reader, node| Some((node, reader.text(node)?)))
    }

    /// A whole number between two.
    pub fn number(&mut self, node: &Node, from: u64, to: u64) -> Option<u64> {
        let text = self.text(node)?;
        let number = text.parse().ok().filter(|number| (from..=to).contains(number));
        if number.is_none() {
            let message = format!("{} is not a whole number from {from} to {to}", quoted(text));
            self.error(node, message, None);
        }
        number
    }

    /// A finite number.
    pub fn float(&mut self, node: &Node) -> Option<f64> {
        let text = self.text(node)?;
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() {
            self.error(
                node,
                format!("{} is not a number", quoted(text)),
                Some("write a number such as 100 or 10.5"),
            );
        }
        number
    }

    /// `true` or `false`.
    pub fn truth(&mut self, node: &Node) -> Option<bool> {
        match self.text(node)? {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                let message = format!("{} is neither true nor false", quoted(other));
                self.error(node, message, Some("write true or false"));
                None
            }
        }
    }

    /// One of some words.
    pub fn word<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = match nearest(text, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of {}", names.join(", ")),
        };
        self.error(node, format!("{} is no {what}", quoted(text)), Some(help.as_str()));
        None
    }

    /// An error where a list is longer than the API takes.
    pub fn at_most(&mut self, fields: &Fields<'_>, name: &str, max: usize, help: &str) {
        if let Some(node) = fields.get(name)
            && let Value::List(items) = &node.value
            && items.len() > max
        {
            self.error(node, format!("`{name}` has at most {max} items, not {}", items.len()), Some(help));
        }
    }

    /// An error where two fields stand that exclude each other.
    pub fn not_both(&mut self, fields: &Fields<'_>, one: &str, other: &str) {
        if let (Some(_), Some(node)) = (fields.get(one), fields.get(other)) {
            let message = format!("`{other}` does not go together with `{one}`");
            self.error(node, message, Some("keep one of them, or make two rules"));
        }
    }

    /// An error about a node.
    pub fn error<'h>(&mut self, node: &Node, message: impl Into<String>, help: impl Into<Option<&'h str>>) {
        self.report(node.origin, message.into(), help.into().map(str::to_owned));
    }

    /// An error about a part of a text that has a language of its own: `at` is its first character there, from 0. Where
    /// the text stands as it is on one line, that part is marked; else the whole, and the message has to name the place.
    pub fn error_within<'h>(
        &mut self,
        node: &Node,
        at: usize,
        message: impl Into<String>,
        help: impl Into<Option<&'h str>>,
    ) {
        let mut origin = node.origin;
        if let (Origin::File { line, column, length }, Value::Text { text, plain }) = (origin, &node.value) {
            let (quotes, chars) = (u32::from(!plain), text.chars().count());
            // Escapes and folded lines change the length.
            if length as usize == chars + 2 * quotes as usize && at <= chars {
                origin = Origin::File { line, column: column + quotes + at as u32, length: 1 };
            }
        }
        self.report(origin, message.into(), help.into().map(str::to_owned));
    }

    /// A warning about a node.
    pub fn warn(&mut self, node: &Node, message: impl Into<String>, help: &str) {
        let (key, help) = (self.path.clone(), Some(help.to_owned()));
        let message = message.into();
        self.sink.push(Diagnostic { severity: Severity::Warning, origin: node.origin, key, message, help });
    }

    fn report(&mut self, origin: Origin, message: String, help: Option<String>) {
        let key = self.path.clone();
        self.sink.push(Diagnostic { severity: Severity::Error, origin, key, message, help });
    }
}
