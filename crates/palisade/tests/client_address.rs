//! Who a client is behind proxies, from outside: the PROXY protocol and lists of addresses, believed from whom they may be.

mod pki;
mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use pki::Pki;
use support::{Folder, Running, Upstream, command, eventually, send};

fn proxy(folder: &Folder, upstream: &Upstream, listeners: &str) -> Running {
    folder.write(
        "site.conf",
        "SecRule REMOTE_ADDR \"@ipMatch 198.51.100.0/24\" \"id:1,phase:1,deny,status:403\"\n",
    );
    let text = format!(
        "admin: {{address: 127.0.0.1:0}}\ndataDir: data\nlogs: {{access: stdout}}\nlisteners:\n{listeners}\
         services: [{{name: shop, upstream: {{url: \"{}\"}}}}]\n\
         profiles: {{default: {{mode: block, rules: {{files: [site.conf]}}, detect: {{enabled: false}}}}}}\n",
        upstream.url
    );
    Running::start(command(&["run", "--config", &folder.write("c.yaml", text)]))
}

/// All that comes back on one connection.
fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

#[test]
fn a_trusted_balancer_names_the_client_by_the_proxy_protocol_and_others_do_not() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(
        &folder,
        &upstream,
        "- {name: web, address: 127.0.0.1:0, clientAddress: {from: proxy-protocol, trusted: [127.0.0.0/8]}}\n\
         - {name: strange, address: 127.0.0.1:0, clientAddress: {from: proxy-protocol, trusted: [10.0.0.0/8]}}\n",
    );
    let (web, strange, admin) = (proxy.listener("web"), proxy.listener("strange"), proxy.admin());
    let answer = exchange(web, format!("PROXY TCP4 192.0.2.7 203.0.113.1 5000 443\r\n{GET}").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let head = upstream.heads()[0].clone();
    assert!(
        head.contains("X-Real-IP: 192.0.2.7\r\n") && head.contains("X-Forwarded-For: 192.0.2.7\r\n"),
        "{head}"
    );
    let mut binary =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x04\xcb\0\x71\x01\x13\x88\x01\xbb".to_vec();
    binary.extend_from_slice(GET.as_bytes());
    let answer = exchange(web, &binary);
    assert!(answer.starts_with("HTTP/1.1 403"), "the rule sees 198.51.100.4: {answer}");
    proxy.wait_err("[client 198.51.100.4] ModSecurity: Access denied with code 403 (phase 1)");
    let access = eventually("the access log", || Some(proxy.out()).filter(|out| out.lines().count() == 2));
    let line: serde_json::Value = serde_json::from_str(access.lines().nth(1).unwrap()).unwrap();
    assert_eq!(line["client"], "198.51.100.4:5000");
    assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    // A health check of the balancer itself.
    assert!(exchange(web, format!("PROXY UNKNOWN\r\n{GET}").as_bytes()).starts_with("HTTP/1.1 200"));
    // A trusted peer that says nothing, or nonsense, is closed without a word.
    assert_eq!(exchange(web, GET.as_bytes()), "");
    assert_eq!(exchange(web, b"PROXY TCP4 1.2.3.4\r\n"), "");
    proxy.wait_err("the connection does not begin with a header of the PROXY protocol");
    let metrics = send(admin, format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes()).body;
    assert!(metrics.contains("palisade_proxy_headers_refused_total 2\n"), "{metrics}");
    // From others a header is no header, and no request either.
    assert!(exchange(strange, GET.as_bytes()).starts_with("HTTP/1.1 200"));
    let answer = exchange(strange, format!("PROXY TCP4 198.51.100.4 203.0.113.1 1 2\r\n{GET}").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_header_of_the_proxy_protocol_comes_before_tls() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    pki.authority("ca");
    pki.server("ca", "shop", &["shop.example"]);
    let mut proxy = proxy(
        &folder,
        &upstream,
        "- name: web\n  address: 127.0.0.1:0\n  clientAddress: {from: proxy-protocol, trusted: [127.0.0.1]}\n\
         \x20 tls: {certificates: [{cert: shop.crt, key: shop.key}]}\n",
    );
    let web = proxy.listener("web");
    let url = format!("https://shop.example:{}/", web.port());
    assert_eq!(pki.ask(web, "ca.crt", &url, &["--haproxy-protocol"]).0, 200);
    assert_eq!(pki.ask(web, "ca.crt", &url, &[]).0, 0);
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_list_of_addresses_counts_from_trusted_peers_and_only_as_far_as_they_vouch() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(
        &folder,
        &upstream,
        "- {name: web, address: 127.0.0.1:0, clientAddress: {from: x-forwarded-for, trusted: [127.0.0.0/8, 10.0.0.0/8]}}\n\
         - {name: hops, address: 127.0.0.1:0, clientAddress: {from: forwarded, hops: 1}}\n\
         - {name: nobody, address: 127.0.0.1:0}\n",
    );
    let (web, hops, nobody) = (proxy.listener("web"), proxy.listener("hops"), proxy.listener("nobody"));
    let status = |address: SocketAddr, field: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\n{field}\r\nConnection: close\r\n\r\n");
        send(address, request.as_bytes()).status
    };
    for (address, field, expected) in [
        (web, "X-Forwarded-For: 198.51.100.9", 403),
        (web, "X-Forwarded-For: 198.51.100.9, 10.1.2.3", 403),
        // Spoofed: whoever sits before the proxy wrote it himself.
        (web, "X-Forwarded-For: 198.51.100.9, 192.0.2.1", 200),
        (web, "X-Forwarded-For: 198.51.100.9, nonsense", 200),
        (hops, "Forwarded: for=192.0.2.1, for=\"198.51.100.9:80\"", 403),
        (hops, "Forwarded: for=198.51.100.9, for=192.0.2.1", 200),
        (nobody, "X-Forwarded-For: 198.51.100.9", 200),
    ] {
        assert_eq!(status(address, field), expected, "{field}");
    }
    let head = upstream.heads()[0].clone();
    assert!(head.contains("X-Forwarded-For: 198.51.100.9, 192.0.2.1, 127.0.0.1\r\n"), "{head}");
    assert!(head.contains("X-Real-IP: 192.0.2.1\r\n"), "{head}");
    // Where nobody is trusted and everybody comes from one address, that is said, once.
    for _ in 0..110 {
        drop(TcpStream::connect(nobody).unwrap());
    }
    proxy.wait_err("all of the first 100 connections come from 127.0.0.1: where that is a proxy");
    assert_eq!(proxy.err().matches("all of the first 100").count(), 1);
    assert_eq!(proxy.end(), 0);
}
