//! `palisade demo`: what it prints is true.

mod support;

use std::process::{Command, Stdio};

use support::{Running, command, crs, eventually, get, palisade};

/// The words of a command as a shell splits them: single and double quotes, no more.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for char in line.trim().chars() {
        match (quote, char) {
            (Some(open), char) if char == open => quote = None,
            (None, '\'' | '"') => quote = Some(char),
            (None, ' ') => words.push(std::mem::take(&mut word)),
            (_, char) => word.push(char),
        }
    }
    words.push(word);
    words
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn the_printed_commands_do_what_they_say_and_ctrl_c_leaves_nothing() {
    let Some(crs) = crs() else { return };
    let mut demo = Running::start(command(&["demo", "--listen", "127.0.0.1:0", "--crs", &crs]));
    let address = demo.address();
    let guide = eventually("the guide", || Some(demo.out()).filter(|out| out.contains("Ctrl-C")));
    let url = format!("http://{address}");
    let bare = guide.split("it is at http://").nth(1).unwrap().split(". ").next().unwrap();
    let bare = bare.parse().unwrap();

    let curls: Vec<&str> = guide.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(curls.len(), 2, "{guide}");
    let page = words(curls[0]);
    let target = page.last().unwrap().strip_prefix(&url).unwrap();
    let answer = get(address, target, "");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("lamp"), "{answer:?}");

    // `curl -G URL --data-urlencode name=value` asks for URL?name=value, encoded.
    let attack = words(curls[1]);
    let path = attack.iter().find_map(|word| word.strip_prefix(&url)).unwrap();
    let (name, value) = attack.last().unwrap().split_once('=').unwrap();
    let target = format!("{path}?{name}={}", percent(value));
    let denied = get(address, &target, "");
    assert_eq!(denied.status, 403, "{denied:?}");
    assert!(denied.body.contains(denied.header("x-request-id").unwrap()));
    let leaked = get(bare, &target, "");
    assert_eq!(leaked.status, 200);
    assert!(!denied.body.contains("<td>") && leaked.body.len() > denied.body.len(), "{leaked:?}");
    eventually("the decision", || demo.out().contains("denied  949110").then_some(()));

    // The third goes through a shell, with our binary as `palisade`.
    let why = guide.lines().map(str::trim).find(|line| line.starts_with("printf ")).unwrap();
    let why = why.replace("| palisade ", concat!("| ", env!("CARGO_BIN_EXE_palisade"), " "));
    let explained = Command::new("sh").args(["-c", &why]).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&explained.stdout);
    assert!(text.starts_with("DENY 403 by rule 949110"), "{text}");
    assert!(text.contains("argument `id` (ARGS:id)") && text.contains("942100"), "{text}");

    demo.signal("INT");
    assert_eq!(demo.wait(), 0);
    assert!(std::net::TcpStream::connect(address).is_err(), "{address} still answers");
    assert!(std::net::TcpStream::connect(bare).is_err(), "{bare} still answers");
}

#[test]
fn the_commands_run_as_printed_where_there_is_curl() {
    let Some(crs) = crs() else { return };
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: no curl to run the demo's commands with");
        return;
    }
    let mut demo = Running::start(command(&["demo", "--listen", "127.0.0.1:0", "--crs", &crs]));
    demo.address();
    let guide = eventually("the guide", || Some(demo.out()).filter(|out| out.contains("Ctrl-C")));
    let status = |line: &str| {
        let output = Command::new("sh").args(["-c", &format!("{line} -s --noproxy '*'")]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let statuses: Vec<String> =
        guide.lines().map(str::trim).filter(|line| line.starts_with("curl ")).map(status).collect();
    assert_eq!(statuses, ["200", "403"]);
}

#[test]
fn it_stays_on_loopback_and_says_what_it_lacks() {
    let answer = palisade(&["demo", "--listen", "0.0.0.0:0"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("0.0.0.0:0") && answer.err.contains("loopback"), "{}", answer.err);
    let answer = palisade(&["demo", "--crs", "/nowhere"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("/nowhere") && answer.err.contains("modsecurity-crs"), "{}", answer.err);
}
