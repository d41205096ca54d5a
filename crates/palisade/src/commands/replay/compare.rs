//! What was decided then beside what would be decided now.
//!
//! A doubt is a reason why an answer about the copy need not be the answer about the request. Doubts matter only where
//! another answer is possible: where the same inspection looked at the request then (`inspected_by`), its answer is known;
//! where something was found then and is found now, nothing that the copy lacks takes that away.

use std::fmt;

use palisade_events::recording::{Decided, Outcome};

use super::copies::{Copy, Then};
use super::judge::Judged;

/// What becomes of a request by the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// What became of it before.
    Same,
    /// Something else.
    Flip(Flip),
    /// The copy does not say.
    Undecidable(Doubt),
}

/// How an outcome differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Flip {
    /// It would be stopped now, and was not.
    NewlyBlocked,
    /// It was stopped, and would not be.
    NoLongerBlocked,
    /// The mode stops nothing; something would be found now and was not.
    NewlyWouldBlock,
    /// Something was found, in a mode that stops nothing, and would not be.
    NoLongerWouldBlock,
}

impl Flip {
    pub(crate) const ALL: [Self; 4] =
        [Self::NewlyBlocked, Self::NoLongerBlocked, Self::NewlyWouldBlock, Self::NoLongerWouldBlock];

    fn of(then: Outcome, now: Outcome) -> Option<Self> {
        match (then, now) {
            (then, now) if then == now => None,
            (_, Outcome::Blocked) => Some(Self::NewlyBlocked),
            (Outcome::Blocked, _) => Some(Self::NoLongerBlocked),
            (_, Outcome::WouldBlock) => Some(Self::NewlyWouldBlock),
            (_, Outcome::Pass) => Some(Self::NoLongerWouldBlock),
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NewlyBlocked => "newly_blocked",
            Self::NoLongerBlocked => "no_longer_blocked",
            Self::NewlyWouldBlock => "newly_would_block",
            Self::NoLongerWouldBlock => "no_longer_would_block",
        }
    }

    /// In a sentence about requests.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::NewlyBlocked => "newly blocked",
            Self::NoLongerBlocked => "no longer blocked",
            Self::NewlyWouldBlock => "newly would be blocked",
            Self::NoLongerWouldBlock => "no longer would be blocked",
        }
    }

    /// Whether more is stopped by it.
    pub(crate) fn is_stricter(self) -> bool {
        matches!(self, Self::NewlyBlocked | Self::NewlyWouldBlock)
    }
}

/// Why an answer about a copy need not be that about the request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Doubt {
    /// No route of the configuration takes it.
    NoRoute,
    /// The copy has the beginning of the body.
    BodyCut,
    /// The copy has nothing of the body.
    BodyUnseen,
    /// Values at these places are replaced in the copy, and were such as attacks are written with.
    NotPlain(Vec<String>),
    /// What was found then was found in a value that the copy does not have.
    FoundInMasked,
    /// What is found now is found in what took a value's place.
    FoundInStandIn,
    /// Rules asked for a collection, whose contents are not in the copy.
    Collections,
    /// Rules asked for a name's address, or for the place of one.
    World,
    /// It was decided by the response.
    Response,
    /// It was above a rate limit.
    Rate,
    /// The inspection failed then.
    Failed,
    /// It was decided by a check that a copy cannot be put to.
    Cause(String),
    /// Policies ask who asks, which a HAR does not say.
    NoConnection,
    /// Lists ask from where, which a HAR does not say.
    NoSource,
    /// Policies come from an agent, which is not here.
    PoliciesElsewhere,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoute => "no route of the configuration takes it",
            Self::BodyCut => "the copy has only the beginning of the body",
            Self::BodyUnseen => "the copy does not have the body",
            Self::NotPlain(places) => {
                return write!(f, "a masked value was not plain ({})", places.join(", "));
            }
            Self::FoundInMasked => "what was found then is masked in the copy",
            Self::FoundInStandIn => "what is found is found in what stands for a masked value",
            Self::Collections => "rules ask for a collection, whose contents are not in the copy",
            Self::World => "rules ask for the address of a name, or the place of an address",
            Self::Response => "it was decided by the response, which is not in the copy",
            Self::Rate => "it was above a rate limit, which hangs on other requests",
            Self::Failed => "its inspection failed then",
            Self::Cause(cause) => return write!(f, "it was decided by {cause}, which cannot be replayed"),
            Self::NoConnection => "policies ask who asks, which a HAR does not say",
            Self::NoSource => "lists ask from where it comes, which a HAR does not say",
            Self::PoliciesElsewhere => "policies come from an agent, which is not asked",
        })
    }
}

/// Compares. Gives what was decided before, as it was recorded or by another configuration; without either a request passed.
pub(crate) fn compare(copy: &Copy, before: Option<Judged>, now: &Judged) -> (Decided, Change) {
    let (then, inspected_by, mut doubts) = match (before, &copy.then) {
        (Some(before), _) => (before.decided, before.inspected_by.to_string(), before.doubts),
        (None, Some(Then { decided, inspected_by, .. })) => {
            (decided.clone(), inspected_by.clone(), of_the_past(decided))
        }
        (None, None) => (Decided::default(), String::new(), Vec::new()),
    };
    doubts.extend(now.doubts.iter().cloned());
    let flip = Flip::of(then.outcome, now.decided.outcome);
    if flip.is_some() {
        if then.by_masked {
            doubts.push(Doubt::FoundInMasked);
        }
        if now.decided.by_masked && now.decided.outcome != Outcome::Pass {
            doubts.push(Doubt::FoundInStandIn);
        }
    }
    let change = match doubts.into_iter().next() {
        None => flip.map_or(Change::Same, Change::Flip),
        Some(doubt) => {
            let same_inspection = !inspected_by.is_empty()
                && *inspected_by == *now.inspected_by
                && is_inspections(&then.cause)
                && !matches!(doubt, Doubt::PoliciesElsewhere | Doubt::NoConnection | Doubt::NoSource);
            let found_both_times = then.outcome != Outcome::Pass && now.decided.outcome != Outcome::Pass;
            if same_inspection {
                // What it found then it finds now; what that leads to is the mode's to say.
                let now = match then.outcome {
                    Outcome::Pass => Outcome::Pass,
                    _ if now.enforces => Outcome::Blocked,
                    _ => Outcome::WouldBlock,
                };
                Flip::of(then.outcome, now).map_or(Change::Same, Change::Flip)
            } else if found_both_times && doubt.leaves_findings() {
                flip.map_or(Change::Same, Change::Flip)
            } else {
                Change::Undecidable(doubt)
            }
        }
    };
    (then, change)
}

impl Doubt {
    /// A cause that needs more than a copy has: what a check of who asks says hangs on a token that is masked.
    pub(crate) fn of_cause(cause: &str) -> Option<Self> {
        match cause.split(' ').next().unwrap_or_default() {
            "" | "rule" | "finding" | "limit" | "framing" | "policy" | "list" | "patch" | "incomplete" => {
                None
            }
            "rate" => Some(Self::Rate),
            "failure" => Some(Self::Failed),
            other => Some(Self::Cause(other.to_owned())),
        }
    }

    /// Whether what was found in the copy would be found in the request as well.
    fn leaves_findings(&self) -> bool {
        // A body that is cut is broken JSON; a collection may hold what lets somebody pass.
        !matches!(
            self,
            Self::NoRoute | Self::BodyCut | Self::Collections | Self::World | Self::FoundInStandIn
        )
    }
}

/// What of a decision cannot be had from a copy.
fn of_the_past(then: &Decided) -> Vec<Doubt> {
    let by_response = then.outcome != Outcome::Pass && then.stage.starts_with("response");
    let doubt = if by_response { Some(Doubt::Response) } else { Doubt::of_cause(&then.cause) };
    doubt.into_iter().collect()
}

/// Whether rules and detector decided, whose digest is known.
fn is_inspections(cause: &str) -> bool {
    matches!(cause.split(' ').next(), Some("" | "rule" | "finding" | "limit" | "incomplete"))
}
