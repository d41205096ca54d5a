//! Who a request is from, asked by a running proxy: tokens, API keys, an authentication server. Keys are made for each run.

#[path = "../../authn/tests/support/mod.rs"]
mod keys;
mod support;
#[path = "authentication/teller.rs"]
mod teller;

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keys::Keys;
use support::envoy::{Envoy, binary, example};
use support::{Folder, Response, Running, Upstream, command, eventually, get, send};
use teller::{Teller, Told};

const HEADER: &str = r#"{"alg":"ES256","kid":"es256"}"#;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claims(subject: &str, seconds: i64, more: &str) -> String {
    let exp = now().saturating_add_signed(seconds);
    format!(r#"{{"iss":"https://issuer","aud":"shop","sub":"{subject}","exp":{exp}{more}}}"#)
}

fn token(keys: &Keys, subject: &str) -> String {
    keys.token("es256", HEADER, &claims(subject, 600, "")).unwrap()
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn config(folder: &Folder, upstream: &Upstream, authenticators: &str, routes: &str) -> String {
    format!(
        "admin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\nlogs: {{error: {}, access: {}}}\n\
         listeners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         services: [{{name: web, upstream: {{url: \"{}\"}}}}]\nauthenticators:\n{authenticators}\nroutes:\n{routes}\n\
         profiles: {{default: {{mode: \"monitoring\"}}}}\n",
        folder.at("data"),
        folder.at("error.log"),
        folder.at("access.log"),
        upstream.url
    )
}

/// Writes a file that is watched: whole, or not at all.
fn replace(folder: &Folder, name: &str, content: impl AsRef<[u8]>) {
    let new = folder.write(&format!("{name}.new"), content);
    std::fs::rename(new, folder.at(name)).unwrap();
}

fn line_of(folder: &Folder, log: &str, response: &Response) -> String {
    let id = response.header("x-request-id").unwrap();
    eventually("its line", || {
        let log = std::fs::read_to_string(folder.at(log)).ok()?;
        log.lines().find(|line| line.contains(id) && !line.contains("Warning")).map(str::to_owned)
    })
}

fn metrics(admin: SocketAddr) -> String {
    send(admin, format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes()).body
}

#[test]
fn a_token_lets_in_whom_it_is_of_and_nobody_else() {
    let (folder, upstream, keys) = (Folder::new(), Upstream::start(), Keys::new());
    folder.write("jwks.json", keys.jwks());
    let authenticators = "- {name: shop, jwt: {keys: {file: jwks.json}, algorithms: [ES256], issuers: [\"https://issuer\"], \
                          audiences: [shop], require: {tier: []}, from: [bearer, \"cookie:session\", \"query:t\"]}, \
                          headers: {X-User: sub, X-Tier: tier}, credential: remove}";
    let routes = "- {service: web, authentication: {by: [shop]}}\n\
                  - {path: /open, service: web}\n\
                  - {path: /maybe, service: web, authentication: {by: [shop], mode: optional}}\n\
                  - {path: /staged, service: web, authentication: {by: [shop], stage: monitor}}";
    let file = folder.write("palisade.yaml", config(&folder, &upstream, authenticators, routes));
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let (address, admin) = (proxy.address(), proxy.admin());
    let good = keys.token("es256", HEADER, &claims("ann", 600, r#","tier":"gold\r\nx-admin: 1""#)).unwrap();

    // Nobody.
    let refused = get(address, "/", "");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"shop\""));
    let line = line_of(&folder, "error.log", &refused);
    assert!(
        line.contains("Palisade: Refused with code 401: not authenticated [reason \"missing: "),
        "{line}"
    );
    assert!(upstream.heads().is_empty(), "nothing of it reaches the service");

    // Somebody, whose word on themselves does not go on, by whatever place and however often.
    for (target, more) in [
        ("/a?x=1", format!("{}X-User: root\r\nX_User: root\r\nx-tier: 9\r\n", bearer(&good))),
        ("/a?x=1", format!("Cookie: a=1; session={good}\r\nx-user: root\r\n")),
        (&*format!("/a?x=1&t={good}"), "x-user: root\r\n".to_owned()),
    ] {
        for _ in 0..2 {
            let passed = get(address, target, &more);
            assert_eq!(passed.status, 200, "{passed:?}");
            let head = upstream.heads().pop().unwrap();
            assert!(head.starts_with("GET /a?x=1 HTTP/1.1\r\n"), "{head}");
            assert!(
                head.contains("\r\nx-user: ann\r\n") && head.contains("x-tier: gold%0D%0Ax-admin: 1"),
                "{head}"
            );
            assert!(!head.contains("root") && !head.contains(&good), "{head}");
            assert!(!head.to_lowercase().contains("\nx-admin") && !head.contains("authorization"), "{head}");
            let line = line_of(&folder, "access.log", &passed);
            let expected = r#""authenticated":{"by":"shop","method":"jwt","subject":"ann","issuer":"https://issuer","key_id":"es256"}"#;
            assert!(line.contains(expected), "{line}");
            assert!(!line.contains(&good[20..]), "{line}");
        }
    }

    // Bad tokens are refused, also where none is needed; the answer does not say why, the log does.
    let other = Keys::new();
    let changed = |token: &str| format!("{}.{}", token.rsplit_once('.').unwrap().0, "AAAA");
    for (bad, reason) in [
        (keys.token("es256", HEADER, &claims("ann", -600, r#","tier":1"#)).unwrap(), "expired"),
        (keys.token("none", r#"{"alg":"none"}"#, &claims("ann", 600, "")).unwrap(), "algorithm"),
        (token(&other, "ann"), "signature"),
        (changed(&good), "signature"),
        (
            keys.token("secret", r#"{"alg":"HS256","kid":"es256"}"#, &claims("ann", 600, "")).unwrap(),
            "algorithm",
        ),
        (
            keys.token("es256", r#"{"alg":"ES256","kid":"../x"}"#, &claims("ann", 600, "")).unwrap(),
            "unknown_key",
        ),
        ("x".to_owned(), "malformed"),
        (
            keys.token("es256", HEADER, &claims("ann", 600, &format!(r#","pad":"{}""#, "x".repeat(17_000))))
                .unwrap(),
            "too_long",
        ),
    ] {
        for path in ["/", "/maybe"] {
            let refused = get(address, path, &bearer(&bad));
            assert_eq!(refused.status, 401, "{reason} {path}");
            let challenge = "Bearer realm=\"shop\", error=\"invalid_token\"";
            assert_eq!(refused.header("www-authenticate"), Some(challenge));
            assert!(!refused.body.contains(reason), "{refused:?}");
            let line = line_of(&folder, "error.log", &refused);
            assert!(line.contains(&format!("[authenticator \"shop\"] [reason \"{reason}: ")), "{line}");
        }
    }
    let twice = get(address, "/", &(bearer(&good) + &bearer(&good)));
    assert_eq!(twice.status, 401);
    let lacking = get(address, "/", &bearer(&token(&keys, "ann")));
    assert_eq!(lacking.status, 403);
    assert_eq!(
        lacking.header("www-authenticate"),
        Some("Bearer realm=\"shop\", error=\"insufficient_scope\"")
    );
    assert!(
        get(address, "/", &format!("Accept: application/json\r\n{}", bearer("x")))
            .body
            .contains("\"status\":401")
    );

    // Other modes of a route.
    let statuses = |more: &str| ["/open", "/maybe", "/staged"].map(|path| get(address, path, more).status);
    assert_eq!(statuses(""), [200, 200, 200]);
    let forged = get(address, "/maybe", "x-user: root\r\n");
    assert_eq!(forged.status, 200);
    assert!(!upstream.heads().pop().unwrap().contains("root"));
    assert_eq!(statuses(&bearer("x")), [200, 401, 200]);
    let staged = get(address, "/staged", "");
    let line = line_of(&folder, "error.log", &staged);
    assert!(line.contains("Palisade: Would be refused with code 401: not authenticated"), "{line}");

    let page = metrics(admin);
    for (outcome, at_least) in [
        ("authenticated", 6),
        ("anonymous", 2),
        ("missing", 1),
        ("invalid", 14),
        ("would_refuse", 3),
        ("forbidden", 1),
    ] {
        let name = format!("palisade_authentication_total{{service=\"web\",outcome=\"{outcome}\"}} ");
        let count: u64 = page.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap();
        assert!(count >= at_least, "{outcome}: {count}");
    }
    assert!(page.contains("palisade_requests_blocked_total{class=\"authentication\"}"));
    proxy.end();
    let events =
        support::palisade(&["events", "query", "--data-dir", &folder.at("data"), "--format", "json"]);
    assert!(events.out.contains(r#""kind":"authentication""#), "{events:?}");
    assert!(events.out.contains("It is not known who it is from (expired)"), "{events:?}");
    assert!(!events.out.contains(&good[20..]), "no token leaves in an event");
    assert!(!std::fs::read_to_string(folder.at("error.log")).unwrap().contains(&good[20..]));
}

#[test]
fn keys_in_a_file_are_read_again_and_the_last_good_ones_stay() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let (old, new) = (Keys::new(), Keys::new());
    folder.write("jwks.json", old.jwks());
    folder.write("keys.txt", format!("a sha256:{}\n", sha256("first-key-of-a")));
    let authenticators = "- {name: shop, jwt: {keys: {file: jwks.json}, algorithms: [ES256], audiences: [shop]}}\n\
                          - {name: partners, apiKeys: {file: keys.txt, from: [\"header:X-Api-Key\", \"query:key\"]}, credential: remove, headers: {x-partner: sub}}";
    let routes = "- {service: web, authentication: {by: [shop, partners]}}";
    let file = folder.write("palisade.yaml", config(&folder, &upstream, authenticators, routes));
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    let status = |more: &str| get(address, "/", more).status;
    let (by_old, by_new) = (bearer(&token(&old, "ann")), bearer(&token(&new, "ann")));
    assert_eq!([status(&by_old), status(&by_new), status("")], [200, 401, 401]);

    // Either lets in. A wrong key is told from none.
    assert_eq!(status("X-Api-Key: first-key-of-a\r\n"), 200);
    let head = upstream.heads().pop().unwrap().to_lowercase();
    assert!(head.contains("\r\nx-partner: a\r\n") && !head.contains("first-key"), "{head}");
    assert_eq!(get(address, "/p?key=first-key-of-a&b=1", "").status, 200);
    assert!(upstream.heads().pop().unwrap().starts_with("GET /p?b=1 HTTP"));
    let wrong = get(address, "/", "X-Api-Key: another\r\n");
    let challenges: Vec<&str> =
        wrong.head.lines().filter(|line| line.starts_with("WWW-Authenticate")).collect();
    assert_eq!(wrong.status, 401);
    assert_eq!(
        challenges,
        [
            "WWW-Authenticate: Bearer realm=\"shop\"",
            "WWW-Authenticate: ApiKey realm=\"partners\", error=\"invalid_token\""
        ]
    );
    assert_eq!(status(&format!("X-Api-Key: first-key-of-a\r\n{by_new}")), 200, "one of two is good");

    replace(&folder, "jwks.json", "{\"keys\":[");
    proxy.wait_err("authenticator shop stays as it was: ");
    assert_eq!([status(&by_old), status(&by_new)], [200, 401]);
    replace(&folder, "jwks.json", new.jwks());
    eventually("the new keys", || (status(&by_new) == 200).then_some(()));
    assert_eq!(status(&by_old), 401, "what was verified went with its key");
    replace(&folder, "keys.txt", format!("a sha256:{}\n", sha256("second-key-of-a")));
    eventually("the new key", || (status("X-Api-Key: second-key-of-a\r\n") == 200).then_some(()));
    assert_eq!(status("X-Api-Key: first-key-of-a\r\n"), 401);
}

fn sha256(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn keys_at_a_url_come_go_bad_and_change_beside_requests() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let (old, new) = (Keys::new(), Keys::new());
    let publisher = Teller::start(Told::Answer("503 Service Unavailable", String::new(), String::new()));
    let authenticators = format!(
        "- {{name: shop, jwt: {{keys: {{url: \"{}/jwks.json\", refresh: 1h, refreshUnknown: 1s, wait: 10s, timeout: 2s}}, \
         algorithms: [ES256], audiences: [shop]}}}}",
        publisher.url
    );
    let routes = "- {service: web, authentication: {by: [shop]}}";
    let file = folder.write("palisade.yaml", config(&folder, &upstream, &authenticators, routes));
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let (address, admin) = (proxy.address(), proxy.admin());
    let ask = |keys: &Keys| get(address, "/", &bearer(&token(keys, "ann")));

    // Nobody can tell, which is not the client's fault; who shows nothing is told so all the same.
    let unknown = ask(&old);
    assert_eq!(unknown.status, 503, "{unknown:?}");
    assert!(line_of(&folder, "error.log", &unknown).contains("[reason \"no_keys: "));
    assert_eq!(get(address, "/", "").status, 401);
    assert!(
        metrics(admin).contains("palisade_authentication_total{service=\"web\",outcome=\"unavailable\"} 1")
    );

    publisher.tells(Told::keys(old.jwks()));
    eventually("the first keys", || (ask(&old).status == 200).then_some(()));
    assert!(publisher.heads()[0].starts_with("GET /jwks.json HTTP/1.1\r\n"));

    // A key that is new is fetched for the request that brings it: kids of both are alike here, so one is renamed.
    let renamed = new.jwks().replace("\"kid\":\"es256\"", "\"kid\":\"next\"");
    let header = r#"{"alg":"ES256","kid":"next"}"#;
    let next = bearer(&new.token("es256", header, &claims("bob", 600, "")).unwrap());
    publisher.tells(Told::keys(renamed));
    eventually("the key that was asked for", || (get(address, "/", &next).status == 200).then_some(()));
    assert_eq!(ask(&old).status, 401, "it is no longer published");

    // Whoever makes up keys does not make us ask for each.
    let before = publisher.heads().len();
    let began = Instant::now();
    for number in 0..40 {
        let header = format!(r#"{{"alg":"ES256","kid":"made-up-{number}"}}"#);
        let made_up = new.token("es256", &header, &claims("eve", 600, "")).unwrap();
        assert_eq!(get(address, "/", &bearer(&made_up)).status, 401);
    }
    let fetched = publisher.heads().len() - before;
    assert!(fetched as u64 <= began.elapsed().as_secs() + 2, "{fetched} in {:?}", began.elapsed());

    // Whatever becomes of the publisher, the last good keys stay, and no request waits for longer than it may.
    let padding = "x".repeat(400_000);
    for told in [
        Told::keys("{\"keys\":[]}".to_owned()),
        Told::keys(format!("{{\"padding\":\"{padding}\",\"keys\":[]}}")),
        Told::Endless,
        Told::Bytes(b"\x00\xff lies\r\n\r\n".to_vec()),
        Told::Answer("302 Found", format!("Location: {}/other\r\n", publisher.url), String::new()),
        Told::Hang,
    ] {
        let before = publisher.heads().len();
        publisher.tells(told.clone());
        let made_up = new.token("es256", r#"{"alg":"ES256","kid":"x"}"#, &claims("eve", 600, "")).unwrap();
        eventually("another attempt", || {
            assert_eq!(get(address, "/", &bearer(&made_up)).status, 401);
            (publisher.heads().len() > before).then_some(())
        });
        assert_eq!(get(address, "/", &next).status, 200, "{:?}", format!("{told:?}").get(..60));
    }
    assert!(proxy.err().contains("keys that are there stay"), "{}", proxy.err());
}

#[test]
fn an_authentication_server_decides_and_its_failures_let_nobody_in() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let server = Teller::start(Told::ok("X-Auth-User: ann\r\nX-Auth-Groups: a,b\r\nX-Secret: 1\r\n"));
    let forward = |name: &str, more: &str| {
        format!(
            "- {{name: {name}, forward: {{url: \"{}/check?s=1\", responseHeaders: [X-Auth-User, X-Auth-Groups], \
             subject: X-Auth-User, timeout: 2s{more}}}, headers: {{x-who: sub}}}}\n",
            server.url
        )
    };
    let authenticators = forward("sso", "")
        + &forward("browser", ", signIn: \"https://sso.example/start?rd={url}\", requestHeaders: [X-Ticket]");
    let routes = "- {service: web, authentication: {by: [sso]}}\n- {path: /app, service: web, authentication: {by: [browser]}}";
    let file = folder.write("palisade.yaml", config(&folder, &upstream, &authenticators, routes));
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    let ask = |target: &str| {
        get(address, target, "Cookie: s=1\r\nX-Ticket: t\r\nx-auth-user: root\r\nX-Who: root\r\n")
    };

    let passed = ask("/a?b=\"c");
    assert_eq!(passed.status, 200, "{passed:?}");
    let head = upstream.heads().pop().unwrap();
    assert!(head.contains("\r\nx-auth-user: ann\r\n") && head.contains("\r\nx-who: ann\r\n"), "{head}");
    assert!(
        head.contains("x-auth-groups: a,b") && !head.contains("root") && !head.contains("X-Secret"),
        "{head}"
    );
    let asked = server.heads().pop().unwrap();
    assert!(asked.starts_with("GET /check?s=1 HTTP/1.1\r\n"), "{asked}");
    for field in [
        "X-Original-URL: http://shop.example.com/a?b=%22c\r\n",
        "X-Original-Method: GET\r\n",
        "X-Forwarded-Uri: /a?b=%22c\r\n",
        "X-Forwarded-Host: shop.example.com\r\n",
        "X-Forwarded-For: 127.0.0.1\r\n",
        "Cookie: s=1\r\n",
    ] {
        assert!(asked.contains(field), "{field} in {asked}");
    }
    assert!(!asked.to_lowercase().contains("x-ticket") && !asked.contains("root"), "{asked}");
    assert!(line_of(&folder, "access.log", &passed).contains(r#""method":"forward","subject":"ann""#));
    (0..20).for_each(|_| assert_eq!(ask("/").status, 200));
    assert!(server.connections() <= 4, "connections are used again: {}", server.connections());

    server.tells(Told::Answer(
        "401 Unauthorized",
        "WWW-Authenticate: Basic realm=\"sso\"\r\nSet-Cookie: csrf=1\r\nX-Secret: 1\r\n".to_owned(),
        "secret page".to_owned(),
    ));
    let refused = ask("/");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate"), Some("Basic realm=\"sso\""));
    assert_eq!(refused.header("set-cookie"), Some("csrf=1"));
    assert!(refused.header("x-secret").is_none() && !refused.body.contains("secret"), "{refused:?}");
    let away = ask("/app?q=1&r=2");
    assert_eq!(away.status, 302);
    assert_eq!(
        away.header("location"),
        Some("https://sso.example/start?rd=http%3A%2F%2Fshop.example.com%2Fapp%3Fq%3D1%26r%3D2")
    );
    assert!(server.heads().pop().unwrap().contains("X-Ticket: t\r\n"));
    server.tells(Told::Answer("403 Forbidden", String::new(), String::new()));
    assert_eq!([ask("/").status, ask("/app").status], [403, 403]);

    let reached = upstream.heads().len();
    for told in [
        Told::Answer("500 Internal Server Error", String::new(), String::new()),
        Told::Answer("302 Found", "Location: /in\r\n".to_owned(), String::new()),
        Told::Answer("404 Not Found", String::new(), String::new()),
        Told::Bytes(b"HTTP/1.1 2000 OK\r\n\r\n".to_vec()),
        Told::Bytes(b"lies\r\n\r\n".to_vec()),
        Told::Bytes(Vec::new()),
        Told::Bytes([&b"HTTP/1.1 200 OK\r\nX: "[..], &[b'x'; 100_000], b"\r\n\r\n"].concat()),
        Told::Hang,
    ] {
        let shown = format!("{told:?}");
        server.tells(told);
        let began = Instant::now();
        let refused = ask("/");
        assert_eq!(refused.status, 503, "{}", shown.get(..60).unwrap_or(&shown));
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        assert!(line_of(&folder, "error.log", &refused).contains("[reason \"server_failed: "));
    }
    assert_eq!(upstream.heads().len(), reached, "none of them got through");
    // A page that never ends is no reason against its status; it is not read on.
    server.tells(Told::Endless);
    assert_eq!(ask("/").status, 200);
    server.tells(Told::ok("X-Auth-User: bob\r\n"));
    assert_eq!(ask("/").status, 200, "it comes back by itself");
    assert!(upstream.heads().pop().unwrap().contains("x-auth-user: bob"));
}

#[test]
fn a_claim_bounds_who_it_is_of_and_a_call_is_told_by_its_status() {
    let (folder, upstream, keys) = (Folder::new(), Upstream::start(), Keys::new());
    folder.write("jwks.json", keys.jwks());
    let authenticators =
        "- {name: shop, jwt: {keys: {file: jwks.json}, algorithms: [ES256], audiences: [shop]}}";
    let routes = "- {service: web, authentication: {by: [shop]}, rateLimits: [each]}\nrateLimits: [{name: each, key: [\"claim:sub\"], requests: 2, per: 1h}]";
    let file = folder.write("palisade.yaml", config(&folder, &upstream, authenticators, routes));
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    let ask = |subject: &str| get(address, "/", &bearer(&token(&keys, subject)));
    assert_eq!([ask("ann").status, ask("ann").status], [200, 200]);
    let above = ask("ann");
    assert_eq!(above.status, 429);
    assert!(above.header("retry-after").is_some(), "{above:?}");
    assert_eq!(ask("bob").status, 200, "somebody else");
    assert_eq!(get(address, "/", &bearer("x")).status, 401, "whoever is not known is no one's count");

    let Ok(curl) = Command::new("curl")
        .args(["-s", "-i", "--http2-prior-knowledge", "-X", "POST", "-H", "content-type: application/grpc"])
        .arg(format!("http://{address}/shop.Shop/Buy"))
        .output()
    else {
        println!("skipped: curl is not here, so no call is made");
        return;
    };
    let answer = String::from_utf8_lossy(&curl.stdout).to_lowercase();
    assert!(answer.starts_with("http/2 200") && answer.contains("grpc-status: 16"), "{answer}");
}

#[test]
fn it_is_asked_behind_envoy_as_in_front_of_a_service() {
    let Some(binary) = binary() else { return };
    for bootstrap in ["ext-authz.yaml", "ext-proc.yaml"] {
        let (folder, upstream, keys) = (Folder::new(), Upstream::start(), Keys::new());
        folder.write("jwks.json", keys.jwks());
        let config = format!(
            "admin: {{address: \"off\"}}\ndataDir: {}\nenvoy: [{{name: envoy, address: \"unix:{}\"}}]\n\
             authenticators: [{{name: shop, jwt: {{keys: {{file: jwks.json}}, algorithms: [ES256], audiences: [shop], \
             from: [bearer, \"cookie:t\", \"query:t\"]}}, headers: {{x-user: sub}}, credential: remove}}]\n\
             services: [{{name: web, authentication: {{by: [shop]}}}}]\n",
            folder.at("data"),
            folder.at("envoy.sock")
        );
        let file = folder.write("palisade.yaml", config);
        let palisade = Running::start(command(&["run", "--config", &file]));
        palisade.wait_err("(envoy)\n");
        let envoy =
            Envoy::start(&binary, &folder, &example(bootstrap, &upstream.url, &folder.at("envoy.sock")));
        let ask =
            |target: &str, more: &str| get(envoy.address, target, &format!("Connection: close\r\n{more}"));
        let good = token(&keys, "ann");
        for (target, more) in [
            ("/a?b=1", bearer(&good) + "X-User: root\r\n"),
            ("/a?b=1", format!("Cookie: c=1; t={good}\r\nx-user: root\r\n")),
            (&*format!("/a?b=1&t={good}"), "x-user: root\r\n".to_owned()),
        ] {
            let passed = ask(target, &more);
            assert_eq!(passed.status, 200, "{bootstrap}: {passed:?}");
            let head = upstream.heads().pop().unwrap().to_lowercase();
            assert!(head.starts_with("get /a?b=1 http"), "{bootstrap}: {head}");
            assert!(head.contains("x-user: ann\r\n") && !head.contains("root"), "{bootstrap}: {head}");
            assert!(!head.contains(&good.to_lowercase()), "{bootstrap}: {head}");
        }
        let reached = upstream.heads().len();
        let refused = ask("/", "");
        assert_eq!(refused.status, 401, "{bootstrap}: {refused:?}");
        assert_eq!(
            refused.header("www-authenticate"),
            Some("Bearer realm=\"shop\""),
            "{bootstrap}: {refused:?}"
        );
        assert_eq!(refused.header("x-palisade-reason"), Some("unauthenticated"), "{bootstrap}: {refused:?}");
        assert_eq!(ask("/", &bearer("x")).status, 401, "{bootstrap}");
        assert_eq!(upstream.heads().len(), reached, "{bootstrap}");
    }
}

#[test]
fn what_cannot_be_meant_is_an_error() {
    let (folder, upstream, keys) = (Folder::new(), Upstream::start(), Keys::new());
    folder.write("jwks.json", keys.jwks());
    folder.write("short", "secret\n");
    folder.write("bad-keys", "a: b\n");
    let jwt = |keys: &str, algorithms: &str| {
        format!("- {{name: a, jwt: {{keys: {{{keys}}}, algorithms: [{algorithms}], audiences: [x]}}}}")
    };
    let asked = "- {service: web, authentication: {by: [a]}}";
    for (authenticators, routes, said) in [
        (jwt("file: jwks.json", ""), asked, "says no algorithm"),
        (jwt("file: jwks.json", "none"), asked, "is not an algorithm of tokens"),
        (
            jwt("file: jwks.json", "RS256, HS256"),
            asked,
            "HS256 is by a shared secret, and these keys are public",
        ),
        (jwt("secretFile: short", "ES256"), asked, "ES256 is by a key that is published"),
        (jwt("secretFile: short", "HS256"), asked, "it has 6 bytes, and a secret has 32 at least"),
        (jwt("file: jwks.json, url: \"http://a/b\"", "ES256"), asked, "come from one place"),
        (jwt("file: gone.json", "ES256"), asked, "gone.json does not exist"),
        ("- {name: a}".to_owned(), asked, "is to be one thing, and is 0"),
        ("- {name: a, apiKeys: {file: bad-keys}}".to_owned(), asked, "line 1 is not `NAME sha256:HEX`"),
        (
            jwt("file: jwks.json", "ES256"),
            "- {service: web, authentication: {by: [b]}}",
            "there is no authenticator `b`",
        ),
        (
            jwt("file: jwks.json", "ES256"),
            "- {service: web, authentication: {mode: required}}",
            "nobody is named",
        ),
        (
            "- {name: a, forward: {url: \"http://a/b\"}}".to_owned(),
            "- {service: web, authentication: {by: [a], mode: optional}}",
            "decides itself who passes",
        ),
        (
            "- {name: a, apiKeys: {file: bad-keys}, headers: {Host: sub}}".to_owned(),
            asked,
            "is no header for a claim",
        ),
        (
            jwt("file: jwks.json", "ES256"),
            "- {service: web, rateLimits: [r]}\nrateLimits: [{name: r, key: [\"claim:sub\"], requests: 1}]",
            "nobody has verified",
        ),
    ] {
        let file = folder.write("palisade.yaml", config(&folder, &upstream, &authenticators, routes));
        let answer = support::palisade(&["check", "--config", &file]);
        let shown = answer.out.clone() + &answer.err;
        assert!(answer.code != 0 && shown.contains(said), "{said}: {answer:?}");
    }
}
