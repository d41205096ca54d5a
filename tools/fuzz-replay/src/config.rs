//! Target for `palisade-config`: configuration files as anybody may write them.

use palisade_config::{Diagnostic, File, Overrides, Style, read};

/// The text of a configuration file.
pub fn config_file(input: &[u8]) {
    let read = read(Some(File { text: input, folder: "folder" }), &Overrides::default());
    let errors = read.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(read.config.is_none(), errors, "there is a reason exactly where there is no configuration");
    for diagnostic in &read.diagnostics {
        let shown = diagnostic.render(Some(("f.yaml", input)), Style::Plain);
        assert!(shown.contains(&diagnostic.message) && shown.len() < 10_000, "{shown}");
    }
    if let Some(config) = read.config {
        assert!(
            !config.listeners.is_empty() && !config.routes.is_empty(),
            "what goes without saying is filled in"
        );
    }
}
