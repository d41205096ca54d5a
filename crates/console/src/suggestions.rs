//! Least-privilege policies out of L7 records, as the program that knows policies makes them. What records say is
//! anybody's, who reads them decides what of it is worth learning.

use std::borrow::Cow;
use std::fmt::Debug;

use serde::{Deserialize, Serialize};

/// Learns from records, then suggests.
pub trait PolicyLearner: Debug + Send {
    /// Takes a record.
    fn learn(&mut self, seen: &SeenTraffic<'_>);

    /// Policies that allow what was learned, and what else they would have denied.
    fn suggest(self: Box<Self>) -> SuggestedPolicies;
}

/// What of an L7 record policies are learned from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SeenTraffic<'a> {
    /// Requests.
    pub count: u64,
    /// Of these, stopped ones.
    pub blocked: u64,
    /// Of these, ones that would have been.
    pub would_block: u64,
    /// The service that was asked.
    #[serde(borrow)]
    pub service: Cow<'a, str>,
    /// The namespace of who asked.
    #[serde(borrow)]
    pub src_namespace: Cow<'a, str>,
    /// The service account of who asked.
    #[serde(borrow)]
    pub src_service_account: Cow<'a, str>,
    /// How that is known.
    #[serde(borrow)]
    pub src_known_by: Cow<'a, str>,
    /// `wep` for a workload.
    #[serde(borrow)]
    pub dest_type: Cow<'a, str>,
    /// The namespace of who was asked.
    #[serde(borrow)]
    pub dest_namespace: Cow<'a, str>,
    /// The service account of who was asked.
    #[serde(borrow)]
    pub dest_service_account: Cow<'a, str>,
    /// The port where requests arrived.
    pub dest_service_port: Option<u16>,
    /// The method.
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    /// The URL.
    #[serde(borrow)]
    pub url: Cow<'a, str>,
    /// Its path went on: after a whole `segment`, or a `byte`.
    #[serde(borrow)]
    pub url_cut: Cow<'a, str>,
    /// The status.
    #[serde(borrow)]
    pub response_code: Cow<'a, str>,
}

/// What was made of records.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SuggestedPolicies {
    /// Requests that were learned from.
    pub learned: u64,
    /// Requests that were not, and why.
    pub left_out: Vec<LeftOut>,
    /// Policies, one group a workload.
    pub items: Vec<SuggestedPolicy>,
}

/// Requests that were not learned from.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// How many.
    pub requests: u64,
    /// Why, to be read after that.
    pub why: String,
}

/// Policies of a workload, and what they rest on.
#[derive(Clone, Debug, Serialize)]
pub struct SuggestedPolicy {
    /// Its namespace.
    pub namespace: String,
    /// Its service account.
    pub service_account: String,
    /// Services in front of it.
    pub services: Vec<String>,
    /// Requests that were learned from.
    pub requests: u64,
    /// Who sent them.
    pub sources: Vec<PolicySource>,
    /// What there is to know before they are used.
    pub notes: Vec<String>,
    /// What they would have denied in the same records: of what they were made of first.
    pub tried: Vec<PolicyTrial>,
    /// The policies.
    pub yaml: String,
}

/// Who asked at a port.
#[derive(Clone, Debug, Serialize)]
pub struct PolicySource {
    /// Its namespace; none for whoever proved to be no workload.
    pub namespace: Option<String>,
    /// Its service account.
    pub service_account: Option<String>,
    /// The port.
    pub port: u16,
    /// Requests.
    pub requests: u64,
}

/// Policies tried on requests of a kind.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyTrial {
    /// Which requests, to be read after their number.
    pub what: String,
    /// How many.
    pub requests: u64,
    /// How many of them the policies would have denied.
    pub denied: u64,
    /// Some of those, in words.
    pub examples: Vec<String>,
}
