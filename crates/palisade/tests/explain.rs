//! `palisade explain` as a user and a script meet it.

mod support;

use serde_json::{Value, json};
use support::{COMMENT_ATTACK, Folder, UNION_ATTACK, crs, every_crs, palisade, palisade_with};

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

fn headers(more: &[(&str, &str)]) -> Value {
    let mut headers = vec![
        json!(["Host", "shop.example.com"]),
        json!(["User-Agent", BROWSER]),
        json!(["Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"]),
        json!(["Accept-Language", "en-US,en;q=0.5"]),
    ];
    headers.extend(more.iter().map(|(name, value)| json!([name, value])));
    Value::from(headers)
}

fn lines(requests: &[Value]) -> Vec<u8> {
    requests.iter().map(|request| format!("{request}\n")).collect::<String>().into_bytes()
}

/// Explains JSON lines under rule flags, and gives the answers and the exit code.
fn explain(flags: &[&str], requests: &[Value]) -> (Vec<Value>, i32) {
    let mut arguments = vec!["explain", "--format", "json", "--request", "-"];
    arguments.extend(flags);
    let answer = palisade_with(&arguments, &lines(requests));
    assert_ne!(answer.code, 2, "{}", answer.err);
    let answers = answer.json_lines();
    assert_eq!(answers.len(), requests.len(), "one answer a line");
    (answers, answer.code)
}

/// Explains one request under rules of its own.
fn explain_rules(rules: &str, mut request: Value) -> Value {
    request["rules"] = json!(rules);
    explain(&[], &[request]).0.remove(0)
}

fn logged(answer: &Value) -> Vec<u64> {
    let matched = answer["matched"].as_array().unwrap();
    matched.iter().filter(|m| m["logged"] == true).map(|m| m["id"].as_u64().unwrap()).collect()
}

fn ordinary_requests() -> Vec<Value> {
    let form =
        "username=joe%40example.com&password=correct+horse+battery&remember=on&note=see+you+at+5+o%27clock";
    let json_body = r#"{"user":{"name":"Ada Lovelace","email":"ada@example.com"},"items":[{"sku":"A-17","count":2}],"gift":true}"#;
    let boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
    let upload = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nHoliday\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"beach.png\"\r\n\
         Content-Type: image/png\r\n\r\nPNG bytes, not really\r\n--{boundary}--\r\n"
    );
    let multipart = format!("multipart/form-data; boundary={boundary}");
    let post = |kind: &str, body: &str| {
        headers(&[("Content-Type", kind), ("Content-Length", &body.len().to_string())])
    };
    vec![
        json!({"name": "browser GET", "uri": "/products?category=lamps&page=2&sort=price", "headers":
            headers(&[("Accept-Encoding", "gzip, deflate, br"), ("Connection", "keep-alive"), ("Referer", "https://shop.example.com/"),
            ("Cookie", "session=8f14e45fceea167a5a36dedd4bea2543; theme=dark")])}),
        json!({"name": "front page", "headers": headers(&[])}),
        json!({"name": "image", "uri": "/static/img/logo.svg?v=1.2.3", "headers": headers(&[("If-None-Match", "\"5d8c72a5edda8\"")])}),
        json!({"name": "search", "uri": "/search?q=red+desk+lamp+%26+bulb", "headers": headers(&[])}),
        json!({"name": "HEAD", "method": "HEAD", "uri": "/", "headers": headers(&[])}),
        json!({"name": "form POST", "method": "POST", "uri": "/login", "headers": post("application/x-www-form-urlencoded", form), "body": form}),
        json!({"name": "JSON POST", "method": "POST", "uri": "/api/v1/orders", "headers": post("application/json", json_body), "body": json_body}),
        json!({"name": "upload", "method": "POST", "uri": "/photos", "headers": post(&multipart, &upload), "body": upload}),
        json!({"name": "WebSocket", "uri": "/live", "headers": headers(&[("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Origin", "https://shop.example.com")])}),
    ]
}

#[test]
fn the_articles_attacks_are_denied_by_the_ids_modsecurity_gives_and_ordinary_requests_pass_unlogged() {
    for crs in every_crs() {
        let attacks = [
            json!({"id": "union", "uri": UNION_ATTACK, "headers": headers(&[])}),
            json!({"id": "comment", "uri": COMMENT_ATTACK, "headers": headers(&[])}),
        ];
        let (answers, code) = explain(&["--crs", &crs], &attacks);
        assert_eq!(code, 1);
        let ids = [&[942190, 942360, 949110][..], &[942100, 949110]];
        for (answer, ids) in answers.iter().zip(ids) {
            let all = logged(answer);
            // CRS 3.3 as well as 4 add a line of correlation at the end.
            let attack: Vec<u64> = all.iter().copied().filter(|id| *id < 980_000).collect();
            assert!(ids.iter().all(|id| attack.contains(id)), "{crs}: {all:?}");
            assert_eq!(answer["verdict"], "deny");
            assert_eq!(answer["status"], 403);
            assert_eq!(answer["rule_id"], 949110);
            assert_eq!(answer["phase"], 2);
            let log = answer["log"].as_array().unwrap();
            for id in ids {
                assert!(log.iter().any(|line| line.as_str().unwrap().contains(&format!("[id \"{id}\"]"))));
            }
            assert!(log.iter().any(|line| {
                line.as_str().unwrap().contains("ModSecurity: Access denied with code 403 (phase 2).")
            }));
        }
        let requests = ordinary_requests();
        let (answers, code) = explain(&["--crs", &crs], &requests);
        for (request, answer) in requests.iter().zip(&answers) {
            assert_eq!(logged(answer), [0; 0], "{crs}: {}", request["name"]);
            assert_eq!(answer["verdict"], "pass", "{crs}: {}", request["name"]);
            assert_eq!(answer["log"], json!([]), "{crs}: {}", request["name"]);
        }
        assert_eq!(code, 0);
    }
}

#[test]
fn a_higher_paranoia_level_sees_more() {
    for crs in every_crs() {
        let request = json!({"uri": "/?q=%3D%3D%21%40%7E%7C%3B%27%29%28%2A", "headers": headers(&[])});
        let matched: Vec<usize> = ["1", "4"]
            .iter()
            .map(|level| {
                logged(&explain(&["--crs", &crs, "--paranoia", level], std::slice::from_ref(&request)).0[0])
                    .len()
            })
            .collect();
        assert!(matched[1] > matched[0] + 1, "{crs}: {matched:?}");
    }
}

#[test]
fn leaks_in_responses_are_denied_where_response_bodies_are_on() {
    for crs in every_crs() {
        let folder = Folder::new();
        let before =
            folder.write("before.conf", "SecResponseBodyAccess On\nSecResponseBodyMimeType text/html\n");
        let response = |body: &str| json!({"headers": headers(&[]), "response": {"status": 200, "headers": [["Content-Type", "text/html"]], "body": body}});
        let leak = "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version";
        let flags = ["--crs", &crs, "--rules-before", &before];
        let (answers, _) = explain(&flags, &[response(leak), response("<h1>Lamps</h1>")]);
        assert_eq!((&answers[0]["verdict"], &answers[0]["phase"]), (&json!("deny"), &json!(4)), "{crs}");
        assert_eq!(answers[0]["rule_id"], 959100, "{crs}");
        assert!(logged(&answers[0]).contains(&951230), "{crs}: {:?}", logged(&answers[0]));
        assert_eq!(logged(&answers[1]), [0; 0], "{crs}");
    }
}

#[test]
fn the_text_says_rule_place_decoding_value_score_and_what_blocked() {
    let Some(crs) = crs() else { return };
    let request = format!(
        "GET {UNION_ATTACK} HTTP/1.1\nHost: shop.example.com\nUser-Agent: {BROWSER}\nAccept: */*\n\n"
    );
    let answer = palisade_with(&["explain", "--crs", &crs, "--request", "-"], request.as_bytes());
    assert_eq!(answer.code, 1);
    for said in [
        "DENY 403 by rule 949110",
        "942190",
        "CRITICAL",
        "argument `password` (ARGS:password)",
        "urlDecodeUni",
        ";UNION SELECT 1, version() limit 1,1",
        "REQUEST-942-APPLICATION-ATTACK-SQLI.conf:",
        "Total Score: 10",
        "denied here with status 403, phase 2",
    ] {
        assert!(answer.out.contains(said), "{said} in {}", answer.out);
    }
    assert!(answer.out.starts_with("DENY"), "the verdict comes first");
    assert!(
        answer.out.lines().all(|line| line == line.trim_end()),
        "no spaces at line ends: {:?}",
        answer.out
    );
    // What came from a client cannot speak to the terminal.
    let hostile =
        "GET /?b%1b[31m=1+union+select+1,2&a=1+union+select+1,2\x1b[31m\u{9b}2J HTTP/1.1\nHost: x\x07\n\n"
            .as_bytes();
    let answer = palisade_with(&["explain", "--crs", &crs, "--request", "-"], hostile);
    assert_eq!(answer.code, 1);
    assert!(answer.out.chars().all(|char| char == '\n' || !char.is_control()), "{:?}", answer.out);
    assert!(
        answer.out.lines().all(|line| line == line.trim_end()),
        "no spaces at line ends: {:?}",
        answer.out
    );
    let refused = palisade_with(&["explain", "--request", "-"], br#"{"client_ip":"\u001b[31m"}"#);
    assert!(refused.out.starts_with("ERROR") && !refused.out.contains('\x1b'), "{:?}", refused.out);
    let pass = palisade_with(
        &["explain", "--crs", &crs, "--request", "-"],
        format!("GET / HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: {BROWSER}\r\nAccept: */*\r\n\r\n")
            .as_bytes(),
    );
    assert_eq!(pass.code, 0);
    assert!(pass.out.starts_with("PASS\n"), "{}", pass.out);
}

#[test]
fn every_field_of_the_answer_is_as_the_contract_says() {
    let rules = "SecRule ARGS:b \"@rx ^a\" \"id:7,phase:2,t:lowercase,deny,status:418,msg:'saw %{MATCHED_VAR}',\\\n\
         logdata:'%{MATCHED_VAR_NAME}',severity:'CRITICAL',tag:'one',tag:'two'\"\n";
    let answer = explain_rules(rules, json!({"id": "echoed", "uri": "/?b=Abc"}));
    let keys = answer.as_object().unwrap();
    for key in [
        "id", "verdict", "status", "redirect", "rule_id", "phase", "matched", "log", "findings", "scores",
        "error",
    ] {
        assert!(keys.contains_key(key), "{key}");
    }
    assert_eq!(answer["id"], "echoed");
    assert_eq!(answer["verdict"], "deny");
    assert_eq!(answer["status"], 418);
    assert_eq!(answer["redirect"], Value::Null);
    assert_eq!(answer["rule_id"], 7);
    assert_eq!(answer["phase"], 2);
    assert_eq!(answer["findings"], json!([]));
    assert_eq!(answer["scores"], json!({}));
    assert_eq!(answer["error"], Value::Null);
    assert!(answer.get("evaluated").is_none(), "only on request");
    let matched = &answer["matched"][0];
    for (key, value) in [
        ("id", json!(7)),
        ("phase", json!(2)),
        ("msg", json!("saw abc")),
        ("data", json!("ARGS:b")),
        ("severity", json!(2)),
        ("tags", json!(["one", "two"])),
        ("target", json!("ARGS:b")),
        ("logged", json!(true)),
        ("line", json!(1)),
    ] {
        assert_eq!(matched[key], value, "{key}");
    }
    assert!(matched["file"].is_string());
    assert_eq!(answer["log"].as_array().unwrap().len(), 1);
}

#[test]
fn ids_of_any_kind_come_back_and_lines_keep_their_order() {
    let ids = [json!(1), json!("two"), json!(null), json!(3.5), json!(true), json!([1]), json!({"a": 1})];
    let mut requests: Vec<Value> = ids.iter().map(|id| json!({"id": id, "rules": ""})).collect();
    requests.push(json!({"rules": ""}));
    let (answers, code) = explain(&[], &requests);
    assert_eq!(code, 0);
    let echoed: Vec<Value> = answers.iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(echoed[..7], ids);
    assert_eq!(echoed[7], Value::Null);
}

#[test]
fn pass_drop_and_redirect_have_their_nulls() {
    let rule = |action: &str| format!("SecAction \"id:1,phase:1,{action}\"");
    let pass = explain_rules(&rule("pass,nolog"), json!({}));
    assert_eq!(
        (&pass["verdict"], &pass["status"], &pass["redirect"], &pass["rule_id"], &pass["phase"]),
        (&json!("pass"), &Value::Null, &Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(pass["matched"][0]["logged"], false, "nolog is there, and told from what is logged");
    let drop = explain_rules(&rule("drop"), json!({}));
    assert_eq!((&drop["verdict"], &drop["status"]), (&json!("drop"), &Value::Null));
    assert_eq!(drop["rule_id"], 1);
    let redirect =
        explain_rules(&rule("redirect:https://example.com/%{REQUEST_METHOD},status:307"), json!({}));
    assert_eq!(redirect["verdict"], "redirect");
    assert_eq!(redirect["status"], 307);
    assert_eq!(redirect["redirect"], "https://example.com/GET");
}

#[test]
fn rules_of_a_line_replace_those_of_the_command_line_for_that_line_only() {
    let folder = Folder::new();
    let rules = folder.write("deny.conf", "SecAction \"id:5,phase:1,deny\"\n");
    let own = "SecRule ARGS:x \"@streq 1\" \"id:6,phase:1,deny,status:401\"";
    let (answers, code) = explain(
        &["--rules", &rules],
        &[json!({}), json!({"uri": "/?x=2", "rules": own}), json!({"uri": "/?x=1", "rules": own}), json!({})],
    );
    let seen: Vec<_> = answers.iter().map(|a| (a["status"].clone(), a["rule_id"].clone())).collect();
    assert_eq!(code, 1);
    assert_eq!(
        seen,
        [(json!(403), json!(5)), (Value::Null, Value::Null), (json!(401), json!(6)), (json!(403), json!(5)),]
    );
}

#[test]
fn relative_names_in_rules_of_a_line_resolve_from_the_working_directory() {
    let folder = Folder::new();
    folder.write("words.data", "evil\n");
    folder.write("inc/more.conf", "SecRule ARGS \"@pmFromFile ../words.data\" \"id:2,phase:2,deny\"\n");
    for rules in ["SecRule ARGS \"@pmFromFile words.data\" \"id:2,phase:2,deny\"", "Include inc/more.conf"] {
        let mut command = support::command(&["explain", "--format", "json", "--request", "-"]);
        command.current_dir(folder.path());
        let request = json!({"uri": "/?a=evil", "rules": rules});
        let answer = support::finish(command, &lines(&[request])).json();
        assert_eq!((&answer["error"], &answer["rule_id"]), (&Value::Null, &json!(2)), "{rules}");
    }
}

#[test]
fn rules_that_do_not_load_give_an_error_and_no_verdict() {
    let answer =
        explain_rules("SecRuleEngine On\nSecRule ARGZ \"@rx a\" \"id:1,phase:2,deny\"\n", json!({"id": 4}));
    assert_eq!(answer["id"], 4);
    assert_eq!(answer["verdict"], Value::Null);
    assert_eq!(answer["matched"], json!([]));
    let error = &answer["error"];
    assert!(error["message"].as_str().unwrap().contains("ARGZ"), "{error}");
    assert!(error["file"].is_string(), "{error}");
    assert_eq!(error["line"], 2);
    // In the text form people get the place as well.
    let request = json!({"rules": "SecRuleEngine On\nSecRule ARGZ \"@rx a\" \"id:1,phase:2,deny\"\n"});
    let text = palisade_with(&["explain", "--request", "-"], &lines(&[request]));
    assert_eq!(text.code, 1);
    assert!(text.out.contains(":2:9"), "{}", text.out);
    assert!(text.out.contains("did you mean `ARGS`?"), "{}", text.out);
}

#[test]
fn bodies_come_as_text_or_base64_and_bytes_that_are_no_text_print_as_escapes() {
    let rules = "SecRequestBodyAccess On\nSecRule ARGS:a \"@rx ^.*$\" \"id:1,phase:2,pass,log,msg:'%{MATCHED_VAR}',logdata:'%{MATCHED_VAR}'\"";
    let form = json!([["Content-Type", "application/x-www-form-urlencoded"]]);
    let text = explain_rules(rules, json!({"method": "POST", "headers": form, "body": "a=über"}));
    assert_eq!(text["matched"][0]["msg"], "über");
    // "a=" 0xff 0x41 0xc3
    let bytes = explain_rules(rules, json!({"method": "POST", "headers": form, "body_base64": "YT3/QcM="}));
    assert_eq!(bytes["matched"][0]["data"], "\\xFFA\\xC3");
    let both = explain_rules(rules, json!({"id": 3, "body": "a", "body_base64": "YQ=="}));
    assert_eq!((&both["id"], &both["verdict"]), (&json!(3), &Value::Null));
    assert!(both["error"]["message"].as_str().unwrap().contains("body_base64"));
}

#[test]
fn addresses_version_and_headers_reach_the_rules() {
    let rules = r#"SecAction "id:1,phase:1,pass,log,msg:'%{REMOTE_ADDR} %{REMOTE_PORT} %{SERVER_ADDR} %{SERVER_PORT} %{REQUEST_PROTOCOL} %{REQUEST_METHOD} %{REQUEST_HEADERS.x-a}'""#;
    let request = json!({"method": "PUT", "uri": "/a?b", "http_version": "1.0", "headers": [["X-A", "v"]],
        "client_ip": "2001:db8::7", "client_port": 4711, "server_ip": "192.0.2.5", "server_port": 8443});
    let answer = explain_rules(rules, request);
    assert_eq!(answer["matched"][0]["msg"], "2001:db8::7 4711 192.0.2.5 8443 HTTP/1.0 PUT v");
    assert!(answer["log"][0].as_str().unwrap().starts_with("[client 2001:db8::7] ModSecurity: Warning."));
}

#[test]
fn responses_run_phases_3_and_4() {
    let rules = "SecResponseBodyAccess On\nSecResponseBodyMimeType text/plain\n\
        SecRule RESPONSE_STATUS \"@streq 500\" \"id:3,phase:3,deny,status:502\"\n\
        SecRule RESPONSE_HEADERS:X-Secret \"@rx .\" \"id:33,phase:3,deny\"\n\
        SecRule RESPONSE_BODY \"@contains root:x:0\" \"id:4,phase:4,deny\"\n";
    let with = |response: Value| explain_rules(rules, json!({"response": response}));
    let plain = json!([["Content-Type", "text/plain"]]);
    let fine = with(json!({"status": 200, "headers": plain, "body": "hello"}));
    assert_eq!((&fine["verdict"], &fine["phase"]), (&json!("pass"), &Value::Null));
    let status = with(json!({"status": 500, "headers": plain, "body": ""}));
    assert_eq!(
        (&status["rule_id"], &status["phase"], &status["status"]),
        (&json!(3), &json!(3), &json!(502))
    );
    let header = with(json!({"status": 200, "http_version": "1.1", "headers": [["x-secret", "1"]]}));
    assert_eq!(header["rule_id"], 33);
    let body = with(json!({"status": 200, "headers": plain, "body": "root:x:0:0"}));
    assert_eq!((&body["rule_id"], &body["phase"]), (&json!(4), &json!(4)));
    let encoded = with(json!({"status": 200, "headers": plain, "body_base64": "cm9vdDp4OjA6MA=="}));
    assert_eq!(encoded["rule_id"], 4);
}

#[test]
fn debug_rules_shows_every_value_after_its_transformations() {
    let rules = "SecRule ARGS \"@streq zzz\" \"id:1,phase:2,deny,t:urlDecode,t:lowercase\"";
    let request = json!({"uri": "/?a=%2541&b=C", "rules": rules});
    let answer = palisade_with(
        &["explain", "--debug-rules", "--format", "json", "--request", "-"],
        &lines(&[request]),
    );
    assert_eq!(answer.code, 0);
    assert_eq!(
        answer.json()["evaluated"],
        json!([{"id": 1, "target": "ARGS:a", "value": "a"}, {"id": 1, "target": "ARGS:b", "value": "c"}])
    );
    // It has no place in the text form, and says so rather than doing nothing.
    let text = palisade_with(&["explain", "--debug-rules", "--request", "-"], b"{}");
    assert_eq!(text.code, 2);
    assert!(text.err.contains("--format json"), "{}", text.err);
}

#[test]
fn monitoring_passes_and_says_what_block_mode_would_do() {
    let folder = Folder::new();
    let rules = folder.write("deny.conf", "SecAction \"id:5,phase:1,deny,msg:'no'\"\n");
    let request = lines(&[json!({})]);
    let json = palisade_with(
        &["explain", "--mode", "monitoring", "--rules", &rules, "--format", "json", "--request", "-"],
        &request,
    );
    assert_eq!(json.code, 0);
    let answer = json.json();
    assert_eq!((&answer["verdict"], &answer["status"]), (&json!("pass"), &Value::Null));
    assert_eq!(logged(&answer), [5]);
    assert_eq!(answer["would"], "deny");
    let text =
        palisade_with(&["explain", "--mode", "monitoring", "--rules", &rules, "--request", "-"], &request);
    assert_eq!(text.code, 0);
    assert!(text.out.starts_with("PASS"), "{}", text.out);
    assert!(text.out.contains("block mode would deny it by rule 5"), "{}", text.out);
}

#[test]
fn raw_messages_are_read_with_either_line_end() {
    let folder = Folder::new();
    let rules = folder.write(
        "r.conf",
        "SecRequestBodyAccess On\nSecRule ARGS_POST:q \"@streq 1\" \"id:1,phase:2,deny,msg:'%{REQUEST_HEADERS.host}'\"\n",
    );
    let head = "POST /a HTTP/1.1\nHost: x.example\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 3\n\n";
    for message in
        [format!("{head}q=1"), format!("{head}q=1\n"), format!("{}q=1", head.replace('\n', "\r\n"))]
    {
        let file = folder.write("request.http", &message);
        let answer = palisade(&["explain", "--rules", &rules, "--format", "json", "--request", &file]).json();
        assert_eq!(answer["rule_id"], 1, "{message:?}");
        assert_eq!(answer["matched"][0]["msg"], "x.example");
    }
    let chunked = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nq=1\r\n0\r\n\r\n";
    let file = folder.write("chunked.http", chunked);
    let answer = palisade(&["explain", "--rules", &rules, "--format", "json", "--request", &file]).json();
    assert_eq!(answer["rule_id"], 1);
}

#[test]
fn a_message_with_broken_framing_is_denied_with_its_reason() {
    let smuggled =
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let json = palisade_with(&["explain", "--format", "json", "--request", "-"], smuggled);
    assert_eq!(json.code, 1);
    let answer = json.json();
    assert_eq!(
        (&answer["verdict"], &answer["status"], &answer["rule_id"]),
        (&json!("deny"), &json!(400), &Value::Null)
    );
    assert!(
        answer["cause"].as_str().unwrap().contains("framing"),
        "no rule denied it, so what did? {answer}"
    );
}

#[test]
fn a_bad_line_among_good_ones_costs_only_itself() {
    let folder = Folder::new();
    let input = "{\"id\":1,\"rules\":\"\"}\nnot json\n\n{\"id\":3,\"methd\":\"GET\"}\n{\"id\":4,\"rules\":\"\"}\n[1,2]\n{\"id\":6,\"client_ip\":\"nowhere\"}\n";
    let file = folder.write("requests.jsonl", input);
    let json = palisade(&["explain", "--format", "json", "--request", &file]);
    assert_eq!(json.code, 1);
    let answers = json.json_lines();
    let verdicts: Vec<_> = answers.iter().map(|a| (a["id"].clone(), a["verdict"].clone())).collect();
    assert_eq!(
        verdicts,
        [
            (json!(1), json!("pass")),
            (Value::Null, Value::Null),
            (json!(3), Value::Null),
            (json!(4), json!("pass")),
            (Value::Null, Value::Null),
            (json!(6), Value::Null),
        ]
    );
    let message = |index: usize| answers[index]["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(answers[1]["error"]["line"], 2, "the line of the input, blank lines counted");
    assert_eq!(answers[1]["error"]["file"], file.as_str());
    assert!(message(2).contains("methd"), "{}", message(2));
    assert_eq!(answers[2]["error"]["line"], 4);
    assert!(message(4).contains("object"), "{}", message(4));
    assert!(message(5).contains("client_ip"), "{}", message(5));
    let text = palisade(&["explain", "--request", &file]);
    assert!(text.out.contains(&format!("{file}:2")), "{}", text.out);
}

#[test]
fn a_first_line_that_is_broken_does_not_make_json_lines_an_http_message() {
    for input in ["not json\n{\"id\":2,\"rules\":\"\"}\n", "\"x\"\n{\"id\":2,\"rules\":\"\"}\n"] {
        let answers =
            palisade_with(&["explain", "--format", "json", "--request", "-"], input.as_bytes()).json_lines();
        assert_eq!(answers.len(), 2, "{answers:?}");
        assert!(answers[0]["error"].is_object());
        assert_eq!((&answers[1]["id"], &answers[1]["verdict"]), (&json!(2), &json!("pass")));
    }
    let folder = Folder::new();
    let file = folder.write("one.jsonl", "garbage\n");
    let answer = palisade(&["explain", "--format", "json", "--request", &file]).json();
    assert!(answer["error"].is_object(), "the name says what it is: {answer}");
}

#[test]
fn hostile_inputs_are_answered_within_bounds() {
    let rules = "SecRequestBodyAccess On\nSecRequestBodyLimit 13107200\nSecRequestBodyNoFilesLimit 13107200\n\
        SecRule REQUEST_HEADERS:Content-Type \"@contains json\" \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n\
        SecRule REQBODY_ERROR \"@eq 1\" \"id:2,phase:2,deny,status:400,msg:'%{REQBODY_ERROR_MSG}'\"\n\
        SecRule ARGS \"@rx (a+)+$\" \"id:3,phase:2,pass,nolog\"\n";
    let post = |kind: &str, body: String| json!({"method": "POST", "headers": [["Content-Type", kind], ["Content-Length", body.len().to_string()]], "body": body, "rules": rules});
    let begun = std::time::Instant::now();
    let (answers, _) = explain(
        &[],
        &[
            post("application/x-www-form-urlencoded", format!("a={}!", "a".repeat(5 << 20))),
            post("application/json", "[".repeat(200_000)),
            post("application/json", format!("{}{}", "{\"a\":".repeat(50_000), "}".repeat(50_000))),
            post("application/x-www-form-urlencoded", "a=1&".repeat(300_000)),
            post("multipart/form-data; boundary=x", "--x\r\n".repeat(200_000)),
        ],
    );
    assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(answers[0]["error"], Value::Null);
    for deep in &answers[1..3] {
        assert_eq!((&deep["verdict"], &deep["rule_id"]), (&json!("deny"), &json!(2)), "{}", deep["log"]);
    }
    // Binary in place of a request, and JSON nested beyond reason.
    let nested = format!("{{\"id\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let noise: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for input in
        [&b"\x00\x01\x02\xff"[..], b"\r\n\r\n", b"{", b"{\"uri\":\"\xff\"}", nested.as_bytes(), &noise]
    {
        for format in ["json", "text"] {
            let answer = palisade_with(&["explain", "--format", format, "--request", "-"], input);
            assert!(answer.code == 1 || answer.code == 2, "{answer:?}");
        }
    }
}

#[test]
fn what_cannot_run_exits_2_and_names_the_value() {
    let folder = Folder::new();
    let request = folder.write("r.json", "{}");
    let broken = folder.write("broken.conf", "SecRulee\n");
    for (arguments, named) in [
        (vec!["explain"], "--request"),
        (vec!["explain", "--request", "/nowhere/r.json"], "/nowhere/r.json"),
        (vec!["explain", "--request", "/dev/zero"], "larger than"),
        (vec!["explain", "--request", &request, "--crs", "/nowhere"], "/nowhere"),
        (vec!["explain", "--request", &request, "--rules", "/nowhere/x.conf"], "/nowhere/x.conf"),
        (vec!["explain", "--request", &request, "--rules", &broken], "SecRulee"),
        (vec!["explain", "--request", &request, "--mode", "loud"], "loud"),
        (vec!["explain", "--request", &request, "--paranoia", "5"], "5"),
        (vec!["explain", "--request", &request, "--format", "xml"], "xml"),
        (vec!["explain", "--request", "-"], "empty"),
    ] {
        let answer = palisade(&arguments);
        assert_eq!(answer.code, 2, "{arguments:?}: {answer:?}");
        assert!(answer.err.contains(named), "{arguments:?}: {}", answer.err);
    }
}

#[test]
fn without_rules_it_passes_and_says_that_nothing_looked() {
    let answer = palisade_with(&["explain", "--request", "-"], b"{}");
    assert_eq!(answer.code, 0);
    assert!(answer.out.contains("no rules"), "{}", answer.out);
}

/// A shop with a public page and an API for partners, a mode each.
fn shop(folder: &Folder) -> String {
    folder.write(
        "partners.keys",
        "partner-a sha256:d1cf9c5cffcb718f754b7ecb1ed23efdb5a654b4b20c2fc42759db5903209f76\n",
    );
    std::fs::create_dir_all(folder.at("policies")).unwrap();
    folder.write(
        "policies/shop.yaml",
        "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: shop}\nspec:\n  selector: app == 'shop'\n  \
         ingress:\n  - {action: Allow, http: {methods: [GET]}}\n  \
         - {action: Allow, source: {serviceAccounts: {names: [orders]}}, http: {methods: [POST]}}\n\
         ---\napiVersion: v1\nkind: Pod\nmetadata: {name: orders-1, namespace: shop}\nspec: {serviceAccountName: orders}\n\
         status: {podIP: 127.0.0.7}\n",
    );
    folder.write(
        "rules.conf",
        "SecRuleEngine On\nSecRule ARGS \"@contains evil\" \"id:1001,phase:2,deny,status:403,msg:'evil'\"\n",
    );
    folder.write(
        "palisade.yaml",
        format!(
            "dataDir: {}\nlisteners: [{{name: web, address: \"127.0.0.1:0\"}}, {{name: inner, address: \"127.0.0.1:0\"}}]\n\
             workload: {{namespace: shop, name: shop, serviceAccount: shop, labels: {{app: shop}}}}\n\
             policies: {{files: [policies], trustDomains: [cluster.local]}}\n\
             lists: {{deny: [{{address: 203.0.113.7}}]}}\n\
             authenticators:\n- {{name: partners, apiKeys: {{file: partners.keys}}}}\n\
             - {{name: corp, forward: {{url: \"http://127.0.0.1:1/check\"}}}}\n\
             services:\n- {{name: page, upstream: {{url: \"http://127.0.0.1:1\"}}, mode: monitoring}}\n\
             - {{name: api, upstream: {{url: \"http://127.0.0.1:1\"}}, mode: block}}\n\
             routes:\n- {{service: page, hosts: [shop.example.com]}}\n\
             - {{path: /api, hosts: [shop.example.com], service: api, authentication: {{by: [partners]}}}}\n\
             - {{path: /corp, hosts: [shop.example.com], service: api, authentication: {{by: [corp]}}, listener: inner}}\n\
             profiles: {{default: {{detect: {{enabled: false}}, rules: {{files: [rules.conf]}}}}}}\n",
            folder.at("data"),
        ),
    )
}

#[test]
fn a_configuration_is_asked_with_all_that_comes_before_the_inspection() {
    let folder = Folder::new();
    let config = shop(&folder);
    let ask = |request: Value, more: &[&str]| {
        let flags: Vec<&str> = ["--config", &config].into_iter().chain(more.iter().copied()).collect();
        explain(&flags, &[request])
    };
    let request = |method: &str, uri: &str, more: &[(&str, &str)]| json!({"method": method, "uri": uri, "headers": headers(more)});
    let key = ("X-Api-Key", "partner-key-1");

    // The route chooses the service, and with it the mode.
    let (answers, code) = ask(request("GET", "/?q=evil", &[]), &[]);
    assert_eq!((&answers[0]["verdict"], &answers[0]["would"], code), (&json!("pass"), &json!("deny"), 0));
    assert_eq!(answers[0]["configured"]["service"], "page");
    assert_eq!(answers[0]["configured"]["route"], "/");
    let (answers, code) = ask(request("GET", "/?q=evil", &[]), &["--mode", "block"]);
    assert_eq!((&answers[0]["verdict"], &answers[0]["rule_id"], code), (&json!("deny"), &json!(1001), 1));

    // Who it is from.
    let (answers, _) = ask(request("GET", "/api/orders", &[]), &[]);
    assert_eq!((&answers[0]["status"], &answers[0]["cause"]), (&json!(401), &json!("authentication")));
    let (answers, _) = ask(request("GET", "/api/orders", &[key]), &[]);
    assert_eq!(
        (&answers[0]["verdict"], &answers[0]["configured"]["authentication"]["subject"]),
        (&json!("pass"), &json!("partner-a"))
    );
    let (answers, _) = ask(request("GET", "/api/orders?q=evil", &[key]), &[]);
    assert_eq!((&answers[0]["status"], &answers[0]["rule_id"]), (&json!(403), &json!(1001)));
    // Nobody is asked: that is said, and the rest of the way is gone.
    let (answers, _) = ask(request("GET", "/corp/x?q=evil", &[]), &["--listener", "inner"]);
    assert_eq!(answers[0]["configured"]["authentication"]["unasked"], json!(["corp"]));
    assert_eq!(answers[0]["rule_id"], 1001);
    // The other listener has no such route.
    let (answers, _) = ask(request("GET", "/corp/x?q=evil", &[]), &["--listener", "web"]);
    assert_eq!(answers[0]["configured"]["service"], "page");

    // Certificate and address: one of them alone opens nothing.
    let post = || request("POST", "/api/orders", &[key, ("Content-Length", "0")]);
    let orders = "spiffe://cluster.local/ns/shop/sa/orders";
    for (from, principal, allowed) in [
        (None, None, false),
        (Some("127.0.0.7"), None, false),
        (Some("127.0.0.8"), Some(orders), false),
        (Some("127.0.0.7"), Some("spiffe://elsewhere.example/ns/shop/sa/orders"), false),
        (Some("127.0.0.7"), Some(orders), true),
    ] {
        let from: Vec<&str> = from.iter().flat_map(|from| ["--from", from]).collect();
        let who: Vec<&str> = principal.iter().flat_map(|id| ["--principal", id]).collect();
        let (answers, code) = ask(post(), &[from, who].concat());
        assert_eq!(code == 0, allowed, "{}", answers[0]);
        assert_eq!(answers[0]["configured"]["policy"]["allowed"], allowed, "{}", answers[0]);
    }
    // What the request says itself comes before the flags.
    let mut own = post();
    own["principal"] = json!(orders);
    own["client_ip"] = json!("127.0.0.7");
    assert_eq!(
        ask(own, &["--from", "127.0.0.9", "--principal", "spiffe://cluster.local/ns/shop/sa/web"]).1,
        0
    );

    // The deny list comes before everybody.
    let (answers, _) = ask(request("GET", "/", &[]), &["--from", "203.0.113.7"]);
    assert_eq!(
        (&answers[0]["cause"], &answers[0]["configured"]["list"]),
        (&json!("the deny list"), &json!("deny"))
    );

    // What goes nowhere, and what cannot be asked.
    let elsewhere = json!({"uri": "/", "headers": [["Host", "other.example.com"]]});
    let (answers, code) = ask(elsewhere, &[]);
    assert!(answers[0]["error"]["message"].as_str().unwrap().contains("no route takes it"), "{}", answers[0]);
    assert_eq!(code, 1);
    let (answers, _) = ask(request("GET", "/", &[]), &["--listener", "outer"]);
    assert!(
        answers[0]["error"]["message"].as_str().unwrap().contains("there are: inner, web"),
        "{}",
        answers[0]
    );
    let mut bad = request("GET", "/", &[]);
    bad["principal"] = json!("orders");
    let (answers, _) = ask(bad, &[]);
    assert!(answers[0]["error"]["message"].as_str().unwrap().contains("spiffe://"), "{}", answers[0]);
    let mut ruled = request("GET", "/", &[]);
    ruled["rules"] = json!("SecRuleEngine On");
    let (answers, _) = ask(ruled, &[]);
    assert!(answers[0]["error"]["message"].as_str().unwrap().contains("--config"), "{}", answers[0]);
}

#[test]
fn the_way_through_a_configuration_is_told_in_words() {
    let folder = Folder::new();
    let config = shop(&folder);
    let message = b"POST /api/orders HTTP/1.1\r\nHost: shop.example.com\r\nX-Api-Key: partner-key-1\r\nContent-Length: 0\r\n\r\n";
    let answer = palisade_with(&["explain", "--config", &config, "--request", "-"], message);
    assert_eq!(answer.code, 1);
    for line in [
        "DENY 403 by policy",
        "  service   api by its route /api",
        "  who       partner-a, as authenticator partners says",
        "  policy    refused: nobody by name at 127.0.0.1",
        "nearest was rule 0 of shop, by its http.methods",
    ] {
        assert!(answer.out.contains(line), "{line}\n{}", answer.out);
    }
    let wrong = palisade_with(&["explain", "--config", &config, "--crs", "x", "--request", "-"], message);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("cannot be used with"), "{}", wrong.err);
    folder.write("partners.keys", "partner-a sha256:no\n");
    let broken = palisade_with(&["explain", "--config", &config, "--request", "-"], message);
    assert_eq!(broken.code, 2);
    assert!(broken.err.contains("partners"), "{}", broken.err);
}
