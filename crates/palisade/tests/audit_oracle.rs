//! Our audit log beside that of libmodsecurity 3, for the same exchange under the same rules: sections, keys, types of
//! values and, where both can know it, the values.

mod support;

use palisade_oracle::modsecurity::{Exchange, ModSecurity, Response};
use serde_json::Value;
use support::{Folder, Running, Upstream, eventually, send};

const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain
SecComponentSignature "OWASP_CRS/4.28.0"
SecAuditEngine On
SecAuditLogParts ABCDEFGHIJKZ
SecRule ARGS:q "@contains script" "id:1,phase:2,pass,log,t:lowercase,msg:'m %{MATCHED_VAR}',logdata:'d %{MATCHED_VAR_NAME}',severity:CRITICAL,tag:'a',tag:'b',ver:'OWASP_CRS/4.28.0',rev:'2'"
SecRule ARGS:z "@rx ." "id:5,phase:2,pass,nolog,auditlog,msg:'only audited'"
SecRule ARGS:z "@rx ." "id:6,phase:2,pass,log,noauditlog,msg:'only logged'"
SecRule RESPONSE_BODY "@contains saw" "id:7,phase:4,pass,log,msg:'response'"
SecRule ARGS:z "@rx ." "id:8,phase:5,pass,log,msg:'logging phase'"
"#;

/// The exchange: what we send, and what the upstream answers by it.
const TARGET: &str = "/a/b?q=%3Cscript%3E&x=1";
const HEADERS: [(&str, &str); 5] = [
    ("Host", "shop.example"),
    ("User-Agent", "a b"),
    ("Referer", "http://shop.example/"),
    ("Content-Type", "application/x-www-form-urlencoded"),
    ("Content-Length", "7"),
];
const BODY: &str = "z=1&y=2";

/// Both audit logs, ours first, and the request's id.
fn both(format: &str) -> Option<(String, String)> {
    let library = match ModSecurity::load() {
        Ok(library) => library,
        Err(unavailable) => {
            println!("skipped: {unavailable}");
            return None;
        }
    };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let (ours, theirs) = (folder.at("ours.log"), folder.at("theirs.log"));
    let rules_of =
        |log: &str| format!("{RULES}SecAuditLogFormat {format}\nSecAuditLogType Serial\nSecAuditLog {log}\n");
    let our_rules = folder.write("rules.conf", rules_of(&ours));
    let mut proxy = Running::proxy(
        &folder,
        &upstream.url,
        &["--mode", "block", "--rules", &our_rules, "--detect", "off"],
    );
    let address = proxy.address();
    let mut request = format!("POST {TARGET} HTTP/1.1\r\n");
    HEADERS.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
    let answer = send(address, format!("{request}\r\n{BODY}").as_bytes());
    assert_eq!(answer.status, 200);
    let id = answer.header("x-request-id").unwrap().to_owned();
    assert_eq!(proxy.end(), 0);
    let ours =
        eventually("our entry", || std::fs::read_to_string(&ours).ok().filter(|text| !text.is_empty()));

    let their_rules = folder.write("rules.conf", rules_of(&theirs));
    let rules = library.rules_from_file(&their_rules).unwrap();
    let mut exchange = Exchange::new("POST", TARGET).body(BODY);
    for (name, value) in HEADERS {
        exchange = exchange.header(name, value);
    }
    exchange.unique_id = Some(id);
    let length = answer.body.len().to_string();
    let header = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    exchange.response = Some(Response {
        status: 200,
        headers: vec![header("Content-Type", "text/plain"), header("Content-Length", &length)],
        body: answer.body.into_bytes(),
    });
    exchange.run(&rules).unwrap();
    drop(rules);
    let theirs = std::fs::read_to_string(&theirs).unwrap();
    assert!(!theirs.is_empty());
    Some((ours, theirs))
}

/// Sections by their letters, lines in order.
fn sections(entry: &str) -> Vec<(String, Vec<String>)> {
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for line in entry.lines() {
        let letter = line.strip_prefix("---").and_then(|rest| {
            let (boundary, letter) = rest.split_at_checked(8)?;
            boundary.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(())?;
            letter.strip_prefix("---")?.strip_suffix("--")
        });
        match letter {
            Some(letter) => sections.push((letter.to_owned(), Vec::new())),
            None => sections.last_mut().expect("a section begins an entry").1.push(line.to_owned()),
        }
    }
    sections
}

/// A line without what only one of the two can know: the offsets of matches, and the address of the server. (The value
/// of a match is here as no transformation changes it: 3.0.9 shows it before them, we after.)
fn comparable(line: &str) -> String {
    let mut out = line.split(" [ref \"").next().unwrap().to_owned();
    if let Some((before, after)) = out.split_once(" [hostname \"") {
        let (_, rest) = after.split_once("\"]").unwrap();
        out = format!("{before} [hostname]{rest}");
    }
    out
}

#[test]
fn native_entries_have_the_sections_and_lines_that_libmodsecurity_writes() {
    let Some((ours, theirs)) = both("Native") else { return };
    let (ours, theirs) = (sections(&ours), sections(&theirs));
    let letters = |sections: &[(String, Vec<String>)]| -> String {
        sections.iter().map(|(letter, _)| &**letter).collect()
    };
    assert_eq!(letters(&ours), "ABCDEFGHIJKZ");
    assert_eq!(letters(&ours), letters(&theirs));
    for ((letter, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        match letter.as_str() {
            "A" => {
                let words = |line: &str| line.split(' ').count();
                assert_eq!(
                    (ours.len(), words(&ours[0])),
                    (theirs.len(), words(&theirs[0])),
                    "{ours:?} {theirs:?}"
                );
                assert_eq!(ours[0].split(' ').nth(2), theirs[0].split(' ').nth(2), "the id");
            }
            "H" => {
                let comparable =
                    |lines: &[String]| lines.iter().map(|line| comparable(line)).collect::<Vec<_>>();
                assert_eq!(comparable(ours), comparable(theirs));
                assert_eq!(ours.len(), 5, "four messages and an empty line: {ours:?}");
            }
            // The library's file ends in one more empty line.
            "Z" => assert!(ours.iter().chain(theirs).all(String::is_empty)),
            _ => assert_eq!(ours, theirs, "{letter}"),
        }
    }
}

#[test]
fn json_entries_have_the_keys_and_types_that_libmodsecurity_writes() {
    let Some((ours, theirs)) = both("JSON") else { return };
    let parse = |text: &str| -> Value { serde_json::from_str(text.trim()).unwrap() };
    let (ours, theirs) = (parse(&ours), parse(&theirs));
    same_shape("", &ours, &theirs);
    let (ours, theirs) = (&ours["transaction"], &theirs["transaction"]);
    for path in ["/request", "/response", "/unique_id", "/producer/secrules_engine"] {
        assert_eq!(ours.pointer(path), theirs.pointer(path), "{path}");
    }
    // 3.0.9 keeps the quote that ends the directive's argument.
    assert_eq!(ours["producer"]["components"][0], "OWASP_CRS/4.28.0");
    let details = |value: &Value| -> Vec<Value> {
        let mut messages = value["messages"].as_array().unwrap().clone();
        for message in &mut messages {
            message["details"]["reference"] = Value::Null;
        }
        messages
    };
    assert_eq!(details(ours), details(theirs));
}

fn same_shape(path: &str, ours: &Value, theirs: &Value) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let keys = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(ours), keys(theirs), "{path}");
            for (key, value) in ours {
                same_shape(&format!("{path}/{key}"), value, &theirs[key]);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{path}");
            ours.iter().zip(theirs).for_each(|(ours, theirs)| same_shape(path, ours, theirs));
        }
        _ => assert_eq!(
            std::mem::discriminant(ours),
            std::mem::discriminant(theirs),
            "{path}: {ours} {theirs}"
        ),
    }
}
