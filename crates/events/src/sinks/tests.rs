//! Sinks against servers that behave as told. [`Server`] is the one of HTTP, for bulk requests and webhooks alike.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::backlog::BacklogLimits;
use super::*;

/// A request as the server saw it, its body decompressed.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// What the server does.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Answer(u16, String),
    /// With `retry-after`.
    Later(u16, u64),
    /// No answer for so long, and then none.
    Silence(Duration),
    /// The connection ends without an answer.
    Gone,
}

type Handler = Box<dyn FnMut(&Request) -> Reply + Send>;

/// A server of HTTP/1.1 on loopback.
pub(super) struct Server {
    pub(super) url: String,
    pub(super) seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(super) fn start(handler: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        Self::at("127.0.0.1:0", handler)
    }

    pub(super) fn at(address: &str, handler: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let handler: Arc<Mutex<Handler>> = Arc::new(Mutex::new(Box::new(handler)));
        let all = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (handler, seen) = (handler.clone(), all.clone());
                thread::spawn(move || serve(stream, &handler, &seen));
            }
        });
        Self { url, seen }
    }

    pub(super) fn requests(&self, method: &str) -> Vec<Request> {
        self.seen.lock().unwrap().iter().filter(|request| request.method == method).cloned().collect()
    }
}

fn serve(stream: TcpStream, handler: &Mutex<Handler>, seen: &Mutex<Vec<Request>>) {
    let mut out = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        if headers.get("content-encoding").is_some_and(|coding| coding == "gzip") {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
            body = plain;
        }
        let request = Request { method, path, headers, body: String::from_utf8(body).unwrap() };
        let reply = (handler.lock().unwrap())(&request);
        seen.lock().unwrap().push(request);
        let (status, retry, body) = match reply {
            Reply::Answer(status, body) => (status, String::new(), body),
            Reply::Later(status, seconds) => (status, format!("retry-after: {seconds}\r\n"), String::new()),
            Reply::Silence(pause) => return thread::sleep(pause),
            Reply::Gone => return,
        };
        let head = format!("HTTP/1.1 {status} So\r\n{retry}content-length: {}\r\n\r\n", body.len());
        if out.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

/// A folder of a test, gone with it.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("palisade-sink-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Messages that were said.
pub(super) fn listening() -> (Say, Arc<Mutex<Vec<String>>>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    (Say::new(move |line| heard.lock().unwrap().push(line.to_owned())), said)
}

pub(super) fn http(url: &str) -> HttpSetting {
    HttpSetting {
        url: Reference::Value(url.to_owned()),
        ca: None,
        auth: Auth::None,
        timeout: Duration::from_millis(1500),
    }
}

/// 2026-11-22T12:00:00Z
pub(super) const NOON: u64 = 1_795_348_800_000;

pub(super) fn document(number: u64) -> Document {
    let json = format!("{{\"id\":\"{number}\",\"action\":\"deny\",\"path\":\"/{number}\"}}");
    Document::new(Kind::Waf, u128::from(NOON) << 80 | u128::from(number), NOON, &json)
}

pub(super) fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Text that acts on what reads it: lines, terminals, spreadsheets, markup.
fn hostile() -> Document {
    let text = "=cmd|' /C calc'!A0\r\n<134>1 forged\u{1b}[2J\u{9b}31m\u{7f}\u{2028}<script>\u{0}";
    let json = serde_json::json!({"id": "1", "path": text, "user_agent": text}).to_string();
    Document::new(Kind::Waf, 1, NOON, &json)
}

fn has_none_that_acts(line: &str) -> bool {
    !line.chars().any(|char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}'))
}

#[test]
fn a_document_is_one_line_that_reads_as_what_it_was() {
    let document = hostile();
    assert!(has_none_that_acts(&document.json), "{}", document.json);
    let mut line = Vec::new();
    document.write(&mut line);
    assert_eq!(Document::read(std::str::from_utf8(&line).unwrap()), Some(document.clone()));
    let value: serde_json::Value = serde_json::from_str(&document.json).unwrap();
    assert!(value["path"].as_str().unwrap().contains("\u{9b}31m\u{7f}\u{2028}"), "nothing is lost");
    for broken in ["", "waf", "waf 1 2", "waf x 2 {}", "waf 1 2 {", "l8 1 2 {}"] {
        assert_eq!(Document::read(broken), None, "{broken}");
    }
}

#[test]
fn a_file_is_rotated_by_size_and_has_whole_lines() {
    let folder = Folder::new("file");
    let path = folder.0.join("out/events.json");
    let setting = FileSetting { path: path.clone(), bytes_max: 300, files_max: 3 };
    let mut file = file::JsonFile::new(&setting);
    let documents: Vec<_> = (0..30).map(document).collect();
    assert_eq!(file.deliver(&documents[..20]), Delivered::default());
    // Somebody moved it away.
    std::fs::rename(&path, folder.0.join("moved")).unwrap();
    assert_eq!(file.deliver(&documents[20..]), Delivered::default());
    assert_eq!(file.deliver(&[hostile()]), Delivered::default());
    let mut names: Vec<_> = std::fs::read_dir(folder.0.join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["events.json", "events.json.1", "events.json.2"]);
    for name in names {
        let text = std::fs::read_to_string(folder.0.join("out").join(name)).unwrap();
        assert!(text.len() <= 300 && text.ends_with('\n'));
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        assert!(text.lines().all(has_none_that_acts));
    }
}

#[test]
fn syslog_counts_octets_and_a_server_that_went_is_found_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let setting = SyslogSetting {
        address: address.clone(),
        transport: SyslogTransport::Tcp,
        facility: 16,
        host: "node".to_owned(),
        ca: None,
    };
    let mut syslog = syslog::Syslog::new(&setting).unwrap();
    let got = thread::spawn(move || {
        let mut got = Vec::new();
        for _ in 0..2 {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            let mut reader = BufReader::new(stream);
            loop {
                let mut length = Vec::new();
                if reader.read_until(b' ', &mut length).unwrap_or(0) == 0 {
                    break;
                }
                let length: usize = std::str::from_utf8(&length).unwrap().trim().parse().unwrap();
                let mut message = vec![0; length];
                reader.read_exact(&mut message).unwrap();
                got.push(String::from_utf8(message).unwrap());
            }
        }
        got
    });
    assert_eq!(syslog.deliver(&[document(1), hostile()]), Delivered::default());
    // The server closes; the next delivery opens anew.
    thread::sleep(Duration::from_millis(800));
    assert_eq!(syslog.deliver(&[document(2)]), Delivered::default());
    let got = got.join().unwrap();
    assert_eq!(got.len(), 3, "{got:?}");
    let head =
        format!("<132>1 2026-11-22T12:00:00.000Z node palisade {} waf - {{\"id\":\"1\"", std::process::id());
    assert!(got[0].starts_with(&head), "{}", got[0]);
    assert!(got.iter().all(|message| has_none_that_acts(message)), "{got:?}");
    // Nobody there: all of it is to be sent again.
    let mut nowhere = syslog::Syslog::new(&SyslogSetting { address: closed_port(), ..setting }).unwrap();
    assert_eq!(nowhere.deliver(&[document(1), document(2)]).again, [0, 1]);
}

#[test]
fn syslog_over_udp_is_a_datagram_each() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let setting = SyslogSetting {
        address: socket.local_addr().unwrap().to_string(),
        transport: SyslogTransport::Udp,
        facility: 1,
        host: "bad host\n".to_owned(),
        ca: None,
    };
    let mut syslog = syslog::Syslog::new(&setting).unwrap();
    let large = format!("{{\"path\":\"{}\"}}", "x".repeat(100_000));
    let large = Document::new(Kind::L7, 2, NOON, &large);
    assert_eq!(syslog.deliver(&[hostile(), large]), Delivered::default());
    let mut datagram = vec![0; 70_000];
    let length = socket.recv(&mut datagram).unwrap();
    let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
    assert!(text.starts_with("<13>1 2026-11-22T12:00:00.000Z badhost palisade "), "{text}");
    assert!(has_none_that_acts(&text), "{text}");
    assert_eq!(socket.recv(&mut datagram).unwrap(), 65_507);
}

#[test]
fn syslog_over_tls_believes_only_its_authority() {
    let tls = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/tls");
    let (certificate, key) = (format!("{tls}/server.crt"), format!("{tls}/server.key"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let setting = SyslogSetting {
        address: format!("127.0.0.1:{port}"),
        transport: SyslogTransport::Tls,
        facility: 16,
        host: "node".to_owned(),
        ca: Some(certificate.clone().into()),
    };
    thread::spawn(move || {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let certificate = CertificateDer::from_pem_file(certificate).unwrap();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let config = Arc::new(config);
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let _ = stream.read(&mut [0; 1024]);
        }
    });
    // It is for test.example, and not for this address.
    let mut syslog = syslog::Syslog::new(&setting).unwrap();
    let delivered = syslog.deliver(&[document(1)]);
    assert_eq!(delivered.again, [0]);
    assert!(delivered.problem.unwrap().contains("certificate"), "a name that does not fit");
    let missing = SyslogSetting { ca: Some("/nonexistent/ca.pem".into()), ..setting };
    assert!(syslog::Syslog::new(&missing).err().unwrap().contains("`/nonexistent/ca.pem` cannot be read"));
}

#[test]
fn a_webhook_has_a_list_and_says_what_it_refuses() {
    let mut replies = VecDeque::from([
        Reply::Answer(200, String::new()),
        Reply::Later(429, 7),
        Reply::Answer(400, "no".to_owned()),
        Reply::Gone,
    ]);
    let server = Server::start(move |_| replies.pop_front().unwrap());
    let setting = WebhookSetting { http: http(&server.url), gzip: true };
    let mut webhook = webhook::Webhook::new(&setting, &Secrets::default()).unwrap();
    assert_eq!(webhook.deliver(&[document(1), hostile()]), Delivered::default());
    let list: serde_json::Value = serde_json::from_str(&server.requests("POST")[0].body).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);
    let later = webhook.deliver(&[document(1)]);
    assert_eq!((later.again, later.wait), (vec![0], Some(Duration::from_secs(7))));
    assert_eq!(webhook.deliver(&[document(1)]).refused, 1);
    assert_eq!(webhook.deliver(&[document(1)]).again, [0]);
}

#[test]
fn otlp_has_a_record_each_and_counts_what_is_rejected() {
    let mut replies = VecDeque::from([
        Reply::Answer(200, "{}".to_owned()),
        Reply::Answer(200, "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\"}}".to_owned()),
        Reply::Answer(503, String::new()),
    ]);
    let server = Server::start(move |_| replies.pop_front().unwrap());
    let setting = OtlpSetting { http: http(&server.url), host: "node".to_owned() };
    let mut otlp = otlp::Otlp::new(&setting, &Secrets::default()).unwrap();
    assert_eq!(otlp.deliver(&[document(1), hostile()]), Delivered::default());
    let request = server.requests("POST").remove(0);
    assert_eq!((&*request.path, &*request.headers["content-type"]), ("/v1/logs", "application/json"));
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    let record = &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(record["timeUnixNano"], "1795348800000000000");
    assert_eq!((&record["severityText"], &record["severityNumber"]), (&"WARN".into(), &13.into()));
    assert_eq!(record["body"]["stringValue"], *document(1).json);
    assert_eq!(otlp.deliver(&[document(1), document(2)]).refused, 1);
    assert_eq!(otlp.deliver(&[document(1), document(2)]).again, [0, 1]);
}

#[test]
fn secrets_are_read_where_they_are_and_are_in_no_message() {
    let folder = Folder::new("secrets");
    std::fs::create_dir(folder.0.join("es")).unwrap();
    std::fs::write(folder.0.join("es/password"), "s3cret\n").unwrap();
    let secrets = Secrets { folder: Some(folder.0.clone()) };
    let auths = [
        (
            Auth::Basic(Reference::Value("u".into()), Reference::Mounted("es".into(), "password".into())),
            "Basic dTpzM2NyZXQ=",
        ),
        (Auth::ApiKey(Reference::File(folder.0.join("es/password"))), "ApiKey s3cret"),
        (Auth::Bearer(Reference::File(folder.0.join("es/password"))), "Bearer s3cret"),
    ];
    for (auth, expected) in auths {
        let server = Server::start(|_| Reply::Answer(500, String::new()));
        let setting = HttpSetting { auth, ..http(&format!("{}/s3cret-path", server.url)) };
        let mut webhook =
            webhook::Webhook::new(&WebhookSetting { http: setting.clone(), gzip: false }, &secrets).unwrap();
        let delivered = webhook.deliver(&[document(1)]);
        assert_eq!(server.requests("POST")[0].headers["authorization"], expected);
        let shown = format!("{delivered:?} {setting:?} {webhook:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    for (reference, why) in [
        (Reference::Mounted("es".into(), "none".into()), "cannot be read"),
        (Reference::Env("PALISADE_TEST_NO_SUCH_VARIABLE".into()), "the environment has no text"),
        (Reference::File("/dev/zero".into()), "larger than"),
    ] {
        let error = secrets.read(&reference).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

/// Takes everything once it may.
struct Gate {
    open: Arc<Mutex<bool>>,
    taken: Arc<Mutex<Vec<u128>>>,
}

impl Transport for Gate {
    fn deliver(&mut self, documents: &[Document]) -> Delivered {
        if !*self.open.lock().unwrap() {
            return Delivered::none_of(documents.len(), "closed");
        }
        self.taken.lock().unwrap().extend(documents.iter().map(|document| document.id));
        Delivered::default()
    }
}

#[test]
fn what_waits_lies_in_files_in_order_bounded_and_survives_the_process() {
    let folder = Folder::new("backlog");
    let limits = BacklogLimits {
        memory_bytes_max: 2000,
        disk_bytes_max: 20_000,
        segment_bytes_max: 1000,
        ..BacklogLimits::default()
    };
    let taken = Arc::new(Mutex::new(Vec::new()));
    let start = |open: bool| {
        let gate = Gate { open: Arc::new(Mutex::new(open)), taken: taken.clone() };
        Outlet::start("gate", &folder.0, limits, Box::new(gate), Say::nothing()).unwrap()
    };
    let outlet = start(false);
    for number in 0..100 {
        outlet.push(vec![document(number)]);
    }
    wait_until("all lies in files", || outlet.counts().waiting_bytes == 0);
    assert!(outlet.end_within(Duration::from_secs(5)));
    let waiting = outlet.counts();
    assert!(waiting.spilled_bytes > 5_000 && waiting.dropped == 0, "{waiting:?}");
    // Half a file of a process that was killed while it wrote.
    std::fs::write(folder.0.join("00000000000000000001-3.new"), "waf 1").unwrap();

    let outlet = start(true);
    outlet.push(vec![document(100)]);
    wait_until("all is delivered", || outlet.counts().delivered == 101);
    let ids: Vec<u128> = (0..=100).map(|number| document(number).id).collect();
    assert_eq!(*taken.lock().unwrap(), ids);
    assert!(outlet.end_within(Duration::from_secs(5)));
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);

    // Too much: the oldest go, and are counted.
    taken.lock().unwrap().clear();
    let outlet = start(false);
    for number in 0..1000 {
        outlet.push(vec![document(number)]);
    }
    wait_until("all lies in files", || outlet.counts().waiting_bytes == 0);
    assert!(outlet.end_within(Duration::from_secs(5)));
    let counts = outlet.counts();
    assert!(counts.spilled_bytes <= 20_000 && counts.dropped > 700, "{counts:?}");
    let outlet = start(true);
    wait_until("the rest is delivered", || outlet.counts().delivered == 1000 - counts.dropped);
    assert_eq!(taken.lock().unwrap().last(), Some(&document(999).id));
    assert!(outlet.end_within(Duration::from_secs(5)));
}

#[test]
fn a_transport_that_is_stuck_stops_neither_records_nor_the_end() {
    struct Stuck;
    impl Transport for Stuck {
        fn deliver(&mut self, _: &[Document]) -> Delivered {
            thread::sleep(Duration::from_secs(60));
            Delivered::default()
        }
    }
    let folder = Folder::new("stuck");
    let limits = BacklogLimits { memory_bytes_max: 1000, ..BacklogLimits::default() };
    let outlet = Outlet::start("stuck", &folder.0, limits, Box::new(Stuck), Say::nothing()).unwrap();
    let began = Instant::now();
    for number in 0..100 {
        outlet.push(vec![document(number)]);
    }
    assert!(!outlet.end_within(Duration::from_millis(100)));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(std::fs::read_dir(&folder.0).unwrap().count() > 0, "what waits is kept");
}

/// A port that nobody listens on.
pub(super) fn closed_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_spool_lies_on_the_disk_and_knows_which_it_is_and_how_far_it_got() {
    let folder = Folder::new("spool");
    let limits = BacklogLimits { segment_bytes_max: 1000, spool: true, ..BacklogLimits::default() };
    let backlog = Backlog::open(&folder.0, limits).unwrap();
    for number in 0..20 {
        backlog.push(vec![document(number)]);
    }
    let (memory, disk, dropped) = backlog.waiting();
    assert!(memory == 0 && disk > 0 && dropped == 0, "before anybody takes it");
    let first = backlog.take().unwrap();
    let place = first.place.unwrap();
    assert!(first.documents.len() > 1, "files are delivered together");
    assert_eq!(first.beyond(place.number), []);
    assert_eq!(first.beyond(place.number - 1), &first.documents[first.documents.len() - 1..]);
    assert_eq!(first.beyond(0), &first.documents[..]);
    let sent = first.documents.clone();
    // It was sent, and the process was killed before anybody said to have it.
    drop(backlog);
    let backlog = Backlog::open(&folder.0, limits).unwrap();
    backlog.push(vec![document(20)]);
    let again = backlog.take().unwrap();
    assert_eq!((again.place, &again.documents), (Some(place), &sent));
    backlog.done(again);
    let mut number = place.number;
    let mut taken = sent;
    while taken.len() < 21 {
        let segment = backlog.take().unwrap();
        let next = segment.place.unwrap();
        assert!(next.spool == place.spool && next.number > number);
        number = next.number;
        taken.extend(segment.documents.clone());
        backlog.done(segment);
    }
    let ids: Vec<u128> = taken.iter().map(|document| document.id).collect();
    assert_eq!(ids, (0..=20).map(|number| document(number).id).collect::<Vec<_>>());
    // Numbers begin anew with a process that finds nothing: it is another spool then.
    drop(backlog);
    let backlog = Backlog::open(&folder.0, limits).unwrap();
    assert_ne!(backlog.identity(), Some(place.spool));
}

#[test]
fn a_full_spool_drops_the_oldest_but_what_is_on_its_way() {
    let folder = Folder::new("spool-full");
    let limits = BacklogLimits {
        segment_bytes_max: 500,
        disk_bytes_max: 3_000,
        spool: true,
        ..BacklogLimits::default()
    };
    let backlog = Backlog::open(&folder.0, limits).unwrap();
    backlog.push(vec![document(0)]);
    let on_its_way = backlog.take().unwrap();
    for number in 1..200 {
        backlog.push(vec![document(number)]);
    }
    let (_, disk, dropped) = backlog.waiting();
    assert!(disk <= 3_000 && dropped > 100, "{disk} {dropped}");
    let place = on_its_way.place.unwrap();
    backlog.put_back(on_its_way, vec![document(0)]);
    let again = backlog.take().unwrap();
    assert!(again.place.unwrap().number >= place.number);
}
