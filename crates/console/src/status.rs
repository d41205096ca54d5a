//! `/api/v1/status`: the shape of the answer. Its keys are read by scripts: add, never rename.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use palisade_model::Calendar;
use serde::{Serialize, Serializer};

/// What is in force in this process.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Version and commit, as `--version` prints them.
    pub version: String,
    /// Where in its life the process is.
    pub state: State,
    /// Whether it is a console for many data planes, and protects nothing itself.
    pub collects: bool,
    /// When it started.
    pub started_at: Timestamp,
    /// Seconds since then.
    pub uptime_seconds: u64,
    /// Addresses in use.
    pub listeners: Vec<ListenerStatus>,
    /// Services that are protected.
    pub services: Vec<ServiceStatus>,
    /// Rules in force.
    pub rule_sets: Vec<RuleSetStatus>,
    /// How loading anew went.
    pub reloads: Reloads,
    /// Objects that are not as they are configured; none as a rule.
    pub stale: Vec<StaleStatus>,
    /// What this process cannot do at the moment, in words, while it serves; none as a rule.
    pub problems: Vec<String>,
}

/// Where in its life a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not serving yet.
    Starting,
    /// Serving.
    Ready,
    /// Answering what has begun, then ending.
    Draining,
}

impl State {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

/// An address in use.
#[derive(Clone, Debug, Serialize)]
pub struct ListenerStatus {
    /// Its name.
    pub name: String,
    /// Its URL.
    pub url: String,
}

/// A protected service.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// `off`, `monitoring`, `safe_blocking`, `block`.
    pub mode: String,
    /// The name of its rule set; none where no rules inspect it.
    pub rule_set: Option<String>,
}

/// Rules in force.
#[derive(Clone, Debug, Serialize)]
pub struct RuleSetStatus {
    /// Its name.
    pub name: String,
    /// Rules in it.
    pub rules: usize,
    /// When they were loaded.
    pub loaded_at: Timestamp,
}

/// How loading anew went since the start.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reloads {
    /// Those that took effect.
    pub succeeded: u64,
    /// Those that left the old in force.
    pub failed: u64,
    /// The last one; none before the first.
    pub last: Option<Reload>,
}

/// One loading anew.
#[derive(Clone, Debug, Serialize)]
pub struct Reload {
    /// When it ended.
    pub at: Timestamp,
    /// Why the old is still in force, or some of it; none where the new is.
    pub error: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// An object that stays as it was, because what it is configured to be cannot be used.
#[derive(Clone, Debug, Serialize)]
pub struct StaleStatus {
    /// `profile` or `service`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Why.
    pub error: String,
    /// Since when.
    pub since: Timestamp,
}

/// A moment, written as RFC 3339 in UTC with seconds: `2026-03-01T08:15:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp(SystemTime);

impl Timestamp {
    /// Seconds since 1970, as metrics have them. A clock before 1970 counts as 1970.
    pub fn unix_seconds(self) -> f64 {
        self.since_epoch().as_secs_f64()
    }

    fn since_epoch(self) -> Duration {
        self.0.duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(time)
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = u64::try_from(self.since_epoch().as_millis()).unwrap_or(u64::MAX);
        f.write_str(&Calendar::new(millis, 0).rfc3339_seconds())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_those_of_the_calendar() {
        // By `date -u -d @N +%FT%TZ`.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            let at = Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(at.to_string(), text);
        }
        assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_secs(9)).to_string(), "1970-01-01T00:00:00Z");
    }
}
