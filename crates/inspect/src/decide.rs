//! From outcome to action: the one place where mode, lists and failure meet a verdict.

use palisade_model::{Mode, Verdict};

use crate::inspection::{Cause, Outcome};
use crate::profile::OnFailure;

/// What decides beside the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stance {
    /// The mode in force.
    pub mode: Mode,
    /// The source is on the gray list.
    pub gray: bool,
    /// What a failure to inspect means.
    pub on_failure: OnFailure,
}

/// What is done with the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    Forward,
    /// It is answered by us.
    Answer {
        /// The status.
        status: u16,
    },
    /// It is redirected by us.
    Redirect {
        /// The status.
        status: u16,
        /// The Location.
        location: String,
    },
    /// The connection is closed without an answer.
    Close,
}

/// Decides. Refusals of framing, by policy, by the deny list, by rate limits and by authentication are no verdicts of
/// the firewall and act in every mode; patches in every one but off.
pub fn decide(outcome: &Outcome, stance: &Stance) -> Action {
    let stops = match outcome.cause {
        Cause::Framing(_) | Cause::Policy | Cause::List | Cause::Rate | Cause::Authentication => true,
        Cause::Patch => stance.mode != Mode::Off,
        Cause::None | Cause::Rule(_) | Cause::Limit | Cause::Finding(_) | Cause::Specification(_) => {
            match stance.mode {
                Mode::Off | Mode::Monitoring => false,
                Mode::SafeBlocking => stance.gray,
                Mode::Block => true,
            }
        }
    };
    if !stops {
        return Action::Forward;
    }
    match &outcome.verdict {
        Verdict::Deny { status } => Action::Answer { status: *status },
        Verdict::Drop => Action::Close,
        Verdict::Redirect { status, location } => {
            Action::Redirect { status: *status, location: location.clone() }
        }
        // Nothing was found, but not everything was looked at.
        Verdict::Pass if outcome.incomplete && stance.on_failure == OnFailure::Closed => {
            Action::Answer { status: 403 }
        }
        Verdict::Pass => Action::Forward,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use palisade_engine::RuleId;
    use palisade_http::FramingFinding;
    use palisade_model::Stage;

    fn outcome(verdict: Verdict, cause: Cause, incomplete: bool) -> Outcome {
        Outcome { stage: Stage::Request, verdict, cause, incomplete }
    }

    fn stance(mode: Mode, gray: bool, on_failure: OnFailure) -> Stance {
        Stance { mode, gray, on_failure }
    }

    #[test]
    fn a_rules_denial_acts_by_mode() {
        let denied = outcome(Verdict::Deny { status: 406 }, Cause::Rule(RuleId(1)), false);
        let answer = Action::Answer { status: 406 };
        for (mode, gray, action) in [
            (Mode::Off, false, Action::Forward),
            (Mode::Monitoring, true, Action::Forward),
            (Mode::SafeBlocking, false, Action::Forward),
            (Mode::SafeBlocking, true, answer.clone()),
            (Mode::Block, false, answer.clone()),
        ] {
            assert_eq!(decide(&denied, &stance(mode, gray, OnFailure::Closed)), action, "{mode} gray {gray}");
        }
    }

    #[test]
    fn a_breach_acts_by_mode_and_a_patch_in_every_one_but_off() {
        let denied = |cause| outcome(Verdict::Deny { status: 403 }, cause, false);
        let answer = Action::Answer { status: 403 };
        for mode in Mode::ALL {
            let stance = stance(mode, false, OnFailure::Closed);
            let breach = denied(Cause::Specification(palisade_model::Attack::UndefinedEndpoint));
            assert_eq!(decide(&breach, &stance) == answer, mode == Mode::Block, "{mode}");
            assert_eq!(decide(&denied(Cause::Patch), &stance) == answer, mode != Mode::Off, "{mode}");
        }
    }

    #[test]
    fn framing_is_refused_in_every_mode() {
        let refused = outcome(
            Verdict::Deny { status: 400 },
            Cause::Framing(FramingFinding::ContentLengthDiffers),
            false,
        );
        for mode in Mode::ALL {
            let action = decide(&refused, &stance(mode, false, OnFailure::Open));
            assert_eq!(action, Action::Answer { status: 400 }, "{mode}");
        }
    }

    #[test]
    fn what_was_not_inspected_does_not_pass_closed() {
        let unclear = outcome(Verdict::Pass, Cause::None, true);
        assert_eq!(
            decide(&unclear, &stance(Mode::Block, false, OnFailure::Closed)),
            Action::Answer { status: 403 }
        );
        assert_eq!(decide(&unclear, &stance(Mode::Block, false, OnFailure::Open)), Action::Forward);
        assert_eq!(decide(&unclear, &stance(Mode::Monitoring, false, OnFailure::Closed)), Action::Forward);
    }
}
