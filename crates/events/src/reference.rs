//! The reference page of fields, made from the types that write them.

use std::fmt::Write as _;

use palisade_model::{Event, EventAction, EventKind, Field, Traffic, ValueClass, paths};

/// The page, Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Fields of events and L7 records\n\n\
         Made by `palisade events fields`; edits are lost.\n\n\
         Both are JSON objects, one a line in files and streams. A field that has nothing to say is left out. Texts are\n\
         masked, bounded and printable: what is not stands there as `\\xHH`. Names with a dot are those of queries: `rules.id`\n\
         is each rule's `id`.\n\n## Events\n\nA superset of Calico's WAF log (`tigera_secure_ee_waf`).\n\n",
    );
    table(&mut out, Event::FIELDS);
    words(&mut out, "Kinds", EventKind::ALL.iter().map(|kind| (kind.as_str(), kind.doc())));
    words(&mut out, "Actions", EventAction::ALL.iter().map(|action| (action.as_str(), action.doc())));
    out.push_str("## L7 records\n\nA superset of Calico's L7 log (`tigera_secure_ee_l7`).\n\n");
    table(&mut out, Traffic::FIELDS);
    words(&mut out, "Classes of values", ValueClass::ALL.iter().map(|class| (class.as_str(), class.doc())));
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn table(out: &mut String, fields: &'static [Field]) {
    out.push_str("| field | what | meaning |\n|---|---|---|\n");
    for (path, field) in paths(fields) {
        let _ = writeln!(out, "| `{path}` | {} | {} |", field.kind.describe(), joined(field.doc));
    }
    out.push('\n');
}

fn words(
    out: &mut String,
    title: &str,
    words: impl Iterator<Item = (&'static str, &'static [&'static str])>,
) {
    let _ = writeln!(out, "### {title}\n\n| word | meaning |\n|---|---|");
    for (word, doc) in words {
        let _ = writeln!(out, "| `{word}` | {} |", joined(doc));
    }
    out.push('\n');
}

fn joined(doc: &[&str]) -> String {
    let lines: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
    lines.join(" ").replace('|', "\\|")
}
