//! The gateway beside a real nginx that was configured by hand to the same meaning, as ingress-nginx writes it: the same
//! requests, row by row; status, which service was asked, and what it was told.

mod cluster;
mod nginx;
mod pki;
mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use cluster::{class, config_map, gateway, ingress, path, secret, service};
use nginx::Nginx;
use palisade_kube_fake::Server;
use pki::Pki;
use support::{Folder, Upstream, eventually};

/// Requests over plain HTTP: host and path.
const PLAIN: &[(&str, &str)] = &[
    ("paths.example", "/"),
    ("paths.example", "/other"),
    ("paths.example", "/api"),
    ("paths.example", "/api/"),
    ("paths.example", "/api/v1"),
    ("paths.example", "/apis"),
    ("paths.example", "/api/deep"),
    ("paths.example", "/api/deep/er"),
    ("paths.example", "/api/deeper"),
    ("paths.example", "/only"),
    ("paths.example", "/only/"),
    ("paths.example", "/only/x"),
    ("paths.example", "/onlyx"),
    ("paths.example", "/API"),
    ("paths.example", "//api"),
    ("paths.example", "/x/../api"),
    ("paths.example", "/./api/v1"),
    ("paths.example", "/api/../other"),
    ("paths.example", "/%61pi"),
    ("paths.example", "/api%20x"),
    ("paths.example", "/api?x=/only"),
    ("paths.example", "/slash"),
    ("paths.example", "/slash/"),
    ("paths.example", "/slash/x"),
    ("PATHS.example", "/api"),
    ("some.example", "/api"),
    ("some.example", "/"),
    ("partial.example", "/in"),
    ("partial.example", "/in/side"),
    ("partial.example", "/out"),
    ("partial.example", "/"),
    ("one.wild.example", "/"),
    ("two.wild.example", "/x"),
    ("exact.wild.example", "/"),
    ("wild.example", "/"),
    ("nobody.example", "/"),
    ("nobody.example", "/api"),
    ("secure.example", "/"),
    ("secure.example", "/a/b?c=d"),
    ("forced.example", "/x"),
];

/// What clients send beside: a name for the row, and header lines.
const HEADERS: &[(&str, &[&str])] = &[
    ("none", &[]),
    ("a list", &["X-Forwarded-For: 198.51.100.1, 198.51.100.2"]),
    ("a host", &["X-Forwarded-Host: evil.example"]),
    ("a scheme", &["X-Forwarded-Proto: https", "X-Scheme: https", "X-Forwarded-Scheme: https"]),
    ("an address", &["X-Real-IP: 198.51.100.9"]),
    ("a proxy", &["Proxy: http://evil.example"]),
    ("an original", &["X-Original-Forwarded-For: 198.51.100.3"]),
    ("its own", &["X-Own: 1", "User-Agent: row"]),
];

/// Modes of hosts that ask for certificates.
const MODES: [&str; 4] = ["on", "optional", "optional_no_ca", "off"];

/// Who asks: none, one that is believed, one of another authority, one that ran out.
const CLIENTS: [&str; 4] = ["-", "good", "other", "old"];

/// Headers that are compared.
const TOLD: [&str; 14] = [
    "host",
    "x-real-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-scheme",
    "x-original-forwarded-for",
    "proxy",
    "x-own",
    "ssl-client-verify",
    "ssl-client-subject-dn",
    "ssl-client-issuer-dn",
    "x-print",
];

#[test]
fn sixty_rows_and_more_are_as_nginx_has_them() {
    if !pki::tools() || !nginx::there() {
        return;
    }
    let (folder, cluster) = (Folder::new(), Server::start());
    let services = ["a", "b", "c"].map(|name| (name, Upstream::start()));
    let pki = Pki(&folder);
    pki.authority("ca");
    pki.authority("stranger");
    pki.server("ca", "site", &["secure.example", "*.mtls.example"]);
    pki.issue("ca", "good", "/O=Clinic, East/CN=hospital-1", "", 30);
    pki.issue("stranger", "other", "/CN=stranger", "", 30);
    pki.issue("ca", "old", "/CN=old", "", -1);
    for object in objects(&folder, &services) {
        cluster.put(object);
    }
    let mut proxy = gateway(&folder, &cluster, &["--mode", "off"]);
    let ours = [proxy.listener("http"), proxy.listener("https")];
    let (_nginx, theirs) = beside(&folder, &services);
    let port = |url: &str, of: [SocketAddr; 2]| {
        url.replace("HTTPS", &of[1].port().to_string()).replace("HTTP", &of[0].port().to_string())
    };
    let ask = |of: [SocketAddr; 2], url: &str, more: &[&str]| -> String {
        let before = services.each_ref().map(|(_, upstream)| upstream.heads().len());
        let at = if url.starts_with("https") { of[1] } else { of[0] };
        let more = [&["--path-as-is", "-o", "/dev/null", "-D", "-"][..], more].concat();
        let (status, head) = pki.ask(at, "ca.crt", &port(url, of), &more);
        let mut row = format!("{status}");
        let location = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("location: ").map(str::to_owned));
        // Ports of tests stand for the usual ones.
        row.extend(
            location.map(|location| format!(" -> {}", location.replace(&format!(":{}", of[1].port()), ""))),
        );
        for ((name, upstream), before) in services.iter().zip(before) {
            for head in upstream.heads().iter().skip(before) {
                row.push_str(&format!("\n  {name} {}", told(head, of)));
            }
        }
        row
    };
    let mut rows: Vec<(String, String, Vec<String>)> = Vec::new();
    for (host, path) in PLAIN {
        rows.push((format!("{host}{path}"), format!("http://{host}:HTTP{path}"), Vec::new()));
    }
    for (name, lines) in HEADERS {
        let more: Vec<String> = lines.iter().flat_map(|line| ["-H".to_owned(), (*line).to_owned()]).collect();
        rows.push((format!("headers: {name}"), "http://paths.example:HTTP/api".to_owned(), more));
    }
    for mode in MODES {
        for client in CLIENTS {
            let host = mode.replace('_', "-");
            let mut more = vec!["-H".to_owned(), "X-Print: 00".to_owned()];
            if client != "-" {
                let files = [
                    "--cert".to_owned(),
                    format!("{client}.crt"),
                    "--key".to_owned(),
                    format!("{client}.key"),
                ];
                more.extend(files);
            }
            rows.push((format!("{mode}: {client}"), format!("https://{host}.mtls.example:HTTPS/"), more));
        }
    }
    assert!(rows.len() >= 60, "{}", rows.len());
    eventually("the table", || {
        ask(ours, "http://paths.example:HTTP/only", &[]).starts_with("200").then_some(())
    });
    let mut differ = Vec::new();
    for (name, url, more) in &rows {
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let (mine, mut its) = (ask(ours, url, &more), ask(theirs, url, &more));
        if name.starts_with("off: ") {
            // Differs: where nobody is asked for a certificate, nothing is said of one; nginx says NONE there.
            its = its.replace("\"ssl-client-verify\": [\"NONE\"], ", "");
        }
        if mine != its {
            differ.push(format!("{name}\nours {mine}\nnginx {its}"));
        }
    }
    println!("{} rows, {} differ", rows.len(), differ.len());
    assert!(differ.is_empty(), "\n{}", differ.join("\n\n"));
    assert_eq!(proxy.end(), 0);
}

/// What a service was told, ports aside.
fn told(head: &str, of: [SocketAddr; 2]) -> String {
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in head.lines().skip(1) {
        let Some((name, value)) = line.split_once(':') else { continue };
        let name = name.to_ascii_lowercase();
        if TOLD.contains(&name.as_str()) {
            let value = of
                .iter()
                .fold(value.trim().to_owned(), |value, at| value.replace(&format!(":{}", at.port()), ""));
            said.entry(name).or_default().push(value);
        }
    }
    format!("{} {said:?}", head.lines().next().unwrap_or_default())
}

fn objects(folder: &Folder, services: &[(&str, Upstream); 3]) -> Vec<serde_json::Value> {
    let read = |name: &str| std::fs::read(folder.at(name)).unwrap();
    let mut all = vec![
        class(),
        config_map(&[
            ("allow-snippet-annotations", "true"),
            ("annotations-risk-level", "Critical"),
            ("hsts", "false"),
        ]),
        secret("site", &[("tls.crt", &read("site.crt")), ("tls.key", &read("site.key"))]),
        secret("ca", &[("ca.crt", &read("ca.crt"))]),
    ];
    for (name, upstream) in services {
        all.extend(service(name, upstream.url.trim_start_matches("http://").parse().unwrap()));
    }
    let paths = [
        path("Prefix", "/", "a"),
        path("Prefix", "/api", "b"),
        path("Prefix", "/api/deep", "c"),
        path("Exact", "/only", "c"),
        path("Prefix", "/slash/", "b"),
    ];
    all.push(ingress("paths", "paths.example", &paths, &[]));
    all.push(ingress("some", "some.example", &[path("Prefix", "/", "c")], &[]));
    all.push(ingress("partial", "partial.example", &[path("Prefix", "/in", "a")], &[]));
    all.push(ingress("wild", "*.wild.example", &[path("Prefix", "/", "b")], &[]));
    all.push(ingress("exact", "exact.wild.example", &[path("Prefix", "/", "c")], &[]));
    all.push(ingress(
        "forced",
        "forced.example",
        &[path("Prefix", "/", "a")],
        &[("force-ssl-redirect", "true")],
    ));
    let tls = |mut ingress: serde_json::Value, host: &str| {
        ingress["spec"]["tls"] = serde_json::json!([{"hosts": [host], "secretName": "site"}]);
        ingress
    };
    all.push(tls(ingress("secure", "secure.example", &[path("Prefix", "/", "a")], &[]), "secure.example"));
    for mode in MODES {
        let name = mode.replace('_', "-");
        let host = format!("{name}.mtls.example");
        let annotations = [
            ("auth-tls-secret", "shop/ca"),
            ("auth-tls-verify-client", mode),
            ("configuration-snippet", "proxy_set_header X-Print $ssl_client_fingerprint;"),
        ];
        all.push(tls(ingress(&name, &host, &[path("Prefix", "/", "a")], &annotations), &host));
    }
    all
}

/// nginx as ingress-nginx would have it configured, on ports of its own.
fn beside(folder: &Folder, services: &[(&str, Upstream); 3]) -> (Nginx, [SocketAddr; 2]) {
    let (http, https) = (nginx::free(), nginx::free());
    let to = |name: &str, more: &str| {
        let url = &services.iter().find(|(known, _)| *known == name).unwrap().1.url;
        format!("{{ {COMMON} {more} proxy_pass {url}; }}")
    };
    let plain = format!("listen {http};");
    let both = format!("listen {http}; listen {https} ssl;");
    let elsewhere =
        format!("if ($scheme = http) {{ return 308 https://$host:{}$request_uri; }}", https.port());
    let mut servers = format!(
        "server {{ {both} server_name _; location / {{ return 404; }} }}\n\
         server {{ {plain} server_name paths.example; location / {a} location = /api {b} location /api/ {b} \
         location = /api/deep {c} location /api/deep/ {c} location = /only {c} location = /slash {b} location /slash/ {b} }}\n\
         server {{ {plain} server_name some.example; location / {c} }}\n\
         server {{ {plain} server_name partial.example; location = /in {a} location /in/ {a} location / {{ return 404; }} }}\n\
         server {{ {plain} server_name ~^(?<sub>[\\w-]+)\\.wild\\.example$; location / {b} }}\n\
         server {{ {plain} server_name exact.wild.example; location / {c} }}\n\
         server {{ {both} server_name secure.example; {elsewhere} location / {a} }}\n\
         server {{ {both} server_name forced.example; {elsewhere} location / {a} }}\n",
        a = to("a", ""),
        b = to("b", ""),
        c = to("c", ""),
    );
    for mode in MODES {
        let to = to(
            "a",
            "proxy_set_header ssl-client-verify $ssl_client_verify; proxy_set_header ssl-client-subject-dn $ssl_client_s_dn; \
             proxy_set_header ssl-client-issuer-dn $ssl_client_i_dn; proxy_set_header X-Print $ssl_client_fingerprint;",
        );
        servers.push_str(&format!(
            "server {{ listen {https} ssl; server_name {}.mtls.example; ssl_client_certificate ca.crt; ssl_verify_client {mode}; \
             ssl_verify_depth 1; location / {to} }}\n",
            mode.replace('_', "-")
        ));
    }
    let text = format!(
        "server_tokens off; ssl_certificate site.crt; ssl_certificate_key site.key; ssl_session_tickets off; \
         proxy_http_version 1.1; proxy_set_header Connection \"\";\n{servers}"
    );
    (Nginx::start(folder, &text, https), [http, https])
}

/// What ingress-nginx tells every service.
const COMMON: &str = "proxy_set_header Host $http_host; proxy_set_header X-Real-IP $remote_addr; \
    proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Host $http_host; \
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Scheme $scheme; proxy_set_header X-Scheme $scheme; \
    proxy_set_header X-Original-Forwarded-For $http_x_forwarded_for; proxy_set_header Proxy \"\";";
