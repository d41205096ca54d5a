//! Our own cases, `testdata/transforms/*.toml`: one file for a family, a table for each transformation, in it
//! `{ name, input, output, why }`. Inputs and outputs are bytes: a character U+0000 to U+00FF stands for a
//! byte.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use palisade_codec::{Context, Effect, Transformation, UnicodeMap};
use serde::Deserialize;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/transforms");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    input: String,
    output: String,
    why: String,
    /// A section of `unicode.mapping` to run with.
    unicode_map: Option<String>,
}

#[test]
fn cases_hold() {
    let mut ran = BTreeMap::<&str, usize>::new();
    let mut failures = Vec::new();
    for path in case_files() {
        let file = path.file_name().expect("a file").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let tables: BTreeMap<String, Vec<Case>> =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut names = BTreeSet::new();
        for (name, cases) in tables {
            let transformation = Transformation::from_name(&name)
                .filter(|found| found.name() == name)
                .unwrap_or_else(|| panic!("{file}: no transformation is called {name}"));
            for case in cases {
                let id = format!("{file}: {name}: {}", case.name);
                assert!(names.insert(id.clone()), "{id}: a second case of this name");
                assert!(!case.why.is_empty(), "{id}: a case says why");
                if let Some(failure) = run(transformation, &case) {
                    failures.push(format!("{id} ({})\n  {failure}", case.why));
                }
                *ran.entry(transformation.name()).or_default() += 1;
            }
        }
    }
    let total: usize = ran.values().sum();
    println!("{total} cases of {} transformations ran", ran.len());
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
    let without: Vec<_> = Transformation::ALL.iter().filter(|t| !ran.contains_key(t.name())).collect();
    assert!(without.is_empty(), "without any case: {without:?}");
}

fn run(transformation: Transformation, case: &Case) -> Option<String> {
    let map = case.unicode_map.as_ref().map(|section| {
        UnicodeMap::parse(&format!("20127 (US-ASCII)\n{section}"), 20127).expect("a valid section")
    });
    let (input, expected) = (bytes_of(&case.input), bytes_of(&case.output));
    let mut out = Vec::new();
    let effect = transformation.apply(&input, &mut out, &Context { unicode_map: map.as_ref() });
    let got = if effect == Effect::Changed { &out } else { &input };
    (*got != expected)
        .then(|| format!("expected {}\n  got      {}", expected.escape_ascii(), got.escape_ascii()))
}

fn case_files() -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(Path::new(FOLDER))
        .expect("testdata/transforms belongs to the repository")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    paths.sort();
    for path in &paths {
        assert!(path.extension().is_some_and(|end| end == "toml"), "{} is no case file", path.display());
    }
    assert!(!paths.is_empty(), "no case files");
    paths
}

fn bytes_of(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap_or_else(|_| panic!("{c:?} is no byte"))).collect()
}
