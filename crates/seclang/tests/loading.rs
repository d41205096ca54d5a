//! Sources, includes and places: which files are read, in which order, and where spans lead.

mod common;

use common::rendered;
use palisade_seclang::ast::Directive;
use palisade_seclang::{Loaded, MemoryLoader, Source, load, resolve};

fn file(name: &str) -> Source {
    Source::File(name.to_owned())
}

/// The labels of the program's markers, in order: what was read when.
fn labels(loaded: &Loaded) -> Vec<String> {
    let label = |directive: &Directive| match directive {
        Directive::Marker(label) => label.node.to_string(),
        other => panic!("{other:?}"),
    };
    loaded.program.iter().map(|directive| label(&directive.node)).collect()
}

#[test]
fn includes_stand_where_they_are_written_and_globs_go_in_byte_order() {
    let loader = MemoryLoader::new()
        .with("/etc/main.conf", "SecMarker 1\nInclude rules/*.conf\nSecMarker 4\nInclude \"/opt/last.conf\"")
        .with("/etc/rules/b.conf", "SecMarker 3")
        .with("/etc/rules/B.conf", "SecMarker 2")
        .with("/etc/rules/.hidden.conf", "SecMarker never")
        .with("/etc/rules/deep/c.conf", "SecMarker never")
        .with("/opt/last.conf", "SecMarker 5\nInclude more/a.conf")
        .with("/opt/more/a.conf", "SecMarker 6");
    let loaded = load(&[file("/etc/main.conf")], &loader);
    assert_eq!(rendered(&loaded), "");
    assert_eq!(labels(&loaded), ["1", "2", "3", "4", "5", "6"]);
    let names: Vec<_> = loaded.sources.ids().map(|id| loaded.sources.name(id).to_owned()).collect();
    assert_eq!(
        names,
        ["/etc/main.conf", "/etc/rules/B.conf", "/etc/rules/b.conf", "/opt/last.conf", "/opt/more/a.conf"]
    );
}

#[test]
fn sources_are_read_in_order_and_texts_resolve_from_their_directory() {
    let loader = MemoryLoader::new()
        .with("plugins/a-before.conf", "SecMarker a")
        .with("plugins/b-before.conf", "SecMarker b")
        .with("snippets/inner.conf", "SecMarker inner")
        .with("rules/x.conf", "SecMarker x");
    let text = Source::Text {
        name: "annotation".into(),
        text: b"SecMarker text\nInclude inner.conf".to_vec(),
        directory: "snippets".into(),
    };
    let loaded = load(&[file("plugins/*-before.conf"), text, file("rules/*.conf")], &loader);
    assert_eq!(rendered(&loaded), "");
    assert_eq!(labels(&loaded), ["a", "b", "text", "inner", "x"]);
    let text = loaded.program[2].span.file;
    assert_eq!(loaded.sources.name(text), "annotation");
    assert_eq!(loaded.sources.resolve(text, "words.data"), "snippets/words.data");
    let inner = loaded.program[3].span.file;
    assert_eq!(loaded.sources.resolve(inner, "words.data"), "snippets/words.data");
    let at = loaded.sources.included_at(inner).expect("it was included");
    assert_eq!((at.file, loaded.sources.line_column(at)), (text, (2, 9)));
    assert_eq!(loaded.sources.included_at(text), None);
}

#[test]
fn the_same_file_may_come_twice_but_not_within_itself() {
    let loader =
        MemoryLoader::new().with("a", "SecMarker a").with("b", "Include a\nInclude a").with("c", "Include c");
    assert_eq!(labels(&load(&[file("b"), file("a")], &loader)), ["a", "a", "a"]);
    let loaded = load(&[file("c")], &loader);
    assert!(!loaded.is_valid());
    assert!(rendered(&loaded).contains("`c` includes itself"), "{}", rendered(&loaded));
}

#[test]
fn named_files_that_are_missing_are_errors_and_optional_ones_are_not() {
    let loader = MemoryLoader::new().with("a", "IncludeOptional x\nIncludeOptional y/*.conf\nSecMarker a");
    let loaded = load(&[file("a")], &loader);
    assert_eq!(rendered(&loaded), "");
    let loaded = load(&[file("nowhere.conf"), file("none/*.conf")], &loader);
    assert_eq!(
        rendered(&loaded),
        "error[E0001]: cannot read `nowhere.conf`: no such file\n\
         error[E0004]: no file matches `none/*.conf`\n\
         \x20  = help: correct the path, or write `IncludeOptional` when it is fine that there is none\n"
    );
}

#[test]
fn a_unicode_map_that_is_missing_is_a_warning() {
    let loader = MemoryLoader::new().with("d/a.conf", "SecUnicodeMapFile unicode.mapping 20127");
    let loaded = load(&[file("d/a.conf")], &loader);
    assert!(loaded.is_valid());
    assert!(rendered(&loaded).contains("`d/unicode.mapping` is not there"));
    let loaded = load(&[file("d/a.conf")], &loader.with("d/unicode.mapping", ""));
    assert_eq!(rendered(&loaded), "");
}

#[test]
fn data_files_lie_beside_the_file_that_names_them() {
    for (naming_file, name, expected) in [
        ("/etc/crs/rules/x.conf", "words.data", "/etc/crs/rules/words.data"),
        ("/x.conf", "words.data", "/words.data"),
        ("x.conf", "words.data", "words.data"),
        ("rules/x.conf", "../data/words.data", "rules/../data/words.data"),
        ("rules/x.conf", "/data/words.data", "/data/words.data"),
        ("", "words.data", "words.data"),
    ] {
        assert_eq!(resolve(naming_file, name), expected);
    }
}

#[test]
fn lines_and_columns_count_characters_from_one() {
    let text = "SecMarker é\r\nSecMarker \"b\n";
    let loader = MemoryLoader::new().with("a", text);
    let loaded = load(&[file("a")], &loader);
    let marker = &loaded.program[0];
    assert_eq!(loaded.sources.line(marker.span), 1);
    let Directive::Marker(label) = &marker.node else { panic!("a marker") };
    assert_eq!(loaded.sources.line_column(label.span), (1, 11));
    let end = palisade_seclang::ast::Span { start: label.span.end, ..label.span };
    assert_eq!(loaded.sources.line_column(end), (1, 12));
    let broken = loaded.diagnostics[0].span.expect("a place");
    assert_eq!(loaded.sources.line_column(broken), (2, 11));
}
