//! A data plane whose configuration comes over the control stream, and a server that has it from a folder: both as
//! people run them.

mod pki;
mod support;

use std::net::SocketAddr;

use pki::Pki;
use support::{Folder, Running, Upstream, command, eventually, get, send};

/// A stage: certificates, a folder that is served, a data folder.
struct Stage {
    folder: Folder,
    upstream: Upstream,
}

impl Stage {
    fn new() -> Self {
        let folder = Folder::new();
        let pki = Pki(&folder);
        pki.authority("ca");
        pki.server("ca", "control", &["localhost"]);
        pki.server("ca", "plane", &["a.pool.test"]);
        let upstream = Upstream::start();
        folder.write(
            "bundle/palisade.yaml",
            format!(
                "listeners: [{{name: web, address: \"127.0.0.1:0\"}}]\nservices: [{{name: a, upstream: {{url: \"{}\"}}}}]\n\
                 profiles: {{default: {{mode: block, detect: {{enabled: false}}, rules: {{files: [rules/site.conf]}}}}}}\n",
                upstream.url
            ),
        );
        let stage = Self { folder, upstream };
        stage.forbids("one");
        stage
    }

    /// Has a rule that forbids a word in the path.
    fn forbids(&self, word: &str) {
        let rule = format!("SecRule REQUEST_URI \"@contains {word}\" \"id:1,phase:1,deny,status:403\"\n");
        self.folder.write("bundle/rules/site.conf", format!("SecRuleEngine On\n{rule}"));
    }

    fn server(&self, listen: &str) -> Running {
        let [bundle, ca, cert, key] =
            ["bundle", "ca.crt", "control.crt", "control.key"].map(|name| self.folder.at(name));
        Running::start(command(&[
            "control", "serve", "--bundle", &bundle, "--listen", listen, "--ca", &ca, "--cert", &cert,
            "--key", &key,
        ]))
    }

    fn plane(&self, server: SocketAddr) -> Running {
        Running::start(self.plane_command(server))
    }

    fn plane_command(&self, server: SocketAddr) -> std::process::Command {
        let [data, ca, cert, key] =
            ["data", "ca.crt", "plane.crt", "plane.key"].map(|name| self.folder.at(name));
        let url = format!("https://localhost:{}", server.port());
        command(&[
            "run",
            "--control",
            &url,
            "--control-ca",
            &ca,
            "--control-cert",
            &cert,
            "--control-key",
            &key,
            "--control-name",
            "a.pool.test",
            "--data-dir",
            &data,
            "--admin",
            "127.0.0.1:0",
        ])
    }
}

fn status(proxy: SocketAddr, word: &str) -> u16 {
    get(proxy, &format!("/{word}"), "").status
}

/// The value of a metric of the data plane, once it is that.
fn until_metric(admin: SocketAddr, line: &str) {
    let ask = format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    eventually(line, || send(admin, ask.as_bytes()).body.lines().any(|found| found == line).then_some(()));
}

fn until_forbidden(proxy: SocketAddr, word: &str) {
    eventually(word, || (status(proxy, word) == 403).then_some(()));
}

#[test]
fn a_data_plane_serves_what_a_server_says_and_goes_on_without_it() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    let mut server = stage.server("127.0.0.1:0");
    let at = server.listener("control");
    let mut plane = stage.plane(at);
    let proxy = plane.listener("web");
    assert_eq!((status(proxy, "one"), status(proxy, "two")), (403, 200));
    assert_eq!(stage.upstream.heads().len(), 1);
    server.wait_err("a.pool.test (");
    let admin = plane.admin();
    until_metric(admin, "palisade_control_connected 1");

    stage.forbids("two");
    until_forbidden(proxy, "two");
    assert_eq!(status(proxy, "one"), 200);

    // Rules that cannot be read leave in force what is, and the server says where they are wrong.
    stage.folder.write("bundle/rules/site.conf", "SecRule REQUEST_URI \"@nonsense x\" \"id:1\"\n");
    server.wait_err("profile default: ");
    assert!(server.err().contains("site.conf"), "{}", server.err());
    assert_eq!((status(proxy, "one"), status(proxy, "two")), (200, 403));
    stage.forbids("three");
    until_forbidden(proxy, "three");

    // The server is killed, and then the data plane: what was in force is served again.
    server.signal("KILL");
    plane.wait_err("what is in force stays");
    until_metric(admin, "palisade_control_connected 0");
    assert_eq!(status(proxy, "three"), 403);
    plane.signal("KILL");
    let mut plane = stage.plane(at);
    let proxy = plane.listener("web");
    assert_eq!((status(proxy, "three"), status(proxy, "four")), (403, 200));

    // And goes on where it was when the server is back.
    stage.forbids("four");
    let mut server = stage.server(&at.to_string());
    until_forbidden(proxy, "four");

    // What cannot be used at all is refused, and what is in force stays.
    stage.folder.write("bundle/palisade.yaml", "nonsense: 1\n");
    server.wait_err(" refuses ");
    until_metric(plane.admin(), "palisade_control_last_accepted 0");
    assert_eq!(status(proxy, "four"), 403);
    assert_eq!((plane.end(), server.end()), (0, 0));
}

#[test]
fn a_certificate_of_another_name_is_told_nothing() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    Pki(&stage.folder).server("ca", "plane", &["b.pool.test"]);
    let mut server = stage.server("127.0.0.1:0");
    let plane = stage.plane(server.listener("control"));
    plane.wait_err("its certificate is not for the DNS name `a.pool.test`");
    assert!(!plane.err().contains("listening on http"), "{}", plane.err());
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    for (flags, says) in [
        (&["run", "--control", "http://a:1"][..], "https://HOST:PORT"),
        (&["run", "--control", "https://a:1"], "--control-ca"),
        (&["run", "--control", "https://a:1", "--config", "x.yaml"], "--config"),
        (&["run", "--control-name", "a"], "--control"),
    ] {
        let output = command(flags).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {said}");
        assert!(said.contains(says), "{flags:?}: {said}");
    }
}

/// A pod of the pool that comes before its operator lives, so that nobody ends it, and takes no traffic.
#[test]
fn probes_are_answered_while_the_first_configuration_is_waited_for() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut plane = stage.plane_command(nobody);
    plane.env("PALISADE_PROBES", "127.0.0.1:0");
    let mut plane = Running::start(plane);
    let waiting = plane.listener("waiting");
    let answers =
        |address: SocketAddr| ["/livez", "/startupz", "/readyz"].map(|path| get(address, path, "").status);
    assert_eq!(answers(waiting), [200, 200, 503]);
    let server = stage.server(&nobody.to_string());
    let probes = plane.listener("probes");
    eventually("readiness", || (answers(probes) == [200, 200, 200]).then_some(()));
    drop(server);
}
