//! `/api/v1/dataplanes`: the shape of an item. Its keys are read by scripts: add, never rename.

use serde::Serialize;

use crate::status::Timestamp;

/// A data plane, as an inventory shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Dataplane {
    /// What it is called. Data planes that are alike may have one name.
    pub name: String,
    /// Which of those that are called so; another one after a restart that left nothing to send.
    pub instance: String,
    /// Version and commit.
    pub version: String,
    /// Where its stream comes from; none where it is this process.
    pub address: Option<String>,
    /// Since when it is there; none where it is not.
    pub connected_since: Option<Timestamp>,
    /// When it was heard of last.
    pub last_seen: Timestamp,
    /// `starting`, `ready`, `draining`; `gone` where it is not there, and empty before it said.
    pub state: String,
    /// Why requests should go elsewhere, where they should.
    pub problem: Option<String>,
    /// When its process started.
    pub started_at: Option<Timestamp>,
    /// The revision of its configuration: the same at two data planes, the same configuration.
    pub revision: String,
    /// Rules in force.
    pub rule_sets: Vec<DataplaneRules>,
    /// Services that it protects.
    pub services: Vec<DataplaneService>,
    /// Objects that are not as they are configured, in words.
    pub stale: Vec<String>,
    /// What waits to be sent here.
    pub spool: DataplaneSpool,
    /// What came from it.
    pub received: DataplaneReceived,
}

/// Rules in force at a data plane.
#[derive(Clone, Debug, Serialize)]
pub struct DataplaneRules {
    /// Their name.
    pub name: String,
    /// How many there are.
    pub rules: u64,
    /// A digest of what they were made of: the same at two data planes, the same rules.
    pub digest: String,
}

/// A service of a data plane.
#[derive(Clone, Debug, Serialize)]
pub struct DataplaneService {
    /// Its name.
    pub name: String,
    /// The mode in force.
    pub mode: String,
    /// Where it comes from: `run-time`, `service` or `profile`.
    pub mode_from: String,
}

/// What waits at a data plane.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct DataplaneSpool {
    /// Bytes that wait.
    pub bytes: u64,
    /// Records that were dropped because there was no room for them.
    pub dropped: u64,
}

/// What came from a data plane since this process started.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct DataplaneReceived {
    /// Records.
    pub records: u64,
    /// Records that could not be any.
    pub refused: u64,
    /// The time of the latest.
    pub latest: Option<Timestamp>,
}
