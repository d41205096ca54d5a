//! `http.claims` of a rule.

use palisade_yaml::{Node, quoted};

use super::reader::Reader;
use super::rules::values_fit;
use crate::claims::{ClaimMatch, ClaimPath, ClaimTest};

/// Characters of a claim's name or pointer.
pub(super) const CLAIM_CHARS_MAX: usize = 1024;
/// Values of a claim.
pub(super) const CLAIM_VALUES_MAX: usize = 256;

const OPERATORS: [&str; 4] = ["Exists", "DoesNotExist", "In", "NotIn"];

pub(super) fn claim(reader: &mut Reader, node: &Node) -> Option<ClaimMatch> {
    let fields = reader.fields(node, &["claim", "operator", "values"])?;
    reader.at_most(&fields, "values", CLAIM_VALUES_MAX, "put people into a group, and ask for its claim");
    for missing in ["claim", "operator"].into_iter().filter(|name| fields.get(name).is_none()) {
        let help = "write `{claim: groups, operator: In, values: [admins]}`, or another operator: Exists, DoesNotExist, NotIn";
        reader.error(node, format!("a claim without `{missing}`"), help);
    }
    let claim = reader.at(&fields, "claim", path);
    let operator = reader.at(&fields, "operator", |reader, node| {
        reader.word(node, "operator", &OPERATORS.map(|word| (word, word)))
    })?;
    let values: Box<[Box<str>]> =
        reader.texts(&fields, "values").into_iter().map(|(_, value)| value.into()).collect();
    values_fit(reader, node, operator, values.len())?;
    let test = match operator {
        "Exists" => ClaimTest::Exists,
        "DoesNotExist" => ClaimTest::DoesNotExist,
        "In" => ClaimTest::In(values),
        _ => ClaimTest::NotIn(values),
    };
    Some(ClaimMatch { claim: claim?, test })
}

fn path(reader: &mut Reader, node: &Node) -> Option<ClaimPath> {
    let text = reader.text(node)?;
    let characters = text.chars().count();
    if characters > CLAIM_CHARS_MAX {
        let message = format!("a claim has at most {CLAIM_CHARS_MAX} characters, not {characters}");
        reader.error(node, message, "write the claim's name");
        return None;
    }
    let path = ClaimPath::parse(text);
    if let Err(why) = path {
        let help = "write a name such as groups, or a JSON pointer such as /realm_access/roles";
        reader.error(node, format!("{} is no claim: {why}", quoted(text)), help);
    }
    path.ok()
}
