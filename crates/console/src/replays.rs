//! Replays of recorded requests, as the program that has the recording implements them.

use std::fmt::Debug;

use serde::Serialize;
use serde_json::Value;

use crate::control::{Author, ControlError};
use crate::status::Timestamp;

/// Puts recorded requests through a configuration, beside the traffic. One replay at a time.
pub trait Replays: Debug + Send + Sync {
    /// What there is to be replayed.
    fn recording(&self) -> RecordingShown;

    /// Replays of this process, the latest first. Few are remembered.
    fn all(&self) -> Vec<ReplayShown>;

    /// Starts one. Waits until its configuration was read.
    ///
    /// # Errors
    /// When nothing is recorded, when another one runs, or when the configuration cannot be used.
    fn start(&self, asked: ReplayAsked, by: Author) -> Result<ReplayShown, ControlError>;

    /// Ends one that runs, and forgets what came of it.
    ///
    /// # Errors
    /// When there is none of this number.
    fn remove(&self, id: u64) -> Result<(), ControlError>;
}

/// What there is to be replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordingShown {
    /// Whether requests are recorded.
    pub enabled: bool,
    /// Bytes of what is there.
    pub bytes: u64,
    /// How recording is switched on, where it is not.
    pub how: Option<String>,
}

/// A replay to be started: against what is in force, or against that with a profile changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayAsked {
    /// Requests of this service alone; needed where something is changed: it is its profile that is.
    pub service: Option<String>,
    /// Requests that came since, in milliseconds since 1970.
    pub since_unix_millis: Option<u64>,
    /// Keys of the profile, YAML, in place of those in force; lists add up, as with `base`. No files are named by it.
    pub profile: Option<String>,
    /// SecLang that is loaded after the profile's rules. Files that those do not read are not read for it.
    pub rules: Option<String>,
}

/// A replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReplayShown {
    /// Its number.
    pub id: u64,
    /// `running`, `done` or `failed`.
    pub state: &'static str,
    /// When it began.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// The service whose requests are replayed; all of them when absent.
    pub service: Option<String>,
    /// Against what, in words.
    pub against: String,
    /// How much of the recording was read: 0 to 1.
    pub progress: f64,
    /// Requests that were replayed.
    pub requests: u64,
    /// What came of it, as `palisade replay --format json` says it.
    pub result: Option<Value>,
    /// What there is to say beside that.
    pub notes: Vec<String>,
    /// Why it failed.
    pub error: Option<String>,
}
