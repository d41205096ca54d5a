//! Palisade behind a real Envoy, by ext_authz and by ext_proc, with the bootstraps of `examples/envoy`.

mod support;

use serde_json::Value;
use support::envoy::{Envoy, binary, example};
use support::{
    COMMENT_ATTACK, Folder, PRIVATE_KEY, Running, Upstream, begin, command, crs, eventually, get, receive,
    send,
};

const EXAMPLES: [&str; 2] = ["ext-authz.yaml", "ext-proc.yaml"];

const RULES: &str = "SecRuleEngine On\nSecRequestBodyAccess On\n\
    SecRule ARGS \"@contains attack\" \"id:1,phase:2,deny,status:403,log,msg:'an attack'\"\n\
    SecRule REQUEST_HEADERS:User-Agent \"@streq late\" \"id:2,phase:1,pass,log,msg:'a header'\"\n";

/// An upstream, Palisade and an Envoy between them.
struct Setup {
    upstream: Upstream,
    palisade: Running,
    envoy: Envoy,
    _folder: Folder,
}

impl Setup {
    /// `None` without an Envoy.
    fn start(bootstrap: &str, arguments: &[&str]) -> Option<Self> {
        Self::start_changed(bootstrap, arguments, |bootstrap| bootstrap)
    }

    fn start_changed(
        bootstrap: &str,
        arguments: &[&str],
        change: impl FnOnce(String) -> String,
    ) -> Option<Self> {
        let binary = binary()?;
        let folder = Folder::new();
        let upstream = Upstream::start();
        let palisade = palisade(&folder, arguments);
        let bootstrap = change(example(bootstrap, &upstream.url, &folder.at("envoy.sock")));
        let envoy = Envoy::start(&binary, &folder, &bootstrap);
        Some(Self { upstream, palisade, envoy, _folder: folder })
    }

    fn get(&self, target: &str) -> support::Response {
        get(self.envoy.address, target, "Connection: close\r\n")
    }

    fn post(&self, kind: &str, body: &str) -> support::Response {
        let request = format!(
            "POST /post HTTP/1.1\r\nHost: shop.example.com\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        send(self.envoy.address, request.as_bytes())
    }
}

/// The lines of an access log, once there are as many.
fn access(log: &str, count: usize) -> Vec<Value> {
    eventually("lines of the access log", || {
        let text = std::fs::read_to_string(log).ok()?;
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (lines.len() >= count).then_some(lines)
    })
}

fn palisade(folder: &Folder, arguments: &[&str]) -> Running {
    let socket = format!("unix:{}", folder.at("envoy.sock"));
    let data = folder.at("data");
    let mut all = vec!["run", "--ext-authz", &socket, "--data-dir", &data, "--admin", "off"];
    all.extend(arguments);
    let running = Running::start(command(&all));
    running.wait_err("(envoy)\n");
    running
}

fn rules(folder: &Folder) -> String {
    folder.write("rules.conf", RULES)
}

#[test]
fn what_is_denied_never_reaches_the_application_and_says_why_in_a_word() {
    let rules_folder = Folder::new();
    let rules = rules(&rules_folder);
    for bootstrap in EXAMPLES {
        let Some(setup) = Setup::start(bootstrap, &["--mode", "block", "--detect", "off", "--rules", &rules])
        else {
            return;
        };
        let fine = setup.get("/?q=fine");
        assert_eq!((fine.status, fine.header("x-palisade-reason")), (200, None), "{bootstrap}");
        assert!(fine.body.contains("upstream saw GET /?q=fine"), "{bootstrap}: {}", fine.body);
        let id = fine.header("x-request-id").unwrap().to_owned();
        assert!(
            setup.upstream.heads()[0].contains(&id),
            "the application, the client and the log know one id"
        );

        let denied = setup.get("/?q=attack");
        assert_eq!(
            (denied.status, denied.header("x-palisade-reason")),
            (403, Some("blocked")),
            "{bootstrap}"
        );
        assert!(denied.body.contains(denied.header("x-request-id").unwrap()), "{bootstrap}");
        let in_form = setup.post("application/x-www-form-urlencoded", "a=b&c=an+attack");
        assert_eq!(in_form.status, 403, "{bootstrap}");
        let form = setup.post("application/x-www-form-urlencoded", "a=b&c=a+tack");
        assert!(form.status == 200 && form.body.contains("12 bytes"), "{bootstrap}: {form:?}");
        assert_eq!(setup.upstream.heads().len(), 2, "{bootstrap}");
        setup.palisade.wait_err("[id \"1\"]");
        assert!(setup.palisade.err().contains(denied.header("x-request-id").unwrap()));
    }
}

#[test]
fn a_client_cannot_say_what_only_its_certificate_may() {
    for bootstrap in EXAMPLES {
        let Some(setup) = Setup::start(bootstrap, &["--mode", "block"]) else { return };
        let forged = "ssl-client-verify: SUCCESS\r\nSsl_Client_Subject_Dn: CN=admin\r\nx-own: 1\r\nConnection: close\r\n";
        assert_eq!(get(setup.envoy.address, "/", forged).status, 200, "{bootstrap}");
        let head = &setup.upstream.heads()[0].to_ascii_lowercase();
        assert!(!head.contains("ssl") && head.contains("x-own: 1"), "{bootstrap}: {head}");
    }
}

#[test]
fn a_chunked_body_arrives_as_it_was_sent() {
    let rules_folder = Folder::new();
    let rules = rules(&rules_folder);
    for bootstrap in EXAMPLES {
        let Some(setup) = Setup::start(bootstrap, &["--mode", "block", "--rules", &rules]) else { return };
        let pieces = ["a=1", "&b=2&c=", "x"];
        let body: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
        let request = format!(
            "POST /post HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Transfer-Encoding: chunked\r\n\r\n{body}0\r\n\r\n"
        );
        let answer = send(setup.envoy.address, request.as_bytes());
        assert!(answer.status == 200 && answer.body.contains("and 11 bytes"), "{bootstrap}: {answer:?}");
    }
}

#[test]
fn the_articles_attack_is_denied_and_the_log_has_its_line() {
    let Some(crs) = crs() else { return };
    for bootstrap in EXAMPLES {
        let arguments = ["--mode", "block", "--crs", &crs, "--dikastes-log"];
        let Some(setup) = Setup::start(bootstrap, &arguments) else { return };
        assert_eq!(setup.get("//test/artists.php?artist=1").status, 200, "{bootstrap}");
        assert_eq!(setup.get(COMMENT_ATTACK).status, 403, "{bootstrap}");
        setup.palisade.wait_err("WAF Process Http Request [");
        let err = setup.palisade.err();
        let line = err
            .lines()
            .find(|line| line.contains("WAF Process Http Request") && line.contains("ID:'942100'"));
        assert!(line.is_some_and(|line| line.contains("OWASP Warning'")), "{bootstrap}: {err}");
    }
}

#[test]
fn what_stands_deep_in_a_body_is_found_by_ext_proc_and_what_ext_authz_does_not_show_is_said() {
    let Some(crs) = crs() else { return };
    let folder = Folder::new();
    let before = folder.write("before.conf", "SecRequestBodyNoFilesLimit 1000000\n");
    let filler: Vec<String> =
        (0..700).map(|n| format!("\"text number {n} {}\"", "of many ".repeat(34))).collect();
    let body = |last: &str| format!("{{\"items\":[{}],\"last\":\"{last}\"}}", filler.join(","));
    let (attack, fine) = (body("1' UNION SELECT user,password FROM users-- -"), body("the end"));
    assert!(attack.find("UNION").unwrap() > 200_000);

    let arguments = ["--mode", "block", "--crs", &crs, "--rules-before", &before];
    let Some(setup) = Setup::start("ext-proc.yaml", &arguments) else { return };
    assert_eq!(setup.post("application/json", &attack).status, 403);
    let answer = setup.post("application/json", &fine);
    assert!(answer.status == 200 && answer.body.contains(&format!("and {} bytes", fine.len())), "{answer:?}");

    // A profile that lets the rules see the beginning only, as Envoy shows it.
    let config = folder.write(
        "palisade.yaml",
        format!(
            "profiles:\n  default:\n    mode: block\n    rules: {{crs: {crs}, before: [{before}]}}\n    \
             limits: {{onRequestBody: partial}}\n"
        ),
    );
    let Some(setup) = Setup::start("ext-authz.yaml", &["--config", &config]) else { return };
    assert_eq!(setup.post("application/json", &attack).status, 200);
    setup.palisade.wait_err("was not inspected whole: Envoy shows its first 131072 bytes");
    // The default: what is over the limit does not pass.
    let Some(setup) = Setup::start("ext-authz.yaml", &arguments) else { return };
    assert_eq!(setup.post("application/json", &fine).status, 413);
}

#[test]
fn a_leak_in_a_response_is_logged_and_withheld_where_the_profile_says_so() {
    let Some(setup) = Setup::start("ext-proc.yaml", &["--mode", "block"]) else { return };
    assert_eq!(setup.get("/leak").body, PRIVATE_KEY);
    setup.palisade.wait_err("[attack \"leak\"]");

    let folder = Folder::new();
    let config =
        folder.write("palisade.yaml", "profiles:\n  default:\n    mode: block\n    detect: {leaks: block}\n");
    let Some(setup) = Setup::start("ext-proc.yaml", &["--config", &config]) else { return };
    let withheld = setup.get("/leak");
    assert!(withheld.status == 403 && !withheld.body.contains("PRIVATE"), "{withheld:?}");
    assert_eq!(setup.get("/").status, 200);
}

#[test]
fn where_palisade_is_away_or_late_nothing_passes() {
    for bootstrap in EXAMPLES {
        let Some(mut setup) = Setup::start(bootstrap, &["--mode", "block"]) else { return };
        assert_eq!(setup.get("/").status, 200, "{bootstrap}");
        setup.palisade.signal("STOP");
        let late = setup.get("/");
        assert!(late.status == 503 && late.header("x-palisade-reason").is_none(), "{bootstrap}: {late:?}");
        setup.palisade.signal("CONT");
        setup.palisade.end();
        let away = setup.get("/");
        assert!(away.status == 503 && away.header("x-palisade-reason").is_none(), "{bootstrap}: {away:?}");
        assert_eq!(setup.upstream.heads().len(), 1, "{bootstrap}");
    }
}

#[test]
fn an_exchange_that_both_filters_see_is_one_in_the_log() {
    let folder = Folder::new();
    let rules = rules(&folder);
    let config = |log: &str| {
        format!(
            "logs: {{access: {log}}}\nenvoy: [{{name: envoy, address: \"127.0.0.1:0\", joined: true}}]\n\
             profiles:\n  default:\n    mode: block\n    rules: {{files: [{rules}]}}\n"
        )
    };
    let both = |bootstrap: String| {
        let authz = example("ext-authz.yaml", "x:8080", "/x");
        let start =
            authz.find("          - name: envoy.filters.http.ext_authz\n            typed_config").unwrap();
        let end = authz.find("          - name: envoy.filters.http.router").unwrap();
        bootstrap
            .replace("          http_filters:\n", &format!("          http_filters:\n{}", &authz[start..end]))
    };
    let log = folder.at("access.log");
    let config = folder.write("palisade.yaml", config(&log));
    let Some(mut setup) = Setup::start_changed("ext-proc.yaml", &["--config", &config], both) else { return };
    let fine = setup.get("/?q=fine");
    assert_eq!(fine.status, 200, "{fine:?} {}", setup.palisade.err());
    assert_eq!(setup.get("/?q=attack").status, 403);
    let lines = access(&log, 2);
    let seen: Vec<_> =
        lines.iter().map(|line| (line["path"].as_str().unwrap(), line["status"].as_u64())).collect();
    assert_eq!(seen, [("/?q=fine", Some(200)), ("/?q=attack", Some(403))]);
    setup.palisade.end();
    assert_eq!(access(&log, 2).len(), 2);
}

#[test]
fn responses_have_the_headers_of_their_service_and_path() {
    let folder = Folder::new();
    let rules = rules(&folder);
    let config = folder.write(
        "palisade.yaml",
        format!(
            "services:\n  - name: shop\n    responseHeaders: {{set: {{x-frame-options: DENY}}, remove: [content-type]}}\n\
             routes: [{{path: /, service: shop}}]\n\
             profiles:\n  default:\n    mode: block\n    rules: {{files: [{rules}]}}\n    responseHeaders:\n      \
             - {{paths: [/admin/], set: {{x-frame-options: SAMEORIGIN}}, add: {{x-told: again}}}}\n"
        ),
    );
    let seen = |setup: &Setup, target| {
        let response = setup.get(target);
        let header = |name| response.header(name).map(str::to_owned);
        (response.status, header("x-frame-options"), header("x-told"), header("content-type").is_some())
    };
    for bootstrap in EXAMPLES {
        let Some(setup) = Setup::start(bootstrap, &["--config", &config]) else { return };
        // ext_authz has no word for headers that go.
        let stays = bootstrap == "ext-authz.yaml";
        let at = |status, frames: &str, told: Option<&str>, stays: bool| {
            (status, Some(frames.to_owned()), told.map(str::to_owned), stays)
        };
        assert_eq!(seen(&setup, "/"), at(200, "DENY", None, stays), "{bootstrap}");
        assert_eq!(seen(&setup, "/admin/a"), at(200, "SAMEORIGIN", Some("again"), stays), "{bootstrap}");
        assert_eq!(seen(&setup, "/administration"), at(200, "DENY", None, stays), "{bootstrap}");
        // Envoy says itself what a page of ours is.
        assert_eq!(
            seen(&setup, "/admin/?q=attack"),
            at(403, "SAMEORIGIN", Some("again"), true),
            "{bootstrap}"
        );
        let said = setup.palisade.err().matches("those headers stay").count();
        assert_eq!(said, usize::from(stays), "{bootstrap}");
    }
}

#[test]
fn envoys_route_chooses_service_and_profile() {
    let folder = Folder::new();
    let rules = rules(&folder);
    let config = folder.write(
        "palisade.yaml",
        format!(
            "services: [{{name: shop}}, {{name: cms, profile: watching}}]\n\
             routes: [{{path: /, service: shop}}, {{path: /cms/, service: cms}}]\n\
             profiles:\n  default: {{mode: block, rules: {{files: [{rules}]}}}}\n  \
             watching: {{mode: monitoring, rules: {{files: [{rules}]}}}}\n"
        ),
    );
    let chosen = |bootstrap: String| {
        let virtual_host = "domains: [\"*\"]\n";
        let extensions = "              typed_per_filter_config:\n                envoy.filters.http.ext_authz:\n                  \
             \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute\n                  \
             check_settings: { context_extensions: { service: cms } }\n";
        bootstrap.replace(virtual_host, &format!("{virtual_host}{extensions}"))
    };
    let Some(setup) = Setup::start_changed("ext-authz.yaml", &["--config", &config], chosen) else { return };
    assert_eq!(setup.get("/?q=attack").status, 200, "the route says cms, which is only watched");
    let Some(setup) = Setup::start("ext-authz.yaml", &["--config", &config]) else { return };
    assert_eq!(setup.get("/?q=attack").status, 403);
    assert_eq!(setup.get("/cms/?q=attack").status, 200);
}

#[test]
fn headers_that_come_joined_are_remarked_on_once() {
    let joined =
        |bootstrap: String| bootstrap.replace("encode_raw_headers: true", "encode_raw_headers: false");
    let Some(setup) = Setup::start_changed("ext-authz.yaml", &["--mode", "block"], joined) else { return };
    for _ in 0..3 {
        assert_eq!(setup.get("/").status, 200);
    }
    assert_eq!(setup.get(COMMENT_ATTACK).status, 403);
    setup.palisade.wait_err("encode_raw_headers: true");
    assert_eq!(setup.palisade.err().matches("encode_raw_headers: true").count(), 1);
}

#[test]
fn a_request_that_waits_for_its_application_is_answered_before_the_end() {
    let Some(mut setup) = Setup::start("ext-proc.yaml", &["--mode", "block"]) else { return };
    let waiting = begin(setup.envoy.address, b"GET /slow HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n");
    eventually("the request at the application", || (!setup.upstream.heads().is_empty()).then_some(()));
    setup.palisade.signal("TERM");
    std::thread::sleep(std::time::Duration::from_millis(100));
    setup.upstream.let_go();
    assert_eq!(receive(waiting).status, 200);
    assert_eq!(setup.palisade.wait(), 0);
}
