//! Manifests as people write them for ingress-nginx, what they come to, and that this serves the same.

mod observed;

use std::path::{Path, PathBuf};

use observed::{observed, settings};
use palisade_operator::ingress::{INGRESS_NGINX, translate};
use palisade_operator::migrate::{migrate, read_objects, to_yaml};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/operator/migrate")
}

fn cases() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| {
        file.to_str().unwrap().ends_with(".yaml") && !file.to_str().unwrap().ends_with(".out.yaml")
    });
    files.sort();
    let name = |file: &Path| file.file_stem().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|file| (name(file), std::fs::read(file).unwrap())).collect()
}

#[test]
fn manifests_come_to_what_lies_beside_them() {
    let cases = cases();
    assert!(cases.len() >= 30, "{} manifests", cases.len());
    for (name, text) in &cases {
        let migration = migrate(&read_objects(name, text).unwrap(), None);
        let mut report = String::new();
        for finding in &migration.findings {
            report.push_str(&format!(
                "{} {}: {}: {}\n",
                finding.object, finding.name, finding.verdict, finding.why
            ));
        }
        for (end, now) in [("out.yaml", to_yaml(&migration.objects)), ("report.txt", report)] {
            let file = folder().join(format!("{name}.{end}"));
            if std::env::var_os("PALISADE_BLESS").is_some() {
                std::fs::write(&file, &now).unwrap();
            }
            let before = std::fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(before, now, "{name}.{end}; PALISADE_BLESS=1 writes it anew");
        }
    }
    println!("{} manifests", cases.len());
}

#[test]
fn what_it_comes_to_serves_the_same_table() {
    let (mut theirs, ours) = (settings(), settings());
    theirs.controllers.push(INGRESS_NGINX.to_owned());
    theirs.class = "nginx".to_owned();
    for (name, text) in cases() {
        let objects = read_objects(&name, &text).unwrap();
        let migration = migrate(&objects, None);
        // What is applied is what is printed.
        let applied = read_objects("out", to_yaml(&migration.objects).as_bytes()).unwrap();
        let before = translate(&observed(&objects), &theirs);
        let after = translate(&observed(&applied), &ours);
        let entry = |bundle: &palisade_control::Bundle| {
            String::from_utf8(bundle.get(palisade_control::ENTRY).unwrap().to_vec()).unwrap()
        };
        assert_eq!(entry(&before.bundle), entry(&after.bundle), "{name}");
        assert_eq!(before.bundle.revision(), after.bundle.revision(), "{name}");
        assert!(!before.ours.is_empty(), "{name}: nothing is served");
        let read = palisade_config::read(
            Some(palisade_config::File { text: entry(&after.bundle).as_bytes(), folder: "" }),
            &palisade_config::Overrides::default(),
        );
        assert!(read.config.is_some(), "{name}: {:?}", read.diagnostics);
    }
}
