//! Target for `palisade-pcre`: a pattern as a rule may have it, on a value as a client may send it.

use palisade_pcre::{Captures, Options, Pattern};

/// One byte of options (bits 0 to 3: dot-all, multi-line, caseless, dollar at the end only), one byte that is the length
/// of the pattern, the pattern, the haystack.
pub fn regex(input: &[u8]) {
    let [flags, length, rest @ ..] = input else { return };
    let (source, haystack) = rest.split_at(usize::from(*length).min(rest.len()));
    let options = Options {
        dot_all: flags & 1 != 0,
        multi_line: flags & 2 != 0,
        case_insensitive: flags & 4 != 0,
        dollar_end_only: flags & 8 != 0,
        step_limit: STEP_LIMIT,
        ..Options::default()
    };
    let pattern = match Pattern::new(source, options) {
        Ok(pattern) => pattern,
        Err(error) => return assert!(!error.to_string().is_empty(), "refused without a word"),
    };

    let mut captures = Captures::new();
    let found = pattern.captures(haystack, &mut captures);
    if let (Ok(found), Ok(tested)) = (&found, &pattern.is_match(haystack)) {
        assert_eq!(found, tested, "searching and testing disagree");
    }
    if let Ok(true) = found {
        let whole = captures.get(0).expect("a match has a whole");
        assert!(whole.end <= haystack.len() && whole.start <= whole.end, "a match outside the haystack");
        for group in captures.iter().flatten() {
            assert!(group.end <= haystack.len() && group.start <= group.end, "a group outside the haystack");
        }
    }
    let mut again = Captures::new();
    let with_cache = pattern.captures_with(&mut pattern.create_cache(), haystack, &mut again);
    if let (Ok(found), Ok(with_cache)) = (found, with_cache) {
        assert_eq!(found, with_cache, "the caller's cache changes the answer");
        if found {
            assert!(captures.iter().eq(again.iter()), "the caller's cache changes the groups");
        }
    }
    let matches = pattern.captures_iter(haystack).take_while(Result::is_ok).count();
    assert!(matches <= haystack.len() + 1, "more matches than places");
}

/// Small, so that it is met within a fuzzer's patience.
const STEP_LIMIT: u64 = 20_000;
