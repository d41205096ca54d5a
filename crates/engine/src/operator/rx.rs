//! `@rx` and `@rxGlobal`: PCRE patterns, run by `palisade-pcre`.
//!
//! An empty argument matches everything and captures nothing. `@rxGlobal` captures the groups of all matches one
//! after the other: with two groups, TX:0 to TX:2 are the first match and TX:3 to TX:5 the second.
//!
//! Differs: `@rxGlobal` stops at [`REFS_MAX`] captures, so that a value costs a bounded number of searches, and
//! after an empty match it goes on one byte later, where PCRE first tries a longer match at the same place.

use std::borrow::Cow;

use palisade_pcre::{Captures, Options, Pattern, StepLimit};

use super::{CompileError, CompileOptions, Evaluation, Outcome, REFS_MAX};

#[derive(Clone, Debug)]
pub(super) struct Rx {
    /// `None` for an empty argument.
    pattern: Option<Pattern>,
    scope: Scope,
    /// It matches every value, as a whole.
    is_whole: bool,
}

/// How many matches count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    First,
    All,
}

impl Rx {
    pub(super) fn compile(
        argument: &[u8],
        scope: Scope,
        options: &CompileOptions,
    ) -> Result<Self, CompileError> {
        let is_whole = scope == Scope::First && argument == b"^.*$" && options.pattern.dot_all;
        Ok(Self { pattern: compile_pattern(argument, &options.pattern)?, scope, is_whole })
    }

    pub(super) fn evaluate(&self, value: &[u8], context: &mut Evaluation) -> Outcome {
        let Some(pattern) = &self.pattern else {
            return Outcome::Match;
        };
        if self.is_whole {
            context.refer(0, value.len());
            context.groups[0] = Some(0..value.len());
            return Outcome::Match;
        }
        let outcome = match self.scope {
            Scope::First => first(pattern, value, context),
            Scope::All => all(pattern, value, context),
        };
        match outcome {
            Ok(matched) => Outcome::from(matched),
            Err(StepLimit { .. }) => Outcome::StepLimit,
        }
    }

    /// Whether it matches, without what it captures.
    pub(super) fn test(&self, value: &[u8], context: &mut Evaluation) -> Outcome {
        let Some(pattern) = &self.pattern else {
            return Outcome::Match;
        };
        if self.is_whole {
            return Outcome::Match;
        }
        match pattern.is_match_in(&mut context.workspace, value) {
            Ok(matched) => Outcome::from(matched),
            Err(StepLimit { .. }) => Outcome::StepLimit,
        }
    }

    pub(super) fn pattern(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }
}

/// Compiles an argument; `None` when it is empty.
pub(super) fn compile_pattern(argument: &[u8], options: &Options) -> Result<Option<Pattern>, CompileError> {
    if argument.is_empty() {
        return Ok(None);
    }
    Pattern::new(argument, options.clone()).map(Some).map_err(|error| CompileError {
        message: error.message.into_owned(),
        help: error.help.map(Cow::into_owned),
        offset: Some(error.offset),
    })
}

fn first(pattern: &Pattern, value: &[u8], context: &mut Evaluation) -> Result<bool, StepLimit> {
    // Most values do not match, and finding that out is cheaper without captures.
    if !pattern.is_match_in(&mut context.workspace, value)? {
        return Ok(false);
    }
    let mut captures = Captures::new();
    let matched = pattern.captures_at_in(&mut context.workspace, value, 0, &mut captures)?;
    if matched {
        store(&captures, 0, context);
    }
    Ok(matched)
}

fn all(pattern: &Pattern, value: &[u8], context: &mut Evaluation) -> Result<bool, StepLimit> {
    let mut matched = false;
    for captures in pattern.captures_iter(value) {
        match captures {
            Ok(captures) => store(&captures, context.refs.len(), context),
            // What has matched has matched, whatever the rest of the value costs.
            Err(_) if matched => break,
            Err(limit) => return Err(limit),
        }
        matched = true;
        if context.refs.len() >= REFS_MAX {
            break;
        }
    }
    Ok(matched)
}

/// Stores the groups of a match from TX:`first` on. A group that took no part leaves its place as it was.
fn store(captures: &Captures, first: usize, context: &mut Evaluation) {
    for (group, span) in captures.iter().enumerate() {
        let Some(span) = span else {
            continue;
        };
        context.refer(span.start, span.len());
        if let Some(place) = context.groups.get_mut(first + group) {
            *place = Some(span);
        }
    }
}
