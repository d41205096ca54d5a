//! What is excepted from inspection, as configured, made ready to be asked: rules by the engine, findings here.
//!
//! A service has its own, from its profile, itself and its route; the rule set behind them is shared.

use std::sync::Arc;

use palisade_config::Exception;
use palisade_engine::{RuleSet, path_is_below};
use palisade_http::normal_path;
use palisade_model::{Attack, Point, PointPattern};

/// The exceptions of a service. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Exceptions {
    /// From rules; `None` where there are none.
    rules: Option<Arc<palisade_engine::Exceptions>>,
    findings: Arc<[FindingException]>,
    idle: Vec<usize>,
}

/// Findings that do not count.
#[derive(Clone, Debug)]
struct FindingException {
    attacks: Vec<Attack>,
    /// Every point when empty.
    points: Vec<PointPattern>,
    /// Every path when empty.
    paths: Vec<String>,
}

impl Exceptions {
    /// Makes exceptions ready for a rule set.
    pub fn compile<'e>(written: impl IntoIterator<Item = &'e Exception>, rules: Option<&RuleSet>) -> Self {
        let (mut of_rules, mut findings) = (Vec::new(), Vec::new());
        let mut places = Vec::new();
        for (place, exception) in written.into_iter().enumerate() {
            let paths: Vec<String> = exception.paths.iter().map(|path| path.as_str().to_owned()).collect();
            if !exception.attacks.is_empty() {
                findings.push(FindingException {
                    attacks: exception.attacks.iter().map(|attack| **attack).collect(),
                    points: exception.points.clone(),
                    paths: paths.clone(),
                });
            }
            if !exception.rules.is_empty() || !exception.tags.is_empty() {
                places.push(place);
                of_rules.push(palisade_engine::Exception {
                    ids: exception.rules.iter().map(|ids| ids.first..=ids.last).collect(),
                    tags: exception.tags.iter().map(|tag| (**tag).clone()).collect(),
                    points: exception.points.clone(),
                    paths,
                });
            }
        }
        let (rules, idle) = match rules {
            Some(rules) if !of_rules.is_empty() => {
                let (rules, idle) = palisade_engine::Exceptions::compile(rules, &of_rules);
                (Some(Arc::new(rules)).filter(|rules| !rules.is_empty()), idle)
            }
            _ => (None, Vec::new()),
        };
        let idle = idle.into_iter().filter_map(|number| places.get(number).copied()).collect();
        Self { rules, findings: findings.into(), idle }
    }

    /// Those from rules.
    pub(crate) fn rules(&self) -> Option<&Arc<palisade_engine::Exceptions>> {
        self.rules.as_ref()
    }

    /// Exceptions whose rules are not in the rule set, by their place among those that were compiled.
    pub fn idle(&self) -> &[usize] {
        &self.idle
    }

    /// Those from findings that hold on a path, which is given as it was sent.
    pub fn findings_at(&self, path: &[u8]) -> FindingExceptions<'_> {
        let conditional = self.findings.iter().any(|exception| !exception.paths.is_empty());
        // A path without a normal form is below nothing.
        let path = if conditional { normal_path(path) } else { None };
        let holds = |exception: &&FindingException| {
            exception.paths.is_empty()
                || path.as_ref().is_some_and(|path| path_is_below(path, &exception.paths))
        };
        FindingExceptions { here: self.findings.iter().filter(holds).collect() }
    }
}

/// Exceptions from findings, for one request.
#[derive(Clone, Debug)]
pub struct FindingExceptions<'e> {
    here: Vec<&'e FindingException>,
}

impl FindingExceptions<'_> {
    /// Whether a finding at a point does not count.
    pub fn except(&self, attack: Attack, point: &Point<'_>) -> bool {
        self.here.iter().any(|exception| {
            exception.attacks.contains(&attack)
                && (exception.points.is_empty()
                    || exception.points.iter().any(|points| points.matches(point)))
        })
    }

    /// Whether there are none, so that nobody need ask.
    pub fn is_empty(&self) -> bool {
        self.here.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use palisade_config::{File, Overrides, read};
    use palisade_model::{Part, Root};

    use super::*;

    fn exceptions(text: &str) -> Exceptions {
        let text = format!(
            "services: [{{name: web, upstream: {{url: \"http://127.0.0.1:1\"}}, exceptions: [{text}]}}]"
        );
        let read = read(Some(File { text: text.as_bytes(), folder: "" }), &Overrides::default());
        let config = read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
        Exceptions::compile(config.services[0].exceptions.iter().map(|exception| &**exception), None)
    }

    #[test]
    fn a_finding_is_excepted_by_attack_point_and_path() {
        let exceptions = exceptions(
            "{attacks: [xss, ssti], points: [\"body.json:/content\", \"query:f[*]\"], paths: [/cms/]}, {attacks: [sqli]}",
        );
        use Attack::{Rce, Sqli, Ssti, Xss};
        use Part::{Name, Value};
        use Root::{Form, Json, Query};
        for (path, attack, root, part, at, excepted) in [
            ("/cms/edit", Xss, Json, Value, "/content", true),
            ("/cms", Ssti, Json, Value, "/content", true),
            ("/cms", Rce, Json, Value, "/content", false),
            ("/cms", Xss, Json, Value, "/title", false),
            ("/cms", Xss, Form, Value, "/content", false),
            ("/cms", Xss, Query, Value, "f[a]", true),
            ("/cms", Xss, Query, Name, "f[a]", false),
            ("/cmsx", Xss, Json, Value, "/content", false),
            ("/cms/%2e%2e/x", Xss, Json, Value, "/content", false),
            ("/anywhere", Sqli, Query, Value, "q", true),
            ("/%", Sqli, Query, Name, "q", true),
        ] {
            let point = Point { root, part, path: at.as_bytes() };
            let here = exceptions.findings_at(path.as_bytes());
            assert_eq!(here.except(attack, &point), excepted, "{path} {attack} {point}");
        }
        assert!(Exceptions::default().findings_at(b"/").is_empty());
    }
}
