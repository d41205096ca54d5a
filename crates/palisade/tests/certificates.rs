//! Client certificates from outside: who is let in, what the page says, what the application is told.

mod pki;
mod support;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use pki::Pki;
use support::{Folder, Running, Upstream, command, eventually, send};

const NONE_SENT: &str = "No required SSL certificate was sent";
const WILL_NOT_DO: &str = "The SSL certificate error";
const MODES: [&str; 4] = ["off", "on", "optional", "optional_no_ca"];

/// Rules of a site: one address and one user are not welcome.
const SITE_RULES: &str = "SecRuleEngine On\n\
    SecRule REMOTE_ADDR \"@ipMatch 34.242.209.15\" \"id:20001,phase:1,deny,status:403,log,msg:'not from there'\"\n\
    SecRule REQUEST_HEADERS:user \"@streq admin\" \"id:20002,phase:1,deny,status:403,log,msg:'admin is not for here'\"\n";

#[test]
fn the_articles_walk() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    pki.authority("ca");
    pki.server("ca", "shop", &["shop.example"]);
    // Nobody tells openssl of extensions: it is of version 1.
    pki.issue("ca", "hospital", "/O=Clinic, East/CN=hospital-1", "", 30);
    folder.write("site.conf", SITE_RULES);
    let file = folder.write(
        "c.yaml",
        format!(
            "admin: {{address: 127.0.0.1:0}}\ndataDir: data\nlogs: {{error: error.log}}\nlisteners:\n\
             - {{name: web, address: 127.0.0.1:0, clientAddress: {{from: x-forwarded-for, trusted: [127.0.0.0/8]}}, \
             tls: {{certificates: [{{cert: shop.crt, key: shop.key}}], clientCertificates: {{mode: \"on\", ca: ca.crt}}}}}}\n\
             services:\n- {{name: shop, upstream: {{url: \"{}\"}}}}\n\
             profiles: {{default: {{mode: block, rules: {{files: [site.conf]}}, detect: {{enabled: false}}}}}}\n",
            upstream.url
        ),
    );
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let web = proxy.listener("web");
    let url = format!("https://shop.example:{}/", web.port());
    let own = &["--cert", "hospital.crt", "--key", "hospital.key"][..];
    let ask = |more: &[&str]| pki.ask(web, "ca.crt", &url, more);

    let (status, page) = ask(&[]);
    assert_eq!(status, 400);
    assert!(
        page.contains(&format!("<title>400 {NONE_SENT}</title>")) && page.contains("<h1>Bad Request</h1>"),
        "{page}"
    );
    let (status, page) = ask(&["-H", "Accept: application/json"]);
    assert!(status == 400 && page.contains(&format!("\"error\":\"{NONE_SENT}\"")), "{page}");
    assert!(upstream.heads().is_empty());

    for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"], &["--http1.1"], &["--http2"]] {
        let spoofed =
            ["-H", "ssl-client-fingerprint: 00", "-H", "SSL_Client_Verify: NONE", "-H", "user: user"];
        assert_eq!(ask(&[own, version, &spoofed].concat()).0, 200);
        let head = upstream.heads().pop().unwrap();
        let told = told(&head);
        assert_eq!(told["ssl-client-verify"], ["SUCCESS"], "{head}");
        assert_eq!(told["ssl-client-fingerprint"], [pki.sha1("hospital")], "{head}");
        assert_eq!(told["ssl-client-subject-dn"], ["CN=hospital-1,O=Clinic\\, East"], "{head}");
        assert_eq!(told["ssl-client-issuer-dn"], ["CN=ca"], "{head}");
        assert_eq!(told["ssl-client-serial"].len(), 1);
        assert_eq!(told.len(), 5, "{head}");
    }
    assert_eq!(ask(&[own, &["-H", "X-Forwarded-For: 34.242.209.15"]].concat()).0, 403);
    assert_eq!(ask(&[own, &["-H", "user: admin"]].concat()).0, 403);
    let log = eventually("the log", || {
        std::fs::read_to_string(folder.at("error.log")).ok().filter(|log| log.contains("20002"))
    });
    assert!(log.contains("Refused with code 400: the client sent no certificate"), "{log}");
    assert!(log.contains("[client 34.242.209.15]") && log.contains("id \"20001\""), "{log}");
    assert_eq!(proxy.end(), 0);
}

/// A row of `testdata/identity/verdicts.toml`.
struct Row {
    certificate: String,
    verify: String,
    on: bool,
    no_ca: bool,
    handshake: bool,
}

fn rows() -> Vec<Row> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/identity/verdicts.toml");
    let table: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
    let cases = table["case"].as_array().unwrap();
    let row = |case: &toml::Value| Row {
        certificate: case["certificate"].as_str().unwrap().to_owned(),
        verify: case["verify"].as_str().unwrap().to_owned(),
        on: case["on"].as_bool().unwrap(),
        no_ca: case["optional_no_ca"].as_bool().unwrap(),
        handshake: case.get("handshake").is_none_or(|handshake| handshake.as_bool().unwrap()),
    };
    cases.iter().map(row).collect()
}

#[test]
fn every_mode_answers_every_certificate_as_the_verdict_table_says() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/identity/make-certificates");
    assert!(Command::new(script).arg(folder.path()).status().unwrap().success());
    let mut text = "admin: {address: 127.0.0.1:0}\ndataDir: data\nlisteners:\n".to_owned();
    for mode in MODES {
        text.push_str(&format!(
            "- {{name: {mode}, address: 127.0.0.1:0, tls: {{certificates: [{{cert: root.crt, key: root.key}}], \
             clientCertificates: {{mode: \"{mode}\", ca: bundle.crt}}}}}}\n"
        ));
    }
    text.push_str(&format!(
        "services:\n- {{name: web, upstream: {{url: \"{}\"}}, forward: {{clientCertificate: true, xfcc: true}}}}\n",
        upstream.url
    ));
    let file = folder.write("c.yaml", text);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let addresses = MODES.map(|mode| proxy.listener(mode));
    let rows = rows();
    let next = Mutex::new(rows.iter().flat_map(|row| (0..MODES.len()).map(move |mode| (row, mode))));
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some((row, mode)) = next.lock().unwrap().next() else { return };
                    let path = format!("/{}/{}", MODES[mode], row.certificate);
                    let answer = ask_as(&folder, addresses[mode], &row.certificate, &path);
                    let expected = expected(row, MODES[mode]);
                    if answer_of(&answer) != expected {
                        let line = format!("{path}: {:?} instead of {expected:?}", answer_of(&answer));
                        wrong.lock().unwrap().push(line);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let heads = upstream.heads();
    let mut seen = 0;
    for row in &rows {
        for mode in MODES {
            let line = format!("GET /{mode}/{} HTTP/1.1\r\n", row.certificate);
            let Some(head) = heads.iter().find(|head| head.starts_with(&line)) else {
                assert_ne!(expected(row, mode).0, "200");
                continue;
            };
            seen += 1;
            let told = told(head);
            if mode == "off" {
                assert!(told.is_empty(), "{head}");
                continue;
            }
            assert_eq!(told["ssl-client-verify"], [row.verify.as_str()], "{head}");
            let file = folder.at(&format!("{}.crt", row.certificate));
            let pem = std::fs::read_to_string(file).unwrap();
            assert_eq!(unescaped(&told["ssl-client-cert"][0]), pem);
            assert_eq!(told.contains_key("x-forwarded-client-cert"), row.verify == "SUCCESS");
        }
    }
    println!("{} certificates in {} modes, {seen} requests passed on", rows.len(), MODES.len());
    assert!(seen > 100);
    assert_eq!(proxy.end(), 0);
}

fn expected(row: &Row, mode: &str) -> (&'static str, String) {
    let passes = match mode {
        "off" => true,
        _ if !row.handshake => return ("", String::new()),
        "optional_no_ca" => row.no_ca,
        _ => row.on,
    };
    if passes { ("200", String::new()) } else { ("400", format!("400 {WILL_NOT_DO}")) }
}

/// Status and title of an answer; both empty where there is none.
fn answer_of(answer: &str) -> (&str, String) {
    let status = answer.strip_prefix("HTTP/1.1 ").map(|rest| &rest[..3]).unwrap_or_default();
    let title = answer.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
    (status, title.unwrap_or_default().to_owned())
}

/// What openssl gets as the holder of a certificate that `make-certificates` made.
fn ask_as(folder: &Folder, at: SocketAddr, certificate: &str, path: &str) -> String {
    let (crt, key, chain) =
        (format!("{certificate}.crt"), format!("{certificate}.key"), format!("{certificate}.chain"));
    let mut client = Command::new("openssl");
    client.current_dir(folder.path()).args([
        "s_client",
        "-quiet",
        "-ign_eof",
        "-cipher",
        "DEFAULT@SECLEVEL=0",
    ]);
    client.args(["-connect", &at.to_string(), "-cert", &crt, "-key", &key]);
    if std::fs::metadata(folder.at(&chain)).unwrap().len() > 0 {
        client.args(["-cert_chain", &chain]);
    }
    let mut client =
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let _ = client.stdin.take().unwrap().write_all(request.as_bytes());
    String::from_utf8_lossy(&client.wait_with_output().unwrap().stdout).into_owned()
}

/// What an application was told of a certificate, by header in lower case with `-`.
fn told(head: &str) -> BTreeMap<String, Vec<String>> {
    let mut out = BTreeMap::<String, Vec<String>>::new();
    for line in head.lines().skip(1) {
        let Some((name, value)) = line.split_once(": ") else { continue };
        let name = name.to_ascii_lowercase().replace('_', "-");
        if name.starts_with("ssl-client-") || name == "x-forwarded-client-cert" {
            out.entry(name).or_default().push(value.trim().to_owned());
        }
    }
    out
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        out.push(char::from(u8::from_str_radix(&part[..2], 16).unwrap()));
        out.push_str(&part[2..]);
    }
    out
}

#[test]
fn an_application_is_told_in_envoys_form_who_called_whom() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    pki.authority("ca");
    let (us, them) = ("spiffe://cluster.local/ns/shop/sa/web", "spiffe://cluster.local/ns/shop/sa/cart");
    let uri = |uri: &str, more: &str| format!("subjectAltName=URI:{uri}{more}\n");
    pki.issue("ca", "us", "/CN=us", &uri(us, ",DNS:shop.example"), 30);
    pki.issue("ca", "them", "/CN=them", &uri(them, ",DNS:cart.example"), 30);
    let file = folder.write(
        "c.yaml",
        format!(
            "admin: {{address: 127.0.0.1:0}}\ndataDir: data\nlisteners:\n- {{name: web, address: 127.0.0.1:0, \
             tls: {{certificates: [{{cert: us.crt, key: us.key}}], clientCertificates: {{ca: ca.crt}}}}}}\n\
             services:\n- {{name: shop, upstream: {{url: \"{}\"}}, forward: {{xfcc: true}}}}\n",
            upstream.url
        ),
    );
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let web = proxy.listener("web");
    let url = format!("https://shop.example:{}/", web.port());
    assert_eq!(pki.ask(web, "ca.crt", &url, &["--cert", "them.crt", "--key", "them.key"]).0, 200);
    let told = told(&upstream.heads()[0]);
    assert_eq!(told["ssl-client-spiffe-id"], [them]);
    let print = pki.openssl(&["x509", "-in", "them.crt", "-noout", "-fingerprint", "-sha256"]);
    let hash = print.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
    assert_eq!(
        told["x-forwarded-client-cert"],
        [format!("By={us};Hash={hash};Subject=\"CN=them\";URI={them};DNS=cart.example")]
    );
    assert_eq!(proxy.end(), 0);
}

#[test]
fn hosts_ask_for_themselves_and_a_connection_is_for_the_host_that_it_named() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    pki.authority("ca");
    pki.authority("other");
    pki.server(
        "ca",
        "both",
        &["open.example", "clinic.example", "named.example", "closed.example", "page.example"],
    );
    pki.issue("ca", "one", "/CN=hospital-1", "", 30);
    pki.issue("ca", "ten", "/OU=CN=hospital-1/CN=hospital-10", "", 30);
    pki.issue("other", "stranger", "/CN=hospital-1", "", 30);
    let service = |name: &str, certificates: &str, forward: &str| {
        format!(
            "- {{name: {name}, upstream: {{url: \"{}\"}}, tls: {{clientCertificates: {certificates}}}, forward: {forward}}}\n",
            upstream.url
        )
    };
    let print = "{fingerprint: {header: X-Print, hash: sha256}}";
    let services = [
        service("open", "{mode: \"off\"}", print),
        service("clinic", "{mode: \"on\", ca: ca.crt, matchSubject: CN=hospital-1}", "{}"),
        service(
            "named",
            "{mode: optional, ca: ca.crt, matchSubject: CN=hospital-1, subjectMatching: compat}",
            print,
        ),
        service("closed", "{mode: \"off\", matchSubject: CN=hospital-1}", "{}"),
        service(
            "page",
            "{mode: \"on\", ca: ca.crt, errorPage: \"https://help.example/certificates?x\"}",
            "{}",
        ),
    ];
    let routes: String = ["open", "clinic", "named", "closed", "page"]
        .map(|name| format!("- {{hosts: [{name}.example], service: {name}}}\n"))
        .concat();
    let file = folder.write(
        "c.yaml",
        format!(
            "admin: {{address: 127.0.0.1:0}}\ndataDir: data\nlisteners:\n\
             - {{name: web, address: 127.0.0.1:0, tls: {{certificates: [{{cert: both.crt, key: both.key}}]}}}}\n\
             - {{name: plain, address: 127.0.0.1:0}}\nservices:\n{}routes:\n{routes}",
            services.concat()
        ),
    );
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let (web, plain) = (proxy.listener("web"), proxy.listener("plain"));
    assert!(proxy.err().contains("subjectMatching: strict"), "{}", proxy.err());
    let ask = |host: &str, more: &[&str]| {
        pki.ask(web, "ca.crt", &format!("https://{host}.example:{}/", web.port()), more)
    };
    let one = &["--cert", "one.crt", "--key", "one.key"][..];
    let ten = &["--cert", "ten.crt", "--key", "ten.key"][..];
    let stranger = &["--cert", "stranger.crt", "--key", "stranger.key"][..];

    // Nobody is asked, and nobody is believed who says so by himself.
    let spoof = [
        "-H",
        "ssl-client-verify: SUCCESS",
        "-H",
        "SSL_CLIENT_SUBJECT_DN: CN=x",
        "-H",
        "x-print: 00",
        "-H",
        "ssl-client-cert: x",
        "-H",
        "X-Forwarded-Client-Cert: By=x",
        "-H",
        "X_Forwarded_Client-Cert: y",
    ];
    assert_eq!(ask("open", &spoof).0, 200);
    let head = upstream.heads().pop().unwrap().to_ascii_lowercase();
    assert!(told(&head).is_empty() && !head.contains("x-print"), "{head}");
    let over_plain =
        b"GET / HTTP/1.1\r\nHost: clinic.example\r\nssl-client-verify: SUCCESS\r\nssl_client_serial: 1\r\n\r\n";
    assert_eq!(send(plain, over_plain).status, 200);
    assert!(told(&upstream.heads().pop().unwrap()).is_empty());

    assert_eq!(ask("clinic", one).0, 200);
    let (status, page) = ask("clinic", ten);
    assert!(status == 403 && page.contains("client certificate unauthorized"), "{page}");
    assert_eq!(ask("clinic", stranger).0, 400);
    assert_eq!(ask("clinic", &[]).0, 400);
    // The compatible match is not anchored, and the empty subject is none.
    assert_eq!(ask("named", one).0, 200);
    assert_eq!(ask("named", ten).0, 200);
    let head = upstream.heads().pop().unwrap();
    let print = head.lines().find_map(|line| line.strip_prefix("X-Print: ")).unwrap();
    assert!(print.len() == 64 && print.bytes().all(|byte| byte.is_ascii_hexdigit()), "{head}");
    assert_eq!(ask("named", &[]).0, 403);
    assert_eq!(ask("named", stranger).0, 400);

    // Nobody has the subject where nobody is asked.
    assert_eq!(ask("closed", one).0, 403);

    let (status, _) = ask("page", &[]);
    assert_eq!(status, 302);
    let sent = ask("page", &[stranger, &["-D", "-"]].concat()).1;
    assert!(sent.to_lowercase().contains("location: https://help.example/certificates?x\r\n"), "{sent}");
    assert_eq!(ask("page", one).0, 200);

    // A handshake for one host, a request for another.
    let host = |name: &str| format!("Host: {name}.example");
    assert_eq!(ask("open", &[one, &["-H", &host("clinic")]].concat()).0, 421);
    assert_eq!(ask("named", &[one, &["-H", &host("clinic")]].concat()).0, 421);
    assert_eq!(ask("clinic", &[one, &["-H", &host("open")]].concat()).0, 200);
    assert!(told(&upstream.heads().pop().unwrap()).is_empty());
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_page_of_the_same_host_answers_who_has_no_certificate_whatever_was_asked_for() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    pki.authority("ca");
    pki.authority("other");
    pki.server("ca", "shop", &["shop.example"]);
    pki.issue("ca", "one", "/CN=one", "", 30);
    pki.issue("other", "stranger", "/CN=stranger", "", 30);
    folder.write(
        "page.conf",
        "SecRuleEngine On\nSecRule ARGS:x \"@streq evil\" \"id:1,phase:2,deny,status:403\"\n",
    );
    let listener = |name: &str, page: &str| {
        format!(
            "- {{name: {name}, address: 127.0.0.1:0, tls: {{certificates: [{{cert: shop.crt, key: shop.key}}], \
             clientCertificates: {{ca: ca.crt, errorPage: {page}}}}}}}\n"
        )
    };
    let file = folder.write(
        "c.yaml",
        format!(
            "admin: {{address: 127.0.0.1:0}}\ndataDir: data\nlisteners:\n{}{}\
             services:\n- {{name: shop, upstream: {{url: \"{}\"}}}}\n\
             routes:\n- {{listener: web, service: shop}}\n- {{listener: elsewhere, path: /shop/, service: shop}}\n\
             profiles: {{default: {{mode: block, rules: {{files: [page.conf]}}}}}}\n",
            listener("web", "/no-certificate?from=tls"),
            listener("elsewhere", "/nowhere"),
            upstream.url
        ),
    );
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let (web, elsewhere) = (proxy.listener("web"), proxy.listener("elsewhere"));
    let url = |at: SocketAddr, path: &str| format!("https://shop.example:{}{path}", at.port());
    let ask = |path: &str, more: &[&str]| pki.ask(web, "ca.crt", &url(web, path), more);
    let stranger = &["--cert", "stranger.crt", "--key", "stranger.key"][..];

    for version in ["--http1.1", "--http2"] {
        for (who, verify) in [(&[][..], "NONE"), (stranger, "FAILED:unable to verify the first certificate")]
        {
            let post = ["-d", "x=evil&card=4111111111111111", "-H", "ssl-client-verify: SUCCESS", version];
            let (status, page) = ask("/pay?x=evil", &[who, &post].concat());
            let seen = "upstream saw GET /no-certificate?from=tls HTTP/1.1 and 0 bytes\n";
            assert_eq!((status, page.as_str()), (200, seen), "{version}");
            let head = upstream.heads().pop().unwrap();
            assert_eq!(told(&head)["ssl-client-verify"], [verify], "{head}");
            let lower = head.to_ascii_lowercase();
            assert!(!lower.contains("content-length") && !lower.contains("content-type"), "{head}");
        }
    }
    proxy.wait_err("Answered by the page /no-certificate?from=tls: the client sent no certificate");
    let own = &["--cert", "one.crt", "--key", "one.key"][..];
    assert_eq!(ask("/pay", own).1, "upstream saw GET /pay HTTP/1.1 and 0 bytes\n");
    assert_eq!(ask("/pay?x=evil", own).0, 403, "who is let in is inspected as ever");
    // Another certificate takes another connection.
    let head = pki.ask(web, "ca.crt", &url(web, "/"), &["--http1.1", "-D", "-", "-o", "/dev/null"]).1;
    assert!(head.to_ascii_lowercase().contains("\nconnection: close"), "{head}");
    // A page that no route leads to is not there, and nothing else is either.
    assert_eq!(pki.ask(elsewhere, "ca.crt", &url(elsewhere, "/shop/"), &[]).0, 404);
    assert_eq!(pki.ask(elsewhere, "ca.crt", &url(elsewhere, "/shop/"), own).0, 200);
    let admin = proxy.admin();
    let metrics = send(admin, format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes()).body;
    assert!(metrics.contains("palisade_certificates_refused_total 6\n"), "{metrics}");
    assert_eq!(proxy.end(), 0);
}
