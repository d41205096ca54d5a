//! What the tests of the command line share: running the binary, a folder of one's own, CRS where it lies, an upstream
//! and a client over plain sockets. Nothing here knows the crates behind the binary; only what a user sees.

#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) mod envoy;
pub(crate) mod grpc;

/// Long enough for a loaded machine; a test that waits for this has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The binary, with no variable of ours in its environment but those that the test adds.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_palisade"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PALISADE_") {
            command.env_remove(name);
        }
    }
    command.env("PALISADE_WORKERS", "2").env("RUST_BACKTRACE", "0").args(arguments);
    command
}

/// What a run of the binary gave.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    /// Every line of the output as JSON.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}"));
        self.out.lines().map(parse).collect()
    }

    /// The output as one JSON value.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }
}

/// Runs the binary to its end.
pub(crate) fn palisade(arguments: &[&str]) -> Answer {
    palisade_with(arguments, b"")
}

/// Runs the binary with standard input.
pub(crate) fn palisade_with(arguments: &[&str], input: &[u8]) -> Answer {
    finish(command(arguments), input)
}

/// Runs a command to its end. Never panicking is part of every contract here.
pub(crate) fn finish(mut command: Command, input: &[u8]) -> Answer {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // One who stops reading early answers by that.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let answer = Answer {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert!(!answer.err.contains("panicked"), "{command:?}: {}", answer.err);
    answer
}

/// CRS by `PALISADE_TEST_CRS`, then the copy beside the repository, then Debian's.
pub(crate) fn crs() -> Option<String> {
    let found = std::env::var("PALISADE_TEST_CRS")
        .ok()
        .or_else(|| shared_crs("4.28.0"))
        .or_else(|| existing("/usr/share/modsecurity-crs"));
    if found.is_none() {
        println!(
            "skipped: no CRS by PALISADE_TEST_CRS, beside the repository, or of Debian's modsecurity-crs"
        );
    }
    found
}

/// Every CRS at hand. Prints which are not.
pub(crate) fn every_crs() -> Vec<String> {
    let named = [
        ("4.28.0 beside the repository", shared_crs("4.28.0")),
        ("3.3.9 beside the repository", shared_crs("3.3.9")),
        ("Debian's", existing("/usr/share/modsecurity-crs")),
        ("by PALISADE_TEST_CRS", std::env::var("PALISADE_TEST_CRS").ok()),
    ];
    let mut found: Vec<String> = Vec::new();
    for (name, folder) in named {
        match folder {
            Some(folder) if !found.contains(&folder) => found.push(folder),
            Some(_) => {}
            None if name.starts_with("by ") => {}
            None => println!("skipped: CRS {name} is not here"),
        }
    }
    found
}

fn shared_crs(version: &str) -> Option<String> {
    existing(&format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/crs/{}"), version))
}

fn existing(folder: &str) -> Option<String> {
    Some(std::fs::canonicalize(folder).ok()?.to_str()?.to_owned())
}

/// A folder that goes when the test ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("palisade-e2e-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    pub(crate) fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file and gives its path. Folders on the way are made. Whoever watches it sees it as it was or whole.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let (path, beside) = (self.0.join(name), self.0.join(format!("{name}.new")));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&beside, content).unwrap();
        std::fs::rename(beside, path).unwrap();
        self.at(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits until something is so.
pub(crate) fn eventually<T>(what: &str, mut so: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = so() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A binary that goes on until it is told to end, with what it has printed so far.
pub(crate) struct Running {
    child: Child,
    out: Arc<Mutex<String>>,
    err: Arc<Mutex<String>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = gather(child.stdout.take().unwrap());
        let err = gather(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// `palisade run` before an upstream, on a free port, data in `folder`.
    pub(crate) fn proxy(folder: &Folder, upstream: &str, arguments: &[&str]) -> Self {
        // Two proxies of one test each lock their own.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let data = folder.at(&format!("data-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let mut all = vec!["run", "--listen", "127.0.0.1:0", "--upstream", upstream, "--data-dir", &data];
        // Several at a time are usual here, and the default address is one.
        if !arguments.contains(&"--admin") {
            all.extend(["--admin", "off"]);
        }
        all.extend(arguments);
        Self::start(command(&all))
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn out(&self) -> String {
        self.out.lock().unwrap().clone()
    }

    pub(crate) fn err(&self) -> String {
        self.err.lock().unwrap().clone()
    }

    /// Where it listens, by the line that says so.
    pub(crate) fn address(&mut self) -> SocketAddr {
        let begun = Instant::now();
        loop {
            let err = self.err();
            if let Some((_, rest)) = err.split_once("listening on http://")
                && let Some((address, name)) = rest.split_once(' ')
                && name.contains('\n')
            {
                return address.parse().unwrap();
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended with {status} before it listened: {err}");
            }
            assert!(begun.elapsed() < PATIENCE, "never listened: {err}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where its admin listener is, by the line that says so.
    pub(crate) fn admin(&mut self) -> SocketAddr {
        self.listener("admin")
    }

    /// Where the listener of a name is, by the line that says so.
    pub(crate) fn listener(&mut self, name: &str) -> SocketAddr {
        let line = |err: &str| {
            // A line without its end is still being written.
            let line = err.split_inclusive('\n').find(|line| line.ends_with(&format!(" ({name})\n")))?;
            let url = line.strip_prefix("listening on ")?.split(' ').next()?;
            url.split("://").nth(1)?.parse().ok()
        };
        eventually(name, || line(&self.err()))
    }

    /// Waits until its standard error holds a text.
    pub(crate) fn wait_err(&self, text: &str) {
        eventually(text, || self.err().contains(text).then_some(()));
    }

    /// Sends a signal by name, as `kill -TERM` does.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits for the end, and gives the exit code.
    pub(crate) fn wait(&mut self) -> i32 {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or_else(|| panic!("ended by a signal: {}", self.err()));
            }
            assert!(begun.elapsed() < PATIENCE, "does not end: {}", self.err());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it by SIGTERM; gives the exit code.
    pub(crate) fn end(&mut self) -> i32 {
        self.signal("TERM");
        self.wait()
    }
}

/// Sends a signal. By the shell's own `kill`: a bare system may have no other.
pub(crate) fn signal(child: &Child, name: &str) {
    let line = format!("kill -{name} {}", child.id());
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
    // On a busy machine its threads go on for a moment, and a killed one holds its locks and ports for as long.
    let state = match name {
        "STOP" => 'T',
        "KILL" => 'Z',
        _ => return,
    };
    eventually("every thread stopped", || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
        let stopped = |task: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(state))
        };
        tasks.into_iter().all(stopped).then_some(())
    });
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        assert!(std::thread::panicking() || !self.err().contains("panicked"), "{}", self.err());
    }
}

fn gather(from: impl std::io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let kept = Arc::new(Mutex::new(String::new()));
    let into = kept.clone();
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    kept
}

/// What no service should show.
pub(crate) const PRIVATE_KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\n\
    MIIEowIBAAKCAQEA0Z3VS5JJcds3xfn/ygWyF0qEYz6lXvA4nGq1Xq2b1o5yq1Xg\n\
    -----END RSA PRIVATE KEY-----\n";

/// An upstream: answers 200 with what it saw; `/slow` waits until it is let go, `/leak` shows a private key.
pub(crate) struct Upstream {
    pub(crate) url: String,
    state: Arc<UpstreamState>,
}

#[derive(Default)]
struct UpstreamState {
    /// Paths that begin so are not there.
    missing: &'static str,
    heads: Mutex<Vec<String>>,
    go: Mutex<bool>,
    went: Condvar,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    /// The same at an address of this machine.
    pub(crate) fn start_at(address: &str) -> Self {
        Self::at(address, "")
    }

    /// One that answers 404 to paths that begin so.
    pub(crate) fn missing_below(missing: &'static str) -> Self {
        Self::at("127.0.0.1:0", missing)
    }

    fn at(address: &str, missing: &'static str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(UpstreamState { missing, ..UpstreamState::default() });
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { url, state }
    }

    /// Heads of requests that it saw.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.state.heads.lock().unwrap().clone()
    }

    /// Lets `/slow` answer.
    pub(crate) fn let_go(&self) {
        *self.state.go.lock().unwrap() = true;
        self.state.went.notify_all();
    }
}

fn serve(stream: TcpStream, state: &UpstreamState) {
    let mut stream = BufReader::new(stream);
    loop {
        let Some((head, body)) = read_message(&mut stream) else { return };
        let slow = head.contains(" /slow");
        state.heads.lock().unwrap().push(head.clone());
        if slow {
            let mut go = state.go.lock().unwrap();
            while !*go {
                go = state.went.wait(go).unwrap();
            }
        }
        let line = head.lines().next().unwrap_or_default();
        let content = match head.contains(" /leak") {
            true => PRIVATE_KEY.to_owned(),
            false => format!("upstream saw {line} and {} bytes\n", body.len()),
        };
        let is_missing = !state.missing.is_empty() && line.contains(&format!(" {}", state.missing));
        let status = if is_missing { "404 Not Found" } else { "200 OK" };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{content}",
            content.len()
        );
        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// A message with its head as text; `None` when the other side closes.
fn read_message(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        if line == b"\r\n" {
            break;
        }
        head.push_str(&String::from_utf8_lossy(&line));
    }
    let mut body = Vec::new();
    if let Some(length) = field(&head, "content-length") {
        body = vec![0; length.parse().ok()?];
        stream.read_exact(&mut body).ok()?;
    } else if field(&head, "transfer-encoding").is_some() {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let size = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }
    Some((head, body))
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let pairs = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    pairs.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }
}

/// Sends a request as it stands and reads one answer.
pub(crate) fn send(address: SocketAddr, request: &[u8]) -> Response {
    receive(begin(address, request))
}

/// Sends a request without waiting for its answer.
pub(crate) fn begin(address: SocketAddr, request: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request).unwrap();
    stream
}

/// Reads one answer.
pub(crate) fn receive(stream: TcpStream) -> Response {
    let (head, body) = read_message(&mut BufReader::new(stream)).expect("an answer");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Response { status, head, body: String::from_utf8_lossy(&body).into_owned() }
}

/// GET as a browser sends it, with more header lines (each ending in CRLF).
pub(crate) fn get(address: SocketAddr, target: &str, more: &str) -> Response {
    let accept = if more.contains("Accept:") { "" } else { "Accept: text/html\r\n" };
    send(
        address,
        format!(
            "GET {target} HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: Mozilla/5.0\r\n{accept}{more}\r\n"
        )
        .as_bytes(),
    )
}

/// The first article's attack: a UNION in a password field.
pub(crate) const UNION_ATTACK: &str =
    "/?username=joe%40example.com&password=%3BUNION+SELECT+1%2C+version%28%29+limit+1%2C1--";
/// The second article's: a comment that splits a UNION over lines.
pub(crate) const COMMENT_ATTACK: &str =
    "//test/artists.php?artist=0+div+1+union%23foo*%2F*bar%0D%0Aselect%23foo%0D%0A1%2C2%2Ccurrent_user";
