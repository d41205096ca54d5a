//! `palisade policy`, from outside.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn palisade(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_palisade")).args(arguments).output().expect("the binary runs")
}

fn testdata(name: &str) -> String {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/policy")).join(name);
    path.to_str().expect("UTF-8").to_owned()
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("palisade-policy-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    folder
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

#[test]
fn match_answers_one_question_and_many() {
    let one = |selector: &str, labels: &str| {
        palisade(&["policy", "match", "--selector", selector, "--labels", labels])
    };
    let output = one("a == 'b' && !has(z)", "a=b,c=d");
    assert_eq!((output.stdout.as_slice(), output.status.code()), (&b"true\n"[..], Some(0)));
    assert_eq!(one("a == 'x'", "a=b,c=d").stdout, b"false\n");
    let wrong = one("a = 'x'", "");
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(said.contains("write `==` at character 3"), "{said}");

    let output = palisade(&["policy", "match", "--input", &testdata("selectors.jsonl")]);
    assert_eq!(output.status.code(), Some(1), "some of its lines are no selectors");
    let table = std::fs::read_to_string(testdata("selectors.jsonl")).expect("the table");
    let cases: Vec<Value> = table.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answers = lines(&output);
    assert_eq!(answers.len(), cases.len());
    for (case, answer) in cases.iter().zip(&answers) {
        assert_eq!(answer["id"], case["id"]);
        if case["error"] == true {
            assert!(answer["error"].is_string() && answer["match"].is_null(), "{answer}");
        } else {
            assert_eq!(
                [&answer["match"], &answer["canonical"]],
                [&case["match"], &case["canonical"]],
                "{answer}"
            );
        }
    }
}

#[test]
fn eval_answers_yao_bank_line_by_line() {
    let folder = folder("eval");
    let table = std::fs::read_to_string(testdata("cases/yaobank.jsonl")).expect("the cases");
    let mut cases: Vec<Value> =
        table.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    let input = folder.join("flows.jsonl");
    let flows: String = cases
        .iter_mut()
        .map(|case| {
            let flow = case.as_object_mut().unwrap();
            flow.remove("why");
            let expect = flow.remove("expect");
            let line = format!("{}\n", Value::Object(flow.clone()));
            flow.insert("expect".to_owned(), expect.unwrap());
            line
        })
        .collect();
    std::fs::write(&input, flows + "{\"id\": \"broken\", \"sauce\": {}}\n").expect("a file");
    let output = palisade(&[
        "policy",
        "eval",
        "--policies",
        &testdata("yaobank/objects.yaml"),
        &testdata("yaobank/policies.yaml"),
        "--input",
        input.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = lines(&output);
    assert_eq!(answers.len(), cases.len() + 1);
    for (case, answer) in cases.iter().zip(&answers) {
        for (name, wanted) in case["expect"].as_object().unwrap() {
            assert_eq!(&answer[name], wanted, "{name} of {answer}");
        }
        assert_eq!(answer["id"], case["id"]);
        assert_eq!(answer["pending"]["verdict"], answer["verdict"], "nothing is staged");
        let last = answer["trace"].as_array().unwrap().last().unwrap();
        assert_eq!(last["policy"], answer["policy"]);
    }
    let by_id = |id: &str| answers.iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(
        by_id("head-customer")["reason"],
        "no rule of the tier's policies matched; nearest was rule 0 of customer, whose http.methods does not match"
    );
    assert_eq!(by_id("stolen-key")["nearest_miss"]["clause"], "source.selector");
    assert_eq!(by_id("summary-plain")["nearest_miss"]["why"], "the peer showed no certificate");
    let broken = answers.last().unwrap();
    assert_eq!([&broken["id"], &broken["verdict"]], [&json!("broken"), &Value::Null]);
    assert!(broken["error"]["message"].as_str().unwrap().contains("unknown field `sauce`"), "{broken}");
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn check_and_eval_say_what_is_wrong_and_where() {
    let printed = testdata("yaobank/third-as-printed.yaml");
    let output = palisade(&["policy", "check", "--policies", &printed]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("third-as-printed.yaml:7:"), "{said}");

    let output = palisade(&["policy", "eval", "--policies", &printed, "--input", "-"]);
    assert_eq!(output.status.code(), Some(2), "broken policies decide nothing");

    let folder = folder("check");
    let file = folder.join("p.yaml");
    let policy = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: p}\nspec:\n  ingres: []\n";
    std::fs::write(&file, policy).expect("a file");
    let output = palisade(&["policy", "check", "--policies", folder.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("p.yaml:5:3") && said.contains("did you mean `ingress`?"), "{said}");

    let good = palisade(&[
        "policy",
        "check",
        "--policies",
        &testdata("yaobank/objects.yaml"),
        &testdata("yaobank/policies.yaml"),
    ]);
    assert_eq!(good.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&good.stdout),
        "11 objects of policy are usable: 0 errors, 0 warnings\n"
    );
    std::fs::remove_dir_all(folder).expect("removed");
}
