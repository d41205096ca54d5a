//! Hostile inputs: no panic on any bytes, and time that grows no faster than the input.

use std::time::{Duration, Instant};

use palisade_codec::libinjection::html::{HtmlTokens, Place};
use palisade_codec::libinjection::sql::{Context, Dialect, SqlTokens};
use palisade_codec::libinjection::{sqli, sqli_ungated, xss, xss_ungated};
use proptest::prelude::*;

const LEN: usize = 200_000;

/// A linear pass over 200 kB takes a few milliseconds even unoptimised; a quadratic one takes tens of seconds.
const TIME_MAX: Duration = Duration::from_secs(2);

/// Pieces that, repeated, have made this kind of code slow, here or elsewhere.
const PIECES: [&[u8]; 47] = [
    b"LIKE.1",
    b"IN.",
    b"DIV`1",
    b"a.",
    b"a`",
    b"1.",
    b"1,",
    b"1+",
    b"n.n.",
    b"(",
    b")",
    b"((-",
    b"{a ",
    b"[",
    b"\\",
    b"\\1 ",
    b"'",
    b"\\'",
    b"''",
    b"\"",
    b"`",
    b"b'0",
    b"x'f",
    b"q'(",
    b"u&'",
    b"$",
    b"$a",
    b"$a$",
    b"$$",
    b"$.in",
    b"@",
    b"@@`",
    b"--",
    b"#\n",
    b"/*",
    b"/* */",
    b"*",
    b";",
    b"<",
    b"</",
    b"</>",
    b"<a ",
    b"<!---\0",
    b"<%%",
    b"<a b=",
    b"<a href=&#0000",
    b"\0",
];

/// What may come before the repetition and change how it is read.
const HEADS: [&[u8]; 8] = [b"", b"1 ", b"'", b"\"", b"<!--", b"<![CDATA[", b"<a href='", b"<a "];

#[test]
fn long_inputs_take_linear_time() {
    let mut slowest = (Duration::ZERO, String::new());
    for head in HEADS {
        for piece in PIECES {
            let mut input = head.to_vec();
            input.extend(piece.iter().cycle().take(LEN - head.len()));
            let started = Instant::now();
            std::hint::black_box((sqli_ungated(&input), xss_ungated(&input)));
            read_every_token(&input);
            let taken = started.elapsed();
            let name = format!("{} then {}", head.escape_ascii(), piece.escape_ascii());
            assert!(taken < TIME_MAX, "{name}: {taken:?}");
            if taken > slowest.0 {
                slowest = (taken, name);
            }
        }
    }
    println!(
        "{} inputs of {LEN} bytes, all readings; slowest {:?}: {}",
        HEADS.len() * PIECES.len(),
        slowest.0,
        slowest.1
    );
}

/// Reads on where a verdict would have stopped; also checks that tokens come to an end.
fn read_every_token(input: &[u8]) {
    for context in [Context::Bare, Context::SingleQuoted, Context::DoubleQuoted] {
        for dialect in [Dialect::Ansi, Dialect::MySql] {
            assert!(SqlTokens::new(input, context, dialect).count() <= input.len());
        }
    }
    for place in [Place::Text, Place::Tag, Place::SingleQuoted, Place::DoubleQuoted, Place::BackQuoted] {
        assert!(HtmlTokens::new(input, place).count() <= 2 * input.len() + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_bytes_do(input in prop::collection::vec(any::<u8>(), 0..64)) {
        read_every_token(&input);
        prop_assert_eq!(sqli(&input), sqli_ungated(&input));
        prop_assert_eq!(xss(&input), xss_ungated(&input));
    }

    #[test]
    fn any_pieces_do(pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..20)) {
        let input = pieces.concat();
        read_every_token(&input);
        prop_assert_eq!(sqli(&input), sqli_ungated(&input));
        prop_assert_eq!(xss(&input), xss_ungated(&input));
    }
}
