//! Who asks for which Service to be protected: annotations of the Service, and `Protection`s that are attached to it, to a
//! workload behind it or to its namespace. The nearest decides.

use k8s_openapi::api::core::v1::Service;

use super::names::{Key, PROTECT, PROTECT_CALICO, annotation};
use super::refusal::Refusal;
use crate::kinds::{Attachment, Attachments, Target, Way};

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

impl Ask {
    /// Who asks for a Service; `workloads` are the controllers of the pods behind it, by kind and name. One that is
    /// protected by sidecars does not go to the pool as well.
    pub fn of<'w>(
        service: &Service,
        all: &[Attachment],
        attachments: &Attachments,
        workloads: impl Iterator<Item = &'w (String, String)>,
    ) -> Self {
        let key = Key::of(&service.metadata);
        let at = |target: Target| attachments.at(&key.namespace, &target);
        let by = |index: usize| match all.get(index).map(|attachment| attachment.way) {
            Some(Way::Pool) => Self::Protection(index),
            Some(Way::Sidecar) | None => Self::No,
        };
        if let Some(index) = at(Target::Service(key.name.clone())) {
            return by(index);
        }
        let of_annotation = of_annotations(service);
        if !matches!(of_annotation, Some(Self::Annotation(_)) | None) {
            return of_annotation.unwrap_or(Self::No);
        }
        let of_workload =
            workloads.filter_map(|(kind, name)| at(Target::Workload(kind.clone(), name.clone()))).min();
        let nearest = of_workload.or_else(|| at(Target::Namespace));
        nearest.map(by).or(of_annotation).unwrap_or(Self::No)
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
