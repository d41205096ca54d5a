//! The reference page, the schema and the example agree with the code.

use palisade_config::{File, Overrides, environment_reference, json_schema, read, reference};

fn repository(path: &str) -> String {
    let path = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_reference_page_is_what_the_code_says() {
    let said = "run `palisade config reference > docs/reference/configuration.md`";
    assert!(repository("docs/reference/configuration.md") == reference(), "{said}");
}

#[test]
fn the_page_of_variables_is_what_the_code_says() {
    let said = "run `palisade config environment > docs/reference/environment.md`";
    assert!(repository("docs/reference/environment.md") == environment_reference(), "{said}");
}

#[test]
fn the_schema_is_what_the_code_says() {
    let said = "run `palisade config schema > docs/reference/configuration.schema.json`";
    assert!(repository("docs/reference/configuration.schema.json") == json_schema(), "{said}");
}

#[test]
fn the_example_is_sound_and_uses_most_of_what_there_is() {
    let text = repository("examples/palisade.yaml");
    let read = read(Some(File { text: text.as_bytes(), folder: "examples" }), &Overrides::default());
    assert!(read.diagnostics.is_empty(), "{:#?}", read.diagnostics);
    let config = read.config.unwrap();
    assert_eq!((config.services.len(), config.routes.len()), (2, 3));
    let files: Vec<&str> = config
        .profiles
        .iter()
        .flat_map(|(_, profile)| &profile.rules.files)
        .map(|file| file.as_str())
        .collect();
    assert_eq!(files, ["examples/rules/cms.conf"]);
    assert!(!repository(files[0]).is_empty());
}

#[test]
fn every_key_of_the_schema_has_its_words_and_every_default_is_a_value() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).unwrap();
    let mut keys = 0;
    for (section, definition) in schema["$defs"].as_object().unwrap() {
        assert_eq!(definition["additionalProperties"], false, "{section}");
        for (key, property) in definition["properties"].as_object().unwrap() {
            keys += 1;
            let words = property["description"].as_str().unwrap_or_default();
            assert!(words.ends_with(['.', ')']), "{section}.{key}: {words}");
        }
    }
    assert!(keys > 40, "{keys}");
}
