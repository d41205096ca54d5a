//! What was decided about a request, in the words of a recording: the same function says it of a request that was served
//! and of one that is replayed, so that the two can be compared.

use palisade_engine::Phase;
use palisade_events::recording::{Decided, Outcome};
use palisade_inspect::{Cause, OnFailure, Report, Stance, cause_word};
use palisade_model::{Stage, Verdict};

/// Rules and findings that one decision names.
const NAMED_MAX: usize = 64;

/// What was decided. `report`: `None` where the inspection failed; `stopped`: a check stopped it.
pub(crate) fn decided(report: Option<&Report>, stopped: bool, stance: Stance) -> Decided {
    let mode = stance.mode.to_string();
    let Some(report) = report else {
        return Decided {
            outcome: Outcome::Blocked,
            cause: "failure".to_owned(),
            mode,
            ..Decided::default()
        };
    };
    let last = report.outcome.as_ref();
    let incomplete = last.is_some_and(|outcome| outcome.incomplete);
    let closed = incomplete && stance.on_failure == OnFailure::Closed;
    let outcome = match report.verdict() {
        _ if stopped => Outcome::Blocked,
        Verdict::Pass if !closed => Outcome::Pass,
        _ => Outcome::WouldBlock,
    };
    let cause = last.map_or(Cause::None, |outcome| outcome.cause);
    let word = cause_word(cause, incomplete).unwrap_or_default();
    let cause = match cause {
        Cause::Rule(rule) => format!("{word} {rule}"),
        Cause::Finding(attack) => format!("{word} {}", attack.name()),
        Cause::Framing(finding) => format!("{word} {}", finding.name()),
        _ => word.to_owned(),
    };
    let matches = report.transaction().map_or(&[][..], |transaction| transaction.matches());
    // Rules of the logging phase decide nothing: CRS's sum up what was found.
    let decides = matches.iter().filter(|matched| matched.phase < Phase::Logging);
    let told = decides.filter(|matched| matched.logged || matched.interrupted.is_some());
    let mut rules: Vec<u64> = told.map(|matched| matched.id.0).collect();
    rules.sort_unstable();
    rules.dedup();
    rules.truncate(NAMED_MAX);
    let mut findings: Vec<String> =
        report.notable_findings().map(|finding| finding.attack.name().to_owned()).collect();
    findings.sort_unstable();
    findings.dedup();
    Decided {
        outcome,
        status: report.verdict().status(),
        cause,
        stage: last.map(|outcome| stage_word(outcome.stage).to_owned()).unwrap_or_default(),
        rules,
        findings,
        by_masked: false,
        mode,
    }
}

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::RequestHead => "request_head",
        Stage::Request => "request",
        Stage::ResponseHead => "response_head",
        Stage::Response => "response",
    }
}
