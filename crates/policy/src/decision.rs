//! What was decided, and why.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::clause::{Clause, Doubt};
use crate::object::PolicyId;
use crate::rule::Action;

/// What comes of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may.
    Allow,
    /// It may not.
    Deny,
    /// Its requests have to be asked about, one by one; or its certificate, which is yet to come.
    NeedsHttp,
}

impl Verdict {
    /// `allow`, `deny` or `needs-http`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::NeedsHttp => "needs-http",
        }
    }
}

/// A decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What was decided.
    pub verdict: Verdict,
    /// Why, in one word of [`Reason`].
    pub reason: Reason,
    /// Each stop on the way, the last one decided. Empty where nobody was asked.
    pub trace: Vec<Stop>,
    /// An address that is not known yet, where the decision hangs on who has it: a caller that may wait asks again when
    /// more is known, and with [`Patience::Over`](crate::Patience::Over) when it has waited.
    pub awaits: Option<IpAddr>,
}

/// Why a decision is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A rule matched.
    Rule,
    /// A Deny rule that could not be decided counts as a match.
    Undecided(Clause, Doubt),
    /// No rule of a tier matched, though some of its policies select the workload.
    TierDefault,
    /// No policy and no profile says anything.
    NoProfileMatched,
    /// The workload that we stand before is not known.
    UnknownWorkload,
    /// The store names a policy that it does not have.
    MissingPolicy,
    /// The store is not complete yet.
    NotSynced,
    /// The decision needs a request.
    NeedsHttp,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule => f.write_str("a rule matched"),
            Self::Undecided(clause, doubt) => {
                write!(f, "a Deny rule acts where {clause} cannot be decided: {doubt}")
            }
            Self::TierDefault => f.write_str("no rule of the tier's policies matched"),
            Self::NoProfileMatched => f.write_str("no policy and no profile allows it"),
            Self::UnknownWorkload => f.write_str("the protected workload is not known"),
            Self::MissingPolicy => f.write_str("a policy that applies is missing from the store"),
            Self::NotSynced => f.write_str("no policies have come yet, and policy fails closed"),
            Self::NeedsHttp => f.write_str("its requests decide"),
        }
    }
}

/// One stop on the way of a decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// The tier; [`PROFILE_TIER`] for profiles.
    pub tier: Arc<str>,
    /// Who spoke; at a tier's end the first policy of the tier.
    pub policy: Speaker,
    /// Which rule of its list, from 0; `None` at a tier's end.
    pub rule_index: Option<usize>,
    /// What it did.
    pub action: Action,
}

/// Who a decision comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Speaker {
    /// A policy.
    Policy(Arc<PolicyId>),
    /// A profile.
    Profile(Arc<str>),
}

impl fmt::Display for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(id) => id.fmt(f),
            Self::Profile(name) => f.write_str(name),
        }
    }
}

/// The tier that profiles are shown in.
pub const PROFILE_TIER: &str = "__PROFILE__";

impl Decision {
    pub(crate) fn denied(reason: Reason) -> Self {
        Self { verdict: Verdict::Deny, reason, trace: Vec::new(), awaits: None }
    }

    /// The stop that decided.
    #[must_use]
    pub fn decisive(&self) -> Option<&Stop> {
        self.trace.last()
    }

    /// Whether it is an Allow.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.verdict == Verdict::Allow
    }
}

/// What an evaluation of staged policies adds: the decision in force, and what it would be if all that is staged were.
#[derive(Clone, Debug, PartialEq)]
pub struct Decisions {
    /// In force.
    pub enforced: Decision,
    /// If what is staged were in force; `None` where nothing that concerns the workload is staged.
    pub pending: Option<Decision>,
}

/// The rule that came nearest to allowing what was denied.
#[derive(Clone, Debug, PartialEq)]
pub struct NearMiss {
    /// The tier.
    pub tier: Arc<str>,
    /// Whose rule.
    pub policy: Speaker,
    /// Which, from 0.
    pub rule_index: usize,
    /// The clause that failed first.
    pub clause: Clause,
    /// Why, where it could not be decided.
    pub doubt: Option<Doubt>,
}
