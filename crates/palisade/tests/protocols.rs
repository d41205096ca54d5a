//! What is spoken on both sides, seen with two binaries, the one before the other over TLS: what ALPN chooses, WebSockets
//! from any client to any service, and what rules know of TLS.

mod pki;
mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use pki::Pki;
use serde_json::Value;
use support::{Folder, Running, Upstream, begin, command, eventually, get, send};

const PROTOCOLS: [&str; 2] = ["auto", "http1"];

/// A Palisade over TLS, a listener for each of [`PROTOCOLS`], before a service on HTTP/1.1.
fn inner(folder: &Folder, url: &str) -> Running {
    let listener = |protocol: &str| {
        format!(
            "- {{name: {protocol}, address: 127.0.0.1:0, protocol: {protocol}, \
             tls: {{certificates: [{{cert: inner.crt, key: inner.key}}]}}}}\n"
        )
    };
    let text = format!(
        "admin: {{address: 'off'}}\ndataDir: data-inner\nlogs: {{access: stdout}}\nlisteners:\n{}\
         services: [{{name: end, upstream: {{url: \"{url}\"}}}}]\n",
        PROTOCOLS.map(listener).concat()
    );
    Running::start(command(&["run", "--config", &folder.write("inner.yaml", text)]))
}

/// A Palisade before that one: a listener `UPSTREAM-INNER` for each way to speak to each of its listeners.
fn outer(folder: &Folder, inner: &mut Running) -> Running {
    let mut text = "admin: {address: 'off'}\ndataDir: data-outer\nlisteners:\n".to_owned();
    let (mut services, mut routes) = ("services:\n".to_owned(), "routes:\n".to_owned());
    for at in PROTOCOLS {
        let port = inner.listener(at).port();
        for way in ["http1", "http2", "auto"] {
            text += &format!("- {{name: {way}-{at}, address: 127.0.0.1:0}}\n");
            services += &format!(
                "- {{name: {way}-{at}, upstream: {{url: \"https://127.0.0.1:{port}\", protocol: {way}, tls: {{ca: ca.crt}}}}}}\n"
            );
            routes += &format!("- {{listener: {way}-{at}, service: {way}-{at}}}\n");
        }
    }
    Running::start(command(&["run", "--config", &folder.write("outer.yaml", text + &services + &routes)]))
}

fn certificates(folder: &Folder) {
    let pki = Pki(folder);
    pki.authority("ca");
    pki.server("ca", "inner", &["inner.example"]);
}

#[test]
fn alpn_chooses_towards_services_what_both_sides_speak() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    certificates(&folder);
    let mut inner = inner(&folder, &upstream.url);
    let mut outer = outer(&folder, &mut inner);
    let mut lines = 0;
    for (listener, spoken) in [
        ("http1-auto", Some("HTTP/1.1")),
        ("http2-auto", Some("HTTP/2.0")),
        ("auto-auto", Some("HTTP/2.0")),
        ("http1-http1", Some("HTTP/1.1")),
        ("http2-http1", None),
        ("auto-http1", Some("HTTP/1.1")),
    ] {
        let answer = get(outer.listener(listener), "/", "");
        let Some(spoken) = spoken else {
            assert_eq!(answer.status, 502, "{listener}");
            // rustls ends a handshake in which nothing can be chosen.
            outer.wait_err("Answered with code 502: the upstream 127.0.0.1:");
            continue;
        };
        assert_eq!(answer.status, 200, "{listener}: {}", outer.err());
        lines += 1;
        let line: Value = eventually("the access log", || {
            let out = inner.out();
            let line = out.lines().nth(lines - 1)?;
            serde_json::from_str(line).ok()
        });
        assert_eq!(line["protocol"], spoken, "{listener}: {line}");
    }
    assert_eq!((outer.end(), inner.end()), (0, 0));
}

/// A WebSocket on HTTP/1.1 that echoes.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
                assert!(head.starts_with("get /chat ") && head.contains("\r\nsec-websocket-key: "), "{head}");
                let switching =
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
                stream.write_all(switching.as_bytes()).unwrap();
                let (mut from, mut to) = (stream.try_clone().unwrap(), stream);
                let _ = std::io::copy(&mut from, &mut to);
            });
        }
    });
    url
}

const UPGRADE: &[u8] = b"GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The head of what comes, and the stream at what follows it.
fn upgraded(at: SocketAddr) -> (String, TcpStream) {
    let mut stream = begin(at, UPGRADE);
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    (String::from_utf8(head).unwrap(), stream)
}

#[test]
fn a_websocket_goes_through_whatever_is_spoken_between() {
    if !pki::tools() {
        return;
    }
    let folder = Folder::new();
    certificates(&folder);
    let mut inner = inner(&folder, &echo());
    let mut outer = outer(&folder, &mut inner);
    for listener in ["http1-auto", "http2-auto", "auto-auto", "auto-http1"] {
        let (head, mut stream) = upgraded(outer.listener(listener));
        assert!(head.starts_with("HTTP/1.1 101 "), "{listener}: {head}");
        for text in ["ping", "pong"] {
            stream.write_all(text.as_bytes()).unwrap();
            let mut back = [0; 4];
            stream.read_exact(&mut back).unwrap();
            assert_eq!(back, text.as_bytes(), "{listener}");
        }
    }
    assert_eq!((outer.end(), inner.end()), (0, 0));
}

#[test]
fn rules_know_what_tls_settled_also_where_no_certificate_was_asked_for() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    certificates(&folder);
    let rules = "SecRuleEngine On\nSecRule ENV:SSL_PROTOCOL \"@unconditionalMatch\" \"id:1,phase:1,pass,log,\
        msg:'%{ENV.HTTPS} %{ENV.SSL_PROTOCOL} %{ENV.SSL_CIPHER} %{ENV.SSL_TLS_SNI} -%{ENV.SSL_CLIENT_VERIFY}-'\"\n\
        SecRule &ENV:SSL_PROTOCOL \"@eq 0\" \"id:2,phase:1,deny,status:426\"\n";
    folder.write("tls.conf", rules);
    let text = format!(
        "admin: {{address: 'off'}}\ndataDir: data\n\
         profiles: {{default: {{mode: block, rules: {{files: [tls.conf]}}, detect: {{enabled: false}}}}}}\nlisteners:\n\
         - {{name: tls, address: 127.0.0.1:0, tls: {{certificates: [{{cert: inner.crt, key: inner.key}}]}}}}\n\
         - {{name: plain, address: 127.0.0.1:0}}\nservices: [{{name: a, upstream: {{url: \"{}\"}}}}]\n",
        upstream.url
    );
    let mut proxy = Running::start(command(&["run", "--config", &folder.write("p.yaml", text)]));
    let at = proxy.listener("tls");
    let url = format!("https://inner.example:{}/", at.port());
    for (version, cipher, msg) in [
        (
            "--tls-max=1.2",
            "--ciphers=ECDHE-ECDSA-AES128-GCM-SHA256",
            "on TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 inner.example --",
        ),
        (
            "--tlsv1.3",
            "--tls13-ciphers=TLS_AES_128_GCM_SHA256",
            "on TLSv1.3 TLS_AES_128_GCM_SHA256 inner.example --",
        ),
    ] {
        let split = |argument: &'static str| argument.split('=');
        let more: Vec<&str> = split(version).chain(split(cipher)).collect();
        assert_eq!(pki.ask(at, "ca.crt", &url, &more).0, 200, "{version}");
        proxy.wait_err(&format!("[msg \"{msg}\"]"));
    }
    let plain = proxy.listener("plain");
    assert_eq!(send(plain, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").status, 426);
    assert_eq!(proxy.end(), 0);
}
