//! Exceptions that except nothing: a slip in an id, or a rule that is gone.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use palisade_config::{Config, Diagnostic, Exception, Located, Name, Route, Severity};
use palisade_engine::RuleSet;
use palisade_inspect::Exceptions;

/// Warnings about exceptions whose rules are in none of the rule sets that they apply to.
pub(crate) fn idle_exceptions(
    config: &Config,
    rules_of: impl Fn(&Name) -> Option<Arc<RuleSet>>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut routes_to: HashMap<&Name, Vec<&Route>> = HashMap::new();
    for route in &config.routes {
        routes_to.entry(&*route.service).or_default().push(route);
    }
    let profile_of: HashMap<&Name, &Name> =
        config.services.iter().map(|service| (&*service.name, &*service.profile)).collect();
    for (name, profile) in config.profiles.iter() {
        idle(&format!("profiles.{name}"), &profile.exceptions, &[name], &rules_of, &mut found);
    }
    let services = config.services.iter().enumerate();
    for (index, service) in services.filter(|(_, service)| !service.exceptions.is_empty()) {
        let routes = routes_to.get(&*service.name).into_iter().flatten();
        let profiles: BTreeSet<&Name> =
            routes.map(|route| route.profile.as_deref().unwrap_or(&service.profile)).collect();
        let profiles: Vec<&Name> = profiles.into_iter().collect();
        idle(&format!("services[{index}]"), &service.exceptions, &profiles, &rules_of, &mut found);
    }
    let routes = config.routes.iter().enumerate();
    for (index, route) in routes.filter(|(_, route)| !route.exceptions.is_empty()) {
        let of_service = || profile_of.get(&*route.service).copied();
        let Some(profile) = route.profile.as_deref().or_else(of_service) else { continue };
        idle(&format!("routes[{index}]"), &route.exceptions, &[profile], &rules_of, &mut found);
    }
    found
}

fn idle(
    of: &str,
    exceptions: &[Located<Exception>],
    profiles: &[&Name],
    rules_of: &impl Fn(&Name) -> Option<Arc<RuleSet>>,
    found: &mut Vec<Diagnostic>,
) {
    if exceptions.is_empty() {
        return;
    }
    let idle_in = |profile: &&Name| {
        let rules = rules_of(profile)?;
        let written = exceptions.iter().map(|exception| &**exception);
        Some(BTreeSet::from_iter(Exceptions::compile(written, Some(&rules)).idle().iter().copied()))
    };
    let everywhere = profiles.iter().filter_map(idle_in).reduce(|all, more| &all & &more);
    for index in everywhere.into_iter().flatten() {
        let exception = &exceptions[index];
        let ids = exception.rules.iter().map(|ids| ids.to_string());
        let meant: Vec<String> = ids.chain(exception.tags.iter().map(|tag| tag.to_string())).collect();
        found.push(Diagnostic {
            severity: Severity::Warning,
            origin: exception.origin(),
            key: format!("{of}.exceptions[{index}]"),
            message: format!("no rule that is loaded is meant by {}", meant.join(", ")),
            help: Some("look for a slip, or remove it: `palisade rules list` shows ids and tags".to_owned()),
        });
    }
}
