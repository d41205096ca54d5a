//! TLS towards services, and a workload's own calls that leave with its identity: one Palisade before another, as two
//! workloads of a mesh have it.

mod pki;
mod support;

use std::net::SocketAddr;

use pki::Pki;
use support::{Folder, Response, Running, Upstream, command, eventually, send};

fn get(address: SocketAddr, host: &str) -> Response {
    send(address, format!("GET /a HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n").as_bytes())
}

/// A Palisade before a database that lets in only who shows a certificate.
fn database(folder: &Folder, upstream: &Upstream) -> Running {
    folder.write(
        "db.conf",
        "SecRule ENV:SSL_CLIENT_VERIFY \"!@streq SUCCESS\" \"id:1,phase:1,deny,status:401\"\n\
         SecRule ENV:SSL_CLIENT_SPIFFE_ID \"@endsWith /sa/summary\" \"id:2,phase:1,pass,log,msg:'%{ENV.SSL_CLIENT_S_DN}'\"\n",
    );
    let text = format!(
        "admin: {{address: 'off'}}\ndataDir: data-db\nlogs: {{access: stdout}}\n\
         profiles: {{default: {{mode: block, detect: {{enabled: false}}, rules: {{files: [db.conf]}}}}}}\nlisteners:\n\
         - name: db\n  address: 127.0.0.1:0\n  tls: {{certificates: [{{cert: db.crt, key: db.key}}], clientCertificates: {{ca: mesh.crt}}}}\n\
         services: [{{name: db, upstream: {{url: \"{}\"}}}}]\n",
        upstream.url
    );
    Running::start(command(&["run", "--config", &folder.write("db.yaml", text)]))
}

#[test]
fn a_workloads_own_calls_leave_with_its_identity_and_only_the_right_service_gets_them() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    for authority in ["mesh", "other"] {
        pki.authority(authority);
    }
    let spiffe = |account: &str| format!("subjectAltName=URI:spiffe://cluster.local/ns/bank/sa/{account}\n");
    pki.issue("mesh", "db", "/O=bank", &spiffe("database"), 30);
    pki.issue("mesh", "summary", "/O=bank", &spiffe("summary"), 30);
    // As Istio lays it out.
    for (from, to) in [
        ("summary.crt", "certs/cert-chain.pem"),
        ("summary.key", "certs/key.pem"),
        ("mesh.crt", "certs/root-cert.pem"),
    ] {
        folder.write(to, std::fs::read(folder.at(from)).unwrap());
    }
    let mut database = database(&folder, &upstream);
    let port = database.listener("db").port();
    let service = |name: &str, tls: &str| {
        format!("- {{name: {name}, upstream: {{url: \"https://127.0.0.1:{port}\", tls: {tls}}}}}\n")
    };
    let id = |account: &str| format!("spiffeIds: [\"spiffe://cluster.local/ns/bank/sa/{account}\"]");
    let names = ["database", "impostor", "strange", "named", "bare"];
    let services = [
        service("database", &format!("{{clientCert: certs, {}}}", id("database"))),
        service("impostor", &format!("{{clientCert: certs, {}}}", id("customer"))),
        service("strange", &format!("{{clientCert: certs, ca: other.crt, {}}}", id("database"))),
        service("named", "{clientCert: certs, serverName: db.example}"),
        service("bare", &format!("{{ca: mesh.crt, {}}}", id("database"))),
    ];
    let routes: Vec<String> =
        names.iter().map(|name| format!("{{listener: out, hosts: [{name}], service: {name}}}")).collect();
    let text = format!(
        "admin: {{address: 127.0.0.1:0}}\ndataDir: data\nlisteners:\n- {{name: out, address: 127.0.0.1:0, direction: outbound}}\n\
         services:\n{}routes: [{}]\n",
        services.concat(),
        routes.join(", ")
    );
    let mut summary = Running::start(command(&["run", "--config", &folder.write("out.yaml", text)]));
    let (out, admin) = (summary.listener("out"), summary.admin());
    let answer = get(out, "database");
    assert_eq!(answer.status, 200, "{}", summary.err());
    // Twice, on one connection.
    assert_eq!(get(out, "database").status, 200);
    let line: serde_json::Value = eventually("the access log", || {
        database.out().lines().next().map(|line| serde_json::from_str(line).unwrap())
    });
    database.wait_err("[id \"2\"]");
    database.wait_err("[msg \"O=bank\"]");
    let certificate = &line["client_certificate"];
    assert_eq!(certificate["verify"], "SUCCESS", "{line}");
    assert_eq!(certificate["spiffe_id"], "spiffe://cluster.local/ns/bank/sa/summary");
    assert_eq!(certificate["sha256"].as_str().unwrap().len(), 64);
    let head = upstream.heads()[0].clone();
    // The outbound side adds nothing; the inbound one says who called it.
    assert!(head.contains("X-Forwarded-For: 1.2.3.4, 127.0.0.1\r\n"), "{head}");

    for (host, said) in [
        ("impostor", "its certificate will not do: "),
        (
            "strange",
            "its certificate is of an issuer that we do not know; name its authority by `upstream.tls.ca`",
        ),
        ("named", "its certificate will not do: "),
    ] {
        assert_eq!(get(out, host).status, 502, "{host}");
        summary.wait_err(&format!(
            "Answered with code 502: the upstream 127.0.0.1:{port}: the TLS handshake failed: {said}"
        ));
    }
    let metrics = send(admin, format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes()).body;
    assert!(metrics.contains("palisade_upstream_tls_failed_total 3\n"), "{metrics}");
    // Without a certificate nobody is let in there.
    assert_eq!(get(out, "bare").status, 400);

    // The workload's certificate is renewed, by another authority: the next connection has it.
    let (one, two) = (certificate["sha256"].clone(), |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["client_certificate"]["sha256"].clone()
    });
    pki.issue("mesh", "renewed", "/O=bank", &spiffe("summary"), 30);
    pki.bundle("certs/key.pem", &["renewed.key"]);
    pki.bundle("certs/cert-chain.pem", &["renewed.crt"]);
    eventually("the renewed certificate", || {
        assert_eq!(get(out, "database").status, 200);
        let line = database.out().lines().last().map(two)?;
        (line.is_string() && line != one).then_some(())
    });
    assert_eq!((summary.end(), database.end()), (0, 0));
}

#[test]
fn a_service_whose_certificate_was_taken_back_gets_no_requests() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    pki.authority("ca");
    pki.server("ca", "db", &["db.example"]);
    pki.revoke_v2("ca", &[]);
    let inner = format!(
        "admin: {{address: 'off'}}\ndataDir: data-db\nlisteners:\n- name: db\n  address: 127.0.0.1:0\n\
         \x20 tls: {{certificates: [{{cert: db.crt, key: db.key}}]}}\nservices: [{{name: db, upstream: {{url: \"{}\"}}}}]\n",
        upstream.url
    );
    let mut inner = Running::start(command(&["run", "--config", &folder.write("db.yaml", inner)]));
    let port = inner.listener("db").port();
    let outer = format!(
        "admin: {{address: 'off'}}\ndataDir: data\nlisteners: [{{name: web, address: 127.0.0.1:0}}]\n\
         services: [{{name: db, upstream: {{url: \"https://127.0.0.1:{port}\", tls: {{ca: ca.crt, crl: ca.crl}}}}}}]\n"
    );
    let mut outer = Running::start(command(&["run", "--config", &folder.write("web.yaml", outer)]));
    let web = outer.address();
    assert_eq!(get(web, "h").status, 200, "{}", outer.err());
    pki.revoke_v2("ca", &["db"]);
    eventually("the list", || (get(web, "h").status == 502).then_some(()));
    outer.wait_err("its certificate will not do: ");
    // A list that is none leaves the one before in force.
    folder.write("ca.crl", "no list");
    outer.wait_err("no revocation list can be read");
    assert_eq!(get(web, "h").status, 502);
    assert_eq!((outer.end(), inner.end()), (0, 0));
}
