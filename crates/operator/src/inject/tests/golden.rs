//! Every file of `testdata/operator/inject`.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::manifest;

#[test]
fn pods_become_what_the_files_say() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/operator/inject"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "no case in {}", folder.display());
    for file in &files {
        let name = file.display();
        let text = std::fs::read(file).unwrap();
        let mut documents = manifest::read(&text).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        assert_eq!(documents.len(), 1, "{name}");
        let mut case = documents.remove(0);
        for key in case.as_object().unwrap().keys() {
            let known = ["why", "settings", "namespace", "pod", "skipped", "denied", "injected", "warnings"];
            assert!(known.contains(&key.as_str()), "{name}: unknown key {key}");
        }
        let settings = settings(&case["settings"]);
        let namespace = namespace(&case["namespace"]);
        match inject(&case["pod"], &namespace, &settings) {
            Injection::Skipped(skip) => assert_eq!(case["skipped"], skip.reason(), "{name}"),
            Injection::Denied(message) => {
                let wanted = case["denied"].as_str().unwrap_or_else(|| panic!("{name}: denied: {message}"));
                assert!(message.contains(wanted), "{name}: {message}");
            }
            Injection::Patched { mut pod, patch, status, warnings } => {
                assert_eq!(
                    apply(&case["pod"], &patch).as_ref(),
                    Ok(&pod),
                    "{name}: the patch makes something else"
                );
                assert_eq!(status.template.len(), 16, "{name}");
                let annotation = &mut pod["metadata"]["annotations"][STATUS];
                *annotation = json!(annotation.as_str().unwrap().replace(&status.template, "HASH"));
                if std::env::var_os("PALISADE_BLESS").is_some() && case.get("injected").is_some() {
                    case["injected"] = pod;
                    case["warnings"] = json!(warnings);
                    std::fs::write(file, manifest::write(&case)).unwrap();
                    continue;
                }
                let expected = manifest::write(&case["injected"]);
                assert_eq!(manifest::write(&pod), expected, "{name}");
                assert_eq!(case.get("warnings").unwrap_or(&json!([])), &json!(warnings), "{name}");
            }
        }
    }
    println!("{} cases", files.len());
}

fn settings(case: &Value) -> Settings {
    let mut settings = Settings { image: "registry.example/palisade:1".to_owned(), ..Settings::default() };
    for (key, value) in case.as_object().into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        match (key.as_str(), text) {
            ("form", "native") => settings.form = SidecarForm::Native,
            ("form", "plain") => settings.form = SidecarForm::Plain,
            ("crs", path) => settings.crs = Some(path.to_owned()),
            ("tokenAudience", audience) => settings.token_audience = Some(audience.to_owned()),
            _ => panic!("unknown setting {key}: {text}"),
        }
    }
    settings
}

fn namespace(case: &Value) -> Namespace {
    let map = |key: &str| -> Option<BTreeMap<String, String>> {
        let map = case.get(key)?.as_object()?;
        Some(map.iter().map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned())).collect())
    };
    Namespace {
        name: case["name"].as_str().unwrap_or("shop").to_owned(),
        labels: map("labels"),
        annotations: map("annotations").unwrap_or_default(),
    }
}
