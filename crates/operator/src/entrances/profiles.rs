//! What inspects requests: a WafProfile that a filter of an HTTPRoute names, or the Protection that is attached nearest; else what
//! the gateway was told.

use std::collections::{BTreeMap, HashMap};

use kube::api::DynamicObject;
use palisade_engine::{Interner, RuleSources, load_rules_with};
use palisade_seclang::Loader;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::draft::{Draft, short};
use crate::gateway_api::{Maps, Wrong};
use crate::ingress::Settings;
use crate::kinds::{self, Attachment, Attachments, Rules, Target};

/// How a service is inspected.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Inspected {
    /// The gateway's own when absent.
    pub(crate) profile: Option<String>,
    /// The profile's when absent.
    pub(crate) mode: Option<String>,
}

impl Inspected {
    pub(crate) fn inspect(&self, service: &mut Value) {
        service["profile"] = json!(self.profile.as_deref().unwrap_or("default"));
        if let Some(mode) = &self.mode {
            service["mode"] = json!(mode);
        }
    }
}

/// What a Protection says.
#[derive(Clone, Debug)]
pub(crate) struct Attached {
    /// Its name.
    pub(crate) by: String,
    /// The profile that it names, as the configuration knows it, or why nothing can inspect by it.
    pub(crate) profile: Option<Result<String, String>>,
    /// In place of the profile's.
    pub(crate) mode: Option<String>,
}

/// Whether rules load, by what they are: they are compiled once.
pub(crate) type Loads = HashMap<String, Result<(), String>>;

/// Our kinds in the cluster.
pub(crate) struct Profiles<'o> {
    specs: HashMap<(String, String), &'o DynamicObject>,
    rules: HashMap<(String, String), &'o DynamicObject>,
    protections: Vec<Attachment>,
    attachments: Attachments,
    maps: &'o Maps<'o>,
    settings: &'o Settings,
    loads: &'o mut Loads,
    made: BTreeMap<(String, String), Result<String, String>>,
}

impl<'o> Profiles<'o> {
    pub(crate) fn new(
        (specs, rules): (&'o [Arc<DynamicObject>], &'o [Arc<DynamicObject>]),
        protections: &[Arc<DynamicObject>],
        maps: &'o Maps<'o>,
        settings: &'o Settings,
        loads: &'o mut Loads,
    ) -> Self {
        let by_name = |all: &'o [Arc<DynamicObject>]| {
            all.iter().map(|object| (crate::ingress::key(&object.metadata), &**object)).collect()
        };
        let read = |object: &Arc<DynamicObject>| serde_json::to_value(&**object).unwrap_or_default();
        let protections: Vec<Attachment> =
            protections.iter().map(|object| Attachment::read(&read(object))).collect();
        let attachments = Attachments::new(&protections);
        let (specs, rules) = (by_name(specs), by_name(rules));
        Self { specs, rules, protections, attachments, maps, settings, loads, made: BTreeMap::new() }
    }

    /// What a filter names.
    ///
    /// # Errors
    /// Why nothing can inspect by it.
    pub(crate) fn named(
        &mut self,
        namespace: &str,
        (group, kind, name): &(String, String, String),
        draft: &mut Draft,
    ) -> Result<Inspected, Wrong> {
        if (group.as_str(), kind.as_str()) != (kinds::GROUP, kinds::WAF_PROFILE.0) {
            let message =
                format!("{kind} of {group} inspects nothing here: name a WafProfile of {}", kinds::GROUP);
            return Err(("InvalidKind", message));
        }
        let profile = self.profile(namespace, name, draft).map_err(|why| ("ExtensionRefNotUsable", why))?;
        Ok(Inspected { profile: Some(profile), mode: None })
    }

    /// What the Protection nearest to a rule says: at the rule, its route, the listener, its Gateway, the route's namespace.
    ///
    /// # Errors
    /// Why nothing can inspect by it.
    pub(crate) fn protecting(
        &mut self,
        (namespace, route, rule): (&str, &str, Option<&str>),
        (of_gateway, gateway, listener): (&str, &str, &str),
        draft: &mut Draft,
    ) -> Result<Inspected, Wrong> {
        let at_rule = rule.map(|rule| (namespace, entrance("HTTPRoute", route, Some(rule))));
        let others = [
            (namespace, entrance("HTTPRoute", route, None)),
            (of_gateway, entrance("Gateway", gateway, Some(listener))),
            (of_gateway, entrance("Gateway", gateway, None)),
            (namespace, Target::Namespace),
        ];
        let Some(index) = self.attachments.nearest(at_rule.into_iter().chain(others)) else {
            return Ok(Inspected::default());
        };
        let attached = self.of_attachment(index, draft);
        let profile = match attached.profile {
            Some(profile) => profile.map_err(|why| ("ProtectionNotUsable", why))?,
            None => self.usual(draft),
        };
        Ok(Inspected { profile: Some(profile), mode: attached.mode })
    }

    /// What the Protection that is attached to an Ingress says.
    pub(crate) fn at_ingress(&mut self, namespace: &str, name: &str, draft: &mut Draft) -> Option<Attached> {
        let index = self.attachments.at(namespace, &entrance("Ingress", name, None))?;
        Some(self.of_attachment(index, draft))
    }

    /// What the Protection that is attached to a namespace says.
    pub(crate) fn at_namespace(&mut self, namespace: &str, draft: &mut Draft) -> Option<Attached> {
        let index = self.attachments.at(namespace, &Target::Namespace)?;
        Some(self.of_attachment(index, draft))
    }

    /// A Protection, by its place among those given.
    pub(super) fn attachment(&self, index: usize) -> &Attachment {
        &self.protections[index]
    }

    /// Who has a target in place of a Protection that came later.
    pub(super) fn before(&self, index: usize, target: &Target) -> Option<&str> {
        let mut conflicts = self.attachments.conflicts().iter();
        let (_, _, first) = conflicts.find(|(late, of, _)| *late == index && of == target)?;
        Some(&self.protections[*first].name)
    }

    /// What a Protection says, by its place among those given.
    pub(super) fn of_attachment(&mut self, index: usize, draft: &mut Draft) -> Attached {
        let Attachment { namespace, name, profile, mode, .. } = self.protections[index].clone();
        let profile = profile.map(|profile| self.profile(&namespace, &profile, draft));
        Attached { by: name, profile, mode }
    }

    /// The profile of a Protection that names none: the gateway's, or, where that looks at nothing, the built-in detector's.
    pub(crate) fn usual(&self, draft: &mut Draft) -> String {
        if self.settings.mode != "off" {
            return "default".to_owned();
        }
        let detects = json!({"mode": "monitoring", "detect": {"enabled": true}});
        draft.profiles.entry(USUAL.to_owned()).or_insert(detects);
        USUAL.to_owned()
    }

    /// The name of a profile in the configuration; made where it is not there.
    fn profile(&mut self, namespace: &str, name: &str, draft: &mut Draft) -> Result<String, String> {
        let of = (namespace.to_owned(), name.to_owned());
        if let Some(made) = self.made.get(&of) {
            return made.clone();
        }
        let made = self.make(&of, draft);
        self.made.insert(of, made.clone());
        made
    }

    fn make(&mut self, of: &(String, String), draft: &mut Draft) -> Result<String, String> {
        let (namespace, name) = of;
        let object =
            self.specs.get(of).ok_or_else(|| format!("there is no WafProfile {namespace}/{name}"))?;
        let spec = object.data.get("spec").cloned().unwrap_or_else(|| json!({}));
        let named = spec["rules"]["ruleSets"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut sets: BTreeMap<String, Rules> = BTreeMap::new();
        for set in named {
            let there = self.rules.get(&(namespace.clone(), set.to_owned()));
            let there = there.ok_or_else(|| format!("there is no RuleSet {namespace}/{set}"))?;
            let spec = there.data.get("spec").cloned().unwrap_or_default();
            let rules = kinds::rule_files(&spec, |map| self.maps.data(namespace, map).cloned())?;
            if rules.crs.is_none() {
                let known = self.loads.entry(format!("{rules:?}")).or_insert_with(|| kinds::compile(&rules));
                known.clone().map_err(|why| format!("RuleSet {set}: {why}"))?;
            }
            sets.insert(set.to_owned(), rules);
        }
        let (profile, files) = kinds::resolved(namespace, &spec, |set| sets.get(set))?;
        if let Some(crs) = profile["rules"]["crs"].as_str() {
            let sources = RuleSources { crs: Some(crs.to_owned()), ..RuleSources::default() };
            let loader: &dyn Loader = &*self.settings.loader;
            let known = self.loads.entry(format!("crs {crs}")).or_insert_with(|| {
                match load_rules_with(&sources, loader, &Interner::default()).rules {
                    Some(_) => Ok(()),
                    None => Err(format!("the gateway cannot load a CRS from {crs}")),
                }
            });
            known.clone()?;
        }
        if let Some(wrong) = kinds::profile_error(&profile) {
            return Err(wrong);
        }
        let known_as = short(format!("wafprofile_{}", kinds::profile_name(namespace, name)));
        draft.profiles.insert(known_as.clone(), profile);
        draft.files.extend(files.into_iter().map(|(name, text)| (name, text.into_bytes().into())));
        Ok(known_as)
    }
}

/// What is called so in a configuration names no WafProfile: their names have a dot.
const USUAL: &str = "protected";

fn entrance(kind: &str, name: &str, section: Option<&str>) -> Target {
    Target::Entrance { kind: kind.to_owned(), name: name.to_owned(), section: section.map(str::to_owned) }
}
