//! PCRE's pattern dialect on bytes, matched in linear time wherever the pattern allows it.
//!
//! Rules for ModSecurity are written for PCRE. This crate reads that dialect with a parser of its own and matches it
//! with `regex-automata`, whose time is linear in the haystack whatever the pattern. It does no I/O, knows nothing of
//! rules, and has no Unicode: a pattern and a haystack are bytes, `\xHH` is a byte, and letters are ASCII.
//!
//! ```text
//!   pattern ── parse ──> tree ──┬── hir ──────> automaton: exact, or an upper bound
//!                               └── program ──┬ pike: exact and linear, where the bound must be checked
//!                                             └ backtrack: look-around, back-references, atomic groups; step limit
//! ```
//!
//! The one idea: every pattern has an automaton that finds a match wherever PCRE finds one. Mostly it finds nothing,
//! and then nothing else runs. Where it finds something and is only a bound, an exact matcher of our own decides.
//!
//! # What is matched
//! PCRE2 10.42 without UTF, which the tests ask about every pattern of the OWASP CRS and about generated ones. Accepted
//! and meaning the same: groups (named, non-capturing, atomic), inline flags `imsxnU`, all escapes, POSIX classes,
//! lazy and possessive quantifiers, comments, `\Q..\E`, look-around, back-references, `\K`, `\G`, `\R`, `(*FAIL)`.
//!
//! Refused, with the place and a remedy: recursion and calls of groups, conditional groups, branch reset `(?|`,
//! duplicate names `(?J)`, callouts, verbs that steer backtracking, UTF and Unicode properties, newline conventions
//! other than LF, `LIMIT_` verbs. Back-references have no length, so look-behind does not take them.
//!
//! Different on purpose:
//! - A hyphen beside `\d` or a named class, `[\w-.]`, is a literal, as in PCRE1 and Perl; PCRE2 refuses the pattern.
//! - Sizes are bounded by what the written-out pattern takes, not by PCRE's bytecode: 131 072 instructions.
//! - Groups above 9 are matched but not reported: a rule has ten TX slots.
//!
//! # Time
//! `Kind::Linear` patterns take O(pattern x haystack) at worst, whatever they are given. Small patterns are matched by
//! a DFA that was built with them, the others by a lazily built one, a few nanoseconds a byte at most. Its states live in
//! a cache of 4 MiB a direction, and when a haystack makes it throw its states away over and over, the search goes on
//! with an NFA simulation: slower, by up to the number of states
//! of the pattern, and still linear. `Kind::Backtracking` patterns stop at [`Options::step_limit`] with [`StepLimit`].
//! Searching again and again for all matches is the one thing that linear searches alone do not keep linear;
//! [`Pattern::captures_iter`] has a limit for it.
//!
//! # Caches
//! [`Pattern::is_match`] and its like take working memory from a pool inside the pattern. A worker that matches a lot
//! keeps a [`Workspace`] for all patterns and calls the `_in` methods, or a [`Cache`] for one pattern and the `_with`
//! methods: no contention, no allocation once warm, and of the first a bound for all of it together.

mod ast;
mod automata;
mod backtrack;
mod bytes;
mod error;
mod hir;
mod needs;
mod parse;
mod pattern;
mod pike;
mod program;
mod starts;
mod symbols;
mod workspace;

pub use error::{PatternError, StepLimit};
pub use needs::{Factor, GATES_MAX, Gate, Gram, Needs};
pub use pattern::{Cache, Captures, GROUPS_REPORTED, Kind, Matches, Options, Pattern};
#[doc(no_inline)]
pub use regex_syntax::hir::Hir;
pub use symbols::{SYMBOL_OF, SYMBOLS, rate_of};
pub use workspace::Workspace;

#[cfg(test)]
mod tests;
