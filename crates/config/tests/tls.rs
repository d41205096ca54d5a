//! What is said about TLS and addresses holds together, or says where, what and what to write.

use palisade_config::{AuthoritySource, Config, Diagnostic, ErrorPage, File, Origin, Overrides, read};

fn read_text(text: &str) -> (Option<Config>, Vec<String>) {
    let read = read(Some(File { text: text.as_bytes(), folder: "conf" }), &Overrides::default());
    let line = |found: &Diagnostic| {
        let place = match found.origin {
            Origin::File { line, column, .. } => format!("{line}:{column}"),
            _ => "-".to_owned(),
        };
        let help = found.help.as_deref().unwrap_or_default();
        format!("{place} {}: {}; {help}", found.key, found.message)
    };
    (read.config, read.diagnostics.iter().map(line).collect())
}

const SERVICES: &str = "services:\n- {name: web, upstream: {url: \"http://a\"}}\n";
const PAIR: &str = "certificates: [{cert: tls.crt, key: tls.key}]";

#[test]
fn everything_that_can_be_said_is_read() {
    let (config, found) = read_text(
        "workloadApi: {socket: \"unix:///run/agent.sock\"}\n\
         listeners:\n\
         - name: web\n\
         \x20 address: 0.0.0.0:8443\n\
         \x20 http2: {streams: 250, streamWindow: 1MiB}\n\
         \x20 clientAddress: {from: x-forwarded-for, trusted: [10.0.0.0/8], hops: 1}\n\
         \x20 tls:\n\
         \x20   certificates: [{cert: tls.crt, key: tls.key}, /etc/certs, workload-api]\n\
         \x20   minVersion: TLSv1.3\n\
         \x20   handshake: 5s\n\
         \x20   clientCertificates: {mode: \"on\", ca: ca.crt, crl: ca.crl, depth: 2, matchSubject: CN=a-*, errorPage: /no-certificate}\n\
         - {name: out, address: 127.0.0.1:15001, direction: outbound}\n\
         services:\n\
         - {name: web, upstream: {url: \"http://a\"}, tls: {clientCertificates: {mode: optional_no_ca}},\n\
         \x20  forward: {fingerprint: {header: x-fp, hash: sha256}, clientCertificate: true, xfcc: true}}\n\
         - {name: db, upstream: {url: \"https://db\", tls: {ca: root.pem, clientCert: /etc/certs, serverName: db.example,\n\
         \x20  spiffeIds: [\"spiffe://cluster.local/ns/a/sa/db\"]}}}\n\
         routes: [{listener: web, service: web}, {listener: out, hosts: [db], service: db}]\n",
    );
    assert_eq!(found, [""; 0]);
    let config = config.unwrap();
    let tls = config.listeners[0].tls.as_ref().unwrap();
    let clients = tls.client_certificates.as_ref().unwrap();
    let Some(AuthoritySource::File(ca)) = clients.ca.as_deref() else { panic!("{clients:?}") };
    assert_eq!(ca.as_str(), "conf/ca.crt", "files start at the file's folder");
    assert_eq!(clients.error_page, Some(ErrorPage::Path("/no-certificate".to_owned())));
    assert_eq!(config.listeners[0].http2.streams.get(), 250);
    assert_eq!(config.listeners[0].http2.stream_window.bytes(), 1024 * 1024);
    assert_eq!(config.listeners[1].http2.control_frames.get(), 500);
    assert!(config.uses_workload_api());
    assert_eq!(config.workload_api.socket.as_ref().unwrap().to_string(), "unix:///run/agent.sock");
    assert_eq!((clients.mode.as_str(), clients.depth.get()), ("on", 2));
    assert_eq!(config.services[1].upstream.as_ref().unwrap().url[0].port(), 443);
    assert_eq!(config.services[0].forward.fingerprint.header.as_str(), "x-fp");
    // What is absent.
    let (config, _) = read_text(&format!(
        "listeners: [{{name: a, address: 127.0.0.1:1, tls: {{{PAIR}, clientCertificates: {{ca: c}}}}}}]\n{SERVICES}"
    ));
    let config = config.unwrap();
    let clients = config.listeners[0].tls.as_ref().unwrap().client_certificates.as_ref().unwrap();
    assert_eq!(
        (clients.mode.as_str(), clients.depth.get(), clients.subject_matching.as_str()),
        ("on", 1, "strict")
    );
    let forward = &config.services[0].forward;
    assert_eq!(
        (forward.fingerprint.header.as_str(), forward.fingerprint.hash.as_str()),
        ("ssl-client-fingerprint", "sha1")
    );
    assert!(!forward.client_certificate && !forward.xfcc);
}

#[test]
fn each_mistake_has_its_place_and_a_remedy() {
    let listener = |rest: &str| format!("listeners: [{{name: a, address: 127.0.0.1:1, {rest}}}]\n{SERVICES}");
    let service = |rest: &str| format!("services:\n- {{name: web, {rest}}}\n");
    let cases: Vec<(String, &[&str])> = vec![
        (listener("tls: {}"), &["listeners[0].tls.certificates: TLS without a certificate", "{cert: tls.crt, key: tls.key}"]),
        (listener("tls: {certificates: [{cert: a}]}"), &["listeners[0].tls.certificates[0].key: `key` is missing"]),
        (listener("tls: {minVersion: TLSv1.1}"), &["`TLSv1.1` is not a version of TLS; did you mean TLSv1.2?"]),
        (
            listener(&format!("tls: {{{PAIR}, clientCertificates: {{mode: required}}}}")),
            &["`required` is not a mode for certificates of clients; write off, on, optional or optional_no_ca"],
        ),
        (
            listener(&format!("tls: {{{PAIR}, clientCertificates: {{mode: optional}}}}")),
            &["listeners[0].tls.clientCertificates.ca: the mode optional needs to know whom to believe; add `ca:`"],
        ),
        (
            listener(&format!("tls: {{{PAIR}, clientCertificates: {{ca: c, matchSubject: hospital}}}}")),
            &["matchSubject: `hospital` is not a pattern for subjects; write CN=hospital"],
        ),
        (listener("clientAddress: {from: x-forwarded-for}"), &["listeners[0].clientAddress: nobody's word counts", "or `hops: 1`"]),
        (listener("clientAddress: {from: proxy-protocol}"), &["nobody's word counts; add `trusted: [10.0.0.0/8]`"]),
        (
            listener("clientAddress: {from: proxy-protocol, trusted: [10.0.0.0/8], hops: 1}"),
            &["clientAddress.hops: the PROXY protocol names one client", "remove `hops`"],
        ),
        (listener("clientAddress: {from: \"a b\", hops: 1}"), &["`a b` is no header's name; write proxy-protocol, x-forwarded-for"]),
        (
            listener("clientAddress: {from: forwarded, trusted: [10.0.0.1/8]}"),
            &["clientAddress.trusted[0]: `10.0.0.1/8` is not a network; write 10.0.0.0/8, its first address"],
        ),
        (listener("clientAddress: {from: forwarded, trusted: [0.0.0.0/0]}"), &["0.0.0.0/0: everybody may say to be anybody"]),
        (
            listener("direction: outbound"),
            &["listeners[0]: no route says where calls through `a` go; add `- {listener: a, hosts:"],
        ),
        (
            "listeners: [{name: o, address: 0.0.0.0:1, direction: outbound, tls: {certificates: [x]}}]\nservices: [{name: w, upstream: {url: \"http://a\"}}]\nroutes: [{listener: o, service: w}]\n".to_owned(),
            &["0.0.0.0:1 is no loopback address: whoever reaches it calls in the workload's name; write 127.0.0.1:1", "`tls` has no meaning"],
        ),
        (
            "listeners: [{name: o, address: 127.0.0.1:1, direction: outbound}]\nservices: [{name: w, upstream: {url: \"http://a\"}}]\nroutes: [{listener: o, hosts: [a], service: w}, {service: w}]\n".to_owned(),
            &["routes[1]: it takes calls through `o` as well; name the listener of clients in it"],
        ),
        (
            service("upstream: {url: \"http://a\"}, tls: {clientCertificates: {ca: c}}"),
            &["services[0].tls.clientCertificates: certificates are asked for by TLS, and no listener with TLS leads here"],
        ),
        (
            service("upstream: {url: \"http://a:1\", tls: {}}"),
            &["services[0].upstream.tls: TLS towards a service whose URL is http; write https://a:1, or remove `tls`"],
        ),
        (
            service("upstream: {url: [\"https://a\", \"http://a\"]}"),
            &["services[0].upstream.url: some of its URLs are over TLS and some are not"],
        ),
        (
            service("upstream: {url: [\"https://a\", \"https://b\"]}"),
            &["b is another host: which name is its certificate to have?; write `tls: {serverName: a}`"],
        ),
        (
            service("upstream: {url: \"https://a\", tls: {verify: false, ca: c}}"),
            &["upstream.tls.verify: it is said whom to believe, and that everybody is believed"],
        ),
        (listener("http2: {streams: 0}"), &["`0` is not a number from 1 to 10000; write 1"]),
        (listener("http2: {streamWindow: 1GiB}"), &["`1GiB` is too large; write 16384KiB"]),
        (listener("http2: {connectionWindow: 1KiB}"), &["`1KiB` is too small; write 64KiB"]),
        (
            service("upstream: {url: \"https://a\", tls: {ca: c, crl: l, spiffeIds: [\"spiffe://a/b\"]}}"),
            &["services[0].upstream.tls.crl: revocation lists are not looked at where SPIFFE ids count; remove `crl`"],
        ),
        (
            service("upstream: {url: \"https://a\", tls: {verify: false}}"),
            &["upstream.tls.verify: the service's certificate is not looked at; name its authority"],
        ),
        (
            service("upstream: {url: \"https://a\", tls: {spiffeIds: [\"cluster.local/x\"]}}"),
            &["`cluster.local/x` is not a SPIFFE id", "spiffe://cluster.local/ns/shop/sa/web"],
        ),
        (
            format!(
                "listeners: [{{name: a, address: 127.0.0.1:1, tls: {{{PAIR}}}}}, {{name: b, address: 127.0.0.1:2}}]\n\
                 services:\n- {{name: w, upstream: {{url: \"http://a\"}}, tls: {{clientCertificates: {{ca: c}}}}}}\n"
            ),
            &["the listener `b` leads here without TLS: nobody shows a certificate there"],
        ),
        (
            format!(
                "listeners: [{{name: a, address: 127.0.0.1:1, tls: {{{PAIR}}}}}]\nservices:\n\
                 - {{name: x, upstream: {{url: \"http://a\"}}, tls: {{clientCertificates: {{ca: c}}}}}}\n\
                 - {{name: y, upstream: {{url: \"http://a\"}}, tls: {{clientCertificates: {{ca: d}}}}}}\n\
                 routes: [{{hosts: [h], service: x}}, {{hosts: [h], path: /y, service: y}}]\n"
            ),
            &["services[1].tls.clientCertificates: another service of the host h says something else of certificates, after line 3"],
        ),
    ];
    println!("{} cases", cases.len());
    for (text, said) in cases {
        let found = read_text(&text).1;
        for part in said {
            assert!(found.iter().any(|line| line.contains(part)), "{part}\n{text}\n{found:#?}");
        }
    }
}

#[test]
fn a_fingerprint_has_a_header_of_its_own_and_lists_have_authorities() {
    for header in ["Host", "x_forwarded-for", "ssl-client-verify"] {
        let (_, found) = read_text(&format!(
            "services:\n- {{name: web, upstream: {{url: \"http://a\"}}, forward: {{fingerprint: {{header: {header}}}}}}}\n"
        ));
        let said = format!(
            "services[0].forward.fingerprint.header: `{header}` says something else already; write a name of its own, such \
             as X-Client-Print"
        );
        assert!(found.iter().any(|line| line.ends_with(&said)), "{found:?}");
    }
    let (_, found) = read_text(&format!(
        "listeners: [{{name: a, address: 127.0.0.1:1, tls: {{{PAIR}, \
         clientCertificates: {{mode: optional_no_ca, crl: a.crl}}}}}}]\n{SERVICES}"
    ));
    assert!(
        found.iter().any(|line| line.contains("clientCertificates.crl: nobody is believed")),
        "{found:?}"
    );
}

#[test]
fn who_may_ask_as_an_envoy_is_said_or_refused() {
    let envoy =
        |address: &str, tls: &str| format!("envoy: [{{name: e, address: \"{address}\", tls: {{{tls}}}}}]\n");
    let asks = |clients: &str| envoy("0.0.0.0:9191", &format!("{PAIR}, clientCertificates: {{{clients}}}"));
    for (text, expected) in [
        (asks("ca: c, spiffeIds: [\"spiffe://cluster.local/ns/edge/sa/gateway\"]"), None),
        (asks("mode: \"off\""), None),
        (
            envoy("0.0.0.0:9191", PAIR),
            Some(
                "envoy[0].tls.clientCertificates: it is not said who may ask; add `clientCertificates: {ca: ca.crt}`",
            ),
        ),
        (
            envoy("0.0.0.0:9191", "clientCertificates: {ca: c}"),
            Some("envoy[0].tls.certificates: TLS without a certificate; add `certificates:"),
        ),
        (
            envoy("unix:/run/e.sock", PAIR),
            Some(
                "envoy[0].tls: /run/e.sock is a path: who may ask is said by its folder's permissions; remove `tls`",
            ),
        ),
        (
            asks("mode: \"on\""),
            Some("envoy[0].tls.clientCertificates.ca: the mode on needs to know whom to believe"),
        ),
        (
            asks("mode: optional, ca: c"),
            Some(
                "clientCertificates.mode: optional has no meaning here: an Envoy is let in, or it is not; write on",
            ),
        ),
        (
            asks("mode: \"off\", spiffeIds: [\"spiffe://a/b\"]"),
            Some("clientCertificates.mode: nobody is asked who they are; write on"),
        ),
        (
            asks("ca: c, errorPage: \"https://e/x\""),
            Some("errorPage: an Envoy has no use for a page; remove it"),
        ),
    ] {
        let (config, found) = read_text(&text);
        match expected {
            None => assert!(config.is_some() && found.is_empty(), "{text}: {found:?}"),
            Some(expected) => assert!(found.iter().any(|line| line.contains(expected)), "{text}: {found:?}"),
        }
    }
    // What nobody can have lets nobody in, on a listener as well.
    let (_, found) = read_text(&format!(
        "listeners: [{{name: a, address: 127.0.0.1:1, tls: {{{PAIR}, clientCertificates: {{mode: optional_no_ca, \
         spiffeIds: [\"spiffe://a/b\"]}}}}}}]\n{SERVICES}"
    ));
    assert!(
        found.iter().any(|line| line.contains("spiffeIds: the mode optional_no_ca believes nobody")),
        "{found:?}"
    );
}
