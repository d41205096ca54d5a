//! The page about the detectors is what the detectors say of themselves.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const HEADINGS: [&str; 6] =
    ["What it finds", "Why it matters", "How it decides", "Example", "What it misses", "References"];

/// `PALISADE_BLESS=1` writes the page anew.
#[test]
fn the_reference_is_made_of_the_detectors_own_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut detectors = BTreeMap::new();
    for path in sources(&root.join("src/detectors")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let doc: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
        if !doc.iter().any(|line| line.trim() == "# What it finds") {
            continue;
        }
        let headings: Vec<&str> = doc.iter().filter_map(|line| line.trim().strip_prefix("# ")).collect();
        assert_eq!(headings, HEADINGS, "{}", path.display());
        let name = path.file_stem().unwrap().to_str().unwrap();
        let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let name = if name == "mod" { folder } else { name };
        detectors.insert(name.to_owned(), page_of(&doc));
    }
    assert!(detectors.len() > 10, "{} detectors", detectors.len());
    let mut page = String::from(HEAD);
    for (name, text) in &detectors {
        let _ = write!(page, "\n## {}\n\n{text}", name.replace('_', "-"));
    }
    let file = root.join("../../docs/reference/detectors.md");
    if std::env::var_os("PALISADE_BLESS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == page, "run `PALISADE_BLESS=1 cargo test -p palisade-detect --test reference`");
}

const HEAD: &str = "# Detectors

<!-- Made from the sources of the detectors by `PALISADE_BLESS=1 cargo test -p palisade-detect --test reference`. -->

What the built-in detector looks for, and how it decides, in the words of each part. How to use it, and what a finding is
worth, is in [the guide](../guide/detector.md).
";

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
    out
}

/// A module's words as a part of the page: one title, headings one level down, links of the code as plain names.
fn page_of(doc: &[&str]) -> String {
    let mut out = String::new();
    for line in doc {
        let line = line.strip_prefix(' ').unwrap_or(line);
        let line = match line.strip_prefix("# ") {
            Some(heading) => format!("### {heading}"),
            None => line.replace("[`", "`").replace("`]", "`"),
        };
        let _ = writeln!(out, "{line}");
    }
    out
}
