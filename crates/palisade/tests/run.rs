//! `palisade run` before a service of ours, over plain sockets.

mod support;

use std::net::TcpListener;
use std::time::Duration;

use support::{
    COMMENT_ATTACK, Folder, Running, UNION_ATTACK, Upstream, begin, command, crs, eventually, finish, get,
    palisade, receive, send, signal,
};

/// Rules of a site: one address and one user are not welcome.
const SITE_RULES: &str = "SecRuleEngine On\n\
    SecRule REQUEST_HEADERS:user \"@streq admin\" \"id:20001,phase:1,deny,status:403,log,msg:'admin is not for here'\"\n\
    SecRule ARGS:bad \"@streq 1\" \"id:20002,phase:2,deny,status:418,log,msg:'bad'\"\n";

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn the_articles_attacks_are_403_with_their_ids_in_the_error_log_and_ordinary_requests_200() {
    let Some(crs) = crs() else { return };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let log = folder.at("error.log");
    let mut proxy = Running::proxy(
        &folder,
        &upstream.url,
        &["--mode", "block", "--crs", &crs, "--detect", "off", "--error-log", &log],
    );
    let address = proxy.address();
    for (attack, ids) in [(UNION_ATTACK, &[942190, 942360, 949110][..]), (COMMENT_ATTACK, &[942100, 949110])]
    {
        let answer = get(address, attack, "");
        assert_eq!(answer.status, 403, "{answer:?}");
        let request_id = answer.header("x-request-id").unwrap().to_owned();
        assert!(answer.header("content-type").unwrap().starts_with("text/html"));
        assert!(answer.body.contains(&request_id) && answer.body.contains("<html"), "{answer:?}");
        for id in ids {
            assert!(!answer.body.contains(&id.to_string()), "a page names only the request: {answer:?}");
            eventually(&format!("{id} of {request_id}"), || {
                let unique_id = format!("[unique_id \"{request_id}\"]");
                let id = format!("[id \"{id}\"]");
                read(&log).lines().any(|line| line.contains(&id) && line.contains(&unique_id)).then_some(())
            });
        }
    }
    let text = read(&log);
    assert!(text.lines().all(|line| line.contains("[client 127.0.0.1] ModSecurity: ")), "{text}");
    assert!(text.contains("Access denied with code 403 (phase 2)."));
    assert!(text.contains("[uri \"//test/artists.php\"]") && text.contains("[hostname \""), "{text}");
    let length = text.len();
    assert_eq!(upstream.heads(), [""; 0], "nothing of an attack reaches the service");

    let json = get(address, UNION_ATTACK, "Accept: application/json\r\n");
    assert_eq!(json.status, 403);
    assert_eq!(json.header("content-type"), Some("application/json"));
    let page: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(page["request_id"].as_str(), json.header("x-request-id"));
    eventually("its lines", || (read(&log).len() > length).then_some(()));

    let body = "name=Ada+Lovelace&note=see+you+at+5";
    let post = format!(
        "POST /form HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let before = eventually("a quiet log", || {
        let length = read(&log).len();
        std::thread::sleep(Duration::from_millis(50));
        (read(&log).len() == length).then_some(length)
    });
    let (ordinary, form) = (get(address, "/search?q=lamp", ""), send(address, post.as_bytes()));
    assert_eq!((ordinary.status, form.status), (200, 200));
    assert!(ordinary.body.contains("GET /search?q=lamp"), "{ordinary:?}");
    assert!(form.body.contains(&format!("and {} bytes", body.len())), "{form:?}");
    assert!(ordinary.header("x-request-id").is_some_and(|id| Some(id) != form.header("x-request-id")));
    assert_eq!(proxy.end(), 0);
    assert_eq!(read(&log).len(), before, "an ordinary request leaves no line");
}

#[test]
fn monitoring_passes_and_logs_and_is_the_default_and_off_does_neither() {
    for (mode, lines) in [(None, 1), (Some("monitoring"), 1), (Some("off"), 0)] {
        let (folder, upstream) = (Folder::new(), Upstream::start());
        let (rules, log) = (folder.write("site.conf", SITE_RULES), folder.at("error.log"));
        let mut arguments = vec!["--rules", &rules, "--error-log", &log];
        arguments.extend(mode.iter().flat_map(|mode| ["--mode", mode]));
        let mut proxy = Running::proxy(&folder, &upstream.url, &arguments);
        let answer = get(proxy.address(), "/?bad=1", "");
        assert_eq!(answer.status, 200, "{mode:?}");
        assert_eq!(upstream.heads().len(), 1);
        assert_eq!(proxy.end(), 0);
        let log = read(&log);
        assert_eq!(log.lines().count(), lines, "{mode:?}: {log}");
        assert!(!log.contains("Access denied"), "{log}");
    }
}

#[test]
fn site_rules_deny_one_user_and_one_address() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let rules = folder.write("site.conf", SITE_RULES);
    let mut proxy = Running::proxy(&folder, &upstream.url, &["--mode", "block", "--rules", &rules]);
    let address = proxy.address();
    assert_eq!(get(address, "/", "user: admin\r\n").status, 403);
    assert_eq!(get(address, "/", "user: user\r\n").status, 200);
    assert_eq!(get(address, "/", "").status, 200);
    assert_eq!(get(address, "/?bad=1", "").status, 418, "the rule's own status");
    // Without --error-log the lines are on standard error.
    proxy.wait_err("[id \"20001\"] ");
    proxy.wait_err("[msg \"bad\"]");

    let deny = folder.write(
        "address.conf",
        "SecRule REMOTE_ADDR \"@ipMatch 127.0.0.1,192.0.2.0/24\" \"id:20003,phase:1,deny,status:403,log,msg:'this address is not welcome'\"\n",
    );
    let mut proxy = Running::proxy(&folder, &upstream.url, &["--mode", "block", "--rules", &deny]);
    let answer = get(proxy.address(), "/", "user: user\r\nX-Forwarded-For: 198.51.100.1\r\n");
    assert_eq!(answer.status, 403, "what a client says of itself does not count");
    proxy.wait_err("[id \"20003\"]");
}

#[test]
fn rules_before_stand_between_setup_and_crs_and_rules_come_last() {
    let Some(crs) = crs() else { return };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    // Before: an exclusion that CRS's rules are to respect. After: a rule that sees CRS's score.
    let before = folder.write(
        "before.conf",
        "SecRule REQUEST_FILENAME \"@streq /trusted\" \"id:1000,phase:1,pass,nolog,ctl:ruleEngine=Off\"\n",
    );
    let after = folder.write(
        "after.conf",
        "SecRule TX:PARANOIA_LEVEL|TX:BLOCKING_PARANOIA_LEVEL \"@ge 1\" \"id:1001,phase:1,deny,status:418,log,chain\"\n\
         SecRule REQUEST_FILENAME \"@streq /after\" \"t:none\"\n",
    );
    let mut proxy = Running::proxy(
        &folder,
        &upstream.url,
        &["--mode", "block", "--detect", "off", "--crs", &crs, "--rules-before", &before, "--rules", &after],
    );
    let address = proxy.address();
    let query = UNION_ATTACK.trim_start_matches('/');
    assert_eq!(get(address, &format!("/trusted{query}"), "").status, 200);
    assert_eq!(get(address, &format!("/other{query}"), "").status, 403);
    assert_eq!(get(address, "/after", "").status, 418);
}

#[test]
fn the_health_path_answers_here_uninspected() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let rules = folder.write("all.conf", "SecAction \"id:1,phase:1,deny,log\"\n");
    let mut proxy = Running::proxy(
        &folder,
        &upstream.url,
        &["--mode", "block", "--rules", &rules, "--health-path", "/def-healthz"],
    );
    let address = proxy.address();
    assert_eq!(get(address, "/def-healthz", "").status, 200);
    assert_eq!(get(address, "/def-healthz/more", "").status, 403);
    assert_eq!(get(address, "/", "").status, 403);
    assert_eq!(upstream.heads(), [""; 0]);
}

#[test]
fn an_upstream_that_is_down_is_502_with_a_page() {
    let folder = Folder::new();
    // A port that was free a moment ago and that nobody listens on.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut proxy = Running::proxy(&folder, &format!("http://{gone}"), &[]);
    let answer = get(proxy.address(), "/", "");
    assert_eq!(answer.status, 502);
    let request_id = answer.header("x-request-id").unwrap();
    assert!(answer.body.contains(request_id), "{answer:?}");
    // Who operates it learns why, and for which request.
    proxy.wait_err(&format!("[unique_id \"{request_id}\"]"));
    assert!(proxy.err().contains("cannot be reached"), "{}", proxy.err());
    assert_eq!(proxy.end(), 0);
}

#[test]
fn without_rules_it_says_that_nothing_is_inspected() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = Running::proxy(&folder, &upstream.url, &[]);
    assert_eq!(get(proxy.address(), UNION_ATTACK, "").status, 200);
    assert!(proxy.err().contains("no rules"), "{}", proxy.err());
}

#[test]
fn sigterm_and_sigint_answer_what_has_begun_and_exit_0() {
    for signal in ["TERM", "INT"] {
        let (folder, upstream) = (Folder::new(), Upstream::start());
        let mut proxy = Running::proxy(&folder, &upstream.url, &[]);
        let address = proxy.address();
        let stream = begin(address, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
        eventually("the request at the service", || (!upstream.heads().is_empty()).then_some(()));
        proxy.signal(signal);
        eventually("no new connections", || std::net::TcpStream::connect(address).is_err().then_some(()));
        upstream.let_go();
        let answer = receive(stream);
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("GET /slow"), "{answer:?}");
        assert_eq!(proxy.wait(), 0);
    }
}

#[test]
fn a_request_id_is_ours_and_a_denial_leaves_the_connection_usable() {
    use std::io::Write as _;
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let rules = folder.write("site.conf", SITE_RULES);
    let mut proxy = Running::proxy(&folder, &upstream.url, &["--mode", "block", "--rules", &rules]);
    let mut stream =
        begin(proxy.address(), b"GET /?bad=1 HTTP/1.1\r\nHost: x\r\nX-Request-Id: forged\r\n\r\n");
    let denied = receive(stream.try_clone().unwrap());
    assert_eq!(denied.status, 418);
    assert_ne!(denied.header("x-request-id"), Some("forged"));
    stream.write_all(b"GET /fine HTTP/1.1\r\nHost: x\r\nX-Request-Id: forged\r\n\r\n").unwrap();
    let fine = receive(stream);
    assert_eq!(fine.status, 200);
    let id = fine.header("x-request-id").unwrap();
    assert!(id != "forged" && Some(id) != denied.header("x-request-id"), "{fine:?}");
    let seen = upstream.heads();
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0].to_lowercase().contains(&format!("x-request-id: {id}")),
        "the service can join on it: {seen:?}"
    );
}

#[test]
fn what_can_be_read_in_two_ways_is_400_in_every_mode() {
    for mode in ["off", "monitoring", "block"] {
        let (folder, upstream) = (Folder::new(), Upstream::start());
        let mut proxy = Running::proxy(&folder, &upstream.url, &["--mode", mode]);
        let address = proxy.address();
        for request in [
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
            "hello\r\n\r\n",
        ] {
            let answer = send(address, request.as_bytes());
            assert_eq!(answer.status, 400, "{mode}: {request:?}");
            proxy.wait_err(answer.header("x-request-id").unwrap());
        }
        assert_eq!(upstream.heads(), [""; 0], "{mode}");
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = Running::proxy(&folder, &upstream.url, &[]);
    let address = proxy.address();
    // Its service never answers, so the drain would last to its deadline.
    let _waiting = begin(address, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    eventually("the request at the service", || (!upstream.heads().is_empty()).then_some(()));
    proxy.signal("INT");
    eventually("no new connections", || std::net::TcpStream::connect(address).is_err().then_some(()));
    assert_eq!(proxy.end(), 0);
    assert!(proxy.err().contains("asked again"), "{}", proxy.err());
}

#[test]
fn a_standard_error_that_goes_away_stops_nothing() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let (rules, data) = (folder.write("site.conf", SITE_RULES), folder.at("data"));
    let mut run = command(&[
        "run",
        "--admin",
        "off",
        "--listen",
        "127.0.0.1:0",
        "--mode",
        "block",
        "--data-dir",
        &data,
    ]);
    run.args(["--upstream", &upstream.url, "--rules", &rules]);
    let mut child = run.stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let address = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("listening on http://")?.split(' ').next()?.parse().ok())
        .expect("it listens");
    // The reader is gone now; denials and a reload have to write all the same.
    assert_eq!(get(address, "/?bad=1", "").status, 418);
    folder.write("site.conf", "SecRule ARGS:worse \"@streq 1\" \"id:1,phase:2,deny,status:401\"\n");
    signal(&child, "HUP");
    eventually("the new rules", || (get(address, "/?worse=1", "").status == 401).then_some(()));
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn sighup_takes_good_rules_and_leaves_the_old_ones_when_they_are_broken() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let rules = folder.write("site.conf", SITE_RULES);
    let mut proxy = Running::proxy(&folder, &upstream.url, &["--mode", "block", "--rules", &rules]);
    let address = proxy.address();
    assert_eq!(get(address, "/?bad=1", "").status, 418);

    folder.write("site.conf", "SecRule ARGS:worse \"@streq 1\" \"id:20004,phase:2,deny,status:401\"\n");
    proxy.signal("HUP");
    proxy.wait_err("loaded anew");
    assert_eq!(get(address, "/?bad=1", "").status, 200);
    assert_eq!(get(address, "/?worse=1", "").status, 401);

    folder.write("site.conf", "SecRule ARGZ \"@streq 1\" \"id:20005,phase:2,deny\"\n");
    proxy.signal("HUP");
    proxy.wait_err("stays as it was: the rules are not usable");
    proxy.wait_err("site.conf:1:9");
    assert_eq!(get(address, "/?worse=1", "").status, 401);

    std::fs::remove_file(folder.at("site.conf")).unwrap();
    proxy.signal("HUP");
    proxy.wait_err("does not exist");
    assert_eq!(get(address, "/?worse=1", "").status, 401);
    assert_eq!(proxy.end(), 0);
}

#[test]
fn sighup_opens_the_error_log_anew() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let (rules, log) = (folder.write("site.conf", SITE_RULES), folder.at("error.log"));
    let mut proxy =
        Running::proxy(&folder, &upstream.url, &["--mode", "block", "--rules", &rules, "--error-log", &log]);
    let address = proxy.address();
    get(address, "/?bad=1", "");
    eventually("a line", || (read(&log).lines().count() == 1).then_some(()));
    std::fs::rename(&log, folder.at("error.log.1")).unwrap();
    proxy.signal("HUP");
    proxy.wait_err("loaded anew");
    get(address, "/?bad=1", "");
    eventually("a line in the new file", || (read(&log).lines().count() == 1).then_some(()));
    assert_eq!(read(&folder.at("error.log.1")).lines().count(), 1);
}

#[test]
fn bodies_and_connections_come_through_whole() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let rules = folder.write("site.conf", format!("SecRequestBodyAccess On\n{SITE_RULES}"));
    let mut proxy = Running::proxy(&folder, &upstream.url, &["--mode", "block", "--rules", &rules]);
    let address = proxy.address();
    let body = "x".repeat(5 << 20);
    let request = |kind: &str| {
        format!(
            "POST /big HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let answer = send(address, request("application/octet-stream").as_bytes());
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains(&format!("and {} bytes", body.len())), "{answer:?}");
    let chunked = "POST /c HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
        Transfer-Encoding: chunked\r\n\r\n4\r\nbad=\r\n1\r\n1\r\n0\r\n\r\n";
    assert_eq!(send(address, chunked.as_bytes()).status, 418, "a body in pieces is one body to the rules");
}

#[test]
fn features_to_come_may_be_switched_off_today() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy =
        Running::proxy(&folder, &upstream.url, &["--admin", "off", "--access-log", "off", "--detect", "off"]);
    assert_eq!(get(proxy.address(), "/", "").status, 200);
    assert_eq!(proxy.end(), 0);
}

#[test]
fn unknown_variables_of_ours_only_warn() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let data = folder.at("data");
    let mut run = command(&[
        "run",
        "--admin",
        "off",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        &upstream.url,
        "--data-dir",
        &data,
    ]);
    run.env("PALISADE_FROBNICATE", "1");
    let mut proxy = Running::start(run);
    assert_eq!(get(proxy.address(), "/", "").status, 200);
    assert!(proxy.err().contains("PALISADE_FROBNICATE"), "{}", proxy.err());
    assert_eq!(proxy.end(), 0);
}

#[test]
fn what_cannot_run_exits_2_and_names_flag_and_value() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let (data, file) = (folder.at("data"), folder.write("file", ""));
    let broken = folder.write("broken.conf", "SecRulee\n");
    let good = [
        "run",
        "--admin",
        "off",
        "--upstream",
        "http://127.0.0.1:1",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        &data,
    ];
    let with = |more: &[&str]| [&good[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let instead = |flag: &str, value: &str| {
        let mut all = with(&[]);
        let at = all.iter().position(|word| word == flag).unwrap();
        all[at + 1] = value.to_owned();
        all
    };
    // Itself as its upstream would answer nobody.
    let same = |listen: &str, upstream: &str| {
        let all = [&good[..1], &["--listen", listen, "--upstream", upstream, "--data-dir", &data]].concat();
        all.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    for (arguments, named) in [
        (same("127.0.0.1:18080", "http://127.0.0.1:18080"), ["--upstream", "itself"]),
        (same("0.0.0.0:18080", "http://localhost:18080/"), ["--upstream", "itself"]),
        (same("[::]:18080", "http://127.0.0.1:18080/"), ["--upstream", "itself"]),
        (vec!["run".to_owned()], ["--upstream", "URL"]),
        (instead("--upstream", "shop"), ["--upstream", "`shop`"]),
        (instead("--upstream", "ftp://shop"), ["--upstream", "`ftp://shop`"]),
        (instead("--upstream", "127.0.0.1:3000"), ["--upstream", "http://127.0.0.1:3000"]),
        (instead("--upstream", "http://127.0.0.1:1/path"), ["--upstream", "path"]),
        (instead("--upstream", "http://127.0.0.1:99999"), ["--upstream", "99999"]),
        (instead("--admin", "somewhere"), ["--admin", "127.0.0.1:8080"]),
        (instead("--admin", "on"), ["--admin", "or off"]),
        (instead("--admin", "0.0.0.0:0"), ["0.0.0.0:0", "--admin-token-file"]),
        (instead("--admin", &taken), ["--admin", &taken]),
        (with(&["--access-log", "/nowhere/access.log"]), ["--access-log", "/nowhere/access.log"]),
        (with(&["--audit-log", "/nowhere/audit.log"]), ["--audit-log", "/nowhere/audit.log"]),
        (with(&["--audit-format", "xml"]), ["--audit-format", "native2"]),
        (instead("--listen", "somewhere"), ["--listen", "127.0.0.1:8080"]),
        (instead("--listen", ":8080"), ["--listen", "0.0.0.0:8080"]),
        (instead("--listen", &taken), ["--listen", &taken]),
        (instead("--listen", "192.0.2.1:80"), ["--listen", "192.0.2.1:80"]),
        (instead("--data-dir", &file), ["--data-dir", &file]),
        (with(&["--mode", "loud"]), ["--mode", "loud"]),
        (with(&["--error-log", "/nowhere/e.log"]), ["--error-log", "/nowhere/e.log"]),
        (with(&["--health-path", "healthz"]), ["--health-path", "/healthz"]),
        (with(&["--rules", &broken]), ["broken.conf:1:1", "SecRulee"]),
        (with(&["--rules", "/nowhere.conf"]), ["/nowhere.conf", "does not exist"]),
        (with(&["--crs", "/nowhere"]), ["/nowhere", "CRS"]),
        (with(&["--paranoia", "2"]), ["--paranoia", "--crs"]),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let answer = palisade(&arguments);
        assert_eq!(answer.code, 2, "{arguments:?}: {}", answer.err);
        for name in named {
            assert!(answer.err.contains(name), "{arguments:?}: {name}: {}", answer.err);
        }
        assert!(!answer.err.contains("listening on"), "{}", answer.err);
    }
    let mut workers = command(&good);
    workers.env("PALISADE_WORKERS", "many");
    let answer = finish(workers, b"");
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("PALISADE_WORKERS") && answer.err.contains("many"), "{}", answer.err);
}
