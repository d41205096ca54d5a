//! Numbers that carry a check: payment cards, and the personal numbers of Brazil (CPF), the United States (SSN)
//! and Austria (SVNR).
//!
//! The argument is a pattern that says where such a number may stand; the operator matches when a part of the
//! value that the pattern finds holds a number whose digits check. Parts are tried from left to right, starting
//! anew one byte after the beginning of the last (for a pattern that needs backtracking, after its end). TX:0
//! becomes the part.
//!
//! Differs: for CPF, SSN and SVNR libmodsecurity cuts the value at each start, so that `^` and `\b` hold
//! everywhere; here they see the value as it is, as in `@verifyCC` and in ModSecurity 2. It also tries parts that
//! do not overlap first, so that of two numbers it may capture the later one. It lets the SVNRs
//! 8888888888 and 9999999999 through its list of placeholders by mistake; here they are placeholders.

use std::ops::Range;

use palisade_pcre::{Captures, Kind, Pattern, StepLimit};
use palisade_seclang::ast::OperatorName;

use super::{CompileError, CompileOptions, Evaluation, Outcome, rx};

#[derive(Clone, Debug)]
pub(super) struct Identity {
    number: Number,
    /// `None` for an empty argument, which finds nothing.
    pattern: Option<Pattern>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Card,
    Cpf,
    Ssn,
    Svnr,
}

impl Identity {
    /// `name` is one of the four.
    pub(super) fn compile(
        name: OperatorName,
        argument: &[u8],
        options: &CompileOptions,
    ) -> Result<Self, CompileError> {
        let number = match name {
            OperatorName::VerifyCpf => Number::Cpf,
            OperatorName::VerifySsn => Number::Ssn,
            OperatorName::VerifySvnr => Number::Svnr,
            _ => Number::Card,
        };
        Ok(Self { number, pattern: rx::compile_pattern(argument, &options.pattern)? })
    }

    pub(super) fn evaluate(&self, value: &[u8], context: &mut Evaluation) -> Outcome {
        let Some(pattern) = &self.pattern else {
            return Outcome::NoMatch;
        };
        let found = match pattern.kind() {
            Kind::Linear => self.find_anywhere(pattern, value),
            Kind::Backtracking => self.find_apart(pattern, value),
        };
        match found {
            Ok(None) => Outcome::NoMatch,
            Ok(Some(part)) => {
                // libmodsecurity gives no reference for a card.
                if self.number != Number::Card {
                    context.refer(part.start, part.len());
                }
                context.groups[0] = Some(part);
                Outcome::Match
            }
            Err(Unfinished) => Outcome::StepLimit,
        }
    }

    pub(super) fn pattern(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    /// The first part with a number that checks, parts beginning at every byte.
    fn find_anywhere(&self, pattern: &Pattern, value: &[u8]) -> Result<Option<Range<usize>>, Unfinished> {
        let length_max = pattern.length_max();
        let mut captures = Captures::new();
        let mut bytes_left = SCANNED_BYTES_MAX;
        let mut start = 0;
        while start < value.len() && pattern.captures_at(value, start, &mut captures)? {
            let Some(part) = captures.get(0) else {
                break;
            };
            if self.number.checks(&value[part.clone()]) {
                return Ok(Some(part));
            }
            // What the search may have looked at behind the beginning of the part, which the next ones will look
            // at again.
            let left = value.len() - start;
            let looked = length_max.map_or(left, |length_max| part.len().max(length_max).min(left));
            bytes_left = bytes_left.checked_sub(looked + SEARCH_BYTES).ok_or(Unfinished)?;
            // `\K` can put the beginning of a part anywhere; the search must go on all the same.
            start = start.max(part.start) + 1;
        }
        Ok(None)
    }

    /// The same for parts that do not overlap, under one step limit for all of them.
    fn find_apart(&self, pattern: &Pattern, value: &[u8]) -> Result<Option<Range<usize>>, Unfinished> {
        for captures in pattern.captures_iter(value) {
            if let Some(part) = captures?.get(0)
                && self.number.checks(&value[part.clone()])
            {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }
}

/// The search was given up at a limit.
struct Unfinished;

impl From<StepLimit> for Unfinished {
    fn from(_: StepLimit) -> Self {
        Unfinished
    }
}

/// What all searches of one value may scan: some tenths of a second. A pattern without an upper bound (`\d+`) on
/// a long run of digits would look at its rest again for each of them; one for numbers of 16 digits gets through
/// a million.
const SCANNED_BYTES_MAX: usize = 32 << 20;
/// The overhead of a search, as if scanned.
const SEARCH_BYTES: usize = 16;

impl Number {
    fn checks(self, part: &[u8]) -> bool {
        let digits = part.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0'));
        match self {
            Number::Card => is_card(digits),
            Number::Cpf => leading(digits).is_some_and(|digits| is_cpf(&digits)),
            Number::Ssn => exactly(digits).is_some_and(|digits| is_ssn(&digits)),
            Number::Svnr => leading(digits).is_some_and(|digits| is_svnr(&digits)),
        }
    }
}

/// Luhn's sum (ISO/IEC 7812-1, annex B) over any number of digits but none.
fn is_card(digits: impl Iterator<Item = u32>) -> bool {
    // Which digits are doubled depends on how many there are, so both sums are kept: the first doubles the
    // digits at even places, the second those at odd ones.
    let mut sums = [0u64; 2];
    let mut count = 0usize;
    for digit in digits {
        let doubled = if digit > 4 { 2 * digit - 9 } else { 2 * digit };
        sums[count % 2] += u64::from(doubled);
        sums[(count + 1) % 2] += u64::from(digit);
        count += 1;
    }
    // The last digit is never doubled.
    count > 0 && sums[count % 2].is_multiple_of(10)
}

/// Receita Federal: two check digits, each a weighted sum modulo 11.
fn is_cpf(digits: &[u32; 11]) -> bool {
    let check = |count: usize| {
        let sum: u32 = digits[..count]
            .iter()
            .zip((2..=count as u32 + 1).rev())
            .map(|(digit, weight)| digit * weight)
            .sum();
        match sum % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        }
    };
    !is_placeholder(digits, 0) && digits[9] == check(9) && digits[10] == check(10)
}

/// Area, group and serial are not zero; the area is one that was given out before 2011 (below 740, not 666);
/// neither one digit throughout nor counting up.
fn is_ssn(digits: &[u32; 9]) -> bool {
    let number = |digits: &[u32]| digits.iter().fold(0, |number, digit| number * 10 + digit);
    let (area, group, serial) = (number(&digits[..3]), number(&digits[3..5]), number(&digits[5..]));
    let counts_up = digits.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    let repeats = digits.windows(2).all(|pair| pair[0] == pair[1]);
    area != 0 && area < 740 && area != 666 && group != 0 && serial != 0 && !counts_up && !repeats
}

/// Hauptverband: the fourth digit checks the other nine; a remainder of 10 is written as 0.
fn is_svnr(digits: &[u32; 10]) -> bool {
    const WEIGHTS: [u32; 10] = [3, 7, 9, 0, 5, 8, 4, 2, 1, 6];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    !is_placeholder(digits, 0) && !is_placeholder(digits, 1) && digits[3] == sum % 11 % 10
}

/// One digit throughout, or counting up from `first` (past 9 comes 0).
fn is_placeholder(digits: &[u32], first: u32) -> bool {
    digits.iter().all(|digit| *digit == digits[0])
        || digits.iter().zip(first..).all(|(digit, expected)| *digit == expected % 10)
}

/// The first `N` digits, when there are that many.
fn leading<const N: usize>(mut digits: impl Iterator<Item = u32>) -> Option<[u32; N]> {
    let mut array = [0; N];
    for place in &mut array {
        *place = digits.next()?;
    }
    Some(array)
}

/// The digits, when there are exactly `N`.
fn exactly<const N: usize>(mut digits: impl Iterator<Item = u32>) -> Option<[u32; N]> {
    let array = leading(&mut digits)?;
    digits.next().is_none().then_some(array)
}
