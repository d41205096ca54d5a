//! Why a pattern was refused, and why a match was given up.

use std::borrow::Cow;

/// A pattern that cannot be used, with the place and, where there is one, a way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at byte {offset} of the pattern")]
pub struct PatternError {
    /// Where in the pattern, in bytes; at most its length.
    pub offset: usize,
    /// What is wrong.
    pub message: Cow<'static, str>,
    /// What to write instead.
    pub help: Option<Cow<'static, str>>,
}

impl PatternError {
    pub(crate) fn new(offset: usize, message: impl Into<Cow<'static, str>>) -> PatternError {
        PatternError { offset, message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<Cow<'static, str>>) -> PatternError {
        self.help = Some(help.into());
        self
    }
}

/// A match that was given up: neither found nor ruled out.
///
/// The caller decides what that means; a rule engine reports it as an error of the rule, never as "no match".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("matching was given up at the limit of {limit} steps")]
pub struct StepLimit {
    /// The limit that was reached, in steps; see [`Options::step_limit`](crate::Options::step_limit).
    pub limit: u64,
}
