//! `palisade profile`: the shape of what it prints, and what it refuses.

mod support;

use serde_json::json;
use support::{Folder, palisade};

const CORPUS: &str = concat!(
    r#"{"name":"plain","uri":"/","headers":[["Host","x"]]}"#,
    "\n",
    r#"{"name":"attack","uri":"/?a=evil","headers":[["Host","x"]]}"#,
    "\n",
    r#"{"name":"plain","uri":"/two","headers":[["Host","x"]]}"#,
    "\n",
    r#"{"name":"leak","uri":"/","response":{"status":200,"headers":[["Content-Type","text/html"]],"body":"secret"}}"#,
    "\n",
);
const RULES: &str = "SecResponseBodyAccess On\nSecRule ARGS \"@contains evil\" \"id:1,phase:2,deny\"\n\
    SecRule REQUEST_URI \"@rx ^/never\" \"id:2,phase:1,deny\"\nSecRule RESPONSE_BODY \"@contains secret\" \"id:3,phase:4,deny\"\n";

fn files() -> (Folder, String, String) {
    let folder = Folder::new();
    let corpus = folder.write("corpus.jsonl", CORPUS);
    let rules = folder.write("r.conf", RULES);
    (folder, corpus, rules)
}

#[test]
fn iterations_give_each_case_so_many_requests_and_no_rule_table() {
    let (_folder, corpus, rules) = files();
    let answer =
        palisade(&["profile", "--rules", &rules, "--corpus", &corpus, "--iterations", "7", "--json"]);
    assert_eq!(answer.code, 0);
    let answer = answer.json();
    let cases = answer["cases"].as_array().unwrap();
    let names: Vec<_> = cases.iter().map(|case| case["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["plain", "attack", "leak"],
        "lines of one name are one case, in the order of the file"
    );
    for case in cases {
        assert_eq!(case["iterations"], 7);
        assert!(case["us_first"].as_f64().unwrap() >= case["us_min"].as_f64().unwrap(), "{case}");
        let (median, min) = (case["us_median"].as_f64().unwrap(), case["us_min"].as_f64().unwrap());
        assert!(0.0 < min && min <= median, "{case}");
    }
    assert_eq!((&cases[0]["verdict"], &cases[0]["matched"]), (&json!("pass"), &json!([])));
    assert_eq!((&cases[1]["verdict"], &cases[1]["matched"]), (&json!("deny"), &json!([1])));
    assert_eq!(cases[2]["verdict"], "pass", "responses only on request");
    assert_eq!(answer["rules"], json!([]));
    assert!(answer["load_ms"].as_f64().unwrap() > 0.0);
    assert!(answer["rss_mb"].as_f64().unwrap() > 0.0);
}

#[test]
fn response_phases_run_on_request() {
    let (_folder, corpus, rules) = files();
    let answer = palisade(&[
        "profile",
        "--rules",
        &rules,
        "--corpus",
        &corpus,
        "--iterations",
        "1",
        "--json",
        "--response-phases",
        "--case",
        "leak",
    ])
    .json();
    assert_eq!(answer["cases"][0]["verdict"], "deny");
    assert_eq!(answer["cases"][0]["matched"], json!([3]));
}

#[test]
fn time_gives_a_table_of_rules_whose_shares_are_parts_of_one() {
    let (_folder, corpus, rules) = files();
    let arguments = ["profile", "--rules", &rules, "--corpus", &corpus, "--seconds", "0.05"];
    let answer = palisade(&[&arguments[..], &["--json"]].concat()).json();
    let shares: Vec<f64> =
        answer["rules"].as_array().unwrap().iter().map(|rule| rule["share"].as_f64().unwrap()).collect();
    assert!(!shares.is_empty());
    let looking = answer["looking_share"].as_f64().unwrap();
    assert!((shares.iter().sum::<f64>() + looking - 1.0).abs() < 1e-6, "{looking} {shares:?}");
    assert!(shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
    assert!(answer["cases"][0]["iterations"].as_u64().unwrap() > 10);
    let text = palisade(&arguments);
    assert_eq!((text.code, &*text.err), (0, ""));
    for said in ["case", "plain", "attack", "costliest rules", "loaded in"] {
        assert!(text.out.contains(said), "{}", text.out);
    }
}

#[test]
fn one_case_can_be_chosen_and_an_unknown_one_is_said_with_those_there_are() {
    let (_folder, corpus, rules) = files();
    let one = ["profile", "--rules", &rules, "--corpus", &corpus, "--iterations", "1"];
    let answer = palisade(&[&one[..], &["--json", "--case", "attack"]].concat()).json();
    assert_eq!(answer["cases"].as_array().unwrap().len(), 1);
    let answer = palisade(&[&one[..], &["--case", "atack"]].concat());
    assert_eq!(answer.code, 2);
    for said in ["atack", "plain, attack, leak"] {
        assert!(answer.err.contains(said), "{}", answer.err);
    }
}

#[test]
fn what_cannot_be_measured_is_refused_with_its_place() {
    let (folder, corpus, _rules) = files();
    let nameless = folder.write("nameless.jsonl", "{\"name\":\"a\"}\n\n{\"uri\":\"/\"}\n");
    let broken = folder.write("broken.jsonl", "{\"name\":\"a\"}\n{\"name\":\n");
    let empty = folder.write("empty.jsonl", "\n");
    let binary = folder.write("binary.jsonl", b"\xff\xfe\n");
    for (arguments, named) in [
        (vec!["--corpus", "/nowhere.jsonl"], "/nowhere.jsonl"),
        (vec!["--corpus", &nameless], "nameless.jsonl:3: the request has no \"name\""),
        (vec!["--corpus", &broken], "broken.jsonl:2"),
        (vec!["--corpus", &empty], "holds no request"),
        (vec!["--corpus", &binary], "binary.jsonl"),
        (vec!["--corpus", &corpus, "--seconds", "0"], "0"),
        (vec!["--corpus", &corpus, "--seconds", "-1"], "-1"),
        (vec!["--corpus", &corpus, "--seconds", "inf"], "inf"),
        (vec!["--corpus", &corpus, "--iterations", "0"], "0"),
        (vec!["--corpus", &corpus, "--iterations", "2", "--seconds", "1"], "--iterations"),
    ] {
        let mut all = vec!["profile"];
        all.extend(&arguments);
        let answer = palisade(&all);
        assert_eq!(answer.code, 2, "{arguments:?}");
        assert!(answer.err.contains(named), "{arguments:?}: {}", answer.err);
        assert!(!answer.err.contains("unexpected argument"), "{}", answer.err);
    }
}

/// `docs/guide/costly-rules.md`, followed by the letter.
#[test]
fn the_guide_finds_its_costly_rule_and_mends_it() {
    let page = include_str!("../../../docs/guide/costly-rules.md");
    let folder = Folder::new();
    let file = |name: &str| {
        let (_, rest) = page.split_once(&format!(" {name}\n")).unwrap_or_else(|| panic!("no block {name}"));
        let (block, _) = rest.split_once("   ```").expect("a block ends");
        let lines: Vec<&str> = block.lines().map(|line| line.strip_prefix("   ").unwrap_or(line)).collect();
        folder.write(name, lines.join("\n") + "\n")
    };
    let (corpus, before, after) = (file("requests.jsonl"), file("site.conf"), file("after.conf"));
    let profile = |rules: &str| {
        let arguments = ["profile", "--rules", rules, "--corpus", &corpus, "--seconds", "0.4", "--json"];
        let answer = palisade(&arguments);
        assert_eq!((answer.code, &*answer.err), (0, ""));
        answer.json()
    };
    let share = |answer: &serde_json::Value, id: u64| {
        let rules = answer["rules"].as_array().unwrap().iter();
        rules.filter(|rule| rule["id"] == id).map(|rule| rule["share"].as_f64().unwrap()).sum::<f64>()
    };
    let found = profile(&before);
    let costliest = &found["rules"][0];
    assert_eq!((&costliest["id"], &costliest["line"]), (&json!(1001), &json!(3)), "{found}");
    assert!(costliest["file"].as_str().unwrap().ends_with("site.conf"), "{found}");
    assert!(share(&found, 1001) > 0.2 && share(&found, 1002) == 0.0, "{found}");
    let mended = profile(&after);
    assert!(share(&mended, 1001) < 0.1, "{mended}");
    assert_eq!(found["cases"][0]["verdict"], "pass");
    // It still finds what it is for.
    let request = r#"{"uri":"/?card=4111111111111111","headers":[["Host","shop"]]}"#;
    let request = folder.write("card.jsonl", request);
    let explained =
        palisade(&["explain", "--rules", &after, "--request", &request, "--format", "json"]).json();
    assert_eq!(explained["rule_id"], 1001, "{explained}");
}

#[test]
fn filters_say_what_each_of_them_left() {
    let (_folder, corpus, rules) = files();
    let answer =
        palisade(&["profile", "--rules", &rules, "--corpus", &corpus, "--iterations", "3", "--json"]).json();
    let filters = |case: usize, name: &str| answer["cases"][case]["filters"][name].as_f64().unwrap();
    for case in 0..3 {
        assert!(filters(case, "values") >= 1.0, "{answer}");
        assert!(filters(case, "asked") <= filters(case, "candidates"), "{answer}");
    }
    assert!(
        filters(1, "asked") > filters(0, "asked"),
        "an attack leaves more than a plain request: {answer}"
    );
    assert!(answer["cases"][0]["us_first"].as_f64().unwrap() > 0.0);
}

#[test]
fn threads_are_measured_on_request() {
    let (_folder, corpus, rules) = files();
    let arguments =
        ["profile", "--rules", &rules, "--corpus", &corpus, "--seconds", "0.05", "--threads", "2", "--json"];
    let answer = palisade(&arguments).json();
    for case in answer["cases"].as_array().unwrap() {
        let rates = &case["requests_per_second"];
        assert!(rates["one_thread"].as_f64().unwrap() > 0.0, "{case}");
        assert!(rates["threads"].as_f64().unwrap() > 0.0, "{case}");
        if cfg!(target_os = "linux") {
            let cpu = &case["cpu_us_per_request"];
            assert!(
                cpu["one_thread"].as_f64().unwrap() > 0.0 && cpu["threads"].as_f64().unwrap() > 0.0,
                "{case}"
            );
        }
    }
    let text = palisade(&arguments[..arguments.len() - 1]);
    assert!(text.out.contains("requests a second"), "{}", text.out);
    let none = palisade(&["profile", "--corpus", &corpus, "--threads", "0"]);
    assert_eq!(none.code, 2);
}

#[test]
fn what_remembering_saves_can_be_measured() {
    let (folder, corpus, _) = files();
    // What every request has, and what a program chooses.
    let names = "SecRule REQUEST_METHOD|ARGS_NAMES \"@rx evil\" \"id:1,phase:1,deny,log\"\n";
    let rules = folder.write("names.conf", names);
    let known = |memo: &str| {
        let arguments = [
            "profile",
            "--rules",
            &rules,
            "--detect",
            "on",
            "--corpus",
            &corpus,
            "--iterations",
            "20",
            "--memo",
            memo,
            "--json",
        ];
        let answer = palisade(&arguments).json();
        let case = answer["cases"][0].clone();
        (case["filters"]["known"].as_f64().unwrap(), case["verdict"].clone(), case["matched"].clone())
    };
    let (on, off) = (known("on"), known("off"));
    assert!(on.0 > 0.0 && off.0 == 0.0, "{on:?} {off:?}");
    assert_eq!((on.1, on.2), (off.1, off.2));
}
