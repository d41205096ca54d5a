//! A data plane of the binary with the console, and what is asked of its pages.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use super::Browser;
use crate::support::{Folder, PATIENCE, Response, Running, Upstream, command, eventually, send};

pub(crate) const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecRule ARGS|REQUEST_HEADERS:User-Agent "@contains evil" "id:1001,phase:2,deny,status:403,log,msg:'Evil <b>seen</b>',logdata:'%{MATCHED_VAR}',severity:CRITICAL,tag:attack-sqli,t:lowercase"
SecRule ARGS:other "@contains bad" "id:1002,phase:2,deny,status:403,log,msg:'Bad',severity:WARNING,tag:attack-xss"
"#;

pub(crate) const POLICIES: &str = "
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: default.web, namespace: shop}
spec:
  selector: app == 'web'
  types: [Ingress]
  ingress:
  - {action: Deny, http: {paths: [{prefix: /internal}]}}
  - {action: Allow}
";

/// A data plane in front of an echo, with its console.
pub(crate) struct Plane {
    pub(crate) proxy: Running,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) config: String,
    pub(crate) folder: Folder,
    _upstream: Upstream,
}

impl Plane {
    pub(crate) fn start(admin: &str) -> Self {
        Self::start_with(admin, "")
    }

    /// The same with further sections of the configuration.
    pub(crate) fn start_with(admin: &str, more: &str) -> Self {
        let (folder, upstream) = (Folder::new(), Upstream::start());
        let rules = folder.write("rules.conf", RULES);
        let policies = folder.write("policies.yaml", POLICIES);
        let config = format!(
            "workload: {{namespace: shop, name: web, serviceAccount: web, labels: {{app: web}}}}\n\
             admin: {{address: \"127.0.0.1:0\"{admin}}}\ndataDir: {}\nlogs: {{error: {}}}\n\
             policies: {{files: [{policies}]}}\n\
             listeners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
             profiles: {{default: {{mode: block, rules: {{files: [{rules}]}}}}}}\n\
             events: {{l7: {{flushInterval: 1s}}}}\n\
             {more}services:\n- name: front\n  upstream: {{url: \"{}\"}}\n",
            folder.at("data"),
            folder.at("error.log"),
            upstream.url
        );
        let file = folder.write("palisade.yaml", &config);
        let mut proxy = Running::start(command(&["run", "--config", &file]));
        let (address, admin) = (proxy.address(), proxy.admin());
        Self { proxy, address, admin, config, folder, _upstream: upstream }
    }

    /// Ends it and starts it again on the same folder.
    pub(crate) fn restart(&mut self) {
        assert_eq!(self.proxy.end(), 0);
        self.proxy = Running::start(command(&["run", "--config", &self.folder.at("palisade.yaml")]));
        (self.address, self.admin) = (self.proxy.address(), self.proxy.admin());
    }

    pub(crate) fn url(&self, page: &str) -> String {
        format!("http://{}/#/{page}", self.admin)
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Response {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}",
            self.admin
        );
        send(self.admin, request.as_bytes())
    }

    /// The head of an answer without a body.
    pub(crate) fn head(&self, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request =
            format!("HEAD {path} HTTP/1.1\r\nHost: {}\r\n{headers}Connection: close\r\n\r\n", self.admin);
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = String::new();
        stream.read_to_string(&mut head).unwrap();
        head
    }

    pub(crate) fn read(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, "", "");
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Waits until so many events are kept.
    pub(crate) fn has_events(&self, count: usize) {
        eventually("events", || {
            let events = self.read("/api/v1/events");
            (events["items"].as_array().unwrap().len() >= count).then_some(())
        });
    }

    /// Whether the console is part of this program. Says so where it is not.
    pub(crate) fn has_console(&self) -> bool {
        has_console(self.admin)
    }
}

/// Whether what answers at an address has the pages of the console. Says so where it has not.
pub(crate) fn has_console(admin: SocketAddr) -> bool {
    let request = format!("GET / HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    let has = send(admin, request.as_bytes()).body.contains("id=\"app\"");
    if !has {
        println!("skipped: this program was built without the web console: scripts/build-ui");
    }
    has
}

/// A browser and a data plane with the console; none where one of them is not here.
pub(crate) fn both(admin: &str) -> Option<(Browser, Plane)> {
    both_with(admin, "")
}

/// The same with further sections of the configuration.
pub(crate) fn both_with(admin: &str, more: &str) -> Option<(Browser, Plane)> {
    let plane = Plane::start_with(admin, more);
    if !plane.has_console() {
        return None;
    }
    Some((Browser::start()?, plane))
}

/// What axe-core has to say against the page that is shown; nothing where it is not installed.
pub(crate) fn axe(browser: &mut Browser) -> Vec<String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../console/ui/node_modules/axe-core/axe.min.js");
    let Ok(source) = std::fs::read_to_string(file) else {
        println!("skipped: accessibility, axe-core is not installed: scripts/build-ui");
        return Vec::new();
    };
    browser.eval(&format!("{source};0"));
    let tags = json!(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]);
    let found = browser.eval(&format!(
        "axe.run(document, {{ runOnly: {{ type: 'tag', values: {tags} }} }}).then((result) => result.violations.map(
           (one) => `${{one.id}}: ${{one.help}}: ${{one.nodes.slice(0, 3).map((node) => node.html + ' ' + node.failureSummary).join(' | ')}}`))"
    ));
    found.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}
