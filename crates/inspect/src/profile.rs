//! How traffic is inspected, and for whom.

use std::sync::Arc;

use palisade_config::{Exception, OnRequestBody, OnResponseBody};
use palisade_detect::{DetectLimits, Recall};
use palisade_engine::{Caps, LimitAction, RuleSet};
use palisade_model::{Mode, Place, PointPattern, Redactor, Root};

use crate::costs::RuleCosts;
use crate::detector::Detector;
use crate::ends::Ends;
use crate::exceptions::Exceptions;
use crate::gate::Gate;
use crate::patches::Patches;
use crate::specification::Enforcement;
use crate::standing::ServiceMode;

/// What a service's traffic goes through.
#[derive(Clone, Debug)]
pub struct Profile {
    /// How far protection goes.
    pub mode: Mode,
    /// The rules; none where only other checks run.
    pub rules: Option<Arc<RuleSet>>,
    /// What times some of them; nothing where nobody asks what they cost.
    pub costs: Option<Arc<RuleCosts>>,
    /// The built-in detector; none where rules alone inspect.
    pub detector: Option<Detector>,
    /// What happens to a request that could not be inspected as the rules ask.
    pub on_failure: OnFailure,
    /// What logs and events of this traffic do not show.
    pub redactor: Redactor,
    /// Outer bounds of what is inspected: the stricter of them and the rules' own wins.
    pub caps: Caps,
    /// What its traffic is excepted from, as it is written; points of binary data are excepted from what is read in texts.
    pub exceptions: Vec<Exception>,
    /// Requests that are refused until what they reach is mended.
    pub patches: Patches,
    /// Sources that come on lists by what they do; nothing here looks at it.
    pub automatic: palisade_config::Automatic,
}

impl Profile {
    /// A profile that inspects by rules alone, if there are any, with everything else at its default.
    pub fn new(mode: Mode, rules: Option<Arc<RuleSet>>) -> Self {
        Self { mode, detector: None, ..Self::of(&palisade_config::Profile::default(), rules) }
    }

    /// The same with the built-in detector, or without it.
    #[must_use]
    pub fn with_detector(self, detector: Option<Detector>) -> Self {
        palisade_detect::prepare();
        Self { detector, ..self }
    }

    /// The same whose rules are timed now and then, by this clock: nanoseconds since any moment.
    #[must_use]
    pub fn timed(self, now: fn() -> u64) -> Self {
        Self { costs: self.rules.as_ref().map(|rules| RuleCosts::of(rules, now)), ..self }
    }

    /// The same that shows no values of headers and arguments of these names, nor of cookies.
    #[must_use]
    pub fn hiding<'n>(self, names: impl IntoIterator<Item = &'n str>) -> Self {
        let places = names.into_iter().flat_map(|name| {
            let name = name.as_bytes().to_vec();
            [Place::Argument(name.clone()), Place::RequestHeader(name)]
        });
        Self { redactor: self.redactor.hiding(places), ..self }
    }

    /// A profile as it is configured, with its rules loaded.
    pub fn of(profile: &palisade_config::Profile, rules: Option<Arc<RuleSet>>) -> Self {
        let on_failure = match profile.on_failure {
            palisade_config::OnFailure::Closed => OnFailure::Closed,
            palisade_config::OnFailure::Open => OnFailure::Open,
        };
        let redactor = Redactor::with_names(profile.mask.iter().flat_map(|mask| &mask.names));
        let masked = profile.mask.iter().flat_map(|mask| &mask.points);
        let redactor = redactor.hiding(masked.flat_map(|points| places_of(points)));
        let binary = profile.binary.iter().map(|binary| binary.as_exception());
        let exceptions =
            profile.exceptions.iter().map(|exception| (**exception).clone()).chain(binary).collect();
        let patches = Patches::of(profile.patches.iter().map(|patch| &**patch));
        palisade_detect::prepare();
        let detector = profile.detect.enabled.then(|| Detector {
            sensitivity: profile.detect.sensitivity,
            leaks: profile.detect.leaks,
            recall: Arc::new(Recall::new(detect_limits(&profile.detect.limits))),
        });
        let caps = caps(&profile.limits);
        Self {
            mode: profile.mode,
            rules,
            costs: None,
            detector,
            on_failure,
            redactor,
            caps,
            exceptions,
            patches,
            automatic: profile.automatic.clone(),
        }
    }
}

/// The places that a mask's points name. Logs know arguments by their names, wherever they stand.
fn places_of(points: &PointPattern) -> Vec<Place> {
    let Some(name) = points.name().map(|name| name.as_bytes().to_vec()) else { return Vec::new() };
    match points.root() {
        Root::Query | Root::Form | Root::Multipart | Root::Json => vec![Place::Argument(name)],
        Root::Cookie => vec![Place::Cookie(name)],
        Root::Header => vec![Place::RequestHeader(name)],
        Root::ResponseHeader => vec![Place::ResponseHeader(name)],
        _ => Vec::new(),
    }
}

fn caps(limits: &palisade_config::Limits) -> Caps {
    Caps {
        request_body_bytes_max: limits.request_body.bytes(),
        on_request_body: match limits.on_request_body {
            OnRequestBody::Reject => LimitAction::Reject,
            OnRequestBody::Partial => LimitAction::ProcessPartial,
        },
        response_body_bytes_max: limits.response_body.bytes(),
        on_response_body: match limits.on_response_body {
            OnResponseBody::Reject => LimitAction::Reject,
            OnResponseBody::Partial => LimitAction::ProcessPartial,
        },
        json_depth_max: limits.json_depth.get() as usize,
        arguments_max: limits.arguments.get() as usize,
    }
}

fn detect_limits(limits: &palisade_config::DetectLimits) -> DetectLimits {
    let bytes = |size: palisade_config::Size| usize::try_from(size.bytes()).unwrap_or(usize::MAX);
    let count = |count: palisade_config::Count| usize::try_from(count.get()).unwrap_or(usize::MAX);
    DetectLimits {
        depth_max: count(limits.depth),
        values_max: count(limits.values),
        decoded_bytes_max: bytes(limits.decoded),
        expansion_max: count(limits.expansion),
        work_bytes_max: bytes(limits.work),
        raw_body_bytes_max: bytes(limits.raw_body),
        file_head_bytes_max: bytes(limits.file_head),
        response_head_bytes_max: bytes(limits.response_head),
        graphql_depth_max: count(limits.graphql_depth),
        graphql_aliases_max: count(limits.graphql_aliases),
        graphql_directives_max: count(limits.graphql_directives),
        graphql_batch_max: count(limits.graphql_batch),
        ..DetectLimits::default()
    }
}

/// What happens to a request that could not be inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// It is refused, where the mode stops anything.
    #[default]
    Closed,
    /// It passes, and its report says that it was not inspected.
    Open,
}

/// One protected service, as some of its routes inspect it.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name in logs and metrics.
    pub name: String,
    /// How its traffic is inspected.
    pub profile: Arc<Profile>,
    /// What it is excepted from, by its profile, by itself and by its route.
    pub exceptions: Exceptions,
    /// The specification of its API; none where requests are not held against any.
    pub specification: Option<Enforcement>,
    /// Who may ask; anybody without it.
    pub gate: Option<Gate>,
    /// Who stands at the ends of its requests.
    pub ends: Ends,
    /// How far protection goes: the profile's mode, unless it is told another.
    pub mode: ServiceMode,
    /// The number of its application, for lists that are of some alone.
    pub application: Option<u32>,
    /// What inspects it, as a digest: services of equal ones decide alike about equal requests. Empty where nobody asked
    /// for one.
    pub digest: Arc<str>,
}

impl Service {
    /// A service and its profile.
    pub fn new(name: impl Into<String>, profile: impl Into<Arc<Profile>>) -> Arc<Self> {
        Self::with_exceptions(name, profile, &[])
    }

    /// A service and its profile, with further exceptions.
    pub fn with_exceptions(
        name: impl Into<String>,
        profile: impl Into<Arc<Profile>>,
        further: &[&Exception],
    ) -> Arc<Self> {
        let profile = profile.into();
        let all = profile.exceptions.iter().chain(further.iter().copied());
        let exceptions = Exceptions::compile(all, profile.rules.as_deref());
        let mode = profile.mode.into();
        Arc::new(Self {
            name: name.into(),
            profile,
            exceptions,
            specification: None,
            gate: None,
            ends: Ends::default(),
            mode,
            application: None,
            digest: Arc::default(),
        })
    }

    /// The same service with the specification of its API.
    #[must_use]
    pub fn specified(self: Arc<Self>, specification: Option<Enforcement>) -> Arc<Self> {
        Arc::new(Self { specification, ..Arc::unwrap_or_clone(self) })
    }

    /// The same service behind policies.
    #[must_use]
    pub fn behind(self: Arc<Self>, gate: Option<Gate>) -> Arc<Self> {
        Arc::new(Self { gate, ..Arc::unwrap_or_clone(self) })
    }

    /// The same service between others.
    #[must_use]
    pub fn between(self: Arc<Self>, ends: Ends) -> Arc<Self> {
        Arc::new(Self { ends, ..Arc::unwrap_or_clone(self) })
    }

    /// The same service, known by a digest of what inspects it.
    #[must_use]
    pub fn known_by(self: Arc<Self>, digest: Arc<str>) -> Arc<Self> {
        Arc::new(Self { digest, ..Arc::unwrap_or_clone(self) })
    }

    /// The same service in a mode of its own, for lists the application of a number.
    #[must_use]
    pub fn standing(self: Arc<Self>, mode: ServiceMode, application: Option<u32>) -> Arc<Self> {
        Arc::new(Self { mode, application, ..Arc::unwrap_or_clone(self) })
    }
}

#[cfg(test)]
mod tests {
    use palisade_config::{File, Overrides, read};

    use super::*;

    fn limits(text: &str) -> DetectLimits {
        let text = format!(
            "services: [{{name: web, upstream: {{url: \"http://127.0.0.1:1\"}}}}]\nprofiles: {{default: {{detect: {{limits: {{{text}}}}}}}}}"
        );
        let read = read(Some(File { text: text.as_bytes(), folder: "" }), &Overrides::default());
        let config = read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
        let profile = config.profiles.iter().next().expect("a profile").1;
        Profile::of(profile, None).detector.expect("a detector").recall.limits().clone()
    }

    #[test]
    fn the_detectors_bounds_are_its_own_unless_the_file_says_others() {
        assert_eq!(limits(""), DetectLimits::default());
        let changed = limits("graphqlDepth: 3, graphqlBatch: 2, fileHead: 1KiB, depth: 2, rawBody: 8KiB");
        let expected = DetectLimits {
            graphql_depth_max: 3,
            graphql_batch_max: 2,
            file_head_bytes_max: 1024,
            depth_max: 2,
            raw_body_bytes_max: 8192,
            ..DetectLimits::default()
        };
        assert_eq!(changed, expected);
    }
}
