//! Macros in texts: `%{TX.score}`, `%{MATCHED_VAR}`, `%{REQUEST_HEADERS.host}`.

use std::borrow::Cow;
use std::sync::Arc;

use palisade_seclang::ast::{Template, TemplatePart, Variable};

use crate::interner::Interner;
use crate::number::leading_integer;
use crate::store::{Names, TextId};
use crate::variables::{Variables, store_of};

/// Longest text that an expansion makes. `setvar:tx.a=%{tx.a}%{tx.a}` doubles with every match; it stops here.
const EXPANDED_BYTES_MAX: usize = 1 << 20;

/// A text with its macros replaced by the first value of what they name, by nothing where there is none.
/// A text without macros is not copied. For texts that are wanted after a match; see [`Text`].
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

/// A text for whatever rules do for many requests: where its macros find their values was looked up when the rule set
/// was compiled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    written: Arc<Template>,
    parts: Parts,
}

#[derive(Clone, Debug, PartialEq)]
enum Parts {
    Literal { text: TextId, number: i64 },
    Macros(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Literal(Vec<u8>),
    /// A slot of TX.
    Tx(u32),
    First {
        variable: Variable,
        key: Option<Vec<u8>>,
    },
}

impl Text {
    pub(crate) fn new(template: &Template, names: &mut Names, interner: &Interner) -> Self {
        let parts = match template.as_literal() {
            Some(text) => {
                let text = &text[..text.len().min(EXPANDED_BYTES_MAX)];
                Parts::Literal { text: names.keep(text), number: leading_integer(text) }
            }
            None => Parts::Macros(template.parts.iter().map(|part| Part::new(part, names)).collect()),
        };
        Self { written: interner.template(template), parts }
    }

    /// As its rule has it.
    pub(crate) fn written(&self) -> &Template {
        &self.written
    }

    /// Its number among the texts of the rule set, when there is no macro in it.
    pub(crate) fn literal(&self) -> Option<TextId> {
        match self.parts {
            Parts::Literal { text, .. } => Some(text),
            Parts::Macros(_) => None,
        }
    }

    /// Whether nothing but TX decides what it expands to.
    pub(crate) fn is_closed(&self) -> bool {
        match &self.parts {
            Parts::Literal { .. } => true,
            Parts::Macros(parts) => parts.iter().all(|part| !matches!(part, Part::First { .. })),
        }
    }

    /// With its macros replaced. A text without macros is not copied.
    pub(crate) fn expand(&self, vars: &Variables) -> Cow<'_, [u8]> {
        match &self.parts {
            Parts::Literal { .. } => expand(vars, &self.written),
            Parts::Macros(parts) => {
                let mut out = Vec::new();
                append(parts, vars, &mut out);
                Cow::Owned(out)
            }
        }
    }

    /// [`Text::expand`] behind what the buffer holds.
    pub(crate) fn expand_into(&self, vars: &Variables, out: &mut Vec<u8>) {
        match &self.parts {
            Parts::Literal { text, .. } => out.extend_from_slice(vars.tx.names().text(*text)),
            Parts::Macros(parts) => append(parts, vars, out),
        }
    }

    /// The integer that the expanded text starts with.
    pub(crate) fn integer(&self, vars: &Variables) -> i64 {
        match &self.parts {
            Parts::Literal { number, .. } => *number,
            Parts::Macros(parts) => match parts.as_slice() {
                [Part::Tx(slot)] => {
                    let value = vars.tx.value(*slot).unwrap_or_default();
                    leading_integer(&value[..value.len().min(EXPANDED_BYTES_MAX)])
                }
                parts => {
                    let mut out = Vec::new();
                    append(parts, vars, &mut out);
                    leading_integer(&out)
                }
            },
        }
    }
}

impl Part {
    fn new(part: &TemplatePart, names: &mut Names) -> Self {
        match part {
            TemplatePart::Literal(text) => Part::Literal(text.to_vec()),
            TemplatePart::Macro { variable: Variable::Tx, key: Some(key), .. } => {
                Part::Tx(names.name(key).slot)
            }
            TemplatePart::Macro { variable, key, .. } => {
                Part::First { variable: *variable, key: key.as_ref().map(|key| key.to_vec()) }
            }
        }
    }
}

/// What is appended is at most [`EXPANDED_BYTES_MAX`].
fn append(parts: &[Part], vars: &Variables, out: &mut Vec<u8>) {
    let end = out.len() + EXPANDED_BYTES_MAX;
    for part in parts {
        match part {
            Part::Literal(text) => out.extend_from_slice(text),
            Part::Tx(slot) => out.extend_from_slice(vars.tx.value(*slot).unwrap_or_default()),
            Part::First { variable, key } => append_first_value(vars, *variable, key.as_deref(), out),
        }
        if out.len() > end {
            out.truncate(end);
            break;
        }
    }
}

/// Appends the first value of a variable, or of the members with a key; nothing where there is none.
fn append_first_value(vars: &Variables, variable: Variable, key: Option<&[u8]>, out: &mut Vec<u8>) {
    if let (Some(store), Some(key)) = (store_of(variable), key) {
        out.extend_from_slice(vars.store(store).and_then(|values| values.get(key)).unwrap_or_default());
        return;
    }
    let mut buffer = Vec::new();
    let chosen = vars.first_member(variable, |item, name| {
        key.is_none_or(|key| vars.key(item, name).is_some_and(|name| name.eq_ignore_ascii_case(key)))
    });
    out.extend_from_slice(chosen.and_then(|item| vars.value(item, &mut buffer)).unwrap_or_default());
}
