//! SQL injection and cross-site scripting verdicts that agree with libinjection's.
//!
//! What lives here: our own implementation of what libinjection's `libinjection_sqli` and `libinjection_xss` answer,
//! the verdicts behind `@detectSQLi` and `@detectXSS`. The code is ours; the behaviour, the keyword kinds and the
//! fingerprints are libinjection's (copyright 2012-2016 Nick Galbreath, BSD 3-clause, see `NOTICE`). Why not a crate:
//! `docs/decisions/0001-own-libinjection.md`. The reference is the version inside ModSecurity 3.0.9 (it calls itself
//! 3.9.2); `tests/libinjection_oracle.rs` holds us to it, quirks included.
//!
//! What deliberately does not: better judgement. A verdict that differs from libinjection's is a bug here, even where
//! libinjection is plainly wrong; detectors of our own live in other crates.
//!
//! The idea to hold, for SQL: the input is cut into tokens, tokens are folded until at most five are left, and their
//! kinds, one letter each, are the [`Fingerprint`] that is looked up. That happens up to five times, since the input may
//! stand bare or inside single or double quotes, and may be read as MySQL reads it or as everybody else does.
//!
//! ```text
//!   input ── gate ──> tokens ──> fold ──> fingerprint ──> table ──> too like plain text? ──> verdict
//!             │ no                                          │ no            │ yes
//!             └───> None                                    └── next reading ┘
//! ```
//!
//! Nothing here allocates, panics or takes more than linear time; libinjection is quadratic where a keyword is followed
//! by a dot again and again, and [`sql`] says how we are not.

mod gate;
pub mod html;
mod keywords;
pub mod sql;
mod tables;
mod xss;

use std::fmt;

/// Says whether `input` looks like SQL injection, and which shape of statement gave it away.
///
/// Source: `libinjection_sqli` of libinjection 3.9.2 (ModSecurity 3.0.9). Differs: nothing known; the 480 public unit
/// tests and a differential test against libmodsecurity pin it. O(n), no allocation.
pub fn sqli(input: &[u8]) -> Option<Fingerprint> {
    if gate::cannot_be_sqli(input) { None } else { sqli_ungated(input) }
}

/// [`sqli()`] without the cheap test in front. For tests, which show that the gate never changes a verdict.
pub fn sqli_ungated(input: &[u8]) -> Option<Fingerprint> {
    sql::judge(input)
}

/// Strings of which every input that [`sqli`] finds has one, ASCII case ignored, for filters over many rules. They come
/// from the proof that spares most inputs the reading.
pub fn sqli_strings() -> impl Iterator<Item = &'static [u8]> {
    gate::telling_strings()
}

/// Says whether `input` looks like script injection into HTML: as text, as a tag's attributes, or inside a quoted value.
///
/// Source: `libinjection_xss` of libinjection 3.9.2 (ModSecurity 3.0.9). Differs: nothing known, as for [`sqli()`]. O(n),
/// no allocation.
pub fn xss(input: &[u8]) -> bool {
    !gate::cannot_be_xss(input) && xss::judge(input)
}

/// [`xss()`] without the cheap test in front and without skipping readings that cannot matter. For tests.
pub fn xss_ungated(input: &[u8]) -> bool {
    xss::judge_every_reading(input)
}

/// The shape of a SQL statement: one letter for the kind of each of its first tokens after folding.
///
/// Holds at most [`Fingerprint::LEN_MAX`] letters. `X` alone stands for a comment that no two databases read alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Fingerprint {
    letters: [u8; Self::LEN_MAX],
    len: u8,
}

impl Fingerprint {
    /// The longest fingerprint, in letters.
    pub const LEN_MAX: usize = 5;

    /// The letters, for example `sUEnk`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.letters[..usize::from(self.len)]
    }

    /// The letters as text; all of them are ASCII.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Takes up to [`Fingerprint::LEN_MAX`] letters; what comes after is dropped.
    fn from_letters(letters: impl Iterator<Item = u8>) -> Self {
        let mut fingerprint = Self::default();
        for (slot, letter) in fingerprint.letters.iter_mut().zip(letters) {
            *slot = letter;
            fingerprint.len += 1;
        }
        fingerprint
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", self.as_str())
    }
}
