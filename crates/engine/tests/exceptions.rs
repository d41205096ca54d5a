//! Exceptions: what a rule passes over, and what it does not, by the plan and by the reference alike.

use std::net::SocketAddr;
use std::sync::Arc;

use palisade_engine::{
    Clock, Connection, Enforcement, Exception, Exceptions, Phase, Progress, RuleSet, RuleSources,
    Transaction, load_rules,
};
use palisade_http::{HeadLimits, HeadParse, parse_request_head};
use palisade_model::{PointPattern, Wildcard};
use palisade_seclang::MemoryLoader;

const RULES: &str = r#"
    SecRequestBodyAccess On
    SecRule REQUEST_HEADERS:Content-Type "@contains json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
    SecRule REQUEST_HEADERS:Content-Type "@contains xml" "id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
    SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES|REQUEST_HEADERS|REQUEST_FILENAME|FILES|XML:/* "@contains evil" \
        "id:10,phase:2,pass,log,tag:'attack-a',tag:'OWASP_CRS/x'"
    SecRule ARGS_GET|ARGS_POST "@rx (?i)EVIL" "id:11,phase:2,pass,log,t:lowercase,tag:'attack-b'"
    SecRule REQUEST_METHOD "@rx ." "id:12,phase:2,pass,log,chain"
        SecRule ARGS "@contains evil" "t:none"
    SecRule REQUEST_URI "@contains evil" "id:13,phase:2,pass,log"
"#;

fn rules() -> Arc<RuleSet> {
    let text = Some(("rules".to_owned(), RULES.as_bytes().to_vec(), String::new()));
    let loaded = load_rules(&RuleSources { text, ..RuleSources::default() }, &MemoryLoader::new());
    loaded.rules.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
}

/// `11-12 tag:attack-a | query:q cookie:c | /cms`: rules, points, paths.
fn exception(text: &str) -> Exception {
    let mut exception = Exception::default();
    for (place, words) in text.split('|').enumerate() {
        for word in words.split_whitespace() {
            match place {
                0 => match (word.strip_prefix("tag:"), word.split_once('-')) {
                    (Some(tag), _) => exception.tags.push(Wildcard::new(tag).unwrap()),
                    (None, Some((first, last))) => {
                        exception.ids.push(first.parse().unwrap()..=last.parse().unwrap());
                    }
                    (None, None) => {
                        let id = word.parse().unwrap();
                        exception.ids.push(id..=id);
                    }
                },
                1 => exception.points.push(PointPattern::parse(word).unwrap()),
                _ => exception.paths.push(word.trim_end_matches('/').to_owned()),
            }
        }
    }
    exception
}

/// The ids that match, the two that only read the body aside.
fn matched(rules: &Arc<RuleSet>, exceptions: &Arc<Exceptions>, request: &str, reference: bool) -> Vec<u64> {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let head = format!("{head}\r\n\r\n");
    let HeadParse::Complete { head, .. } = parse_request_head(head.as_bytes(), &HeadLimits::default()) else {
        panic!("no head in {request}");
    };
    let address: SocketAddr = "192.0.2.7:80".parse().unwrap();
    let connection = Connection { client: address, server: address, unique_id: "id".into() };
    let mut transaction =
        Transaction::new(rules.clone(), connection, Enforcement::AsWritten, Clock::default());
    if reference {
        transaction.use_reference();
    }
    transaction.except(exceptions.clone());
    transaction.request_head(head);
    assert_eq!(transaction.run(Phase::RequestHeaders, Clock::default()), Progress::Done);
    transaction.request_body_chunk(body.as_bytes());
    transaction.request_body_end();
    assert_eq!(transaction.run(Phase::RequestBody, Clock::default()), Progress::Done);
    transaction.matches().iter().map(|matched| matched.id.0).filter(|id| *id >= 10).collect()
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")
}

fn post(target: &str, kind: &str, body: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn what_is_excepted_is_passed_over_and_nothing_else() {
    let json = |body: &str| post("/", "application/json", body);
    let form = |body: &str| post("/", "application/x-www-form-urlencoded", body);
    let file = post(
        "/",
        "multipart/form-data; boundary=b",
        "--b\r\nContent-Disposition: form-data; name=\"avatar\"; filename=\"evil.gif\"\r\n\r\nx\r\n--b--\r\n",
    );
    let header = |name: &str, value: &str| format!("GET / HTTP/1.1\r\nHost: h\r\n{name}: {value}\r\n\r\n");
    let rules = rules();
    let cases: &[(&str, String, &[u64])] = &[
        // Without an exception all of them match.
        ("", get("/?q=evil"), &[10, 11, 12, 13]),
        // Rules, by id, range and tag.
        ("10", get("/?q=evil"), &[11, 12, 13]),
        ("11-12", get("/?q=evil"), &[10, 13]),
        ("tag:attack-a", get("/?q=evil"), &[11, 12, 13]),
        ("tag:attack-*", get("/?q=evil"), &[12, 13]),
        ("tag:OWASP_CRS/*", get("/?q=evil"), &[11, 12, 13]),
        ("tag:attack", get("/?q=evil"), &[10, 11, 12, 13]),
        // A point, whatever a rule calls it, in every link of a chain; a variable that holds more is looked at.
        ("10-12 | query:q", get("/?q=evil"), &[13]),
        ("10-13 | query:q", get("/?q=evil"), &[13]),
        ("10-12 | query:q", get("/?q=evil&r=evil"), &[10, 11, 12, 13]),
        ("10-12 | query:q", get("/?Q=evil"), &[10, 11, 12, 13]),
        ("10-12 | query:q", form("q=evil"), &[10, 11, 12]),
        ("10-12 | body.form:q", form("q=evil"), &[]),
        ("10-12 | query:f[*]", get("/?f[a]=evil&f[b]=evil"), &[13]),
        // A value is not its name, nor the other way round.
        ("10-12 | query:f[*]", get("/?f[evil]=x"), &[10, 13]),
        ("10-12 | query:evil", get("/?evil=x"), &[10, 13]),
        ("10-12 | query-name:f[*]", get("/?f[evil]=x"), &[13]),
        ("10-12 | query-name:f[*]", get("/?f[a]=evil"), &[10, 11, 12, 13]),
        ("10-12 | query", get("/?q=evil&r=evil"), &[13]),
        // JSON by pointer.
        ("10-12 | body.json:/content", json(r#"{"content":"evil"}"#), &[]),
        ("10-12 | body.json:/content", json(r#"{"title":"evil"}"#), &[10, 11, 12]),
        ("10-12 | body.json:/items/*/text", json(r#"{"items":[{"text":"evil"},{"text":"evil"}]}"#), &[]),
        (
            "10-12 | body.json:/items/0/text",
            json(r#"{"items":[{"text":"x"},{"text":"evil"}]}"#),
            &[10, 11, 12],
        ),
        ("10-12 | body.json:/a/**", json(r#"{"a":{"b":[["evil"]]}}"#), &[]),
        ("10-12 | body.json:/a~1b", json(r#"{"a/b":"evil"}"#), &[]),
        ("10-12 | body.json:/content", form("json.content=evil"), &[10, 11, 12]),
        ("10-12 | query:json.content", json(r#"{"content":"evil"}"#), &[10, 11, 12]),
        // The other kinds.
        ("10 | header:x-note", header("X-Note", "evil"), &[]),
        ("10 | header:x-note", header("X-Other", "evil"), &[10]),
        ("10 | cookie:c", header("Cookie", "c=evil"), &[10]),
        ("10 | cookie:c header:cookie", header("Cookie", "c=evil"), &[]),
        ("10 | path", get("/evil"), &[13]),
        ("10 | body.filename:avatar", file.clone(), &[]),
        ("10 | body.filename:other body.file:avatar", file, &[10]),
        ("10 | body.xml", post("/", "text/xml", "<a><b>evil</b></a>"), &[]),
        ("10 | body.form:*", post("/", "text/xml", "<a><b>evil</b></a>"), &[10]),
        // Paths, in their normal form; without one nothing is earned.
        ("10-13 | | /cms", get("/cms?q=evil"), &[]),
        ("10-13 | | /cms/", get("/x/..//cms/./a?q=evil"), &[]),
        ("10-13 | | /cms", get("/cmsx?q=evil"), &[10, 11, 12, 13]),
        ("10-13 | | /cms", get("/cms/%2e%2e/x?q=evil"), &[10, 11, 12, 13]),
        ("10-13 | | /cms", get("/cms/..;/x?q=evil"), &[10, 11, 12, 13]),
        ("10-13 | | /", get("/a/%2e%2e/x?q=evil"), &[10, 11, 12, 13]),
        ("10-13 | | /", get("/a?q=evil"), &[]),
        ("10-12 | query:q | /cms /wiki", get("/wiki/a?q=evil"), &[13]),
        ("10-12 | query:q | /cms /wiki", get("/?q=evil"), &[10, 11, 12, 13]),
    ];
    for (written, request, expected) in cases {
        let (exceptions, idle) = Exceptions::compile(&rules, &[exception(written)]);
        assert_eq!(idle.len(), usize::from(written.is_empty() || *written == "tag:attack"), "{written}");
        let exceptions = Arc::new(exceptions);
        for reference in [false, true] {
            let found = matched(&rules, &exceptions, request, reference);
            assert_eq!(found, *expected, "{written}, reference {reference}: {request}");
        }
    }
    println!("{} cases, by the plan and by the reference", cases.len());
}

#[test]
fn several_exceptions_add_up_and_a_transaction_leaves_none_to_the_next() {
    let rules = rules();
    let written = ["10 | query:q", "11 | query:* | /a", "12", "99999"].map(exception);
    let (exceptions, idle) = Exceptions::compile(&rules, &written);
    assert_eq!(idle, [3]);
    let (some, none) = (Arc::new(exceptions), Arc::new(Exceptions::default()));
    for _ in 0..3 {
        assert_eq!(matched(&rules, &some, &get("/a?q=evil"), false), [13]);
        assert_eq!(matched(&rules, &some, &get("/b?q=evil"), false), [11, 13]);
        assert_eq!(matched(&rules, &none, &get("/a?q=evil"), false), [10, 11, 12, 13]);
    }
}
