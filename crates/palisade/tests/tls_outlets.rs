//! Sinks and webhooks that speak TLS, before peers that are other programs: syslog, and mail by STARTTLS.

mod pki;
mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use pki::Pki;
use support::{Folder, Running, Upstream, command, eventually, get, palisade};

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/events/peers.py");
const RULES: &str = "SecRuleEngine On\nSecRule ARGS:q \"@contains evil\" \"id:1001,phase:2,deny,status:403,log,msg:'Evil'\"\n";

/// A peer at work, and the lines that it prints.
struct Peer {
    child: Child,
    port: u16,
    said: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    fn start(folder: &Folder, what: &str) -> Self {
        let (certificate, key) = (folder.at("server.crt"), folder.at("server.key"));
        let mut child = Command::new("python3")
            .args([PEERS, what, &certificate, &key])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        let said = Arc::<Mutex<Vec<String>>>::default();
        let into = said.clone();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| into.lock().unwrap().push(line));
        });
        Self { child, port, said }
    }

    fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An authority and a certificate of `127.0.0.1` by it, where the tools are here.
fn certificates(folder: &Folder) -> bool {
    if Command::new("python3").args(["-c", "import ssl"]).output().is_ok_and(|output| output.status.success())
    {
        if !pki::tools() {
            return false;
        }
        let pki = Pki(folder);
        pki.authority("ca");
        pki.authority("other");
        pki.issue("ca", "server", "/CN=server", "subjectAltName=IP:127.0.0.1\n", 30);
        return true;
    }
    println!("skipped: no Python here that has ssl");
    false
}

fn proxy(folder: &Folder, upstream: &Upstream, events: &str) -> Running {
    let rules = folder.write("rules.conf", RULES);
    let config = format!(
        "admin: {{address: \"off\"}}\ndataDir: {}\nlogs: {{error: {}}}\nlisteners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         services: [{{name: shop, upstream: {{url: \"{}\"}}}}]\n\
         profiles: {{default: {{mode: block, rules: {{files: [{rules}]}}, detect: {{enabled: false}}}}}}\n{events}",
        folder.at("data"),
        folder.at("error.log"),
        upstream.url
    );
    let file = folder.write("palisade.yaml", config);
    Running::start(command(&["run", "--config", &file]))
}

#[test]
fn syslog_over_tls_loses_nothing_to_a_server_that_hangs_up_between_messages() {
    let folder = Folder::new();
    if !certificates(&folder) {
        return;
    }
    let (peer, upstream) = (Peer::start(&folder, "syslog"), Upstream::start());
    let sink = |ca: &str| {
        format!(
            "events: {{sinks: [{{syslog: {{address: \"127.0.0.1:{}\", transport: tls, ca: {ca}}}, records: [waf]}}]}}\n",
            peer.port
        )
    };
    let mut running = proxy(&folder, &upstream, &sink("ca.crt"));
    let address = running.address();
    // It hangs up after each second message; its tickets lie before that in what it has sent.
    for number in 1..=5 {
        assert_eq!(get(address, &format!("/?q=evil{number}"), "").status, 403, "{}", running.err());
        let text = format!("q=evil{number}\"");
        eventually(&text, || peer.said().iter().any(|line| line.contains(&text)).then_some(()));
    }
    let said = peer.said();
    assert_eq!(said.len(), 5, "each once: {said:?}");
    assert!(said[0].starts_with("<132>1 ") && said[0].contains(" palisade "), "{}", said[0]);
    assert_eq!(running.end(), 0);
    // Somebody else's certificate gets nothing.
    let mut running = proxy(&folder, &upstream, &sink("other.crt"));
    assert_eq!(get(running.address(), "/?q=evil6", "").status, 403);
    running.wait_err("cannot be reached: invalid peer certificate");
    assert!(!peer.said().iter().any(|line| line.contains("evil6")), "{:?}", peer.said());
}

#[test]
fn mail_goes_on_over_tls_and_only_then_says_its_password() {
    let folder = Folder::new();
    if !certificates(&folder) {
        return;
    }
    let peer = Peer::start(&folder, "smtp");
    folder.write("password", "open sesame\n");
    let alerts = |ca: &str| {
        let hook = format!(
            "apiVersion: projectcalico.org/v3\nkind: GlobalAlert\nmetadata: {{name: any}}\n\
             spec: {{description: any, severity: 9, dataSet: waf}}\n---\n\
             apiVersion: projectcalico.org/v3\nkind: SecurityEventWebhook\nmetadata: {{name: mail}}\nspec:\n  consumer: Email\n  config:\n  \
             - {{name: server, value: \"127.0.0.1:{}\"}}\n  - {{name: from, value: palisade@example.com}}\n  \
             - {{name: to, value: soc@example.com}}\n  - {{name: username, value: waf}}\n  \
             - {{name: password, valueFrom: {{file: {}}}}}\n  - {{name: ca, value: {ca}}}\n",
            peer.port,
            folder.at("password"),
        );
        folder.write("alerts.yaml", hook);
        let config = "services: [{name: shop, upstream: {url: \"http://127.0.0.1:9\"}}]\nalerts: {files: [alerts.yaml]}\n";
        let file = folder.write("mail.yaml", config);
        palisade(&["alerts", "test", "any", "--config", &file])
    };
    let told = alerts(&folder.at("ca.crt"));
    assert_eq!(
        (told.code, &*told.out),
        (0, "mail: told, taken by the mail server\n1 webhook told, 0 not\n"),
        "{told:?}"
    );
    let said =
        eventually("its end", || Some(peer.said()).filter(|said| said.iter().any(|line| line == "QUIT")));
    let place = |what: &str| {
        said.iter().position(|line| line.starts_with(what)).unwrap_or_else(|| panic!("{what}: {said:?}"))
    };
    assert!(place("STARTTLS") < place("TLS") && place("TLS") < place("AUTH PLAIN"), "{said:?}");
    assert_eq!(said.iter().filter(|line| line.starts_with("EHLO")).count(), 2, "{said:?}");
    assert!(place("RCPT TO:<soc@example.com>") < place("Subject: =?UTF-8?B?"), "{said:?}");
    // Before TLS with somebody else nothing is said that matters.
    let refused = alerts(&folder.at("other.crt"));
    assert!(
        refused.code == 1 && refused.out.contains("mail: not told") && refused.out.contains("certificate"),
        "{refused:?}"
    );
    assert_eq!(peer.said().iter().filter(|line| line.starts_with("AUTH")).count(), 1, "{:?}", peer.said());
}
