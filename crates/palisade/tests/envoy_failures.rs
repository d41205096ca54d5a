//! What does not pass for a reason that is no verdict, behind a real Envoy: it has its own word in the answer, in metrics and
//! in the log, and nothing holds a request for ever.

mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use support::envoy::{Envoy, binary, example};
use support::{Folder, Response, Running, UNION_ATTACK, Upstream, command, send};

const EXAMPLES: [&str; 2] = ["ext-authz.yaml", "ext-proc.yaml"];

struct Setup {
    upstream: Upstream,
    palisade: Running,
    envoy: Envoy,
    _folder: Folder,
}

impl Setup {
    fn start(bootstrap: &str, config: &str, change: impl FnOnce(String) -> String) -> Option<Self> {
        let binary = binary()?;
        let (folder, upstream) = (Folder::new(), Upstream::start());
        let socket = folder.at("envoy.sock");
        let config = format!(
            "admin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\n{}",
            folder.at("data"),
            config.replace("SOCKET", &format!("name: envoy, address: \"unix:{socket}\""))
        );
        let config = folder.write("palisade.yaml", config);
        let palisade = Running::start(command(&["run", "--config", &config]));
        palisade.wait_err("(envoy)\n");
        let envoy = Envoy::start(&binary, &folder, &change(example(bootstrap, &upstream.url, &socket)));
        Some(Self { upstream, palisade, envoy, _folder: folder })
    }

    /// The sum of a metric's samples.
    fn metric(&mut self, name: &str) -> f64 {
        let admin = self.palisade.admin();
        let text = send(admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").body;
        let samples = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        let values: Vec<f64> =
            samples.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
        assert!(!values.is_empty(), "no {name} in {text}");
        values.iter().sum()
    }
}

fn reason(answer: &Response) -> (u16, Option<&str>) {
    (answer.status, answer.header("x-palisade-reason"))
}

#[test]
fn only_a_checks_word_counts_as_a_block() {
    let config = "envoy: [{SOCKET}]\nservices: [{name: shop}]\nroutes: [{hosts: [shop.example.com], service: shop}]\n\
                  profiles: {default: {mode: block}}\n";
    for bootstrap in EXAMPLES {
        let Some(mut setup) = Setup::start(bootstrap, config, |bootstrap| bootstrap) else { return };
        let ask = |host: &str, target: &str| {
            let request =
                format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nUser-Agent: a\r\n\r\n");
            send(setup.envoy.address, request.as_bytes())
        };
        assert_eq!(reason(&ask("elsewhere.example.com", "/")), (404, Some("no-route")), "{bootstrap}");
        assert_eq!(reason(&ask("shop.example.com", UNION_ATTACK)), (403, Some("blocked")), "{bootstrap}");
        // Envoy joins two hosts, and nobody knows which is meant.
        let two =
            b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nHost: shop.example.com\r\nAccept: */*\r\n\r\n";
        let two = send(setup.envoy.address, two);
        assert!(
            matches!(reason(&two), (400, Some("framing")) | (404, Some("no-route")) | (400, None)),
            "{two:?}"
        );
        let framing = f64::from(u8::from(reason(&two) == (400, Some("framing"))));
        assert_eq!(ask("shop.example.com", "/").status, 200, "{bootstrap}");
        assert_eq!(setup.upstream.heads().len(), 1, "{bootstrap}");
        assert_eq!(setup.metric("palisade_requests_blocked_total"), 1.0 + framing, "{bootstrap}");
        assert_eq!(setup.metric("palisade_framing_refused_total"), framing, "{bootstrap}");
        assert!(setup.metric("palisade_no_route_total") >= 1.0, "{bootstrap}");
        setup.palisade.wait_err("Answered with code 404: no route takes this host and path");
    }
}

#[test]
fn an_inspection_that_takes_too_long_neither_passes_nor_holds() {
    let folder = Folder::new();
    // Each of many rules looks at all of a large body.
    let mut rules =
        String::from("SecRuleEngine On\nSecRequestBodyAccess On\nSecRequestBodyNoFilesLimit 13000000\n");
    for number in 1..=400 {
        let _ = writeln!(
            rules,
            "SecRule REQUEST_BODY \"!@contains z{number}\" \"id:{number},phase:2,pass,nolog\""
        );
    }
    let rules = folder.write("rules.conf", rules);
    let config = |deadline: &str| {
        format!(
            "envoy: [{{SOCKET, deadline: {deadline}}}]\nprofiles: {{default: {{mode: block, detect: {{enabled: false}}, \
             rules: {{files: [{rules}]}}}}}}\n"
        )
    };
    let body = format!("a={}", "some+text+".repeat(80_000));
    for bootstrap in EXAMPLES {
        // Envoy shows all of it, and has more patience than we have.
        let change = |bootstrap: String| {
            bootstrap
                .replace("max_request_bytes: 131072", "max_request_bytes: 10000000")
                .replace("cluster_name: palisade }, timeout: 0.5s", "cluster_name: palisade }, timeout: 30s")
        };
        let Some(patient) = Setup::start(bootstrap, &config("20s"), change) else { return };
        let Some(mut setup) = Setup::start(bootstrap, &config("2ms"), change) else { return };
        let request = format!(
            "POST / HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nUser-Agent: a\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(send(patient.envoy.address, request.as_bytes()).status, 200, "{bootstrap}");
        let began = Instant::now();
        let late = send(setup.envoy.address, request.as_bytes());
        assert_eq!(reason(&late), (503, Some("late")), "{bootstrap}: {}", setup.palisade.err());
        assert!(began.elapsed() < Duration::from_secs(15), "{bootstrap}: {:?}", began.elapsed());
        assert!(setup.upstream.heads().is_empty(), "{bootstrap}");
        assert_eq!(setup.metric("palisade_inspections_late_total"), 1.0, "{bootstrap}");
        assert_eq!(setup.metric("palisade_requests_blocked_total"), 0.0, "{bootstrap}");
        setup.palisade.wait_err("Refused with code 503: the inspection did not come to its end in time");
    }
}

#[test]
fn a_palisade_that_hangs_is_found_out_by_pings() {
    let config = "envoy: [{SOCKET}]\nprofiles: {default: {mode: block}}\n";
    let Some(setup) = Setup::start("ext-proc.yaml", config, |bootstrap| bootstrap) else { return };
    let body = "a".repeat(100_000);
    let post =
        format!("POST / HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(send(setup.envoy.address, post.as_bytes()).status, 200);
    setup.palisade.signal("STOP");
    for request in ["GET / HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n", &post] {
        let began = Instant::now();
        let late = send(setup.envoy.address, request.as_bytes());
        assert_eq!(reason(&late), (503, None), "{late:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
    setup.palisade.signal("CONT");
    assert_eq!(setup.upstream.heads().len(), 1);
    support::eventually("it answers again", || {
        (send(setup.envoy.address, post.as_bytes()).status == 200).then_some(())
    });
}
