//! Rate limits of a running proxy.

mod support;

use std::net::SocketAddr;

use support::envoy::{Envoy, binary, example};
use support::{Folder, Response, Running, Upstream, command, eventually, get, send};

fn config(folder: &Folder, upstream: &Upstream, limits: &str, service: &str, routes: &str) -> String {
    format!(
        "admin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\nlogs: {{error: {}}}\n\
         listeners: [{{name: web, address: \"127.0.0.1:0\", clientAddress: {{from: x-forwarded-for, trusted: [127.0.0.0/8]}}}}]\n\
         services: [{{name: web, upstream: {{url: \"{}\"}}{service}}}]\nroutes: [{{service: web}}{routes}]\nrateLimits:\n{limits}\n\
         profiles: {{default: {{mode: \"off\"}}}}\n",
        folder.at("data"),
        folder.at("error.log"),
        upstream.url
    )
}

fn ask(address: SocketAddr, client: &str, target: &str, more: &str) -> Response {
    get(address, target, &format!("X-Forwarded-For: {client}\r\n{more}"))
}

/// Statuses of requests sent one after the other.
fn statuses(count: usize, ask: impl Fn() -> u16) -> Vec<u16> {
    (0..count).map(|_| ask()).collect()
}

#[test]
fn limits_act_in_every_mode() {
    let upstream = Upstream::start();
    for mode in ["off", "monitoring", "safe_blocking", "block"] {
        let folder = Folder::new();
        let limit = "- {name: all, key: [address], requests: 1, per: 1h}";
        let service = format!(", mode: \"{mode}\", rateLimits: [all]");
        let file = folder.write("palisade.yaml", config(&folder, &upstream, limit, &service, ""));
        let mut proxy = Running::start(command(&["run", "--config", &file]));
        let address = proxy.address();
        let status = || ask(address, "192.0.2.1", "/", "").status;
        assert_eq!(statuses(2, status), [200, 429], "{mode}");
    }
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let limits = "- {name: all, key: [address], requests: 3, per: 1h}\n\
                  - {name: login, key: [address, \"argument:user\"], requests: 1, per: 1h, by: leaky-bucket, burst: 1, status: 503}\n\
                  - {name: key, key: [\"header:x-api-key\"], requests: 1, per: 1s}\n\
                  - {name: session, key: [\"cookie:s\", path], requests: 1, per: 1h}";
    let routes = ", {path: /login, service: web, rateLimits: [login]}, {path: /key, service: web, rateLimits: [key]}, \
                  {path: /session, service: web, rateLimits: [session]}, {path: /all, service: web, rateLimits: [all]}";
    let file = folder.write("palisade.yaml", config(&folder, &upstream, limits, "", routes));
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let (address, admin) = (proxy.address(), proxy.admin());
    let status = |client: &str, target: &str, more: &str| ask(address, client, target, more).status;

    assert_eq!(statuses(5, || status("192.0.2.1", "/", "")), [200; 5], "no limit here");
    assert_eq!(statuses(4, || status("192.0.2.1", "/all", "")), [200, 200, 200, 429]);
    let reached = upstream.heads().len();
    let refused = ask(address, "192.0.2.1", "/all", "");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=7200).contains(&wait), "{refused:?}");
    assert!(refused.body.contains("Too Many Requests"), "{refused:?}");
    assert_eq!(upstream.heads().len(), reached, "it does not reach the service");
    assert_eq!(status("192.0.2.2", "/all", ""), 200, "another client");
    assert_eq!(statuses(4, || status("2001:db8::1", "/all", "")), [200, 200, 200, 429]);
    assert_eq!(status("2001:db8::2", "/all", ""), 429, "of the same network");
    let id = refused.header("x-request-id").unwrap();
    let line = eventually("the line of the refusal", || {
        let log = std::fs::read_to_string(folder.at("error.log")).ok()?;
        log.lines().find(|line| line.contains(id)).map(str::to_owned)
    });
    assert!(
        line.starts_with("[client 192.0.2.1] Palisade: Refused with code 429: above the rate limit [limit \"all\"] [retry_after \""),
        "{line}"
    );

    // A user is one however the name is spelled.
    let login = |user: &str| ask(address, "192.0.2.1", &format!("/login?user={user}"), "");
    assert_eq!([login("ann").status, login("%61nn").status, login("a%6en").status], [200, 200, 503]);
    assert!(login("ann").header("retry-after").is_some());
    assert_eq!(login("bob").status, 200);

    let key = |key: &str| status("192.0.2.1", "/key", &format!("X-Api-Key: {key}\r\n"));
    assert_eq!([key("a"), key("b"), key("a")], [200, 200, 429]);
    eventually("the second to be over", || (key("a") == 200).then_some(()));
    assert_eq!(
        [status("192.0.2.1", "/key", ""), status("192.0.2.2", "/key", "")],
        [200, 429],
        "those without a key"
    );

    let session =
        |target: &str, cookie: &str| status("192.0.2.1", target, &format!("Cookie: x=1; s={cookie}\r\n"));
    assert_eq!(
        [session("/session", "1"), session("/session", "1"), session("/session/a", "1")],
        [200, 429, 200]
    );
    assert_eq!([session("/session", "2"), session("/session/./%61", "1")], [200, 429]);

    let page = send(admin, format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes()).body;
    for line in
        ["palisade_rate_limited_total{limit=\"session\"} 2", "palisade_rate_limited_total{limit=\"login\"} 2"]
    {
        assert!(page.contains(line), "{line}: {page}");
    }
    assert!(page.contains("palisade_requests_blocked_total{class=\"rate\"}"));

    // A reload that leaves a limit as it is leaves its counts; a source on the allow list is counted as others are.
    let body = r#"{"address": "192.0.2.1"}"#;
    let allow = format!(
        "POST /api/v1/lists/allow HTTP/1.1\r\nHost: {admin}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(send(admin, allow.as_bytes()).status, 200);
    assert_eq!(status("192.0.2.1", "/all", ""), 429);
    folder.write("palisade.yaml", config(&folder, &upstream, limits, ", rateLimits: [all]", routes));
    eventually("the limit of the service", || (status("192.0.2.1", "/", "") == 429).then_some(()));
    assert_eq!(status("192.0.2.9", "/", ""), 200);
}

#[test]
fn limits_hold_behind_envoy() {
    let Some(binary) = binary() else { return };
    for bootstrap in ["ext-authz.yaml", "ext-proc.yaml"] {
        let (folder, upstream) = (Folder::new(), Upstream::start());
        let config = format!(
            "admin: {{address: \"off\"}}\ndataDir: {}\nenvoy: [{{name: envoy, address: \"unix:{}\"}}]\n\
             services: [{{name: web, rateLimits: [all]}}]\nrateLimits: [{{name: all, key: [address], requests: 2, per: 1h}}]\n",
            folder.at("data"),
            folder.at("envoy.sock")
        );
        let file = folder.write("palisade.yaml", config);
        let palisade = Running::start(command(&["run", "--config", &file]));
        palisade.wait_err("(envoy)\n");
        let envoy =
            Envoy::start(&binary, &folder, &example(bootstrap, &upstream.url, &folder.at("envoy.sock")));
        let ask = || get(envoy.address, "/", "Connection: close\r\n");
        assert_eq!([ask().status, ask().status], [200, 200], "{bootstrap}");
        let refused = ask();
        assert_eq!(refused.status, 429, "{bootstrap}");
        assert!(refused.header("retry-after").is_some(), "{bootstrap}: {refused:?}");
    }
}

#[test]
fn a_limit_that_says_too_little_is_an_error() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    for (limit, said) in [
        ("- {name: a, key: [], requests: 1}", "tells nobody from another"),
        ("- {name: a, key: [\"claim:sub\"], requests: 1}", "nobody has verified"),
        ("- {name: a, key: [address]}", "`requests` is missing"),
        (
            "- {name: a, key: [address], requests: 1}\n- {name: a, key: [path], requests: 1}",
            "a second rateLimit is called",
        ),
        ("- {name: b, key: [address], requests: 1}", "there is no rateLimits `a`"),
    ] {
        let file = folder.write("palisade.yaml", config(&folder, &upstream, limit, ", rateLimits: [a]", ""));
        let answer = support::palisade(&["check", "--config", &file]);
        assert_ne!(answer.code, 0, "{limit}");
        assert!((answer.out.clone() + &answer.err).contains(said), "{limit}: {answer:?}");
    }
}
