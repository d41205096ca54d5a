//! Findings as people read them: `testdata/diagnostics/NAME.conf` gives `NAME.txt`, byte for byte.
//!
//! `PALISADE_BLESS=1` writes the expected texts anew; read the difference like prose.

mod common;

use common::{DiskLoader, rendered, testdata};
use palisade_seclang::{LoadError, Loader, MemoryLoader, Source, Style, load};

/// Names relative to the directory of the cases, so that the texts are the same on every machine.
struct Relative;

impl Loader for Relative {
    fn read(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        DiskLoader.read(&format!("{}/{path}", testdata("diagnostics").display()))
    }

    fn expand(&self, pattern: &str) -> Result<Vec<String>, LoadError> {
        let root = format!("{}/", testdata("diagnostics").display());
        let paths = DiskLoader.expand(&format!("{root}{pattern}"))?;
        Ok(paths.iter().map(|path| path[root.len()..].to_owned()).collect())
    }
}

#[test]
fn findings_read_as_they_should() {
    let mut names: Vec<String> = std::fs::read_dir(testdata("diagnostics"))
        .expect("testdata is part of the repository")
        .map(|entry| entry.expect("a readable directory").file_name().into_string().expect("UTF-8"))
        .filter(|name| name.ends_with(".conf"))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    let mut different = Vec::new();
    for name in &names {
        let loaded = load(&[Source::File(name.clone())], &Relative);
        let actual = rendered(&loaded);
        assert_ne!(actual, "", "{name} has no findings");
        let expected_path = testdata("diagnostics").join(name.replace(".conf", ".txt"));
        if std::env::var_os("PALISADE_BLESS").is_some() {
            std::fs::write(&expected_path, &actual).expect("a writable directory");
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
        if actual != expected {
            different.push(format!("{name}:\n{actual}"));
        }
    }
    println!("{} files of findings", names.len());
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn colours_mark_the_same_text() {
    let source = Source::Text { name: "a.conf".into(), text: b"SecRul x".to_vec(), directory: String::new() };
    let loaded = load(&[source], &MemoryLoader::new());
    let colored = loaded.diagnostics[0].render(&loaded.sources, Style::Color);
    assert!(colored.starts_with("\x1b[1;31merror[E0105]\x1b[0m"), "{colored:?}");
    let mut plain = String::new();
    let mut rest = colored.as_str();
    while let Some(at) = rest.find("\x1b[") {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[rest.find('m').expect("the end of a colour") + 1..];
    }
    plain.push_str(rest);
    assert_eq!(plain, loaded.diagnostics[0].render(&loaded.sources, Style::Plain));
}
