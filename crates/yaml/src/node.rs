//! YAML before it has types: a tree whose every node knows where it was written.

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// Where.
    pub origin: Origin,
}

/// What can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// A word, a number, a text: types come later, from what the key means.
    Text {
        /// The text, quotes and escapes undone.
        text: String,
        /// Written without quotes, so that `true` is no text.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping, in its order; no key twice.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The word.
    pub name: String,
    /// Where.
    pub origin: Origin,
}

/// Where a value was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// Nowhere: a default.
    #[default]
    Default,
    /// In the file: line and column, from 1, and the length in characters as far as it stands on that line.
    File {
        /// The line.
        line: u32,
        /// The column, in characters.
        column: u32,
        /// How many characters are meant.
        length: u32,
    },
    /// By a flag, such as `--listen`, or a variable, such as `PALISADE_LISTEN`.
    Flag(&'static str),
}

impl Node {
    /// A text as it would be written without quotes.
    pub fn text(text: impl Into<String>, origin: Origin) -> Self {
        Self { value: Value::Text { text: text.into(), plain: true }, origin }
    }

    /// A list.
    pub fn list(items: Vec<Node>, origin: Origin) -> Self {
        Self { value: Value::List(items), origin }
    }

    /// A mapping without keys.
    pub fn empty_map(origin: Origin) -> Self {
        Self { value: Value::Map(Vec::new()), origin }
    }

    /// What it is, for a message: `a list`, or the text itself.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Text { text, .. } => quoted(text),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }

    /// How many values it is made of, itself included.
    pub fn count(&self) -> usize {
        match &self.value {
            Value::Null | Value::Text { .. } => 1,
            Value::List(items) => 1 + items.iter().map(Node::count).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|(_, node)| node.count()).sum::<usize>(),
        }
    }

    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(name, _)| name.name == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// Sets a key of a mapping; nothing becomes a mapping for it. Says whether it could.
    pub fn set(&mut self, key: &str, node: Node) -> bool {
        if self.value == Value::Null {
            self.value = Value::Map(Vec::new());
        }
        let Value::Map(entries) = &mut self.value else { return false };
        match entries.iter_mut().find(|(name, _)| name.name == key) {
            Some((_, there)) => *there = node,
            None => {
                let key = Key { name: key.to_owned(), origin: node.origin };
                entries.push((key, node));
            }
        }
        true
    }

    /// The mapping under a key, made when there is none. `None` where something else stands.
    pub fn child(&mut self, key: &str) -> Option<&mut Node> {
        let absent = match self.get(key) {
            None => true,
            Some(node) => node.value == Value::Null,
        };
        if absent && !self.set(key, Node::empty_map(Origin::Default)) {
            return None;
        }
        let Value::Map(entries) = &mut self.value else { return None };
        entries.iter_mut().find(|(name, _)| name.name == key).map(|(_, node)| node)
    }
}

/// Text from a file, for a message: at most 80 characters, in backticks.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("`");
    for (count, char) in text.chars().enumerate() {
        if count == 80 {
            out.push_str("...");
            break;
        }
        match char {
            // A terminal would act on it.
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out.push('`');
    out
}
