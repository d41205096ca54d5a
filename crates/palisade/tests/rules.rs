//! `palisade rules list|show` and `palisade completions`.

mod support;

use serde_json::Value;
use support::{Folder, crs, palisade};

const RULES: &str = "SecRule ARGS \"@rx alpha\" \"id:10,phase:1,deny,status:401,msg:'First thing',tag:'kind/a',tag:'paranoia-level/1',severity:'WARNING'\"\n\
SecRule ARGS \"@rx beta\" \"id:20,phase:2,pass,t:none,t:lowercase,msg:'Second Thing',tag:'kind/b',tag:'paranoia-level/2',chain\"\n\
  SecRule REQUEST_METHOD \"!@streq GET\"\n\
SecAction \"id:30,phase:5,pass,nolog\"\n";

fn ids(arguments: &[&str]) -> (Vec<u64>, i32) {
    let mut all = vec!["rules", "list", "--json"];
    all.extend(arguments);
    let answer = palisade(&all);
    (answer.json_lines().iter().map(|line| line["id"].as_u64().unwrap()).collect(), answer.code)
}

#[test]
fn a_line_a_rule_with_its_place_and_filters_that_narrow() {
    let folder = Folder::new();
    let rules = folder.write("r.conf", RULES);
    let answer = palisade(&["rules", "list", "--rules", &rules]);
    assert_eq!(answer.code, 0);
    assert_eq!(answer.out.lines().count(), 3, "{}", answer.out);
    for said in ["10", "phase 1", "PL 1", "deny 401", "First thing", "r.conf:1"] {
        assert!(answer.out.lines().next().unwrap().contains(said), "{said}: {}", answer.out);
    }
    for (filter, wanted) in [
        (&["--phase", "2"][..], &[20][..]),
        (&["--tag", "kind/"], &[10, 20]),
        (&["--tag", "kind/a"], &[10]),
        (&["--level", "2"], &[20]),
        (&["--msg", "second thing"], &[20]),
        (&["--msg", "thing", "--phase", "1"], &[10]),
        (&[], &[10, 20, 30]),
    ] {
        let mut arguments = vec!["--rules", &*rules];
        arguments.extend(filter);
        assert_eq!(ids(&arguments), (wanted.to_vec(), 0), "{filter:?}");
    }
    assert_eq!(ids(&["--rules", &rules, "--tag", "nothing has it"]), (vec![], 1), "as grep answers");
}

#[test]
fn json_has_all_of_a_line() {
    let folder = Folder::new();
    let rules = folder.write("r.conf", RULES);
    let lines = palisade(&["rules", "list", "--json", "--rules", &rules]).json_lines();
    let expected = serde_json::json!({"id": 10, "phase": 1, "paranoia": 1, "severity": 4, "msg": "First thing",
        "tags": ["kind/a", "paranoia-level/1"], "action": "deny 401", "file": rules, "line": 1});
    assert_eq!(lines[0], expected);
    assert_eq!((&lines[2]["paranoia"], &lines[2]["severity"]), (&Value::Null, &Value::Null));
}

#[test]
fn show_tells_what_a_rule_looks_at_and_does() {
    let folder = Folder::new();
    let rules = folder.write("r.conf", RULES);
    let answer = palisade(&["rules", "show", "--rules", &rules, "20", "10"]);
    assert_eq!(answer.code, 0);
    for said in [
        "20  ",
        "r.conf:2",
        "Second Thing",
        "ARGS",
        "lowercase",
        "@rx beta",
        "REQUEST_METHOD",
        "!@streq GET",
        "deny 401",
    ] {
        assert!(answer.out.contains(said), "{said}: {}", answer.out);
    }
    assert!(answer.out.find("20  ").unwrap() < answer.out.find("10  ").unwrap(), "in the order asked for");
    assert!(answer.out.contains("\n\n10  "), "an empty line between rules: {}", answer.out);
    assert!(
        answer.out.lines().all(|line| line == line.trim_end()),
        "no spaces at line ends: {:?}",
        answer.out
    );
    let answer = palisade(&["rules", "show", "--rules", &rules, "10", "77"]);
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("77") && answer.out.contains("First thing"));
    let answer = palisade(&["rules", "show", "--rules", &rules, "tenth"]);
    assert_eq!(answer.code, 2);
    assert!(
        answer.err.contains("tenth") && answer.err.contains("942100"),
        "an id that works: {}",
        answer.err
    );
}

#[test]
fn no_rules_and_broken_rules_cannot_be_listed() {
    let folder = Folder::new();
    let broken = folder.write("broken.conf", "SecRulee\n");
    for (arguments, named) in [
        (vec!["rules", "list"], "--crs"),
        (vec!["rules", "list", "--rules", &broken], "broken.conf:1:1"),
        (vec!["rules", "list", "--rules", &broken, "--phase", "6"], "6"),
    ] {
        let answer = palisade(&arguments);
        assert_eq!(answer.code, 2, "{arguments:?}");
        assert!(answer.err.contains(named), "{}", answer.err);
    }
}

#[test]
fn crs_can_be_looked_through() {
    let Some(crs) = crs() else { return };
    let (all, _) = ids(&["--crs", &crs]);
    assert!(all.len() > 500, "{}", all.len());
    let (sqli, _) = ids(&["--crs", &crs, "--tag", "attack-sqli"]);
    assert!(sqli.contains(&942100) && sqli.len() < all.len());
    let answer = palisade(&["rules", "show", "--crs", &crs, "942100"]);
    assert!(answer.out.contains("@detectSQLi\n"), "{}", answer.out);
}

#[test]
fn completions_are_printed_for_every_shell() {
    for (shell, holds) in [
        ("bash", "_palisade()"),
        ("zsh", "#compdef palisade"),
        ("fish", "complete -c palisade"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let answer = palisade(&["completions", shell]);
        assert_eq!(answer.code, 0);
        assert!(answer.out.contains(holds), "{shell}");
    }
    assert_eq!(palisade(&["completions", "tcl"]).code, 2);
}

#[test]
fn a_reader_that_goes_away_early_is_no_error() {
    use std::io::Read as _;
    let folder = Folder::new();
    let rules: String = (1..20_000).map(|id| format!("SecAction \"id:{id},phase:1,pass,log\"\n")).collect();
    let rules = folder.write("many.conf", rules);
    let requests = folder.write("r.jsonl", "{\"uri\":\"/\"}\n".repeat(50));
    for arguments in [
        vec!["completions", "bash"],
        vec!["rules", "list", "--rules", &rules],
        vec!["explain", "--rules", &rules, "--format", "json", "--request", &requests],
        vec!["explain", "--rules", &rules, "--request", &requests],
    ] {
        let mut child = support::command(&arguments)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Gone before the first byte: every write meets a closed pipe.
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), &*said), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn version_and_help_answer() {
    let version = palisade(&["--version"]);
    assert_eq!(version.code, 0);
    let said =
        version.out.strip_prefix(concat!("palisade ", env!("CARGO_PKG_VERSION"))).expect(&version.out).trim();
    // With the commit, where the build knew one.
    let commit = said.strip_prefix('(').and_then(|said| said.strip_suffix(')'));
    assert!(said.is_empty() || commit.is_some_and(|commit| commit.len() >= 7), "{}", version.out);
    for command in ["run", "explain", "check", "profile", "rules", "demo", "completions"] {
        let help = palisade(&[command, "--help"]);
        assert_eq!(help.code, 0);
        assert!(help.out.contains("Usage: palisade"), "{command}");
    }
    assert_eq!(palisade(&["frobnicate"]).code, 2);
}
