//! The admin listener over plain sockets, before a subject that says what a test wants it to say.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, UNIX_EPOCH};

use palisade_console::{
    Admin, BindError, Bounds, Exposition, Health, Keys, ListenerStatus, Reload, Reloads, RuleSetStatus,
    ServiceStatus, State, Status, Subject, Timestamp, TokenFile, UsersFile,
};
use tokio::sync::oneshot;

const PATIENCE: Duration = Duration::from_secs(20);
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[derive(Debug, Default)]
struct Scripted {
    draining: AtomicBool,
    /// Bytes of help text, to make a page that does not fit a socket's buffers.
    padding: usize,
}

impl Subject for Scripted {
    fn liveness(&self) -> Health {
        Health::Good
    }

    fn startup(&self) -> Health {
        Health::Good
    }

    fn readiness(&self) -> Health {
        if self.draining.load(Ordering::Relaxed) { Health::Bad("draining".into()) } else { Health::Good }
    }

    fn metrics(&self, into: &mut Exposition) {
        into.counter("palisade_things_total", &"x".repeat(self.padding), &[], 3);
    }

    fn status(&self) -> Status {
        let at = |seconds| Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds));
        Status {
            version: "0.1.0".into(),
            state: State::Ready,
            collects: false,
            started_at: at(0),
            uptime_seconds: 7,
            listeners: vec![ListenerStatus { name: "web".into(), url: "http://127.0.0.1:8080".into() }],
            services: vec![ServiceStatus {
                name: "web".into(),
                mode: "block".into(),
                rule_set: Some("web".into()),
            }],
            rule_sets: vec![RuleSetStatus { name: "web".into(), rules: 2, loaded_at: at(1) }],
            reloads: Reloads {
                succeeded: 1,
                failed: 1,
                last: Some(Reload { at: at(86_400), error: Some("<no>".into()), seconds: 0.25 }),
            },
            problems: Vec::new(),
            stale: Vec::new(),
        }
    }
}

struct Running {
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(admin: Admin, subject: Scripted) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bound = runtime.block_on(admin.bind()).unwrap();
        let address = bound.address();
        let (end, ends) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            runtime.block_on(bound.serve(Arc::new(subject), async {
                let _ = ends.await;
            }));
        });
        Self { address, end: Some(end), thread: Some(thread) }
    }

    fn with(token: Option<&str>, bounds: Bounds) -> Self {
        let token = token.map(token_file);
        Self::start(Admin::new(loopback(), token).unwrap().with_bounds(bounds), Scripted::default())
    }

    /// How long it takes to end.
    fn end(&mut self) -> Duration {
        let begun = Instant::now();
        drop(self.end.take());
        self.thread.take().unwrap().join().unwrap();
        begun.elapsed()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes and reads to the end of the connection.
    fn exchange(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        read_all(stream)
    }

    /// A request with a JSON body.
    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        Answer::of(&self.exchange(&format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )))
    }

    fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        let host = if headers.contains("Host:") { "" } else { "Host: localhost\r\n" };
        Answer::of(
            &self.exchange(&format!("{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n")),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end();
        }
    }
}

fn token_file(token: &str) -> TokenFile {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("palisade-admin-{}-{number}", std::process::id()));
    std::fs::write(&path, token).unwrap();
    let file = TokenFile::open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// What came until the other side closed. One who closes before it has read all of ours resets the connection.
fn read_all(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&bytes)),
    }
    String::from_utf8(bytes).unwrap()
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }
}

#[test]
fn every_page_answers_get_and_head_and_nothing_else() {
    let admin = Running::with(None, Bounds::default());
    let pages = ["/livez", "/readyz", "/startupz", "/healthz", "/metrics", "/api/v1/status", "/"];
    for page in pages {
        let answer = admin.ask("GET", page, "");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
        let caching = if page == "/" { "no-cache" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), Some(caching), "{page}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let head = admin.ask("HEAD", page, "");
        assert_eq!((head.status, &*head.body), (200, ""), "{page}");
        assert_eq!(head.header("content-length"), answer.header("content-length"), "{page}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let answer = admin.ask(method, page, "");
            assert_eq!((answer.status, answer.header("allow")), (405, Some("get, head")), "{method} {page}");
            assert!(answer.json()["error"].as_str().unwrap().contains("GET"));
        }
        let missing = admin.ask("GET", &format!("{page}x"), "");
        assert_eq!(missing.status, 404);
        let paths = missing.json()["paths"].as_array().unwrap().clone();
        assert!(pages.iter().all(|page| paths.contains(&(*page).into())), "{paths:?}");
        assert_eq!(
            admin.ask("GET", &format!("{page}?verbose"), "").status,
            200,
            "{page}: a query is ignored"
        );
    }
    for page in &pages[..4] {
        assert_eq!(admin.ask("GET", page, "").body, "OK");
    }
    let index = admin.ask("GET", "/", "");
    assert!(index.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert!(index.header("content-type").unwrap().starts_with("text/html"));
}

#[test]
fn each_path_of_the_description_is_there_and_takes_the_methods_that_it_names() {
    let admin = Running::with(None, Bounds::default());
    let document = admin.ask("GET", "/api/v1/openapi.json", "").json();
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{list}", "deny").replace("{name}", "web").replace("{id}", &"0".repeat(32));
        let allowed = admin.ask("BREW", &path, "");
        assert_eq!(allowed.status, 405, "{path}: {allowed:?}");
        let allowed = allowed.header("allow").unwrap().to_owned();
        for method in item.as_object().unwrap().keys() {
            assert!(allowed.split(", ").any(|there| there == method), "{method} {path}: {allowed}");
            asked += 1;
        }
    }
    assert!(asked > 12, "{asked}");
}

#[test]
fn status_is_json_with_the_keys_that_scripts_read() {
    let admin = Running::with(None, Bounds::default());
    let status = admin.ask("GET", "/api/v1/status", "").json();
    let expected = serde_json::json!({
        "version": "0.1.0", "state": "ready", "collects": false, "problems": [], "started_at": "1970-01-01T00:00:00Z", "uptime_seconds": 7,
        "listeners": [{"name": "web", "url": "http://127.0.0.1:8080"}],
        "services": [{"name": "web", "mode": "block", "rule_set": "web"}],
        "rule_sets": [{"name": "web", "rules": 2, "loaded_at": "1970-01-01T00:00:01Z"}],
        "reloads": {"succeeded": 1, "failed": 1, "last": {"at": "1970-01-02T00:00:00Z", "error": "<no>", "seconds": 0.25}},
        "stale": [],
    });
    assert_eq!(status, expected);
}

#[test]
fn metrics_come_in_the_format_that_is_asked_for() {
    let admin = Running::with(None, Bounds::default());
    let plain = admin.ask("GET", "/metrics", "");
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(plain.body.contains("# TYPE palisade_things_total counter\npalisade_things_total 3\n"));
    let open = admin.ask("GET", "/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n");
    assert_eq!(
        open.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(open.body.contains("# TYPE palisade_things counter\n") && open.body.ends_with("# EOF\n"));
}

#[test]
fn readiness_says_why_not_and_life_goes_on() {
    let subject = Scripted { draining: AtomicBool::new(true), padding: 0 };
    let admin = Running::start(Admin::new(loopback(), None).unwrap(), subject);
    let answer = admin.ask("GET", "/readyz", "");
    assert_eq!((answer.status, &*answer.body), (503, "draining\n"));
    assert_eq!(admin.ask("GET", "/livez", "").status, 200);
}

#[test]
fn foreign_names_and_foreign_pages_are_refused_but_probes_are_not_asked() {
    let admin = Running::with(None, Bounds::default());
    let host = "Host: evil.example\r\n";
    for page in ["/metrics", "/api/v1/status", "/", "/nothing"] {
        let answer = admin.ask("GET", page, host);
        assert_eq!(answer.status, 421, "{page}");
        assert!(answer.json()["error"].as_str().unwrap().contains("localhost"));
        assert!(!answer.body.contains("palisade_things"));
    }
    for probe in ["/livez", "/readyz", "/startupz", "/healthz"] {
        assert_eq!(admin.ask("GET", probe, host).body, "OK");
        assert_eq!(admin.ask("POST", probe, host).status, 421);
    }
    let bare = Answer::of(&admin.exchange("GET /metrics HTTP/1.0\r\n\r\n"));
    assert_eq!(bare.status, 421, "no Host at all");
    let own = format!("Host: {}\r\n", admin.address);
    assert_eq!(admin.ask("GET", "/metrics", &own).status, 200);

    let change = admin.ask("POST", "/api/v1/status", "Origin: http://evil.example\r\n");
    assert_eq!(change.status, 403);
    assert!(change.json()["error"].as_str().unwrap().contains("change"));
    let ours = format!("{own}Origin: http://{}\r\n", admin.address);
    assert_eq!(
        admin.ask("POST", "/api/v1/status", &ours).status,
        405,
        "ours, but there is nothing to change"
    );
}

#[test]
fn a_token_opens_everything_and_probes_need_none() {
    let admin = Running::with(Some(TOKEN), Bounds::default());
    // The console itself is no secret: it is where somebody says who they are.
    assert_eq!(admin.ask("GET", "/", "").status, 200);
    for page in ["/metrics", "/api/v1/status", "/api/v1/openapi.json", "/nothing"] {
        for wrong in ["", "Authorization: Bearer wrong\r\n", "Authorization: Basic dXNlcjpwYXNz\r\n"] {
            let answer = admin.ask("GET", page, wrong);
            assert_eq!(answer.status, 401, "{page} {wrong}");
            assert!(answer.header("www-authenticate").unwrap().starts_with("bearer"));
            assert!(answer.json()["error"].as_str().unwrap().contains("Bearer"));
        }
        let right = format!("Authorization: Bearer {TOKEN}\r\nHost: palisade.internal:9901\r\n");
        assert_eq!(admin.ask("GET", page, &right).status, if page == "/nothing" { 404 } else { 200 });
    }
    for probe in ["/livez", "/readyz", "/startupz", "/healthz"] {
        assert_eq!(admin.ask("GET", probe, "").body, "OK");
    }
}

/// An address with a token and two users, and what it said.
fn with_users() -> Running {
    let path = std::env::temp_dir().join(format!("palisade-console-users-{}", std::process::id()));
    let lines = [("alice", true), ("bob", false)]
        .map(|(name, operates)| palisade_console::user_line(name, operates, "correct horse").unwrap());
    std::fs::write(&path, lines.join("\n")).unwrap();
    let users = UsersFile::open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    let keys = Keys { token: Some(token_file(TOKEN)), users: Some(users), ..Keys::default() };
    Running::start(Admin::new(loopback(), keys).unwrap(), Scripted::default())
}

#[test]
fn a_session_reads_and_changes_as_far_as_its_role_and_its_proof_go() {
    let admin = with_users();
    let out = admin.ask("GET", "/api/v1/session", "").json();
    assert_eq!(
        out,
        serde_json::json!({"login": true, "ways": ["password", "token"], "user": null, "role": "anybody", "csrf": null})
    );
    let key = |user: &str| format!(r#"{{"user": "{user}", "password": "correct horse"}}"#);
    let token = format!(r#"{{"token": "{TOKEN}"}}"#);
    for (key, role) in [(key("alice"), "operator"), (key("bob"), "viewer"), (token, "operator")] {
        let answer = admin.send("POST", "/api/v1/login", "", &key);
        assert_eq!((answer.status, answer.json()["role"].as_str()), (200, Some(role)), "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap().to_owned();
        assert!(cookie.ends_with("; path=/; httponly; samesite=strict"), "{cookie}");
        let cookie = format!("Cookie: other=1; {}\r\n", cookie.split(';').next().unwrap());
        let csrf = format!("x-palisade-csrf: {}\r\n", answer.json()["csrf"].as_str().unwrap());
        assert_eq!(admin.ask("GET", "/api/v1/status", &cookie).status, 200);
        assert_eq!(admin.ask("GET", "/api/v1/session", &cookie).json()["role"], role);
        // There is nothing to change in this subject: 503 says that the guard let it in.
        let change = |headers: &str| admin.send("PUT", "/api/v1/services/web/mode", headers, "{}").status;
        let allowed = if role == "operator" { 503 } else { 403 };
        assert_eq!(change(&format!("{cookie}{csrf}")), allowed, "{role}");
        assert_eq!(change(&cookie), 403, "without proof");
        assert_eq!(change(&csrf), 401, "without a session");
        assert_eq!(change(&format!("{cookie}{csrf}Origin: http://evil.example\r\n")), 403);
        let out = admin.send("POST", "/api/v1/logout", &format!("{cookie}{csrf}"), "");
        assert_eq!(out.status, 200);
        assert!(out.header("set-cookie").unwrap().contains("max-age=0"));
        assert_eq!(admin.ask("GET", "/api/v1/status", &cookie).status, 401, "the session is over");
    }
    assert_eq!(Running::with(None, Bounds::default()).send("POST", "/api/v1/login", "", "{}").status, 409);
}

#[test]
fn who_guesses_a_password_is_made_to_wait() {
    let admin = with_users();
    let wrong = |number: usize| {
        let user = if number.is_multiple_of(2) { "alice" } else { "nobody" };
        admin.send(
            "POST",
            "/api/v1/login",
            "",
            &format!(r#"{{"user": "{user}", "password": "guess {number}"}}"#),
        )
    };
    for number in 0..5 {
        assert_eq!(wrong(number).status, 401, "{number}");
    }
    let cut = wrong(5);
    assert_eq!(cut.status, 429);
    assert!(cut.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    let right = admin.send("POST", "/api/v1/login", "", r#"{"user": "alice", "password": "correct horse"}"#);
    assert_eq!(right.status, 429, "who waits is not told what is right");
    assert_eq!(admin.send("POST", "/api/v1/login", "Origin: http://evil.example\r\n", "{}").status, 403);
    assert_eq!(admin.ask("GET", "/livez", "").status, 200);
}

#[test]
fn off_loopback_there_is_no_admin_address_without_a_token() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9901", "[::ffff:192.0.2.1]:9901"] {
        let address = address.parse().unwrap();
        let error = Admin::new(address, None).unwrap_err();
        assert!(matches!(error, BindError::NeedsToken { .. }) && error.to_string().contains("token"));
        assert!(Admin::new(address, Some(token_file(TOKEN))).is_ok());
    }
    for address in ["127.0.0.1:0", "127.9.9.9:0", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
        assert!(Admin::new(address.parse().unwrap(), None).is_ok(), "{address}");
    }
}

#[test]
fn the_address_for_probes_shows_no_more_than_probes_and_metrics_and_asks_nobody() {
    let admin = Running::start(Admin::probes("0.0.0.0:0".parse().unwrap()), Scripted::default());
    let host = "Host: waf.shop.svc:9902\r\n";
    for page in ["/livez", "/readyz", "/startupz", "/healthz", "/metrics"] {
        assert_eq!(admin.ask("GET", page, host).status, 200, "{page}");
    }
    for page in ["/api/v1/status", "/", "/api/v1/events"] {
        let answer = admin.ask("GET", page, host);
        assert_eq!(answer.status, 404, "{page}");
        assert_eq!(answer.json()["paths"].as_array().unwrap().len(), 5);
    }
    assert_eq!(admin.ask("POST", "/metrics", host).status, 405);
}

#[test]
fn a_connection_serves_many_requests_and_a_body_ends_it() {
    let admin = Running::with(None, Bounds::default());
    let get = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(admin.exchange(&format!("{get}{get}{last}")).matches("200 OK").count(), 3, "pipelined");
    let begun = Instant::now();
    let body = format!("GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n{get}{get}");
    assert_eq!(admin.exchange(&body).matches("200 OK").count(), 1, "what follows is body, and is not read");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_head_that_is_too_large_is_431_or_cut() {
    // Some nonsense is only the beginning of a head to the parser.
    let admin = Running::with(None, Bounds { head_time: Duration::from_millis(500), ..Bounds::default() });
    let long = format!("GET /livez HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(17 * 1024));
    assert_eq!(Answer::of(&admin.exchange(&long)).status, 431);
    let many = format!("GET /livez HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(80));
    assert_eq!(Answer::of(&admin.exchange(&many)).status, 431);
    let target = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(15 * 1024));
    assert_eq!(Answer::of(&admin.exchange(&target)).status, 421, "read, and not echoed");
    for nonsense in
        ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n"]
    {
        let answer = admin.exchange(nonsense);
        assert!(answer.is_empty() || Answer::of(&answer).status == 400, "{nonsense:?}: {answer}");
    }
    assert_eq!(admin.ask("GET", "/livez", "").status, 200);
}

#[test]
fn slow_clients_are_cut() {
    let quick = Bounds {
        head_time: Duration::from_millis(200),
        connection_time: Duration::from_millis(600),
        ..Bounds::default()
    };
    let subject = Scripted { padding: 32 << 20, ..Scripted::default() };
    let admin = Running::start(Admin::new(loopback(), None).unwrap().with_bounds(quick), subject);
    // One says nothing, one begins and stops, one asks once and stays.
    for begun in ["", "GET /livez HTTP/1.1\r\nHost:", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let start = Instant::now();
        let answer = admin.exchange(begun);
        assert_eq!(answer.contains("200 OK"), begun.ends_with("\r\n\r\n"), "{answer}");
        assert!(start.elapsed() < Duration::from_secs(5), "{begun:?}");
    }
    // One asks for a page that no socket buffers, and does not read it.
    let mut stream = admin.connect();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got);
    assert!(got.len() < 32 << 20, "cut: {} bytes came", got.len());
}

#[test]
fn a_thousand_silent_connections_do_not_keep_a_probe_out() {
    // Both ends are in this process: a shell's usual 1,024 descriptors are enough for what is held at a time.
    let admin = Running::with(None, Bounds { connections_max: 64, ..Bounds::default() });
    let mut held = std::collections::VecDeque::new();
    for number in 0..1000 {
        held.push_back(admin.connect());
        if held.len() > 600 {
            held.pop_front();
        }
        if number % 50 == 0 {
            let begun = Instant::now();
            assert_eq!(admin.ask("GET", "/livez", "").body, "OK");
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?} at {number}", begun.elapsed());
        }
    }
    assert_eq!(admin.ask("GET", "/readyz", "").body, "OK");
    // The first are gone, the last are not.
    assert_eq!(read_all(held.pop_front().unwrap()), "");
    let mut last = held.pop_back().unwrap();
    last.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    assert!(read_all(last).ends_with("OK"));
}

#[test]
fn idle_connections_do_not_delay_the_end() {
    let mut admin = Running::with(None, Bounds::default());
    let mut idle = admin.connect();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).unwrap();
    let _silent = admin.connect();
    let took = admin.end();
    assert!(took < Duration::from_millis(900), "{took:?}");
    assert!(TcpStream::connect(admin.address).is_err());
}
