//! `palisade policy match`: whether labels are selected.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use palisade_policy::{Labels, Selector};
use serde_json::{Value, json};

use super::lines;
use crate::Finding;
use crate::files::read_requests;
use crate::flags::PolicyMatchFlags;

/// Answers one question, or each of a file; exit 1 when one of these cannot be answered.
pub(crate) fn run(flags: &PolicyMatchFlags) -> Result<Finding> {
    if let Some(input) = &flags.input {
        return answer_all(&read_requests(input)?);
    }
    let text = flags.selector.as_deref().unwrap_or_default();
    let selector: Selector = text.parse().with_context(|| format!("--selector `{text}`"))?;
    let labels = parse_labels(flags.labels.as_deref().unwrap_or_default())?;
    writeln!(std::io::stdout(), "{}", selector.matches(&labels))?;
    Ok(Finding::Nothing)
}

fn answer_all(input: &[u8]) -> Result<Finding> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut finding = Finding::Nothing;
    for (_, line) in lines(input) {
        let answer = answer(line);
        if !answer["error"].is_null() {
            finding = Finding::Something;
        }
        writeln!(out, "{answer}")?;
    }
    out.flush()?;
    Ok(finding)
}

fn answer(line: &[u8]) -> Value {
    let failed =
        |id: Value, error: String| json!({"id": id, "match": null, "canonical": null, "error": error});
    let question: Value = match serde_json::from_slice(line) {
        Ok(question) => question,
        Err(error) => return failed(Value::Null, format!("the line is no JSON object: {error}")),
    };
    let id = question["id"].clone();
    let Some(selector) = question["selector"].as_str() else {
        return failed(id, "`selector` is missing; write a text".to_owned());
    };
    let labels = match labels_of(&question["labels"]) {
        Ok(labels) => labels,
        Err(error) => return failed(id, error),
    };
    match selector.parse::<Selector>() {
        Ok(selector) => json!({
            "id": id,
            "match": selector.matches(&labels),
            "canonical": selector.to_string(),
            "error": null,
        }),
        Err(error) => failed(id, error.to_string()),
    }
}

fn labels_of(labels: &Value) -> Result<Labels, String> {
    let pairs = match labels {
        Value::Null => return Ok(Labels::default()),
        Value::Object(pairs) => pairs,
        _ => return Err("`labels` is no object of texts".to_owned()),
    };
    let pair = |(name, value): (&String, &Value)| match value {
        Value::String(value) => Ok((name.clone(), value.clone())),
        _ => Err(format!("the value of the label `{name}` is no text")),
    };
    pairs.iter().map(pair).collect::<Result<Vec<_>, _>>().map(|pairs| pairs.into_iter().collect())
}

pub(super) fn parse_labels(text: &str) -> Result<Labels> {
    let mut pairs = Vec::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        match pair.split_once('=') {
            Some((name, value)) => pairs.push((name.trim(), value.trim())),
            None => bail!("--labels: `{pair}` is no label; write NAME=VALUE"),
        }
    }
    Ok(pairs.into_iter().collect())
}
