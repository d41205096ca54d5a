//! What exceptions are written in: ids of rules, tags, attacks, points.

use palisade_model::{Attack, PointError, PointPattern, Root, Wildcard};

use crate::decode::{Shape, nearest};
use crate::value::{FromText, Refused, not_a_word};

/// Ids of rules: one, or all from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleIds {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl std::fmt::Display for RuleIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl FromText for RuleIds {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let id = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|id| digits && *id > 0)
        };
        match (id(first), id(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            (Some(first), Some(last)) => {
                Err(("ends before it begins".to_owned(), format!("write {last}-{first}")))
            }
            _ => Err((
                "is no rule's id".to_owned(),
                "write an id such as 942100, or a range such as 942100-942190; tags go under `tags`"
                    .to_owned(),
            )),
        }
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a rule's id, or a range",
            pattern: Some("^[0-9]+(-[0-9]+)?$"),
            example: "942100",
        }
    }
}

impl FromText for Wildcard {
    fn from_text(text: &str) -> Result<Self, Refused> {
        Wildcard::new(text).ok_or_else(|| {
            ("is no tag".to_owned(), "write a tag as the rule has it, such as attack-sqli".to_owned())
        })
    }

    fn shape() -> Shape {
        Shape::Text { what: "a tag, `*` for anything in it", pattern: None, example: "attack-sqli" }
    }
}

impl FromText for Attack {
    fn from_text(text: &str) -> Result<Self, Refused> {
        Attack::from_name(text).ok_or_else(|| not_a_word(text, "an attack", Attack::NAMES))
    }

    fn shape() -> Shape {
        Shape::OneOf(Attack::NAMES)
    }
}

impl FromText for PointPattern {
    fn from_text(text: &str) -> Result<Self, Refused> {
        PointPattern::parse(text).map_err(|error| {
            let (word, name) = text.split_once(':').unwrap_or((text, "q"));
            let help = match error {
                PointError::Root => {
                    let roots = Root::ALL.iter().map(|root| root.name());
                    match (word.to_lowercase().as_str(), nearest(word, roots.clone())) {
                        ("args" | "arg" | "args_get", _) => {
                            format!("write query:{name}, or body.form:{name}")
                        }
                        ("args_names", _) => format!("write query-name:{name}, or body.form-name:{name}"),
                        ("args_post" | "form", _) => format!("write body.form:{name}"),
                        ("json", _) => format!("write body.json:/{}", name.trim_start_matches('/')),
                        ("request_headers", _) => format!("write header:{name}"),
                        ("request_cookies", _) => format!("write cookie:{name}"),
                        (_, Some(near)) => format!("did you mean {near}?"),
                        _ => {
                            format!("write one of {}, such as query:q", roots.collect::<Vec<_>>().join(", "))
                        }
                    }
                }
                PointError::Slash(root) => {
                    format!("its path begins with a slash: write {}:/{name}", root.name())
                }
                PointError::Path if name.is_empty() => format!("write {word}:NAME, or {word} alone for all"),
                PointError::Path => "write at most 256 bytes".to_owned(),
            };
            ("is not a point of a request".to_owned(), help)
        })
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a point of a request",
            pattern: Some("^[a-z.]+(-name)?(:.+)?$"),
            example: "query:q",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: FromText>(text: &str) -> String {
        match T::from_text(text) {
            Ok(_) => panic!("`{text}` is accepted"),
            Err((what, help)) => format!("{what}; {help}"),
        }
    }

    #[test]
    fn ids_are_numbers_and_ranges() {
        assert_eq!(RuleIds::from_text("942100").unwrap(), RuleIds { first: 942_100, last: 942_100 });
        assert_eq!(RuleIds::from_text("1-9").unwrap().to_string(), "1-9");
        for text in ["", "0", "a", "1-", "-1", "1-2-3", "+1", "99999999999999999999"] {
            assert!(refused::<RuleIds>(text).contains("942100-942190"), "{text}");
        }
        assert_eq!(refused::<RuleIds>("9-1"), "ends before it begins; write 1-9");
    }

    #[test]
    fn points_say_what_to_write_instead() {
        for (text, said) in [
            ("ARGS:q", "write query:q, or body.form:q"),
            ("json:content", "write body.json:/content"),
            ("body.json:content", "its path begins with a slash: write body.json:/content"),
            ("REQUEST_HEADERS:X", "write header:X"),
            ("querry:q", "did you mean query?"),
            ("query:", "write query:NAME, or query alone for all"),
        ] {
            assert_eq!(
                refused::<PointPattern>(text),
                format!("is not a point of a request; {said}"),
                "{text}"
            );
        }
    }

    #[test]
    fn attacks_are_words() {
        assert_eq!(Attack::from_text("xss").unwrap(), Attack::Xss);
        assert!(refused::<Attack>("sql").contains("did you mean sqli?"));
    }
}
