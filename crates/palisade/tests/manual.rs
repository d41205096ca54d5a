//! `palisade man`, and the reference pages that the binary writes about itself.

mod support;

use support::{Folder, palisade};

/// Says how to write a page anew where it is not what the binary says.
fn is_up_to_date(of: &str, page: &str) {
    let file = format!("{}/../../docs/reference/{page}", env!("CARGO_MANIFEST_DIR"));
    let said = palisade(&["config", of]);
    assert_eq!(said.code, 0, "{}", said.err);
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == said.out, "write it anew: palisade config {of} > docs/reference/{page}");
}

#[test]
fn the_page_of_the_command_line_is_what_help_says() {
    is_up_to_date("cli", "cli.md");
}

#[test]
fn the_page_of_seclang_is_what_the_compiler_says() {
    is_up_to_date("seclang", "seclang.md");
}

#[test]
fn every_command_has_a_manual_page_with_its_flags() {
    let folder = Folder::new();
    let pages = folder.at("man");
    assert_eq!(palisade(&["man", "--dir", &pages]).code, 0);
    let mut names: Vec<String> = std::fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for expected in ["palisade.1", "palisade-run.1", "palisade-policy-eval.1", "palisade-man.1"] {
        assert!(names.iter().any(|name| name == expected), "{expected} is not among {names:?}");
    }
    let run = std::fs::read_to_string(format!("{pages}/palisade-run.1")).unwrap();
    for needle in [".TH palisade-run 1", "\\-\\-upstream", ".SH SYNOPSIS"] {
        assert!(run.contains(needle), "{needle} is not in {run}");
    }
    assert_eq!(palisade(&["man", "run"]).out, run, "the page that is printed is the one that is written");
}

#[test]
fn a_command_that_is_not_there_has_no_page() {
    let answer = palisade(&["man", "policy", "nothing"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("\"policy nothing\""), "{}", answer.err);
}
