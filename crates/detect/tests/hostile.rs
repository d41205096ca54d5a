//! Texts put together of the pieces that languages of browsers, templates and interpreters are made of: whatever their
//! order, detection ends, without a panic, and in time that grows with the text and not faster.

use std::time::{Duration, Instant};

use palisade_detect::{DetectLimits, detect_value};
use proptest::prelude::*;

/// Pieces that open, close, quote, escape and nest.
const PIECES: &[&str] = &[
    "<",
    "</",
    ">",
    "/>",
    "<!--",
    "-->",
    "<script",
    "</script",
    "<style>",
    "<a ",
    "=",
    "\"",
    "'",
    "`",
    "&#",
    "&#x6a",
    "&lt;",
    "on",
    "onerror=",
    "style=",
    "href=",
    "javascript:",
    "data:text/html,",
    "alert",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "{{",
    "}}",
    "{%",
    "%}",
    "${",
    "#{",
    "%{",
    "<%",
    "%>",
    "<?php ",
    "?>",
    "#set(",
    "@(",
    "T(",
    "__class__",
    "__proto__",
    ".",
    ",",
    ";",
    "/*",
    "*/",
    "//",
    "\\",
    "\\x3c",
    "\\6e ",
    "|filter(",
    "constructor",
    "system",
    "exec(",
    "O:8:\"",
    "$(",
    "&&",
    "| sh ",
    "; cat ",
    "$IFS",
    "''",
    "%a:~1%",
    "x=y;$x ",
    "../",
    "..\\",
    "\u{2215}",
    "http://",
    "0x7f.",
    "@",
    "\r\n",
    "Host: ",
    "Bcc:a@b.c",
    "<!ENTITY a \"",
    "&a;",
    "<!DOCTYPE ",
    ":{",
    "!!python/object/apply:",
    "rO0AB",
    "\0",
    " ",
    "\n",
    "\u{bc}",
    "\u{be}",
    "é",
    "7*7",
    "1",
    "_",
    "$",
];

fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        9 => prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_looked_at_without_a_panic(text in soup()) {
        let _ = detect_value(&text, &DetectLimits::default());
    }
}

/// One piece repeated, and two in turn: where a reader looks ahead from every place, this is quadratic.
#[test]
fn repeated_pieces_cost_no_more_than_their_length() {
    let mut slow = Vec::new();
    for (first, second) in
        PIECES.iter().flat_map(|first| PIECES.iter().step_by(5).map(move |second| (first, second)))
    {
        let text = format!("{first}{second}").repeat(WINDOW_BYTES / (first.len() + second.len()));
        let begun = Instant::now();
        let _ = detect_value(text.as_bytes(), &DetectLimits::default());
        let took = begun.elapsed();
        if took > TIME_MAX {
            slow.push(format!("{first:?} {second:?}: {took:?}"));
        }
    }
    assert!(slow.is_empty(), "{} of them:\n{}", slow.len(), slow.join("\n"));
}

/// A window, so that nothing is cut.
const WINDOW_BYTES: usize = 32 << 10;

/// Generous for linear work in a build without optimisation on a busy machine, and a small part of what
/// quadratic work over a window takes (minutes).
const TIME_MAX: Duration = Duration::from_secs(4);
