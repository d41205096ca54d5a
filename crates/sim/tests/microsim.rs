//! Server and client of the simulator against each other, over real sockets.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use palisade_sim::microsim::{
    Attack, Bounds, ClientSettings, Counter, Counters, Ended, Lines, Role, Server, ServerSettings, Simulator,
    Statsd,
};
use palisade_sim::{Answer, Call, Client, Ends, Method, Reply, Request, Service, Url, serve};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Lines as they were said.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    fn lines(&self) -> Lines {
        let kept = self.0.clone();
        Arc::new(move |line: &str| kept.lock().unwrap().push(line.to_owned()))
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

struct Running {
    at: SocketAddr,
    stats: SocketAddr,
    counters: Arc<Counters>,
    said: Said,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<Ended>,
}

impl Running {
    async fn start(variables: &[(&str, &str)], bounds: Bounds) -> Self {
        let settings = ServerSettings::read(&environment(variables)).unwrap();
        let said = Said::default();
        let server = Server::new(settings, None, 7, said.lines());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stats = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, stats_at) = (listener.local_addr().unwrap(), stats.local_addr().unwrap());
        let counters = server.counters().clone();
        let (end, told) = oneshot::channel::<()>();
        let told = async {
            let _ = told.await;
        };
        let task = tokio::spawn(server.run(listener, Some(stats), bounds, told));
        Self { at, stats: stats_at, counters, said, end: Some(end), task }
    }

    async fn get(&self, target: &str) -> Reply {
        ask(Call::get(Url::parse(&format!("http://{}{target}", self.at)).unwrap())).await
    }

    async fn stats(&self, path: &str) -> String {
        let url = Url::parse(&format!("http://{}{path}", self.stats)).unwrap();
        ask(Call::get(url)).await.text().into_owned()
    }

    async fn end(mut self) -> Ended {
        self.end.take().unwrap().send(()).unwrap();
        self.task.await.unwrap()
    }
}

async fn ask(call: Call) -> Reply {
    Client::patient(Duration::from_secs(20)).ask(call).await.unwrap()
}

fn environment(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let known: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    move |name| known.get(name).cloned()
}

fn simulator(url: &str, more: &[(&str, &str)], seed: u64) -> (Simulator, Said) {
    let variables = [&[("REQUEST_URLS", url), ("REQUEST_WAIT_SECONDS", "0")], more].concat();
    let said = Said::default();
    let settings = ClientSettings::read(&environment(&variables)).unwrap();
    (Simulator::new(settings, None, seed, said.lines()), said)
}

/// Runs a client to its bound.
async fn run(simulator: Simulator, requests: u64) -> Arc<Counters> {
    let counters = simulator.counters().clone();
    let bounds = Bounds { requests: Some(requests), duration: None };
    assert_eq!(simulator.run(None, bounds, std::future::pending()).await, Ended::Bound);
    counters
}

#[tokio::test]
async fn a_server_answers_in_microsims_forms() {
    let server = Running::start(&[("RESPOND_BYTES", "50")], Bounds::default()).await;
    let page = server.get("/any/path?x=1").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html")));
    let text = page.text().into_owned();
    let (random, rest) = text.split_once('\n').unwrap();
    assert!(random.len() == 50 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{random}");
    let parts: Vec<&str> = rest.trim_end().split("   ").collect();
    assert_eq!(parts.len(), 6, "{rest}");
    assert_eq!(parts[0].len(), "Thu Jan  9 22:09:27 2020".len());
    assert!(parts[1].starts_with("hostname: "), "{rest}");
    assert_eq!(parts[2..4], ["ip: 127.0.0.1", "remote: 127.0.0.1"]);
    assert_eq!(parts[4..], [format!("hostheader: {}", server.at), "path: /any/path?x=1".to_owned()]);

    let url = Url::parse(&format!("http://{}/", server.at)).unwrap();
    let post = Call::with_body(Method::POST, url, "application/json", "{\"data\": \"x\"}");
    let reply = ask(post).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let said: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(said["data"].as_str().unwrap().len(), 50);
    let keys = ["data", "time", "hostname", "ip", "remote", "hostheader", "path"];
    assert!(
        keys.iter().all(|key| said[key].is_string()) && said.as_object().unwrap().len() == keys.len(),
        "{said}"
    );

    let sent = (page.body.len() + reply.body.len()) as u64;
    assert_eq!(server.counters.get(Counter::SentBytes), sent);
    assert_eq!(
        (server.counters.get(Counter::Requests), server.counters.get(Counter::ReceivedBytes)),
        (2, 13)
    );
    let access = server.said.all();
    assert!(
        access[0].starts_with("127.0.0.1 - - [")
            && access[0].ends_with("] \"GET /any/path?x=1 HTTP/1.1\" 200 -"),
        "{access:?}"
    );
    assert!(access[1].ends_with("] \"POST / HTTP/1.1\" 200 -"), "{access:?}");

    let stats = server.stats("/anything").await;
    let order = [
        "{\n  \"time\": \"",
        "\n  \"runtime\": ",
        "\n  \"hostname\": ",
        "\n  \"ip\": \"127.0.0.1\"",
        "\n  \"stats\": {\n    \"Requests\": 2,\n    \"Sent Bytes\": ",
        "\n  \"config\": {\n    \"LISTEN_PORT\": 8080,",
    ];
    let places: Vec<usize> =
        order.iter().map(|part| stats.find(part).unwrap_or_else(|| panic!("{part} in {stats}"))).collect();
    assert!(places.is_sorted(), "{stats}");
    let metrics = server.stats("/metrics").await;
    assert!(metrics.contains("\npalisade_sim_server_requests_total 2\n"), "{metrics}");
    assert_eq!(server.end().await, Ended::Told);
}

#[tokio::test]
async fn attacks_are_counted_in_targets_and_in_bodies_alike() {
    let server = Running::start(&[], Bounds::default()).await;
    for kind in Attack::ALL {
        server.get(&format!("/?{}", kind.query())).await;
    }
    let count = |kind| server.counters.get(Counter::Attack(kind));
    let microsims = [Attack::Sqli, Attack::Xss, Attack::Traversal];
    assert_eq!(microsims.map(count), [1, 1, 1]);
    assert_eq!(server.counters.get(Counter::Attacks), 3, "others only where somebody asks for them");
    let url = Url::parse(&format!("http://{}/", server.at)).unwrap();
    for kind in microsims {
        let form = "application/x-www-form-urlencoded";
        ask(Call::with_body(Method::POST, url.clone(), form, kind.query())).await;
    }
    assert_eq!(microsims.map(count), [2, 2, 2]);
    let said = server.said.all();
    for kind in microsims {
        let end = format!("   {} attack detected", kind.name());
        assert_eq!(said.iter().filter(|line| line.ends_with(&end)).count(), 2, "{said:?}");
    }
    server.end().await;

    let more = Running::start(&[("DETECT_MORE", "yes")], Bounds::default()).await;
    for kind in Attack::ALL {
        more.get(&format!("/?{}", kind.query())).await;
    }
    assert_eq!(Attack::ALL.map(|kind| more.counters.get(Counter::Attack(kind))), [1; 7]);
    more.end().await;
}

#[tokio::test]
async fn what_a_client_sends_is_what_a_server_counts() {
    let server = Running::start(&[("RESPOND_BYTES", "10")], Bounds::default()).await;
    let url = format!("http://{}/", server.at);
    let switches = [
        ("SEND_SQLI", "True"),
        ("SEND_XSS", "1"),
        ("SEND_DIR_TRAVERSAL", "x"),
        ("ATTACK_PROBABILITY", "0.5"),
    ];
    let (simulator, said) = simulator(&url, &switches, 3);
    let client = run(simulator, 40).await;
    assert_eq!(client.get(Counter::Requests), 40);
    assert_eq!(client.get(Counter::SentBytes), 40 * (1024 + 12));
    assert_eq!(client.get(Counter::Error), 0);
    let attacks = client.get(Counter::Attacks);
    assert!((5..=35).contains(&attacks), "{attacks}");
    for kind in Attack::ALL {
        assert_eq!(server.counters.get(Counter::Attack(kind)), client.get(Counter::Attack(kind)), "{kind:?}");
    }
    assert_eq!(server.counters.get(Counter::Attacks), attacks);
    assert_eq!(server.counters.get(Counter::Requests), 40 + attacks);
    assert_eq!(server.counters.get(Counter::ReceivedBytes), client.get(Counter::SentBytes));
    let said = said.all();
    let request = format!("   Request to {url}   Request size: 1036   Response size: ");
    assert_eq!(said.iter().filter(|line| line.contains(&request)).count(), 40, "{said:?}");
    let sent = format!(
        "   SQLi sent: {url}?username=joe%40example.com&password=%3BUNION+SELECT+1%2C+version%28%29+limit+1%2C1--"
    );
    assert_eq!(
        said.iter().filter(|line| line.ends_with(&sent)).count() as u64,
        client.get(Counter::Attack(Attack::Sqli))
    );
    server.end().await;
}

#[tokio::test]
async fn the_same_seed_makes_the_same_choices() {
    let server = Running::start(&[("RESPOND_BYTES", "0")], Bounds::default()).await;
    let url = format!("http://{}/", server.at);
    let more = [
        ("SEND_SQLI", "1"),
        ("SEND_XSS", "1"),
        ("ATTACK_PROBABILITY", "0.3"),
        ("REQUEST_PROBABILITY", "0.7"),
    ];
    let mut counts = Vec::new();
    for seed in [11, 11, 12, 13] {
        let (simulator, said) = simulator(&url, &more, seed);
        let client = run(simulator, 30).await;
        let skipped =
            said.all().iter().filter(|line| line.ends_with("   Skipped internal request this run.")).count()
                as u64;
        counts.push([
            client.get(Counter::Attack(Attack::Sqli)),
            client.get(Counter::Attack(Attack::Xss)),
            skipped,
        ]);
    }
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0] != counts[2] || counts[0] != counts[3], "{counts:?}");
    server.end().await;
}

/// Refuses everything.
struct Wall;

impl Service for Wall {
    async fn answer(&self, _request: Request, _ends: Ends) -> Answer {
        Answer::text(hyper::StatusCode::FORBIDDEN, "no\n")
    }
}

#[tokio::test]
async fn a_refusal_is_a_request_that_was_sent_and_counts_as_blocked_where_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, Wall, std::future::pending()));
    let more = [("SEND_SQLI", "1"), ("ATTACK_PROBABILITY", "1"), ("COUNT_BLOCKED", "True")];
    let (simulator, _) = simulator(&url, &more, 1);
    let client = run(simulator, 5).await;
    let counts = [
        Counter::Requests,
        Counter::Blocked,
        Counter::Attack(Attack::Sqli),
        Counter::BlockedAttack(Attack::Sqli),
        Counter::Error,
    ];
    assert_eq!(counts.map(|counter| client.get(counter)), [5, 5, 5, 5, 0]);
}

#[tokio::test]
async fn nobody_there_is_an_error_and_said() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", gone.local_addr().unwrap());
    drop(gone);
    let (simulator, said) = simulator(&url, &[], 1);
    let client = run(simulator, 3).await;
    assert_eq!((client.get(Counter::Error), client.get(Counter::Requests)), (3, 0));
    assert!(
        said.all().iter().all(|line| line.ends_with(&format!("   Connection error to: {url}"))),
        "{:?}",
        said.all()
    );
}

#[tokio::test]
async fn names_that_were_made_up_are_asked_of_the_named_resolver_only() {
    let resolver = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = resolver.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut question = [0; 512];
        while let Ok((length, from)) = resolver.recv_from(&mut question).await {
            let mut answer = question[..length].to_vec();
            answer[7] = 1;
            answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 77]);
            let _ = resolver.send_to(&answer, from).await;
        }
    });
    let server = Running::start(&[("RESPOND_BYTES", "0")], Bounds::default()).await;
    let url = format!("http://{}/", server.at);
    let more = [
        ("SEND_DGA", "1"),
        ("DGA_RESOLVER", at.as_str()),
        ("ATTACK_PROBABILITY", "1"),
        ("REQUEST_INTERNET", "1"),
        ("EGRESS_URLS", url.as_str()),
        ("EGRESS_PROBABILITY", "1"),
        ("REQUEST_MALWARE", ""),
    ];
    let (simulator, said) = simulator(&url, &more, 1);
    let client = run(simulator, 4).await;
    assert_eq!((client.get(Counter::Dga), client.get(Counter::InternetRequests)), (4, 4));
    let dga: Vec<String> =
        said.all().into_iter().filter(|line| line.contains("   DGA query sent: ")).collect();
    assert!(
        dga.len() == 4 && dga.iter().all(|line| line.ends_with(".test   Response: 192.0.2.77")),
        "{dga:?}"
    );
    server.end().await;
}

#[tokio::test]
async fn bounds_end_a_server_and_stop_seconds_kill_it() {
    let server = Running::start(&[], Bounds { requests: Some(2), duration: None }).await;
    server.get("/").await;
    server.get("/").await;
    assert_eq!(server.task.await.unwrap(), Ended::Bound);
    let soon = Bounds { duration: Some(Duration::from_millis(20)), requests: None };
    let server = Running::start(&[], soon).await;
    assert_eq!(server.task.await.unwrap(), Ended::Bound);
    // A timer, not a look after a request.
    let server = Running::start(&[("STOP_SECONDS", "1")], Bounds::default()).await;
    assert_eq!(server.task.await.unwrap(), Ended::Killed(1));
}

#[test]
fn a_statsd_hears_of_all_servers_and_of_this_one() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let at = socket.local_addr().unwrap();
    let statsd = Statsd::connect("127.0.0.1", at.port(), Role::Server, "web-1").unwrap();
    let counters = Counters::of_server(&[], Some(statsd));
    counters.add(Counter::SentBytes, 42);
    counters.add(Counter::Attack(Attack::Traversal), 1);
    let mut heard = Vec::new();
    let mut packet = [0; 512];
    for _ in 0..4 {
        let length = socket.recv(&mut packet).unwrap();
        heard.push(String::from_utf8_lossy(&packet[..length]).into_owned());
    }
    let expected = [
        "all_servers.sent_bytes:42|c",
        "server-web-1.sent_bytes:42|c",
        "all_servers.directory_traversal:1|c",
        "server-web-1.directory_traversal:1|c",
    ];
    assert_eq!(heard, expected);
}
