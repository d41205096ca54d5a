//! YAML text to nodes, within bounds.
//!
//! granit-parser reads the syntax and says where everything stands; which types values have is decided by the keys
//! they stand under, so nothing here guesses whether `on` is a truth value. Anchors and aliases work; merge keys and
//! tags have no meaning here and are refused.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::diagnostic::{Diagnostic, Severity};
use crate::json::{self, Piece};
use crate::node::{Key, Node, Origin, Value, quoted};

/// Bounds of a text that anybody may have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YamlLimits {
    /// Bytes of the text. Above it: an error.
    pub bytes_max: usize,
    /// How deep lists and mappings may nest.
    pub depth_max: usize,
    /// What all trees may weigh: their texts in bytes, and 64 a node. Aliases count each time they are used.
    pub weight_max: usize,
}

const NODE_WEIGHT: usize = 64;

/// Reads one document. The first error of syntax ends it.
///
/// # Errors
/// What is wrong first, with its place.
pub fn parse(text: &[u8], limits: &YamlLimits) -> Result<Node, Diagnostic> {
    let mut roots = read(text, limits, Documents::One)?;
    Ok(roots.pop().unwrap_or(Node { value: Value::Null, origin: Origin::Default }))
}

/// Reads every document of a text, in order; those without content are left out.
///
/// # Errors
/// What is wrong first, with its place: a text that is not YAML has no documents.
pub fn parse_documents(text: &[u8], limits: &YamlLimits) -> Result<Vec<Node>, Diagnostic> {
    let mut roots = read(text, limits, Documents::Any)?;
    roots.retain(|root| root.value != Value::Null);
    Ok(roots)
}

/// How many documents a text may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Documents {
    One,
    Any,
}

fn read(text: &[u8], limits: &YamlLimits, documents: Documents) -> Result<Vec<Node>, Diagnostic> {
    if text.len() > limits.bytes_max {
        let message = format!("the file is larger than {} MiB", limits.bytes_max >> 20);
        return Err(error(Origin::Default, message, None));
    }
    let text = std::str::from_utf8(text).map_err(|invalid| {
        let before = &text[..invalid.valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        let origin = Origin::File { line: line as u32, column: column as u32, length: 1 };
        error(origin, "the file is not UTF-8".to_owned(), Some("save it as UTF-8"))
    })?;
    match read_json(text, limits, documents) {
        Some(root) => Ok(vec![root]),
        None => read_yaml(text, limits, documents),
    }
}

/// A text that a program wrote as JSON, if it is one: what [`read_yaml`] makes of it, sooner.
fn read_json(text: &str, limits: &YamlLimits, documents: Documents) -> Option<Node> {
    let mut builder = Builder::new(*limits, documents);
    json::read(text, limits.depth_max, |piece, origin| {
        let taken = match piece {
            Piece::Text { text, plain } => builder.scalar(text, plain, origin, 0),
            Piece::ListBegins => builder.begin(0, origin, Content::List(Vec::new())),
            Piece::MapBegins => builder.begin(0, origin, Content::map()),
            Piece::Ends => builder.end(),
        };
        // What is wrong is told by the reader of YAML, in its words.
        taken.ok()
    })?;
    builder.roots.pop()
}

fn read_yaml(text: &str, limits: &YamlLimits, documents: Documents) -> Result<Vec<Node>, Diagnostic> {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: limits.depth_max,
        block_nesting_limit: limits.depth_max,
    };
    let mut builder = Builder::new(*limits, documents);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|broken| {
            let mark = broken.marker();
            let origin = Origin::File { line: mark.line() as u32, column: mark.col() as u32 + 1, length: 1 };
            error(origin, format!("this is not YAML: {}", broken.info()), None)
        })?;
        builder.take(event, origin_of(&span))?;
    }
    Ok(builder.roots)
}

fn origin_of(span: &Span) -> Origin {
    let (start, end) = (span.start, span.end);
    let length =
        if start.line() == end.line() { end.col().saturating_sub(start.col()).max(1) } else { usize::MAX };
    Origin::File {
        line: start.line() as u32,
        column: start.col() as u32 + 1,
        length: u32::try_from(length).unwrap_or(u32::MAX),
    }
}

struct Builder {
    limits: YamlLimits,
    documents: Documents,
    roots: Vec<Node>,
    begun: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, Measure)>,
    weight: usize,
}

/// A list or mapping that has not ended.
struct Open {
    anchor: usize,
    origin: Origin,
    content: Content,
    measure: Measure,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, places: Places, key: Option<Key> },
}

impl Content {
    fn map() -> Self {
        Self::Map { entries: Vec::new(), places: Places::default(), key: None }
    }
}

/// Where the keys of a mapping stand. Most have a few, and there are thousands of them.
#[derive(Default)]
struct Places(HashMap<String, Origin>);

/// So many keys are looked through one by one.
const FEW: usize = 16;

impl Places {
    /// Where a key stands already, of the mapping's entries so far; if it does not, it does now.
    fn insert(&mut self, entries: &[(Key, Node)], name: &str, origin: Origin) -> Option<Origin> {
        if entries.len() < FEW {
            return entries.iter().find(|(key, _)| key.name == name).map(|(key, _)| key.origin);
        }
        if self.0.is_empty() {
            self.0.extend(entries.iter().map(|(key, _)| (key.name.clone(), key.origin)));
        }
        self.0.insert(name.to_owned(), origin)
    }
}

/// What a node costs to copy.
#[derive(Clone, Copy, Default)]
struct Measure {
    weight: usize,
    depth: usize,
}

impl Builder {
    fn new(limits: YamlLimits, documents: Documents) -> Self {
        Self {
            limits,
            documents,
            roots: Vec::new(),
            begun: 0,
            open: Vec::new(),
            anchors: HashMap::new(),
            weight: 0,
        }
    }

    fn take(&mut self, event: Event<'_>, origin: Origin) -> Result<(), Diagnostic> {
        if let Some(tag) = event.tag()
            && !tag.is_yaml_core_schema()
        {
            let message = format!("the tag {} has no meaning here", quoted(&tag.original()));
            return Err(error(origin, message, Some("write the value without it")));
        }
        match event {
            Event::DocumentStart(..) => {
                self.begun += 1;
                // An alias names what stands in its own document.
                self.anchors.clear();
                if self.begun > 1 && self.documents == Documents::One {
                    let help = "remove what follows `---`";
                    return Err(error(origin, "a configuration is one document".to_owned(), Some(help)));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_str = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                let plain = style == ScalarStyle::Plain && !is_str;
                self.scalar(text.into_owned(), plain, origin, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(anchor, origin, Content::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => self.begin(anchor, origin, Content::map()),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some((_, measure)) if self.weight.saturating_add(measure.weight) > self.limits.weight_max => {
                    let message = "aliases make the file too large".to_owned();
                    Err(error(origin, message, Some("write fewer of them")))
                }
                // The copy keeps the place of what it was copied from: that is where a mistake is mended.
                Some((node, measure)) => {
                    let (node, measure) = (node.clone(), *measure);
                    self.finish(node, 0, measure)
                }
                None => {
                    Err(error(origin, "an alias inside of what it names".to_owned(), Some("write it out")))
                }
            },
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: String, plain: bool, origin: Origin, anchor: usize) -> Result<(), Diagnostic> {
        let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
        let measure = Measure { weight: NODE_WEIGHT + text.len(), depth: 0 };
        let value = if null { Value::Null } else { Value::Text { text, plain } };
        self.finish(Node { value, origin }, anchor, measure)
    }

    /// The list or mapping that began last has ended.
    fn end(&mut self) -> Result<(), Diagnostic> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, .. } => Value::Map(entries),
        };
        self.finish(Node { value, origin: open.origin }, open.anchor, open.measure)
    }

    fn begin(&mut self, anchor: usize, origin: Origin, content: Content) -> Result<(), Diagnostic> {
        if self.open.len() >= self.limits.depth_max {
            return Err(too_deep(origin, self.limits.depth_max));
        }
        if let Some(Open { content: Content::Map { key: None, .. }, .. }) = self.open.last() {
            return Err(error(origin, "a key is a word, not a list or mapping".to_owned(), None));
        }
        self.open.push(Open { anchor, origin, content, measure: Measure { weight: NODE_WEIGHT, depth: 0 } });
        Ok(())
    }

    /// A node is whole: it goes to where it belongs.
    fn finish(&mut self, node: Node, anchor: usize, measure: Measure) -> Result<(), Diagnostic> {
        self.weight = self.weight.saturating_add(measure.weight);
        if self.open.len() + measure.depth > self.limits.depth_max {
            return Err(too_deep(node.origin, self.limits.depth_max));
        }
        if anchor != 0 {
            self.weight = self.weight.saturating_add(measure.weight);
            self.anchors.insert(anchor, (node.clone(), measure));
        }
        if self.weight > self.limits.weight_max {
            return Err(error(node.origin, "the file holds too much".to_owned(), None));
        }
        let Some(open) = self.open.last_mut() else {
            self.roots.push(node);
            return Ok(());
        };
        open.measure.weight = open.measure.weight.saturating_add(measure.weight);
        open.measure.depth = open.measure.depth.max(measure.depth + 1);
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, places, key } => match key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let name = match node.value {
                        Value::Text { text, .. } => text,
                        Value::Null => String::new(),
                        Value::List(_) | Value::Map(_) => {
                            let message = "a key is a word, not a list or mapping".to_owned();
                            return Err(error(node.origin, message, None));
                        }
                    };
                    if name == "<<" {
                        let message = "merge keys have no meaning here".to_owned();
                        return Err(error(node.origin, message, Some("write the keys out")));
                    }
                    if let Some(before) = places.insert(entries, &name, node.origin) {
                        let message = match before {
                            Origin::File { line, .. } => {
                                format!(
                                    "the key {} stands here a second time, after line {line}",
                                    quoted(&name)
                                )
                            }
                            _ => format!("the key {} stands here a second time", quoted(&name)),
                        };
                        return Err(error(node.origin, message, Some("remove one of them")));
                    }
                    *key = Some(Key { name, origin: node.origin });
                }
            },
        }
        Ok(())
    }
}

fn too_deep(origin: Origin, depth_max: usize) -> Diagnostic {
    error(origin, format!("lists and mappings nest deeper than {depth_max}"), None)
}

fn error(origin: Origin, message: String, help: Option<&str>) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        origin,
        key: String::new(),
        message,
        help: help.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: YamlLimits = YamlLimits { bytes_max: 1 << 20, depth_max: 8, weight_max: 1 << 20 };

    #[test]
    fn a_key_that_stands_twice_is_found_in_mappings_of_every_size() {
        for keys in [1, 2, FEW - 1, FEW, FEW + 1, 3 * FEW] {
            let distinct: String = (0..keys).map(|number| format!("k{number}: 1\n")).collect();
            assert!(parse(distinct.as_bytes(), &LIMITS).is_ok(), "{keys}");
            for twice in [0, keys / 2, keys - 1] {
                let wrong = parse(format!("{distinct}k{twice}: 2\n").as_bytes(), &LIMITS).unwrap_err();
                let told = format!("the key `k{twice}` stands here a second time, after line {}", twice + 1);
                assert_eq!(wrong.message, told, "{keys}");
            }
        }
    }

    /// What the reader of JSON makes of a text, if it takes it, is what the reader of YAML does. Whether it took it.
    fn agree(text: &str) -> bool {
        let json = read_json(text, &LIMITS, Documents::One);
        if let Some(json) = &json {
            assert_eq!(
                read_yaml(text, &LIMITS, Documents::One).as_deref(),
                Ok(std::slice::from_ref(json)),
                "{text}"
            );
        }
        json.is_some()
    }

    /// JSON without white space, with words and texts that mean something in YAML.
    fn value() -> impl Strategy<Value = String> {
        let words = [
            "true",
            "false",
            "null",
            "0",
            "-1",
            "10.25",
            "007",
            "\"\"",
            "\"null\"",
            "\"- a: b # c\"",
            "\"&a\"",
            "\" x \"",
            "\"a\\n\\\"\\\\t\"",
            "\"{}[],:\"",
            "\"---\"",
            "\"<<\"",
            "\"\\r\\t\"",
        ];
        let leaf = prop_oneof![
            prop::sample::select(words.to_vec()).prop_map(str::to_owned),
            "[ -!#-\\[\\]-~]{0,12}".prop_map(|text| format!("\"{text}\"")),
        ];
        leaf.prop_recursive(6, 60, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
                prop::collection::btree_map("[ -!#-\\[\\]-~]{0,6}", inner, 0..5).prop_map(|entries| {
                    let entries = entries.iter().map(|(key, value)| format!("\"{key}\":{value}"));
                    format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_is_read_as_the_yaml_that_it_is(value in value(), key in "[a-z]{1,4}") {
            // Two keys of a mapping that are one are an error, which the reader of YAML tells; so is a merge key.
            let text = format!("{{\"{key}\":[{value}]}}");
            let has_merge_key = text.contains("\"<<\":");
            let deep = read_yaml(&text, &LIMITS, Documents::One).is_err();
            prop_assert_eq!(agree(&text), !(has_merge_key || deep), "{}", text);
        }

        /// Broken anywhere it is left to the reader of YAML, or means the same.
        #[test]
        fn what_is_nearly_json_is_never_read_otherwise(
            value in value(), at in 0..200usize, piece in prop::sample::select(
                vec![" ", "\n", ",", ":", "{", "}", "[", "]", "\"", "\\", "#", "- ", "? ", "\t", "\u{feff}", "ä", "<<", "&a ", "*a", "!x ", "'", "\\u0041", "1e5", "+1", "."]
            ), cut in 0..3usize
        ) {
            let mut text = format!("{{\"a\":{value}}}");
            let at = at.min(text.len());
            let end = (at + cut).min(text.len());
            text.replace_range(at..end, piece);
            agree(&text);
        }
    }

    #[test]
    fn long_keys_and_deep_lists_are_read_as_yaml_reads_them() {
        for length in [1, 900, 999, 1000, 1001, 1023, 1024, 1025, 5000] {
            agree(&format!("{{\"{}\":1}}", "k".repeat(length)));
            agree(&format!("{{\"a\":[1,{{\"{}\":1}}]}}", "k".repeat(length)));
        }
        for depth in 1..12 {
            agree(&format!("{}1{}", "[".repeat(depth), "]".repeat(depth)));
        }
        assert!(agree("{\"a\":{},\"b\":[],\"c\":[{}]}"));
    }
}
