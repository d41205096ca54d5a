//! ModSecurity's own test vectors, `../shared/conformance/modsec-transformations.jsonl`, one JSON object a
//! line.

use std::collections::BTreeMap;

use palisade_codec::{Context, Effect, Transformation};
use serde::Deserialize;

const PATH: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/modsec-transformations.jsonl");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    id: String,
    #[serde(rename = "file")]
    _file: String,
    name: String,
    #[serde(rename = "input")]
    _input: String,
    input_hex: String,
    #[serde(rename = "output")]
    _output: String,
    output_hex: String,
    /// ModSecurity 2's idea of a change; v3 does not check it, and ours is exact.
    #[serde(rename = "changed")]
    _changed: u8,
    /// Why upstream's own engines do not agree on this vector.
    unclear: Option<String>,
}

#[test]
fn modsecurity_vectors_hold() {
    let Ok(text) = std::fs::read_to_string(PATH) else {
        println!("skipped: ../shared/conformance is not beside this repository");
        return;
    };
    let mut passed = BTreeMap::<&str, usize>::new();
    let mut failures = Vec::new();
    let mut skipped = 0;
    for line in text.lines() {
        let vector: Vector = serde_json::from_str(line).expect("a vector of the documented form");
        if let Some(reason) = vector.unclear {
            println!("skipped {}: {reason}", vector.id);
            skipped += 1;
            continue;
        }
        let transformation = Transformation::from_name(&vector.name)
            .unwrap_or_else(|| panic!("{}: no transformation is called {}", vector.id, vector.name));
        let input = bytes_of_hex(&vector.input_hex);
        let expected = bytes_of_hex(&vector.output_hex);
        let mut out = Vec::new();
        let got = match transformation.apply(&input, &mut out, &Context::default()) {
            Effect::Unchanged => &input,
            Effect::Changed => &out,
        };
        if *got == expected {
            *passed.entry(transformation.name()).or_default() += 1;
        } else {
            let [input, expected, got] = [&input, &expected, got].map(|bytes| bytes.escape_ascii());
            failures.push(format!("{}: {input}\n  expected {expected}\n  got      {got}", vector.id));
        }
    }
    let total: usize = passed.values().sum();
    println!("{total} vectors of {} transformations passed, {skipped} skipped", passed.len());
    assert!(failures.is_empty(), "{} vectors failed:\n{}", failures.len(), failures.join("\n"));
    assert!(total > 0 && skipped <= 1, "{total} vectors ran, {skipped} were skipped");
}

fn bytes_of_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}
