//! Whole rule sets as they are released: they load without a finding, and read back as themselves when printed.

mod common;

use common::{DiskLoader, rendered, shared};
use palisade_seclang::ast::{Directive, FileId};
use palisade_seclang::{Limits, Loaded, Source, load, parse, print};

fn load_crs(version: &str) -> Option<Loaded> {
    let root = shared(&format!("crs/{version}"))?.display().to_string();
    let sources = [
        Source::File(format!("{root}/crs-setup.conf.example")),
        Source::File(format!("{root}/rules/*BEFORE-CRS.conf.example")),
        Source::File(format!("{root}/rules/*.conf")),
        Source::File(format!("{root}/rules/*AFTER-CRS.conf.example")),
    ];
    let start = std::time::Instant::now();
    let loaded = load(&sources, &DiskLoader);
    println!("CRS {version}: {} directives in {:?}", loaded.program.len(), start.elapsed());
    Some(loaded)
}

fn assert_reads_back(loaded: &Loaded) {
    let text = print(&loaded.program);
    let (again, diagnostics) = parse(FileId(0), &text, &Limits::default());
    assert_eq!(diagnostics.first(), None);
    assert_eq!(again.len(), loaded.program.len());
    for (one, other) in loaded.program.iter().zip(&again) {
        assert_eq!(one, other);
    }
}

/// Rules, SecActions, markers, target updates.
fn counts(loaded: &Loaded) -> [usize; 4] {
    let mut counts = [0; 4];
    for directive in &loaded.program {
        let slot = match &directive.node {
            Directive::Rule(rule) if rule.operator.is_some() => 0,
            Directive::Rule(_) => 1,
            Directive::Marker(_) => 2,
            Directive::UpdateTarget { .. } => 3,
            _ => continue,
        };
        counts[slot] += 1;
    }
    counts
}

#[test]
fn crs_4_28_loads_without_a_finding_and_reads_back() {
    let Some(loaded) = load_crs("4.28.0") else { return };
    assert_eq!(rendered(&loaded), "");
    assert_eq!(counts(&loaded), [695, 8, 30, 55]);
    assert_reads_back(&loaded);
}

#[test]
fn crs_3_3_9_loads_without_a_finding_and_reads_back() {
    let Some(loaded) = load_crs("3.3.9") else { return };
    assert_eq!(rendered(&loaded), "");
    assert_reads_back(&loaded);
}

#[test]
fn debians_package_loads_through_its_own_load_file() {
    let file = "/usr/share/modsecurity-crs/owasp-crs.load";
    if !std::path::Path::new(file).exists() {
        eprintln!("skipped: the package modsecurity-crs is not installed");
        return;
    }
    let loaded = load(&[Source::File(file.to_owned())], &DiskLoader);
    assert_eq!(rendered(&loaded), "");
    assert!(counts(&loaded)[0] > 500, "{:?}", counts(&loaded));
    assert_reads_back(&loaded);
}
