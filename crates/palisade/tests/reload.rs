//! Rules that change every second while clients ask as fast as they can: nobody notices, but for the rules.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::{Folder, PATIENCE, Running, Upstream, eventually};

/// As many as have to be answered, and as often as rules have to change meanwhile.
const REQUESTS: u64 = 10_000;
const RELOADS: u16 = 5;
const CLIENTS: usize = 4;

/// Rules of a generation: a bad request gets its number as the status.
fn rules(generation: u16) -> String {
    format!(
        "SecRuleEngine On\nSecRule ARGS:bad \"@streq 1\" \"id:1,phase:2,deny,status:{},log\"\n",
        410 + generation
    )
}

/// A client on one connection for as long as it is kept.
struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    /// The status and the body, or what went wrong.
    fn ask(&mut self, target: &str) -> Result<(u16, String), String> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(self.address).map_err(|error| error.to_string())?;
                stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
                none.insert(BufReader::new(stream))
            }
        };
        let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\nUser-Agent: t\r\nAccept: */*\r\n\r\n");
        let answer = exchange(stream, &request).map_err(|error| format!("{target}: {error}"))?;
        if answer.closes {
            self.stream = None;
        }
        Ok((answer.status, answer.body))
    }
}

struct Answer {
    status: u16,
    body: String,
    closes: bool,
}

fn exchange(stream: &mut BufReader<TcpStream>, request: &str) -> std::io::Result<Answer> {
    stream.get_mut().write_all(request.as_bytes())?;
    let (mut status, mut length, mut closes) = (0, 0, false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest[..3].parse().expect("a status");
        } else if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().expect("a length");
        } else if line.is_empty() {
            break;
        }
        closes |= line == "connection: close";
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned(), closes })
}

#[test]
fn ten_thousand_requests_while_rules_change_every_second_and_none_fails() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let file = folder.write("site.conf", rules(0));
    let mut proxy = Running::proxy(&folder, &upstream.url, &["--mode", "block", "--rules", &file]);
    let address = proxy.address();
    let (asked, in_force, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let started = Instant::now();
    let failed: Vec<String> = std::thread::scope(|scope| {
        let client = || {
            let mut client = Client { address, stream: None };
            let mut failed = Vec::new();
            while !over.load(Ordering::Relaxed) && failed.len() < 10 {
                // Rules change between the two looks; what answers is one of the two, and whole.
                let before = in_force.load(Ordering::SeqCst);
                match client.ask("/?good=1") {
                    Ok((200, body)) if body.contains("upstream saw GET /?good=1") => {}
                    other => failed.push(format!("{other:?}")),
                }
                match client.ask("/?bad=1") {
                    Ok((status, body))
                        if u64::from(status) >= 410 + before && body.contains("Request id") => {}
                    other => failed.push(format!("in force {before}: {other:?}")),
                }
                asked.fetch_add(2, Ordering::Relaxed);
            }
            failed
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        for generation in 1..=RELOADS {
            std::thread::sleep(Duration::from_secs(1));
            folder.write("site.conf", rules(generation));
            proxy.signal("HUP");
            eventually("rules of the next generation", || {
                let status = Client { address, stream: None }.ask("/?bad=1").ok()?.0;
                (status == 410 + generation).then_some(())
            });
            in_force.store(u64::from(generation), Ordering::SeqCst);
        }
        eventually("enough requests", || (asked.load(Ordering::Relaxed) >= REQUESTS).then_some(()));
        over.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().expect("a client ends")).collect()
    });
    let asked = asked.into_inner();
    println!(
        "{asked} requests in {:.1} s, {RELOADS} reloads, {} failed",
        started.elapsed().as_secs_f64(),
        failed.len()
    );
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(proxy.end(), 0);
}

/// How long the storm lasts here; bench/proxy/services has a minute of it.
const STORM: Duration = Duration::from_secs(4);

#[test]
fn a_file_that_changes_all_the_time_is_taken_and_no_request_fails() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let rules = folder.write("site.conf", rules(0));
    let text = |open: u32| {
        format!(
            "admin: {{address: 127.0.0.1:0}}\ndataDir: data\nlisteners: [{{name: web, address: 127.0.0.1:0}}]\n\
             services: [{{name: s, upstream: {{url: \"{}\"}}, exceptions: [{{rules: [1], paths: [/open{open}/]}}]}}]\n\
             profiles: {{default: {{mode: block, detect: {{enabled: false}}, rules: {{files: [{rules}]}}}}}}\n",
            upstream.url
        )
    };
    let config = folder.write("c.yaml", text(0));
    let mut proxy = Running::start(support::command(&["run", "--config", &config]));
    let (web, admin) = (proxy.listener("web"), proxy.listener("admin"));
    let reloads = || -> u64 {
        let request = format!("GET /api/v1/status HTTP/1.1\r\nHost: {admin}\r\n\r\n");
        let status: serde_json::Value =
            serde_json::from_str(&support::send(admin, request.as_bytes()).body).expect("JSON");
        assert_eq!(status["reloads"]["failed"], 0, "{status}");
        status["reloads"]["succeeded"].as_u64().expect("a number")
    };
    let (asked, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (last, failed, during) = std::thread::scope(|scope| {
        let client = || {
            let mut client = Client { address: web, stream: None };
            let mut failed = Vec::new();
            while !over.load(Ordering::Relaxed) && failed.len() < 10 {
                for (target, status) in [("/?good=1", 200), ("/?bad=1", 410)] {
                    match client.ask(target) {
                        Ok((there, _)) if there == status => {}
                        other => failed.push(format!("{target}: {other:?}")),
                    }
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            }
            failed
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let (started, mut turn) = (Instant::now(), 0);
        while started.elapsed() < STORM {
            turn += 1;
            // As editors do it: a file is there whole or not at all.
            folder.write("next.yaml", text(turn));
            std::fs::rename(folder.at("next.yaml"), folder.at("c.yaml")).expect("a rename");
            std::thread::sleep(Duration::from_millis(100));
        }
        // Whatever comes next, clients end: a scope waits for them.
        over.store(true, Ordering::Relaxed);
        let during = reloads();
        let failed: Vec<String> =
            clients.into_iter().flat_map(|client| client.join().expect("a client ends")).collect();
        (turn, failed, during)
    });
    println!("{} requests, {last} changes, {during} reloads meanwhile", asked.into_inner());
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(during >= 1, "changes that never stop are taken all the same");
    let target = format!("/open{last}/?bad=1");
    eventually("the last change", || {
        let status = Client { address: web, stream: None }.ask(&target).ok()?.0;
        (status == 200).then_some(())
    });
    assert_eq!(proxy.end(), 0);
}

/// Longer than a change has to stand still before it is taken.
const STALLED: Duration = Duration::from_millis(900);

#[test]
fn a_file_that_is_written_in_place_is_not_taken_while_it_is_empty() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let file = folder.write("site.conf", rules(0));
    let mut proxy = Running::proxy(&folder, &upstream.url, &["--mode", "block", "--rules", &file]);
    let mut client = Client { address: proxy.address(), stream: None };
    // As an editor does it that saves in place, or a copy: it is emptied first, and then the disk is slow.
    let mut there = std::fs::File::create(&file).expect("it is there");
    let emptied = Instant::now();
    while emptied.elapsed() < STALLED {
        assert_eq!(client.ask("/?bad=1").map(|(status, _)| status), Ok(410));
        std::thread::sleep(Duration::from_millis(50));
    }
    there.write_all(rules(1).as_bytes()).expect("it is written");
    drop(there);
    eventually("rules of the next generation", || match client.ask("/?bad=1").expect("an answer") {
        (411, _) => Some(()),
        (410, _) => None,
        other => panic!("neither the old rules nor the new: {other:?}"),
    });
    assert_eq!(proxy.end(), 0);
}
