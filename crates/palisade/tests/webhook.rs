//! `palisade webhook`: questions over HTTPS as API servers ask them, certificates that change under it.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use palisade_kube_fake::Server;
use palisade_operator::certs::Kept;
use palisade_operator::{inject, manifest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use support::{Folder, PATIENCE, Running, command, eventually, get};

const NAME: &str = "palisade-webhook.palisade-system.svc";

/// Certificates, made now.
fn certificates() -> Kept {
    Kept::next(None, &[NAME.to_owned()], SystemTime::now()).unwrap()
}

/// Asks as an API server does: a POST over TLS, to a server that `bundle` vouches for. `None` where the handshake fails.
fn ask(address: SocketAddr, bundle: &str, path: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
    let mut connection = rustls::ClientConnection::new(config, NAME.try_into().unwrap()).unwrap();
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.complete_io(&mut socket).ok()?;
    let mut stream = rustls::StreamOwned::new(connection, socket);
    let head = format!(
        "POST {path}?timeout=5s HTTP/1.1\r\nHost: {NAME}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // Who is told early that a body is too large may have to stop sending it.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    Some((status, answer.split_off(end + 4)))
}

fn review(object: Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "0c32373f-e2c9-43d9-9e24-c74e5525613b", "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"}, "namespace": "shop", "operation": "CREATE",
        "object": object, "oldObject": null, "dryRun": false,
    }})
}

fn pod() -> Value {
    json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"generateName": "web-7847f7476f-", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": "app:1", "ports": [{"name": "http", "containerPort": 8080}]}]}})
}

/// A cluster with our namespace.
fn cluster() -> Server {
    let cluster = Server::start();
    cluster.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "palisade-system"}}));
    cluster
}

/// A server with the certificate of two files.
fn with_files(folder: &Folder, kept: &Kept) -> (Running, SocketAddr, SocketAddr) {
    let (cert, key) = (folder.write("tls.crt", kept.certificate()), folder.write("tls.key", kept.key()));
    let mut running = Running::start(command(&[
        "webhook",
        "--listen",
        "127.0.0.1:0",
        "--probes",
        "127.0.0.1:0",
        "--cert",
        &cert,
        "--key",
        &key,
    ]));
    let address = running.listener("webhook");
    let probes = running.listener("probes");
    (running, address, probes)
}

#[test]
fn an_api_servers_questions_are_answered_over_https() {
    let (folder, kept) = (Folder::new(), certificates());
    let (mut running, address, probes) = with_files(&folder, &kept);
    let bundle = kept.bundle();
    let answer = |path: &str, body: &Value| {
        let (status, body) = ask(address, &bundle, path, body.to_string().as_bytes()).unwrap();
        assert_eq!(status, 200);
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    let answered = answer("/inject", &review(pod()));
    let response = &answered["response"];
    assert_eq!(response["uid"], "0c32373f-e2c9-43d9-9e24-c74e5525613b");
    assert_eq!(response["patchType"], "JSONPatch");
    let patch =
        base64::engine::general_purpose::STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    let injected = inject::apply(&pod(), &serde_json::from_slice(&patch).unwrap()).unwrap();
    assert_eq!(injected["spec"]["initContainers"][0]["name"], "palisade");
    assert_eq!(answer("/inject", &review(injected))["response"].get("patch"), None);

    // A denial is an answer.
    let mut twice = pod();
    twice["metadata"]["annotations"] = json!({"palisade.dev/listen-port": "8080"});
    let denied = answer("/inject", &review(twice));
    assert_eq!(denied["response"]["allowed"], false);
    let mut rules = review(json!({"metadata": {"labels": {"palisade.dev/rules": "true"}}, "data": {
        "a.conf": "SecRule ARGS \"@rx (\" \"id:1,phase:2,deny\"\n"}}));
    rules["request"]["kind"]["kind"] = json!("ConfigMap");
    let denied = answer("/validate", &rules);
    assert!(denied["response"]["status"]["message"].as_str().unwrap().contains("a.conf:1:"), "{denied}");

    // What is no question.
    assert_eq!(ask(address, &bundle, "/inject", b"{}").unwrap().0, 400);
    assert_eq!(ask(address, &bundle, "/other", b"{}").unwrap().0, 404);
    let large = vec![b' '; (8 << 20) + 1];
    assert!(ask(address, &bundle, "/inject", &large).is_none_or(|(status, _)| status == 413));

    let metrics = get(probes, "/metrics", "").body;
    for line in [
        "palisade_injections_total{outcome=\"injected\"} 1",
        "palisade_injections_total{outcome=\"denied\"} 1",
        "palisade_injection_skips_total{reason=\"already-injected\"} 1",
        "palisade_validations_total{kind=\"ConfigMap\",outcome=\"denied\"} 1",
        "palisade_admission_refused_total{reason=\"too-large\"} 1",
        "palisade_admission_refused_total{reason=\"unreadable\"} 1",
    ] {
        assert!(metrics.lines().any(|there| there == line), "no {line} in {metrics}");
    }
    assert_eq!(get(probes, "/readyz", "").status, 200);
    assert_eq!(running.end(), 0);
}

/// What a real API server asked, as it was recorded.
#[test]
fn recorded_questions_are_answered_over_https() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/kubernetes/transcripts/06-admission-mutating.json"
    );
    let Ok(text) = std::fs::read(file) else {
        println!("skipped: no transcripts of an API server beside the repository");
        return;
    };
    let exchanges: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let (folder, kept) = (Folder::new(), certificates());
    let (_running, address, _) = with_files(&folder, &kept);
    let mut questions = 0;
    for exchange in
        exchanges.iter().filter(|exchange| exchange["request"]["body"]["kind"] == "AdmissionReview")
    {
        let body = &exchange["request"]["body"];
        let (status, answer) = ask(address, &kept.bundle(), "/inject", body.to_string().as_bytes()).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!((status, &answer["response"]["uid"]), (200, &body["request"]["uid"]));
        assert_eq!(answer["response"]["allowed"], true);
        questions += 1;
    }
    assert!(questions >= 10, "{questions}");
}

#[test]
fn a_certificate_that_is_replaced_is_shown_without_a_restart() {
    let (folder, first, second) = (Folder::new(), certificates(), certificates());
    let (running, address, _) = with_files(&folder, &first);
    let question = review(pod()).to_string();
    assert!(ask(address, &first.bundle(), "/inject", question.as_bytes()).is_some());
    assert!(ask(address, &second.bundle(), "/inject", question.as_bytes()).is_none());
    // Half of a change is no certificate: the one in use stays until both are there.
    folder.write("tls.key", second.key());
    running.wait_err("the certificate in use stays");
    assert!(ask(address, &first.bundle(), "/inject", question.as_bytes()).is_some());
    folder.write("tls.crt", second.certificate());
    eventually("the new certificate", || {
        ask(address, &second.bundle(), "/inject", question.as_bytes()).map(drop)
    });
}

#[test]
fn certificates_are_made_kept_and_trusted_in_a_cluster() {
    let cluster = cluster();
    let text =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/kubernetes/webhook.yaml")).unwrap();
    let manifests = manifest::read(&text).unwrap();
    let configurations =
        manifests.iter().filter(|one| one["kind"].as_str().unwrap().ends_with("WebhookConfiguration"));
    let put: Vec<_> = configurations.map(|one| cluster.put(one.clone())).collect();
    assert_eq!(put.len(), 2);
    let start = || {
        let mut running = Running::start(command(&[
            "webhook",
            "--listen",
            "127.0.0.1:0",
            "--probes",
            "127.0.0.1:0",
            "--server",
            &cluster.url(),
        ]));
        let address = running.listener("webhook");
        (running, address)
    };
    let (_one, first) = start();
    let secret = cluster.get("secrets", "palisade-system", "palisade-webhook-certs").unwrap();
    let decoded = |text: &Value| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let bundle = decoded(&secret["data"]["ca.crt"]);
    for (resource, name) in [("mutating", "palisade-inject"), ("validating", "palisade-validate")] {
        let resource = format!("admissionregistration.k8s.io/{resource}webhookconfigurations");
        let configuration = cluster.get(&resource, "", name).unwrap();
        for webhook in configuration["webhooks"].as_array().unwrap() {
            assert_eq!(decoded(&webhook["clientConfig"]["caBundle"]), bundle, "{}", webhook["name"]);
            // Everything else is as it was registered.
            assert_eq!(webhook["clientConfig"]["service"]["name"], "palisade-webhook");
        }
    }
    // Another replica shows what the first one made.
    let (_two, second) = start();
    let question = review(pod()).to_string();
    for address in [first, second] {
        assert_eq!(ask(address, &bundle, "/inject", question.as_bytes()).unwrap().0, 200);
    }
    let again = cluster.get("secrets", "palisade-system", "palisade-webhook-certs").unwrap();
    assert_eq!(again["data"], secret["data"]);
}

#[test]
fn a_server_whose_cluster_is_away_is_not_ready_and_goes_on_trying() {
    let cluster = cluster();
    cluster.away(true);
    let mut running = Running::start(command(&[
        "webhook",
        "--listen",
        "127.0.0.1:0",
        "--probes",
        "127.0.0.1:0",
        "--server",
        &cluster.url(),
    ]));
    let probes = running.listener("probes");
    running.wait_err("certificates are not in place yet");
    assert_eq!(get(probes, "/readyz", "").status, 503);
    assert_eq!(get(probes, "/livez", "").status, 200);
    cluster.away(false);
    let begun = std::time::Instant::now();
    let address = running.listener("webhook");
    println!("in place after {:?}", begun.elapsed());
    assert!(TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok());
    assert_eq!(running.end(), 0);
}
