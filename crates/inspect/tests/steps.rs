//! The steps of an inspection, as every way in drives them.

use std::sync::Arc;

use palisade_engine::{RuleSources, load_rules};
use palisade_http::{FramingFinding, RequestHead, ResponseHead};
use palisade_inspect::{
    Action, Answer, Answered, Cause, Clock, Detail, End, Input, Inspection, Lookup, OnFailure, Outcome, Peer,
    Profile, Service, Stance, Standing, Step, StoredVariable, UnixMillis, decide,
};
use palisade_model::{Mode, Stage, Verdict};
use palisade_seclang::MemoryLoader;

const RULES: &str = r#"
SecRequestBodyAccess On
SecResponseBodyAccess On
SecRule ARGS_GET:head "@streq stop" "id:1,phase:1,deny,status:401,log"
SecRule ARGS_POST:body "@streq stop" "id:2,phase:2,deny,log"
SecRule RESPONSE_HEADERS:x-leak "@rx ." "id:3,phase:3,deny,status:502,log"
SecRule RESPONSE_BODY "@contains secret" "id:4,phase:4,deny,status:503,log"
SecRule REQUEST_METHOD "@rx ." "id:5,phase:5,pass,log,msg:'seen'"
"#;

fn service(mode: Mode, rules: &str) -> Arc<Service> {
    let text = Some(("rules".to_owned(), rules.as_bytes().to_vec(), String::new()));
    let loaded = load_rules(&RuleSources { text, ..RuleSources::default() }, &MemoryLoader::new());
    assert!(loaded.rules.is_some(), "{:?}", loaded.diagnostics);
    Service::new("test", Profile::new(mode, loaded.rules))
}

fn head(target: &str) -> RequestHead {
    let mut head = RequestHead {
        line: format!("POST {target} HTTP/1.1").into_bytes(),
        method: b"POST".to_vec(),
        target: target.into(),
        version: b"HTTP/1.1".to_vec(),
        ..RequestHead::default()
    };
    head.headers.push(b"Host", b"a");
    head.headers.push(b"Content-Type", b"application/x-www-form-urlencoded");
    head
}

fn begin(service: &Arc<Service>, head: RequestHead) -> (Inspection, Step) {
    let address = "192.0.2.7:1234".parse().unwrap();
    let peer = Peer {
        peer_addr: address,
        client_addr: address,
        server_addr: address,
        identity: None,
        authenticated: None,
        refused: Vec::new(),
        admission: None,
        towards: None,
        secured: None,
        request_id: "r1".into(),
    };
    Inspection::begin(peer, head, service, Standing::of(service), Detail::Normal, clock())
}

fn clock() -> Clock {
    Clock { now: UnixMillis(1_000_000), utc_offset_seconds: 0, monotonic_micros: 0 }
}

fn feed(inspection: &mut Inspection, input: Input<'_>) -> Step {
    inspection.feed(input, clock())
}

fn outcome(step: Step) -> Outcome {
    match step {
        Step::Outcome(outcome) => outcome,
        other => panic!("an outcome was due, got {other:?}"),
    }
}

fn response(headers: &[(&str, &str)]) -> ResponseHead {
    let mut head = ResponseHead { version: b"HTTP/1.1".to_vec(), status: 200, ..ResponseHead::default() };
    for (name, value) in headers {
        head.headers.push(name.as_bytes(), value.as_bytes());
    }
    head
}

#[test]
fn a_clean_exchange_passes_stage_by_stage() {
    let (mut inspection, step) = begin(&service(Mode::Block, RULES), head("/"));
    assert!(matches!(step, Step::More(_)));
    assert!(inspection.wants_request_body());
    assert!(matches!(feed(&mut inspection, Input::Chunk(b"body=go")), Step::More(_)));
    let request = outcome(feed(&mut inspection, Input::End));
    assert_eq!((request.stage, request.verdict, request.cause), (Stage::Request, Verdict::Pass, Cause::None));
    let step = feed(&mut inspection, Input::ResponseHead(response(&[("content-type", "text/html")])));
    assert!(matches!(step, Step::More(_)), "the body is wanted");
    let _ = feed(&mut inspection, Input::ResponseChunk(b"fine"));
    assert_eq!(outcome(feed(&mut inspection, Input::ResponseEnd)).verdict, Verdict::Pass);
    let report = inspection.finish(End::Complete, clock());
    let lines = report.error_log_lines();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("[id \"5\"]") && lines[0].contains("[unique_id \"r1\"]"), "{lines:?}");
    assert_eq!((report.request_bytes, report.response_bytes), (7, 4));
}

#[test]
fn each_phase_can_stop_the_exchange_where_it_stands() {
    let service = service(Mode::Block, RULES);
    let stopped = |status, rule| (Verdict::Deny { status }, Cause::Rule(palisade_engine::RuleId(rule)));

    let (_, step) = begin(&service, head("/?head=stop"));
    let at_head = outcome(step);
    assert_eq!((at_head.stage, (at_head.verdict, at_head.cause)), (Stage::RequestHead, stopped(401, 1)));

    let (mut inspection, _) = begin(&service, head("/"));
    let _ = feed(&mut inspection, Input::Chunk(b"body=st"));
    let _ = feed(&mut inspection, Input::Chunk(b"op"));
    let at_request = outcome(feed(&mut inspection, Input::End));
    assert_eq!((at_request.stage, (at_request.verdict, at_request.cause)), (Stage::Request, stopped(403, 2)));

    let (mut inspection, _) = begin(&service, head("/"));
    let _ = feed(&mut inspection, Input::End);
    let step = feed(&mut inspection, Input::ResponseHead(response(&[("x-leak", "1")])));
    let at_response_head = outcome(step);
    assert_eq!(
        (at_response_head.stage, (at_response_head.verdict, at_response_head.cause)),
        (Stage::ResponseHead, stopped(502, 3))
    );

    let (mut inspection, _) = begin(&service, head("/"));
    let _ = feed(&mut inspection, Input::End);
    let _ = feed(&mut inspection, Input::ResponseHead(response(&[("content-type", "text/plain")])));
    let _ = feed(&mut inspection, Input::ResponseChunk(b"a sec"));
    let _ = feed(&mut inspection, Input::ResponseChunk(b"ret"));
    let at_response = outcome(feed(&mut inspection, Input::ResponseEnd));
    assert_eq!(
        (at_response.stage, (at_response.verdict, at_response.cause)),
        (Stage::Response, stopped(503, 4))
    );
}

#[test]
fn monitoring_says_what_block_mode_would_have_done_and_goes_on() {
    let service = service(Mode::Monitoring, RULES);
    let (mut inspection, step) = begin(&service, head("/?head=stop"));
    assert!(matches!(step, Step::More(_)), "nothing is stopped at the head");
    let _ = feed(&mut inspection, Input::Chunk(b"body=stop"));
    let request = outcome(feed(&mut inspection, Input::End));
    assert_eq!(request.verdict, Verdict::Deny { status: 401 }, "the first that would have stopped it");
    let stance = Stance { mode: Mode::Monitoring, gray: false, on_failure: OnFailure::Closed };
    assert_eq!(decide(&request, &stance), Action::Forward);
    let ids = inspection.finish(End::Complete, clock()).error_log_lines().join("\n");
    assert!(ids.contains("[id \"1\"]") && ids.contains("[id \"2\"]"), "{ids}");
    assert!(!ids.contains("Access denied"), "{ids}");
}

#[test]
fn odd_framing_is_refused_in_every_mode_after_the_rules_have_seen_it() {
    for mode in [Mode::Off, Mode::Monitoring, Mode::Block] {
        for target in ["/", "/?head=stop"] {
            let mut head = head(target);
            head.findings.push(FramingFinding::ContentLengthDiffers);
            let (mut inspection, step) = begin(&service(mode, RULES), head);
            let decided = match step {
                Step::Outcome(outcome) => outcome,
                _ => outcome(feed(&mut inspection, Input::End)),
            };
            let stance = Stance { mode, gray: false, on_failure: OnFailure::Closed };
            let by_rule = mode == Mode::Block && target != "/";
            let status = if by_rule { 401 } else { 400 };
            assert_eq!(decide(&decided, &stance), Action::Answer { status }, "{mode} {target}");
            let seen = !inspection.finish(End::Aborted, clock()).error_log_lines().is_empty();
            assert_eq!(seen, mode != Mode::Off, "{mode} {target}");
        }
    }
}

#[test]
fn a_body_over_its_limit_stops_without_the_rest() {
    let rules = "SecRequestBodyAccess On\nSecRequestBodyLimit 10\n";
    let (mut inspection, _) = begin(&service(Mode::Block, rules), head("/"));
    assert!(matches!(feed(&mut inspection, Input::Chunk(b"a=1234")), Step::More(_)));
    let over = outcome(feed(&mut inspection, Input::Chunk(b"56789")));
    assert_eq!((over.verdict, over.cause), (Verdict::Deny { status: 413 }, Cause::Limit));
    let lines = inspection.finish(End::Aborted, clock()).error_log_lines();
    assert!(
        lines.iter().any(|line| line.contains("denied with code 413") && line.contains("limit of 10 bytes"))
    );

    let (mut inspection, _) = begin(&service(Mode::Monitoring, rules), head("/"));
    let _ = feed(&mut inspection, Input::Chunk(b"a=123456789"));
    let _ = feed(&mut inspection, Input::End);
    let lines = inspection.finish(End::Complete, clock()).error_log_lines();
    assert!(
        lines.iter().any(|line| line.contains("Warning. ") && line.contains("limit of 10 bytes")),
        "{lines:?}"
    );
}

#[test]
fn a_collection_is_asked_for_and_its_changes_leave_as_operations() {
    let rules = r#"
SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.count=+1"
SecRule IP:count "@ge 3" "id:2,phase:1,deny,status:429,log"
"#;
    let service = service(Mode::Block, rules);
    for (stored, verdict) in [("1", None), ("2", Some(Verdict::Deny { status: 429 }))] {
        let (mut inspection, step) = begin(&service, head("/"));
        let Step::Need(Lookup::Collection(key)) = step else { panic!("a collection was due, got {step:?}") };
        assert_eq!(key.key, b"192.0.2.7");
        let variable = StoredVariable {
            name: b"count".to_vec(),
            value: stored.into(),
            expires: None,
            changed: UnixMillis(0),
        };
        let step = inspection.resume(Answered::Answer(Answer::Collection(vec![variable])), clock());
        match verdict {
            None => assert!(matches!(step, Step::More(_)), "{step:?}"),
            Some(verdict) => assert_eq!(outcome(step).verdict, verdict),
        }
        let report = inspection.finish(End::Complete, clock());
        assert_eq!(report.operations.len(), 1);
        assert_eq!(report.operations[0].name, b"count");
    }
}

#[test]
fn an_inspection_moves_between_threads() {
    let (inspection, _) = begin(&service(Mode::Block, RULES), head("/"));
    let lines = std::thread::spawn(move || inspection.finish(End::Aborted, clock()).error_log_lines().len());
    assert_eq!(lines.join().unwrap(), 1);
}

#[test]
fn a_client_that_uses_up_the_lookups_is_not_inspected() {
    let rules = r#"SecRule ARGS "@rbl list.example" "id:1,phase:1,deny""#;
    for (arguments, action) in [(32, Action::Forward), (33, Action::Answer { status: 403 })] {
        let query: Vec<String> = (0..arguments).map(|n| format!("a=host{n}")).collect();
        let (mut inspection, mut step) =
            begin(&service(Mode::Block, rules), head(&format!("/?{}", query.join("&"))));
        while matches!(step, Step::Need(_)) {
            step = inspection.resume(Answered::Answer(Answer::Dns(None)), clock());
        }
        let outcome = outcome(feed(&mut inspection, Input::End));
        assert_eq!(outcome.verdict, Verdict::Pass);
        let stance = Stance { mode: Mode::Block, gray: false, on_failure: OnFailure::Closed };
        assert_eq!(decide(&outcome, &stance), action, "{arguments} arguments");
    }
}

#[test]
fn mode_off_inspects_nothing() {
    let (mut inspection, step) = begin(&service(Mode::Off, RULES), head("/?head=stop"));
    assert!(matches!(step, Step::More(_)));
    assert!(!inspection.wants_request_body());
    assert_eq!(outcome(feed(&mut inspection, Input::End)).verdict, Verdict::Pass);
    assert!(inspection.finish(End::Complete, clock()).error_log_lines().is_empty());
}

#[test]
fn the_stricter_of_the_rules_bounds_and_the_profiles_wins() {
    let rules = "SecRequestBodyAccess On\nSecRequestBodyLimit 100\nSecRequestBodyLimitAction Reject\nSecResponseBodyAccess On\n\
        SecResponseBodyMimeType text/plain\nSecResponseBodyLimit 100\nSecResponseBodyLimitAction ProcessPartial\nSecArgumentsLimit 3\n\
        SecRule &ARGS_POST \"@gt 2\" \"id:1,phase:2,deny,status:406\"\n";
    let service = |limits: &str| {
        let text = format!(
            "services: [{{name: s, upstream: {{url: \"http://a\"}}}}]\nprofiles: {{default: {{mode: block, limits: {{{limits}}}}}}}"
        );
        let file = palisade_config::File { text: text.as_bytes(), folder: "" };
        let config =
            palisade_config::read(Some(file), &palisade_config::Overrides::default()).config.unwrap();
        let profile = config.profiles.iter().next().unwrap().1;
        let rules = self::service(Mode::Block, rules).profile.rules.clone();
        Service::new("s", Profile::of(profile, rules))
    };
    // What a request body of so many bytes comes to.
    let request = |limits: &str, bytes: usize| {
        let (mut inspection, _) = begin(&service(limits), head("/"));
        match feed(&mut inspection, Input::Chunk(&vec![b'x'; bytes])) {
            Step::Outcome(outcome) => outcome.verdict,
            _ => outcome(feed(&mut inspection, Input::End)).verdict,
        }
    };
    let (pass, deny) = (Verdict::Pass, |status| Verdict::Deny { status });
    assert_eq!(request("requestBody: 50B", 60), deny(413));
    assert_eq!(request("requestBody: 50B", 50), pass);
    assert_eq!(request("requestBody: 50B, onRequestBody: partial", 60), pass);
    assert_eq!(request("requestBody: 50B, onRequestBody: partial", 160), pass, "the stricter one's word");
    assert_eq!(request("requestBody: 1MiB, onRequestBody: partial", 101), deny(413));

    let response = |limits: &str, bytes: usize| {
        let (mut inspection, _) = begin(&service(limits), head("/"));
        let _ = feed(&mut inspection, Input::End);
        let mut head = ResponseHead { status: 200, ..ResponseHead::default() };
        head.headers.push(b"Content-Type", b"text/plain");
        let _ = feed(&mut inspection, Input::ResponseHead(head));
        assert!(inspection.wants_response_body());
        match feed(&mut inspection, Input::ResponseChunk(&vec![b'x'; bytes])) {
            Step::Outcome(outcome) => outcome.verdict,
            _ => outcome(feed(&mut inspection, Input::ResponseEnd)).verdict,
        }
    };
    assert_eq!(response("responseBody: 50B, onResponseBody: reject", 51), deny(502));
    assert_eq!(response("responseBody: 50B, onResponseBody: reject", 50), pass);
    assert_eq!(response("responseBody: 50B", 51), pass);
    assert_eq!(response("responseBody: 1MiB, onResponseBody: reject", 101), pass, "the rules' own word");

    let arguments = |limits: &str| {
        let (mut inspection, _) = begin(&service(limits), head("/"));
        let _ = feed(&mut inspection, Input::Chunk(b"a=1&b=2&c=3&d=4"));
        outcome(feed(&mut inspection, Input::End)).verdict
    };
    assert_eq!(arguments("arguments: 2"), pass, "the third is not kept");
    assert_eq!(arguments("arguments: 1000"), deny(406));
}
