//! The program under test: `palisade run` on a port of its own, and the lines of its error log that belong to a
//! request.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::wire::Connection;

/// How long reading the rules may take: seconds in a debug build, and the machine may be busy.
const START_WITHIN: Duration = Duration::from_secs(120);
/// How long a marker's line may take to reach the log before the marker is sent again, and how often it is sent.
const MARKER_WITHIN: Duration = Duration::from_millis(500);
const MARKER_ATTEMPTS: u32 = 20;

/// A running `palisade`; it ends with this value.
pub(crate) struct Palisade {
    child: Child,
    pub(crate) address: SocketAddr,
    log: LogTail,
    /// Markers share a connection.
    connection: Option<Connection>,
    marked: u32,
}

impl Palisade {
    /// Starts it with the rules of `crs`; `rules_before` are loaded between setup and rules. What it writes goes
    /// below `folder`.
    pub(crate) fn start(crs: &Path, rules_before: &Path, origin: SocketAddr, folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("a folder below the build folder can be made");
        let log = folder.join("error.log");
        let mut child = Command::new(env!("CARGO_BIN_EXE_palisade"))
            .args(["run", "--listen", "127.0.0.1:0", "--mode", "block", "--detect", "off"])
            .args(["--admin", "off", "--upstream", &format!("http://{origin}")])
            .arg("--crs")
            .arg(crs)
            .arg("--rules-before")
            .arg(rules_before)
            .arg("--error-log")
            .arg(&log)
            .arg("--data-dir")
            .arg(folder)
            // One request at a time, and as many processes as there are cores.
            .env("PALISADE_WORKERS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let said = listen(BufReader::new(child.stderr.take().expect("standard error is a pipe")));
        let address = match said.recv_timeout(START_WITHIN) {
            Ok(Ok(address)) => address,
            outcome => {
                let _ = child.kill();
                let _ = child.wait();
                match outcome {
                    Ok(Err(lines)) => panic!("palisade ended before it listened:\n{lines}"),
                    _ => panic!("palisade did not listen within {START_WITHIN:?}"),
                }
            }
        };
        let log = LogTail {
            file: File::open(&log).expect("the log is there"),
            lines: Vec::new(),
            rest: Vec::new(),
        };
        Self { child, address, log, connection: None, marked: 0 }
    }

    /// Does `work` between two marker requests and returns what it returned with the lines that the log has between
    /// the markers.
    pub(crate) fn observed<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> (T, Vec<Vec<u8>>) {
        self.marked += 1;
        // Only lower-case letters, digits and dashes: a line is searched as it stands.
        let id = format!("{name}-{}-{}", std::process::id(), self.marked);
        let (start, end) = (format!("{id}-start"), format!("{id}-end"));
        self.log.lines.clear();
        let from = self.mark(&start, 0) + 1;
        let result = work();
        let to = self.mark(&end, from);
        // A marker that was sent again may be logged late.
        let lines = self.log.lines[from..to].iter().filter(|line| !contains(line, start.as_bytes()));
        (result, lines.cloned().collect())
    }

    /// Sends a request that only the marker rule sees, and returns where its line stands in the log.
    fn mark(&mut self, marker: &str, from: usize) -> usize {
        let request = format!(
            "GET /status/200 HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: marker\r\n\
             X-CRS-Test: {marker}\r\n\r\n"
        );
        for _ in 0..MARKER_ATTEMPTS {
            self.ask(request.as_bytes()).unwrap_or_else(|error| panic!("marker {marker}: {error}"));
            if let Some(at) = self.log.wait_for(marker.as_bytes(), from, MARKER_WITHIN) {
                return at;
            }
        }
        panic!("the log shows no marker {marker}: is the marker rule loaded?");
    }

    fn ask(&mut self, request: &[u8]) -> Result<(), String> {
        // The kept connection may have ended meanwhile; a fresh one has to work.
        if let Some(connection) = &mut self.connection
            && connection.ask(request).is_ok()
        {
            return Ok(());
        }
        let mut fresh = Connection::open(self.address)?;
        fresh.ask(request)?;
        self.connection = Some(fresh);
        Ok(())
    }
}

impl Drop for Palisade {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends the address once the program has printed it, or all that it printed when it ended without; and keeps
/// reading, so that it can keep writing.
fn listen(stderr: impl std::io::BufRead + Send + 'static) -> mpsc::Receiver<Result<SocketAddr, String>> {
    let (say, said) = mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = String::new();
        for line in stderr.lines().map_while(Result::ok) {
            if let Some(address) = address(&line) {
                // Nobody listens any longer after a timeout.
                let _ = say.send(Ok(address));
            }
            // Enough to show what is wrong; rules with thousands of warnings are not kept.
            if lines.len() < 64 << 10 {
                lines.push_str(&line);
                lines.push('\n');
            }
        }
        let _ = say.send(Err(lines));
    });
    said
}

/// `listening on http://127.0.0.1:41234 (web)`.
fn address(line: &str) -> Option<SocketAddr> {
    let rest = line.split_once("listening on http://")?.1;
    rest.strip_suffix(" (web)")?.parse().ok()
}

struct LogTail {
    file: File,
    lines: Vec<Vec<u8>>,
    /// A line whose end has not come yet.
    rest: Vec<u8>,
}

impl LogTail {
    fn read(&mut self) {
        self.file.read_to_end(&mut self.rest).expect("the log can be read");
        while let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
            let rest = self.rest.split_off(end + 1);
            self.rest.pop();
            self.lines.push(std::mem::replace(&mut self.rest, rest));
        }
    }

    fn wait_for(&mut self, marker: &[u8], from: usize, within: Duration) -> Option<usize> {
        let deadline = Instant::now() + within;
        let mut pause = Duration::from_micros(200);
        loop {
            self.read();
            let marks = |line: &Vec<u8>| contains(line, marker) && contains(line, b"X-CRS-Test");
            if let Some(at) = self.lines[from..].iter().position(marks) {
                return Some(from + at);
            }
            if Instant::now() > deadline {
                return None;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}
