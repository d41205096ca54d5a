//! A console for many data planes, its data planes, and what is asked of them.
#![allow(dead_code, reason = "each test binary uses its part of it")]

pub(crate) mod rogue;

use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use crate::pki::Pki;
use crate::support::{Folder, Response, Running, Upstream, command, send};

/// A console, and certificates for it and for data planes.
pub(crate) struct Stage {
    pub(crate) folder: Folder,
    upstream: Upstream,
    /// What configurations of data planes say beside.
    pub(crate) beside: String,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = Folder::new();
        let pki = Pki(&folder);
        pki.authority("ca");
        pki.server("ca", "console", &["localhost"]);
        folder.write("rules.conf", RULES);
        Self { folder, upstream: Upstream::start(), beside: String::new() }
    }

    pub(crate) fn console(&self, listen: &str, more: &[&str]) -> Running {
        let mut more = more.to_vec();
        more.extend(["--admin", "127.0.0.1:0"]);
        Running::start(self.command(listen, &more))
    }

    pub(crate) fn command(&self, listen: &str, more: &[&str]) -> Command {
        let [ca, cert, key, data] =
            ["ca.crt", "console.crt", "console.key", "console-data"].map(|name| self.folder.at(name));
        let arguments =
            ["console", "--listen", listen, "--ca", &ca, "--cert", &cert, "--key", &key, "--data-dir", &data];
        let mut command = command(&arguments);
        command.args(more);
        command
    }

    /// A data plane that has a certificate for its name.
    pub(crate) fn plane(&self, name: &str, listen: &str, console: SocketAddr) -> Running {
        if !self.folder.path().join(format!("{name}.crt")).exists() {
            Pki(&self.folder).server("ca", name, &[name]);
        }
        let [cert, key] = ["crt", "key"].map(|end| self.folder.at(&format!("{name}.{end}")));
        self.plane_with(name, listen, console, &format!("cert: {cert}, key: {key}"))
    }

    /// A data plane that says by something else who it is.
    pub(crate) fn plane_with(&self, name: &str, listen: &str, console: SocketAddr, by: &str) -> Running {
        let [ca, rules, data] =
            [self.folder.at("ca.crt"), self.folder.at("rules.conf"), self.folder.at(name)];
        let config = self.folder.write(
            &format!("{name}.yaml"),
            format!(
                "workload: {{namespace: shop, name: {name}, serviceAccount: web}}\n\
                 listeners: [{{name: web, address: \"{listen}\"}}]\n\
                 services: [{{name: shop, upstream: {{url: \"{}\"}}}}]\n\
                 profiles: {{default: {{mode: block, detect: {{enabled: false}}, rules: {{files: [{rules}]}}}}}}\n\
                 dataDir: {data}\nadmin: {{address: \"127.0.0.1:0\"}}\nlogs: {{access: \"off\", error: \"off\"}}\n\
                 events: {{l7: {{flushInterval: 1s}}, collector: {{url: \"https://localhost:{}\", name: {name}, ca: {ca}, {by}}}}}\n{}\n",
                self.upstream.url,
                console.port(),
                self.beside
            ),
        );
        Running::start(command(&["run", "--config", &config]))
    }
}

const RULES: &str = "SecRuleEngine On\nSecRule REQUEST_URI \"@contains evil\" \"id:1,phase:1,deny,status:403,log,msg:'evil'\"\n";

/// A JSON answer.
pub(crate) fn json(admin: SocketAddr, target: &str) -> Value {
    let answer = ask_admin(admin, target);
    assert_eq!(answer.status, 200, "{target}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

pub(crate) fn ask_admin(admin: SocketAddr, target: &str) -> Response {
    send(admin, format!("GET {target} HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes())
}

pub(crate) fn items(answer: &Value) -> &[Value] {
    answer["items"].as_array().unwrap()
}

/// A change by the API.
pub(crate) fn change(admin: SocketAddr, method: &str, target: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {admin}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let answer = send(admin, request.as_bytes());
    (answer.status, answer.body)
}
