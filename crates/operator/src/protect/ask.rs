//! Who asks for which Service to be protected: annotations of the Service, and `Protection`s that are attached to it, to a
//! workload behind it or to its namespace. The nearest decides; of two at one target the older one, and the other is told so.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;

use super::names::{Key, PROTECT, PROTECT_CALICO, annotation};
use super::refusal::Refusal;

/// A `Protection` as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// Its namespace and name.
    pub key: Key,
    /// When it was made, as its text in RFC 3339, which sorts by time.
    pub created: String,
    /// What it is attached to, in its own namespace.
    pub targets: Vec<Target>,
    /// The `WafProfile` that it names; the usual one when absent.
    pub profile: Option<String>,
    /// The mode in place of the profile's.
    pub mode: Option<String>,
}

/// What a `Protection` is attached to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A Service.
    Service(String),
    /// Pods that a controller keeps, by its kind and name: a Deployment, a StatefulSet, a DaemonSet.
    Workload(String, String),
    /// All Services of its namespace.
    Namespace,
}

/// Whose word it is that a Service is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Nobody's.
    No,
    /// An annotation's.
    Annotation(&'static str),
    /// A `Protection`'s, by its place among those that were given.
    Protection(usize),
    /// The annotation means nothing.
    Unclear(Refusal),
}

/// `Protection`s by what they are attached to.
#[derive(Clone, Debug, Default)]
pub struct Attachments {
    by_target: BTreeMap<(String, Target), usize>,
    conflicts: Vec<(usize, Target, usize)>,
}

impl Attachments {
    /// Sorts out who is attached where.
    pub fn new(all: &[Attachment]) -> Self {
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by(|a, b| (&all[*a].created, &all[*a].key).cmp(&(&all[*b].created, &all[*b].key)));
        let mut attachments = Self::default();
        for index in order {
            for target in &all[index].targets {
                let place = (all[index].key.namespace.clone(), target.clone());
                match attachments.by_target.get(&place) {
                    None => {
                        attachments.by_target.insert(place, index);
                    }
                    Some(first) if *first == index => {}
                    Some(first) => attachments.conflicts.push((index, target.clone(), *first)),
                }
            }
        }
        attachments
    }

    /// Who came too late: the `Protection`, the target, and who was there before.
    pub fn conflicts(&self) -> &[(usize, Target, usize)] {
        &self.conflicts
    }

    fn at(&self, namespace: &str, target: Target) -> Option<usize> {
        self.by_target.get(&(namespace.to_owned(), target)).copied()
    }

    /// Who asks for a Service; `workloads` are the controllers of the pods behind it, by kind and name.
    pub fn ask<'w>(&self, service: &Service, workloads: impl Iterator<Item = &'w (String, String)>) -> Ask {
        let key = Key::of(&service.metadata);
        if let Some(index) = self.at(&key.namespace, Target::Service(key.name)) {
            return Ask::Protection(index);
        }
        let of_annotation = of_annotations(service);
        if !matches!(of_annotation, Some(Ask::Annotation(_)) | None) {
            return of_annotation.unwrap_or(Ask::No);
        }
        let of_workload = workloads
            .filter_map(|(kind, name)| self.at(&key.namespace, Target::Workload(kind.clone(), name.clone())))
            .min();
        let nearest = of_workload.or_else(|| self.at(&key.namespace, Target::Namespace));
        nearest.map(Ask::Protection).or(of_annotation).unwrap_or(Ask::No)
    }
}

/// What the annotations say. Ours comes before Calico's; `Ask::No` is an explicit no.
fn of_annotations(service: &Service) -> Option<Ask> {
    for name in [PROTECT, PROTECT_CALICO] {
        match annotation(&service.metadata, name) {
            Some("true") => return Some(Ask::Annotation(name)),
            Some("false") => return Some(Ask::No),
            Some(value) => {
                let value = value.chars().take(100).collect();
                return Some(Ask::Unclear(Refusal::Annotation { annotation: name, value }));
            }
            None => {}
        }
    }
    None
}
