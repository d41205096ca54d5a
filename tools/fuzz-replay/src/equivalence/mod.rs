//! Target for `palisade-engine`: the compiled plan and the reference evaluator say the same.
//!
//! An input is a string of choices from which a rule set and a few exchanges are made ([`Case::new`]), so that every
//! input is a sensible case and a fuzzer's small changes are small changes of it. The tests of the engine make cases of
//! random numbers by the same code; what they find is kept as a file of `fuzz/regressions/plan_equivalence`.
//!
//! Compared is everything that a caller can see ([`Said`]): matches with their texts and log lines, interruptions,
//! persistent operations and questions in order, shortfalls, and all variables, which a last rule of each rule set
//! gathers into one.

mod choices;
mod exchanges;
mod put;
mod rules;

use std::fmt;
use std::sync::Arc;

use palisade_engine::persistent::MemoryStore;
use palisade_engine::{Enforcement, Interner, RuleSet, RuleSources, load_rules_with};

pub use exchanges::Exchange;
pub use put::{Evaluator, Manner, Said, put};
pub use rules::{Rules, files, probe};

use choices::Choices;

/// A string of choices: plan and reference have to say the same, whatever it makes.
pub fn plan_equivalence(input: &[u8]) {
    let case = Case::new(input);
    // A text that does not load is no case; a test keeps them rare.
    if let Ok(rules) = compiled(&case.rules.text)
        && let Err(difference) = case.compare(&rules)
    {
        panic!("{difference}");
    }
}

/// A rule set, and exchanges that follow each other.
#[derive(Clone, Debug)]
pub struct Case {
    /// The rules.
    pub rules: Rules,
    /// The exchanges: what one leaves in persistent collections the next one finds.
    pub exchanges: Vec<Exchange>,
    /// Whether rules may stop them.
    pub enforcement: Enforcement,
    /// Whether matches of `nolog` rules are kept.
    pub keeps_silent: bool,
    /// Bodies are cut into pieces of this size, in the runs that cut them.
    pub cut: usize,
}

impl Case {
    /// Makes a case of choices.
    pub fn new(input: &[u8]) -> Self {
        let mut choices = Choices::new(input);
        let enforcement = if choices.once_in(5) { Enforcement::DetectOnly } else { Enforcement::AsWritten };
        let keeps_silent = choices.once_in(3);
        let cut = 1 + choices.below(9);
        let number = 1 + choices.below(3);
        let rest = input.get(4..).unwrap_or_default();
        // Apart, so that a change of a rule does not change every request.
        let (rule_choices, exchange_choices) = rest.split_at(rest.len() / 2);
        let rules = Rules::new(&mut Choices::new(rule_choices));
        let mut choices = Choices::new(exchange_choices);
        let exchanges = (0..number).map(|_| Exchange::new(&mut choices, &rules.examples)).collect();
        Self { rules, exchanges, enforcement, keeps_silent, cut }
    }

    /// Compares the evaluators on it; see [`compare`].
    pub fn compare(&self, rules: &Arc<RuleSet>) -> Result<Vec<Said>, String> {
        compare(rules, &self.exchanges, &self.reference(), self.cut)
            .map_err(|difference| format!("{difference}\n{}", self.rules.text))
    }

    /// How the reference evaluator is given it.
    pub fn reference(&self) -> Manner {
        Manner {
            evaluator: Evaluator::Reference,
            cut: 0,
            yield_after: usize::MAX,
            enforcement: self.enforcement,
            keeps_silent: self.keeps_silent,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.rules.text)?;
        for (number, exchange) in self.exchanges.iter().enumerate() {
            writeln!(f, "exchange {number}: {exchange}")?;
        }
        Ok(())
    }
}

/// Runs exchanges by both evaluators, whole and in pieces of `cut` bytes with a yield after every rule, by the plan a third
/// time, when it knows what comes with every request. Gives what they said, or the first difference.
pub fn compare(
    rules: &Arc<RuleSet>,
    exchanges: &[Exchange],
    reference: &Manner,
    cut: usize,
) -> Result<Vec<Said>, String> {
    let mut expected = run(rules, exchanges, reference);
    let others = [
        Manner { evaluator: Evaluator::Plan, ..*reference },
        Manner { evaluator: Evaluator::Plan, cut, yield_after: 0, ..*reference },
        Manner { evaluator: Evaluator::Plan, ..*reference },
        Manner { cut, yield_after: 0, ..*reference },
    ];
    for manner in others {
        let seen = run(rules, exchanges, &manner);
        for (number, (expected, seen)) in expected.iter_mut().zip(seen).enumerate() {
            if let Some(difference) = expected.difference(&seen) {
                let exchange = &exchanges[number];
                return Err(format!("exchange {number} with {manner:?}\n{difference}\n{exchange}"));
            }
            if manner.evaluator == Evaluator::Plan {
                expected.filters = seen.filters;
            }
        }
    }
    Ok(expected)
}

/// Runs exchanges in one manner, with a store of their own: what one leaves in persistent collections the next one
/// finds.
pub fn run(rules: &Arc<RuleSet>, exchanges: &[Exchange], manner: &Manner) -> Vec<Said> {
    let mut store = MemoryStore::default();
    let numbered = (0..).zip(exchanges);
    numbered.map(|(number, exchange)| put(rules, exchange, manner, number, &mut store)).collect()
}

/// The rule set of a generated text, or why it does not load.
///
/// Some are compiled beside one that lacks a few of the rules, as another service's may, and share with it what they can.
pub fn compiled(text: &str) -> Result<Arc<RuleSet>, String> {
    let interner = Interner::new();
    let removed = text.len() % 3 * 4;
    let beside = (removed > 0).then(|| format!("{text}\nSecRuleRemoveById 100-{}\n", 100 + removed));
    let _beside = beside.map(|text| compiled_with(&text, &interner)).transpose()?;
    compiled_with(text, &interner)
}

fn compiled_with(text: &str, interner: &Interner) -> Result<Arc<RuleSet>, String> {
    let text = Some(("case.conf".to_owned(), text.as_bytes().to_vec(), String::new()));
    let loaded = load_rules_with(&RuleSources { text, ..RuleSources::default() }, &files(), interner);
    loaded.rules.ok_or_else(|| {
        let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
        let errors: Vec<String> =
            errors.map(|error| error.render(&loaded.sources, palisade_seclang::Style::Plain)).collect();
        errors.join("\n")
    })
}
