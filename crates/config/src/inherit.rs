//! Profiles that begin from another one: `base: NAME`.
//!
//! Before keys have types, so that what is written and what is left out can still be told apart. Sections are taken over
//! key by key, lists of custom rules (`exceptions`, `mask`, ..) add up, everything else is the nearer profile's own.

use std::collections::HashMap;

use crate::decode::{Decoder, Step, nearest};
use crate::node::{Node, Value, quoted};

/// Lists that add up.
const LISTS: &[&str] = &["exceptions", "mask", "patches", "binary", "responseHeaders"];

/// Profiles in a row; nobody reads more.
const DEPTH_MAX: usize = 8;

/// Values that profiles take over, all together: thousands may begin from a long one.
const NODES_MAX: usize = 1_000_000;

/// Fills in what profiles leave to others.
pub(crate) fn inherit(root: &mut Node, decoder: &mut Decoder) {
    let Value::Map(entries) = &mut root.value else { return };
    let Some((_, profiles)) = entries.iter_mut().find(|(key, _)| key.name == "profiles") else { return };
    let Value::Map(profiles) = &mut profiles.value else { return };
    let written: HashMap<String, Node> =
        profiles.iter().map(|(key, profile)| (key.name.clone(), profile.clone())).collect();
    let mut room = NODES_MAX;
    for (key, profile) in profiles {
        // Of something else decoding says what it is.
        let mut base = base_of(profile).cloned();
        let mut seen = vec![key.name.clone()];
        while let Some(named) = base {
            let Value::Text { text, .. } = &named.value else { break };
            let broken = match written.get(text) {
                _ if seen.contains(text) => {
                    Some((format!("{} begins from itself", quoted(text)), "remove one `base`".to_owned()))
                }
                _ if seen.len() > DEPTH_MAX => Some((
                    format!("more than {DEPTH_MAX} profiles begin from one another"),
                    "name one nearer to the end".to_owned(),
                )),
                Some(below) if below.count() > room => Some((
                    format!("profiles take over more than {NODES_MAX} values from one another"),
                    "share long lists by naming one profile in several services".to_owned(),
                )),
                Some(below) => {
                    room -= below.count();
                    fill(profile, below, true);
                    seen.push(text.clone());
                    base = base_of(below).cloned();
                    continue;
                }
                None => {
                    let help = match nearest(text, written.keys().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "name another profile of this file".to_owned(),
                    };
                    Some((format!("there is no profile {}", quoted(text)), help))
                }
            };
            if let Some((message, help)) = broken {
                let path = format!("profiles.{}.base", key.name);
                decoder.within(&Step::Key(&path), |decoder| decoder.error(&named, message, help));
            }
            break;
        }
    }
}

/// Lays keys over a profile of a configuration: what they leave out stays, lists add up.
pub(crate) fn lay_over_profile(root: &mut Node, name: &str, mut change: Node, decoder: &mut Decoder) {
    if change.value == Value::Null {
        return;
    }
    if !matches!(change.value, Value::Map(_)) || change.get("base").is_some() {
        let help = "write keys of a profile, such as `mode: block`; `base` is not one of them here";
        decoder.error(&change, "this is no change of a profile", help.to_owned());
        return;
    }
    let Some(profiles) = root.child("profiles") else { return };
    if let Some(written) = profiles.get(name) {
        fill(&mut change, written, true);
    }
    profiles.set(name, change);
}

fn base_of(profile: &Node) -> Option<&Node> {
    profile.get("base").filter(|base| base.value != Value::Null)
}

/// Adds what a mapping leaves out. `top`: it is a profile, whose sections are filled in as well.
fn fill(into: &mut Node, from: &Node, top: bool) {
    if into.value == Value::Null {
        into.value = Value::Map(Vec::new());
    }
    let (Value::Map(there), Value::Map(more)) = (&mut into.value, &from.value) else { return };
    for (key, value) in more {
        let Some((_, own)) = there.iter_mut().find(|(own, _)| own.name == key.name) else {
            if key.name != "base" {
                there.push((key.clone(), value.clone()));
            }
            continue;
        };
        if !top {
            continue;
        }
        match (&mut own.value, &value.value) {
            (Value::List(own), Value::List(more)) if LISTS.contains(&key.name.as_str()) => {
                own.extend(more.iter().cloned());
            }
            (Value::Map(_), Value::Map(_)) => fill(own, value, false),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{File, Overrides, Profile, read};

    fn profile(profiles: &str, name: &str) -> Profile {
        let text = format!("services: [{{name: w, upstream: {{url: \"http://a\"}}}}]\nprofiles:\n{profiles}");
        let read = read(Some(File { text: text.as_bytes(), folder: "" }), &Overrides::default());
        let config = read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
        config.profiles.iter().find(|(there, _)| there.as_str() == name).unwrap().1.clone()
    }

    fn said(profiles: &str) -> Vec<String> {
        let text = format!("services: [{{name: w, upstream: {{url: \"http://a\"}}}}]\nprofiles:\n{profiles}");
        let read = read(Some(File { text: text.as_bytes(), folder: "" }), &Overrides::default());
        read.diagnostics.into_iter().map(|said| format!("{}: {}", said.key, said.message)).collect()
    }

    #[test]
    fn a_profile_takes_over_what_it_leaves_out() {
        let profiles = "  default: {mode: block, limits: {jsonDepth: 5, arguments: 7}, rules: {files: [a]}, \
             exceptions: [{rules: [1]}], mask: [{names: [x]}]}\n\
             \x20 cms: {base: default, limits: {jsonDepth: 9}, exceptions: [{rules: [2]}]}\n\
             \x20 inner: {base: cms, mode: monitoring, rules: {files: []}}\n";
        let cms = profile(profiles, "cms");
        assert_eq!(cms.mode, palisade_model::Mode::Block);
        assert_eq!((cms.limits.json_depth.get(), cms.limits.arguments.get()), (9, 7));
        assert_eq!(cms.rules.files.len(), 1);
        let ids = |profile: &Profile| -> Vec<u64> {
            profile.exceptions.iter().flat_map(|exception| &exception.rules).map(|ids| ids.first).collect()
        };
        assert_eq!((ids(&cms), cms.mask.len()), (vec![2, 1], 1));
        let inner = profile(profiles, "inner");
        assert_eq!(inner.mode, palisade_model::Mode::Monitoring);
        assert_eq!((inner.limits.json_depth.get(), inner.rules.files.len()), (9, 0));
        assert_eq!(ids(&inner), [2, 1]);
        assert_eq!(profile(profiles, "default").limits.json_depth.get(), 5);
    }

    #[test]
    fn circles_and_names_that_lead_nowhere_are_told() {
        assert!(
            said("  default: {base: a}\n  a: {base: default}\n")
                .contains(&"profiles.default.base: `default` begins from itself".to_owned())
        );
        assert!(
            said("  default: {}\n  a: {base: defualt}\n")
                .contains(&"profiles.a.base: there is no profile `defualt`".to_owned())
        );
        let many: String = (0..20).map(|n| format!("  p{n}: {{base: p{}}}\n", n + 1)).collect();
        assert!(
            said(&format!("{many}  p20: {{}}\n  default: {{}}\n"))
                .iter()
                .any(|said| said.contains("more than 8"))
        );
    }
}
