//! What is printed is SecLang for others too: libmodsecurity loads CRS from it, with as many rules as from the files.

mod common;

use std::path::{Path, PathBuf};

use common::{DiskLoader, shared};
use palisade_oracle::modsecurity::ModSecurity;
use palisade_seclang::{Source, load, print};

fn loads_elsewhere(version: &str) {
    let Some(root) = shared(&format!("crs/{version}")) else { return };
    let oracle = match ModSecurity::load() {
        Ok(oracle) => oracle,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let rules = root.join("rules");
    let mut files = vec![root.join("crs-setup.conf.example")];
    let with = |extension: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&rules).expect("a readable directory");
        let paths = entries.map(|entry| entry.expect("a readable directory").path());
        let mut paths: Vec<_> =
            paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
        paths.sort();
        paths
    };
    files.extend(with("conf"));

    let mut original = oracle.empty_rules();
    let counts = files.iter().map(|file| original.add_file(file).expect("CRS loads as it is released"));
    let expected: usize = counts.sum();

    let sources: Vec<_> = files.iter().map(|file| Source::File(file.display().to_string())).collect();
    let text = print(&load(&sources, &DiskLoader).program);
    // Data files are looked for beside the file that names them.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("printed-{version}"));
    std::fs::create_dir_all(&directory).expect("a writable directory");
    for data in with("data") {
        std::fs::copy(&data, directory.join(data.file_name().expect("a file")))
            .expect("a writable directory");
    }
    let printed = directory.join("printed.conf");
    std::fs::write(&printed, text).expect("a writable directory");

    let found = oracle.empty_rules().add_file(&printed);
    println!("CRS {version}: {expected} rules and markers");
    assert!(expected > 500);
    assert_eq!(found, Ok(expected));
}

#[test]
fn crs_4_28_loads_in_libmodsecurity_from_what_is_printed() {
    loads_elsewhere("4.28.0");
}

#[test]
fn crs_3_3_9_loads_in_libmodsecurity_from_what_is_printed() {
    loads_elsewhere("3.3.9");
}
