//! What leaves a report: secrets do not, and what a finding is about does.

use palisade_engine::{RuleSources, load_rules};
use palisade_http::{RequestHead, ResponseHead};
use palisade_inspect::{
    Clock, Detail, End, Input, Inspection, Peer, Profile, Report, Sent, Service, Standing, UnixMillis,
};
use palisade_model::{EngineMode, Event, EventAction, EventKind, Interception, Mode};
use palisade_seclang::MemoryLoader;

const AUDIT: &str = r#"
SecRequestBodyAccess On
SecResponseBodyAccess On
SecAuditEngine RelevantOnly
SecAuditLogRelevantStatus "^5"
SecAuditLogParts ABCEFHZ
SecRule REQUEST_HEADERS:Content-Type "@contains json" "id:90,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
"#;

struct Asked<'a> {
    rules: &'a str,
    mode: Mode,
    target: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
    response: &'a str,
}

impl Default for Asked<'_> {
    fn default() -> Self {
        Self { rules: "", mode: Mode::Block, target: "/", headers: &[], body: "", response: "" }
    }
}

fn report(asked: &Asked<'_>) -> Report {
    let text = Some(("rules".to_owned(), format!("{AUDIT}{}", asked.rules).into_bytes(), String::new()));
    let loaded = load_rules(&RuleSources { text, ..RuleSources::default() }, &MemoryLoader::new());
    assert!(loaded.rules.is_some(), "{:?}", loaded.diagnostics);
    let profile = Profile::new(asked.mode, loaded.rules);
    let service = Service::new("test", profile);
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
    let clock = Clock { now: UnixMillis(1_578_613_306_195), utc_offset_seconds: 0, monotonic_micros: 0 };
    let mut head = RequestHead {
        line: format!("POST {} HTTP/1.1", asked.target).into_bytes(),
        method: b"POST".to_vec(),
        target: asked.target.into(),
        version: b"HTTP/1.1".to_vec(),
        ..RequestHead::default()
    };
    head.headers.push(b"Host", b"a");
    for (name, value) in asked.headers {
        head.headers.push(name.as_bytes(), value.as_bytes());
    }
    let (mut inspection, _) =
        Inspection::begin(peer, head, &service, Standing::of(&service), Detail::Normal, clock);
    for chunk in asked.body.as_bytes().chunks(7) {
        let _ = inspection.feed(Input::Chunk(chunk), clock);
    }
    let _ = inspection.feed(Input::End, clock);
    if !asked.response.is_empty() {
        let mut head = ResponseHead { version: b"HTTP/1.1".to_vec(), status: 200, ..ResponseHead::default() };
        head.headers.push(b"Content-Type", b"text/html");
        head.headers.push(b"Set-Cookie", b"id=hunter2; Path=/");
        let _ = inspection.feed(Input::ResponseHead(head), clock);
        let _ = inspection.feed(Input::ResponseChunk(asked.response.as_bytes()), clock);
        let _ = inspection.feed(Input::ResponseEnd, clock);
    }
    inspection.finish(End::Complete, clock)
}

/// All that leaves, as one text.
fn all(report: &Report) -> String {
    let redacted = report.redacted();
    let sent = Sent { status: Some(500), duration_micros: 1 };
    let event = redacted.event(&redacted.messages(), true);
    format!("{:#?}\n{:#?}\n{event:#?}", redacted.error_log_lines(), redacted.audit_record(sent))
}

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

#[test]
fn the_attack_is_shown_and_the_passwords_beside_it_are_not() {
    let asked = Asked {
        rules: r#"
SecRule ARGS|REQUEST_URI|REQUEST_BODY|REQUEST_LINE "@rx (?i)union\s+select" "id:1,phase:2,deny,log,capture,msg:'SQL %{MATCHED_VAR_NAME}',logdata:'%{TX.0} in %{MATCHED_VAR_NAME}: %{MATCHED_VAR}'"
SecRule REQUEST_URI "@contains union" "id:2,phase:1,pass,log,t:urlDecodeUni,t:lowercase,logdata:'%{MATCHED_VAR}'"
SecRule REQUEST_BODY "@contains hunter" "id:3,phase:2,pass,log,logdata:'%{MATCHED_VAR}'"
SecRule FULL_REQUEST "@contains Host" "id:4,phase:2,pass,log,logdata:'%{MATCHED_VAR}'"
SecRule TX:copy "@rx ." "id:6,phase:2,pass,log,logdata:'%{MATCHED_VAR}'"
"#,
        target: "/?q=1+UNION+SELECT+2&password=Hun%26ter2-in-query&card=4111111111111111",
        headers: &[
            FORM,
            ("Cookie", "id=hunter2-in-cookie"),
            ("Authorization", "Basic aHVudGVyMg=="),
            ("X-Api-Key", "hunter2-in-header"),
        ],
        body: "user=joe&passwd=hunter2-in-body&q=x",
        ..Asked::default()
    };
    let all = all(&report(&asked));
    for secret in ["hunter2", "Hun&ter", "hun&ter", "ter2-in", "4111111", "aHVudGVyMg"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    for evidence in ["UNION SELECT", "1+UNION+SELECT+2", "user=joe", "[id \\\"1\\\"]", "SQL ARGS:q"] {
        assert!(all.contains(evidence), "{evidence} not in {all}");
    }
}

#[test]
fn an_attack_in_a_password_is_shown_where_it_matched() {
    let rules =
        r#"SecRule ARGS "@rx (?i)union\s+select" "id:1,phase:2,deny,log,msg:'SQL',logdata:'%{MATCHED_VAR}'""#;
    let target = "/?username=joe&password=%3BUNION+SELECT+1%2C+version%28%29";
    let shown = all(&report(&Asked { rules, target, ..Asked::default() }));
    assert!(shown.contains(";UNION SELECT 1, version()"), "{shown}");
    assert!(shown.contains("password=%3BUNION+SELECT"), "{shown}");
    // Given twice, the name says nothing about which of the two was the attack.
    let target = "/?password=hunter2&password=%3BUNION+SELECT+1";
    let shown = all(&report(&Asked { rules, target, ..Asked::default() }));
    assert!(shown.contains(";UNION SELECT 1") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_rules_sanitise_is_hidden_everywhere() {
    let rules = r#"
SecRule ARGS:q "@contains attack" "id:1,phase:2,deny,log,msg:'%{MATCHED_VAR}',logdata:'%{MATCHED_VAR}',sanitiseMatched"
SecAction "id:2,phase:1,pass,nolog,sanitiseArg:plain,sanitiseRequestHeader:X-Plain,sanitiseResponseHeader:Content-Type"
"#;
    let asked = Asked {
        rules,
        target: "/?q=attack-1&plain=hidden-2",
        headers: &[("X-Plain", "hidden-3"), ("X-Other", "seen-4")],
        response: "text",
        ..Asked::default()
    };
    let all = all(&report(&asked));
    for hidden in ["attack-1", "hidden-2", "hidden-3", "text/html\n"] {
        assert!(!all.contains(hidden), "{hidden} in {all}");
    }
    assert!(all.contains("seen-4"), "{all}");
}

#[test]
fn bodies_are_masked_by_what_they_are() {
    let rules = r#"SecRule ARGS "@contains attack" "id:1,phase:2,deny,log""#;
    let json = Asked {
        rules,
        headers: &[("Content-Type", "application/json")],
        body: r#"{"user":{"name":"attack","password":"hunter2"},"n":1}"#,
        ..Asked::default()
    };
    let shown = all(&report(&json));
    assert!(shown.contains("attack") && !shown.contains("hunter2"), "{shown}");
    assert!(
        shown.contains(r#"{\"user\":{\"name\":\"attack\",\"password\":\"********\"},\"n\":1}"#),
        "{shown}"
    );
    let multipart = Asked {
        rules,
        headers: &[("Content-Type", "multipart/form-data; boundary=x")],
        body: "--x\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\nattack\r\n--x\r\nContent-Disposition: form-data; name=\"pwd\"\r\n\r\nhunter2\r\n--x--\r\n",
        ..Asked::default()
    };
    let shown = all(&report(&multipart));
    assert!(shown.contains("attack") && !shown.contains("hunter2"), "{shown}");
    let response =
        Asked { response: "<a href='/?token=hunter2'>4111 1111 1111 1111</a>", ..Asked::default() };
    let shown = all(&report(&response));
    assert!(shown.contains("<a href") && !shown.contains("hunter2") && !shown.contains("4111"), "{shown}");
}

#[test]
fn part_i_has_the_fields_of_a_multipart_body_and_not_its_files() {
    let body = "--x\r\nContent-Disposition: form-data; name=\"a b\"\r\n\r\n1&2\r\n\
                --x\r\nContent-Disposition: form-data; name=\"pwd\"\r\n\r\nhunter2\r\n\
                --x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\nuploaded\r\n--x--\r\n";
    let shown = |parts: &str| {
        let report = report(&Asked {
            rules: &format!("SecAuditLogParts {parts}\nSecAuditEngine On\n"),
            headers: &[("Content-Type", "multipart/form-data; boundary=x")],
            body,
            ..Asked::default()
        });
        report.redacted().audit_record(Sent::default()).unwrap().request.body.unwrap().as_str().to_owned()
    };
    assert_eq!(shown("AIZ"), "a+b=1%262&pwd=********");
    assert!(shown("ACZ").contains("uploaded") && !shown("ACZ").contains("hunter2"));
}

#[test]
fn a_record_is_made_when_rules_want_it() {
    let made = |rules: &str, status: u16| {
        let report = report(&Asked { rules, mode: Mode::Monitoring, ..Asked::default() });
        let sent = Sent { status: Some(status), duration_micros: 1 };
        report.redacted().audit_record(sent)
    };
    assert!(made("", 200).is_none() && made("", 404).is_none());
    assert!(made("", 500).is_some());
    assert!(made("SecAuditEngine On", 200).is_some());
    assert!(made("SecAuditEngine Off", 500).is_none());
    let silent = r#"SecRule REQUEST_METHOD "@rx ." "id:1,phase:1,pass,nolog""#;
    assert!(made(silent, 200).is_none());
    let quiet = r#"SecRule REQUEST_METHOD "@rx ." "id:1,phase:1,pass,log,noauditlog""#;
    assert!(made(quiet, 200).is_none());
    let loud = r#"SecRule REQUEST_METHOD "@rx ." "id:1,phase:1,deny,nolog,auditlog,msg:'x'""#;
    let record = made(loud, 200).unwrap();
    assert_eq!((record.messages.len(), record.messages[0].message.as_str()), (1, "x"));
    assert_eq!((record.engine, record.intercepted), (EngineMode::DetectionOnly, None));
    let by_ctl = r#"SecAction "id:1,phase:5,pass,nolog,ctl:auditEngine=On,ctl:auditLogParts=+K""#;
    assert!(made(by_ctl, 200).unwrap().parts.has('K'));
    assert!(made("SecRuleEngine Off", 500).is_none());
}

#[test]
fn a_record_says_who_what_and_why() {
    let rules = r#"SecComponentSignature "OWASP_CRS/4.28.0"
SecRule ARGS:q "@streq stop" "id:7,phase:2,t:lowercase,deny,status:406,log,msg:'m',severity:'CRITICAL',tag:'a',ver:'v',rev:'3'""#;
    let asked = Asked { rules, target: "/p?q=STOP", headers: &[FORM], body: "a=b", ..Asked::default() };
    let report = report(&asked);
    let redacted = report.redacted();
    let record = redacted.audit_record(Sent { status: Some(406), duration_micros: 9 }).unwrap();
    assert_eq!(record.request.target.as_str(), "/p?q=STOP");
    assert_eq!(record.request.body.unwrap().as_str(), "a=b");
    assert_eq!(record.intercepted.as_ref().unwrap().by, Interception::Status(406));
    let message = &record.messages[0];
    assert_eq!(
        message.matched.as_str(),
        "Matched \"Operator `Streq' with parameter `stop' against variable `ARGS:q' (Value: `stop' )"
    );
    assert!(message.line.as_str().starts_with("ModSecurity: Access denied with code 406 (phase 2). Matched"));
    assert_eq!((message.rule_id, message.target.as_str(), message.revision.as_str()), (7, "ARGS:q", "3"));
    assert_eq!(redacted.rule_ids().map(|id| id.0).collect::<Vec<_>>(), [7]);
}

#[test]
fn an_unmasked_exchange_has_the_lines_that_it_always_had() {
    let rules = r#"SecRule ARGS "@rx <script" "id:1,phase:2,deny,log,msg:'XSS',logdata:'%{MATCHED_VAR} é',severity:2""#;
    let report = report(&Asked { rules, target: "/a/b?q=<script>\"\\x'", ..Asked::default() });
    assert_eq!(report.redacted().error_log_lines(), report.error_log_lines());
}

#[test]
fn the_debug_log_says_as_much_as_its_level() {
    let rules = |level: u8| {
        format!(
            r#"SecDebugLog /tmp/debug
SecDebugLogLevel {level}
SecRule ARGS:q|ARGS:password "@streq x" "id:1,phase:1,t:lowercase,pass,log,setvar:tx.score=+5,setvar:tx.user_token=%{{ARGS.password}}"
SecRule ARGS:q "@streq y" "id:2,phase:2,deny,log,ctl:ruleRemoveById=3"
SecRule ARGS:big "@rx ^(a+)+\1$" "id:4,phase:2,pass,nolog"
"#
        )
    };
    let lines = |rules: &str| {
        report(&Asked { rules, target: "/a?q=X&password=Hunter2", ..Asked::default() })
            .redacted()
            .debug_log_lines()
    };
    assert!(lines(&rules(0)).is_empty() && lines(&rules(3)).is_empty());
    let four = lines(&rules(4));
    assert_eq!(
        four[..2],
        [
            "[r1] [/a?q=X&password=********] [4] (Rule: 90) Executing operator \"contains\" with param \"json\" against REQUEST_HEADERS:Content-Type.",
            "[r1] [/a?q=X&password=********] [4] Rule returned 0.",
        ]
    );
    let nine = lines(&rules(9)).join("\n");
    for line in [
        "[5] Starting phase REQUEST_HEADERS. (SecRules 1, 2 rules)",
        "[9] Transformations: t:lowercase",
        "[9] Target value: \"x\" (Variable: ARGS:q)",
        "[9] Target value: \"********\" (Variable: ARGS:password)",
        "[8] Saving variable: TX:score with value: 5",
        "[8] Saving variable: TX:user_token with value: ********",
        "[4] Rule returned 1.",
    ] {
        assert!(nine.contains(line), "{line} in {nine}");
    }
    assert!(!nine.contains("unter2"), "{nine}");
    // A level that ctl sets holds from there; without a file there is no log.
    let late = r#"SecDebugLog /tmp/debug
SecAction "id:5,phase:1,pass,nolog,ctl:debugLogLevel=4"
SecRule ARGS:q "@streq y" "id:2,phase:2,deny,log""#;
    assert!(lines(late).iter().any(|line| line.contains("(Rule: 2)")));
    assert!(lines(&late.replace("SecDebugLog", "#")).is_empty());
}

#[test]
fn a_debug_log_is_bounded_and_says_so() {
    let rules: String = std::iter::once("SecDebugLog /tmp/debug\nSecDebugLogLevel 9\n".to_owned())
        .chain((100..2000).map(|id| format!("SecRule ARGS \"@streq x\" \"id:{id},phase:2,pass,nolog\"\n")))
        .collect();
    let target =
        format!("/?{}", (0..40).map(|n| format!("a{n}=zzzzzzzzzzzzzzzzzzzzzzzzzzzzz&")).collect::<String>());
    let report = report(&Asked { rules: &rules, target: &target, ..Asked::default() });
    let lines = report.redacted().debug_log_lines();
    assert!(lines.last().unwrap().contains("lines left out"), "{:?}", lines.last());
    assert!(lines.len() < 20_000);
}

fn event(report: &Report, stopped: bool) -> Option<Event> {
    let redacted = report.redacted();
    redacted.event(&redacted.messages(), stopped)
}

#[test]
fn what_matters_makes_an_event_and_what_does_not_makes_none() {
    let denies = r#"SecRule ARGS "@contains evil" "id:7,phase:2,deny,log,status:406,msg:'Evil',severity:CRITICAL,tag:a,setvar:tx.inbound_score=5""#;
    let asked = |mode, target| Asked { rules: denies, mode, target, ..Asked::default() };
    assert_eq!(event(&report(&asked(Mode::Block, "/?q=good")), false), None);

    let denied = event(&report(&asked(Mode::Block, "/?q=evil")), true).unwrap();
    assert_eq!((denied.kind, denied.action), (EventKind::Waf, EventAction::Deny));
    assert_eq!((denied.cause, denied.rule_id, denied.phase), (Some("rule"), Some(7), Some(2)));
    assert_eq!((denied.verdict, denied.msg.as_str()), (Some("deny"), "WAF check FAILED!"));
    assert_eq!(denied.scores.0, [("inbound_score".to_owned(), 5)]);
    let [rule] = &denied.rules[..] else { panic!("{:?}", denied.rules) };
    assert_eq!((rule.id.as_str(), rule.message.as_str(), rule.severity.as_str()), ("7", "Evil", "2"));
    assert!(rule.disruptive && rule.target.as_str() == "ARGS:q" && rule.tags.len() == 1, "{rule:?}");

    let watched = event(&report(&asked(Mode::Monitoring, "/?q=evil")), false).unwrap();
    assert_eq!((watched.action, watched.rule_id), (EventAction::WouldBlock, Some(7)));
    assert!(!watched.rules[0].disruptive);

    let noted = Asked {
        rules: r#"SecRule ARGS "@contains odd" "id:8,phase:2,pass,log,msg:'Odd'""#,
        target: "/?q=odd",
        ..Asked::default()
    };
    let noted = event(&report(&noted), false).unwrap();
    assert_eq!((noted.kind, noted.action, noted.cause), (EventKind::Waf, EventAction::Pass, None));
}

#[test]
fn an_event_of_three_hundred_matches_is_bounded() {
    let rule = |id| {
        format!(
            "SecRule ARGS:q \"@unconditionalMatch\" \"id:{id},phase:2,pass,log,msg:'%{{MATCHED_VAR}}',logdata:'%{{MATCHED_VAR}}',tag:'%{{MATCHED_VAR}}'\"\n"
        )
    };
    let rules: String = (1000..1300).map(rule).collect();
    let target = format!("/?q={}", "x".repeat(6000));
    let asked = Asked { rules: &rules, target: &target, ..Asked::default() };
    let event = event(&report(&asked), false).unwrap();
    assert_eq!(event.rules.len(), 64);
    assert!(format!("{event:?}").len() < 256 * 1024, "{}", format!("{event:?}").len());
}
