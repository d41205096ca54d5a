//! What then and now come to, row by row; the whole way is in `tests/replay.rs`.

use std::sync::Arc;

use palisade_events::recording::{BodyCopy, Decided, Outcome, Recorded};

use super::compare::{Change, Doubt, Flip, compare};
use super::copies::{Copy, copy_of};
use super::judge::Judged;

fn decided(outcome: Outcome, cause: &str) -> Decided {
    let stage = if cause.is_empty() { "" } else { "request" };
    Decided { outcome, cause: cause.to_owned(), stage: stage.to_owned(), ..Decided::default() }
}

fn copy(then: Decided, inspected_by: &str) -> Copy {
    let record = Recorded { decided: then, inspected_by: inspected_by.to_owned(), ..Recorded::default() };
    copy_of(record, 1)
}

fn judged(decided: Decided, doubts: Vec<Doubt>, enforces: bool) -> Judged {
    Judged {
        service: Some("shop".to_owned()),
        inspected_by: Arc::from("now"),
        decided,
        enforces,
        doubts,
        target: "/".to_owned(),
    }
}

use Outcome::{Blocked, Pass, WouldBlock};

#[test]
fn outcomes_flip_by_what_they_were_and_are() {
    for (then, now, change) in [
        (Pass, Pass, None),
        (Pass, WouldBlock, Some(Flip::NewlyWouldBlock)),
        (Pass, Blocked, Some(Flip::NewlyBlocked)),
        (WouldBlock, Pass, Some(Flip::NoLongerWouldBlock)),
        (WouldBlock, WouldBlock, None),
        (WouldBlock, Blocked, Some(Flip::NewlyBlocked)),
        (Blocked, Pass, Some(Flip::NoLongerBlocked)),
        (Blocked, WouldBlock, Some(Flip::NoLongerBlocked)),
        (Blocked, Blocked, None),
    ] {
        let cause = |outcome| if outcome == Pass { "" } else { "rule 1" };
        let now = judged(decided(now, cause(now)), Vec::new(), true);
        let (_, found) = compare(&copy(decided(then, cause(then)), "then"), None, &now);
        assert_eq!(found, change.map_or(Change::Same, Change::Flip), "{then:?}");
    }
}

#[test]
fn what_the_past_hangs_on_is_undecidable() {
    for (cause, stage, doubt) in [
        ("rate", "request_head", Some(Doubt::Rate)),
        ("failure", "", Some(Doubt::Failed)),
        ("rule 7", "response", Some(Doubt::Response)),
        ("authentication", "request_head", Some(Doubt::Cause("authentication".into()))),
        ("policy", "request_head", None),
        ("list", "request_head", None),
        ("framing bare_lf", "request_head", None),
    ] {
        let then = Decided { stage: stage.to_owned(), ..decided(Blocked, cause) };
        let now = judged(decided(Pass, ""), Vec::new(), true);
        let (_, change) = compare(&copy(then, "then"), None, &now);
        assert_eq!(change, doubt.map_or(Change::Flip(Flip::NoLongerBlocked), Change::Undecidable), "{cause}");
    }
}

#[test]
fn a_doubt_matters_only_where_another_answer_is_possible() {
    let doubt = || vec![Doubt::NotPlain(vec!["header:cookie".into()])];
    let row = |then: Decided, by: &str, now: Decided, doubts: Vec<Doubt>, enforces: bool| {
        compare(&copy(then, by), None, &judged(now, doubts, enforces)).1
    };
    let (rule, pass) = (|outcome| decided(outcome, "rule 1"), || decided(Pass, ""));
    // The same inspection: what it found then it finds now, and the mode says what that leads to.
    assert_eq!(row(pass(), "now", pass(), doubt(), true), Change::Same);
    assert_eq!(row(rule(WouldBlock), "now", pass(), doubt(), true), Change::Flip(Flip::NewlyBlocked));
    assert_eq!(row(rule(Blocked), "now", pass(), doubt(), false), Change::Flip(Flip::NoLongerBlocked));
    // Policy was no inspection's: another one may say something else.
    let policy = decided(Blocked, "policy");
    let unseen = || vec![Doubt::BodyUnseen];
    assert_eq!(row(policy, "now", pass(), unseen(), true), Change::Undecidable(Doubt::BodyUnseen));
    // Another inspection.
    assert!(matches!(row(pass(), "then", pass(), doubt(), true), Change::Undecidable(_)));
    assert_eq!(row(rule(Blocked), "then", rule(Blocked), unseen(), true), Change::Same);
    let cut = || vec![Doubt::BodyCut];
    assert!(matches!(row(rule(Blocked), "then", rule(Blocked), cut(), true), Change::Undecidable(_)));
    // Nobody knows what inspected it.
    assert!(matches!(row(pass(), "", pass(), doubt(), true), Change::Undecidable(_)));
}

#[test]
fn what_was_found_in_a_masked_value_is_no_pass_and_what_is_found_in_a_stand_in_is_no_block() {
    let by_masked = |outcome| Decided { by_masked: true, ..decided(outcome, "rule 1") };
    let pass = || decided(Pass, "");
    let row =
        |then: Decided, now: Decided| compare(&copy(then, "then"), None, &judged(now, Vec::new(), true)).1;
    assert_eq!(row(by_masked(Blocked), pass()), Change::Undecidable(Doubt::FoundInMasked));
    assert_eq!(row(pass(), by_masked(Blocked)), Change::Undecidable(Doubt::FoundInStandIn));
    assert_eq!(row(by_masked(Blocked), by_masked(Blocked)), Change::Same);
    // More was found then than is masked: it is stopped whatever the password is.
    assert_eq!(row(by_masked(WouldBlock), decided(Blocked, "rule 2")), Change::Flip(Flip::NewlyBlocked));
}

#[test]
fn a_hostile_record_is_a_request_like_any_other() {
    let record = Recorded {
        odd: vec!["no such thing".into(), "host_repeated".into()],
        identity: Some(palisade_events::recording::Identity {
            certificate: b"\x30\x82no certificate"[..].into(),
            trusted: true,
        }),
        tls: Some(palisade_events::recording::Tls { version: "TLSv9".into(), ..Default::default() }),
        peer: Some("[::1]:0".parse().unwrap()),
        body_copy: BodyCopy::Unseen,
        ..Recorded::default()
    };
    let copy = copy_of(record, 7);
    assert_eq!((&*copy.id, copy.exchange.head.findings.len()), ("#7", 1));
    let peer = copy.connection.unwrap().peer;
    assert!(peer.secured.is_none() && peer.identity.unwrap().spiffe_id().is_none(), "nobody is believed");
}
