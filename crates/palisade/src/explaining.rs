//! What the console asks about what is in force: rules, and what a request would meet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use palisade_config::{Exception, Name};
use palisade_console::{Explainer, Question, RuleCostShown, RuleQuery, RuleShown, Rules};
use palisade_dataplane::LiveLists;
use palisade_engine::{Removed, Rule, RuleIndex, RuleSet};
use palisade_events::unix_millis;
use palisade_inspect::{RuleCosts, ServiceMode};
use palisade_lists::Moment;
use palisade_model::Mode;
use palisade_seclang::ast::RuleEngine;
use serde_json::Value;

use crate::commands::{explain, rules as rule_words};
use crate::configured::{Configured, Inspecting};
use crate::exchange::Exchange;
use crate::modes::Modes;
use crate::snapshot::Snapshot;

/// What is in force, to be asked about. What answers is made when somebody first asks: a change waits for nobody who looks.
#[derive(Debug)]
pub(crate) struct Explaining {
    now: Mutex<Arc<Asked>>,
    modes: Arc<Modes>,
    lists: Arc<LiveLists>,
}

#[derive(Debug)]
struct Asked {
    snapshot: Arc<Snapshot>,
    in_force: OnceLock<InForce>,
}

#[derive(Debug)]
struct InForce {
    configured: Configured,
    /// In the order of the configuration.
    profiles: Vec<Protecting>,
    /// Exceptions of profiles, services and routes, each with whose it is.
    exceptions: Vec<(String, Name, Exception)>,
}

/// Rules of a profile, and what else decides whether they run.
#[derive(Debug)]
struct Protecting {
    name: Name,
    set: Arc<RuleSet>,
    costs: Option<Arc<RuleCosts>>,
    /// The highest of CRS's paranoia levels whose rules run; none where the rules have no such thing.
    paranoia: Option<u8>,
    /// Its services, and their modes.
    services: Vec<(String, ServiceMode)>,
}

impl Explaining {
    /// About a snapshot, with modes that are set and the lists as they are while requests come.
    pub(crate) fn of(snapshot: &Arc<Snapshot>, modes: Arc<Modes>, lists: Arc<LiveLists>) -> Self {
        Self { now: Mutex::new(Asked::about(snapshot)), modes, lists }
    }

    /// Is about another snapshot from now on.
    pub(crate) fn follow(&self, snapshot: &Arc<Snapshot>) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = Asked::about(snapshot);
    }

    fn now(&self) -> Arc<Asked> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Asked {
    fn about(snapshot: &Arc<Snapshot>) -> Arc<Self> {
        Arc::new(Self { snapshot: snapshot.clone(), in_force: OnceLock::new() })
    }

    fn in_force(&self, modes: &Modes) -> &InForce {
        self.in_force.get_or_init(|| InForce::of(&self.snapshot, modes))
    }
}

impl Explainer for Explaining {
    fn rules(&self, query: &RuleQuery<'_>) -> Rules {
        let now = self.now();
        let in_force = now.in_force(&self.modes);
        let text = query.text.to_lowercase();
        let like = in_force.profiles.iter().flat_map(|profile| {
            let text = &text;
            let rules = profile.set.rules().enumerate();
            let in_force = rules
                .filter(move |(_, rule)| text.is_empty() || is_like(&profile.set, rule, text))
                .map(move |(number, rule)| (profile, Listed::InForce(RuleIndex(number as u32), rule)));
            let removed = profile.set.removed().iter();
            let removed = removed.filter(move |rule| text.is_empty() || was_like(rule, text));
            in_force.chain(removed.map(move |rule| (profile, Listed::Removed(rule))))
        });
        let mut found = like.skip(query.after);
        let rules: Vec<RuleShown> = found
            .by_ref()
            .take(query.limit)
            .map(|(profile, rule)| match rule {
                Listed::InForce(index, rule) => in_force.shown(profile, index, rule),
                Listed::Removed(rule) => profile.removed(rule),
            })
            .collect();
        Rules { rules, next: found.next().map(|_| query.after + query.limit) }
    }

    fn explain(&self, question: &Question<'_>) -> Result<Value, String> {
        let now = self.now();
        let in_force = now.in_force(&self.modes);
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

/// A rule of a rule set, or one that is not in it any more.
enum Listed<'r> {
    InForce(RuleIndex, &'r Rule),
    Removed(&'r Removed),
}

impl InForce {
    fn of(snapshot: &Snapshot, modes: &Modes) -> Self {
        let Snapshot { config, profiles, .. } = snapshot;
        let mut services: HashMap<&Name, Vec<_>> = HashMap::new();
        for service in &config.services {
            let mode = modes.mode(snapshot, service, None);
            services.entry(&*service.profile).or_default().push((service.name.to_string(), mode));
        }
        let mut protecting = |name: &Name| {
            let profile = profiles.get(name)?;
            let set = profile.rules.clone()?;
            Some(Protecting {
                name: name.clone(),
                costs: profile.costs.clone(),
                paranoia: paranoia_of(&set),
                services: services.remove(name).unwrap_or_default(),
                set,
            })
        };
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
        Self {
            // It was made from a checked configuration.
            configured: Configured::of(snapshot, modes).unwrap_or_default(),
            profiles: config.profiles.iter().filter_map(|(name, _)| protecting(name)).collect(),
            exceptions,
        }
    }

    fn shown(&self, of: &Protecting, index: RuleIndex, rule: &Rule) -> RuleShown {
        let Protecting { name: profile, set, .. } = of;
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
            off: of.off(index, &tags),
            removed: false,
            cost: of.cost(index),
            tags,
        }
    }
}

impl Protecting {
    /// Why a rule does not run, or not always.
    fn off(&self, index: RuleIndex, tags: &[String]) -> Vec<String> {
        let mut off = Vec::new();
        if self.set.settings().rule_engine == RuleEngine::Off {
            off.push("never runs: SecRuleEngine is Off".to_owned());
        }
        let level = tags.iter().find_map(|tag| tag.strip_prefix("paranoia-level/")?.parse::<u8>().ok());
        if let (Some(level), Some(paranoia)) = (level, self.paranoia)
            && level > paranoia
        {
            off.push(format!(
                "does not run: it is of paranoia level {level}, and rules run up to {paranoia}"
            ));
        }
        let unwatched = self.services.iter().filter(|(_, mode)| mode.in_force() == Mode::Off);
        off.extend(not_for(&unwatched.map(|(service, _)| service.as_str()).collect::<Vec<_>>()));
        let by = self.set.switched_off_by(index).take(SWITCHES_MAX).map(|by| {
            format!(
                "switched off where rule {} matches, by its ctl, {}:{}",
                by.id,
                self.set.file_of(by),
                by.line
            )
        });
        off.extend(by);
        off
    }

    fn cost(&self, index: RuleIndex) -> Option<RuleCostShown> {
        let cost = self.costs.as_ref()?.cost(index);
        (cost.sampled > 0).then(|| RuleCostShown {
            sampled: cost.sampled,
            runs: cost.runs,
            us: cost.nanos as f64 / 1_000.0 / cost.sampled as f64,
            share: cost.nanos as f64 / cost.nanos_all.max(1) as f64,
        })
    }

    fn removed(&self, rule: &Removed) -> RuleShown {
        let (file, line) = &rule.by;
        RuleShown {
            rule_set: self.name.to_string(),
            id: rule.id.0,
            phase: rule.phase as u8,
            msg: rule.msg.clone(),
            severity: None,
            action: String::new(),
            tags: rule.tags.clone(),
            file: rule.file.clone(),
            line: rule.line,
            excepted: Vec::new(),
            off: vec![format!("removed by {file}:{line}")],
            removed: true,
            cost: None,
        }
    }
}

/// That no rule runs for services whose mode is off; all of them in one reason, which stands at each rule of theirs.
fn not_for(services: &[&str]) -> Option<String> {
    Some(match services {
        [] => return None,
        [service] => format!("does not run for {service}: its mode is off"),
        [some @ .., last] if some.len() < SERVICES_MAX => {
            format!("does not run for {} and {last}: their modes are off", some.join(", "))
        }
        _ => {
            let (some, more) = services.split_at(SERVICES_MAX);
            format!("does not run for {} and {} more: their modes are off", some.join(", "), more.len())
        }
    })
}

/// Services that are named of those whose mode is off.
const SERVICES_MAX: usize = 4;
/// Rules that are named of those that switch another off.
const SWITCHES_MAX: usize = 8;

/// The highest of CRS's paranoia levels whose rules run.
fn paranoia_of(set: &RuleSet) -> Option<u8> {
    let level = |name: &str| set.tx_after_setup(name)?.parse::<u8>().ok();
    let blocking = level("blocking_paranoia_level").into_iter().chain(level("paranoia_level"));
    let detection = level("detection_paranoia_level").into_iter().chain(level("executing_paranoia_level"));
    blocking.chain(detection).max()
}

/// The same of one that was removed.
fn was_like(rule: &Removed, text: &str) -> bool {
    rule.id.to_string().contains(text)
        || rule.msg.to_lowercase().contains(text)
        || rule.tags.iter().any(|tag| tag.to_lowercase().contains(text))
        || rule.file.to_lowercase().contains(text)
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
