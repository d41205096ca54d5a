//! What the tests of whole rule sets share.

use std::sync::Arc;

use palisade_engine::{RuleSet, RuleSources, load_rules};
use palisade_seclang::{Loader, Style};

/// The rule set of a text, or all that is wrong with it as people read it.
pub(crate) fn compiled(text: &str, loader: &dyn Loader) -> Result<Arc<RuleSet>, String> {
    let text = Some(("test.conf".to_owned(), text.as_bytes().to_vec(), String::new()));
    let loaded = load_rules(&RuleSources { text, ..RuleSources::default() }, loader);
    let errors: Vec<String> = loaded
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .map(|diagnostic| diagnostic.render(&loaded.sources, Style::Plain))
        .collect();
    loaded.rules.ok_or_else(|| errors.join("\n"))
}
