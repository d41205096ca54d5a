//! Any bytes are a configuration or an error, in bounded time, and never a panic.

use palisade_config::{Diagnostic, File, Overrides, Style, read};
use proptest::prelude::*;

/// Reads and renders: nothing of it may panic, and there is a reason wherever there is no configuration.
fn holds(text: &[u8]) {
    let begun = std::time::Instant::now();
    let read = read(Some(File { text, folder: "x" }), &Overrides::default());
    assert_eq!(read.config.is_none(), read.diagnostics.iter().any(Diagnostic::is_error));
    for diagnostic in &read.diagnostics {
        let shown = diagnostic.render(Some(("f.yaml", text)), Style::Color);
        assert!(shown.contains(&diagnostic.message));
        assert!(shown.len() < 10_000, "{}", shown.len());
    }
    assert!(begun.elapsed().as_secs() < 5);
}

/// Pieces that files are made of, and those that break them.
fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "listeners:",
        "services:",
        "routes:",
        "profiles:",
        "default:",
        "name: web",
        "address: 127.0.0.1:0",
        "upstream: {url: \"http://a\"}",
        "- ",
        "  ",
        "    ",
        "\n",
        "\n- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "&a ",
        "*a",
        "? ",
        "|\n",
        ">\n",
        "'",
        "\"",
        "#",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "!x ",
        "!!str ",
        "\t",
        "\u{feff}",
        "null",
        "~",
        "<<: ",
        "path: /",
        "hosts: [\"*.a\"]",
        "service: web",
        "mode: block",
        "limits: {requestBody: 1MiB}",
        "\0",
        "\r",
        "\u{85}",
        "\u{2028}",
        "é",
    ]);
    prop_oneof![9 => words.prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        holds(&bytes);
    }

    #[test]
    fn pieces_in_any_order(pieces in prop::collection::vec(piece(), 0..60)) {
        holds(pieces.concat().as_bytes());
    }

    #[test]
    fn a_sound_file_with_one_change(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut text = include_bytes!("../../../examples/palisade.yaml").to_vec();
        let at = at.index(text.len());
        text[at] = byte;
        if cut {
            text.truncate(at);
        }
        holds(&text);
    }
}
