//! Listeners that come, go and change while the process runs: nobody who is connected or connects is cut off by it.

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use support::{Folder, PATIENCE, Running, Upstream, command, eventually, get, send};

/// A configuration with these listeners, as one line of YAML each.
fn text(upstream: &Upstream, listeners: &[&str]) -> String {
    let listeners: String = listeners.iter().map(|listener| format!("- {listener}\n")).collect();
    format!(
        "admin: {{address: 127.0.0.1:0}}\ndataDir: data\nlisteners:\n{listeners}\
         services: [{{name: a, upstream: {{url: \"{}\"}}}}]\n",
        upstream.url
    )
}

/// What the admin listener says.
fn ask(admin: SocketAddr, path: &str) -> String {
    send(admin, format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes()).body
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn connects(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

#[test]
fn listeners_come_and_go_and_requests_that_have_begun_are_answered() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let web = "{name: web, address: 127.0.0.1:0}";
    let config = folder.write("c.yaml", text(&upstream, &[web]));
    let mut proxy = Running::start(command(&["run", "--config", &config]));
    let first = proxy.listener("web");

    let port = free_port();
    let other = format!("{{name: other, address: \"127.0.0.1:{port}\"}}");
    folder.write("c.yaml", text(&upstream, &[web, &other]));
    proxy.signal("HUP");
    let second = proxy.listener("other");
    assert_eq!(second.port(), port);
    assert_eq!((get(second, "/", "").status, get(first, "/", "").status), (200, 200));
    let admin = proxy.admin();
    let shown = || ask(admin, "/api/v1/status");
    eventually("the API has it", || shown().contains(&format!("http://{second}")).then_some(()));

    // A request is half sent when its listener goes.
    let mut begun = TcpStream::connect(second).unwrap();
    begun.set_read_timeout(Some(PATIENCE)).unwrap();
    begun
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\nab")
        .unwrap();
    eventually("it has begun", || {
        let line = ask(admin, "/metrics");
        let open = line.lines().find(|line| line.starts_with("palisade_connections_open"))?.to_owned();
        (open.split(' ').next_back() != Some("0")).then_some(())
    });
    folder.write("c.yaml", text(&upstream, &[web]));
    proxy.signal("HUP");
    proxy.wait_err(&format!("no longer listening on http://{second} (other)"));
    eventually("nobody listens there", || (!connects(second)).then_some(()));
    begun.write_all(b"cd").unwrap();
    let mut answer = String::new();
    begun.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(get(first, "/", "").status, 200);
    assert!(!shown().contains(&format!("http://{second}")));
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_listener_that_changes_keeps_its_socket_and_refuses_nobody() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let plain = "{name: web, address: 127.0.0.1:0}";
    let trusting =
        "{name: web, address: 127.0.0.1:0, clientAddress: {from: x-forwarded-for, trusted: [127.0.0.0/8]}}";
    let config = folder.write("c.yaml", text(&upstream, &[plain]));
    let mut proxy = Running::start(command(&["run", "--config", &config]));
    let address = proxy.listener("web");
    let (goes_on, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (goes_on, asked) = (goes_on.clone(), asked.clone());
            std::thread::spawn(move || {
                while goes_on.load(Ordering::Relaxed) {
                    assert_eq!(get(address, "/", "").status, 200);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for turn in 0..20 {
        let before = asked.load(Ordering::Relaxed);
        let reloads = proxy.err().matches("listening on http").count();
        folder.write("c.yaml", text(&upstream, &[if turn % 2 == 0 { trusting } else { plain }]));
        proxy.signal("HUP");
        eventually("it was changed", || {
            (proxy.err().matches("listening on http").count() > reloads).then_some(())
        });
        eventually("requests went on", || (asked.load(Ordering::Relaxed) > before + 8).then_some(()));
    }
    goes_on.store(false, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().unwrap());

    // An idle connection of before is closed when its turn is over, not in the middle of an answer.
    folder.write("c.yaml", text(&upstream, &[trusting]));
    let mut kept = TcpStream::connect(address).unwrap();
    kept.set_read_timeout(Some(PATIENCE)).unwrap();
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut lines = BufReader::new(kept);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    proxy.signal("HUP");
    let mut rest = Vec::new();
    lines.read_to_end(&mut rest).unwrap();
    assert_eq!(proxy.end(), 0);
}

#[test]
fn an_address_that_cannot_be_had_leaves_the_listener_as_it_was() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let elsewhere = format!("{{name: web, address: \"{}\"}}", taken.local_addr().unwrap());
    let more = format!("{{name: more, address: \"{}\"}}", taken.local_addr().unwrap());
    let here = "{name: web, address: 127.0.0.1:0}";
    let config = folder.write("c.yaml", text(&upstream, &[here]));
    let mut proxy = Running::start(command(&["run", "--config", &config]));
    let address = proxy.listener("web");
    let admin = proxy.admin();

    folder.write("c.yaml", text(&upstream, &[&elsewhere]).replace("name: a,", "name: b,"));
    proxy.signal("HUP");
    proxy.wait_err("listener web stays as it was: listener web: cannot listen on");
    // Its routes are those of the new configuration.
    eventually("the rest is in force", || {
        ask(admin, "/api/v1/services").contains("\"name\":\"b\"").then_some(())
    });
    assert_eq!(get(address, "/", "").status, 200);
    let stale = |count: usize| {
        let line = format!("palisade_stale_objects{{kind=\"listener\"}} {count}\n");
        // What became of a reload is told once it is in force.
        eventually(&line, || ask(admin, "/metrics").contains(&line).then_some(()));
    };
    stale(1);

    // One that is new and cannot be had is missing; a reload begins it once its address is free.
    folder.write("c.yaml", text(&upstream, &[here, &more]));
    proxy.signal("HUP");
    proxy.wait_err("listener more stays as it was");
    assert_eq!(get(address, "/", "").status, 200);
    let free = taken.local_addr().unwrap();
    drop(taken);
    proxy.signal("HUP");
    eventually("it listens", || connects(free).then_some(()));
    assert_eq!(get(free, "/", "").status, 200);
    stale(0);
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_listener_whose_tls_cannot_be_used_never_speaks_in_the_clear() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    for file in ["server.crt", "server.key"] {
        let from = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/tls/").to_owned() + file;
        folder.write(file, std::fs::read(from).unwrap());
    }
    let here = "{name: web, address: 127.0.0.1:0}";
    let port = free_port();
    let secure = |cert: &str| {
        format!(
            "{{name: secure, address: \"127.0.0.1:{port}\", \
             tls: {{certificates: [{{cert: {cert}, key: server.key}}]}}}}"
        )
    };
    let config = folder.write("c.yaml", text(&upstream, &[here]));
    let mut proxy = Running::start(command(&["run", "--config", &config]));
    let address = proxy.listener("web");
    folder.write("c.yaml", text(&upstream, &[here, &secure("absent.crt")]));
    proxy.signal("HUP");
    proxy.wait_err("listener secure stays as it was");
    assert!(!connects(([127, 0, 0, 1], port).into()));
    folder.write("c.yaml", text(&upstream, &[here, &secure("server.crt")]));
    proxy.wait_err(&format!("listening on https://127.0.0.1:{port} (secure)"));
    assert_eq!(get(([127, 0, 0, 1], port).into(), "/", "").status, 400);
    // Turned off, it is plain, on the same socket.
    folder.write(
        "c.yaml",
        text(&upstream, &[here, &format!("{{name: secure, address: \"127.0.0.1:{port}\"}}")]),
    );
    proxy.wait_err(&format!("listening on http://127.0.0.1:{port} (secure)"));
    eventually("it is plain", || (get(([127, 0, 0, 1], port).into(), "/", "").status == 200).then_some(()));
    assert_eq!(get(address, "/", "").status, 200);
    assert_eq!(proxy.end(), 0);
}
