//! How traffic is inspected, and for whom.

use std::sync::Arc;

use palisade_config::{OnRequestBody, OnResponseBody};
use palisade_engine::{Caps, LimitAction, RuleSet};
use palisade_model::{Mode, Redactor};

/// What a service's traffic goes through.
#[derive(Clone, Debug)]
pub struct Profile {
    /// How far protection goes.
    pub mode: Mode,
    /// The rules; none where only other checks run.
    pub rules: Option<Arc<RuleSet>>,
    /// What happens to a request that could not be inspected as the rules ask.
    pub on_failure: OnFailure,
    /// What logs and events of this traffic do not show.
    pub redactor: Redactor,
    /// Outer bounds of what is inspected: the stricter of them and the rules' own wins.
    pub caps: Caps,
}

impl Profile {
    /// A profile that inspects by rules, if there are any, with everything else at its default.
    pub fn new(mode: Mode, rules: Option<Arc<RuleSet>>) -> Self {
        Self { mode, ..Self::of(&palisade_config::Profile::default(), rules) }
    }

    /// A profile as it is configured, with its rules loaded.
    pub fn of(profile: &palisade_config::Profile, rules: Option<Arc<RuleSet>>) -> Self {
        let on_failure = match profile.on_failure {
            palisade_config::OnFailure::Closed => OnFailure::Closed,
            palisade_config::OnFailure::Open => OnFailure::Open,
        };
        let redactor = Redactor::with_names(profile.mask.iter().flat_map(|mask| &mask.names));
        Self { mode: profile.mode, rules, on_failure, redactor, caps: caps(&profile.limits) }
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

/// What happens to a request that could not be inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// It is refused, where the mode stops anything.
    #[default]
    Closed,
    /// It passes, and its report says that it was not inspected.
    Open,
}

/// One protected service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name in logs and metrics.
    pub name: String,
    /// How its traffic is inspected.
    pub profile: Arc<Profile>,
}

impl Service {
    /// A service and its profile.
    pub fn new(name: impl Into<String>, profile: impl Into<Arc<Profile>>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), profile: profile.into() })
    }
}
