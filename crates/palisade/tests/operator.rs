//! `palisade operator`, the built binary, against an API server: the fake one by TLS, which is proven against transcripts, and
//! a real one where `KUBEBUILDER_ASSETS` names it.

mod pki;
mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use palisade_kube_fake::{Cluster, Identity, Server, everywhere};
use serde_json::{Value, json};
use support::Folder;

struct Operator {
    child: Child,
    lines: mpsc::Receiver<String>,
    probes: String,
    _folder: Folder,
}

impl Operator {
    fn start(cluster: &Cluster, identity: &str) -> Operator {
        Operator::start_with(cluster, identity, &[])
    }

    fn start_with(cluster: &Cluster, identity: &str, more: &[&str]) -> Operator {
        let folder = Folder::new();
        let kubeconfig = folder.write("kubeconfig", cluster.kubeconfig());
        Operator::run(&[&["--kubeconfig", &kubeconfig, "--identity", identity], more].concat(), folder)
    }

    fn run(arguments: &[&str], folder: Folder) -> Operator {
        Operator::run_with(arguments, folder, &[])
    }

    fn run_with(arguments: &[&str], folder: Folder, variables: &[(&str, &str)]) -> Operator {
        let mut child = Command::new(env!("CARGO_BIN_EXE_palisade"))
            .envs(variables.iter().copied())
            .args(["operator", "--probes", "127.0.0.1:0", "--lease-seconds", "3"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let stderr = child.stderr.take().expect("it is piped");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut operator = Operator { child, lines, probes: String::new(), _folder: folder };
        let line = operator.says("listening on http://");
        operator.probes = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .expect("an address")
            .to_owned();
        operator
    }

    /// Waits for a line with these words.
    fn says(&self, words: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("it never said `{words}`"));
            if line.contains(words) {
                return line;
            }
        }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.probes).expect("probes listen");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").expect("probes read");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("probes answer");
        answer
    }

    fn terminate(&mut self) -> bool {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(killed.expect("kill runs").success());
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it did not end");
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn patiently(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < until, "waited for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What every cluster has that the operator runs in.
fn prepare(cluster: &Cluster) {
    cluster.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "palisade-system"}}));
}

/// The fake one alone: a test that disturbs its server.
fn disturbed() -> Cluster {
    let cluster = Cluster::Fake(Server::start_secure());
    prepare(&cluster);
    cluster
}

fn fake(cluster: &Cluster) -> &Server {
    match cluster {
        Cluster::Fake(server) => server,
        Cluster::Real(_) => panic!("only the fake one is disturbed"),
    }
}

/// The CRDs, as `palisade crdgen` prints them.
fn install(server: &Cluster) {
    let out = Command::new(env!("CARGO_BIN_EXE_palisade")).arg("crdgen").output().expect("the binary runs");
    assert!(out.status.success());
    let text = String::from_utf8(out.stdout).expect("YAML is text");
    for crd in text.split("---\n").skip(1) {
        server.put(serde_saphyr::from_str(crd).expect("a CRD in YAML"));
    }
}

fn ours(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "palisade.dev/v1alpha1", "kind": kind, "metadata": {"namespace": "shop", "name": name}, "spec": spec})
}

/// Status, reason, message and observed generation of `Accepted`, once the present generation was judged.
fn accepted(server: &Cluster, resource: &str, name: &str) -> Option<(bool, String, String)> {
    let object = server.get(&format!("palisade.dev/{resource}"), "shop", name)?;
    if object["status"]["observedGeneration"] != object["metadata"]["generation"] {
        return None;
    }
    let conditions = object["status"]["conditions"].as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == "Accepted")?;
    let text = |field: &str| condition[field].as_str().unwrap_or("").to_owned();
    Some((condition["status"] == "True", text("reason"), text("message")))
}

fn is(server: &Cluster, resource: &str, name: &str, wanted: bool) {
    patiently(&format!("{resource}/{name} Accepted={wanted}"), || {
        accepted(server, resource, name).is_some_and(|(is, ..)| is == wanted)
    });
}

const PATIENCE: Duration = Duration::from_secs(90);
const GOOD: &str = "SecRule ARGS \"@contains x\" \"id:1,phase:2,deny\"\n";

#[test]
fn rules_that_do_not_compile_are_refused_in_their_condition_and_taken_once_they_do() {
    everywhere(|server| {
        prepare(server);
        install(server);
        server.put(ours(
            "RuleSet",
            "rules",
            json!({"text": "SecRule ARGZ \"@contains x\" \"id:1,phase:2,deny\"\n"}),
        ));
        server.put(
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": "web"},
            "spec": {"ports": [{"name": "http", "port": 80}]}}),
        );
        server.put(ours("WafProfile", "strict", json!({"mode": "block", "rules": {"ruleSets": ["rules"]}})));
        server.put(ours(
            "Protection",
            "web",
            json!({"targetRefs": [{"kind": "Service", "name": "web"}], "profile": "strict"}),
        ));
        let operator = Operator::start(server, "one");
        is(server, "rulesets", "rules", false);
        let (_, reason, message) = accepted(server, "rulesets", "rules").expect("judged");
        assert_eq!(reason, "InvalidRules");
        assert!(message.contains("ARGZ"), "{message}");
        is(server, "wafprofiles", "strict", false);
        is(server, "protections", "web", false);
        server.put(ours("RuleSet", "rules", json!({"text": GOOD})));
        is(server, "rulesets", "rules", true);
        is(server, "wafprofiles", "strict", true);
        is(server, "protections", "web", true);
        // One event a verdict, however often it is looked at.
        patiently("an event of each verdict", || {
            let events = server.list("events.k8s.io/events", Some("shop"));
            let of = |reason: &str| {
                events
                    .iter()
                    .filter(|event| event["reason"] == reason && event["regarding"]["name"] == "rules")
                    .count()
            };
            of("InvalidRules") == 1 && of("Compiled") == 1
        });
        let metrics = operator.get("/metrics");
        assert!(metrics.contains("palisade_operator_leader 1"), "{metrics}");
        assert!(
            metrics.contains("palisade_operator_objects{kind=\"RuleSet\",accepted=\"true\"} 1"),
            "{metrics}"
        );
        assert!(operator.get("/readyz").starts_with("HTTP/1.1 200"));
    });
}

#[test]
fn a_profile_brings_the_rules_that_it_names_to_the_pool_and_bad_ones_stay_away() {
    everywhere(|server| {
        prepare(server);
        install(server);
        server.put(ours("RuleSet", "good", json!({"text": GOOD})));
        server.put(ours("RuleSet", "bad", json!({"text": "SecRule\n"})));
        server.put(ours("WafProfile", "strict", json!({"mode": "block", "rules": {"ruleSets": ["good"]}})));
        server.put(ours("WafProfile", "broken", json!({"mode": "block", "rules": {"ruleSets": ["bad"]}})));
        let folder = Folder::new();
        let (dir, folder) = (folder.at("bundle"), folder.path().join("bundle"));
        let _operator = Operator::start_with(server, "one", &["--bundle-dir", &dir]);
        patiently("the rules in the pool's configuration", || {
            std::fs::read_to_string(folder.join("rules/shop.good/rules.conf")).is_ok_and(|text| text == GOOD)
        });
        patiently("the profile in the pool's configuration", || {
            let text = std::fs::read_to_string(folder.join("palisade.yaml")).unwrap_or_default();
            let config: Value = serde_json::from_str(&text).unwrap_or_default();
            config["profiles"]["shop.strict"]["rules"]["files"] == json!(["rules/shop.good/rules.conf"])
                && config["profiles"]["shop.broken"].is_null()
        });
        assert!(!folder.join("rules/shop.bad").exists());
    });
}

#[test]
fn a_status_that_says_it_already_is_not_written_again() {
    let server = disturbed();
    install(&server);
    server.put(ours("RuleSet", "rules", json!({"text": GOOD})));
    let _operator = Operator::start(&server, "one");
    is(&server, "rulesets", "rules", true);
    let writes =
        || fake(&server).requests().iter().filter(|seen| seen.path.ends_with("/rules/status")).count();
    let before = writes();
    for label in ["a", "b", "c"] {
        let mut object = server.get("palisade.dev/rulesets", "shop", "rules").expect("kept");
        object["metadata"]["labels"] = json!({"touched": label});
        server.put(object);
    }
    // A second object, judged after those touches, shows that they were looked at.
    server.put(ours("RuleSet", "later", json!({"text": GOOD})));
    is(&server, "rulesets", "later", true);
    assert_eq!(writes(), before);
}

#[test]
fn one_leads_and_another_takes_over_when_it_dies_or_gives_up() {
    everywhere(|server| {
        prepare(server);
        install(server);
        let mut one = Operator::start(server, "one");
        one.says("one leads");
        let mut two = Operator::start(server, "two");
        patiently("the second to ask for the Lease", || two.get("/readyz").starts_with("HTTP/1.1 200"));
        assert!(two.get("/metrics").contains("palisade_operator_leader 0"));
        let holder = || {
            server.get("coordination.k8s.io/leases", "palisade-system", "palisade-operator").expect("a Lease")
                ["spec"]["holderIdentity"]
                .clone()
        };
        assert_eq!(holder(), "one");
        // It dies without a word.
        one.child.kill().expect("it lives");
        two.says("two leads");
        assert_eq!(holder(), "two");
        server.put(ours("RuleSet", "rules", json!({"text": GOOD})));
        is(server, "rulesets", "rules", true);
        // It is asked to end: the next one need not wait for the Lease's end.
        let three = Operator::start(server, "three");
        assert!(two.terminate(), "exit 0");
        three.says("three leads");
        let lease = server
            .get("coordination.k8s.io/leases", "palisade-system", "palisade-operator")
            .expect("a Lease");
        assert_eq!(lease["spec"]["leaseTransitions"], 2);
    });
}

#[test]
fn who_loses_the_api_server_stops_writing_and_goes_on_when_it_is_back() {
    let server = disturbed();
    install(&server);
    let operator = Operator::start(&server, "one");
    operator.says("one leads");
    fake(&server).away(true);
    operator.says("one no longer leads");
    assert!(operator.get("/livez").starts_with("HTTP/1.1 200"));
    server.put(ours("RuleSet", "rules", json!({"text": GOOD})));
    fake(&server).away(false);
    operator.says("one leads");
    is(&server, "rulesets", "rules", true);
}

#[test]
fn expired_and_broken_watches_are_begun_again() {
    let server = disturbed();
    install(&server);
    let _operator = Operator::start(&server, "one");
    for (n, disturb) in
        [Server::drop_watches as fn(&Server), Server::expire_watches, Server::bookmark, Server::compact]
            .into_iter()
            .enumerate()
    {
        server.put(ours("RuleSet", &format!("before{n}"), json!({"text": GOOD})));
        is(&server, "rulesets", &format!("before{n}"), true);
        disturb(fake(&server));
        server.put(ours("RuleSet", &format!("after{n}"), json!({"text": GOOD})));
        is(&server, "rulesets", &format!("after{n}"), true);
    }
}

#[test]
fn kinds_that_come_later_are_seen() {
    everywhere(|server| {
        prepare(server);
        let operator = Operator::start(server, "one");
        // A cluster without our kinds is no reason to wait.
        patiently("readiness", || operator.get("/readyz").starts_with("HTTP/1.1 200"));
        install(server);
        server.put(ours("RuleSet", "rules", json!({"text": GOOD})));
        is(server, "rulesets", "rules", true);
    });
}

/// By flags instead of a kubeconfig file, as a pod of the cluster would be told; and by a certificate.
#[test]
fn the_api_server_is_reached_by_token_and_authority_or_by_certificate_and_by_nothing_less() {
    let cluster = disturbed();
    install(&cluster);
    let credentials = cluster.credentials().expect("it is spoken to by TLS");
    let files = Folder::new();
    let [token, authority] = [("token", &credentials.token), ("ca.crt", &credentials.authority)]
        .map(|(name, text)| files.write(name, text));
    let by_flags =
        ["--server", &cluster.url(), "--token-file", &token, "--ca", &authority, "--identity", "flags"];
    Operator::run(&by_flags, Folder::new()).says("flags leads");
    let kubeconfig =
        files.write("by-certificate", credentials.kubeconfig(&cluster.url(), Identity::Certificate));
    Operator::run(&["--kubeconfig", &kubeconfig, "--identity", "certificate"], Folder::new())
        .says("certificate leads");
    // A token that is wrong, and an authority that did not sign the server: nothing is written, and it stays alive.
    let holder = || {
        let lease = cluster.get("coordination.k8s.io/leases", "palisade-system", "palisade-operator");
        lease.expect("a Lease")["spec"]["holderIdentity"].clone()
    };
    let wrong = files.write("wrong", "no token of this server");
    let other = files.write("other.crt", palisade_kube_fake::Credentials::new().authority);
    for (token, authority) in [(&wrong, &authority), (&token, &other)] {
        let flags =
            ["--server", &cluster.url(), "--token-file", token, "--ca", authority, "--identity", "stranger"];
        let operator = Operator::run(&flags, Folder::new());
        std::thread::sleep(Duration::from_secs(1));
        assert!(
            operator.get("/livez").starts_with("HTTP/1.1 200")
                && operator.get("/readyz").starts_with("HTTP/1.1 503")
        );
        assert_ne!(holder(), "stranger");
    }
}

/// Data planes that come to the control Service find the operator that leads, whoever that is.
#[test]
fn the_control_service_follows_the_leader() {
    if !pki::tools() {
        return;
    }
    everywhere(|cluster| {
        prepare(cluster);
        install(cluster);
        cluster.put(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "palisade-system", "name": "control"},
            "spec": {"ports": [{"name": "control", "port": 9444, "targetPort": 9444}]}}));
        let files = Folder::new();
        let pki = pki::Pki(&files);
        pki.authority("ca");
        pki.server("ca", "control", &["localhost"]);
        let [ca, cert, key] = ["ca.crt", "control.crt", "control.key"].map(|name| files.at(name));
        let start = |identity: &str, ip: &str| {
            let flags = [
                "--control",
                "127.0.0.1:0",
                "--control-ca",
                &ca,
                "--control-cert",
                &cert,
                "--control-key",
                &key,
            ];
            let folder = Folder::new();
            let kubeconfig = folder.write("kubeconfig", cluster.kubeconfig());
            let common =
                ["--kubeconfig", &kubeconfig, "--identity", identity, "--control-service", "control"];
            Operator::run_with(&[&flags[..], &common].concat(), folder, &[("POD_IP", ip)])
        };
        let leads_to = || {
            let slice =
                cluster.get("discovery.k8s.io/endpointslices", "palisade-system", "control-leader-ipv4")?;
            assert_eq!(slice["metadata"]["labels"]["kubernetes.io/service-name"], "control");
            Some(slice["endpoints"][0]["addresses"][0].as_str()?.to_owned())
        };
        let mut one = start("one", "10.0.0.1");
        patiently("the first", || leads_to().as_deref() == Some("10.0.0.1"));
        let two = start("two", "10.0.0.2");
        patiently("the second to wait", || two.get("/readyz").starts_with("HTTP/1.1 200"));
        assert_eq!(leads_to().as_deref(), Some("10.0.0.1"));
        one.child.kill().expect("it lives");
        patiently("the second", || leads_to().as_deref() == Some("10.0.0.2"));
    });
}
