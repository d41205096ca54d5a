//! What a value needs for an operator to match it at all.
//!
//! Every need is a proof: a value that lacks it is not matched. A value that has them all is a candidate, and the
//! operator decides. Nothing is known of an operator that asks for numbers or for the world; then every value is a
//! candidate. The needs are those of the operator as it stands: of a negated one every value is a candidate.

use palisade_codec::ByteSet;
use palisade_pcre::{Factor, Gate};

use crate::operator::{Needle, Operator};

/// What each value has that an operator matches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Needs {
    /// No value matches.
    pub never: bool,
    /// At least so many bytes.
    pub length_min: usize,
    /// At most so many.
    pub length_max: Option<usize>,
    /// At least one byte of each set, the rarest first.
    pub gates: Vec<ByteSet>,
    /// At least one string of each, the rarest first; two at most.
    pub factors: Vec<Factor>,
}

impl Needs {
    /// The needs of an operator. Cost: linear in the bytes of its argument or phrases; those of a pattern were
    /// found when it was compiled.
    pub fn of(operator: &Operator) -> Needs {
        let mut needs = Needs {
            never: operator.constant() == Some(false),
            length_min: operator.length_min(),
            length_max: operator.length_max(),
            ..Needs::default()
        };
        if let Some(gate) = operator.gate() {
            needs.gates.push(gate);
        }
        match operator.needle() {
            Some(
                Needle::Prefix(bytes) | Needle::Suffix(bytes) | Needle::Whole(bytes) | Needle::Part(bytes),
            ) => needs.factors.extend(Factor::of_strings([bytes])),
            Some(Needle::AnyPart(phrases)) => {
                needs.factors.extend(Factor::of_strings(phrases.iter().map(|phrase| &**phrase)));
            }
            None => {}
        }
        if let Some(strings) = operator.telling_strings() {
            needs.factors.extend(Factor::of_strings(strings));
        }
        if let Some(pattern) = operator.pattern() {
            needs.gates.extend(pattern.needs().gates.iter().map(byte_set));
            needs.factors.extend(pattern.needs().factors.iter().cloned());
        }
        // A set of bytes alone is a gate, which costs no scan; a pattern's own gates are finer where they say the same.
        let gates = &mut needs.gates;
        needs.factors.retain(|factor| {
            let set = byte_set(&factor.bytes());
            if factor.grams().is_empty() && !gates.iter().any(|gate| set.contains_all(gate)) {
                gates.push(set);
            }
            !factor.grams().is_empty()
        });
        needs
    }

    /// Whether a value has all of them. The definition, not the filter: O(value) times the number of strings.
    pub fn are_met_by(&self, value: &[u8]) -> bool {
        let present = ByteSet::of(value);
        !self.never
            && self.has_length(value.len())
            && self.gates.iter().all(|gate| gate.intersects(&present))
            && self.factors.iter().all(|factor| factor.is_in(value))
    }

    fn has_length(&self, length: usize) -> bool {
        length >= self.length_min && self.length_max.is_none_or(|most| length <= most)
    }
}

/// Bytes of which every value that an operator matches has one, as few and as rare as are known; all of them where any
/// value may match.
pub(super) fn telling_bytes(operator: &Operator) -> ByteSet {
    match operator.needle() {
        Some(Needle::Prefix(bytes) | Needle::Suffix(bytes) | Needle::Whole(bytes) | Needle::Part(bytes)) => {
            let rate = |byte: &u8| palisade_pcre::rate_of(&[*byte]);
            let rarest = bytes.iter().min_by(|a, b| rate(a).total_cmp(&rate(b)));
            rarest.map_or(ByteSet::FULL, |byte| ByteSet::of(&[*byte]))
        }
        Some(Needle::AnyPart(_)) => ByteSet::FULL,
        None => match operator.pattern() {
            Some(pattern) => pattern.needs().gates.first().map_or(ByteSet::FULL, byte_set),
            None => operator.gate().unwrap_or(ByteSet::FULL),
        },
    }
}

pub(super) fn byte_set(gate: &Gate) -> ByteSet {
    let mut set = ByteSet::EMPTY;
    for byte in 0..=255u8 {
        if gate[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1 {
            set.insert(byte);
        }
    }
    set
}
