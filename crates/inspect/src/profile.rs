//! How traffic is inspected, and for whom.

use std::sync::Arc;

use palisade_engine::RuleSet;
use palisade_model::Mode;

/// What a service's traffic goes through.
#[derive(Clone, Debug)]
pub struct Profile {
    /// How far protection goes.
    pub mode: Mode,
    /// The rules; none where only other checks run.
    pub rules: Option<Arc<RuleSet>>,
    /// What happens to a request that could not be inspected as the rules ask.
    pub on_failure: OnFailure,
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
