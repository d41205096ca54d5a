//! What the differential tests share: a small random generator, and the question put to both matchers.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod crs;

use std::cell::RefCell;

use palisade_oracle::pcre2::{Code, Outcome, Pcre2};
use palisade_pcre::{Captures, GROUPS_REPORTED, Pattern, Workspace};

/// xorshift64*: the same seed, the same test.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 33) as usize) % bound
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// PCRE2, or a line that says why the test does nothing.
pub(crate) fn pcre2() -> Option<Pcre2> {
    match Pcre2::load() {
        Ok(library) => Some(library),
        Err(error) => {
            println!("skipped: PCRE2 is not installed ({error})");
            None
        }
    }
}

/// How one pattern and one haystack compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Match,
    NoMatch,
    /// One of the two gave up.
    Undecided,
}

type Groups = Option<Vec<Option<(usize, usize)>>>;

/// Asks both; an `Err` describes a difference. Compares the verdict and groups 0 to 9, and that all of our ways to ask
/// agree among each other.
pub(crate) fn compare(
    pattern: &Pattern,
    cache: &mut palisade_pcre::Cache,
    code: &mut Code,
    haystack: &[u8],
    start: usize,
) -> Result<Comparison, String> {
    let theirs: Groups = match code.search(haystack, start) {
        Outcome::Match(groups) => Some(groups.into_iter().take(GROUPS_REPORTED).collect()),
        Outcome::NoMatch => None,
        Outcome::Error(_) => return Ok(Comparison::Undecided),
    };
    let mut captures = Captures::new();
    let Ok(matched) = pattern.captures_at_with(cache, haystack, start, &mut captures) else {
        return Ok(Comparison::Undecided);
    };
    let count = pattern.group_count().min(GROUPS_REPORTED);
    let ours: Groups =
        matched.then(|| (0..count).map(|i| captures.get(i).map(|r| (r.start, r.end))).collect());
    if ours != theirs {
        return Err(format!(
            "{pattern:?} on \"{}\" from {start}:\n  ours   {ours:?}\n  theirs {theirs:?}",
            haystack.escape_ascii()
        ));
    }
    if matched && !pattern.needs().are_met_by(haystack) {
        return Err(format!(
            "{pattern:?} matches \"{}\", which lacks {:?}",
            haystack.escape_ascii(),
            pattern.needs()
        ));
    }
    if start == 0 && pattern.is_match_with(cache, haystack) != Ok(matched) {
        return Err(format!(
            "{pattern:?} on \"{}\": is_match differs from captures",
            haystack.escape_ascii()
        ));
    }
    // One memory for all patterns that the test thread ever asks.
    thread_local!(static WORKSPACE: RefCell<Workspace> = RefCell::default());
    WORKSPACE.with_borrow_mut(|workspace| {
        let mut again = Captures::new();
        let matched_in = pattern.captures_at_in(workspace, haystack, start, &mut again);
        if matched_in != Ok(matched)
            || again != captures
            || start == 0 && pattern.is_match_in(workspace, haystack) != Ok(matched)
        {
            return Err(format!(
                "{pattern:?} on \"{}\": the workspace's answer differs",
                haystack.escape_ascii()
            ));
        }
        Ok(())
    })?;
    if start == 0 {
        compare_all(pattern, code, haystack)?;
    }
    Ok(if matched { Comparison::Match } else { Comparison::NoMatch })
}

/// All matches, by the same rule on both sides: after an empty match, one byte further.
fn compare_all(pattern: &Pattern, code: &mut Code, haystack: &[u8]) -> Result<(), String> {
    const MATCHES_MAX: usize = 20;
    let mut ours = Vec::new();
    for found in pattern.captures_iter(haystack).take(MATCHES_MAX) {
        let Ok(captures) = found else { return Ok(()) };
        ours.push(captures.get(0).map(|range| (range.start, range.end)));
    }
    let (mut theirs, mut at) = (Vec::new(), 0);
    while at <= haystack.len() && theirs.len() < MATCHES_MAX {
        match code.search(haystack, at) {
            Outcome::Match(groups) => {
                let (start, end) = groups[0].expect("group 0 is set");
                theirs.push(Some((start, end)));
                at = if start == end { end + 1 } else { end };
            }
            Outcome::NoMatch => break,
            Outcome::Error(_) => return Ok(()),
        }
    }
    if ours != theirs {
        return Err(format!(
            "{pattern:?}, all matches in \"{}\":\n  ours   {ours:?}\n  theirs {theirs:?}",
            haystack.escape_ascii()
        ));
    }
    Ok(())
}
