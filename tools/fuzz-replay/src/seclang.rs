//! Target for `palisade-seclang`: rule files as anybody may write them.

use palisade_seclang::ast::FileId;
use palisade_seclang::{Limits, MemoryLoader, Source, Style, load_with, parse, print};

/// SecLang text. It may include itself (`a.conf`), or a small file (`b.conf`).
pub fn seclang(input: &[u8]) {
    let (directives, diagnostics) = parse(FileId(0), input, &Limits::default());
    if !diagnostics.iter().any(|diagnostic| diagnostic.is_error()) {
        let text = print(&directives);
        let (again, diagnostics) = parse(FileId(0), &text, &Limits::default());
        let printed = String::from_utf8_lossy(&text);
        let errors: Vec<_> = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
        assert!(errors.is_empty(), "what was printed has errors: {errors:?}\n{printed}");
        assert_eq!(directives, again, "what was printed reads differently:\n{printed}");
    }

    let limits = Limits {
        total_bytes_max: 64 << 10,
        line_bytes_max: 256,
        files_max: 4,
        include_depth_max: 2,
        directives_max: 16,
        block_depth_max: 2,
        diagnostics_max: 8,
        ..Limits::default()
    };
    let loader = MemoryLoader::new()
        .with("/r/a.conf", input)
        .with("/r/b.conf", *b"SecMarker B\nSecAction \"id:1,pass,chain\"\n");
    let loaded = load_with(&[Source::File("/r/a.conf".to_owned())], &loader, &limits);
    assert!(loaded.program.len() <= limits.directives_max, "more directives than the bound");
    assert!(loaded.diagnostics.len() <= limits.diagnostics_max + 1, "more diagnostics than the bound");
    for diagnostic in &loaded.diagnostics {
        assert!(!diagnostic.render(&loaded.sources, Style::Plain).is_empty());
        let _ = diagnostic.render(&loaded.sources, Style::Color);
    }
}
