//! The objects of a text in Kubernetes's form: its documents, and the items of lists among them. What an object of a kind
//! holds is for whoever is shown it.

use crate::reader::Reader;
use crate::{Diagnostic, Node, Value, YamlLimits, parse_documents};

/// How the objects of a family are written.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Bounds of a text.
    pub limits: YamlLimits,
    /// What to write where an object does not say what it is.
    pub help: &'static str,
    /// Items of a typed list (`kind: PodList`) need not say what they are.
    pub typed_lists: bool,
}

/// What a text turned out to be, its objects aside.
#[derive(Clone, Debug)]
pub struct TextRead {
    /// It is not YAML: what it holds is not known.
    pub unreadable: bool,
    /// All that is to be said about it, in order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Shows each object of a text with its `apiVersion` and `kind`. Any bytes give objects or diagnostics, in time and memory
/// that are linear in them.
pub fn each_object(
    text: &[u8],
    form: &Form,
    mut show: impl FnMut(&mut Reader, &Node, &str, &str),
) -> TextRead {
    let documents = match parse_documents(text, &form.limits) {
        Ok(documents) => documents,
        Err(broken) => return TextRead { unreadable: true, diagnostics: vec![broken] },
    };
    let mut reader = Reader::default();
    for document in &documents {
        walk(&mut reader, document, form, &mut show, false);
    }
    TextRead { unreadable: false, diagnostics: reader.sink.finish() }
}

/// Lists do not stand in lists.
fn walk(
    reader: &mut Reader,
    node: &Node,
    form: &Form,
    show: &mut impl FnMut(&mut Reader, &Node, &str, &str),
    in_list: bool,
) {
    let Some(fields) = reader.any_fields(node) else { return };
    let word = |name: &str| match fields.get(name).map(|node| &node.value) {
        Some(Value::Text { text, .. }) => text.as_str(),
        _ => "",
    };
    let (api, kind) = (word("apiVersion"), word("kind"));
    if kind.is_empty() || api.is_empty() {
        let missing = if kind.is_empty() { "kind" } else { "apiVersion" };
        reader.error(node, format!("an object without `{missing}`"), form.help);
        return;
    }
    if !kind.ends_with("List") || fields.get("items").is_none() || in_list {
        show(reader, node, api, kind);
        return;
    }
    let typed = kind.strip_suffix("List").filter(|item| form.typed_lists && !item.is_empty());
    reader.each(&fields, "items", |reader, item| {
        match (typed, item.get("kind")) {
            (Some(kind), None) => show(reader, item, api, kind),
            _ => walk(reader, item, form, show, true),
        }
        Some(())
    });
}
