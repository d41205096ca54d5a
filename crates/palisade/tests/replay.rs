//! Recordings of a running proxy, and what a change would do to them: flips, none, and what a copy cannot tell.

mod support;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use support::{Answer, Folder, Running, Upstream, command, crs, eventually, get, palisade, send};

const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecRule ARGS "@contains evil" "id:1001,phase:2,deny,status:403,log,msg:'Evil'"
SecRule ARGS "@contains bad" "id:1002,phase:2,deny,status:403,log,msg:'Bad'"
"#;

/// A configuration before an upstream. `profile` and `more` are further keys of the profile and of the file.
fn config(folder: &Folder, name: &str, upstream: &str, mode: &str, profile: &str, more: &str) -> String {
    let rules = folder.write("rules.conf", RULES);
    let text = format!(
        "admin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\nlogs: {{error: {}}}\nlisteners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         services: [{{name: shop, upstream: {{url: \"{upstream}\"}}}}]\n\
         profiles: {{default: {{mode: {mode}, rules: {{files: [{rules}]}}, detect: {{enabled: false}}{profile}}}}}\n\
         {more}\n",
        folder.at("data"),
        folder.at("error.log"),
    );
    folder.write(name, text)
}

/// A proxy that records, by a configuration that is written as `recorded.yaml`.
fn proxy(folder: &Folder, upstream: &Upstream, mode: &str, recording: &str) -> Running {
    let recording = format!("recording: {{enabled: true, {recording}}}");
    let file = config(folder, "recorded.yaml", &upstream.url, mode, "", &recording);
    Running::start(command(&["run", "--config", &file]))
}

fn replay(folder: &Folder, against: &str, more: &[&str]) -> Answer {
    let data = folder.at("data");
    let arguments = ["replay", "--recording", &data, "--against", against, "--format", "json"];
    palisade(&[&arguments[..], more].concat())
}

fn post(address: std::net::SocketAddr, kind: &str, body: &str) -> u16 {
    let length = body.len();
    let request = format!(
        "POST /form HTTP/1.1\r\nHost: shop\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    send(address, request.as_bytes()).status
}

const FORM: &str = "application/x-www-form-urlencoded";

/// `requests`, `same`, `undecidable`, and how many of each flip.
fn counts(answer: &Answer) -> (u64, u64, u64, [u64; 4]) {
    let json = answer.json();
    let number = |name: &str| json[name].as_u64().unwrap_or_else(|| panic!("{name} of {json:#}"));
    let kinds = ["newly_blocked", "no_longer_blocked", "newly_would_block", "no_longer_would_block"];
    let flips = kinds.map(|kind| json["flips"][kind].as_u64().unwrap());
    (number("requests"), number("same"), number("undecidable"), flips)
}

fn flip<'j>(json: &'j Value, kind: &str) -> &'j Value {
    let flips = json["services"][0]["flips"].as_array().unwrap();
    flips.iter().find(|flip| flip["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {json:#}"))
}

fn ids(of: &Value) -> BTreeSet<String> {
    let examples = of["examples"].as_array().unwrap().iter();
    examples.map(|example| example["id"].as_str().unwrap().to_owned()).collect()
}

fn files(folder: &Folder) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder.at("data/recording")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_change_flips_exactly_the_requests_that_it_is_about() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(&folder, &upstream, "block", "keep: all");
    let address = proxy.address();
    for number in 0..6 {
        assert_eq!(get(address, &format!("/item?id={number}&q=lamp"), "").status, 200, "{}", proxy.err());
    }
    let mut evil = BTreeSet::new();
    for target in ["/?q=evil", "/a?q=evil+twin", "/b?q=more%20evil"] {
        let refused = get(address, target, "");
        assert_eq!(refused.status, 403);
        evil.insert(refused.header("x-request-id").unwrap().to_owned());
    }
    assert_eq!(get(address, "/?q=evil+and+bad", "").status, 403);
    assert_eq!(get(address, "/?q=bad", "").status, 403);
    assert_eq!(post(address, FORM, "comment=bad+lamp"), 403);
    assert_eq!(post(address, "application/json", "{\"comment\": \"fine\"}"), 200);
    assert_eq!(proxy.end(), 0);
    for file in files(&folder) {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }

    let same = folder.at("recorded.yaml");
    let answer = replay(&folder, &same, &[]);
    assert_eq!((answer.code, counts(&answer)), (0, (13, 13, 0, [0; 4])), "{answer:?}");
    assert_eq!(answer.err, "", "no bar without a terminal");

    // Another inspection that comes to the same.
    let upstream = &upstream.url;
    let nowhere = ", exceptions: [{rules: [1001], paths: [/nowhere]}]";
    let alike = config(&folder, "alike.yaml", upstream, "block", nowhere, "");
    let answer = replay(&folder, &alike, &[]);
    assert_eq!((answer.code, counts(&answer)), (0, (13, 13, 0, [0; 4])), "{answer:?}");

    let excepted = ", exceptions: [{rules: [1001], points: [\"query:q\"]}]";
    let excepted = config(&folder, "excepted.yaml", upstream, "block", excepted, "");
    let answer = replay(&folder, &excepted, &[]);
    assert_eq!((answer.code, counts(&answer)), (1, (13, 10, 0, [0, 3, 0, 0])), "{answer:?}");
    let json = answer.json();
    let flip = flip(&json, "no_longer_blocked");
    assert_eq!(flip["by"], serde_json::json!([{"by": "rule 1001", "count": 3}]), "{json:#}");
    assert_eq!(ids(flip), evil, "those whose rule 1001 was all that stopped them");
    assert_eq!(flip["examples"][0]["then"]["cause"], "rule 1001");
    assert_eq!(json["services"][0]["service"], "shop");

    // What counts is a switch.
    for (fail_on, code) in
        [("newly-blocked", 0), ("newly-blocked,no-longer-blocked", 1), ("undecidable", 0), ("nothing", 0)]
    {
        assert_eq!(replay(&folder, &excepted, &["--fail-on", fail_on]).code, code, "{fail_on}");
    }
    // From one configuration to another, whatever was decided then.
    let answer = replay(&folder, &same, &["--before", &excepted]);
    assert_eq!((answer.code, counts(&answer)), (1, (13, 10, 0, [3, 0, 0, 0])), "{answer:?}");
    // Only some.
    assert_eq!(counts(&replay(&folder, &excepted, &["--service", "bank"])).0, 0);
    assert_eq!(counts(&replay(&folder, &excepted, &["--service", "shop", "--since", "1h"])).0, 13);
    assert_eq!(counts(&replay(&folder, &excepted, &["--until", "1h"])).0, 0);
    let wrong = replay(&folder, &excepted, &["--since", "2026-02-30"]);
    assert!(wrong.code == 2 && wrong.err.contains("there is no such time"), "{wrong:?}");

    let text = palisade(&["replay", "--recording", &folder.at("data/recording"), "--against", &excepted]);
    for line in
        ["13 requests replayed", "10  as before", "3  no longer blocked", "rule 1001", "/a?q=evil+twin"]
    {
        assert!(text.out.contains(line), "{line} in {}", text.out);
    }
}

#[test]
fn what_a_mode_that_stops_nothing_saw_is_what_blocking_would_stop() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(&folder, &upstream, "monitoring", "keep: all");
    let address = proxy.address();
    for target in ["/?q=lamp", "/?q=evil", "/?q=bad"] {
        assert_eq!(get(address, target, "").status, 200);
    }
    assert_eq!(proxy.end(), 0);
    assert_eq!(counts(&replay(&folder, &folder.at("recorded.yaml"), &[])), (3, 3, 0, [0; 4]));
    let block = config(&folder, "block.yaml", &upstream.url, "block", "", "");
    let answer = replay(&folder, &block, &[]);
    assert_eq!((answer.code, counts(&answer)), (1, (3, 1, 0, [2, 0, 0, 0])), "{answer:?}");
    let json = answer.json();
    let by = serde_json::json!([{"by": "rule 1001", "count": 1}, {"by": "rule 1002", "count": 1}]);
    assert_eq!(flip(&json, "newly_blocked")["by"], by, "{json:#}");
    let off = ", exceptions: [{rules: [1001-1002]}]";
    let off = config(&folder, "off.yaml", &upstream.url, "monitoring", off, "");
    assert_eq!(counts(&replay(&folder, &off, &[])), (3, 1, 0, [0, 0, 0, 2]));
}

#[test]
fn only_what_is_asked_for_is_kept() {
    for (recording, kept) in [
        ("keep: blocked", 2),
        ("keep: flagged", 2),
        ("keep: all, oneIn: 5", 2 + 2),
        ("keep: all, services: [{name: shop, keep: blocked}]", 2),
    ] {
        let (folder, upstream) = (Folder::new(), Upstream::start());
        let mut proxy = proxy(&folder, &upstream, "block", recording);
        let address = proxy.address();
        for number in 0..10 {
            get(address, &format!("/?id={number}"), "");
        }
        get(address, "/?q=evil", "");
        get(address, "/?q=bad", "");
        let admin = proxy.admin();
        let page = send(admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").body;
        assert!(page.contains("palisade_recorded_requests_total{outcome=\"dropped\"} 0"), "{page}");
        assert_eq!(proxy.end(), 0);
        assert_eq!(counts(&replay(&folder, &folder.at("recorded.yaml"), &[])).0, kept, "{recording}");
    }
    // And nothing at all unless it is asked for.
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let file = config(&folder, "plain.yaml", &upstream.url, "block", "", "");
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    get(proxy.address(), "/?q=evil", "");
    assert_eq!(proxy.end(), 0);
    assert!(!folder.path().join("data/recording").exists());
    let none = replay(&folder, &file, &[]);
    assert!(none.code == 2 && none.err.contains("there is no recording in it"), "{none:?}");
}

#[test]
fn a_recording_with_a_key_shows_nothing_and_opens_for_that_key_alone() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let key = folder.write("key", "5a".repeat(32));
    let other = folder.write("other", "5b".repeat(32));
    let mut proxy = proxy(&folder, &upstream, "block", &format!("keep: all, keyFile: {key}"));
    assert_eq!(post(proxy.address(), FORM, "note=PLAINMARKER&q=evil"), 403);
    assert_eq!(proxy.end(), 0);
    let files = files(&folder);
    assert_eq!(files.len(), 1);
    let bytes = std::fs::read(&files[0]).unwrap();
    for plain in [&b"PLAINMARKER"[..], b"/form", b"shop", b"evil"] {
        assert!(!bytes.windows(plain.len()).any(|window| window == plain), "{}", plain.escape_ascii());
    }
    let same = folder.at("recorded.yaml");
    assert_eq!(counts(&replay(&folder, &same, &["--key-file", &key])), (1, 1, 0, [0; 4]));
    for (more, said) in [
        (&[][..], "it is encrypted: give its key by --key-file"),
        (&["--key-file", &other], "the key does not fit"),
        (&["--key-file", &same], "a key is 32 random bytes"),
    ] {
        let refused = replay(&folder, &same, more);
        assert!(refused.code == 2 && refused.err.contains(said), "{more:?}: {refused:?}");
    }
    // A key that is none must not end in a recording without one.
    let bad = format!("recording: {{enabled: true, keyFile: {same}}}");
    let bad = config(&folder, "bad.yaml", &upstream.url, "block", "", &bad);
    let refused = palisade(&["run", "--config", &bad]);
    assert!(refused.code == 2 && refused.err.contains("a key is 32 random bytes"), "{refused:?}");
}

#[test]
fn what_is_masked_leads_to_no_wrong_answer() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(&folder, &upstream, "block", "keep: all");
    let address = proxy.address();
    // An attack in a password, a password that is none, and one that might be.
    assert_eq!(post(address, FORM, "user=ann&password=evil-secret-1"), 403);
    assert_eq!(post(address, FORM, "user=ann&password=Correct-Horse-42"), 200);
    assert_eq!(post(address, FORM, "user=ann&password=%27quoted%27"), 200);
    let session = "Cookie: sid=5d41402abc4b2a76b9719d911017c592\r\nAuthorization: Bearer s3cr3t-t0k3n\r\n";
    assert_eq!(get(address, "/?card=4111-1111-1111-1111", session).status, 200);
    assert_eq!(proxy.end(), 0);
    let all: Vec<u8> = files(&folder).iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
    for secret in ["evil-secret", "Correct-Horse", "quoted", "5d41402a", "s3cr3t", "4111"] {
        assert!(!all.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
    // The same inspection decides the same, whatever the copy lacks.
    assert_eq!(counts(&replay(&folder, &folder.at("recorded.yaml"), &[])), (4, 4, 0, [0; 4]));
    // Another one does not: the attack is not there any more, and the quotes are not either.
    let other = ", exceptions: [{rules: [1002], paths: [/nowhere]}]";
    let other = config(&folder, "other.yaml", &upstream.url, "block", other, "");
    let answer = replay(&folder, &other, &["--fail-on", "undecidable"]);
    assert_eq!((answer.code, counts(&answer)), (1, (4, 2, 2, [0; 4])), "{answer:?}");
    let json = answer.json();
    let reasons: BTreeSet<&str> = json["services"][0]["undecidable"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["reason"].as_str().unwrap())
        .collect();
    let expected = ["a masked value was not plain (body)", "what was found then is masked in the copy"];
    assert_eq!(reasons, BTreeSet::from(expected), "{json:#}");
    assert_eq!(replay(&folder, &other, &[]).code, 0, "nothing flips");
}

#[test]
fn a_body_that_the_copy_does_not_have_is_undecidable_unless_the_same_inspection_saw_it() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(&folder, &upstream, "block", "keep: all, body: 1KiB");
    let address = proxy.address();
    let long = "x".repeat(4000);
    assert_eq!(post(address, FORM, &format!("a={long}&q=evil")), 403);
    assert_eq!(post(address, FORM, &format!("a={long}&q=good")), 200);
    assert_eq!(post(address, FORM, "q=short"), 200);
    assert_eq!(proxy.end(), 0);
    assert_eq!(counts(&replay(&folder, &folder.at("recorded.yaml"), &[])), (3, 3, 0, [0; 4]));
    let other = ", exceptions: [{rules: [1001], points: [\"query:q\"]}]";
    let other = config(&folder, "other.yaml", &upstream.url, "block", other, "");
    let answer = replay(&folder, &other, &[]);
    assert_eq!((answer.code, counts(&answer)), (0, (3, 1, 2, [0; 4])), "{answer:?}");
    let reason = &answer.json()["services"][0]["undecidable"][0]["reason"];
    assert_eq!(reason, "the copy has only the beginning of the body");
}

#[test]
fn a_killed_process_leaves_a_recording_that_reads_to_its_last_whole_request() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut sent = 0;
    for round in 0..3 {
        let mut proxy = proxy(&folder, &upstream, "block", "keep: all");
        let address = proxy.address();
        for number in 0..40 {
            let target = if number % 4 == 0 { "/?q=evil" } else { "/?q=fine" };
            get(address, target, "");
            sent += 1;
        }
        // Some of it is on the disk; the rest may be lost.
        eventually("a recording", || {
            let answer = replay(&folder, &folder.at("recorded.yaml"), &["--fail-on", "nothing"]);
            (answer.code == 0 && counts(&answer).0 > round * 40).then_some(())
        });
        // By SIGKILL, in the middle of what it does.
        drop(proxy);
    }
    // And a tear in the middle of a frame.
    let mut files = files(&folder);
    files.sort();
    let last = files.last().unwrap();
    let bytes = std::fs::read(last).unwrap();
    std::fs::write(last, &bytes[..bytes.len() - 7]).unwrap();
    let answer = replay(&folder, &folder.at("recorded.yaml"), &[]);
    let (requests, same, undecidable, flips) = counts(&answer);
    assert_eq!((answer.code, undecidable, flips), (0, 0, [0; 4]), "{answer:?}");
    assert!(requests == same && requests > 60 && requests < sent, "{requests} of {sent}");
}

/// The command in a mount namespace of its own, in which a small disk lies at a folder. `None` where that may not be made.
fn with_small_disk(folder: &str, file: &str) -> Option<Command> {
    std::fs::create_dir_all(folder).unwrap();
    let unshare = ["--user", "--map-root-user", "--mount", "sh", "-c"];
    let mount = format!("mount -t tmpfs -o size=256k none '{folder}'");
    let may = Command::new("unshare").args(unshare).arg(&mount).output();
    if !may.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let run = command(&["run", "--config", file]);
    let mut command = Command::new("unshare");
    command
        .args(unshare)
        .arg(format!("{mount} && exec \"$0\" \"$@\""))
        .arg(run.get_program())
        .args(run.get_args());
    Some(command)
}

#[test]
fn a_full_disk_pauses_a_recording_that_reads_whole_and_goes_on_when_there_is_room() {
    let upstream = Upstream::start();
    let folders = [(Folder::new(), ""), (Folder::new(), ", keyFile: KEY")];
    let mut running = Vec::new();
    for (folder, sealed) in &folders {
        let key = folder.write("key", "ab".repeat(32));
        let recording =
            format!("recording: {{enabled: true, keep: all, body: 64KiB{}}}", sealed.replace("KEY", &key));
        let file = config(folder, "recorded.yaml", &upstream.url, "block", "", &recording);
        let Some(command) = with_small_disk(&folder.at("data/recording"), &file) else {
            eprintln!("skipped: no mount namespace is to be had here");
            return;
        };
        running.push((Running::start(command), folder, key));
    }
    for (proxy, folder, key) in &mut running {
        let (address, admin) = (proxy.address(), proxy.admin());
        let disk = PathBuf::from(format!("/proc/{}/root{}", proxy.id(), folder.at("data/recording")));
        let ask = |path: &str| {
            send(
                admin,
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes(),
            )
            .body
        };
        let metric = |name: &str| -> u64 {
            let page = ask("/metrics");
            let line = page
                .lines()
                .find(|line| line.starts_with(name))
                .unwrap_or_else(|| panic!("{name} in {page}"));
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        let written = "palisade_recorded_requests_total{outcome=\"written\"}";
        let failed = "palisade_recorded_requests_total{outcome=\"failed\"}";
        assert_eq!(post(address, FORM, "a=first"), 200);
        eventually("the first copy", || (metric(written) == 1).then_some(()));
        std::fs::write(disk.join("in-the-way"), vec![0; 100 * 1024]).unwrap();
        // Of what is longer than a page the beginning still finds room.
        let long = format!("a={}", "x".repeat(20_000));
        for _ in 0..12 {
            assert_eq!(
                post(address, FORM, &long),
                200,
                "requests are served whatever becomes of their copies"
            );
        }
        proxy.wait_err("the recording pauses, requests are not recorded");
        eventually("the metrics", || {
            (metric(failed) > 0 && metric("palisade_recording_paused") == 1).then_some(())
        });
        let status: Value = serde_json::from_str(&ask("/api/v1/status")).unwrap();
        let problem = status["problems"][0].as_str().unwrap_or_default();
        assert!(problem.contains("the recording pauses"), "{status:#}");
        let before = metric(written);
        std::fs::remove_file(disk.join("in-the-way")).unwrap();
        eventually("it goes on", || {
            assert_eq!(post(address, FORM, "a=again&q=evil"), 403);
            (metric("palisade_recording_paused") == 0).then_some(())
        });
        proxy.wait_err("the recording goes on");
        eventually("what came since", || (metric(written) > before).then_some(()));
        let status: Value = serde_json::from_str(&ask("/api/v1/status")).unwrap();
        assert_eq!(status["problems"], serde_json::json!([]), "{status:#}");
        // Not a file that does not read to its end, and no word about any.
        let (copies, against) = (folder.at("copies"), folder.at("recorded.yaml"));
        std::fs::create_dir(&copies).unwrap();
        for entry in std::fs::read_dir(&disk).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, PathBuf::from(&copies).join(path.file_name().unwrap())).unwrap();
        }
        let now = metric(written);
        let answer = palisade(&[
            "replay",
            "--recording",
            &copies,
            "--key-file",
            key,
            "--against",
            &against,
            "--format",
            "json",
        ]);
        let (requests, same, undecidable, flips) = counts(&answer);
        assert_eq!((answer.code, requests, same, undecidable, flips), (0, now, now, 0, [0; 4]), "{answer:?}");
        assert!(answer.json()["notes"].as_array().is_none_or(Vec::is_empty), "{answer:?}");
    }
}

#[test]
fn copies_expire_while_the_process_runs() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(&folder, &upstream, "block", "keep: all, retention: 2s");
    get(proxy.address(), "/?q=evil", "");
    eventually("a file", || (!files(&folder).is_empty()).then_some(()));
    eventually("its end", || files(&folder).is_empty().then_some(()));
}

#[test]
fn a_thousand_requests_of_all_kinds_replay_to_what_was_decided() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let rules = folder.write("rules.conf", RULES);
    let text = format!(
        "admin: {{address: \"off\"}}\ndataDir: {}\nlogs: {{error: {}}}\nlisteners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         services: [{{name: shop, upstream: {{url: \"{}\"}}}}]\n\
         profiles: {{default: {{mode: block, rules: {{files: [{rules}]}}, exceptions: [{{rules: [7], paths: [/x]}}]}}}}\n\
         recording: {{enabled: true, keep: all}}\n",
        folder.at("data"),
        folder.at("error.log"),
        upstream.url
    );
    let file = folder.write("recorded.yaml", &text);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    let pieces = [
        "lamp",
        "evil",
        "bad",
        "%27+or+1%3D1--",
        "<script>alert(1)</script>",
        "..%2f..%2fetc%2fpasswd",
        "a%00b",
        "%c3%a9",
        "{\"a\":1}",
        "$(id)",
        "100%",
        "1;2",
        "union+select+1",
        "%",
        "x".repeat(300).leak(),
    ];
    // xorshift: the same requests every time.
    let mut state = 0x2545_f491_u32;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    let mut requests = 0;
    let mut by_status = std::collections::BTreeMap::new();
    for _ in 0..400 {
        let (a, b) = (pieces[random(pieces.len())], pieces[random(pieces.len())]);
        let status = match random(4) {
            0 => get(address, &format!("/p/{a}?q={b}"), "").status,
            1 => {
                get(address, &format!("/?{a}={b}&z={a}"), &format!("X-Note: {}\r\n", b.replace('%', "")))
                    .status
            }
            2 => post(address, FORM, &format!("q={a}&r={b}")),
            _ => post(address, "application/json", &format!("{{\"k\": {:?}, \"l\": [{:?}]}}", a, b)),
        };
        requests += 1;
        *by_status.entry(status).or_insert(0) += 1;
    }
    assert!(by_status[&200] > 50 && by_status[&403] > 50, "both happen: {by_status:?}");
    assert_eq!(proxy.end(), 0);
    // Known by another digest, so that what is compared is what is inspected again.
    let other = folder.write("other.yaml", text.replace("paths: [/x]", "paths: [/y]"));
    let answer = replay(&folder, &other, &["--examples", "20"]);
    assert_eq!((answer.code, counts(&answer)), (0, (requests, requests, 0, [0; 4])), "{}", answer.out);
}

#[test]
fn a_stricter_rule_set_flips_what_explain_says() {
    let Some(crs) = crs() else { return };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let written = |paranoia: u32, recording: &str| {
        let text = format!(
            "admin: {{address: \"off\"}}\ndataDir: {}\nlogs: {{error: {}}}\nlisteners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
             services: [{{name: shop, upstream: {{url: \"{}\"}}}}]\n\
             profiles: {{default: {{mode: block, rules: {{crs: {crs}, paranoia: {paranoia}}}, detect: {{enabled: false}}}}}}\n{recording}\n",
            folder.at("data"),
            folder.at("error.log"),
            upstream.url
        );
        folder.write(&format!("level-{paranoia}.yaml"), text)
    };
    let first = written(1, "recording: {enabled: true, keep: all}");
    let mut proxy = Running::start(command(&["run", "--config", &first]));
    let address = proxy.address();
    let headers = "User-Agent: test\r\nAccept: */*\r\n";
    let targets = [
        "/?q=lamp",
        "/?q=%27or%271",
        "/?q=a%27%27%27%27b",
        "/?q=1%27+or+1%3D1--",
        "/?x=~~!!@@##",
        "/?q=%3Cb%3E",
    ];
    let passes: Vec<u16> = targets.iter().map(|target| get(address, target, headers).status).collect();
    assert_eq!(proxy.end(), 0);
    assert_eq!(counts(&replay(&folder, &first, &[])).3, [0; 4]);
    let fourth = written(4, "");
    let answer = replay(&folder, &fourth, &[]);
    let verdict = |target: &str| {
        let request = format!(
            "GET {target} HTTP/1.1\nHost: 127.0.0.1\nUser-Agent: test\nAccept: */*\nConnection: close\n"
        );
        let request = folder.write("request.txt", request);
        palisade(&["explain", "--crs", &crs, "--paranoia", "4", "--detect", "off", "--request", &request])
            .code
    };
    let flips =
        targets.iter().zip(passes).filter(|(target, then)| *then == 200 && verdict(target) == 1).count()
            as u64;
    assert!(flips >= 2, "some of them are for level 4 alone");
    let all = targets.len() as u64;
    assert_eq!(
        (answer.code, counts(&answer)),
        (1, (all, all - flips, 0, [flips, 0, 0, 0])),
        "{}",
        answer.out
    );
    let json = answer.json();
    let by = flip(&json, "newly_blocked")["by"].as_array().unwrap();
    assert!(
        !by.is_empty()
            && by.iter().all(|by| !["rule 949110", "rule 980170"].contains(&by["by"].as_str().unwrap())),
        "rules that say why: {json:#}"
    );
}

fn har(name: &str) -> String {
    format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/replay/{}"), name)
}

#[test]
fn a_har_says_what_a_configuration_would_stop_of_it() {
    let folder = Folder::new();
    let block = config(&folder, "block.yaml", "http://127.0.0.1:1", "block", "", "");
    let har = har("shop.har");
    let replay = |more: &[&str]| palisade(&[&["replay", "--har", &har, "--format", "json"], more].concat());
    let answer = replay(&["--against", &block]);
    assert_eq!((answer.code, counts(&answer)), (1, (6, 2, 1, [3, 0, 0, 0])), "{answer:?}");
    assert!(answer.err.contains("1 of 7 entries went to no web server"), "{}", answer.err);
    let json = answer.json();
    let flip = flip(&json, "newly_blocked");
    assert_eq!(ids(flip), BTreeSet::from(["#2", "#3", "#4"].map(str::to_owned)), "{json:#}");
    assert_eq!(flip["examples"][0]["time"], "2026-11-22T10:00:01.000Z");
    let undecidable = &json["services"][0]["undecidable"][0];
    assert_eq!(undecidable["reason"], "the copy does not have the body", "{json:#}");
    // Between two configurations, only what differs.
    let excepted = ", exceptions: [{rules: [1001]}]";
    let excepted = config(&folder, "excepted.yaml", "http://127.0.0.1:1", "block", excepted, "");
    let answer = replay(&["--against", &excepted, "--before", &block]);
    assert_eq!((answer.code, counts(&answer)), (1, (6, 3, 1, [0, 2, 0, 0])), "{answer:?}");
    let answer = replay(&["--against", &block, "--before", &block]);
    assert_eq!((answer.code, counts(&answer)), (0, (6, 6, 0, [0; 4])), "{answer:?}");
    assert_eq!(counts(&replay(&["--against", &block, "--since", "2026-11-22T10:00:03+00:00"])).0, 2);
}

#[test]
fn what_is_no_har_and_what_is_hostile_ends_with_a_word() {
    let folder = Folder::new();
    let block = config(&folder, "block.yaml", "http://127.0.0.1:1", "block", "", "");
    let deep = format!("{{\"log\": {}", "[".repeat(100_000));
    let hostile = [
        ("empty", "", 2),
        ("other", "{\"a\": 1}", 2),
        ("none", "{\"log\": {\"entries\": []}}", 2),
        ("deep", &deep, 2),
        ("types", "{\"log\": {\"entries\": [{\"request\": {\"url\": 7}}]}}", 2),
        (
            "odd",
            "{\"log\": {\"entries\": [{\"request\": {\"method\": \"\\u001b[2J\\r\\n\", \"url\": \"http://[::1\\u0000]/\\ud83d\\ude00?%\", \"headers\": [{\"name\": \"\\n\", \"value\": null}], \"bodySize\": -1e300}}]}}",
            0,
        ),
    ];
    for (name, text, code) in hostile {
        let file = folder.write(name, text);
        let answer = palisade(&["replay", "--har", &file, "--against", &block]);
        assert_eq!(answer.code, code, "{name}: {answer:?}");
        assert!(!answer.out.contains('\u{1b}') && !answer.err.contains('\u{1b}'), "{name}: {answer:?}");
    }
    let missing = palisade(&["replay", "--har", &folder.at("nowhere"), "--against", &block]);
    assert!(missing.code == 2 && missing.err.contains("nowhere"), "{missing:?}");
    assert_eq!(palisade(&["replay", "--against", &block]).code, 2, "something is to be replayed");
}
