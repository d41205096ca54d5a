//! Whatever bytes come as pattern and as haystack, compiling and matching end, and end without a panic.

use palisade_pcre::{Captures, Options, Pattern};
use proptest::prelude::*;

/// What a fuzz target does with its input; also the shape of one: the first byte picks options, the second how much of
/// the rest is the pattern.
fn compile_and_match(data: &[u8]) {
    let [options, split, rest @ ..] = data else { return };
    let (source, haystack) = rest.split_at(usize::from(*split).min(rest.len()));
    let options = Options {
        dot_all: options & 1 == 0,
        multi_line: options & 2 == 0,
        case_insensitive: options & 4 != 0,
        dollar_end_only: options & 8 != 0,
        step_limit: 10_000,
        steps_per_byte: 1,
    };
    let pattern = match Pattern::new(source, options) {
        Ok(pattern) => pattern,
        Err(error) => {
            assert!(error.offset <= source.len());
            assert!(!error.message.is_empty());
            return;
        }
    };
    let verdict = pattern.is_match(haystack);
    let mut captures = Captures::new();
    if let Ok(matched) = pattern.captures(haystack, &mut captures) {
        assert!(verdict.is_err() || verdict == Ok(matched));
        assert!(!matched || pattern.needs().are_met_by(haystack));
        assert_eq!(captures.get(0).is_some(), matched);
        assert!(
            captures.iter().flatten().all(|range| range.start <= range.end && range.end <= haystack.len())
        );
    }
    let count = pattern.captures_iter(haystack).count();
    assert!(count <= haystack.len() + 2);
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "a", "b", "(", ")", "[", "]", "*", "+", "?", "{2}", "{0,9}", "{3,}", "{", "}", "|", "^", "$", ".",
        "\\b", "\\1", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?:", "(?i)", "(?x)", "(?<n>", "\\k<n>", "\\R",
        "\\K", "\\G", "[^", "-", "\\w", "\\", "(?#", "\\Q", "\\E", "{65535}", "[:", "(*", "\n",
    ];
    prop_oneof![
        6 => (0..PIECES.len()).prop_map(|i| PIECES[i].as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..3),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PALISADE_PCRE_CASES").ok().map_or(4_000, |text| text.parse().expect("a number")),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes_are_survived(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        compile_and_match(&data);
    }

    #[test]
    fn any_mixture_of_syntax_is_survived(
        options in any::<u8>(),
        pieces in proptest::collection::vec(piece(), 0..24),
        haystack in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'\n'), any::<u8>()], 0..40),
    ) {
        let mut source = pieces.concat();
        source.truncate(255);
        let data = [&[options, source.len() as u8][..], &source, &haystack].concat();
        compile_and_match(&data);
    }
}
