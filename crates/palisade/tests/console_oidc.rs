//! Logging in to the console by an OpenID provider: one of the test's own, with keys of its own.

mod browser;
mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use browser::Browser;
use browser::plane::{Plane, axe};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use support::{Folder, Response, send};

/// What the provider says; a test changes it.
#[derive(Clone, Debug)]
struct Says {
    groups: Value,
    audience: String,
    /// `None`: the one that was asked for.
    nonce: Option<String>,
    expires_in: i64,
    by_another_key: bool,
}

/// Has a provider say something else.
type Change = fn(&mut Says);

struct Provider {
    url: String,
    says: Arc<Mutex<Says>>,
    /// Where the console really is: it takes a port when it starts.
    console: Arc<Mutex<Option<SocketAddr>>>,
}

const CLIENT: &str = "palisade-console";
const SECRET: &str = "a secret of the client/+";

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap()
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let says = Arc::new(Mutex::new(Says {
            groups: json!(["staff", "sec-ops"]),
            audience: CLIENT.to_owned(),
            nonce: None,
            expires_in: 60,
            by_another_key: false,
        }));
        let console = Arc::<Mutex<Option<SocketAddr>>>::default();
        let provider = Self { url: url.clone(), says: says.clone(), console: console.clone() };
        std::thread::spawn(move || {
            let (own, other) = (key(), key());
            // What was asked for, by the code that it is worth.
            let mut asked: Vec<(String, String)> = Vec::new();
            for stream in listener.incoming().flatten() {
                answer(stream, &url, (&own, &other), &says.lock().unwrap().clone(), &console, &mut asked);
            }
        });
        provider
    }

    fn says(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.says.lock().unwrap());
    }
}

fn answer(
    stream: TcpStream,
    url: &str,
    (own, other): (&EcdsaKeyPair, &EcdsaKeyPair),
    says: &Says,
    console: &Mutex<Option<SocketAddr>>,
    asked: &mut Vec<(String, String)>,
) {
    let mut stream = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let field = |name: &str| {
        head.iter().find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let mut body = vec![0; field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let target = head[0].split(' ').nth(1).unwrap().to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (status, more, text) = match path {
        "/.well-known/openid-configuration" => (
            "200 OK",
            String::new(),
            json!({
                "issuer": url, "authorization_endpoint": format!("{url}/authorize"),
                "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/keys"),
            }),
        ),
        "/keys" => {
            let point = own.public_key().as_ref();
            let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            let key = json!({"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "x": part(&point[1..33]), "y": part(&point[33..])});
            ("200 OK", String::new(), json!({"keys": [key]}))
        }
        "/authorize" => {
            assert_eq!(of(query, "client_id").as_deref(), Some(CLIENT));
            assert_eq!(of(query, "code_challenge_method").as_deref(), Some("S256"));
            assert_eq!(of(query, "scope").as_deref(), Some("openid profile email"));
            asked.push((of(query, "nonce").unwrap(), of(query, "code_challenge").unwrap()));
            let (at, state) = (console.lock().unwrap().unwrap(), of(query, "state").unwrap());
            let code = asked.len() - 1;
            let back = format!(
                "Location: http://{at}/api/v1/login/oidc/callback?code={code}&state={state}&iss=x\r\n"
            );
            ("303 See Other", back, json!({}))
        }
        "/token" => {
            let known = of(&body, "code")
                .and_then(|code| code.parse::<usize>().ok())
                .and_then(|code| asked.get(code));
            let verifier = of(&body, "code_verifier").unwrap_or_default();
            let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
            let pair = format!("{CLIENT}:{}", "a%20secret%20of%20the%20client%2F%2B");
            let is_client = field("authorization") == Some(format!("Basic {}", STANDARD.encode(pair)));
            match known.filter(|(_, asked)| *asked == challenge && is_client) {
                Some((nonce, _)) => {
                    let nonce = says.nonce.clone().unwrap_or_else(|| nonce.clone());
                    let key = if says.by_another_key { other } else { own };
                    (
                        "200 OK",
                        String::new(),
                        json!({"token_type": "Bearer", "id_token": token(url, says, &nonce, key)}),
                    )
                }
                None => ("400 Bad Request", String::new(), json!({"error": "invalid_grant"})),
            }
        }
        _ => ("404 Not Found", String::new(), json!({})),
    };
    let text = text.to_string();
    let _ = stream.get_mut().write_all(
        format!(
            "HTTP/1.1 {status}\r\n{more}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        )
        .as_bytes(),
    );
}

fn token(url: &str, says: &Says, nonce: &str, key: &EcdsaKeyPair) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "iss": url, "aud": says.audience, "sub": "u-17", "email": "ann@example.com", "groups": says.groups,
        "nonce": nonce, "iat": now, "exp": now + says.expires_in,
    });
    let text = format!("{}.{}", part(json!({"alg": "ES256", "kid": "k1"})), part(claims));
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A value of a query or a form, unescaped.
fn of(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let (mut out, mut bytes) = (Vec::new(), value.bytes());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

fn plane(provider: &Provider, folder: &Folder) -> Plane {
    let secret = folder.write("client-secret", SECRET);
    let plane = Plane::start(&format!(
        ", oidc: {{issuer: \"{}\", clientId: {CLIENT}, clientSecretFile: {secret}, redirect: \"http://127.0.0.1/api/v1/login/oidc/callback\", operators: [sec-ops], viewers: [staff]}}",
        provider.url
    ));
    *provider.console.lock().unwrap() = Some(plane.admin);
    plane
}

/// A location of ours or the provider's, asked with a cookie.
fn follow(location: &str, cookie: &str) -> Response {
    let rest = location.strip_prefix("http://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let request =
        format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
    send(authority.parse().unwrap(), request.as_bytes())
}

fn cookie_of(answer: &Response) -> String {
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// Goes to the provider and comes back. The answer to the callback, and where that was.
fn log_in(plane: &Plane) -> (Response, String, String) {
    let begun = plane.ask("GET", "/api/v1/login/oidc", "", "");
    assert_eq!(begun.status, 303, "{}", begun.body);
    let cookie = cookie_of(&begun);
    assert!(begun.header("set-cookie").unwrap().contains("HttpOnly; SameSite=Lax"));
    let there = follow(begun.header("location").unwrap(), "");
    let back = there.header("location").unwrap().to_owned();
    (follow(&back, &cookie), back, cookie)
}

fn role(plane: &Plane, cookie: &str) -> (Value, Value) {
    let session = plane.ask("GET", "/api/v1/session", &format!("Cookie: {cookie}\r\n"), "");
    let session: Value = serde_json::from_str(&session.body).unwrap();
    (session["user"].clone(), session["role"].clone())
}

#[test]
fn who_a_provider_knows_gets_in_as_what_a_claim_says() {
    let (provider, folder) = (Provider::start(), Folder::new());
    let plane = plane(&provider, &folder);
    assert_eq!(plane.ask("GET", "/api/v1/events", "", "").status, 401);
    let (answer, back, cookie) = log_in(&plane);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{}", answer.body);
    let session = cookie_of(&answer);
    assert_eq!(role(&plane, &session), (json!("oidc:ann@example.com"), json!("operator")));
    plane.proxy.wait_err("login of \"oidc:ann@example.com\" from 127.0.0.1 as operator");
    // Once, and for the browser that was sent.
    assert_eq!(follow(&back, &cookie).status, 401);
    let begun = plane.ask("GET", "/api/v1/login/oidc", "", "");
    let there = follow(begun.header("location").unwrap(), "");
    assert_eq!(follow(there.header("location").unwrap(), "palisade_oidc=00").status, 401);

    provider.says(|says| says.groups = json!("staff"));
    assert_eq!(role(&plane, &cookie_of(&log_in(&plane).0)).1, json!("viewer"));
    let refused: [(&str, Change); 5] = [
        ("may do something here", |says| says.groups = json!(["guests"])),
        ("does not count", |says| says.audience = "another".to_owned()),
        ("does not count", |says| says.expires_in = -3600),
        ("does not count", |says| says.by_another_key = true),
        ("another log-in", |says| says.nonce = Some("x".to_owned())),
    ];
    for (why, change) in refused {
        let before = provider.says.lock().unwrap().clone();
        provider.says(change);
        let (answer, ..) = log_in(&plane);
        assert_eq!((answer.status, answer.header("set-cookie")), (401, None), "{why}");
        plane.proxy.wait_err(why);
        provider.says(|says| *says = before);
    }
    assert_eq!(log_in(&plane).0.status, 303);
}

#[test]
fn the_login_page_leads_to_the_provider_and_back() {
    let (provider, folder) = (Provider::start(), Folder::new());
    let plane = plane(&provider, &folder);
    if !plane.has_console() {
        return;
    }
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&plane.url("services"));
    browser.wait("document.querySelector('.login a.main')");
    assert_eq!(axe(&mut browser), [""; 0]);
    browser.picture("login-oidc");
    browser.click(".login a.main");
    browser.wait("document.querySelector('.who')?.innerText.includes('oidc:ann@example.com')");
}
