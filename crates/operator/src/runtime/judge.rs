//! What is to be said of every object of our kinds: a function of what was observed.
//!
//! Rules and profiles are compiled by the code that runs them. What cannot be used is refused by name, with place and
//! remedy, and nothing else is touched by it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::kinds::{self, Attachment, Attachments, Rules, Target};

/// Objects of our kinds, and the ConfigMaps that hold rules (label `palisade.dev/rules: "true"`).
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// `WafProfile`s.
    pub profiles: Vec<Value>,
    /// `RuleSet`s.
    pub rule_sets: Vec<Value>,
    /// `Protection`s.
    pub protections: Vec<Value>,
    /// What Protections may be attached to, as far as it is known: kinds that were read, with their namespaces and names.
    pub targets: BTreeMap<String, BTreeSet<(String, String)>>,
    /// By namespace and name: files by name.
    pub config_maps: BTreeMap<(String, String), BTreeMap<String, String>>,
}

/// What is said of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// `WafProfile`, `RuleSet`, `Protection`.
    pub kind: &'static str,
    /// Of the object.
    pub namespace: String,
    /// Of the object.
    pub name: String,
    /// Of what was judged.
    pub generation: i64,
    /// One condition each.
    pub sentences: Vec<Sentence>,
}

/// A condition without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The condition's type.
    pub condition: &'static str,
    /// Its status.
    pub is: bool,
    /// One word.
    pub reason: &'static str,
    /// Sentences for people.
    pub message: String,
}

impl Judged {
    /// Whether the object is used.
    pub fn is_accepted(&self) -> bool {
        self.sentences.iter().all(|sentence| sentence.condition != ACCEPTED || sentence.is)
    }
}

/// What is said of all of them, in the order of kinds, namespaces and names.
pub fn judge(observed: &Observed) -> Vec<Judged> {
    let mut judged = Vec::new();
    let mut rules: BTreeMap<(String, String), Rules> = BTreeMap::new();
    for set in &observed.rule_sets {
        let (namespace, name) = name_of(set);
        let config_map =
            |name: &str| observed.config_maps.get(&(namespace.clone(), name.to_owned())).cloned();
        let sentence = match kinds::rule_files(&set["spec"], config_map) {
            Err(why) => no("RefNotFound", why),
            Ok(files) => match kinds::compile(&files) {
                Err(why) => no("InvalidRules", why),
                Ok(()) => {
                    let told = match &files.crs {
                        Some(release) => format!("the CRS of release {release}"),
                        None => format!("{} files compile", files.order.len()),
                    };
                    rules.insert((namespace.clone(), name.clone()), files);
                    yes("Compiled", told)
                }
            },
        };
        judged.push(of("RuleSet", set, vec![sentence]));
    }
    let mut profiles: BTreeMap<(String, String), bool> = BTreeMap::new();
    for profile in &observed.profiles {
        let (namespace, name) = name_of(profile);
        let set = |name: &str| rules.get(&(namespace.clone(), name.to_owned()));
        let sentence = match kinds::resolved(&namespace, &profile["spec"], set) {
            Err(why) => no("RefNotFound", why),
            Ok((resolved, _)) => match kinds::profile_error(&resolved) {
                Some(why) => no("InvalidProfile", why),
                None => yes("Valid", "a data plane takes it".to_owned()),
            },
        };
        profiles.insert((namespace, name), sentence.is);
        judged.push(of("WafProfile", profile, vec![sentence]));
    }
    judged.extend(protections(observed, &profiles));
    judged
}

/// Of two that want the same target the older one has it; of two as old, the first by name.
fn protections(observed: &Observed, profiles: &BTreeMap<(String, String), bool>) -> Vec<Judged> {
    let attachments: Vec<Attachment> = observed.protections.iter().map(Attachment::read).collect();
    let sorted = Attachments::new(&attachments);
    let mut lost: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (late, target, first) in sorted.conflicts() {
        let (kind, name) = target.kind_and_name();
        let told = format!("{kind} {name} has {}, which is older", attachments[*first].name);
        lost.entry(*late).or_default().push(told);
    }
    let mut judged = Vec::new();
    for (index, (protection, attachment)) in observed.protections.iter().zip(&attachments).enumerate() {
        let conflicted = match lost.get(&index) {
            None => Sentence {
                condition: CONFLICTED,
                is: false,
                reason: "NoConflicts",
                message: "each target is its own".to_owned(),
            },
            Some(lost) => {
                Sentence { condition: CONFLICTED, is: true, reason: "Conflicted", message: lost.join("; ") }
            }
        };
        let namespace = &attachment.namespace;
        let accepted = if conflicted.is {
            no("Conflicted", conflicted.message.clone())
        } else if let Some((reason, why)) = wrong_target(observed, protection, attachment) {
            no(reason, why)
        } else {
            let profile = attachment.profile.as_deref();
            let there = profile.map(|profile| profiles.get(&(namespace.clone(), profile.to_owned())));
            match (profile.unwrap_or_default(), there) {
                (profile, Some(Some(false))) => {
                    let why = format!("WafProfile {profile} cannot be used; its condition says why");
                    no("InvalidProfile", why)
                }
                (profile, Some(None)) => no("RefNotFound", format!("there is no WafProfile {profile} here")),
                (profile, there) => match not_taken(protection, attachment) {
                    Some(why) => no("Pending", why),
                    None if there.is_some() => yes("Accepted", format!("by profile {profile}")),
                    None => yes("Accepted", "by the usual profile".to_owned()),
                },
            }
        };
        judged.push(of("Protection", protection, vec![accepted, conflicted]));
    }
    judged
}

/// An entrance by which nobody inspects, as gateways say in `status.ancestors`: they do it, and not the operator.
fn not_taken(protection: &Value, attachment: &Attachment) -> Option<String> {
    let generation = &protection["metadata"]["generation"];
    let said = |kind: &str, name: &str, section: Option<&str>| {
        let ancestors = protection["status"]["ancestors"].as_array().into_iter().flatten();
        let of = move |entry: &&Value| {
            let at = &entry["ancestorRef"];
            at["kind"] == *kind && at["name"] == *name && at["sectionName"].as_str() == section
        };
        let conditions = ancestors.filter(of).filter_map(|entry| entry["conditions"].as_array()).flatten();
        conditions
            .filter(|condition| {
                condition["type"] == ACCEPTED && condition["observedGeneration"] == *generation
            })
            .collect::<Vec<_>>()
    };
    attachment.targets.iter().find_map(|target| {
        let Target::Entrance { kind, name, section } = target else { return None };
        let said = said(kind, name, section.as_deref());
        if said.iter().any(|condition| condition["status"] == "True") {
            return None;
        }
        Some(match said.first() {
            Some(refused) => format!("{kind} {name}: {}", refused["message"].as_str().unwrap_or_default()),
            None => format!(
                "{kind} {name}: no gateway has said that it inspects by it; `palisade gateway` does, of its own classes"
            ),
        })
    })
}

/// A target that is not there, or is another's namespace. Kinds that were not read are believed.
fn wrong_target(
    observed: &Observed,
    protection: &Value,
    attachment: &Attachment,
) -> Option<(&'static str, String)> {
    let namespace = &attachment.namespace;
    let named = protection["spec"]["targetRefs"].as_array().into_iter().flatten();
    let elsewhere = named
        .filter(|target| target["kind"] == "Namespace")
        .find_map(|target| target["name"].as_str().filter(|name| name != namespace));
    if let Some(elsewhere) = elsewhere {
        let why =
            format!("Namespace {elsewhere} is not its own, {namespace}: a Protection is about where it is");
        return Some(("InvalidTarget", why));
    }
    let missing: Vec<String> = attachment
        .targets
        .iter()
        .filter(|target| **target != Target::Namespace)
        .filter_map(|target| {
            let (kind, name) = target.kind_and_name();
            let there = observed.targets.get(kind)?;
            (!there.contains(&(namespace.clone(), name.to_owned()))).then(|| format!("{kind} {name}"))
        })
        .collect();
    (!missing.is_empty()).then(|| ("TargetNotFound", format!("there is no {} here", missing.join(", "))))
}

fn of(kind: &'static str, object: &Value, sentences: Vec<Sentence>) -> Judged {
    let (namespace, name) = name_of(object);
    let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
    Judged { kind, namespace, name, generation, sentences }
}

fn name_of(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_owned();
    (text("namespace"), text("name"))
}

fn yes(reason: &'static str, message: String) -> Sentence {
    Sentence { condition: ACCEPTED, is: true, reason, message }
}

fn no(reason: &'static str, message: String) -> Sentence {
    // The API takes 32 KiB; people read less.
    let message = message.chars().take(8_000).collect();
    Sentence { condition: ACCEPTED, is: false, reason, message }
}

/// Whether an object is used.
const ACCEPTED: &str = "Accepted";
/// Whether another one was there before.
const CONFLICTED: &str = "Conflicted";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, created: &str, spec: Value) -> Value {
        json!({"metadata": {"namespace": "shop", "name": name, "generation": 3, "creationTimestamp": created}, "spec": spec})
    }

    fn told<'j>(judged: &'j [Judged], kind: &str, name: &str) -> &'j Sentence {
        let found = judged.iter().find(|judged| judged.kind == kind && judged.name == name);
        &found.expect("every object is judged").sentences[0]
    }

    #[test]
    fn rules_are_compiled_and_refused_with_place_and_remedy() {
        let observed = Observed {
            rule_sets: vec![
                object("good", "", json!({"text": "SecRule ARGS \"@contains x\" \"id:1,phase:2,deny\"\n"})),
                object("bad", "", json!({"text": "SecRule ARGZ \"@contains x\" \"id:1,phase:2,deny\"\n"})),
                object("absent", "", json!({"configMap": {"name": "nowhere"}})),
                object("mapped", "", json!({"configMap": {"name": "map"}})),
                object("escape", "", json!({"text": "Include /etc/passwd\n"})),
            ],
            config_maps: [(
                ("shop".to_owned(), "map".to_owned()),
                [("a.conf".to_owned(), "SecAction \"id:7,phase:1,pass,nolog\"\n".to_owned())].into(),
            )]
            .into(),
            profiles: vec![
                object("strict", "", json!({"mode": "block", "rules": {"ruleSets": ["good", "mapped"]}})),
                object("broken", "", json!({"mode": "block", "rules": {"ruleSets": ["bad"]}})),
                object("typo", "", json!({"mode": "blok"})),
            ],
            ..Observed::default()
        };
        let judged = judge(&observed);
        assert!(told(&judged, "RuleSet", "good").is);
        assert!(told(&judged, "RuleSet", "mapped").is);
        let bad = told(&judged, "RuleSet", "bad");
        assert_eq!((bad.is, bad.reason), (false, "InvalidRules"));
        assert!(bad.message.contains("ARGZ") && bad.message.contains("rules.conf:1"), "{}", bad.message);
        assert_eq!(told(&judged, "RuleSet", "absent").reason, "RefNotFound");
        assert_eq!(told(&judged, "RuleSet", "escape").reason, "InvalidRules");
        assert!(told(&judged, "WafProfile", "strict").is, "{:?}", told(&judged, "WafProfile", "strict"));
        assert_eq!(told(&judged, "WafProfile", "broken").reason, "RefNotFound");
        let typo = told(&judged, "WafProfile", "typo");
        assert!(!typo.is && typo.message.starts_with("spec.mode"), "{}", typo.message);
    }

    #[test]
    fn the_older_protection_has_a_target_and_the_other_is_told_whose_it_is() {
        let service = json!({"targetRefs": [{"kind": "Service", "name": "web"}]});
        let observed = Observed {
            protections: vec![
                object("young", "2026-02-01T00:00:00Z", service.clone()),
                object("old", "2026-01-01T00:00:00Z", service),
                object(
                    "lost",
                    "2026-01-01T00:00:00Z",
                    json!({"targetRefs": [{"kind": "Service", "name": "db"}], "profile": "none"}),
                ),
            ],
            ..Observed::default()
        };
        let judged = judge(&observed);
        assert!(told(&judged, "Protection", "old").is);
        let young = told(&judged, "Protection", "young");
        assert_eq!((young.is, young.reason), (false, "Conflicted"));
        assert!(young.message.contains("old"), "{}", young.message);
        assert_eq!(told(&judged, "Protection", "lost").reason, "RefNotFound");
    }

    #[test]
    fn a_target_that_is_not_there_is_told_where_its_kind_was_read() {
        let of = |kind: &str, name: &str| json!({"targetRefs": [{"kind": kind, "name": name}]});
        let mut observed = Observed {
            protections: vec![
                object("there", "", of("Service", "web")),
                object("absent", "", of("Deployment", "edge")),
                object("elsewhere", "", of("Namespace", "bank")),
                object("own", "", of("Namespace", "shop")),
            ],
            targets: [("Service".to_owned(), [("shop".to_owned(), "web".to_owned())].into())].into(),
            ..Observed::default()
        };
        let reasons = |observed: &Observed| {
            let judged = judge(observed);
            ["there", "absent", "elsewhere", "own"].map(|name| told(&judged, "Protection", name).reason)
        };
        assert_eq!(reasons(&observed), ["Accepted", "Accepted", "InvalidTarget", "Accepted"]);
        observed.targets.insert("Deployment".to_owned(), BTreeSet::new());
        observed.targets.insert("Service".to_owned(), BTreeSet::new());
        assert_eq!(reasons(&observed), ["TargetNotFound", "TargetNotFound", "InvalidTarget", "Accepted"]);
    }

    #[test]
    fn an_entrance_is_accepted_where_a_gateway_says_so_of_what_is_written_now() {
        let judged_with = |entry: Value| {
            let target = json!({"targetRefs": [{"kind": "Ingress", "name": "web"}, {"kind": "Service", "name": "web"}]});
            let mut protection = object("edge", "", target);
            protection["status"] = json!({"ancestors": [entry]});
            let judged = judge(&Observed { protections: vec![protection], ..Observed::default() });
            let told = told(&judged, "Protection", "edge").clone();
            (told.is, told.reason, told.message)
        };
        let entry = |kind: &str, status: &str, generation: i64| {
            json!({"ancestorRef": {"kind": kind, "name": "web"}, "controllerName": "palisade.dev/gateway/a/b", "conditions": [
                {"type": "Accepted", "status": status, "message": "an older one", "observedGeneration": generation}]})
        };
        assert!(judged_with(entry("Ingress", "True", 3)).0);
        for nobody in [Value::Null, entry("Ingress", "True", 2), entry("Gateway", "True", 3)] {
            let (is, reason, why) = judged_with(nobody);
            assert!(!is && reason == "Pending" && why.contains("no gateway"), "{reason}: {why}");
        }
        let (is, _, why) = judged_with(entry("Ingress", "False", 3));
        assert!(!is && why.contains("an older one"), "{why}");
    }
}
