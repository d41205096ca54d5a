//! `Protection`s: what each is attached to, and which of them a target has. One reading for all who protect: the pool,
//! sidecars, ingress and gateway.
//!
//! The nearest decides: whoever asks names the places that it lies in, the nearest first ([`Attachments::nearest`]). Of two
//! at one place the older has it; of two as old, the first by namespace and name.

use std::collections::BTreeMap;

use serde_json::Value;

/// A `Protection` as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When it was made, as its text in RFC 3339, which sorts by time.
    pub created: String,
    /// What it is attached to, in its own namespace.
    pub targets: Vec<Target>,
    /// The `WafProfile` that it names, of its namespace; the usual one when absent.
    pub profile: Option<String>,
    /// The mode in place of the profile's.
    pub mode: Option<String>,
    /// How traffic is taken to a data plane.
    pub way: Way,
}

/// `spec.strategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// By the pool.
    #[default]
    Pool,
    /// By a sidecar in each pod.
    Sidecar,
}

/// What a `Protection` is attached to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A Service.
    Service(String),
    /// Pods that a controller keeps, by its kind and name: a Deployment, a StatefulSet, a DaemonSet, a ReplicaSet.
    Workload(String, String),
    /// All of its namespace.
    Namespace,
    /// Where traffic comes in: a Gateway, an HTTPRoute or an Ingress.
    Entrance {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// A listener of a Gateway, or a rule of an HTTPRoute.
        section: Option<String>,
    },
}

impl Attachment {
    /// Reads an object. Targets of kinds that are not known, and other namespaces than its own, are left out.
    pub fn read(object: &Value) -> Self {
        let spec = &object["spec"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let namespace = text(&object["metadata"]["namespace"]).unwrap_or_default();
        let target = |target: &Value| Target::read(target, &namespace);
        Self {
            name: text(&object["metadata"]["name"]).unwrap_or_default(),
            created: text(&object["metadata"]["creationTimestamp"]).unwrap_or_default(),
            targets: spec["targetRefs"].as_array().into_iter().flatten().filter_map(target).collect(),
            profile: text(&spec["profile"]),
            mode: text(&spec["mode"]),
            way: if spec["strategy"] == "sidecar" { Way::Sidecar } else { Way::Pool },
            namespace,
        }
    }

    /// What its profile is called in a data plane's configuration.
    pub fn profile_name(&self) -> Option<String> {
        self.profile.as_ref().map(|profile| profile_name(&self.namespace, profile))
    }
}

impl Target {
    /// Reads an entry of `targetRefs` of an object of this namespace.
    fn read(target: &Value, namespace: &str) -> Option<Self> {
        let name = target["name"].as_str()?.to_owned();
        match target["kind"].as_str()? {
            "Service" => Some(Self::Service(name)),
            "Namespace" => (name == namespace).then_some(Self::Namespace),
            kind @ ("Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") => {
                Some(Self::Workload(kind.to_owned(), name))
            }
            kind @ ("Gateway" | "HTTPRoute" | "Ingress") => {
                let section = target["sectionName"].as_str().map(str::to_owned);
                Some(Self::Entrance { kind: kind.to_owned(), name, section })
            }
            _ => None,
        }
    }

    /// Kind and name, for messages and for looking it up; a namespace has no name of its own here.
    pub fn kind_and_name(&self) -> (&str, &str) {
        match self {
            Self::Service(name) => ("Service", name),
            Self::Workload(kind, name) | Self::Entrance { kind, name, .. } => (kind, name),
            Self::Namespace => ("Namespace", ""),
        }
    }
}

/// What a `WafProfile` is called in a data plane's configuration.
pub fn profile_name(namespace: &str, name: &str) -> String {
    format!("{namespace}.{name}")
}

/// `Protection`s by what they are attached to.
#[derive(Clone, Debug, Default)]
pub struct Attachments {
    by_place: BTreeMap<(String, Target), usize>,
    conflicts: Vec<(usize, Target, usize)>,
}

impl Attachments {
    /// Sorts out who is attached where.
    pub fn new(all: &[Attachment]) -> Self {
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_key(|index| {
            let of = &all[*index];
            (&of.created, &of.namespace, &of.name)
        });
        let mut attachments = Self::default();
        for index in order {
            for target in &all[index].targets {
                let place = (all[index].namespace.clone(), target.clone());
                match attachments.by_place.get(&place) {
                    None => drop(attachments.by_place.insert(place, index)),
                    Some(first) if *first == index => {}
                    Some(first) => attachments.conflicts.push((index, target.clone(), *first)),
                }
            }
        }
        attachments
    }

    /// Who came too late: the `Protection`, the target, and who was there before; by their places among those given.
    pub fn conflicts(&self) -> &[(usize, Target, usize)] {
        &self.conflicts
    }

    /// Who is attached at one place.
    pub fn at(&self, namespace: &str, target: &Target) -> Option<usize> {
        self.by_place.get(&(namespace.to_owned(), target.clone())).copied()
    }

    /// Who decides for something that lies in these places, the nearest first: for a rule of an HTTPRoute its section, the
    /// HTTPRoute, the Gateway's listener, the Gateway, the namespace.
    pub fn nearest<'p>(&self, places: impl IntoIterator<Item = (&'p str, Target)>) -> Option<usize> {
        places.into_iter().find_map(|(namespace, target)| self.at(namespace, &target))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn protection(name: &str, created: &str, target: Value) -> Attachment {
        Attachment::read(&json!({
            "metadata": {"namespace": "shop", "name": name, "creationTimestamp": created},
            "spec": {"targetRefs": [target], "profile": name},
        }))
    }

    fn route(section: Option<&str>) -> Target {
        let section = section.map(str::to_owned);
        Target::Entrance { kind: "HTTPRoute".to_owned(), name: "web".to_owned(), section }
    }

    #[test]
    fn the_nearest_decides_and_of_two_at_one_place_the_older() {
        let all = [
            protection("young", "2026-02-01T00:00:00Z", json!({"kind": "HTTPRoute", "name": "web"})),
            protection("old", "2026-01-01T00:00:00Z", json!({"kind": "HTTPRoute", "name": "web"})),
            protection(
                "rule",
                "2026-03-01T00:00:00Z",
                json!({"kind": "HTTPRoute", "name": "web", "sectionName": "api"}),
            ),
            protection("all", "2026-01-01T00:00:00Z", json!({"kind": "Namespace", "name": "shop"})),
        ];
        let attachments = Attachments::new(&all);
        let of = |places: &[Target]| {
            attachments
                .nearest(places.iter().map(|place| ("shop", place.clone())))
                .map(|index| all[index].name.as_str())
        };
        assert_eq!(of(&[route(Some("api")), route(None), Target::Namespace]), Some("rule"));
        assert_eq!(of(&[route(Some("other")), route(None), Target::Namespace]), Some("old"));
        assert_eq!(of(&[Target::Service("web".to_owned()), Target::Namespace]), Some("all"));
        assert_eq!(attachments.nearest([("bank", route(None))]), None);
        assert_eq!(attachments.conflicts(), [(0, route(None), 1)]);
        assert_eq!(all[1].profile_name().as_deref(), Some("shop.old"));
    }

    #[test]
    fn kinds_that_are_not_known_are_left_out() {
        assert!(protection("a", "", json!({"kind": "Secret", "name": "web"})).targets.is_empty());
        assert!(Attachment::read(&json!({"spec": {"targetRefs": 7}})).targets.is_empty());
    }
}
