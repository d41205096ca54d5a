//! The compiled plan and the reference evaluator say the same, on generated rule sets and exchanges; and the generator
//! makes cases in which that means something. What is compared, and how cases come about, is at
//! `palisade_fuzz_replay::equivalence`, which fuzzing shares.
//!
//! `PALISADE_EQUIVALENCE=100000` runs that many cases. One that fails prints its seed and all of itself.

use std::collections::BTreeMap;

use palisade_codec::Transformation;
use palisade_engine::Enforcement;
use palisade_fuzz_replay::equivalence::{Case, Evaluator, Exchange, Manner, Said, compiled, probe, run};

#[test]
fn the_plan_says_what_the_reference_says() {
    let cases = std::env::var("PALISADE_EQUIVALENCE").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000);
    let mut tally = Tally::default();
    for seed in 0..cases {
        let case = Case::new(&random_bytes(seed));
        let rules = match compiled(&case.rules.text) {
            Ok(rules) => rules,
            Err(errors) => {
                tally.refused += 1;
                tally.refusal = errors;
                continue;
            }
        };
        let said = case.compare(&rules).unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
        tally.cases += 1;
        said.iter().for_each(|said| tally.add(said));
    }
    println!("{tally:?}");
    // About half of what came out when the generator was written. Less means that it has gone blind.
    assert!(
        tally.refused * 50 < cases,
        "{} of {cases} do not load, the last by\n{}",
        tally.refused,
        tally.refusal
    );
    let part = |count: u64| count * 100 / tally.exchanges;
    assert!(part(tally.with_match) >= 30 && part(tally.stopped) >= 10, "{tally:?}");
    assert!(tally.matches + tally.hits >= 2 * tally.exchanges, "{tally:?}");
    assert!(tally.candidates > tally.exchanges, "the plan finds no candidates, or is not at work: {tally:?}");
    assert!(tally.known > tally.exchanges, "nothing is known of names and headers: {tally:?}");
    for (what, count) in [
        ("persistent operations", tally.with_operations),
        ("questions", tally.with_questions),
        ("shortfalls", tally.with_shortfalls),
        ("variables of TX", tally.with_captures),
    ] {
        assert!(count * 200 >= tally.exchanges, "almost no exchange has {what}: {tally:?}");
    }
}

/// Where the plan meets its bounds it goes another way, which has to lead to the same.
#[test]
fn bounds_of_the_plan_do_not_show() {
    let all = Transformation::ALL;
    // More distinct lists of transformations than it takes.
    let lists: String = (0..1_300)
        .map(|number| {
            let steps = [number % all.len(), number / all.len() % all.len(), number / 7 % all.len()];
            let steps: String = steps.iter().map(|step| format!(",t:{}", all[*step].name())).collect();
            format!("SecRule ARGS|REQUEST_HEADERS \"@rx a.?b\" \"id:{},phase:1,pass,nolog,t:none{steps},{HIT}\"\n", number + 1)
        })
        .collect();
    // More pairs of value and rule that may match.
    let pairs: String = (0..500)
        .map(|number| {
            format!(
                "SecRule ARGS \"@rx ^v(?:x{{{}}})?\" \"id:{},phase:1,pass,nolog,t:none,setvar:tx.n=+1\"\n",
                number + 1,
                number + 1
            )
        })
        .collect();
    let many = (0..2_400).map(|number| format!("a{number}=v{number}&")).collect::<String>();
    // More bytes of transformed texts than it keeps.
    let texts: String = all
        .iter()
        .enumerate()
        .map(|(number, step)| {
            format!(
                "SecRule ARGS \"@rx [a-f0-9]$\" \"id:{},phase:1,pass,nolog,t:none,t:{},{HIT}\"\n",
                number + 1,
                step.name()
            )
        })
        .collect();
    for (what, rules, query) in [
        ("lists", lists, "x=ab&y=%2561%62&z=AB&w=a+b".to_owned()),
        ("pairs", pairs, many),
        ("texts", texts, format!("x={}", "Ab%2520c".repeat(100_000))),
    ] {
        let rules =
            format!("SecArgumentsLimit 100000\n{rules}{}\n", probe(99_999).replace("ARGS|ARGS_NAMES|", ""));
        let rules = compiled(&rules).unwrap_or_else(|errors| panic!("{what}: {errors}"));
        let mut exchange = Exchange::of_choices(&[], &[]);
        exchange.head.target = format!("/?{query}").into_bytes();
        let reference = Manner {
            evaluator: Evaluator::Reference,
            cut: 0,
            yield_after: 8 << 20,
            enforcement: Enforcement::AsWritten,
            keeps_silent: false,
        };
        let exchange = std::slice::from_ref(&exchange);
        let [expected, seen] = [Evaluator::Reference, Evaluator::Plan]
            .map(|evaluator| run(&rules, exchange, &Manner { evaluator, ..reference }).remove(0));
        println!("{what}: {} rules hit, {:?}", expected.hits(), seen.filters);
        assert!(
            expected.hits() > 0 || expected.tx.iter().any(|text| text.starts_with("n=")),
            "{what}: no rule hits"
        );
        assert!(what != "pairs" || seen.filters.candidates > 1 << 20, "{what}: too few for the bound");
        assert_eq!(expected.difference(&seen), None, "{what}");
    }
}

/// Leaves the rule's id, so that all hits show in order.
const HIT: &str = "setvar:'tx.h=%{tx.h} %{rule.id}'";

#[derive(Debug, Default)]
struct Tally {
    cases: u64,
    exchanges: u64,
    refused: u64,
    refusal: String,
    matches: u64,
    hits: u64,
    with_match: u64,
    stopped: u64,
    with_operations: u64,
    with_questions: u64,
    with_shortfalls: u64,
    with_captures: u64,
    candidates: u64,
    known: u64,
}

impl Tally {
    fn add(&mut self, said: &Said) {
        self.exchanges += 1;
        self.matches += said.matches.len() as u64;
        self.candidates += said.filters.candidates;
        self.known += said.filters.known;
        self.hits += said.hits() as u64;
        self.with_match += u64::from(said.matched());
        self.stopped += u64::from(said.stopped());
        self.with_operations += u64::from(!said.operations.is_empty());
        self.with_questions += u64::from(!said.asked.is_empty());
        self.with_shortfalls += u64::from(said.shortfalls != "[]");
        self.with_captures += u64::from(said.tx.iter().any(|variable| variable.starts_with("1=")));
    }
}

/// A comparison that nothing can fail proves nothing: small mistakes, of the kind that a plan could make, have to show.
/// Each mistake is put into the text of a rule set, and what the two texts say is compared.
#[test]
fn mistakes_of_a_plan_would_show() {
    let mut made: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for seed in 0..1_200 {
        let case = Case::new(&random_bytes(seed));
        let Ok(rules) = compiled(&case.rules.text) else { continue };
        let said = |rules: &_| run(rules, &case.exchanges, &case.reference());
        let mut expected = None;
        for (what, from, to) in MISTAKES {
            let Some(at) = case.rules.text.find(from) else { continue };
            let mut text = case.rules.text.clone();
            text.replace_range(at..at + from.len(), to);
            let Ok(mistaken) = compiled(&text) else { continue };
            let expected = expected.get_or_insert_with(|| said(&rules));
            let shows = *expected != said(&mistaken);
            let [tried, shown] = made.entry(what).or_default();
            *tried += 1;
            *shown += u64::from(shows);
        }
    }
    for (what, [tried, shown]) in &made {
        println!("{what:32} {shown:5} of {tried:5} show");
    }
    assert_eq!(made.len(), MISTAKES.len(), "the generator does not make what some mistake needs: {made:?}");
    for (what, [tried, shown]) in made {
        assert!(shown >= 1 && shown * 100 >= tried, "{what}: {shown} of {tried} show");
    }
}

/// What a plan could get wrong: a name, and a text that is replaced once.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("skips too few", ",skip:1", ""),
    ("skips too many", ",skip:1", ",skip:2"),
    ("does not skip to a label", ",skipAfter:M1", ""),
    ("forgets a rule's removal", "ctl:ruleRemoveById=", "ctl:ruleRemoveById=7"),
    ("forgets a removal by tag", "ctl:ruleRemoveByTag=", "ctl:ruleRemoveByTag=x"),
    ("forgets a target's removal", "-999;ARGS", "-999;FILES"),
    ("forgets it by tag", "TargetByTag=lost", "TargetByTag=x"),
    ("forgets it by message", "TargetByMsg=lost", "TargetByMsg=x"),
    ("forgets an exclusion", "|!ARGS:", "|!ARGS:z"),
    ("counts once too often", "setvar:tx.s=+1", "setvar:tx.s=+2"),
    ("does not capture", ",capture", ""),
    ("looks at the last value only", ",multiMatch", ""),
    ("forgets a transformation", ",t:urlDecodeUni", ""),
    ("forgets to lower the case", ",t:lowercase", ""),
    ("folds a gate", "\"@lt 1\"", "\"@lt 0\""),
    ("takes a variable for its number", "SecRule &TX:", "SecRule TX:"),
    ("forgets a rule's assignment", ",setvar:tx.u=1", ""),
    ("forgets a removed variable", ";TX:pl", ";TX:v"),
    ("folds a variable", "setvar:tx.pl=2", "setvar:tx.pl=1"),
    ("is blind to the case of keys", "ARGS:A", "ARGS:AA"),
    ("confuses members and their number", "&ARGS", "ARGS"),
    ("sees an empty value as none", "@rx ^$", "@rx ^.$"),
    ("loses a literal", "(?i)union.{1,20}select", "(?i)unionx.{1,20}select"),
    ("takes a sum for a value", "setvar:'tx.score=+1'", "setvar:'tx.score=1'"),
    ("forgets a persistent variable", "setvar:ip.n=+1", "setvar:ip.m=+1"),
    ("goes on after allow", ",allow:phase,", ",pass,"),
    ("stops where it must only detect", ",drop,", ",deny,"),
];

/// The bytes of a seed, the same everywhere (xorshift64*).
fn random_bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d | 1;
    let length = if seed.is_multiple_of(16) { 4 * BYTES } else { BYTES };
    let mut bytes = Vec::with_capacity(length + 4);
    while bytes.len() < length {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend((state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16).to_le_bytes().iter().take(4));
    }
    bytes
}

/// Half of them are for the rules, which take some 30 each; a few cases have more, for their largest rule sets.
const BYTES: usize = 2_400;
