//! Every input kept in `fuzz/regressions` goes through its target, in the ordinary test lane.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use palisade_fuzz_replay::{TARGETS, target};

#[test]
fn kept_inputs_hold() {
    let mut total = 0;
    for (name, run) in TARGETS {
        let inputs = files_of(&fuzz().join("regressions").join(name));
        assert!(!inputs.is_empty(), "fuzz/regressions/{name} holds no input");
        for file in &inputs {
            let input = fs::read(file).expect("a listed file is readable");
            // The name of the input that breaks it is what one wants to see first.
            println!("{name} {}", file.display());
            let started = Instant::now();
            run(&input);
            let took = started.elapsed();
            assert!(took < TIME_MAX, "{} took {took:?}", file.display());
        }
        total += inputs.len();
    }
    println!("{total} kept inputs through {} targets", TARGETS.len());
}

#[test]
fn every_folder_and_every_fuzz_binary_is_a_target() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(fuzz().join(folder)).expect("the folder is part of the repository");
        let paths = entries.map(|entry| entry.expect("a listed entry").path());
        paths.map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(names("regressions"), known);
    assert_eq!(names("fuzz_targets"), known);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("fuzz has a manifest");
    for name in &known {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml builds no {name}");
        assert!(target(name).is_some());
    }
}

/// The empty input and every single byte: what a fuzzer tries first, and what nobody thinks of.
#[test]
fn shortest_inputs_hold() {
    for (name, run) in TARGETS {
        println!("{name}");
        run(b"");
        (0..=u8::MAX).for_each(|byte| run(&[byte]));
    }
}

/// Every kept input cut off at each place, and cut into parts of each small size: cheap neighbours of known trouble.
#[test]
fn beginnings_of_kept_inputs_hold() {
    for (name, run) in TARGETS {
        for file in files_of(&fuzz().join("regressions").join(name)) {
            println!("{name} {}", file.display());
            let mut input = fs::read(&file).expect("a listed file is readable");
            input.truncate(2048);
            for end in 0..input.len() {
                run(&input[..end]);
            }
            for first in 0..16 {
                if let Some(byte) = input.first_mut() {
                    *byte = first;
                    run(&input);
                }
            }
        }
    }
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a listed entry").path()).collect();
    files.sort();
    files
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// libFuzzer's inputs are a few KiB; with all checks and no optimisation they take milliseconds.
const TIME_MAX: Duration = Duration::from_secs(10);
