//! Webhooks are called as a real server calls them: transcript 06b's answers are given again, and what its clients then got is
//! compared.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use palisade_kube_fake::Server;
use serde_json::{Value, json};

/// Answers each path as it is told, with the request's uid in the place of `UID`; keeps what it was asked.
#[derive(Clone)]
struct Webhook {
    address: SocketAddr,
    answers: Arc<Mutex<BTreeMap<String, (u16, String)>>>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Webhook {
    fn start() -> Webhook {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let webhook = Webhook { address, answers: Arc::default(), asked: Arc::default() };
        let serving = webhook.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serving.answer(stream);
            }
        });
        webhook
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        let mut part = [0; 4096];
        let (head, body) = loop {
            let read = stream.read(&mut part).unwrap_or(0);
            if read == 0 {
                return;
            }
            bytes.extend_from_slice(&part[..read]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .and_then(|it| it.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        };
        let path = head.split(' ').nth(1).unwrap_or("").split('?').next().unwrap_or("").to_owned();
        let review: Value = serde_json::from_str(&body).expect("a review is JSON");
        let uid = review["request"]["uid"].as_str().expect("a uid").to_owned();
        self.asked.lock().expect("asked").push((path.clone(), review));
        let (status, answer) =
            self.answers.lock().expect("answers").get(&path).cloned().unwrap_or((404, String::new()));
        let answer = answer.replace("UID", &uid);
        let _ = write!(
            stream,
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
            answer.len()
        );
    }

    fn register(&self, server: &Server, kind: &str, name: &str, path: &str, more: &Value) {
        let mut webhook = json!({
            "name": name, "clientConfig": {"url": format!("http://{}{path}", self.address)},
            "rules": [{"operations": ["CREATE", "UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
            "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            webhook[field] = value.clone();
        }
        server.put(json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
            "metadata": {"name": name}, "webhooks": [webhook],
        }));
    }
}

fn post(server: &Server, body: &Value) -> (u16, Value) {
    let address = server.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).expect("the fake listens");
    let body = body.to_string();
    write!(
        stream,
        "POST /api/v1/namespaces/adm/configmaps HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("the fake reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the fake answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).expect("JSON"))
}

fn namespace(server: &Server) {
    server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "adm", "labels": {"inject": "yes"}}}));
}

/// Cases whose messages hold a Go error, a time, or a rule of ConfigMaps that the fake has not; their status is compared.
const BY_STATUS: &[&str] = &["garbage", "badpatch-fail", "badpatch-ignore", "v1beta1", "baduid", "noversion"];
/// Cases that are left out.
const LEFT_OUT: &[(&str, &str)] = &[
    ("slow-fail", "takes seconds"),
    ("slow-ignore", "takes seconds"),
    ("badobject", "the fake does not validate keys of ConfigMaps"),
    ("unknownfield", "the fake has no schemas of built-in kinds"),
    ("v1beta1", "refused here as well, in other words"),
    ("warn", "warnings are not passed on"),
    ("deny-warn", "warnings are not passed on"),
    ("matchcond", "no CEL"),
];

#[test]
fn each_answer_of_a_webhook_means_what_it_means_to_a_real_server() {
    let file = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/kubernetes/transcripts/06b-admission-answers.json"
    ));
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: no transcripts in ../shared/kubernetes/transcripts");
        return;
    };
    let exchanges: Vec<Value> = serde_json::from_str(&text).expect("a transcript is JSON");
    let mut cases = 0;
    for pair in exchanges.windows(2) {
        let [client, call] = pair else { unreachable!("windows of two") };
        let note = client["note"].as_str().unwrap_or("");
        let Some(case) = note.strip_prefix('[').and_then(|rest| rest.split(']').next()) else { continue };
        if !client["direction"].is_null()
            || call["direction"].is_null()
            || client["request"]["method"] != "POST"
        {
            continue;
        }
        if let Some((_, why)) = LEFT_OUT.iter().find(|(name, _)| *name == case) {
            println!("{case} left out: {why}");
            continue;
        }
        let server = Server::start();
        namespace(&server);
        let webhook = Webhook::start();
        let path = call["request"]["path"].as_str().expect("a path").to_owned();
        // The answer's uid is the request's, but where the case is that it is another one.
        let uid = call["response"]["body"]["response"]["uid"]
            .as_str()
            .filter(|_| case != "baduid")
            .unwrap_or("none")
            .to_owned();
        let body = match &call["response"]["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            body => body.to_string().replace(&uid, "UID"),
        };
        let status =
            call["response"]["status"].as_u64().and_then(|code| u16::try_from(code).ok()).expect("a status");
        webhook.answers.lock().expect("answers").insert(path.clone(), (status, body));
        let policy = if case.ends_with("-ignore") { "Ignore" } else { "Fail" };
        let name = format!("{case}.example.com");
        webhook.register(
            &server,
            "MutatingWebhookConfiguration",
            &name,
            &path,
            &json!({"failurePolicy": policy}),
        );
        let (code, answer) = post(&server, &client["request"]["body"]);
        assert_eq!(client["response"]["status"], code, "{case}: {answer}");
        let wanted = &client["response"]["body"];
        if code >= 400 && !BY_STATUS.contains(&case) {
            for field in ["message", "reason", "code", "details"] {
                assert_eq!(answer[field], wanted[field], "{case}: {field}");
            }
        } else if code < 400 {
            assert_eq!(answer["data"], wanted["data"], "{case}");
        }
        cases += 1;
    }
    println!("{cases} cases");
    assert!(cases >= 12, "{cases} cases only");
}

#[test]
fn selectors_decide_who_is_called_and_what_is_asked() {
    let server = Server::start();
    namespace(&server);
    let webhook = Webhook::start();
    let allow = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": "UID", "allowed": true}});
    webhook.answers.lock().expect("answers").insert("/allow".into(), (200, allow.to_string()));
    let more = json!({
        "namespaceSelector": {"matchLabels": {"inject": "yes"}},
        "objectSelector": {"matchExpressions": [{"key": "skip", "operator": "NotIn", "values": ["true"]}]},
    });
    webhook.register(&server, "ValidatingWebhookConfiguration", "v.example.com", "/allow", &more);
    let map = |name: &str, labels: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": name, "labels": labels}});
    assert_eq!(post(&server, &map("a-", json!({"skip": "true"}))).0, 201);
    assert!(webhook.asked.lock().expect("asked").is_empty());
    assert_eq!(post(&server, &map("b-", json!({"x": "y"}))).0, 201);
    let asked = webhook.asked.lock().expect("asked").clone();
    let [(path, review)] = asked.as_slice() else { panic!("{asked:?}") };
    let request = &review["request"];
    assert_eq!(
        (path.as_str(), &request["operation"], &request["namespace"]),
        ("/allow", &json!("CREATE"), &json!("adm"))
    );
    // As a real server has it: no name yet, and nothing of what admission comes before.
    assert!(request["name"].is_null() && request["object"]["metadata"]["name"].is_null(), "{request}");
    assert!(request["object"]["metadata"]["uid"].is_null() && request["oldObject"].is_null());
}
