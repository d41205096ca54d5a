//! Card numbers, wherever they stand.

use std::ops::Range;

use super::excerpt::Spans;

/// Card numbers: 13 to 19 digits that begin with 2 to 6 and pass Luhn's check, in one run or in groups as cards print
/// them, between single blanks, hyphens, dots, pluses or their percent-escapes. Times in microseconds begin with 1 and
/// are none; neither are the groups of a UUID, which is what requests, sessions and test runs are named by.
pub(super) fn cards(text: &[u8], spans: &mut Spans) {
    let digit = |at: usize| text.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0');
    let mut at = 0;
    while at < text.len() {
        let is_escape =
            text[at] == b'%' && text.len() > at + 2 && text[at + 1..at + 3].iter().all(u8::is_ascii_hexdigit);
        if is_escape && let Some(span) = card_at(text, at + 3, true) {
            spans.add(span);
        }
        if digit(at).is_some() {
            let apart = at == 0 || !text[at - 1].is_ascii_alphanumeric();
            if let Some(span) = card_at(text, at, apart) {
                spans.add(span);
            }
            // Numbers begin where digits do.
            while digit(at).is_some() {
                at += 1;
            }
        } else {
            at += 1;
        }
    }
}

/// The longest card number that begins at `start`. What stands in groups has to stand apart: `apart` says so of what is
/// before it.
pub(super) fn card_at(text: &[u8], start: usize, apart: bool) -> Option<Range<usize>> {
    if !matches!(text.get(start), Some(b'2'..=b'6')) {
        return None;
    }
    let mut digits = [0u8; CARD_DIGITS_MAX];
    let mut count = 0;
    let mut at = start;
    let mut longest = None;
    let mut groups = Groups::default();
    while let Some(byte) = text.get(at).filter(|byte| byte.is_ascii_digit()) {
        if count == CARD_DIGITS_MAX {
            break;
        }
        digits[count] = byte - b'0';
        count += 1;
        at += 1;
        if text.get(at).is_some_and(u8::is_ascii_digit) {
            continue;
        }
        groups.end_at(count);
        let stands_apart = apart && !text.get(at).is_some_and(u8::is_ascii_alphanumeric);
        let is_one = groups.count == 1 || groups.are_a_cards() && stands_apart;
        if count >= CARD_DIGITS_MIN && is_one && luhn(&digits[..count]) {
            longest = Some(start..at);
        }
        match &text[at..] {
            [b' ' | b'-' | b'.' | b'+', next, ..] if next.is_ascii_digit() => at += 1,
            [b'%', b'2', b'0' | b'D' | b'd', next, ..] if next.is_ascii_digit() => at += 3,
            _ => break,
        }
    }
    longest
}

/// The lengths of groups of digits.
#[derive(Default)]
struct Groups {
    lengths: [usize; CARD_DIGITS_MAX],
    count: usize,
    digits: usize,
}

impl Groups {
    fn end_at(&mut self, digits: usize) {
        self.lengths[self.count] = digits - self.digits;
        self.count += 1;
        self.digits = digits;
    }

    /// Fours and a rest; or four, six and the rest, as American Express and Diners Club print theirs.
    fn are_a_cards(&self) -> bool {
        match &self.lengths[..self.count] {
            [4, 6, 4 | 5] => true,
            [fours @ .., rest] => fours.iter().all(|length| *length == 4) && *rest <= 4,
            [] => false,
        }
    }
}

pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(*digit);
            match (place % 2, digit) {
                (0, _) => digit,
                (_, 0..=4) => digit * 2,
                _ => digit * 2 - 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Most digits of a card number, and fewest.
pub(super) const CARD_DIGITS_MAX: usize = 19;

pub(super) const CARD_DIGITS_MIN: usize = 13;
