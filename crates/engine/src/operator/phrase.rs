//! `@pm` and `@pmFromFile`: does the value contain any of many phrases, ASCII case ignored?
//!
//! The argument of `@pm` is split on blanks. A data file has one phrase a line, blanks inside and at the ends
//! kept; blank lines and comments (`#`) are skipped; several files may be named. The Snort-like `|62 63|` of
//! the manual has no effect in libmodsecurity 3.0.9 and none here.
//!
//! The phrase that counts is the one that ends first, of those the longest. TX:0 becomes that phrase as the rule
//! spells it.
//!
//! Differs: where a shorter phrase ends inside a longer one that has begun before (`abcd bc b` on `xabcd`),
//! libmodsecurity stores the beginning of the longer one (`ab`); here it is the phrase found (`b`). Its
//! automaton also misses some phrases (`Ab bA aA.b .a` on `AAa.A`); here every phrase is found.

mod samples;

use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use palisade_seclang::ast::OperatorName;

use super::{CompileError, DataFiles, Evaluation, Limits, data_lines, is_blank, read_files};
use samples::Samples;

#[derive(Clone, Debug)]
pub(super) struct Phrases {
    /// Says soon that there is none; where the list allows it.
    samples: Option<Samples>,
    automaton: AhoCorasick,
    phrases: Arc<[Box<[u8]>]>,
}

impl Phrases {
    pub(super) fn from_argument(argument: &[u8], limits: &Limits) -> Result<Self, CompileError> {
        let mut list = List::new(limits);
        for phrase in argument.split(|byte| is_blank(*byte)).filter(|phrase| !phrase.is_empty()) {
            list.push(phrase)?;
        }
        list.compile()
    }

    pub(super) fn from_files(
        argument: &[u8],
        limits: &Limits,
        files: &dyn DataFiles,
    ) -> Result<Self, CompileError> {
        let mut list = List::new(limits);
        for (_, file) in read_files(OperatorName::PmFromFile, argument, limits, files)? {
            for (_, phrase) in data_lines(&file) {
                list.push(phrase)?;
            }
        }
        list.compile()
    }

    pub(super) fn evaluate(&self, value: &[u8], context: &mut Evaluation) -> bool {
        if self.samples.as_ref().is_some_and(|samples| !samples.may_be_in(&self.phrases, value)) {
            return false;
        }
        let Some(found) = self.automaton.find(value) else {
            return false;
        };
        context.refer(found.start(), found.len());
        let phrase = &self.phrases[found.pattern()];
        if **phrase != value[found.range()] {
            context.text = Some(phrase.to_vec());
        }
        context.groups[0] = Some(found.range());
        true
    }

    pub(super) fn phrases(&self) -> &[Box<[u8]>] {
        &self.phrases
    }
}

/// Phrases on their way to an automaton, under the limits.
struct List<'a> {
    limits: &'a Limits,
    phrases: Vec<Box<[u8]>>,
    bytes: usize,
}

impl<'a> List<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self { limits, phrases: Vec::new(), bytes: 0 }
    }

    fn push(&mut self, phrase: &[u8]) -> Result<(), CompileError> {
        self.bytes += phrase.len();
        if self.phrases.len() >= self.limits.phrases_max || self.bytes > self.limits.phrase_bytes_max {
            return Err(CompileError::new(format!(
                "more than {} phrases or {} bytes of them",
                self.limits.phrases_max, self.limits.phrase_bytes_max
            ))
            .help("split the list over several rules"));
        }
        self.phrases.push(phrase.into());
        Ok(())
    }

    fn compile(self) -> Result<Phrases, CompileError> {
        let samples = Samples::new(&self.phrases);
        // Where most values do not come to the automaton, it need not be quick, and may be small.
        let kind = samples.as_ref().map(|_| AhoCorasickKind::ContiguousNFA);
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(kind)
            .build(&self.phrases)
            .map_err(|error| CompileError::new(format!("the phrases do not fit one automaton: {error}")))?;
        Ok(Phrases { samples, automaton, phrases: self.phrases.into() })
    }
}
