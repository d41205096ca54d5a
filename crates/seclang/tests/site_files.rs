//! Rule files as sites have them: `testdata/seclang/*.conf` load with the findings that their first line names.

mod common;

use common::{DiskLoader, rendered, testdata};
use palisade_seclang::ast::FileId;
use palisade_seclang::{Limits, Source, load, parse, print};

#[test]
fn site_files_load_with_the_findings_they_name_and_read_back() {
    let mut paths: Vec<_> = std::fs::read_dir(testdata("seclang"))
        .expect("testdata is part of the repository")
        .map(|entry| entry.expect("a readable directory").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in &paths {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).expect("readable");
        let first = String::from_utf8_lossy(bytes.split(|&byte| byte == b'\n').next().unwrap_or_default())
            .into_owned();
        let expected = first
            .trim()
            .strip_prefix("# expect:")
            .unwrap_or_else(|| panic!("{name} does not say what to expect"));
        let mut expected: Vec<&str> = expected.split_whitespace().collect();
        expected.sort_unstable();

        let loaded = load(&[Source::File(name.clone())], &DiskLoader);
        let mut found: Vec<&str> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{}", rendered(&loaded));
        assert!(loaded.is_valid());
        assert!(!loaded.program.is_empty());

        let text = print(&loaded.program);
        let (again, _) = parse(FileId(0), &text, &Limits::default());
        assert_eq!(again, loaded.program, "{name}\n{}", String::from_utf8_lossy(&text));
    }
    println!("{} site files", paths.len());
}
