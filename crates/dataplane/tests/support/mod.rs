//! A proxy, an upstream that does as it is told, and a client that speaks in bytes.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part of it")]

pub mod http2;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use palisade_dataplane::{
    Bound, Budget, Destination, DrainTrigger, Drained, Ended, Facts, Journal, Listener, Plane, Remark,
    Routes, Upstream, UpstreamLimits, Value, drain, serve,
};
use palisade_inspect::{Caps, Profile, RuleSources, Service, load_rules};
use palisade_model::Mode;
use palisade_seclang::MemoryLoader;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything takes that works, shorter than anybody's patience.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub fn service(mode: Mode, rules: &str) -> Arc<Service> {
    let text = Some(("test rules".to_owned(), rules.as_bytes().to_vec(), String::new()));
    let loaded = load_rules(&RuleSources { text, ..RuleSources::default() }, &MemoryLoader::new());
    let rules = loaded.rules.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    // The bounds tested here are the rules' and the listener's.
    Service::new("test", Profile { caps: Caps::NONE, ..Profile::new(mode, Some(rules)) })
}

pub struct Proxy {
    pub address: SocketAddr,
    pub plane: Arc<Plane>,
    pub routes: Arc<Routes>,
    pub drain: DrainTrigger,
    pub served: JoinHandle<Drained>,
    pub journal: Arc<Kept>,
}

/// A journal that keeps what it is told.
#[derive(Debug, Default)]
pub struct Kept {
    lines: Mutex<Vec<String>>,
    facts: Mutex<Vec<Facts>>,
}

impl Kept {
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl Journal for Kept {
    fn ended(&self, ended: Ended) {
        let mut lines = self.lines.lock().unwrap();
        lines.extend(ended.report.iter().flat_map(|report| report.error_log_lines()));
        lines.extend(ended.notes);
        self.facts.lock().unwrap().push(ended.facts);
    }

    fn remark(&self, remark: Remark) {
        self.lines.lock().unwrap().push(remark.line);
    }
}

impl Proxy {
    pub async fn start(upstream: SocketAddr, mode: Mode, rules: &str) -> Self {
        Self::start_with(upstream, mode, rules, Budget::new(std::env::temp_dir()), |_| {}).await
    }

    pub async fn start_with(
        upstream: SocketAddr,
        mode: Mode,
        rules: &str,
        budget: Budget,
        change: impl FnOnce(&mut Listener),
    ) -> Self {
        let limits = UpstreamLimits { connect: Duration::from_millis(500), ..UpstreamLimits::default() };
        let upstream = Arc::new(Upstream::new(&format!("http://{upstream}"), limits).unwrap());
        Self::start_at(Destination::new(service(mode, rules), upstream), budget, change).await
    }

    pub async fn start_at(
        destination: Destination,
        budget: Budget,
        change: impl FnOnce(&mut Listener),
    ) -> Self {
        let routes = Routes::all_to(destination);
        let mut listener = Listener::new("test", "127.0.0.1:0".parse().unwrap(), routes.clone());
        change(&mut listener);
        let journal = Arc::new(Kept::default());
        let plane = Plane::new(journal.clone(), budget, 0);
        let bound = Bound::bind(listener).await.unwrap();
        let address = bound.local_address().unwrap();
        let (trigger, ear) = drain();
        let served = tokio::spawn(serve(bound, plane.clone(), ear));
        Self { address, plane, routes, drain: trigger, served, journal }
    }

    pub async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.unwrap(), read: Vec::new() }
    }

    /// One request on a connection of its own.
    pub async fn ask(&self, request: impl AsRef<[u8]>) -> Response {
        let mut client = self.connect().await;
        client.send(request).await;
        client.response().await
    }

    /// The error log's lines so far. What is asked for after an answer came has to be there.
    pub fn log(&self) -> Vec<String> {
        self.journal.lines()
    }

    /// The facts of the exchanges that have ended so far.
    pub fn facts(&self) -> Vec<Facts> {
        self.journal.facts.lock().unwrap().clone()
    }

    /// Waits for a line; for what is logged when there is no answer.
    pub async fn await_log(&self, part: &str) {
        for _ in 0..200 {
            if self.log().iter().any(|line| line.contains(part)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no line with `{part}` in {:#?}", self.log());
    }

    /// The metric's value, summed over its labels.
    pub fn count(&self, name: &str) -> u64 {
        self.count_of(name, &[])
    }

    /// The metric's value, summed over the labels that are not named.
    pub fn count_of(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let (mut sum, mut known) = (0, false);
        self.plane.visit_metrics(&mut |sample| {
            if sample.name.strip_prefix("palisade_") == Some(name)
                && labels.iter().all(|label| sample.labels.contains(label))
            {
                known = true;
                sum += match sample.value {
                    Value::Counter(value) | Value::Gauge(value) => value,
                    Value::Histogram(value) => value.counts.iter().sum(),
                };
            }
        });
        assert!(known, "no metric {name} {labels:?}");
        sum
    }
}

pub struct Client {
    pub stream: TcpStream,
    pub read: Vec<u8>,
}

impl Client {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next response; its body as its head frames it.
    pub async fn response(&mut self) -> Response {
        self.response_to("GET").await
    }

    pub async fn response_to(&mut self, method: &str) -> Response {
        let mut response = self.head().await;
        if method == "HEAD" || matches!(response.status, 100..=199 | 204 | 304) {
            return response;
        }
        if response.header("transfer-encoding").is_some() {
            loop {
                let line = self.line().await;
                let size =
                    usize::from_str_radix(line.trim(), 16).unwrap_or_else(|_| panic!("chunk size {line:?}"));
                if size == 0 {
                    break;
                }
                let piece = self.take(size + 2).await.expect("a chunk");
                response.body.extend_from_slice(&piece[..size]);
            }
            loop {
                let line = self.line().await;
                if line.is_empty() {
                    break;
                }
                response.trailers.push(line);
            }
        } else if let Some(length) = response.header("content-length") {
            let length = length.parse().unwrap();
            response.body = self.take(length).await.expect("the body as announced");
        } else {
            response.body = self.rest().await;
        }
        response
    }

    pub async fn head(&mut self) -> Response {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let status = lines.first().and_then(|line| line.split(' ').nth(1)).and_then(|word| word.parse().ok());
        Response {
            status: status.unwrap_or_else(|| panic!("no status line: {lines:?}")),
            lines,
            body: Vec::new(),
            trailers: Vec::new(),
        }
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.read.drain(..end + 2).collect();
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            assert!(self.fill().await, "the connection ended at {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// So many bytes; none when the connection ends before.
    pub async fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        while self.read.len() < bytes {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.read.drain(..bytes).collect())
    }

    /// All until the connection ends.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.read)
    }

    /// Whether the connection ends without another byte.
    pub async fn is_closed(&mut self) -> bool {
        self.rest().await.is_empty()
    }

    /// Whether the connection ends before another byte; what comes is kept.
    pub async fn is_closed_at_once(&mut self) -> bool {
        !self.fill().await
    }

    async fn fill(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await.expect("something in time");
        matches!(read, Ok(1..))
    }
}

#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub lines: Vec<String>,
    pub body: Vec<u8>,
    pub trailers: Vec<String>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).into_iter().next()
    }

    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.lines
            .iter()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn request_id(&self) -> &str {
        self.header("x-request-id").expect("every answer has an id")
    }
}

/// What an upstream saw.
#[derive(Clone, Default)]
pub struct Seen {
    pub requests: Arc<Mutex<Vec<Request>>>,
    pub connections: Arc<Mutex<usize>>,
}

impl Seen {
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

/// A request as an upstream saw it, its body as its framing says.
#[derive(Clone, Debug)]
pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
    /// The body as it was on the wire.
    pub wire: Vec<u8>,
}

/// An upstream that does with each connection as it is told.
pub async fn upstream<F, A>(act: F) -> (SocketAddr, Seen)
where
    F: Fn(Server) -> A + Send + Sync + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let shared = seen.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            *shared.connections.lock().unwrap() += 1;
            tokio::spawn(act(Server { stream, read: Vec::new(), seen: shared.clone() }));
        }
    });
    (address, seen)
}

/// An upstream that answers each request with the same bytes.
pub async fn answering(answer: impl Into<Vec<u8>>) -> (SocketAddr, Seen) {
    let answer: Arc<Vec<u8>> = Arc::new(answer.into());
    upstream(move |mut server| {
        let answer = answer.clone();
        async move {
            while server.request().await.is_some() {
                server.send(&answer[..]).await;
            }
        }
    })
    .await
}

/// An upstream that answers each request with 200 and the body it came with.
pub async fn echoing() -> (SocketAddr, Seen) {
    upstream(|mut server| async move {
        while let Some(request) = server.request().await {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len());
            let body = if request.head.starts_with("HEAD") { Vec::new() } else { request.body };
            server.send([head.as_bytes(), &body].concat()).await;
        }
    })
    .await
}

pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

pub struct Server {
    pub stream: TcpStream,
    pub read: Vec<u8>,
    pub seen: Seen,
}

impl Server {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Reads a request whole.
    pub async fn request(&mut self) -> Option<Request> {
        let head = self.head().await?;
        let lower = head.to_ascii_lowercase();
        let mut body = Vec::new();
        let mut wire = Vec::new();
        if lower.contains("\r\ntransfer-encoding: chunked\r\n") {
            loop {
                let line = self.line().await?;
                let size = usize::from_str_radix(line.trim(), 16).unwrap();
                wire.extend_from_slice(format!("{line}\r\n").as_bytes());
                if size == 0 {
                    break;
                }
                let piece = self.take(size + 2).await?;
                wire.extend_from_slice(&piece);
                body.extend_from_slice(&piece[..size]);
            }
            loop {
                let line = self.line().await?;
                wire.extend_from_slice(format!("{line}\r\n").as_bytes());
                if line.is_empty() {
                    break;
                }
            }
        } else if let Some(at) = lower.find("\r\ncontent-length: ") {
            let length = lower[at + 18..].split("\r\n").next().unwrap().parse().unwrap();
            body = self.take(length).await?;
            wire = body.clone();
        }
        let request = Request { head, body, wire };
        self.seen.requests.lock().unwrap().push(request.clone());
        Some(request)
    }

    /// Reads a head.
    pub async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..end + 4).collect();
                return Some(String::from_utf8_lossy(&head).into_owned());
            }
            self.fill().await?;
        }
    }

    pub async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.read.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.fill().await?;
        }
    }

    pub async fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        while self.read.len() < bytes {
            self.fill().await?;
        }
        Some(self.read.drain(..bytes).collect())
    }

    pub async fn fill(&mut self) -> Option<()> {
        match self.stream.read_buf(&mut self.read).await {
            Ok(1..) => Some(()),
            _ => None,
        }
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}
