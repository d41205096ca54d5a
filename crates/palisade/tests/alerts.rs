//! Events in sinks, alerts over them, and those who are told, through the built binary.

mod exposition;
mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use exposition::Metrics;
use support::{Folder, Running, Upstream, command, get, palisade, send};

/// A rule with the id of CRS's, so that the article's alert is about it.
const RULES: &str = "SecRuleEngine On\nSecRule ARGS|REQUEST_HEADERS:User-Agent \"@detectSQLi\" \
    \"id:942100,phase:2,deny,status:403,log,msg:'SQL Injection Attack Detected via libinjection',logdata:'%{MATCHED_VAR}',severity:2\"\n";

const ARTICLE: &str = include_str!("../../../testdata/alerts/article.yaml");

/// Takes bulk requests and everything else, and answers as Elasticsearch does.
struct Elastic {
    url: String,
    /// Index, id and document, in order; a document once.
    stored: Arc<Mutex<Vec<(String, String, Value)>>>,
    /// Bodies of all requests that are not bulk ones, with their paths.
    told: Arc<Mutex<Vec<(String, String)>>>,
}

impl Elastic {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stored, told) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (into, heard) = (stored.clone(), told.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (into, heard) = (into.clone(), heard.clone());
                thread::spawn(move || serve(stream, &into, &heard));
            }
        });
        Self { url, stored, told }
    }

    fn documents(&self, index: &str) -> Vec<Value> {
        let stored = self.stored.lock().unwrap();
        stored
            .iter()
            .filter(|(there, ..)| there.starts_with(index))
            .map(|(.., document)| document.clone())
            .collect()
    }
}

fn serve(
    stream: TcpStream,
    stored: &Mutex<Vec<(String, String, Value)>>,
    told: &Mutex<Vec<(String, String)>>,
) {
    let mut out = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let path = line.split(' ').nth(1).unwrap().to_owned();
        let (mut length, mut gzip) = (0, false);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match &*name.to_lowercase() {
                "content-length" => length = value.parse().unwrap(),
                "content-encoding" => gzip = value == "gzip",
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        if gzip {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
            body = plain;
        }
        let body = String::from_utf8(body).expect("what is sent is UTF-8");
        let answer = if path == "/_bulk" {
            let lines: Vec<&str> = body.lines().collect();
            let items: Vec<Value> = lines
                .chunks(2)
                .map(|pair| {
                    let action: Value = serde_json::from_str(pair[0]).unwrap();
                    let text = |key: &str| action["create"][key].as_str().unwrap().to_owned();
                    let document: Value = serde_json::from_str(pair[1]).unwrap();
                    let mut stored = stored.lock().unwrap();
                    let there = stored.iter().any(|(_, id, _)| *id == text("_id"));
                    if !there {
                        stored.push((text("_index"), text("_id"), document));
                    }
                    json!({"create": {"status": if there { 409 } else { 201 }}})
                })
                .collect();
            json!({"took": 1, "errors": false, "items": items}).to_string()
        } else {
            told.lock().unwrap().push((path, body));
            "{\"version\":{\"number\":\"8.15.0\"}}".to_owned()
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        if out.write_all(format!("{head}{answer}").as_bytes()).is_err() {
            return;
        }
    }
}

/// Waits for longer than others do: an alert is asked once a minute.
fn within<T>(patience: Duration, what: &str, mut so: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = so() {
            return value;
        }
        assert!(begun.elapsed() < patience, "never came: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn soon<T>(what: &str, so: impl FnMut() -> Option<T>) -> T {
    within(Duration::from_secs(60), what, so)
}

fn configure(folder: &Folder, upstream: &Upstream, events: &str) -> String {
    folder.write("rules.conf", RULES);
    let config = format!(
        "admin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\nlogs: {{error: {}}}\n\
         listeners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         services: [{{name: shop, upstream: {{url: \"{}\"}}}}]\n\
         profiles: {{default: {{mode: block, rules: {{files: [rules.conf]}}, detect: {{enabled: false}}}}}}\n{events}",
        folder.at("data"),
        folder.at("error.log"),
        upstream.url
    );
    folder.write("palisade.yaml", config)
}

/// An answer to somebody on this machine.
fn ask(address: SocketAddr, path: &str) -> String {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    send(address, request.as_bytes()).body
}

fn metrics(admin: SocketAddr) -> Metrics {
    Metrics::parse(&ask(admin, "/metrics"))
}

const INJECTION: &str =
    "/test/artists.php?artist=0+div+1+union%23foo*%2F*bar%0D%0Aselect%23foo%0D%0A1%2C2%2Ccurrent_user";

#[test]
fn an_injection_is_in_its_index_and_the_articles_alert_fires_for_it_once() {
    let (folder, upstream, elastic) = (Folder::new(), Upstream::start(), Elastic::start());
    folder.write("alert.yaml", ARTICLE);
    folder.write(
        "hook.yaml",
        format!(
            "apiVersion: projectcalico.org/v3\nkind: SecurityEventWebhook\nmetadata: {{name: chat}}\nspec:\n  consumer: \
             Slack\n  query: type = global_alert\n  config: [{{name: url, value: \"{}/slack\"}}]\n",
            elastic.url
        ),
    );
    let events = format!(
        "events:\n  sinks:\n  - elasticsearch: {{url: \"{}\", index: tigera_secure_ee_waf, cluster: east}}\n\
         alerts: {{files: [alert.yaml, hook.yaml]}}\n",
        elastic.url
    );
    let file = configure(&folder, &upstream, &events);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    assert_eq!(get(address, "/test/artists.php?artist=1", "").status, 200);
    assert_eq!(get(address, INJECTION, "").status, 403);

    let stored = soon("the decision", || elastic.documents("tigera_secure_ee_waf.east.").pop());
    assert!(stored["rule_info"].as_str().unwrap().contains("ID:'942100'"), "{stored}");
    assert_eq!((&stored["rules"][0]["id"], &stored["action"]), (&json!("942100"), &json!("deny")));
    assert_eq!(elastic.documents("tigera_secure_ee_waf").len(), 1, "what passed is no decision");

    let fired =
        within(Duration::from_secs(90), "the alert", || elastic.documents("tigera_secure_ee_events").pop());
    assert_eq!(fired["origin"], "waf-new-alert-rule-info");
    assert_eq!(
        (&fired["type"], &fired["description"]),
        (&json!("global_alert"), &json!("WAF new waf-alert-942100"))
    );
    assert_eq!((&fired["severity"], &fired["source_ip"]), (&json!(1), &json!("127.0.0.1")));
    assert_eq!(fired["record"], stored);
    let slack = soon("the message", || {
        let told = elastic.told.lock().unwrap();
        told.iter().find(|(path, _)| path == "/slack").map(|(_, body)| body.clone())
    });
    assert!(slack.contains("WAF new waf-alert-942100"), "{slack}");

    // The next window holds the same event, after a restart as well.
    assert_eq!(proxy.end(), 0);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let admin = proxy.admin();
    let labels = [("alert", "waf-new-alert-rule-info")];
    let asked = || metrics(admin).value("palisade_alert_last_executed_seconds", &labels);
    let first = asked();
    within(Duration::from_secs(90), "the next time that it is asked", || (asked() > first).then_some(()));
    assert_eq!(metrics(admin).value("palisade_alert_events_total", &labels), 1.0);
    thread::sleep(Duration::from_secs(2));
    assert_eq!(elastic.documents("tigera_secure_ee_events").len(), 1);
    let told = elastic.told.lock().unwrap().iter().filter(|(path, _)| path == "/slack").count();
    assert_eq!(told, 1);
}

#[test]
fn hostile_requests_are_harmless_in_every_sink() {
    let (folder, upstream, elastic) = (Folder::new(), Upstream::start(), Elastic::start());
    let syslog = UdpSocket::bind("127.0.0.1:0").unwrap();
    syslog.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let events = format!(
        "events:\n  sinks:\n  - elasticsearch: {{url: \"{url}\"}}\n    records: [waf]\n  - file: {{path: out/waf.json}}\n    \
         records: [waf]\n  - syslog: {{address: \"{}\"}}\n    records: [waf]\n  - webhook: {{url: \"{url}/hook\"}}\n    records: \
         [waf]\n  - otlp: {{url: \"{url}\"}}\n    records: [waf]\n",
        syslog.local_addr().unwrap(),
        url = elastic.url
    );
    let file = configure(&folder, &upstream, &events);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    let mut request = b"GET /a?q=1%27%20or%201=1--&csv==cmd|'/C%20calc'!A0&x=%00%1b%5b2J%0a%0d<134>1 HTTP/1.1\r\nHost: h\r\n"
        .to_vec();
    request.extend(b"User-Agent: 1' or 1=1-- \x1b[2J\xff\xfe\x9b31m\xe2\x80\xa8 =HYPERLINK(\"x\")\tx\r\nConnection: close\r\n\r\n");
    assert_eq!(send(address, &request).status, 403);

    let acts = |char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}');
    let document = soon("the document", || elastic.documents("tigera_secure_ee_waf").pop());
    assert!(document["user_agent"].as_str().unwrap().contains("=HYPERLINK"), "{document}");
    let line = soon("the line", || {
        std::fs::read_to_string(folder.at("out/waf.json")).ok().filter(|it| it.ends_with('\n'))
    });
    assert_eq!(line.lines().count(), 1);
    assert!(!line.trim_end().chars().any(acts), "{line}");
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), document);
    let mut datagram = vec![0; 65_536];
    let length = syslog.recv(&mut datagram).unwrap();
    let message = String::from_utf8(datagram[..length].to_vec()).unwrap();
    assert!(message.starts_with("<132>1 ") && !message.chars().any(acts), "{message}");
    let told = |path: &str| {
        let told = elastic.told.lock().unwrap();
        told.iter()
            .find(|(there, _)| there == path)
            .map(|(_, body)| serde_json::from_str::<Value>(body).unwrap())
    };
    assert_eq!(soon("the webhook", || told("/hook")), json!([document]));
    let otlp = soon("the collector", || told("/v1/logs"));
    let body = &otlp["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"]["stringValue"];
    assert_eq!(serde_json::from_str::<Value>(body.as_str().unwrap()).unwrap(), document);
    assert_eq!(proxy.end(), 0);
}

#[test]
fn what_a_server_that_is_gone_did_not_take_is_there_after_a_kill() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sink = |url: &str| {
        format!(
            "events:\n  sinks:\n  - elasticsearch: {{url: \"{url}\", templates: false}}\n    records: [waf]\n"
        )
    };
    let file = configure(&folder, &upstream, &sink(&format!("http://{address}")));
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let listens = proxy.address();
    for _ in 0..20 {
        assert_eq!(get(listens, INJECTION, "").status, 403);
    }
    let files = folder.at("data/sinks/elasticsearch");
    let admin = proxy.admin();
    soon("all of it on the disk", || {
        let metrics = metrics(admin);
        let waits = |place| {
            metrics.value("palisade_sink_waiting_bytes", &[("sink", "elasticsearch"), ("place", place)])
        };
        // The Bus hands on within a tenth of a second.
        let many: usize = std::fs::read_dir(&files)
            .ok()?
            .flatten()
            .filter_map(|entry| std::fs::read_to_string(entry.path()).ok().map(|text| text.lines().count()))
            .sum();
        (waits("memory") == 0.0 && many == 20).then_some(())
    });
    assert!(proxy.err().contains("sink elasticsearch: "), "{}", proxy.err());
    proxy.signal("KILL");
    drop(proxy);

    let elastic = Elastic::start();
    let file = configure(&folder, &upstream, &sink(&elastic.url));
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    proxy.address();
    soon("all of it", || (elastic.documents("tigera_secure_ee_waf").len() == 20).then_some(()));
    assert_eq!(proxy.end(), 0);
    assert_eq!(std::fs::read_dir(&files).unwrap().count(), 0);
}

fn webhooks(folder: &Folder, hooks: &str) -> String {
    folder.write("alert.yaml", format!("{ARTICLE}---\n{hooks}"));
    let upstream = Upstream::start();
    configure(folder, &upstream, "alerts: {files: [alert.yaml], secrets: secrets}\n")
}

fn hook(name: &str, consumer: &str, config: &str) -> String {
    format!(
        "apiVersion: projectcalico.org/v3\nkind: SecurityEventWebhook\nmetadata: {{name: {name}}}\nspec:\n  consumer: \
         {consumer}\n  config: [{config}]\n---\n"
    )
}

#[test]
fn a_test_of_an_alert_tells_each_webhook_and_says_who_did_not_hear_it() {
    let (folder, elastic) = (Folder::new(), Elastic::start());
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = &elastic.url;
    let hooks = hook("generic", "Generic", &format!("{{name: url, value: \"{url}/generic\"}}"))
        + &hook("chat", "Slack", "{name: url, valueFrom: {secretKeyRef: {name: chat, key: url}}}")
        + &hook(
            "issues",
            "Jira",
            &format!(
                "{{name: url, value: \"{url}\"}}, {{name: project, value: SEC}}, {{name: issueType, value: Bug}}, {{name: username, \
             value: u}}, {{name: apiToken, valueFrom: {{secretKeyRef: {{name: chat, key: token}}}}}}"
            ),
        );
    std::fs::create_dir_all(folder.at("secrets/chat")).unwrap();
    folder.write("secrets/chat/url", format!("{url}/T000/s3cret\n"));
    folder.write("secrets/chat/token", "t0ken");
    let file = webhooks(&folder, &hooks);
    let answer = palisade(&["alerts", "test", "waf-new-alert-rule-info", "--config", &file]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(
        answer.out,
        "generic: told, answered with 200\nchat: told, answered with 200\nissues: told, answered with 200\n3 webhooks told, 0 not\n"
    );
    let told = elastic.told.lock().unwrap().clone();
    let body = |path: &str| -> Value {
        serde_json::from_str(&told.iter().find(|(there, _)| there == path).unwrap().1).unwrap()
    };
    assert_eq!(body("/generic")["origin"], "waf-new-alert-rule-info");
    assert!(body("/T000/s3cret")["text"].as_str().unwrap().contains("nothing has happened"));
    assert_eq!(body("/rest/api/2/issue")["fields"]["project"]["key"], "SEC");

    let gone = hook("gone", "Generic", &format!("{{name: url, value: \"http://{nobody}/s3cret\"}}"));
    let file = webhooks(&folder, &gone);
    let answer = palisade(&["alerts", "test", "waf-new-alert-rule-info", "--config", &file]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(
        answer.out.starts_with("gone: not told: ") && !format!("{answer:?}").contains("s3cret"),
        "{answer:?}"
    );
    let answer = palisade(&["alerts", "test", "other", "--config", &file]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(
        answer.err.contains("no alert has the name `other`; there are: waf-new-alert-rule-info"),
        "{answer:?}"
    );
}

#[test]
fn prometheus_own_alertmanager_has_the_alert() {
    let Some(program) = ["prometheus-alertmanager", "alertmanager"].into_iter().find(|program| {
        let version =
            Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    }) else {
        println!("skipped: no Alertmanager here (Debian's prometheus-alertmanager has it)");
        return;
    };
    let folder = Folder::new();
    let config = folder.write("alertmanager.yml", "route: {receiver: none}\nreceivers: [{name: none}]\n");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut manager = Command::new(program);
    manager.args([
        "--config.file",
        &config,
        "--storage.path",
        &folder.at("manager"),
        "--cluster.listen-address=",
    ]);
    manager.arg(format!("--web.listen-address={address}"));
    let mut manager = manager.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    soon("Alertmanager", || TcpStream::connect(address).ok());
    let file = webhooks(
        &folder,
        &hook("am", "AlertManager", &format!("{{name: url, value: \"http://{address}\"}}")),
    );
    let answer = soon("a test that is heard", || {
        let answer = palisade(&["alerts", "test", "waf-new-alert-rule-info", "--config", &file]);
        (answer.code == 0).then_some(answer)
    });
    let alerts = ask(address, "/api/v2/alerts");
    let ended = manager.kill().and_then(|()| manager.wait());
    let alerts: Value = serde_json::from_str(&alerts).unwrap_or_else(|error| panic!("{error}: {alerts}"));
    assert_eq!(alerts[0]["labels"]["alertname"], "waf-new-alert-rule-info", "{alerts} {answer:?}");
    assert_eq!(alerts[0]["labels"]["severity"], "1");
    ended.unwrap();
}

#[test]
fn an_e_mail_goes_by_smtp_and_a_password_never_without_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut out = stream.try_clone().unwrap();
        let mut said = Vec::new();
        out.write_all(b"220-mail\r\n220 ready\r\n").unwrap();
        let mut in_data = false;
        for line in BufReader::new(stream).lines() {
            let line = line.unwrap();
            let answer: &[u8] = match &*line {
                "." => {
                    in_data = false;
                    b"250 taken\r\n"
                }
                _ if in_data => b"",
                "DATA" => {
                    in_data = true;
                    b"354 go on\r\n"
                }
                line if line.starts_with("EHLO") => b"250-mail\r\n250 8BITMIME\r\n",
                "QUIT" => b"221 bye\r\n",
                _ => b"250 ok\r\n",
            };
            said.push(line);
            if out.write_all(answer).is_err() {
                break;
            }
        }
        said
    });
    let folder = Folder::new();
    let config = |more: &str| {
        format!(
            "{{name: server, value: \"{address}\"}}, {{name: from, value: palisade@example.com}}, {{name: to, value: \
             \"a@example.com, b@example.com\"}}, {{name: tls, value: none}}{more}"
        )
    };
    let file = webhooks(&folder, &hook("mail", "Email", &config("")));
    let answer = palisade(&["alerts", "test", "waf-new-alert-rule-info", "--config", &file]);
    assert_eq!(
        (answer.code, &*answer.out),
        (0, "mail: told, taken by the mail server\n1 webhook told, 0 not\n")
    );
    let said = server.join().unwrap();
    for line in [
        "MAIL FROM:<palisade@example.com>",
        "RCPT TO:<a@example.com>",
        "RCPT TO:<b@example.com>",
        "MIME-Version: 1.0",
    ] {
        assert!(said.iter().any(|there| there == line), "{line}: {said:?}");
    }
    let subject = said.iter().find(|line| line.starts_with("Subject: =?UTF-8?B?")).unwrap();
    assert!(subject.is_ascii() && said.iter().all(|line| line.len() <= 200));

    folder.write("password", "p");
    let login = ", {name: username, value: u}, {name: password, valueFrom: {env: NO_SUCH}}";
    let file = webhooks(&folder, &hook("mail", "Email", &config(login)));
    let answer = palisade(&["alerts", "test", "waf-new-alert-rule-info", "--config", &file]);
    assert!(answer.code == 1 && answer.out.contains("the environment has no text NO_SUCH"), "{answer:?}");
    let login = format!(
        ", {{name: username, value: u}}, {{name: password, valueFrom: {{file: {}}}}}",
        folder.at("password")
    );
    let file = webhooks(&folder, &hook("mail", "Email", &config(&login)));
    let answer = palisade(&["alerts", "test", "waf-new-alert-rule-info", "--config", &file]);
    assert!(answer.code == 1 && answer.out.contains("a password is not sent without TLS"), "{answer:?}");
}

#[test]
fn a_check_shows_what_is_wrong_with_alerts_and_sinks() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write("alert.yaml", ARTICLE.replace("IN", "=="));
    let file = configure(&folder, &upstream, "alerts: {files: [alert.yaml]}\n");
    let answer = palisade(&["check", "--config", &file]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.out.contains("0 objects of alerts are usable: 1 error, 1 warning"), "{answer:?}");
    assert!(answer.err.contains("spec.query: `==` is no comparison at column 13 of the query"), "{answer:?}");

    for (events, said) in [
        ("sinks: [{file: {path: a}, webhook: {url: \"http://h\"}}]", "a sink is one of file and webhook"),
        ("sinks: [{}]", "a sink that leads nowhere"),
        ("sinks: [{file: {path: a}}, {file: {path: b}}]", "two sinks have the name file"),
        ("sinks: [{elasticsearch: {url: \"http://u:p@h\"}}]", "is no URL to send to"),
        (
            "sinks: [{elasticsearch: {url: \"http://h\", auth: {username: u}}}]",
            "a name and its password go together",
        ),
        ("sinks: [{syslog: {address: h}}]", "is no host with a port"),
        ("sinks: [{elasticsearch: {url: \"http://h\", index: A*}}]", "is no part of an index's name"),
        (
            "sinks: [{elasticsearch: {url: \"https://h\", ca: /nonexistent.pem}}]",
            "`/nonexistent.pem` cannot be read",
        ),
    ] {
        let file = configure(&folder, &upstream, &format!("events: {{{events}}}\n"));
        let answer = palisade(&["check", "--config", &file]);
        assert!(answer.code == 1 && answer.err.contains(said), "{events}: {answer:?}");
    }
    // What does nothing without events is said, and is no error unless one is strict.
    let off = "alerts: {files: [alert.yaml]}\nevents: {enabled: false, sinks: [{file: {path: a}}]}\n";
    folder.write("alert.yaml", ARTICLE);
    let file = configure(&folder, &upstream, off);
    let answer = palisade(&["check", "--config", &file]);
    for said in ["sinks get nothing", "alerts are never asked"] {
        assert!(answer.code == 0 && answer.err.contains(said), "{answer:?}");
    }
    assert_eq!(palisade(&["check", "--strict", "--config", &file]).code, 1);
}

#[test]
fn a_change_of_an_alert_is_taken_and_one_that_is_wrong_leaves_it_as_it_was() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write("alert.yaml", ARTICLE);
    let file = configure(&folder, &upstream, "alerts: {files: [alert.yaml]}\n");
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let admin = proxy.admin();
    let names = || -> Vec<String> {
        let metrics = metrics(admin);
        let family = metrics.0.get("palisade_alert_last_executed_seconds");
        family
            .iter()
            .flat_map(|family| &family.samples)
            .map(|sample| sample.labels["alert"].clone())
            .collect()
    };
    soon("the first", || (names() == ["waf-new-alert-rule-info"]).then_some(()));
    folder.write("alert.yaml", format!("{ARTICLE}---\n{}", ARTICLE.replace("waf-new", "second")));
    soon("the second", || (names().len() == 2).then_some(()));
    folder.write("alert.yaml", ARTICLE.replace("IN", "=="));
    soon("that it is stale", || {
        (metrics(admin).value("palisade_stale_objects", &[("kind", "alerts")]) == 1.0).then_some(())
    });
    // The one that is wrong stays as it was, the other is gone.
    soon("that the second is gone", || (names() == ["waf-new-alert-rule-info"]).then_some(()));
    assert_eq!(proxy.end(), 0);
}

#[test]
fn panels_of_the_dashboards_ask_for_what_is_there() {
    let (folder, upstream, elastic) = (Folder::new(), Upstream::start(), Elastic::start());
    folder.write("alert.yaml", ARTICLE);
    let events = format!(
        "events: {{sinks: [{{elasticsearch: {{url: \"{}\"}}}}]}}\nalerts: {{files: [alert.yaml]}}\n",
        elastic.url
    );
    let file = configure(&folder, &upstream, &events);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    assert_eq!(get(proxy.address(), INJECTION, "").status, 403);
    let admin = proxy.admin();
    let page = soon("all metrics", || {
        let page = metrics(admin);
        page.0.contains_key("palisade_alert_events_total").then_some(page)
    });
    let dashboard: Value =
        serde_json::from_str(include_str!("../../../deploy/grafana/palisade.json")).unwrap();
    let mut asked = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expr = target["expr"].as_str().unwrap();
            let words: Vec<&str> =
                expr.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).collect();
            let names: Vec<&&str> = words
                .iter()
                .filter(|word| word.starts_with("palisade_") || word.starts_with("process_"))
                .collect();
            assert!(!names.is_empty(), "{expr}");
            for name in names {
                let family = page.0.get(name.strip_suffix("_bucket").unwrap_or(name));
                let family =
                    family.unwrap_or_else(|| panic!("{name} of panel {} is not there", panel["title"]));
                // What it groups by, and what its legend names, are labels of it.
                let legend = target["legendFormat"].as_str().unwrap();
                for label in legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
                    let known = label == "instance"
                        || family.samples.iter().any(|sample| sample.labels.contains_key(label));
                    assert!(known || family.samples.is_empty(), "{name} has no label {label}");
                }
                asked += 1;
            }
        }
    }
    println!("{asked} names in the panels");
    assert!(asked > 20);

    // What the saved objects show are fields of the index templates, and objects that they name are there.
    let answer = palisade(&["config", "index-templates"]);
    let templates: Value = serde_json::from_str(&answer.out).unwrap();
    let objects = include_str!("../../../deploy/elasticsearch/saved-objects.ndjson");
    let objects: Vec<Value> = objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<(&Value, &Value)> = objects.iter().map(|object| (&object["type"], &object["id"])).collect();
    let mut fields = 0;
    for object in &objects {
        let references = object["references"].as_array().unwrap();
        for reference in references {
            assert!(ids.contains(&(&reference["type"], &reference["id"])), "{reference}");
        }
        let Some(pattern) = references.iter().find(|reference| reference["type"] == "index-pattern") else {
            continue;
        };
        let set = pattern["id"].as_str().unwrap().strip_prefix("palisade-").unwrap();
        let template = &templates[&format!("tigera_secure_ee_{set}.palisade")]["template"]["mappings"];
        let mut named: Vec<String> = Vec::new();
        for column in object["attributes"]["columns"].as_array().into_iter().flatten() {
            named.push(column.as_str().unwrap().to_owned());
        }
        if let Some(state) = object["attributes"]["visState"].as_str() {
            let state: Value = serde_json::from_str(state).unwrap();
            let aggregations = state["aggs"].as_array().unwrap().iter();
            named.extend(aggregations.filter_map(|it| it["params"]["field"].as_str().map(str::to_owned)));
        }
        for name in named {
            let found = name.split('.').fold(template, |there, part| &there["properties"][part]);
            assert!(found.is_object(), "{set} has no field {name}");
            fields += 1;
        }
    }
    println!("{fields} fields in the saved objects");
    assert!(fields > 10);
}
