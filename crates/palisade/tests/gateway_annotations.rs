//! Annotations and keys of ingress-nginx on the built binary: the OWASP CRS with its snippets, and who the client is.

mod cluster;
mod support;

use std::net::SocketAddr;

use cluster::{class, config_map, gateway, ingress, path, service};
use palisade_kube_fake::Server;
use serde_json::Value;
use support::{Folder, Running, Upstream, eventually, send};

const XSS: &str = "/?q=%3Cscript%3Ealert(document.cookie)%3C/script%3E";
const SQLI: &str = "/?q=1%27%20UNION%20SELECT%20password%20FROM%20users--%20";
const BENIGN: &str = "/?q=blue%20shoes&page=2";
const ON: (&str, &str) = ("enable-modsecurity", "true");
const CRS: (&str, &str) = ("enable-owasp-core-rules", "true");

fn stage(upstream: &Upstream, ingresses: &[Value], keys: &[(&str, &str)]) -> Server {
    let cluster = Server::start();
    cluster.put(class());
    cluster.put(config_map(keys));
    let address = upstream.url.trim_start_matches("http://").parse().unwrap();
    service("web", address)
        .into_iter()
        .chain(ingresses.iter().cloned())
        .for_each(|object| drop(cluster.put(object)));
    cluster
}

fn web(name: &str, annotations: &[(&str, &str)]) -> Value {
    ingress(name, &format!("{name}.example"), &[path("Prefix", "/", "web")], annotations)
}

fn request(name: &str, target: &str, more: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {name}.example\r\nAccept: */*\r\nUser-Agent: Mozilla/5.0\r\n{more}Connection: close\r\n\r\n"
    )
}

fn ask(at: SocketAddr, name: &str, target: &str) -> u16 {
    send(at, request(name, target, "").as_bytes()).status
}

fn started(folder: &Folder, cluster: &Server, more: &[&str]) -> (Running, SocketAddr) {
    let mut proxy = gateway(folder, cluster, &[more, &["--access-log", "off", "--mode", "off"]].concat());
    let at = proxy.listener("http");
    eventually("the table", || (ask(at, "plain", "/") == 200).then_some(()));
    (proxy, at)
}

fn check(proxy: &Running, at: SocketAddr, rows: &[(&str, [u16; 3])]) {
    let got = |name: &str| [BENIGN, XSS, SQLI].map(|target| ask(at, name, target));
    let wrong: Vec<_> =
        rows.iter().map(|(name, all)| (name, all, got(name))).filter(|(_, all, got)| *all != got).collect();
    assert!(wrong.is_empty(), "{wrong:?}\n{}", proxy.err());
}

#[test]
fn the_crs_is_loaded_where_annotations_ask_for_it_and_acts_where_they_turn_it_on() {
    let Some(crs) = support::crs() else { return };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let acts = ("modsecurity-snippet", "SecRuleEngine On\n");
    let included = "SecRuleEngine On\nInclude /etc/nginx/owasp-modsecurity-crs/nginx-modsecurity.conf\n";
    let tuned = format!("{included}SecRuleRemoveByTag \"attack-xss\"\n");
    let ingresses = [
        web("plain", &[]),
        web("acts", &[ON, CRS, acts]),
        web("watches", &[ON, CRS]),
        web("asleep", &[ON, CRS, ("modsecurity-snippet", "SecRequestBodyAccess On\n")]),
        web("not-on", &[CRS, acts]),
        web("off", &[("enable-modsecurity", "false"), CRS, acts]),
        web("included", &[ON, ("modsecurity-snippet", included)]),
        web("tuned", &[ON, ("modsecurity-snippet", &tuned)]),
        web(
            "own",
            &[
                ON,
                (
                    "modsecurity-snippet",
                    "SecRuleEngine On\nSecRule ARGS:page \"@eq 2\" \"id:1,phase:1,deny,status:418\"\n",
                ),
            ],
        ),
    ];
    let cluster = stage(&upstream, &ingresses, &[]);
    let (mut proxy, at) = started(&folder, &cluster, &["--crs", &crs, "--allow-snippets"]);
    check(
        &proxy,
        at,
        &[
            ("plain", [200, 200, 200]),
            ("acts", [200, 403, 403]),
            ("watches", [200, 200, 200]),
            ("asleep", [200, 200, 200]),
            ("not-on", [200, 200, 200]),
            ("off", [200, 200, 200]),
            ("included", [200, 403, 403]),
            ("tuned", [200, 200, 403]),
            ("own", [418, 200, 200]),
        ],
    );
    // What only watches says what it saw.
    assert_eq!(ask(at, "watches", &format!("/watched{}", &XSS[1..])), 200);
    proxy.wait_err("[uri \"/watched\"]");
    // For every path by the ConfigMap; an Ingress may be left out.
    cluster.put(config_map(&[
        ("enable-modsecurity", "true"),
        ("enable-owasp-modsecurity-crs", "true"),
        ("modsecurity-snippet", "SecRuleEngine On\nSecRequestBodyAccess On\n"),
    ]));
    eventually("the ConfigMap", || (ask(at, "plain", XSS) == 403).then_some(()));
    check(&proxy, at, &[("plain", [200, 403, 403]), ("off", [200, 200, 200]), ("acts", [200, 403, 403])]);
    assert_eq!(proxy.end(), 0);
}

#[test]
fn without_a_crs_who_asks_for_it_is_closed_and_told() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let cluster = stage(&upstream, &[web("plain", &[]), web("asks", &[ON, CRS])], &[]);
    let (mut proxy, at) = started(&folder, &cluster, &[]);
    check(&proxy, at, &[("plain", [200, 200, 200]), ("asks", [503, 503, 503])]);
    proxy.wait_err("name one by --crs");
    assert_eq!(proxy.end(), 0);
}

/// Who the client is, as the service is told and as rules see it.
struct Seen<'a> {
    at: SocketAddr,
    upstream: &'a Upstream,
}

impl Seen<'_> {
    /// `X-Real-IP` and `X-Forwarded-For`; the status alone where nobody was asked.
    fn of(&self, before: &str, more: &str) -> String {
        let count = self.upstream.heads().len();
        let text = format!("{before}{}", request("plain", "/", more));
        let status = send(self.at, text.as_bytes()).status;
        let Some(head) = self.upstream.heads().get(count).cloned() else { return status.to_string() };
        let line = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map_or("-", |(_, value)| value).to_owned()
        };
        format!("{} {}", line("x-real-ip"), line("x-forwarded-for"))
    }
}

/// One address is not welcome.
const UNWELCOME: &str =
    "SecRuleEngine On\nSecRule REMOTE_ADDR \"@ipMatch 203.0.113.66\" \"id:1,phase:1,deny,status:403\"\n";

#[test]
fn the_client_is_whom_trusted_hops_name() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let guarded = web("plain", &[ON, ("modsecurity-snippet", UNWELCOME)]);
    let list = "X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n";
    let cluster = stage(&upstream, std::slice::from_ref(&guarded), &[]);
    let (mut proxy, at) = started(&folder, &cluster, &["--allow-snippets"]);
    // Nobody's word counts.
    assert_eq!(Seen { at, upstream: &upstream }.of("", list), "127.0.0.1 127.0.0.1");
    assert_eq!(
        Seen { at, upstream: &upstream }.of("", "X-Forwarded-For: 203.0.113.66\r\n"),
        "127.0.0.1 127.0.0.1"
    );
    assert_eq!(proxy.end(), 0);
    for (keys, rows) in [
        (
            &[("use-forwarded-headers", "true"), ("proxy-real-ip-cidr", "127.0.0.0/8")][..],
            &[
                (list, "203.0.113.7 203.0.113.7"),
                ("", "127.0.0.1 127.0.0.1"),
                ("X-Forwarded-For: 203.0.113.66\r\n", "403"),
                ("X-Forwarded-For: 203.0.113.66, 203.0.113.7\r\n", "203.0.113.7 203.0.113.7"),
            ][..],
        ),
        (
            &[
                ("use-forwarded-headers", "true"),
                ("proxy-real-ip-cidr", "127.0.0.0/8,203.0.113.0/24"),
                ("compute-full-forwarded-for", "true"),
            ],
            &[(list, "198.51.100.1 198.51.100.1, 203.0.113.7, 127.0.0.1")],
        ),
        (
            &[("use-forwarded-headers", "true"), ("proxy-real-ip-cidr", "10.0.0.0/8")],
            &[(list, "127.0.0.1 127.0.0.1")],
        ),
        (
            &[
                ("use-forwarded-headers", "true"),
                ("proxy-real-ip-cidr", "127.0.0.0/8"),
                ("forwarded-for-header", "X-Client"),
            ],
            &[
                (list, "127.0.0.1 127.0.0.1"),
                ("X-Client: 203.0.113.8\r\n", "203.0.113.8 203.0.113.8"),
                ("X-Client: 203.0.113.66\r\n", "403"),
            ],
        ),
    ] {
        let cluster = stage(&upstream, std::slice::from_ref(&guarded), keys);
        let (mut proxy, at) = started(&Folder::new(), &cluster, &["--allow-snippets"]);
        for (more, expected) in rows {
            assert_eq!(Seen { at, upstream: &upstream }.of("", more), *expected, "{keys:?}: {more}");
        }
        assert_eq!(proxy.end(), 0);
    }
}

#[test]
fn behind_proxy_protocol_the_client_is_whom_the_balancer_names() {
    let upstream = Upstream::start();
    let guarded = web("plain", &[ON, ("modsecurity-snippet", UNWELCOME)]);
    let keys = |networks: &'static str| [("use-proxy-protocol", "true"), ("proxy-real-ip-cidr", networks)];
    let line = |from: &str| format!("PROXY TCP4 {from} 127.0.0.1 5000 80\r\n");
    let folder = Folder::new();
    let cluster = stage(&upstream, std::slice::from_ref(&guarded), &keys("127.0.0.0/8"));
    let mut proxy = gateway(&folder, &cluster, &["--access-log", "off", "--mode", "off", "--allow-snippets"]);
    let at = proxy.listener("http");
    let seen = Seen { at, upstream: &upstream };
    eventually("the table", || {
        (seen.of(&line("203.0.113.7"), "") == "203.0.113.7 203.0.113.7").then_some(())
    });
    assert_eq!(seen.of(&line("203.0.113.66"), ""), "403");
    // What the client says itself does not count.
    assert_eq!(seen.of(&line("203.0.113.7"), "X-Forwarded-For: 203.0.113.66\r\n"), "203.0.113.7 203.0.113.7");
    assert_eq!(seen.of("PROXY UNKNOWN\r\n", ""), "127.0.0.1 127.0.0.1");
    // Version 2.
    let mut second = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    second.extend([203, 0, 113, 9, 127, 0, 0, 1, 0x13, 0x88, 0, 80]);
    second.extend(request("plain", "/", "").bytes());
    assert_eq!(send(at, &second).status, 200);
    let head = upstream.heads().pop().unwrap();
    assert!(head.contains("X-Real-IP: 203.0.113.9\r\n"), "{head}");
    assert_eq!(proxy.end(), 0);
}
