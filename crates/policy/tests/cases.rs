//! Decisions as data: every file of `testdata/policy/cases`, by the definition and by the index.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use palisade_policy::{Clause, Decision, PlaintextPeers};
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

/// Every clause of a rule has a case in which it alone keeps a rule from matching, and one in which a rule of that policy
/// matches. In these two files each policy tries one thing.
#[test]
fn every_clause_has_a_match_and_a_miss() {
    let mut missed: BTreeMap<Clause, BTreeSet<String>> = BTreeMap::new();
    let mut matched: BTreeSet<String> = BTreeSet::new();
    for name in ["clauses", "egress"] {
        let (objects, index) = load(&[&format!("{name}.yaml")]);
        let text = std::fs::read_to_string(testdata("cases").join(name).with_extension("jsonl"));
        for line in text.expect("the cases").lines().skip(1) {
            let case: Value = serde_json::from_str(line).expect("a JSON line");
            let line = Line::of(&case);
            let decision = objects.evaluate(&line.flow(), &judgement()).enforced;
            let policy = decision.decisive().map(|stop| stop.policy.to_string()).unwrap_or_default();
            match index.near_miss(&line.flow(), &decision, &judgement()) {
                Some(miss) => {
                    missed.entry(miss.clause).or_default().insert(policy);
                }
                None => {
                    matched.insert(policy);
                }
            }
        }
    }
    let has_both = |clause: &Clause| {
        missed.get(clause).is_some_and(|policies| policies.iter().any(|policy| matched.contains(policy)))
    };
    let without: Vec<&str> =
        Clause::ALL.into_iter().filter(|clause| !has_both(clause)).map(Clause::as_str).collect();
    assert_eq!(without, [""; 0], "{missed:?}");
}
