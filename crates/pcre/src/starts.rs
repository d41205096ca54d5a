//! A search that tries each start apart, by an anchored automaton.
//!
//! An unanchored automaton follows the matches from all starts at once, and its states are the sets of how far they have
//! come. Patterns that allow little something between any two letters of hundreds of words (CRS writes them so, against
//! quotes and empty variables within commands) have more such sets on random text than any cache holds. Of a single start
//! they have few: most end within a few bytes, and the states are those of the pattern's own tree of words.
//!
//! It is slower on ordinary text, and one start may run far, so that many of them take a square of the text's length.
//! So it is asked only where the unanchored automaton has given up, and gives up itself where the bytes that all starts
//! together have looked at are [`LOOKED_AT_MAX`] times those of the text.

use std::ops::Range;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Hir, HirKind};

use crate::automata::GaveUp;
use crate::bytes::ByteSet;
use crate::needs::set_of;

/// Bytes that all starts together may look at, for each byte of the text: a step costs a tenth of what simulation does,
/// which comes next.
const LOOKED_AT_MAX: usize = 8;
/// Bytes that they may look at anyhow.
const LOOKED_AT_MIN: usize = 4 << 10;

/// The bytes that matches begin with; nothing where one may be empty, or that is not known.
pub(crate) fn first(hir: &Hir) -> Option<ByteSet> {
    let mut bytes = ByteSet::EMPTY;
    (!add_first(hir, &mut bytes)?).then_some(bytes)
}

/// Adds the bytes that matches begin with; says whether one may be empty.
fn add_first(hir: &Hir, bytes: &mut ByteSet) -> Option<bool> {
    Some(match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            bytes.insert(*literal.0.first()?);
            false
        }
        HirKind::Class(class) => {
            *bytes = bytes.union(&set_of(class)?);
            false
        }
        HirKind::Repetition(repetition) => add_first(&repetition.sub, bytes)? || repetition.min == 0,
        HirKind::Capture(capture) => add_first(&capture.sub, bytes)?,
        HirKind::Concat(parts) => {
            for part in parts {
                if !add_first(part, bytes)? {
                    return Some(false);
                }
            }
            true
        }
        HirKind::Alternation(branches) => {
            branches.iter().try_fold(false, |empty, branch| Some(add_first(branch, bytes)? || empty))?
        }
    })
}

/// The leftmost match of a forward automaton, by preference, or with `earliest` as much of it as tells that there is one.
/// Matches begin with a byte of `first`; where that is not known, anywhere.
pub(crate) fn find(
    forward: &DFA,
    cache: &mut Cache,
    first: Option<&ByteSet>,
    input: &Input<'_>,
) -> Result<Option<Range<usize>>, GaveUp> {
    let mut left = input.get_span().len() * LOOKED_AT_MAX + LOOKED_AT_MIN;
    let text = input.haystack();
    for start in input.get_range() {
        if first.is_some_and(|first| !first.contains(text[start])) {
            continue;
        }
        if let Some(end) = match_at(forward, cache, input, start, &mut left)? {
            return Ok(Some(start..end));
        }
    }
    // No byte is left to begin with.
    match first {
        Some(_) => Ok(None),
        None => Ok(match_at(forward, cache, input, input.end(), &mut left)?.map(|end| input.end()..end)),
    }
}

/// Where the match ends that begins at a place. Takes the bytes that it looks at from `left`.
fn match_at(
    forward: &DFA,
    cache: &mut Cache,
    input: &Input<'_>,
    start: usize,
    left: &mut usize,
) -> Result<Option<usize>, GaveUp> {
    let here = input.clone().range(start..input.end()).anchored(Anchored::Yes);
    let mut state = forward.start_state_forward(cache, &here).map_err(|_| GaveUp)?;
    let mut found = None;
    for at in here.get_range() {
        *left = left.checked_sub(1).ok_or(GaveUp)?;
        state = forward.next_state(cache, state, input.haystack()[at]).map_err(|_| GaveUp)?;
        if !state.is_tagged() {
            continue;
        }
        if state.is_dead() {
            return Ok(found);
        }
        if state.is_quit() {
            return Err(GaveUp);
        }
        if state.is_match() {
            // What is told of a match comes a byte late.
            found = Some(at);
            if input.get_earliest() {
                return Ok(found);
            }
        }
    }
    // What looks at the byte behind sees it.
    let behind = input.haystack().get(input.end()).copied();
    state = match behind {
        Some(byte) => forward.next_state(cache, state, byte),
        None => forward.next_eoi_state(cache, state),
    }
    .map_err(|_| GaveUp)?;
    if state.is_quit() {
        return Err(GaveUp);
    }
    Ok(if state.is_match() { Some(input.end()) } else { found })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Pattern};
    use regex_automata::MatchKind;
    use regex_automata::nfa::thompson;

    fn forward(hir: &Hir) -> DFA {
        let config = thompson::Config::new().utf8(false);
        let nfa = thompson::Compiler::new().configure(config).build_from_hir(hir).expect("it is small");
        DFA::builder()
            .configure(DFA::config().match_kind(MatchKind::LeftmostFirst))
            .build_from_nfa(nfa)
            .expect("it is small")
    }

    /// What the unanchored automaton finds, where that is asked for the same.
    #[test]
    fn it_finds_what_a_search_of_all_starts_finds() {
        let patterns = [
            "a|ab",
            "(?:ab|a)c?",
            r"\bfoo\b",
            "^x",
            "x$",
            "a*",
            "a*?b",
            r"(?:^|;)\s*ls",
            "[^a]+b",
            "",
            r"\B",
            "b+(?:c|$)",
        ];
        let texts = [
            "", "a", "ab", "abc", "aab", "xfoo foo", "foo", "y\nx", "x\ny", "cab\n", ";  ls", "als; ls",
            "bbbc", "bbb", "\n", "zzzzab", "caaab",
        ];
        let (mut found, mut cut) = (0, 0);
        for source in patterns {
            let pattern = Pattern::new(source.as_bytes(), Options::default()).expect("it compiles");
            let automaton = forward(&pattern.hir());
            let first = first(&pattern.hir());
            let mut caches = [automaton.create_cache(), automaton.create_cache()];
            for text in texts.map(str::as_bytes) {
                for (from, to) in (0..=text.len()).flat_map(|to| (0..=to).map(move |from| (from, to))) {
                    let input = Input::new(text).range(from..to);
                    let expected = automaton.try_search_fwd(&mut caches[0], &input).expect("it has room");
                    for first in [None, first.as_ref()] {
                        let seen = find(&automaton, &mut caches[1], first, &input);
                        let seen = seen.unwrap_or_else(|_| panic!("{source} gave up"));
                        assert_eq!(
                            seen.as_ref().map(|seen| seen.end),
                            expected.map(|half| half.offset()),
                            "{source} in {:?} {from}..{to}",
                            text.escape_ascii().to_string(),
                        );
                        let early = find(&automaton, &mut caches[1], first, &input.clone().earliest(true));
                        assert_eq!(early.ok().flatten().is_some(), seen.is_some());
                        found += usize::from(seen.is_some());
                        cut += usize::from(first.is_some());
                    }
                }
            }
        }
        assert!(found > 500 && cut > 500, "{found} {cut}");
    }

    #[test]
    fn starts_that_all_run_far_are_given_up() {
        let pattern = Pattern::new(b"a[^b]*b", Options::default()).expect("it compiles");
        let automaton = forward(&pattern.hir());
        let first = first(&pattern.hir());
        let search = |text: &[u8]| {
            let found = find(&automaton, &mut automaton.create_cache(), first.as_ref(), &Input::new(text));
            found.map_err(|_| ())
        };
        assert_eq!(search(&[b'a'; 20]), Ok(None));
        assert_eq!(search(&[b'a'; 100_000]), Err(()));
    }
}
