//! Label and field selectors.

use serde_json::Value;

use crate::kinds::Kind;
use crate::status::Failed;

/// What a list or watch is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Clone, Debug)]
enum Requirement {
    Exists(String),
    Absent(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Above(String, i64),
    Below(String, i64),
}

impl Selection {
    pub(crate) fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Selection, Failed> {
        let labels = parse_labels(labels).map_err(Failed::bad_request)?;
        let mut parsed = Vec::new();
        for term in fields.split(',').filter(|term| !term.is_empty()) {
            let (field, equal, value) = if let Some((field, value)) = term.split_once("!=") {
                (field, false, value)
            } else if let Some((field, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
                (field, true, value)
            } else {
                return Err(Failed::bad_request(format!(
                    "invalid selector: '{term}'; can't understand '{term}'"
                )));
            };
            let known = matches!(field, "metadata.name" | "metadata.namespace")
                || kind.selectable.iter().any(|selectable| selectable == field);
            if !known {
                return Err(Failed::bad_request(if kind.custom {
                    format!("field label not supported: {field}")
                } else {
                    format!(
                        "{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                    )
                }));
            }
            parsed.push((field.to_owned(), equal, value.to_owned()));
        }
        Ok(Selection { labels, fields: parsed })
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let label = |name: &str| object["metadata"]["labels"].get(name).and_then(Value::as_str);
        let number = |name: &str| label(name).and_then(|value| value.parse::<i64>().ok());
        self.labels.iter().all(|requirement| match requirement {
            Requirement::Exists(name) => label(name).is_some(),
            Requirement::Absent(name) => label(name).is_none(),
            Requirement::In(name, values) => {
                label(name).is_some_and(|value| values.iter().any(|it| it == value))
            }
            Requirement::NotIn(name, values) => {
                label(name).is_none_or(|value| values.iter().all(|it| it != value))
            }
            Requirement::Above(name, bound) => number(name).is_some_and(|value| value > *bound),
            Requirement::Below(name, bound) => number(name).is_some_and(|value| value < *bound),
        }) && self.fields.iter().all(|(field, equal, wanted)| {
            let mut value = object;
            for part in field.split('.') {
                value = &value[part];
            }
            let is = match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (is == *wanted) == *equal
        })
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}

/// The grammar of `labels.Parse`, with its words where something is wrong.
fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    let mut tokens = Tokens { rest: text };
    let mut requirements = Vec::new();
    if text.trim().is_empty() {
        return Ok(requirements);
    }
    loop {
        let first = tokens.next();
        if first == "!" {
            requirements.push(Requirement::Absent(tokens.next().to_owned()));
        } else {
            let name = first.to_owned();
            match tokens.peek() {
                "" | "," => requirements.push(Requirement::Exists(name)),
                operator @ ("=" | "==" | "!=") => {
                    tokens.next();
                    let value = match tokens.peek() {
                        "," => String::new(),
                        _ => tokens.next().to_owned(),
                    };
                    requirements.push(match operator {
                        "!=" => Requirement::NotIn(name, vec![value]),
                        _ => Requirement::In(name, vec![value]),
                    });
                }
                operator @ (">" | "<") => {
                    tokens.next();
                    let bound = tokens.next();
                    let bound = bound.parse().map_err(|_| {
                        format!("for 'Gt', 'Lt' operators, the value must be an integer: {bound}")
                    })?;
                    requirements.push(match operator {
                        ">" => Requirement::Above(name, bound),
                        _ => Requirement::Below(name, bound),
                    });
                }
                operator @ ("in" | "notin") => {
                    tokens.next();
                    let open = tokens.next();
                    if open != "(" {
                        return Err(format!("unable to parse requirement: found '{open}' expected: '('"));
                    }
                    let mut values = Vec::new();
                    loop {
                        match tokens.next() {
                            ")" => break,
                            "," => {}
                            "" => {
                                return Err(
                                    "unable to parse requirement: found '' expected: ',' or ')'".to_owned()
                                );
                            }
                            value => values.push(value.to_owned()),
                        }
                    }
                    requirements.push(match operator {
                        "in" => Requirement::In(name, values),
                        _ => Requirement::NotIn(name, values),
                    });
                }
                found => {
                    return Err(format!(
                        "unable to parse requirement: found '{found}', expected: in, notin, =, ==, !=, gt, lt"
                    ));
                }
            }
        }
        match tokens.next() {
            "" => return Ok(requirements),
            "," => {}
            found => {
                return Err(format!(
                    "unable to parse requirement: found '{found}', expected: ',' or 'end of string'"
                ));
            }
        }
    }
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn next(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let length = match self.rest.as_bytes() {
            [] => 0,
            [b'=', b'=', ..] | [b'!', b'=', ..] => 2,
            [b'=' | b'!' | b',' | b'(' | b')' | b'<' | b'>', ..] => 1,
            _ => self.rest.find(|c: char| "=!,()<> \t".contains(c)).unwrap_or(self.rest.len()),
        };
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        token
    }

    fn peek(&mut self) -> &'a str {
        let before = self.rest;
        let token = self.next();
        self.rest = before;
        token
    }
}
