//! The cases of `testdata/detect`, each a value with what must be found in it, or a neighbour in which nothing is.
//!
//! Every value is put to the detectors as it stands and, where it is an attack, wrapped as applications wrap values: what
//! is found in a value is found through each wrapping that an interpreter undoes.

use std::path::Path;

use palisade_detect::{Attack, Confidence, DetectLimits, Finding, detect_value, strongest};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    value: String,
    /// What must be found; absent for a benign neighbour.
    attack: Option<String>,
    /// With at least this confidence. Default 75.
    at_least: Option<u8>,
    /// For a benign neighbour: nothing stronger than this may be found. Default: a hint.
    at_most: Option<u8>,
    /// Words of the reading that must be there.
    why: Option<String>,
}

#[test]
fn what_is_found_is_what_the_cases_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/detect");
    let mut failures = Vec::new();
    let (mut attacks, mut neighbours) = (0, 0);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the cases").map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
        let text = std::fs::read_to_string(path).unwrap();
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in file.case {
            let place = format!("{} {}", path.file_stem().unwrap().display(), case.name);
            match &case.attack {
                Some(attack) => {
                    attacks += 1;
                    let attack =
                        Attack::from_name(attack).unwrap_or_else(|| panic!("{place}: no attack {attack}"));
                    for (wrapping, bytes) in wrapped(case.value.as_bytes()) {
                        judge_attack(&case, attack, &format!("{place}, {wrapping}"), &bytes, &mut failures);
                    }
                }
                None => {
                    neighbours += 1;
                    let found = detect(case.value.as_bytes());
                    let most = case.at_most.unwrap_or(Confidence::HINT.get());
                    if strongest(&found).is_some_and(|confidence| confidence.get() > most) {
                        failures.push(format!("{place}: found {}", told(&found)));
                    }
                }
            }
        }
    }
    println!("{attacks} attacks and {neighbours} neighbours in {} files", files.len());
    assert!(attacks > 0 && neighbours > 0);
    assert!(failures.is_empty(), "{} cases differ:\n{}", failures.len(), failures.join("\n"));
}

fn judge_attack(case: &Case, attack: Attack, place: &str, bytes: &[u8], failures: &mut Vec<String>) {
    let found = detect(bytes);
    let least = case.at_least.unwrap_or(Confidence::LIKELY.get());
    let hit = found.iter().find(|finding| finding.attack == attack && finding.confidence.get() >= least);
    match (hit, &case.why) {
        (None, _) => failures.push(format!("{place}: no {} of {least}, but {}", attack.name(), told(&found))),
        (Some(hit), Some(why)) if !hit.why.contains(why.as_str()) => {
            failures.push(format!("{place}: reads {:?}, not {why:?}", hit.why));
        }
        _ => {}
    }
}

fn detect(bytes: &[u8]) -> Vec<Finding> {
    detect_value(bytes, &DetectLimits::default())
}

fn told(found: &[Finding]) -> String {
    let list: Vec<String> = found
        .iter()
        .map(|finding| {
            format!(
                "{} {} by {} ({})",
                finding.attack.name(),
                finding.confidence.get(),
                finding.detector,
                finding.why
            )
        })
        .collect();
    if list.is_empty() { "nothing".into() } else { list.join("; ") }
}

/// The value as it stands, percent-encoded, in base64, and in a JSON text.
fn wrapped(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let percent: String = value.iter().map(|byte| format!("%{byte:02x}")).collect();
    let json = serde_json::json!({"a": [String::from_utf8_lossy(value)]}).to_string();
    vec![
        ("as it stands", value.to_vec()),
        ("percent-encoded", percent.into_bytes()),
        ("in base64", base64(value)),
        ("in JSON", json.into_bytes()),
    ]
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = palisade_codec::transform::base64::encode(bytes, &mut out);
    out
}
