//! Decisions as data: every file of `testdata/policy/cases`, by the definition and by the index.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod support;

use palisade_policy::{Decision, PlaintextPeers};
use serde_json::{Value, json};
use support::{Line, judgement, load, testdata};

#[test]
fn every_case_is_decided_as_it_says_by_the_definition_and_by_the_index() {
    let mut files: Vec<_> = std::fs::read_dir(testdata("cases"))
        .expect("the cases are part of the repository")
        .map(|entry| entry.expect("a listed entry").path())
        .collect();
    files.sort();
    let mut count = 0;
    for file in &files {
        let text = std::fs::read_to_string(file).expect("a listed file is readable");
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a JSON line"));
        let head = lines.next().expect("the first line names the policies");
        let policies: Vec<&str> =
            head["policies"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
        let (objects, index) = load(&policies);
        let mut judgement = judgement();
        if head["plaintextPeers"] == "address" {
            judgement.plaintext_peers = PlaintextPeers::Address;
        }
        for case in lines {
            let line = Line::of(&case);
            let flow = line.flow();
            let defined = objects.evaluate(&flow, &judgement);
            let indexed = index.evaluate(&flow, &judgement);
            assert_eq!(indexed, defined, "{}: {case}", file.display());
            let expect = &case["expect"];
            for (name, wanted) in expect.as_object().expect("what is expected") {
                let got = match name.as_str() {
                    "pending" => defined.pending.as_ref().map_or(Value::Null, |pending| {
                        wanted
                            .as_object()
                            .unwrap()
                            .keys()
                            .map(|name| (name.clone(), field(pending, name)))
                            .collect()
                    }),
                    name => field(&defined.enforced, name),
                };
                assert_eq!(&got, wanted, "{}: {name} of {case}\n{defined:#?}", file.display());
            }
            let miss = objects.near_miss(&flow, &defined.enforced, &judgement);
            assert_eq!(index.near_miss(&flow, &indexed.enforced, &judgement), miss, "{case}");
            count += 1;
        }
    }
    println!("{count} cases in {} files", files.len());
    assert!(count > 100, "{count}");
}

fn field(decision: &Decision, name: &str) -> Value {
    let stop = decision.decisive();
    match name {
        "verdict" => json!(decision.verdict.as_str()),
        "tier" => json!(stop.map(|stop| &*stop.tier)),
        "policy" => json!(stop.map(|stop| stop.policy.to_string())),
        "rule_index" => json!(stop.map(|stop| stop.rule_index.map_or(-1, |index| index as i64))),
        "reason" => json!(decision.reason.to_string()),
        "trace" => decision
            .trace
            .iter()
            .map(|stop| {
                let index = stop.rule_index.map_or(-1, |index| index as i64);
                format!("{}|{}|{}|{index}", stop.tier, stop.policy, stop.action.as_str())
            })
            .collect(),
        other => panic!("`{other}` is nothing that can be expected"),
    }
}
