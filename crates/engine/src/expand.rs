//! Macros in texts: `%{TX.score}`, `%{MATCHED_VAR}`, `%{REQUEST_HEADERS.host}`.

use std::borrow::Cow;

use palisade_seclang::ast::{Template, TemplatePart, Variable};

use crate::variables::{Variables, store_of};

/// Longest text that an expansion makes. `setvar:tx.a=%{tx.a}%{tx.a}` doubles with every match; it stops here.
const EXPANDED_BYTES_MAX: usize = 1 << 20;

/// A text with its macros replaced by the first value of what they name, by nothing where there is none.
/// A text without macros is not copied.
pub(crate) fn expand<'t>(vars: &Variables, template: &'t Template) -> Cow<'t, [u8]> {
    if let Some(text) = template.as_literal() {
        return Cow::Borrowed(&text[..text.len().min(EXPANDED_BYTES_MAX)]);
    }
    let mut out = Vec::new();
    for part in &template.parts {
        match part {
            TemplatePart::Literal(text) => out.extend_from_slice(text),
            TemplatePart::Macro { variable, key, .. } => {
                append_first_value(vars, *variable, key.as_ref().map(|key| key.as_slice()), &mut out);
            }
        }
        if out.len() > EXPANDED_BYTES_MAX {
            out.truncate(EXPANDED_BYTES_MAX);
            break;
        }
    }
    Cow::Owned(out)
}

/// Appends the first value of a variable, or of the members with a key; nothing where there is none.
fn append_first_value(vars: &Variables, variable: Variable, key: Option<&[u8]>, out: &mut Vec<u8>) {
    if let (Some(store), Some(key)) = (store_of(variable), key) {
        out.extend_from_slice(vars.store(store).and_then(|values| values.get(key)).unwrap_or_default());
        return;
    }
    let mut members = Vec::new();
    vars.members(variable, &mut members);
    let chosen = members.into_iter().find(|item| {
        key.is_none_or(|key| vars.key(*item).is_some_and(|name| name.eq_ignore_ascii_case(key)))
    });
    let mut buffer = Vec::new();
    out.extend_from_slice(chosen.and_then(|item| vars.value(item, &mut buffer)).unwrap_or_default());
}
