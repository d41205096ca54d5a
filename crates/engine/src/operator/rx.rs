//! `@rx` and `@rxGlobal`: PCRE patterns, run by `palisade-pcre`.
//!
//! An empty argument matches everything and captures nothing. `@rxGlobal` captures the groups of all matches one
//! after the other: with two groups, TX:0 to TX:2 are the first match and TX:3 to TX:5 the second.
//!
//! Differs: `@rxGlobal` stops at [`REFS_MAX`] captures, so that a value costs a bounded number of searches, and
//! after an empty match it goes on one byte later, where PCRE first tries a longer match at the same place.

use palisade_pcre::{Captures, Options, Pattern, StepLimit};

use super::{CompileError, CompileOptions, Evaluation, GROUPS, Outcome, REFS_MAX};

#[derive(Clone, Debug)]
pub(super) struct Rx {
    /// `None` for an empty argument.
    pattern: Option<Pattern>,
    scope: Scope,
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
        Ok(Self { pattern: compile_pattern(argument, options)?, scope })
    }

    pub(super) fn evaluate(&self, value: &[u8], context: &mut Evaluation) -> Outcome {
        let Some(pattern) = &self.pattern else {
            return Outcome::Match;
        };
        let outcome = match self.scope {
            Scope::First => first(pattern, value, context),
            Scope::All => all(pattern, value, context),
        };
        match outcome {
            Ok(matched) => Outcome::from(matched),
            Err(StepLimit) => Outcome::StepLimit,
        }
    }
}

/// Compiles an argument; `None` when it is empty.
pub(super) fn compile_pattern(
    argument: &[u8],
    options: &CompileOptions,
) -> Result<Option<Pattern>, CompileError> {
    if argument.is_empty() {
        return Ok(None);
    }
    let dialect = Options {
        dot_all: options.dot_all,
        multi_line: options.multi_line,
        case_insensitive: false,
        step_limit: options.step_limit,
    };
    Pattern::new(argument, dialect).map(Some).map_err(|error| CompileError {
        message: error.message,
        help: error.help,
        offset: error.offset,
    })
}

fn first(pattern: &Pattern, value: &[u8], context: &mut Evaluation) -> Result<bool, StepLimit> {
    // Most values do not match, and finding that out is cheaper without captures.
    if !pattern.is_match(value)? {
        return Ok(false);
    }
    let mut captures = Captures::new();
    if !pattern.captures(value, &mut captures)? {
        return Ok(false);
    }
    store(&captures, 0, context);
    Ok(true)
}

fn all(pattern: &Pattern, value: &[u8], context: &mut Evaluation) -> Result<bool, StepLimit> {
    if !pattern.is_match(value)? {
        return Ok(false);
    }
    let mut captures = Captures::new();
    let mut start = 0;
    let mut matched = false;
    while start <= value.len() && context.refs.len() < REFS_MAX {
        match pattern.captures_at(value, start, &mut captures) {
            Ok(true) => {}
            // What has matched has matched, whatever the rest of the value costs.
            Err(StepLimit) if matched => break,
            Ok(false) => break,
            Err(limit) => return Err(limit),
        }
        matched = true;
        store(&captures, context.refs.len(), context);
        let Some(whole) = captures.get(0) else {
            break;
        };
        start = if whole.is_empty() { whole.end + 1 } else { whole.end };
    }
    Ok(matched)
}

/// Stores the groups of a match from TX:`first` on. A group that took no part leaves its place as it was.
fn store(captures: &Captures, first: usize, context: &mut Evaluation) {
    for group in 0..captures.len() {
        let Some(span) = captures.get(group) else {
            continue;
        };
        context.refer(span.start, span.len());
        if first + group < GROUPS {
            context.groups[first + group] = Some(span);
        }
    }
}
