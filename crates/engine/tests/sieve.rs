//! The sieve against its definition and against the operators themselves.

#[path = "support/crs.rs"]
mod crs;

use std::collections::BTreeMap;

use palisade_codec::ByteSet;
use palisade_engine::operator::{CompileOptions, Evaluation, Operator, Outcome};
use palisade_engine::{Needs, Seen, Sieve};
use palisade_seclang::ast::OperatorName;
use proptest::prelude::*;

/// Leaves of all slots those that may match.
fn sifted(sieve: &Sieve, slots: usize, value: &[u8], seen: &mut Seen) -> Vec<bool> {
    let mut asked = vec![u64::MAX; sieve.words()];
    sieve.sift(value, &ByteSet::of(value), &mut asked, seen);
    (0..slots).map(|slot| asked[slot / 64] >> (slot % 64) & 1 == 1).collect()
}

/// `PALISADE_SIEVE=1` looks at every value and not at every eighth one.
#[test]
fn no_match_of_crs_is_sieved_out() {
    let every = std::env::var_os("PALISADE_SIEVE").is_some();
    for version in ["4.28.0", "3.3.9"] {
        let Some(folder) = crs::folder(version) else { continue };
        let operators = crs::operators(&folder);
        assert!(operators.len() > 500, "CRS has more operators than {}", operators.len());
        let needs: Vec<Needs> = operators.iter().map(|crs| Needs::of(&crs.operator)).collect();
        let sieve = Sieve::new(&needs);
        let mut values = crs::attacks();
        values.extend(crs::harmless().into_iter().flat_map(|(_, values)| values));
        assert!(values.len() > 10_000, "there are more values than {}", values.len());
        let mut seen = Seen::default();
        let mut evaluation = Evaluation::new();
        let (mut pairs, mut let_through, mut matches) = (0u64, 0u64, 0u64);
        for value in values.iter().step_by(if every { 1 } else { 8 }) {
            let left = sifted(&sieve, operators.len(), value, &mut seen);
            for ((crs, left), needs) in operators.iter().zip(left).zip(&needs) {
                pairs += 1;
                let_through += u64::from(left);
                if pairs % 16 == 0 {
                    assert_eq!(
                        left,
                        needs.are_met_by(value),
                        "rule {} on {}",
                        crs.rule,
                        value.escape_ascii()
                    );
                }
                let outcome = crs.operator.evaluate(value, &mut evaluation);
                matches += u64::from(outcome == Outcome::Match);
                assert!(
                    left || outcome == Outcome::NoMatch,
                    "rule {} says {outcome:?} to {}",
                    crs.rule,
                    value.escape_ascii()
                );
            }
        }
        println!("CRS {version}: {pairs} pairs, {let_through} let through, {matches} matches, none lost");
        assert!(matches > 10_000, "the values are worth something");
    }
}

fn compile(name: OperatorName, argument: &[u8]) -> Option<Operator> {
    Operator::compile(name, argument, &CompileOptions::default(), &BTreeMap::new()).ok()
}

/// Arguments and values of few letters, so that they meet often.
fn operators() -> impl Strategy<Value = Vec<(OperatorName, String)>> {
    let piece = prop_oneof![
        6 => "[aAbB1%. <]",
        2 => prop::sample::select(vec!["a+", "b*", "(?:a|b1)", "[ab]", "[^a]", ".", "\\b", "^", "$", "a?", "(?i)", "(a|)", "\\s", "(?=b)", "\\d{2}", "(?:%|<a|1b)+"])
            .prop_map(str::to_owned),
    ];
    let pattern = prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat());
    let text = "[aAbB1% <]{0,5}";
    let name = prop::sample::select(vec![
        OperatorName::Contains,
        OperatorName::ContainsWord,
        OperatorName::BeginsWith,
        OperatorName::EndsWith,
        OperatorName::StrEq,
        OperatorName::StrMatch,
        OperatorName::Within,
        OperatorName::Pm,
        OperatorName::ValidateUrlEncoding,
        OperatorName::ValidateUtf8Encoding,
        OperatorName::DetectXss,
        OperatorName::DetectSqli,
        OperatorName::IpMatch,
        OperatorName::Eq,
        OperatorName::NoMatch,
        OperatorName::UnconditionalMatch,
    ]);
    let one = prop_oneof![
        4 => pattern.prop_map(|argument| (OperatorName::Rx, argument)),
        3 => (name, text).prop_map(|(name, argument)| (name, argument)),
        1 => Just((OperatorName::ValidateByteRange, "32-60,97".to_owned())),
        1 => Just((OperatorName::IpMatch, "1.1.1.0/24".to_owned())),
        1 => Just((OperatorName::VerifyCc, "\\d{1,4}".to_owned())),
    ];
    prop::collection::vec(one, 1..90)
}

fn values() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let value = prop_oneof![
        8 => "[aAbB1%. <]{0,12}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..30),
        1 => Just(b"1.1.1.1".to_vec()),
    ];
    prop::collection::vec(value, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_left_is_what_the_needs_say_and_holds_every_match(list in operators(), values in values()) {
        let operators: Vec<Operator> =
            list.iter().filter_map(|(name, argument)| compile(*name, argument.as_bytes())).collect();
        let needs: Vec<Needs> = operators.iter().map(Needs::of).collect();
        let sieve = Sieve::new(&needs);
        let mut seen = Seen::default();
        let mut evaluation = Evaluation::new();
        for value in &values {
            let left = sifted(&sieve, operators.len(), value, &mut seen);
            for ((operator, needs), left) in operators.iter().zip(&needs).zip(left) {
                prop_assert_eq!(left, needs.are_met_by(value), "{:?} on {}", operator, value.escape_ascii());
                let outcome = operator.evaluate(value, &mut evaluation);
                prop_assert!(
                    left || outcome == Outcome::NoMatch,
                    "{:?} says {:?} to {}", operator, outcome, value.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn slots_that_are_not_asked_stay_out(list in operators(), value in "[aAbB1%. <]{0,12}", mask in any::<[u64; 2]>()) {
        let needs: Vec<Needs> = list
            .iter()
            .filter_map(|(name, argument)| compile(*name, argument.as_bytes()))
            .map(|operator| Needs::of(&operator))
            .collect();
        let sieve = Sieve::new(&needs);
        let (value, mut seen) = (value.as_bytes(), Seen::default());
        let mut all = vec![u64::MAX; sieve.words()];
        sieve.sift(value, &ByteSet::of(value), &mut all, &mut seen);
        let mut some = mask[..sieve.words()].to_vec();
        sieve.sift(value, &ByteSet::of(value), &mut some, &mut seen);
        for ((all, some), mask) in all.iter().zip(some).zip(mask) {
            prop_assert_eq!(some, all & mask);
        }
    }
}

#[test]
fn without_operators_nothing_is_left() {
    let sieve = Sieve::new([]);
    sieve.sift(b"value", &ByteSet::of(b"value"), &mut [], &mut Seen::default());
    assert_eq!(sieve.words(), 0);
}
