//! `palisade run` in the place of another image: its environment, and nothing else but what keeps tests apart (a free
//! port, a log file of the test's own, CRS where it lies).

mod support;

use std::process::Command;

use support::{Answer, Folder, Running, UNION_ATTACK, Upstream, command, crs, eventually, finish, get, send};

/// `palisade run` in a folder, with an environment.
fn run_in(folder: &Folder, variables: &[(&str, &str)]) -> Command {
    let mut command = command(&["run"]);
    command
        .current_dir(folder.path())
        .env("PALISADE_LISTEN", "127.0.0.1:0")
        .env("PALISADE_ADMIN", "off")
        .envs(variables.iter().copied());
    command
}

fn run(folder: &Folder, variables: &[(&str, &str)]) -> Running {
    Running::start(run_in(folder, variables))
}

fn refused(variables: &[(&str, &str)]) -> Answer {
    let folder = Folder::new();
    let answer = finish(run_in(&folder, variables), b"");
    assert_eq!(answer.code, 2, "{answer:?}");
    answer
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn the_sidecar_articles_environment_blocks_its_attack_and_logs_it_in_its_form() {
    let Some(crs) = crs() else { return };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let audit = folder.at("modsec_audit.log");
    let mut proxy = run(
        &folder,
        &[
            ("SETPROXY", "True"),
            ("PROXYLOCATION", &format!("{}/", upstream.url)),
            // What Kubernetes adds for a Service called `port`, and one called `backend`.
            ("PORT", "tcp://10.12.0.1:443"),
            ("BACKEND_PORT", "tcp://10.12.0.2:80"),
            ("PALISADE_CRS", &crs),
            ("PALISADE_AUDIT_LOG", &audit),
        ],
    );
    let address = proxy.address();
    assert_eq!(get(address, "/", "").status, 200);
    let denied = get(address, UNION_ATTACK, "");
    assert_eq!(denied.status, 403, "{denied:?}");
    assert_eq!(upstream.heads().len(), 1, "the attack does not reach the service");
    // The article's second check: a POST to an address, with neither body nor length.
    let post =
        format!("POST / HTTP/1.1\r\nHost: {address}\r\nUser-Agent: curl/7.64.0\r\nAccept: */*\r\n\r\n");
    assert_eq!(send(address, post.as_bytes()).status, 403);
    let record = eventually("the audit record", || {
        let text = read(&audit);
        (text.matches("-Z--").count() >= 2).then_some(text)
    });
    for said in [
        "Message: Warning.",
        "[id \"942190\"]",
        "[id \"949110\"]",
        "Action: Intercepted (phase 2)",
        "Engine-Mode: \"ENABLED\"",
    ] {
        assert!(record.contains(said), "{said}: {record}");
    }
    proxy.wait_err("set up as owasp/modsecurity-crs 3.0 to 3.2, because SETPROXY is set");
    proxy.wait_err("PROXYLOCATION is an old name of BACKEND");
    assert_eq!(proxy.end(), 0);
}

#[test]
fn the_node_articles_environment_monitors_and_says_what_has_no_meaning_here() {
    let Some(crs) = crs() else { return };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let backend = upstream.url.strip_prefix("http://").unwrap();
    let mut proxy = run(
        &folder,
        &[
            ("WALLARM_API_HOST", "us1.api.wallarm.com"),
            ("NGINX_BACKEND", backend),
            ("WALLARM_MODE", "monitoring"),
            ("WALLARM_APPLICATION", "12"),
            ("TARANTOOL_MEMORY_GB", "1.2"),
            ("WALLARM_API_TOKEN", "open-sesame"),
            ("PALISADE_HEALTH_PATH", "/def-healthz"),
            ("PALISADE_CRS", &crs),
        ],
    );
    let address = proxy.address();
    assert_eq!(get(address, UNION_ATTACK, "").status, 200, "monitoring lets everything pass");
    proxy.wait_err("[id \"942190\"]");
    assert_eq!(get(address, "/def-healthz", "").status, 200);
    assert_eq!(upstream.heads().len(), 1, "a health check is answered here");
    let err = proxy.err();
    for variable in ["WALLARM_API_HOST", "TARANTOOL_MEMORY_GB", "WALLARM_API_TOKEN"] {
        assert_eq!(err.matches(variable).count(), 1, "{variable}: {err}");
    }
    assert!(!err.contains("open-sesame"), "{err}");
    assert!(err.contains("mode monitoring"), "{err}");
    assert_eq!(proxy.end(), 0);
    // The same with the mode that the article ends with.
    let variables = [("NGINX_BACKEND", backend), ("WALLARM_MODE", "block"), ("PALISADE_CRS", &*crs)];
    let mut proxy = run(&folder, &variables);
    assert_eq!(get(proxy.address(), UNION_ATTACK, "").status, 403);
}

#[test]
fn the_image_of_today_blocks_answers_its_health_path_and_writes_json_to_standard_output() {
    let Some(crs) = crs() else { return };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = run(&folder, &[("BACKEND", &upstream.url), ("PALISADE_CRS", &crs)]);
    let address = proxy.address();
    assert_eq!((get(address, "/healthz", "").status, upstream.heads().len()), (200, 0));
    assert_eq!(get(address, UNION_ATTACK, "").status, 403);
    let line = eventually("the record", || proxy.out().lines().next().map(str::to_owned));
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["transaction"]["response"]["http_code"], 403, "{record}");
    proxy.wait_err("[tag \"modsecurity\"]");
}

#[test]
fn variables_of_the_rule_set_are_as_lines_of_its_set_up() {
    let Some(crs) = crs() else { return };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    // Each case: variables, a request, its status without them, and with them.
    let post = "POST /a HTTP/1.1\r\nHost: a.example.com\r\nUser-Agent: x\r\nAccept: */*\r\nContent-Type: text/xml\r\nContent-Length: 4\r\n\r\n<a/>";
    let get = |target: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: a.example.com\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n")
    };
    let long = format!("/?a={}", "b".repeat(60));
    for (variables, request, status) in [
        (&[][..], get("/"), 200),
        (&[("ALLOWED_METHODS", "POST")], get("/"), 403),
        (&[], get(UNION_ATTACK), 403),
        (&[("ANOMALY_INBOUND", "100")], get(UNION_ATTACK), 200),
        (&[("ANOMALYIN", "100")], get(UNION_ATTACK), 200),
        (&[("MANUAL_MODE", "1"), ("ANOMALY_INBOUND", "100")], get(UNION_ATTACK), 403),
        (&[], get(&long), 200),
        (&[("ARG_LENGTH", "50")], get(&long), 403),
        (&[("MAX_NUM_ARGS", "1")], get("/?a=1&b=2"), 403),
        (&[], get("/a.html"), 200),
        (&[("RESTRICTED_EXTENSIONS", ".html/ .php/")], get("/a.html"), 403),
        (&[], post.to_owned(), 200),
        (&[("ALLOWED_REQUEST_CONTENT_TYPE", "|application/json|")], post.to_owned(), 403),
        // A quote in a name: a rule of paranoia level 2 and above takes it for SQL.
        (&[], get("/?a=it%27s%20o%27clock%20or%20so"), 200),
        (&[("BLOCKING_PARANOIA", "4")], get("/?a=it%27s%20o%27clock%20or%20so"), 403),
        (&[("PARANOIA", "4")], get("/?a=it%27s%20o%27clock%20or%20so"), 403),
        (&[("MODSEC_RULE_ENGINE", "DetectionOnly")], get(UNION_ATTACK), 200),
        (&[("MODSEC_REQ_BODY_LIMIT", "3"), ("MODSEC_REQ_BODY_LIMIT_ACTION", "Reject")], post.to_owned(), 413),
    ] {
        // What the detector thinks of a request is not the rule set's to say.
        let usual = [("BACKEND", &*upstream.url), ("PALISADE_CRS", &crs), ("PALISADE_DETECT", "off")];
        let all = [variables, &usual].concat();
        let mut proxy = run(&folder, &all);
        let answer = send(proxy.address(), request.as_bytes());
        assert_eq!(answer.status, status, "{variables:?} {request}: {}", proxy.err());
        assert_eq!(proxy.end(), 0);
    }
}

#[test]
fn every_variable_that_becomes_a_line_is_one_that_the_engine_takes() {
    let Some(crs) = crs() else { return };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let (storage, debug) = (folder.at("storage"), folder.at("debug.log"));
    let all = [
        ("BACKEND", &*upstream.url),
        ("PALISADE_CRS", &crs),
        ("PROXY_TIMEOUT", "30"),
        ("ACCESSLOG", "/dev/stdout main"),
        ("ERRORLOG", "/dev/stderr"),
        ("MODSEC_REQ_BODY_ACCESS", "on"),
        ("MODSEC_REQ_BODY_LIMIT", "20000000"),
        ("MODSEC_REQ_BODY_LIMIT_ACTION", "processpartial"),
        ("MODSEC_REQ_BODY_NOFILES_LIMIT", "200000"),
        ("MODSEC_REQ_BODY_JSON_DEPTH_LIMIT", "20"),
        ("MODSEC_ARGUMENTS_LIMIT", "2000"),
        ("MODSEC_ARGUMENT_SEPARATOR", "&"),
        ("MODSEC_COOKIE_FORMAT", "0"),
        ("MODSEC_RESP_BODY_ACCESS", "off"),
        ("MODSEC_RESP_BODY_LIMIT", "2000000"),
        ("MODSEC_RESP_BODY_LIMIT_ACTION", "Reject"),
        ("MODSEC_RESP_BODY_MIMETYPE", "text/plain application/json"),
        ("MODSEC_PCRE_MATCH_LIMIT", "500000"),
        ("MODSEC_PCRE_MATCH_LIMIT_RECURSION", "500000"),
        ("MODSEC_DEFAULT_PHASE1_ACTION", "phase:1,pass,log,tag:'\\${MODSEC_TAG}'"),
        ("MODSEC_TAG", "shop"),
        ("MODSEC_DEBUG_LOG", &debug),
        ("MODSEC_DEBUG_LOGLEVEL", "1"),
        ("MODSEC_AUDIT_ENGINE", "on"),
        ("MODSEC_AUDIT_LOG", "/dev/null"),
        ("MODSEC_AUDIT_LOG_FORMAT", "native"),
        ("MODSEC_AUDIT_LOG_TYPE", "serial"),
        ("MODSEC_AUDIT_LOG_PARTS", "ABIJDEFHZ"),
        ("MODSEC_AUDIT_LOG_RELEVANT_STATUS", "^(?:5|4(?!04))"),
        ("MODSEC_AUDIT_STORAGE_DIR", &storage),
        ("CRS_ENABLE_TEST_MARKER", "1"),
        ("CRS_DISABLE_PLUGINS", "1"),
        ("BLOCKING_PARANOIA", "1"),
        ("DETECTION_PARANOIA", "2"),
        ("ANOMALY_INBOUND", "5"),
        ("ANOMALY_OUTBOUND", "4"),
        ("ENFORCE_BODYPROC_URLENCODED", "1"),
        ("REPORTING_LEVEL", "4"),
        ("SKIP_RESPONSE_ANALYSIS", "1"),
        ("ALLOWED_METHODS", "GET HEAD POST OPTIONS"),
        ("ALLOWED_REQUEST_CONTENT_TYPE", "|text/xml| |application/json|"),
        ("ALLOWED_REQUEST_CONTENT_TYPE_CHARSET", "|utf-8| |iso-8859-1|"),
        ("ALLOWED_HTTP_VERSIONS", "HTTP/1.1 HTTP/2"),
        ("RESTRICTED_EXTENSIONS", ".cmd/ .com/"),
        ("RESTRICTED_HEADERS_BASIC", "/proxy/ /if/"),
        ("RESTRICTED_HEADERS_EXTENDED", "/accept-charset/"),
        ("STATIC_EXTENSIONS", "/.jpg/ /.png/"),
        ("MAX_NUM_ARGS", "128"),
        ("ARG_NAME_LENGTH", "50"),
        ("ARG_LENGTH", "200"),
        ("TOTAL_ARG_LENGTH", "6400"),
        ("MAX_FILE_SIZE", "100000"),
        ("COMBINED_FILE_SIZES", "1000000"),
        ("VALIDATE_UTF8_ENCODING", "1"),
    ];
    let mut proxy = run(&folder, &all);
    let address = proxy.address();
    assert_eq!(get(address, "/a?b=c", "").status, 200, "{}", proxy.err());
    assert_eq!(get(address, UNION_ATTACK, "").status, 403);
    get(address, "/", "X-CRS-Test: marker-1\r\n");
    proxy.wait_err("X-CRS-Test marker-1");
    proxy.wait_err("[tag \"shop\"]");
    let err = proxy.err();
    assert!(!err.contains("error") && !err.contains("warning:"), "{err}");
    assert_eq!(proxy.end(), 0);
}

#[test]
fn an_unusable_value_is_an_error_that_names_its_variable() {
    let backend = ("BACKEND", "http://127.0.0.1:1");
    for (variables, said) in [
        (&[backend, ("PORT", "eighty")][..], "error: PORT: `eighty` is not a number from 1 to 65535"),
        (&[("BACKEND", "ftp://shop")], "error: BACKEND: `ftp://shop` is not an upstream"),
        (&[("NGINX_BACKEND", "a b")], "error: NGINX_BACKEND: `http://a b` is not an upstream"),
        (&[("NGINX_BACKEND", "a"), ("WALLARM_MODE", "loud")], "error: WALLARM_MODE: `loud` is not a mode"),
        (
            &[backend, ("SSL_VERIFY", "on")],
            "error: SSL_VERIFY: `on` is not in this version: certificates of clients",
        ),
        (&[backend, ("ALLOWED_METHODS", "GET'")], "error: ALLOWED_METHODS: `GET'` cannot stand in a rule"),
        (&[("PALISADE_MODE", "loud")], "error: PALISADE_MODE: `loud` is not a mode"),
        (&[("PALISADE_COMPAT", "apache")], "error: PALISADE_COMPAT: `apache` is no image"),
        (&[("PALISADE_CONFIG", "/nowhere.yaml")], "`/nowhere.yaml` does not exist"),
        (&[], "there is no service to protect"),
    ] {
        let answer = refused(variables);
        assert!(answer.err.contains(said), "{variables:?}: {}", answer.err);
    }
    // A directive's own judge is the engine: it names the variable's line.
    let answer = refused(&[backend, ("MODSEC_AUDIT_LOG_PARTS", "1"), ("PALISADE_RULES", "/dev/null")]);
    assert!(answer.err.contains("SecAuditLogParts"), "{}", answer.err);
}

#[test]
fn a_flag_wins_over_a_variable_of_ours_that_over_the_file_and_that_over_the_images() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let other = Upstream::start();
    let rules = folder.write("r.conf", "SecRule ARGS:a \"@streq 1\" \"id:1,phase:1,deny,status:418\"\n");
    let file = folder.write(
        "palisade.yaml",
        format!(
            "services: [{{name: s, upstream: {{url: \"{}\"}}}}]\nprofiles: {{default: {{mode: block, rules: {{files: [r.conf]}}}}}}\n",
            upstream.url
        ),
    );
    // The file's service and mode, before those of the image; its listener is nobody's but ours.
    let image = [("NGINX_BACKEND", &*other.url), ("WALLARM_MODE", "off"), ("PALISADE_CONFIG", &file)];
    let mut proxy = run(&folder, &image);
    assert_eq!(get(proxy.address(), "/?a=1", "").status, 418);
    assert_eq!(get(proxy.address(), "/", "").status, 200);
    assert_eq!((upstream.heads().len(), other.heads().len()), (1, 0));
    assert_eq!(proxy.end(), 0);
    // Ours, before the file.
    let ours =
        [("PALISADE_CONFIG", &*file), ("PALISADE_MODE", "monitoring"), ("PALISADE_UPSTREAM", &other.url)];
    let mut proxy = run(&folder, &ours);
    assert_eq!(get(proxy.address(), "/?a=1", "").status, 200);
    assert_eq!(other.heads().len(), 1);
    assert_eq!(proxy.end(), 0);
    // A flag, before ours.
    let mut with_flag = run_in(&folder, &ours);
    with_flag.args(["--mode", "block", "--rules", &rules]);
    let mut proxy = Running::start(with_flag);
    assert_eq!(get(proxy.address(), "/?a=1", "").status, 418);
}

#[test]
fn an_unknown_variable_of_ours_only_warns() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = run(&folder, &[("PALISADE_UPSTREAM", &*upstream.url), ("PALISADE_MOED", "block")]);
    assert_eq!(get(proxy.address(), "/", "").status, 200);
    proxy.wait_err("the variable PALISADE_MOED is not known");
}
