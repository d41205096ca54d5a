//! `policy suggest` from what a proxy logged to what a proxy enforces, and back: the same traffic passes, other does not.

mod bank;
mod pki;
mod support;

use pki::Pki;
use serde_json::{Value, json};
use support::{Answer, Folder, Running, Upstream, command, eventually, palisade, palisade_with};

/// A listener before summary, with TLS or without.
fn proxy(folder: &Folder, upstream: &Upstream, tls: &str) -> Running {
    let config = format!(
        "admin: {{address: \"off\"}}\ndataDir: data\nlogs: {{access: access.log, error: error.log}}\n\
         workload: {{namespace: yaobank, name: summary-1, serviceAccount: summary, labels: {{app: summary}}}}\n\
         listeners: [{{name: web, address: 127.0.0.1:0{tls}}}]\n\
         services: [{{name: summary, upstream: {{url: \"{}\"}}}}]\npolicies: {{files: [policies]}}\n",
        upstream.url
    );
    Running::start(command(&["run", "--config", &folder.write("palisade.yaml", config)]))
}

const TLS: &str = ", tls: {certificates: [{cert: web.crt, key: web.key}], clientCertificates: {mode: optional, ca: ca.crt}}";

fn lines(folder: &Folder) -> usize {
    std::fs::read_to_string(folder.at("access.log")).unwrap_or_default().lines().count()
}

fn suggest(folder: &Folder, more: &[&str]) -> Answer {
    let log = folder.at("access.log");
    palisade(&[&["policy", "suggest", &log], more].concat())
}

#[test]
fn what_was_seen_is_suggested_enforced_and_seen_again() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    bank::certificates(&pki);
    let objects = folder.write("policies/objects.yaml", bank::objects());
    let mut proxy = proxy(&folder, &upstream, TLS);
    let web = proxy.listener("web");
    let ask = |pod: &str, key: Option<&str>, path: &str, more: &[&str]| {
        bank::ask(&pki, web, pod, key, &format!("https://summary:PORT{path}"), more)
    };
    let (customer, summary) = (Some("customer"), Some("summary"));
    let good: [(&str, Option<&str>, &str, &[&str]); 7] = [
        ("customer", customer, "/accounts/519940", &[]),
        ("customer", customer, "/accounts/407221?full=1", &[]),
        ("customer", customer, "/accounts/036273", &["-I"]),
        ("customer", customer, "/health", &[]),
        ("summary", summary, "/audit", &["-X", "POST", "-d", "a=b"]),
        ("database", None, "/health", &[]),
        ("database", None, "/a%20b/%C3%A9:'", &[]),
    ];
    for (pod, key, path, more) in good {
        assert_eq!(ask(pod, key, path, more), 200, "{pod} {path}");
    }
    // What nobody should learn from: an attack that monitoring let pass, and a stolen key.
    assert_eq!(
        ask("customer", customer, "/search?q=1%27%20UNION%20SELECT%20password%20FROM%20users--", &[]),
        200
    );
    assert_eq!(ask("attack", summary, "/stolen", &[]), 200);
    eventually("the log", || (lines(&folder) == 9).then_some(()));

    let suggested = suggest(&folder, &["--policies", &objects]);
    for part in [
        "palisade: 9 lines read, 7 requests learned from",
        "left out: 1 request taken for attacks",
        "left out: 1 request with another's certificate than has the address",
        "of 7 requests that they were made of the policies would have denied 0\n",
        "of 1 request taken for attacks the policies would have denied 1\n",
        "of 1 request with another's certificate than has the address the policies would have denied 1\n",
    ] {
        assert!(suggested.err.contains(part), "{part} in {}", suggested.err);
    }
    assert_eq!(suggested.code, 0);
    assert!(suggested.out.contains("podSelector: {matchLabels: {app: summary}}"), "{}", suggested.out);
    let port = upstream.url.rsplit(':').next().unwrap();
    assert!(suggested.out.contains(&format!("# ({port}) among them")), "{}", suggested.out);
    let file = folder.write("suggested.yaml", &suggested.out);
    let check = palisade(&["policy", "check", "--strict", "--policies", &objects, &file]);
    assert_eq!(check.code, 0, "{} {}", check.out, check.err);

    folder.write("policies/suggested.yaml", &suggested.out);
    eventually("the policies", || (ask("customer", customer, "/other", &[]) == 403).then_some(()));
    for (pod, key, path, more) in good {
        assert_eq!(ask(pod, key, path, more), 200, "{pod} {path}\n{}", suggested.out);
    }
    for (pod, key, path, more, status) in [
        // Another id is what the prefix is for; another place and another method are not.
        ("customer", customer, "/accounts/1", &[][..], 200),
        ("customer", customer, "/accounts/1", &["-X", "DELETE"][..], 403),
        ("customer", customer, "/audit", &["-X", "POST"][..], 403),
        ("customer", customer, "/accounts/%2e%2e/audit", &[][..], 403),
        ("summary", summary, "/health", &[][..], 403),
        ("database", None, "/accounts/1", &[][..], 403),
        ("database", None, "/a%20b", &[][..], 403),
        // Nobody asked as these did: they are not let in.
        ("attack", None, "/health", &[][..], 0),
        ("attack", summary, "/stolen", &[][..], 0),
        ("attack", Some("default"), "/health", &[][..], 0),
        ("customer", None, "/health", &[][..], 0),
    ] {
        assert_eq!(ask(pod, key, path, more), status, "{pod} {key:?} {path} {more:?}");
    }
    assert_eq!(proxy.end(), 0);
}

#[test]
fn without_certificates_addresses_are_suggested_and_the_application_is_closed_to_others() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    std::fs::create_dir_all(folder.at("policies")).unwrap();
    let mut proxy = proxy(&folder, &upstream, "");
    let web = proxy.address();
    let ask = |method: &str, path: &str| {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        support::send(web, request.as_bytes()).status
    };
    assert_eq!([ask("GET", "/a"), ask("GET", "/b"), ask("PUT", "/b")], [200; 3]);
    eventually("the log", || (lines(&folder) == 3).then_some(()));
    let staged = suggest(&folder, &["--staged", "--labels", "app=summary"]);
    for kind in ["kind: StagedNetworkPolicy\n", "kind: StagedKubernetesNetworkPolicy\n"] {
        assert!(staged.out.contains(kind), "{}", staged.out);
    }
    // What is staged refuses nothing, and says what it would.
    let file = folder.at("policies/suggested.yaml");
    std::fs::write(&file, &staged.out).unwrap();
    eventually("what is staged", || {
        assert_eq!(ask("DELETE", "/a"), 200);
        let log = std::fs::read_to_string(folder.at("error.log")).unwrap_or_default();
        log.contains(
            "Staged policies would deny the request [tier \"default\"] [policy \"yaobank/palisade-summary\"]",
        )
        .then_some(())
    });
    let suggested = suggest(&folder, &["--since", "1h", "--service", "summary", "--labels", "app=summary"]);
    assert!(suggested.out.contains("source: {nets: ['127.0.0.1/32']}"), "{}", suggested.out);
    assert!(suggested.out.contains("- {ipBlock: {cidr: '127.0.0.1/32'}}"), "{}", suggested.out);
    let none = suggest(&folder, &["--service", "other"]);
    assert_eq!(none.code, 2, "{}", none.err);
    assert!(
        none.err.contains("that --service and --since do not choose")
            && none.err.contains("nothing to learn from")
    );
    assert_eq!(proxy.end(), 0);
}

fn line(more: Value) -> String {
    let mut line = json!({
        "time": "2026-11-22T09:00:00.000Z", "peer": "10.0.0.1:4711", "server": "10.0.0.12:8080", "direction": "inbound",
        "source": {"namespace": "yaobank", "name": null, "service_account": "customer", "known_by": "certificate"},
        "destination": {"namespace": "yaobank", "name": "summary-1", "service_account": "summary", "known_by": "configuration"},
        "client_certificate": {"verify": "SUCCESS", "spiffe_id": "spiffe://cluster.local/ns/yaobank/sa/customer"},
        "service": "summary", "method": "GET", "path": "/a?x=1", "status": 200, "answered_by": "upstream",
        "upstream": "127.0.0.1:3000", "verdict": "pass", "unknown": {"key": [1]}
    });
    for (key, value) in more.as_object().unwrap() {
        line[key] = value.clone();
    }
    format!("{line}\n")
}

#[test]
fn every_line_that_is_not_learned_from_is_counted_by_its_reason() {
    let log: String = [
        line(json!({})),
        line(json!({"path": "/wp-login.php", "status": 404})),
        line(json!({"path": "/refused", "status": 403, "answered_by": "palisade"})),
        line(json!({"path": "/gone", "status": null, "answered_by": null})),
        line(json!({"path": "/attack", "verdict": "deny"})),
        line(json!({"source": {"namespace": "yaobank", "service_account": "audit", "known_by": "address"}})),
        line(json!({"direction": "outbound"})),
        line(json!({"destination": null})),
        line(json!({"path": "/a/%2e%2e/b"})),
        line(json!({"method": "BAD METHOD"})),
        line(json!({"time": "2026-11-21T09:00:00.000Z", "path": "/old"})),
        line(json!({"service": "other", "path": "/other"})),
        line(json!({"status": 503, "path": "/fails"})),
        "no JSON\n\n{\"peer\": 1}\n".to_owned(),
        format!("{{\"peer\": \"{}\"}}\n", "x".repeat(300_000)),
        line(json!({"path": "/last"})).trim_end().to_owned(),
    ]
    .concat();
    let answer = palisade_with(
        &["policy", "suggest", "-", "--service", "summary", "--since", "2026-11-22"],
        log.as_bytes(),
    );
    assert_eq!(answer.code, 0, "{}", answer.err);
    for part in [
        "17 lines read, 3 requests learned from",
        "left out: 2 requests that --service and --since do not choose",
        "left out: 1 request of the workload's own",
        "left out: 1 request for workloads that the log does not name",
        "left out: 1 request taken for attacks",
        "left out: 1 request answered by Palisade",
        "left out: 1 request without an answer",
        "left out: 1 request that the service answered with 400 to 499",
        "left out: 1 request with another's certificate than has the address",
        "left out: 1 request served, but the path can be read in more than one way",
        "left out: 1 request served, but the method is none that a policy could name",
        "left out: 3 lines that are none of an access log",
        "no policy of Kubernetes's own kind is written",
        // Those that could not be learned are named.
        "of 3 requests that they were made of the policies would have denied 0\n",
        "of 2 requests that were served, but not learned from, the policies would have denied 2\n",
        "GET /a/%2e%2e/b of summary from 10.0.0.1: ",
    ] {
        assert!(answer.err.contains(part), "{part} in {}", answer.err);
    }
    for (path, there) in
        [("/a'", true), ("/fails'", true), ("/last'", true), ("/wp-login.php", false), ("/attack", false)]
    {
        assert_eq!(answer.out.contains(path), there, "{path} in {}", answer.out);
    }
}
