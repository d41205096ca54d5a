//! A real server's opinion: whatever we pass on, nginx has to read as the same number of requests. Requests are a small corpus of smuggling attempts and mutations of it.

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use palisade_model::Mode;
use support::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

/// Mutations of the corpus.
const MUTATIONS: usize = 3000;

const CORPUS: &[&str] = &[
    "GET /a?b=c HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n",
    "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nhello",
    "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: h\r\nX: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
    "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close, Content-Length, Host\r\nContent-Length: 35\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET http://other/a HTTP/1.1\r\nHost: h\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    "HEAD /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /a HTTP/1.1\nHost: h\n\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
];

/// What mutations put in.
const PIECES: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    "\x0b",
    ":",
    ";",
    ",",
    "0",
    "5",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: x\r\n",
    "Host: i\r\n",
    "GET /s HTTP/1.1\r\nHost: h\r\n\r\n",
    "0\r\n\r\n",
    "HTTP/1.0",
    "\u{e9}",
    "/",
    "?",
    "#",
    "%00",
    "%",
    "\"",
    "<",
    "\\",
    "..",
    "Connection: Transfer-Encoding\r\n",
    "+",
    "-",
    "x",
];

/// Bodies are held, so that halves of requests do not get through.
const HOLDS: &str = "SecRequestBodyAccess On\n";

struct Nginx {
    child: Child,
    folder: std::path::PathBuf,
    port: u16,
}

impl Nginx {
    fn start() -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("palisade-second-opinion-{}", std::process::id()));
        std::fs::create_dir_all(&folder).ok()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let at = folder.display();
        let configuration = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log info;\n\
             events {{}}\n\
             http {{ log_format short '$status $request'; access_log {at}/access.log short;\n\
             client_body_temp_path {at}/a; proxy_temp_path {at}/b; fastcgi_temp_path {at}/c;\n\
             uwsgi_temp_path {at}/d; scgi_temp_path {at}/e;\n\
             server {{ listen 127.0.0.1:{port}; location / {{ return 200 ok; }} }} }}\n"
        );
        std::fs::write(folder.join("nginx.conf"), configuration).ok()?;
        let child = Command::new("nginx")
            .args(["-p", folder.to_str()?, "-e", "error.log", "-c", "nginx.conf"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let nginx = Self { child, folder, port };
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(nginx);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read(self.folder.join("access.log")).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_we_pass_on_is_to_nginx_as_many_requests_as_to_us() {
    if !Path::new("/usr/sbin/nginx").exists() {
        eprintln!("skipped: /usr/sbin/nginx is not there (Debian's package nginx-light)");
        return;
    }
    let nginx = Nginx::start().expect("nginx starts");
    let proxy =
        Proxy::start(format!("127.0.0.1:{}", nginx.port).parse().unwrap(), Mode::Monitoring, HOLDS).await;
    let mut random = Random(0x5eed);
    let mut requests: Vec<Vec<u8>> = CORPUS.iter().map(|text| text.as_bytes().to_vec()).collect();
    while requests.len() < CORPUS.len() + MUTATIONS {
        requests.push(mutated(&mut random));
    }
    let mut cases = 0;
    let mut passed = 0;
    let mut refused = 0;
    for request in &requests {
        let before = (nginx.lines().len(), passed_on(&proxy));
        let answer = exchange(&proxy, request).await;
        let sent = passed_on(&proxy) - before.1;
        // nginx writes its line when it has answered, which may be a moment after we have.
        let mut seen = nginx.lines();
        for _ in 0..50 {
            if seen.len() as u64 - before.0 as u64 >= sent {
                break;
            }
            sleep(Duration::from_millis(10)).await;
            seen = nginx.lines();
        }
        let shown = String::from_utf8_lossy(request).into_owned();
        let new = &seen[before.0..];
        assert_eq!(
            new.len() as u64,
            sent,
            "{shown:?}\nnginx: {new:#?}\nanswer: {answer:?}\nlog: {:#?}",
            proxy.log().last()
        );
        // A refusal of one request is an opinion about its target (nginx takes neither `*` nor a broken `%`);
        // disagreement about where requests end would show as more lines or fewer.
        refused += new.iter().filter(|line| line.starts_with("400")).count();
        cases += 1;
        passed += sent;
    }
    println!("{cases} cases, {passed} requests passed on, {refused} of them refused by nginx");
    assert!(cases > MUTATIONS && passed > 500);
}

/// Requests that we have sent on.
fn passed_on(proxy: &Proxy) -> u64 {
    proxy.count("requests_total")
        - proxy.count("framing_refused_total")
        - proxy.count("bodies_incomplete_total")
        - proxy.log().iter().filter(|line| line.contains("code 405")).count() as u64
}

async fn exchange(proxy: &Proxy, request: &[u8]) -> String {
    let mut client = proxy.connect().await;
    let _ = client.stream.write_all(request).await;
    let _ = client.stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(5), client.stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn mutated(random: &mut Random) -> Vec<u8> {
    let mut request = CORPUS[random.below(CORPUS.len())].as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(request.len());
        match random.below(4) {
            0 => {
                request.remove(at);
            }
            1 => {
                let end = (at + random.below(12)).min(request.len());
                let piece: Vec<u8> = request[at..end].to_vec();
                request.splice(at..at, piece);
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len())];
                request.splice(at..at, piece.bytes());
            }
        }
    }
    request
}

/// A generator that gives the same cases everywhere (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}
