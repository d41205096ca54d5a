//! The logs of `palisade run`, from outside: what they hold, what they never hold, and that they hold nobody up.

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Folder, Running, Upstream, command, crs, eventually, get, send};

/// The attack of the article on the sidecar pattern.
const SIDECAR_ATTACK: &str =
    "/?username=joe%40example.com&password=%3BUNION+SELECT+1%2C+version%28%29+limit+1%2C1--";

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Waits until a file holds a text, and gives all of it.
fn holds(path: &str, text: &str) -> String {
    eventually(&format!("{text} in {path}"), || Some(read(path)).filter(|held| held.contains(text)))
}

fn metrics(admin: SocketAddr) -> String {
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    send(admin, request.as_bytes()).body
}

fn post(path: &str, headers: &str, kind: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: shop\r\nUser-Agent: test\r\nAccept: */*\r\nConnection: close\r\n{headers}\
         Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[test]
fn the_sidecar_articles_attack_is_in_the_audit_log_in_modsecurity_2s_words() {
    let Some(crs) = crs() else { return };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let (audit, error) = (folder.at("modsec_audit.log"), folder.at("error.log"));
    let arguments = [
        "--mode",
        "block",
        "--crs",
        &crs,
        "--audit-log",
        &audit,
        "--audit-format",
        "native2",
        "--error-log",
        &error,
    ];
    let mut proxy = Running::proxy(&folder, &upstream.url, &arguments);
    let address = proxy.address();
    let denied = get(address, SIDECAR_ATTACK, "");
    assert_eq!(denied.status, 403);
    let id = denied.header("x-request-id").unwrap();
    let entry = holds(&audit, "-Z--\n");
    let boundary = entry.strip_prefix("--").unwrap().split('-').next().unwrap();
    assert!(boundary.len() == 8 && boundary.bytes().all(|byte| byte.is_ascii_hexdigit()), "{entry}");
    let sections: String = entry
        .lines()
        .filter_map(|line| line.strip_prefix(&format!("--{boundary}-"))?.strip_suffix("--"))
        .collect();
    assert_eq!(sections, "ABFHZ", "{entry}");
    for part in [
        &format!("] {id} 127.0.0.1 "),
        &format!("GET {SIDECAR_ATTACK} HTTP/1.1\n"),
        "HTTP/1.1 403 Forbidden\n",
        "Message: Warning. Pattern match \"",
        " at ARGS:password. [file \"",
        "[id \"942190\"]",
        "[id \"942360\"]",
        "found within ARGS:password: ;UNION SELECT 1, version() limit 1,1--\"]",
        "[severity \"CRITICAL\"]",
        "Message: Access denied with code 403 (phase 2). Operator GE matched 5 at TX:",
        "Action: Intercepted (phase 2)\n",
        "Stopwatch: ",
        "Producer: Palisade/",
        "Server: Palisade\n",
        "Engine-Mode: \"ENABLED\"\n",
    ] {
        assert!(entry.contains(part), "{part} in {entry}");
    }
    // What nothing flags is no entry, and is not found is none either.
    assert_eq!(get(address, "/?q=fine", "").status, 200);
    assert_eq!(proxy.end(), 0);
    assert_eq!(read(&audit).matches("-A--\n").count(), 1);
}

#[test]
fn passwords_are_in_no_log_while_the_attack_beside_them_is() {
    let Some(crs) = crs() else { return };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let all = ["audit.log", "error.log", "access.log", "debug.log"].map(|name| folder.at(name));
    let [audit, error, access, debug] = &all;
    let before = folder.write(
        "before.conf",
        format!("SecDebugLog {debug}\nSecDebugLogLevel 9\nSecAuditLogParts ABCEFHIJKZ\n"),
    );
    for format in ["native", "native2", "json"] {
        let arguments = [
            "--mode",
            "block",
            "--crs",
            &crs,
            "--rules-before",
            &before,
            "--audit-log",
            audit,
            "--audit-format",
            format,
            "--error-log",
            error,
            "--access-log",
            access,
            "--dikastes-log",
            "--paranoia",
            "4",
        ];
        let mut proxy = Running::proxy(&folder, &upstream.url, &arguments);
        let address = proxy.address();
        let headers = "Authorization: Basic aHVudGVyMi1iYXNpYw==\r\nCookie: session=hunter2-cookie\r\n\
                       X-Api-Key: hunter2-key\r\nReferer: http://shop/?token=hunter2-referer\r\n";
        let target = "/login?q=1'+UNION+SELECT+version()--&password=Hunter2-query&card=4111111111111111";
        let multipart = "--x\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\njoe\r\n--x\r\n\
                         Content-Disposition: form-data; name=\"passwd\"\r\n\r\nhunter2-part\r\n--x--\r\n";
        for (kind, body) in [
            ("application/x-www-form-urlencoded", "user=joe&passwd=hunter2-form&pin=98%37654"),
            (
                "application/json",
                r#"{"user":"joe","password":"hunter2-json","nested":{"api_key":["hunter2-array"]}}"#,
            ),
            ("multipart/form-data; boundary=x", multipart),
        ] {
            let answer = send(address, &post(target, headers, kind, body));
            assert_eq!(answer.status, 403, "{format} {kind}: {answer:?}");
        }
        assert_eq!(proxy.end(), 0);
    }
    for path in &all {
        let text = read(path);
        assert!(!text.is_empty(), "{path}");
        for secret in ["unter2", "4111111111111111", "aHVudGVyMi1", "98%37654", "987654"] {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{secret} in {path}: {line:?}");
        }
    }
    let evidence = "UNION SELECT version()";
    assert!(read(error).contains(evidence) && read(audit).contains(evidence));
    assert!(read(access).contains("1'+UNION+SELECT+version()--"));
    assert!(read(audit).contains("user=joe") && read(audit).contains(r#"\"user\":\"joe\""#));
    let dikastes =
        read(error).lines().find(|line| line.contains("WAF Process Http Request [")).unwrap().to_owned();
    assert!(
        dikastes.starts_with("time=\"2") && dikastes.contains("OWASP Warning'[1] Host:'127.0.0.1' File:'")
    );
    assert!(read(error).contains("level=info msg=\"WAF Found Rules File[0]('"));
    assert!(read(debug).contains("[4] (Rule: 942100) Executing operator"));
}

#[test]
fn the_access_log_has_an_object_for_each_exchange() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let access = folder.at("access.log");
    let rules =
        folder.write("site.conf", "SecRule ARGS:bad \"@streq 1\" \"id:20002,phase:2,deny,status:418,log\"\n");
    let arguments = ["--mode", "block", "--rules", &rules, "--access-log", &access];
    let mut proxy = Running::proxy(&folder, &upstream.url, &arguments);
    let address = proxy.address();
    let request = "GET /a?x=1&token=abcdefgh HTTP/1.1\r\nHost: shop\r\nUser-Agent: \"quoted\"\\\r\n\
                   X-Request-Id: theirs\r\nConnection: close\r\n\r\n";
    let passed = send(address, request.as_bytes());
    let denied = get(address, "/b?bad=1", "");
    assert_eq!((passed.status, denied.status), (200, 418));
    assert_eq!(proxy.end(), 0);
    let lines: Vec<Value> = read(&access).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let (first, second) = (&lines[0], &lines[1]);
    assert_eq!(first["request_id"].as_str(), passed.header("x-request-id"));
    for (key, value) in [
        ("client_request_id", "theirs"),
        ("method", "GET"),
        ("path", "/a?x=1&token=********"),
        ("protocol", "HTTP/1.1"),
        ("answered_by", "upstream"),
        ("verdict", "pass"),
        ("mode", "block"),
        ("user_agent", "\"quoted\"\\"),
    ] {
        assert_eq!(first[key], value, "{key}");
    }
    assert_eq!((&first["status"], &first["rules"]), (&200.into(), &Value::Array(vec![])));
    assert_eq!(first["response_bytes"].as_u64(), Some(passed.body.len() as u64));
    assert!(first["duration"].as_f64().unwrap() >= first["duration_engine"].as_f64().unwrap());
    assert!(first["time"].as_str().unwrap().ends_with('Z') && first["upstream"].is_string());
    assert_eq!((&second["status"], &second["verdict"]), (&418.into(), &"deny".into()));
    assert_eq!(second["answered_by"], "palisade");
    assert_eq!(second["rules"], serde_json::json!([20002]));
    assert!(second["upstream"].is_null());
}

#[test]
fn what_rules_say_of_the_audit_log_holds() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let (index, second, storage) = (folder.at("index.log"), folder.at("second.log"), folder.at("storage"));
    let rules = folder.write(
        "site.conf",
        format!(
            "SecAuditEngine RelevantOnly\nSecAuditLogRelevantStatus \"^418\"\nSecAuditLogParts ABHZ\n\
             SecAuditLogType Concurrent\nSecAuditLogFormat JSON\nSecAuditLog {index}\nSecAuditLog2 {second}\n\
             SecAuditLogStorageDir {storage}\nSecAuditLogFileMode 0600\nSecAuditLogDirMode 0700\n\
             SecRule ARGS:bad \"@streq 1\" \"id:1,phase:2,deny,status:418,log,noauditlog\"\n\
             SecRule ARGS:bad \"@streq 2\" \"id:2,phase:2,deny,status:403,log,noauditlog\"\n\
             SecRule ARGS:bad \"@streq 3\" \"id:3,phase:2,pass,log,auditlog,msg:'seen'\"\n"
        ),
    );
    let arguments = ["--mode", "block", "--rules", &rules, "--admin", "127.0.0.1:0"];
    let mut proxy = Running::proxy(&folder, &upstream.url, &arguments);
    let (address, admin) = (proxy.address(), proxy.admin());
    let metrics = metrics(admin);
    let of_audit =
        metrics.lines().filter(|line| line.starts_with("palisade_log_lines_dropped_total{log=\"audit\"}"));
    assert_eq!(of_audit.count(), 1, "two files, one log: {metrics}");
    for (bad, status) in [(1, 418), (2, 403), (3, 200), (4, 200)] {
        assert_eq!(get(address, &format!("/p?bad={bad}"), "").status, status);
    }
    assert_eq!(proxy.end(), 0);
    let lines = read(&index);
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert_eq!(lines, read(&second));
    for (line, bad, messages) in
        [(lines.lines().next().unwrap(), 1, 0), (lines.lines().nth(1).unwrap(), 3, 1)]
    {
        assert!(line.contains(&format!("\"GET /p?bad={bad} HTTP/1.1\"")), "{line}");
        let path = line.split(' ').find(|word| word.starts_with(&storage)).unwrap();
        let entry: Value = serde_json::from_str(&read(path)).unwrap();
        assert_eq!(entry["transaction"]["messages"].as_array().unwrap().len(), messages, "{entry}");
        use std::os::unix::fs::PermissionsExt as _;
        let rights = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = std::path::Path::new(path);
        assert_eq!((rights(path), rights(path.parent().unwrap())), (0o600, 0o700));
    }
}

#[test]
fn a_pipe_that_nobody_reads_slows_no_request_and_costs_entries_that_are_counted() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let (audit, access) = (folder.at("audit.pipe"), folder.at("access.pipe"));
    for path in [&audit, &access] {
        if !std::process::Command::new("mkfifo").arg(path).status().is_ok_and(|status| status.success()) {
            println!("skipped: mkfifo is not there");
            return;
        }
    }
    let rules = folder.write(
        "site.conf",
        "SecRequestBodyAccess On\nSecAuditEngine On\nSecAuditLogParts ABCHZ\nSecRule ARGS:bad \"@streq 1\" \"id:1,phase:2,deny,log\"\n",
    );
    let mut proxy = Running::proxy(
        &folder,
        &upstream.url,
        &["--rules", &rules, "--audit-log", &audit, "--access-log", &access, "--admin", "127.0.0.1:0"],
    );
    let (address, admin) = (proxy.address(), proxy.admin());
    // 400 entries of some 60 KiB: more than the queue's 8 MiB and the pipe.
    let request = post("/", "", "application/x-www-form-urlencoded", &format!("a={}", "x".repeat(60_000)));
    let mut slowest = Duration::ZERO;
    for _ in 0..400 {
        let begun = Instant::now();
        assert_eq!(send(address, &request).status, 200);
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    let metrics = metrics(admin);
    let dropped =
        metrics.lines().find(|line| line.contains("dropped") && line.contains("audit")).unwrap_or_default();
    let count: f64 = dropped.rsplit(' ').next().unwrap().parse().unwrap_or_default();
    assert!(count > 0.0, "{dropped:?} in {metrics}");
    let begun = Instant::now();
    assert_eq!(proxy.end(), 0, "and it ends all the same");
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[test]
fn hang_up_opens_every_log_anew() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let names = ["error.log", "audit.log", "access.log", "debug.log"];
    let all = names.map(|name| folder.at(name));
    let rules = folder.write(
        "site.conf",
        format!(
            "SecDebugLog {}\nSecDebugLogLevel 4\nSecAuditEngine On\nSecAuditLog {}\n\
             SecRule ARGS:bad \"@streq 1\" \"id:1,phase:2,deny,log\"\n",
            all[3], all[1]
        ),
    );
    let arguments = ["--rules", &rules, "--error-log", &all[0], "--access-log", &all[2]];
    let mut proxy = Running::proxy(&folder, &upstream.url, &arguments);
    let address = proxy.address();
    let ask = || assert_eq!(get(address, "/?bad=1", "").status, 200);
    ask();
    for path in &all {
        holds(path, "\n");
        std::fs::rename(path, format!("{path}.1")).unwrap();
    }
    proxy.signal("HUP");
    proxy.wait_err("loaded anew");
    ask();
    for path in &all {
        holds(path, "\n");
    }
    assert_eq!(proxy.end(), 0);
    let entries = |path: &str| read(path).matches("---A--\n").count();
    assert_eq!((entries(&all[1]), entries(&format!("{}.1", all[1]))), (1, 1));
}

#[test]
fn what_cannot_be_had_of_the_audit_log_is_said_at_the_start() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    for (text, words) in [
        ("SecAuditEngine On\n", "no file is named"),
        (
            "SecAuditEngine On\nSecAuditLog /nowhere/audit.log\n",
            "SecAuditLog `/nowhere/audit.log` cannot be opened",
        ),
        (
            "SecAuditEngine On\nSecAuditLogType Concurrent\nSecAuditLog /dev/null\n",
            "needs SecAuditLogStorageDir",
        ),
        (
            "SecAuditEngine On\nSecAuditLogRelevantStatus \"^(\"\nSecAuditLog /dev/null\n",
            "`^(` is no pattern",
        ),
        (
            "SecDebugLog /nowhere/debug.log\nSecDebugLogLevel 3\n",
            "SecDebugLog `/nowhere/debug.log` cannot be opened",
        ),
    ] {
        let rules = folder.write("site.conf", text);
        let mut proxy = Running::proxy(&folder, &upstream.url, &["--rules", &rules]);
        let address = proxy.address();
        proxy.wait_err(words);
        assert_eq!(get(address, "/", "").status, 200);
        assert_eq!(proxy.end(), 0);
    }
}

#[test]
fn masks_of_a_profile_are_those_of_its_traffic() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let (error, access) = (folder.at("error.log"), folder.at("access.log"));
    let rules = folder.write(
        "site.conf",
        "SecRule QUERY_STRING \"@contains x\" \"id:1,phase:1,pass,log,logdata:'%{MATCHED_VAR}'\"\n",
    );
    let config = folder.write(
        "palisade.yaml",
        format!(
            "admin: {{address: \"off\"}}\ndataDir: {}\nlogs: {{error: {error}, access: {access}}}\n\
             listeners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
             services: [{{name: web, upstream: {{url: \"{}\"}}, profile: default}}]\n\
             routes:\n- {{service: web}}\n- {{path: /plain/, service: web, profile: plain}}\n\
             profiles:\n  default: {{rules: {{files: [{rules}]}}, mask: [{{names: [ssn]}}]}}\n  plain: {{rules: {{files: [{rules}]}}}}\n",
            folder.at("data"),
            upstream.url
        ),
    );
    let mut proxy = Running::start(command(&["run", "--config", &config]));
    let address = proxy.address();
    assert_eq!(get(address, "/?x=1&user_ssn=078051120", "").status, 200);
    assert_eq!(get(address, "/plain/?x=1&user_ssn=219099999", "").status, 200);
    assert_eq!(proxy.end(), 0);
    for log in [read(&error), read(&access)] {
        assert!(!log.contains("078051120") && log.contains("user_ssn=****************"), "{log}");
        assert!(log.contains("user_ssn=219099999"), "{log}");
    }
}
