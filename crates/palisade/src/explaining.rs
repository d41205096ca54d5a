//! What the console asks about what is in force: rules, and what a request would meet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use palisade_config::{Exception, Name};
use palisade_console::{Explainer, Question, RuleQuery, RuleShown, Rules};
use palisade_dataplane::LiveLists;
use palisade_engine::{Rule, RuleSet};
use palisade_events::unix_millis;
use palisade_lists::Moment;
use serde_json::Value;

use crate::commands::{explain, rules as rule_words};
use crate::configured::{Configured, Inspecting};
use crate::exchange::Exchange;
use crate::modes::Modes;
use crate::snapshot::Snapshot;

/// What is in force, to be asked about.
#[derive(Debug)]
pub(crate) struct Explaining {
    in_force: Mutex<Arc<InForce>>,
    lists: Arc<LiveLists>,
}

#[derive(Debug, Default)]
struct InForce {
    configured: Configured,
    /// In the order of the configuration.
    profiles: Vec<(Name, Arc<RuleSet>)>,
    /// Exceptions of profiles, services and routes, each with whose it is.
    exceptions: Vec<(String, Name, Exception)>,
}

impl Explaining {
    /// Of nothing yet, with the lists as they are while requests come.
    pub(crate) fn beside(lists: Arc<LiveLists>) -> Self {
        Self { in_force: Mutex::default(), lists }
    }

    /// Is about another snapshot from now on, with the modes that are set.
    pub(crate) fn follow(&self, snapshot: &Snapshot, modes: &Modes) {
        let Snapshot { config, profiles, .. } = snapshot;
        let rules_of = |name: &Name| profiles.get(name).and_then(|profile| profile.rules.clone());
        let mut exceptions = Vec::new();
        for (name, profile) in config.profiles.iter() {
            let of_profile =
                |exception: &Exception| (format!("profile {name}"), (*name).clone(), exception.clone());
            exceptions.extend(profile.exceptions.iter().map(|exception| of_profile(exception)));
        }
        let mut profile_of: HashMap<&str, &Name> = HashMap::new();
        for service in &config.services {
            profile_of.insert(service.name.as_str(), &*service.profile);
            let whose = format!("service {}", *service.name);
            let its = snapshot.exceptions_of(service).cloned();
            exceptions.extend(its.map(|exception| (whose.clone(), (*service.profile).clone(), exception)));
        }
        for route in &config.routes {
            let profile =
                route.profile.as_deref().or_else(|| profile_of.get(route.service.as_str()).copied());
            let Some(profile) = profile else { continue };
            let whose = format!("route {} of {}", *route.path, *route.service);
            let its = route.exceptions.iter().map(|exception| (**exception).clone());
            exceptions.extend(its.map(|exception| (whose.clone(), profile.clone(), exception)));
        }
        let in_force = InForce {
            // It was made from a checked configuration.
            configured: Configured::of(snapshot, modes).unwrap_or_default(),
            profiles: config
                .profiles
                .iter()
                .filter_map(|(name, _)| Some(((*name).clone(), rules_of(name)?)))
                .collect(),
            exceptions,
        };
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(in_force);
    }

    fn now(&self) -> Arc<InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Explainer for Explaining {
    fn rules(&self, query: &RuleQuery<'_>) -> Rules {
        let in_force = self.now();
        let text = query.text.to_lowercase();
        let all =
            in_force.profiles.iter().flat_map(|(name, set)| set.rules().map(move |rule| (name, set, rule)));
        let like = all.filter(|(_, set, rule)| text.is_empty() || is_like(set, rule, &text));
        let mut found = like.skip(query.after);
        let rules: Vec<RuleShown> = found
            .by_ref()
            .take(query.limit)
            .map(|(name, set, rule)| in_force.shown(name, set, rule))
            .collect();
        Rules { rules, next: found.next().map(|_| query.after + query.limit) }
    }

    fn explain(&self, question: &Question<'_>) -> Result<Value, String> {
        let in_force = self.now();
        let configured = &in_force.configured;
        let of_service =
            |inspecting: &&Inspecting| question.service.is_none_or(|name| inspecting.service.name == name);
        let mut of_service = configured.all().iter().filter(of_service);
        let first = of_service.next().ok_or_else(|| match question.service {
            Some(name) => format!("there is no service `{name}` that a route leads to"),
            None => "there is no service".to_owned(),
        })?;
        // The route that the request takes, where that is one of the service's.
        let find = |exchange: &Exchange, listener: Option<&str>| {
            let taken = configured.find(listener, &exchange.head);
            Ok(match (taken, question.service) {
                (Some(taken), None) => taken.clone(),
                (Some(taken), Some(name)) if taken.service.name == name => taken.clone(),
                _ => first.clone(),
            })
        };
        let on_list = |address, application| {
            self.lists.find(address, application, Moment(unix_millis())).map(|hit| hit.list)
        };
        Ok(explain::explained(question.request, question.mode, find, on_list))
    }
}

impl InForce {
    fn shown(&self, profile: &Name, set: &RuleSet, rule: &Rule) -> RuleShown {
        let tags = rule_words::tags(rule);
        let names = |exception: &Exception| {
            exception.rules.iter().any(|ids| (ids.first..=ids.last).contains(&rule.id.0))
                || exception.tags.iter().any(|pattern| tags.iter().any(|tag| pattern.matches(tag.as_bytes())))
        };
        let its = self.exceptions.iter().filter(|(_, of, exception)| of == profile && names(exception));
        RuleShown {
            rule_set: profile.to_string(),
            id: rule.id.0,
            phase: rule.phase as u8,
            msg: message(rule),
            severity: rule.severity,
            action: rule_words::action(rule),
            file: set.file_of(rule).to_owned(),
            line: rule.line,
            excepted: its.map(|(whose, _, exception)| in_words(whose, exception)).collect(),
            tags,
        }
    }
}

/// Whether a text in lower case is in what names a rule.
fn is_like(set: &RuleSet, rule: &Rule, text: &str) -> bool {
    rule.id.to_string().contains(text)
        || message(rule).to_lowercase().contains(text)
        || rule_words::tags(rule).iter().any(|tag| tag.to_lowercase().contains(text))
        || set.file_of(rule).to_lowercase().contains(text)
}

fn message(rule: &Rule) -> String {
    rule.msg.as_ref().map(|msg| palisade_engine::written_text(msg)).unwrap_or_default()
}

/// `excepted by service shop at query:q below /cms/`.
fn in_words(whose: &str, exception: &Exception) -> String {
    let points: Vec<String> = exception.points.iter().map(ToString::to_string).collect();
    let paths: Vec<&str> = exception.paths.iter().map(|path| path.as_str()).collect();
    let at = if points.is_empty() { String::new() } else { format!(" at {}", points.join(", ")) };
    let below = if paths.is_empty() { String::new() } else { format!(" below {}", paths.join(", ")) };
    format!("excepted by {whose}{at}{below}")
}
