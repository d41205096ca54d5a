use palisade_model::{
    AuditFile, AuditMessage, AuditParts, AuditRecord, AuditRequest, AuditResponse, EngineMode, Excerpt,
    Intercepted, Interception, Place, Redactor, Severity,
};
use proptest::prelude::*;

use super::*;

fn words(text: &str) -> Excerpt {
    Redactor::new().words(text)
}

fn message(target: &str) -> AuditMessage {
    AuditMessage {
        line: words(
            "ModSecurity: Warning. Matched \"Operator `Rx' with parameter `union' against variable `ARGS:q' (Value: `union' ) [file \"r.conf\"] [line \"3\"] [id \"942190\"]",
        ),
        matched: words(
            "Matched \"Operator `Rx' with parameter `union' against variable `ARGS:q' (Value: `union' )",
        ),
        phase: 2,
        rule_id: 942_190,
        file: words("r.conf"),
        line_number: 3,
        message: words("SQL"),
        data: words("Matched Data: \"union\""),
        severity: Some(Severity(2)),
        version: words("OWASP_CRS/4.28.0"),
        revision: Excerpt::default(),
        tags: vec![words("attack-sqli"), words("OWASP_CRS")],
        maturity: 0,
        accuracy: 0,
        operator: Some(words("rx")),
        negated: false,
        argument: words("union\\s\"select"),
        target: words(target),
        intercepted: None,
    }
}

fn record(letters: &str) -> AuditRecord {
    let redactor = Redactor::new();
    let header = |name: &str, value: &str| {
        let place = Place::RequestHeader(name.as_bytes().to_vec());
        (words(name), redactor.header(&place, value.as_bytes(), 999))
    };
    let stop = Intercepted { phase: 2, by: Interception::Status(403) };
    let mut blocking = message("TX:anomaly_score");
    blocking.operator = Some(words("ge"));
    blocking.argument = words("5");
    blocking.severity = None;
    blocking.tags.clear();
    blocking.intercepted = Some(stop.clone());
    AuditRecord {
        parts: AuditParts::new(letters),
        unique_id: words("0123456789abcdef"),
        started_unix_millis: 1_578_613_306_195,
        utc_offset_seconds: 0,
        duration_micros: 3_522,
        client: "10.8.0.4:50990".parse().unwrap(),
        server: "10.8.0.5:80".parse().unwrap(),
        request: AuditRequest {
            method: words("POST"),
            target: redactor.target(b"/?user=joe&password=hunter2", 999),
            version: words("HTTP/1.1"),
            headers: vec![
                header("Host", "db"),
                header("User-Agent", "a \"b\""),
                header("Cookie", "id=hunter2"),
                header("Accept", "a"),
                header("accept", "b"),
            ],
            body: Some(redactor.body(
                palisade_model::BodyForm::Text,
                b"one\n--a05a312e-Z--\n--x\r\ntwo",
                999,
            )),
        },
        response: AuditResponse {
            status: Some(403),
            version: words("HTTP/1.1"),
            headers: vec![(words("Content-Type"), words("text/html"))],
            body: Some(redactor.body(palisade_model::BodyForm::Text, b"<p>\n---aaaa---H--</p>", 999)),
            body_bytes: 20,
        },
        messages: vec![message("ARGS:q"), blocking],
        findings: Vec::new(),
        intercepted: Some(stop),
        engine: EngineMode::On,
        components: vec![words("OWASP_CRS/4.28.0")],
        files: vec![AuditFile { field: words("f"), name: words("a\".txt"), bytes: 12 }],
    }
}

fn producer() -> Producer {
    Producer { version: "0.1.0".into(), server_id: "00".into() }
}

#[test]
fn native_reads_as_modsecurity_3_writes_it() {
    let entry = native(&record("ABCDEFGHIJKZ"), &Boundary::from_number(7));
    assert_eq!(
        entry,
        r#"---70000000---A--
[09/Jan/2020:23:41:46 +0000] 0123456789abcdef 10.8.0.4 50990 10.8.0.5 80
---70000000---B--
POST /?user=joe&password=******** HTTP/1.1
Host: db
User-Agent: a "b"
Cookie: id=********
Accept: a
accept: b

---70000000---C--
one
\x2d-a05a312e-Z--
--x
two

---70000000---D--

---70000000---E--
<p>\x0a---aaaa---H--</p>

---70000000---F--
HTTP/1.1 403
Content-Type: text/html

---70000000---G--

---70000000---H--
ModSecurity: Warning. Matched "Operator `Rx' with parameter `union' against variable `ARGS:q' (Value: `union' ) [file "r.conf"] [line "3"] [id "942190"]
ModSecurity: Warning. Matched "Operator `Rx' with parameter `union' against variable `ARGS:q' (Value: `union' ) [file "r.conf"] [line "3"] [id "942190"]

---70000000---I--

---70000000---J--

---70000000---K--

---70000000---Z--

"#
        .replace("--x\n", "--x\r\n"),
    );
    let short = native(&record("AZ"), &Boundary::from_number(7));
    assert_eq!(short.lines().count(), 4);
}

#[test]
fn native2_reads_as_modsecurity_2_writes_it() {
    let entry = native2(&record("ABIJEFHKZ"), &producer(), &Boundary::from_number(0xa05a_312e));
    assert_eq!(
        entry,
        r#"--a05a312e-A--
[09/Jan/2020:23:41:46 +0000] 0123456789abcdef 10.8.0.4 50990 10.8.0.5 80
--a05a312e-B--
POST /?user=joe&password=******** HTTP/1.1
Host: db
User-Agent: a "b"
Cookie: id=********
Accept: a
accept: b

--a05a312e-C--
one
\x2d-a05a312e-Z--
--x
two
--a05a312e-F--
HTTP/1.1 403 Forbidden
Content-Type: text/html

--a05a312e-E--
<p>
\x2d--aaaa---H--</p>

--a05a312e-H--
Message: Warning. Pattern match "union\\s\"select" at ARGS:q. [file "r.conf"] [line "3"] [id "942190"] [msg "SQL"] [data "Matched Data: \"union\""] [severity "CRITICAL"] [ver "OWASP_CRS/4.28.0"] [tag "attack-sqli"] [tag "OWASP_CRS"]
Message: Access denied with code 403 (phase 2). Operator GE matched 5 at TX:anomaly_score. [file "r.conf"] [line "3"] [id "942190"] [msg "SQL"] [data "Matched Data: \"union\""] [ver "OWASP_CRS/4.28.0"]
Action: Intercepted (phase 2)
Stopwatch: 1578613306195000 3522 (- - -)
Producer: Palisade/0.1.0; OWASP_CRS/4.28.0.
Server: Palisade
Engine-Mode: "ENABLED"

--a05a312e-J--
1,12,"a\".txt","<Unknown ContentType>"
Total,12

--a05a312e-K--
# rule 942190 of r.conf:3
# rule 942190 of r.conf:3

--a05a312e-Z--

"#
        .replace("--x\n", "--x\r\n"),
    );
}

#[test]
fn json_is_one_line_with_modsecurity_3s_keys() {
    let line = json(&record("ABCEFHZ"), &producer());
    assert!(line.ends_with("}\n") && line.trim_end().lines().count() == 1);
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    let transaction = &value["transaction"];
    assert_eq!(transaction["request"]["uri"], "/?user=joe&password=********");
    assert_eq!(transaction["request"]["http_version"], 1.1);
    assert_eq!(transaction["request"]["headers"]["Accept"], "a, b");
    assert_eq!(transaction["response"]["http_code"], 403);
    assert_eq!(transaction["messages"][0]["details"]["ruleId"], "942190");
    assert_eq!(transaction["messages"][0]["details"]["severity"], "2");
    assert_eq!(transaction["producer"]["secrules_engine"], "Enabled");
    let bare: serde_json::Value = serde_json::from_str(&json(&record("AZ"), &producer())).unwrap();
    assert!(bare["transaction"]["messages"].is_null() && bare["transaction"]["request"]["headers"].is_null());
}

#[test]
fn the_index_names_each_file_of_a_concurrent_log() {
    let record = record("ABZ");
    assert_eq!(
        entry_path(&record).to_str().unwrap(),
        "20200109/20200109-2341/20200109-234146-0123456789abcdef"
    );
    let line = index_line(&record, &IndexedFile { path: "/s/f", content: "abc" });
    assert_eq!(
        line,
        "db 10.8.0.4 - [09/Jan/2020:23:41:46 +0000] \"POST /?user=joe&password=******** HTTP/1.1\" 403 20 - \
         \"a \\x22b\\x22\" 0123456789abcdef - /s/f 0 3 md5:900150983cd24fb0d6963f7d28e17f72"
    );
}

#[test]
fn ids_of_others_are_plain_file_names() {
    let mut record = record("AZ");
    record.unique_id = words("../../etc/passwd\0");
    assert_eq!(entry_path(&record).components().count(), 3);
    assert!(entry_path(&record).ends_with("20200109-234146-______etc_passwd_x00"));
}

#[test]
fn boundaries_differ() {
    let drawn: std::collections::HashSet<String> = (0..1000).map(|_| Boundary::draw().letters()).collect();
    assert_eq!(drawn.len(), 1000);
}

#[test]
fn what_looks_like_a_boundary_is_known() {
    for line in ["--a05a312e-A--", "---6jRCUiMe---Z--", "--x-a-- and more", "-----x----B--"] {
        assert!(looks_like_boundary(line), "{line}");
    }
    for line in
        ["--", "------WebKitFormBoundary7MA4YWxkTrZu0gW", "-- ", "--a-", "-a-B--", "a--b-C--", "--a-BC--", ""]
    {
        assert!(!looks_like_boundary(line), "{line}");
    }
}

proptest! {
    /// Whatever a client sends, an entry has the sections that it was asked for, once each and in order, and JSON is
    /// one line that parses.
    #[test]
    fn content_cannot_fake_sections_or_lines(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just(b"\n--00000007-Z--\n\n".to_vec()), Just(b"\n---70000000---H--\n".to_vec()), Just(b"\r\n".to_vec()),
                Just(b"\"}\n{\"transaction\":{}}\n".to_vec()), proptest::collection::vec(any::<u8>(), 0..40),
            ],
            0..12,
        )
    ) {
        let bytes = pieces.concat();
        let redactor = Redactor::new();
        let mut record = record("ABCEFHKZ");
        let one = || redactor.finding(&bytes, 4096);
        record.request.method = one();
        record.request.target = redactor.target(&bytes, 4096);
        record.request.headers.push((one(), one()));
        record.request.body = Some(redactor.body(palisade_model::BodyForm::Text, &bytes, 4096));
        record.response.body = record.request.body.clone();
        record.response.headers.push((one(), one()));
        for message in &mut record.messages {
            (message.data, message.message, message.target, message.argument) = (one(), one(), one(), one());
            message.tags.push(one());
        }
        let sections = |entry: &str, begin: &str| -> String {
            entry.lines().filter(|line| line.starts_with(begin)).map(|line| {
                line.trim_end_matches('-').chars().next_back().unwrap()
            }).collect()
        };
        let boundary = Boundary::from_number(7);
        prop_assert_eq!(sections(&native(&record, &boundary), "---70000000-"), "ABCEFHKZ");
        let entry = native2(&record, &producer(), &boundary);
        prop_assert_eq!(sections(&entry, "--00000007-"), "ABCFEHKZ");
        prop_assert_eq!(entry.lines().filter(|line| looks_like_boundary(line)).count(), 8);
        prop_assert_eq!(entry.lines().filter(|line| line.starts_with("Message: ")).count(), 2);
        let line = json(&record, &producer());
        prop_assert_eq!(line.matches('\n').count(), 1);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
        let index = index_line(&record, &IndexedFile { path: "/s/f", content: "" });
        prop_assert!(!index.contains('\n'));
        let now = palisade_model::Calendar::new(0, 0);
        let host = record.server.ip();
        let line = crate::dikastes::matched(now, "id", &record.request.target, host, 1, &record.messages[0]);
        prop_assert!(!line.contains('\n'));
    }
}
