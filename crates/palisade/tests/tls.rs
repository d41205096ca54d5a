//! TLS from outside: certificates that openssl made, asked for by curl.

mod pki;
mod support;

use std::net::SocketAddr;
use std::process::Command;

use pki::Pki;
use support::{Folder, Running, Upstream, command, eventually, palisade, send};

fn metrics(admin: SocketAddr) -> String {
    send(admin, format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes()).body
}

fn config(upstream: &Upstream, tls: &str, more: &str) -> String {
    format!(
        "admin: {{address: 127.0.0.1:0}}\ndataDir: data\nlogs: {{access: stdout}}\n\
         listeners:\n- {{name: web, address: 127.0.0.1:0, tls: {tls}}}\n\
         services:\n- {{name: shop, upstream: {{url: \"{}\"}}}}\n{more}",
        upstream.url
    )
}

#[test]
fn the_name_that_is_asked_for_chooses_the_certificate_and_plain_http_is_told_so() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    pki.authority("ca");
    pki.server("ca", "first", &["first.example"]);
    pki.server("ca", "shop", &["shop.example"]);
    pki.server("ca", "any", &["*.shop.example"]);
    // As Istio lays its files out.
    for (from, to) in [("any.crt", "istio/cert-chain.pem"), ("any.key", "istio/key.pem")] {
        folder.write(to, std::fs::read(folder.at(from)).unwrap());
    }
    let tls = "{certificates: [{cert: first.crt, key: first.key}, {cert: shop.crt, key: shop.key}, istio]}";
    let file = folder.write("c.yaml", config(&upstream, tls, ""));
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let (web, admin) = (proxy.listener("web"), proxy.listener("admin"));
    for (name, subject) in [
        (Some("shop.example"), "CN=shop"),
        (Some("SHOP.example"), "CN=shop"),
        (Some("a.shop.example"), "CN=any"),
        (Some("a.b.shop.example"), "CN=first"),
        (Some("other.example"), "CN=first"),
        (None, "CN=first"),
    ] {
        assert_eq!(pki.shown(web, name), subject, "{name:?}");
    }
    let url = format!("https://shop.example:{}/a", web.port());
    for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let (status, body) = pki.ask(web, "ca.crt", &url, version);
        assert_eq!((status, body.contains("upstream saw GET /a")), (200, true), "{version:?}");
    }
    let head = &upstream.heads()[0];
    assert!(head.contains("X-Forwarded-Proto: https\r\n"), "{head}");
    let access = proxy.out();
    let line: serde_json::Value = serde_json::from_str(access.lines().next().unwrap()).unwrap();
    assert_eq!(line["tls"]["version"], "TLSv1.2", "{line}");
    assert_eq!(line["tls"]["sni"], "shop.example", "{line}");

    let plain = send(web, b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    assert_eq!((plain.status, plain.header("connection")), (400, Some("close")));
    assert!(plain.body.contains("<center>The plain HTTP request was sent to HTTPS port</center>\r\n"));
    proxy.wait_err("Refused with code 400: the plain HTTP request was sent to HTTPS port");
    // Neither words nor versions that nobody speaks any more end anything.
    let old = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &web.to_string(),
            "-no_tls1_3",
            "-no_tls1_2",
            "-cipher",
            "ALL:@SECLEVEL=0",
        ])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(!old.status.success());
    drop(std::net::TcpStream::connect(web).unwrap());
    let metrics = eventually("the metrics", || {
        Some(metrics(admin)).filter(|text| text.contains("handshakes_total{outcome=\"gone\"} 1"))
    });
    for line in [
        "palisade_tls_handshakes_total{outcome=\"completed\"} 8",
        "palisade_tls_handshakes_total{outcome=\"plain_http\"} 1",
        "palisade_tls_handshakes_total{outcome=\"failed\"} 1",
    ] {
        assert!(metrics.lines().any(|there| there == line), "{line}\n{metrics}");
    }
    assert!(
        metrics.contains("palisade_tls_certificate_expiry_timestamp_seconds{listener=\"web\",certificate=")
    );
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_new_certificate_is_shown_and_a_broken_one_leaves_the_old_in_force() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    pki.authority("ca");
    pki.server("ca", "one", &["shop.example"]);
    pki.server("ca", "two", &["shop.example"]);
    let put = |from: &str| {
        for end in ["crt", "key"] {
            let content = std::fs::read(folder.at(&format!("{from}.{end}"))).unwrap();
            folder.write(&format!("tls.{end}.new"), content);
            std::fs::rename(folder.at(&format!("tls.{end}.new")), folder.at(&format!("tls.{end}"))).unwrap();
        }
    };
    put("one");
    let file =
        folder.write("c.yaml", config(&upstream, "{certificates: [{cert: tls.crt, key: tls.key}]}", ""));
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let (web, admin) = (proxy.listener("web"), proxy.listener("admin"));
    let shown = || pki.shown(web, Some("shop.example"));
    assert_eq!(shown(), "CN=one");
    put("two");
    eventually("the new certificate", || (shown() == "CN=two").then_some(()));

    folder.write("tls.crt", "no certificate");
    proxy.wait_err("listener web stays as it was: certificate ");
    proxy.wait_err("it has no certificate; write PEM that begins with `-----BEGIN CERTIFICATE-----`");
    assert_eq!(shown(), "CN=two");
    let status: serde_json::Value = eventually("the status", || {
        let request = format!("GET /api/v1/status HTTP/1.1\r\nHost: {admin}\r\n\r\n");
        let status: serde_json::Value = serde_json::from_str(&send(admin, request.as_bytes()).body).unwrap();
        Some(status).filter(|status| status["stale"] != serde_json::json!([]))
    });
    assert_eq!(status["stale"][0]["kind"], "listener");
    assert_eq!(status["stale"][0]["name"], "web");
    assert_eq!(status["listeners"][0]["url"], format!("https://{web}"));
    assert!(metrics(admin).contains("palisade_stale_objects{kind=\"listener\"} 1\n"));
    put("one");
    eventually("the next certificate", || (shown() == "CN=one").then_some(()));
    eventually("nothing is stale", || {
        metrics(admin).contains("palisade_stale_objects{kind=\"listener\"} 0\n").then_some(())
    });
    assert_eq!(proxy.end(), 0);
}

#[test]
fn what_cannot_be_a_certificate_with_its_key_says_which_file_why_and_what_to_do() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    pki.authority("ca");
    pki.server("ca", "one", &["one.example"]);
    pki.server("ca", "two", &["two.example"]);
    pki.openssl(&["pkey", "-in", "one.key", "-aes128", "-passout", "pass:x", "-out", "locked.key"]);
    pki.openssl(&["genrsa", "-out", "rsa.key", "2048"]);
    pki.openssl(&["pkey", "-in", "one.key", "-traditional", "-out", "sec1.key"]);
    folder.write("cut.crt", &std::fs::read(folder.at("one.crt")).unwrap()[..300]);
    folder.write("empty", "");
    for (cert, key, said) in [
        ("one.crt", "two.key", "the key does not belong to the certificate"),
        ("one.crt", "locked.key", "the key is encrypted; write it without a pass phrase: `openssl pkey"),
        ("one.key", "one.crt", "it has a private key and no certificate; are `cert` and `key` swapped?"),
        ("one.crt", "rsa.key", "the key does not belong to the certificate (`CN=one`)"),
        ("one.crt", "empty", "the key file has no private key"),
        ("empty", "one.key", "it has no certificate; write PEM that begins with"),
        ("cut.crt", "one.key", "it is not PEM: "),
        ("none.crt", "one.key", "none.crt does not exist"),
    ] {
        let tls = format!("{{certificates: [{{cert: {cert}, key: {key}}}]}}");
        let file = folder.write("c.yaml", config(&upstream, &tls, ""));
        for words in [&["run", "--config"][..], &["check", "--config"]] {
            let answer = palisade(&[words, &[&file]].concat());
            assert_ne!(answer.code, 0, "{cert} {key}");
            assert!(answer.err.contains(said) && answer.err.contains(cert), "{cert} {key}: {}", answer.err);
            assert!(answer.err.contains("listener web"), "{}", answer.err);
        }
    }
    // SEC1 is a key as well, and an expired certificate is said, not refused.
    pki.issue("ca", "old", "/CN=old", "subjectAltName=DNS:old.example\n", -1);
    let tls = "{certificates: [{cert: one.crt, key: sec1.key}, {cert: old.crt, key: old.key}]}";
    let file = folder.write("c.yaml", config(&upstream, tls, ""));
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let web = proxy.listener("web");
    assert!(proxy.err().contains("old.crt: the certificate `CN=old` expired"), "{}", proxy.err());
    assert_eq!(pki.shown(web, Some("one.example")), "CN=one");
    assert_eq!(proxy.end(), 0);
}
