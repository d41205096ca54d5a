//! The oracle answers as ModSecurity 3 is known to, frees what it takes, and says clearly when it is not there.

use palisade_oracle::modsecurity::{Exchange, ModSecurity, OnDeny, Response, Rules};

#[test]
fn a_deny_in_phase_two_names_its_rule_and_status() {
    let Some(library) = library() else { return };
    let rules = on(
        &library,
        r#"SecRule ARGS:q "@contains attack" "id:1,phase:2,deny,status:418,log,msg:'found it',logdata:'%{MATCHED_VAR}'""#,
    );

    let denied = Exchange::new("GET", "/?q=an+attack").header("Host", "example.com").run(&rules).unwrap();
    let (phase, intervention) = denied.first_denial().expect("the rule denies");
    assert_eq!((phase, intervention.status, intervention.url.as_deref()), (2, 418, None));
    assert!(intervention.log.as_deref().unwrap().contains("Access denied with code 418 (phase 2)"));
    assert_eq!(denied.matched, [1]);
    assert_eq!(denied.log, [intervention.log.clone().unwrap()], "the connector's line stands in the log");
    assert!(denied.log[0].contains(r#"[msg "found it"] [data "an attack"]"#), "{:?}", denied.log);

    let passed = Exchange::new("GET", "/?q=peace").run(&rules).unwrap();
    assert_eq!(passed, Default::default(), "no line and no intervention without a match");
}

#[test]
fn ids_come_in_order_and_only_for_logged_matches() {
    let Some(library) = library() else { return };
    let rules = on(
        &library,
        r#"
        SecRule REQUEST_METHOD "@streq GET" "id:30,phase:1,pass,log"
        SecRule REQUEST_METHOD "@streq GET" "id:20,phase:1,pass,nolog"
        SecRule REQUEST_METHOD "@streq GET" "id:10,phase:1,pass,log,chain"
            SecRule REQUEST_URI "@beginsWith /" "t:none"
        SecRule REQUEST_METHOD "@streq GET" "id:40,phase:5,pass,log"
        "#,
    );
    let outcome = Exchange::new("GET", "/").run(&rules).unwrap();
    assert_eq!(outcome.matched, [30, 10, 40]);
    assert!(!outcome.denied());
}

#[test]
fn after_a_deny_only_phase_five_runs_unless_told_to_go_on() {
    let Some(library) = library() else { return };
    let rules = on(
        &library,
        r#"
        SecAction "id:1,phase:1,deny,log"
        SecAction "id:2,phase:2,deny,log"
        SecRule REMOTE_ADDR "@unconditionalMatch" "id:5,phase:5,pass,log"
        "#,
    );
    let mut exchange = Exchange::new("GET", "/");
    assert_eq!(exchange.run(&rules).unwrap().matched, [1, 5]);

    exchange.on_deny = OnDeny::GoOn;
    let outcome = exchange.run(&rules).unwrap();
    assert_eq!(outcome.matched, [1, 2, 5]);
    let phases: Vec<u8> = outcome.interventions.iter().map(|(phase, _)| *phase).collect();
    assert_eq!(phases, [1, 2]);
}

#[test]
fn a_value_that_looks_like_details_does_not_fool_the_ids() {
    let Some(library) = library() else { return };
    let rules =
        on(&library, r#"SecRule ARGS:q "@contains id" "id:77,phase:1,pass,log,logdata:'%{MATCHED_VAR}'""#);
    let outcome = Exchange::new("GET", r#"/?q=[id "1"] [line "9"]"#).run(&rules).unwrap();
    assert_eq!(outcome.matched, [77], "{:?}", outcome.log);
}

#[test]
fn headers_carry_their_bytes_and_lengths() {
    let Some(library) = library() else { return };
    let rules = on(
        &library,
        r#"
        SecRule REQUEST_HEADERS:x-a "@streq 3" "id:1,phase:1,pass,log,t:none,t:length"
        SecRule REQUEST_HEADERS:x-a "@streq 610062" "id:2,phase:1,pass,log,t:none,t:hexEncode"
        SecRule REQUEST_HEADERS:x-b "@streq ff" "id:3,phase:1,pass,log,t:none,t:hexEncode"
        "#,
    );
    let outcome =
        Exchange::new("GET", "/").header("X-A", *b"a\0b").header("X-B", [0xff]).run(&rules).unwrap();
    assert_eq!(outcome.matched, [1, 2, 3]);
}

#[test]
fn bodies_of_both_directions_reach_their_phases() {
    let Some(library) = library() else { return };
    let rules = on(
        &library,
        r#"
        SecRequestBodyAccess On
        SecResponseBodyAccess On
        SecResponseBodyMimeType text/plain
        SecRule ARGS_POST:user "@streq O'Hara" "id:1,phase:2,pass,log"
        SecRule RESPONSE_STATUS "@streq 500" "id:2,phase:3,pass,log"
        SecRule RESPONSE_BODY "@contains stack trace" "id:3,phase:4,deny,status:502,log"
        "#,
    );
    let mut exchange = Exchange::new("POST", "/")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Content-Length", "13")
        .body("user=O%27Hara");
    assert_eq!(exchange.run(&rules).unwrap().matched, [1]);

    exchange.response = Some(Response {
        status: 500,
        headers: vec![(b"Content-Type".to_vec(), b"text/plain".to_vec())],
        body: b"a stack trace".to_vec(),
    });
    let outcome = exchange.run(&rules).unwrap();
    assert_eq!(outcome.matched, [1, 2, 3]);
    assert_eq!(outcome.first_denial().map(|(phase, due)| (phase, due.status)), Some((4, 502)));
}

#[test]
fn a_redirect_carries_its_target() {
    let Some(library) = library() else { return };
    let rules = on(&library, r#"SecAction "id:1,phase:1,redirect:https://example.com/sorry,log""#);
    let outcome = Exchange::new("GET", "/").run(&rules).unwrap();
    let (phase, due) = outcome.first_denial().expect("a redirect is disruptive");
    assert_eq!((phase, due.status, due.url.as_deref()), (1, 302, Some("https://example.com/sorry")));
}

#[test]
fn a_rule_that_does_not_load_gives_the_librarys_message() {
    let Some(library) = library() else { return };
    let error = library.rules("SecRule ARGS \"@rx x\" \"id:1,nosuch\"").expect_err("there is no such action");
    assert!(error.contains("nosuch"), "{error}");
    let error = library.rules_from_file("/nonexistent/rules.conf").expect_err("there is no such file");
    assert!(error.contains("/nonexistent/rules.conf"), "{error}");
    library.rules("SecRuleEngine On\0").expect_err("a NUL byte cannot be told to C");
}

#[test]
fn a_nul_in_the_target_is_refused_instead_of_cut() {
    let Some(library) = library() else { return };
    let rules = on(&library, "");
    Exchange::new("GET", *b"/a\0b").run(&rules).expect_err("the C interface ends strings at NUL");
}

#[test]
fn persistent_collections_live_as_long_as_their_instance() {
    let Some(library) = library() else { return };
    let text = r#"
        SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}"
        SecRule IP:seen "@ge 1" "id:2,phase:1,pass,log"
        SecAction "id:3,phase:1,pass,nolog,setvar:ip.seen=+1"
    "#;
    let rules = on(&library, text);
    let exchange = Exchange::new("GET", "/");
    assert_eq!(exchange.run(&rules).unwrap().matched, []);
    assert_eq!(exchange.run(&rules).unwrap().matched, [2]);

    let fresh = ModSecurity::load().expect("it was there a moment ago");
    assert_eq!(exchange.run(&on(&fresh, text)).unwrap().matched, []);
}

#[test]
fn the_unique_id_can_be_given() {
    let Some(library) = library() else { return };
    let rules = on(&library, r#"SecRule UNIQUE_ID "@streq known" "id:1,phase:1,pass,log""#);
    let mut exchange = Exchange::new("GET", "/");
    exchange.unique_id = Some("known".to_owned());
    assert_eq!(exchange.run(&rules).unwrap().matched, [1]);
}

#[test]
fn threads_may_share_a_rule_set_and_instances_may_come_and_go_beside_it() {
    let Some(library) = library() else { return };
    let rules = on(
        &library,
        r#"
        SecRequestBodyAccess On
        SecRule REQUEST_HEADERS:Content-Type "@contains xml" "id:9,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
        SecRule ARGS:n "@rx ^[13579]+$" "id:1,phase:2,deny,log,msg:'odd %{MATCHED_VAR}'"
        SecRule XML:/* "@contains x" "id:2,phase:2,pass,log"
        "#,
    );
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let rules = &rules;
            scope.spawn(move || {
                for n in 0..200 {
                    let odd = n % 2 == 1;
                    let uri = format!("/?n={}", if odd { 7 } else { 8 });
                    let outcome = Exchange::new("POST", uri)
                        .header("Content-Type", "text/xml")
                        .body("<a>x</a>")
                        .run(rules)
                        .unwrap();
                    let expected: &[u64] = if odd { &[1] } else { &[2] };
                    assert_eq!(outcome.matched, expected, "thread {thread}, request {n}");
                    if n % 50 == 0 {
                        let other = ModSecurity::load().expect("it was there a moment ago");
                        let rules = on(&other, r#"SecAction "id:3,phase:1,pass,log""#);
                        Exchange::new("GET", "/").run(&rules).unwrap();
                    }
                }
            });
        }
    });
}

/// What is freed on drop does not pile up: resident memory after many rounds stays near that after a few.
#[test]
fn memory_is_given_back_on_drop() {
    let Some(library) = library() else { return };
    let text = r#"
        SecRequestBodyAccess On
        SecRule ARGS "@rx attack" "id:1,phase:2,redirect:https://example.com/%{ARGS.a},log,msg:'m',logdata:'%{MATCHED_VAR}'"
    "#;
    let body = format!("a={}attack", "x".repeat(100_000));
    let round = || {
        let rules = on(&library, text);
        let exchange = Exchange::new("POST", "/")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body.as_str());
        assert!(exchange.run(&rules).unwrap().denied());
        library.rules("SecRule").expect_err("incomplete");
    };
    (0..50).for_each(|_| round());
    let before = resident_kib();
    (0..300).for_each(|_| round());
    let grown = resident_kib().saturating_sub(before);
    // 300 rounds hold at least 300 * 100 kB of body; a leak of any one copy would show as 30 MB.
    assert!(grown < 15_000, "grew by {grown} KiB");
}

fn library() -> Option<ModSecurity> {
    match ModSecurity::load() {
        Ok(library) => Some(library),
        Err(unavailable) => {
            println!("skipped: {unavailable} (scripts/install-test-tools installs it)");
            None
        }
    }
}

fn on(library: &ModSecurity, text: &str) -> Rules {
    library.rules(&format!("SecRuleEngine On\n{text}\n")).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS is always there");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("VmRSS is a number in kB")
}
