//! `palisade demo`: what it prints is true, and it leaves nothing behind.

mod support;

use std::process::{Command, Stdio};

use support::{Folder, Running, command, crs, eventually, get, palisade, send};

/// The demonstration on free ports, with its temporary files in a folder of the test's.
fn demo(folder: &Folder, more: &[&str]) -> Running {
    let mut all = vec!["demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    all.extend(more);
    let mut command = command(&all);
    command.env("TMPDIR", folder.path());
    Running::start(command)
}

/// Its guide, when it is there.
fn guide(demo: &Running) -> String {
    eventually_long("the guide", || Some(demo.out()).filter(|out| out.contains("Ctrl-C")))
}

/// Rules are compiled before there is anything to see, perhaps beside many other tests.
fn eventually_long<T>(what: &str, mut so: impl FnMut() -> Option<T>) -> T {
    for _ in 0..4 {
        if let Some(value) = so() {
            return value;
        }
        let began = std::time::Instant::now();
        while began.elapsed() < support::PATIENCE {
            if let Some(value) = so() {
                return value;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    panic!("never came: {what}")
}

/// What stands behind a word at the beginning of a line.
fn field<'g>(guide: &'g str, name: &str) -> &'g str {
    let line = guide.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} in {guide}")).trim()
}

fn curls(guide: &str) -> Vec<&str> {
    guide.lines().map(str::trim).filter(|line| line.starts_with("curl -i ")).collect()
}

/// Status and answer of a printed command.
fn run(line: &str) -> (String, String) {
    let output = Command::new("sh").args(["-c", &format!("{line} -s --noproxy '*'")]).output().unwrap();
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    (answer.split(' ').nth(1).unwrap_or_default().to_owned(), answer)
}

fn is_empty(folder: &Folder) -> bool {
    std::fs::read_dir(folder.path()).unwrap().next().is_none()
}

fn has_curl() -> bool {
    let there = Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !there {
        println!("skipped: no curl to run the printed commands with");
    }
    there
}

#[test]
fn the_banks_commands_do_what_they_say_and_ctrl_c_leaves_nothing() {
    let Some(crs) = crs() else { return };
    let folder = Folder::new();
    let mut demo = demo(&folder, &["--crs", &crs, "--seed", "7"]);
    let guide = guide(&demo);
    assert!(guide.starts_with("console   http://127.0.0.1:"), "the console comes first: {guide}");
    let admin =
        field(&guide, "console").strip_prefix("http://").unwrap().trim_end_matches('/').parse().unwrap();
    let bank: u16 = field(&guide, "bank").rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap();
    let bank = std::net::SocketAddr::from(([127, 0, 0, 1], bank));

    let page = get(bank, "/", "");
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("Welcome to YAO Bank") && page.body.contains("Balance: 2389.45"), "{page:?}");
    let denied = get(bank, "/?id=1%27+UNION+SELECT+name,+password+FROM+users--", "");
    assert_eq!(denied.status, 403);
    assert!(denied.body.contains(denied.header("x-request-id").unwrap()), "{denied:?}");
    let metrics = send(admin, format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes());
    assert!(metrics.body.contains("palisade_requests_blocked_total"), "{metrics:?}");

    if has_curl() {
        let curls = curls(&guide);
        let answers: Vec<(String, String)> = curls.iter().map(|line| run(line)).collect();
        let statuses: Vec<&str> = answers.iter().map(|(status, _)| status.as_str()).collect();
        assert_eq!(statuses, ["200", "403", "403", "403"], "{answers:#?}");
        assert!(answers[0].1.contains("YAO Bank"), "{answers:#?}");
        assert!(answers[1].1.to_lowercase().contains("x-request-id: "), "{answers:#?}");
        let query = guide.lines().map(str::trim).find(|line| line.contains(" events query ")).unwrap();
        let asked = || Command::new("sh").args(["-c", query]).output().unwrap();
        eventually("an event", || {
            let output = asked();
            output
                .status
                .success()
                .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
                .filter(|text| !text.is_empty())
        });
    }

    // What goes on meanwhile: visitors are served, everybody else is not, and nothing reaches a service.
    let line = eventually_long("a summary with all of it", || {
        let out = demo.out();
        let line = out.lines().rev().find(|line| line.contains(" s | visitors: "))?.to_owned();
        let done = line.contains("attacks: ")
            && !line.contains("attacks: 0 of 0")
            && !line.contains("stolen key: 0 of 0")
            && !line.contains("database: 0 of 0");
        done.then_some(line)
    });
    assert!(line.contains(" pages, 0 refused, 0 failed | "), "{line}");
    for part in ["attacks: ", "stolen key: ", "customer's pod at the database: "] {
        let counts = line.split(part).nth(1).unwrap().split(" refused").next().unwrap();
        let (refused, all) = counts.split_once(" of ").unwrap();
        assert_eq!(refused, all, "{line}");
    }
    assert!(line.contains("attacks seen by services: 0 | balance 2389.45"), "{line}");

    assert!(!is_empty(&folder));
    demo.signal("INT");
    assert_eq!(demo.wait(), 0, "{}", demo.err());
    assert!(demo.out().ends_with("ended\n"), "{}", demo.out());
    assert!(is_empty(&folder), "nothing is left on disk");
    for gone in [bank, admin] {
        assert!(std::net::TcpStream::connect(gone).is_err(), "{gone} still answers");
    }
}

#[test]
fn the_same_injection_in_base64_passes_crs_alone_and_not_the_detector() {
    let Some(crs) = crs() else { return };
    let body = r#"{"profile":"eyJpZCI6IjEnIFVOSU9OIFNFTEVDVCBuYW1lLCBwYXNzd29yZCBGUk9NIHVzZXJzLS0ifQ=="}"#;
    let request = format!(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8\r\nAccept: */*\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let verdict = |detect: &str| {
        let arguments = ["explain", "--crs", &crs, "--detect", detect, "--request", "-", "--format", "json"];
        let said = support::palisade_with(&arguments, request.as_bytes());
        said.json()["verdict"].clone()
    };
    assert_eq!([verdict("off"), verdict("on")], ["pass", "deny"]);
}

#[test]
fn it_ends_by_itself_with_another_seed_and_without_attacks_or_rules() {
    let folder = Folder::new();
    // Where there is no CRS, which Debian's package would be.
    let crs = crs();
    let mut more = vec!["--duration", "5s", "--seed", "12345", "--no-attacks"];
    more.extend(crs.iter().flat_map(|crs| ["--crs", crs]));
    let mut demo = demo(&folder, &more);
    let guide = guide(&demo);
    assert!(guide.contains("three visitors, no attacks; --seed 12345"), "{guide}");
    eventually_long("its end", || demo.out().ends_with("ended\n").then_some(()));
    assert_eq!(demo.wait(), 0);
    let out = demo.out();
    let last = out.lines().rev().nth(1).unwrap();
    assert!(last.contains(" pages, 0 refused, 0 failed | attacks seen by services: 0"), "{last}");
    assert!(!last.contains(" | visitors: 0 pages"), "{last}");
    assert!(is_empty(&folder));
}

#[test]
fn a_killed_demonstration_leaves_no_process_behind() {
    let folder = Folder::new();
    let demo = demo(&folder, &["--no-attacks"]);
    let guide = guide(&demo);
    let admin: std::net::SocketAddr =
        field(&guide, "console").strip_prefix("http://").unwrap().trim_end_matches('/').parse().unwrap();
    assert!(std::net::TcpStream::connect(admin).is_ok());
    demo.signal("KILL");
    eventually("the end of what it started", || std::net::TcpStream::connect(admin).is_err().then_some(()));
}

#[test]
fn a_port_that_is_taken_is_another_and_said_where_nobody_chose_it() {
    let folder = Folder::new();
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().to_string();
    let said = palisade(&["demo", "--listen", &taken, "--admin", "127.0.0.1:0"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains(&format!("--listen {taken}: ")), "{}", said.err);
    // The usual ones: whoever has them, they are not needed.
    let _bank = std::net::TcpListener::bind("127.0.0.1:8080");
    let mut command = command(&["demo", "--admin", "127.0.0.1:0", "--duration", "500ms", "--no-attacks"]);
    command.env("TMPDIR", folder.path());
    let mut demo = Running::start(command);
    let guide = guide(&demo);
    assert!(guide.contains("127.0.0.1:8080 is taken, so that another port was chosen."), "{guide}");
    eventually_long("its end", || demo.out().ends_with("ended\n").then_some(()));
    assert_eq!(demo.wait(), 0);
}

#[test]
fn the_shops_commands_run_as_printed() {
    let Some(crs) = crs() else { return };
    if !has_curl() {
        return;
    }
    let folder = Folder::new();
    let mut demo = demo(&folder, &["--scenario", "shop", "--crs", &crs]);
    let address = demo.address();
    let guide = guide(&demo);
    let bare = guide.split("it is at http://").nth(1).unwrap().split(". ").next().unwrap();
    let statuses: Vec<String> = curls(&guide).into_iter().map(|line| run(line).0).collect();
    assert_eq!(statuses, ["200", "403"], "{guide}");
    eventually("the decision", || demo.out().contains("denied  949110").then_some(()));
    let leaked = get(bare.parse().unwrap(), "/product?id=1%27+UNION+SELECT+a--", "");
    assert!(leaked.status == 200 && leaked.body.contains("admin: "), "{leaked:?}");
    let why = guide.lines().map(str::trim).find(|line| line.starts_with("printf ")).unwrap();
    let explained = Command::new("sh").args(["-c", why]).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&explained.stdout);
    assert!(text.starts_with("DENY 403 by rule 949110") && text.contains("942100"), "{text}");
    demo.signal("INT");
    assert_eq!(demo.wait(), 0);
    assert!(std::net::TcpStream::connect(address).is_err(), "{address} still answers");
}

#[test]
fn it_stays_on_loopback_and_says_what_it_lacks() {
    for flag in ["--listen", "--admin"] {
        let answer = palisade(&["demo", flag, "0.0.0.0:0"]);
        assert_eq!(answer.code, 2);
        assert!(answer.err.contains("0.0.0.0:0") && answer.err.contains("loopback"), "{}", answer.err);
    }
    let answer = palisade(&["demo", "--crs", "/nowhere"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("/nowhere") && answer.err.contains("modsecurity-crs"), "{}", answer.err);
}
