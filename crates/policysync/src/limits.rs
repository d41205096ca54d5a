//! What one stream may make us hold. The agent is trusted to say who may pass, not to fit into memory.

/// A message at most, in bytes: what gRPC takes by default, and what the agent splits its sets for. A longer one ends the
/// stream.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bounds of what a stream may say. What goes beyond one is refused and decides against whoever asks.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Sets of addresses. A policy that names one more is never shown.
    pub sets_max: usize,
    /// Members of all sets together. A set with one more has members that nobody knows.
    pub members_max: usize,
    /// Policies and profiles. An endpoint that names one more is never shown.
    pub policies_max: usize,
    /// Rules of all of them together. A policy with one more denies.
    pub rules_max: usize,
    /// Endpoints. One more is not known, so that nobody may ask it.
    pub endpoints_max: usize,
    /// Service accounts and namespaces. Of one more only the name is known.
    pub accounts_max: usize,
    /// What policies, profiles, endpoints and accounts name or say, in bytes as they came; as the limit of their kind.
    pub bytes_max: usize,
    /// An id or a name, in bytes.
    pub name_bytes_max: usize,
    /// Names in all policies, profiles and endpoints together; as the limit of their kind.
    pub references_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Large clusters have 3,708 sets with 256,000 members, 294 policies of 68 rules.
            sets_max: 20_000,
            members_max: 2_000_000,
            policies_max: 20_000,
            rules_max: 200_000,
            endpoints_max: 4_096,
            accounts_max: 100_000,
            bytes_max: 256 * 1024 * 1024,
            name_bytes_max: 1024,
            references_max: 1_000_000,
        }
    }
}
