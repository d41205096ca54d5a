//! What can be asked about what is in force, as the program that has it implements it.

use std::fmt::Debug;

use palisade_model::Mode;
use serde::Serialize;
use serde_json::Value;

/// Answers questions that take a while. Called on a thread of its own, one question at a time.
pub trait Explainer: Debug + Send + Sync {
    /// Rules that are like this, in the order in which rule sets and rules stand.
    fn rules(&self, query: &RuleQuery<'_>) -> Rules;

    /// What would be decided about a request, and why: the answer of `palisade explain` to one of its requests. Nothing is
    /// sent anywhere and nothing is recorded.
    ///
    /// # Errors
    /// When there is no such service; a request that cannot be read is told in the answer.
    fn explain(&self, question: &Question<'_>) -> Result<Value, String>;
}

/// Which rules.
#[derive(Clone, Copy, Debug)]
pub struct RuleQuery<'q> {
    /// A text in the id, the message, a tag or the file; any rule when empty.
    pub text: &'q str,
    /// How many are passed over.
    pub after: usize,
    /// How many at most.
    pub limit: usize,
}

/// A page of rules.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The rules.
    pub rules: Vec<RuleShown>,
    /// How many to pass over for the next page, where there is one.
    pub next: Option<usize>,
}

/// A request to be explained.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// The service; the first one when absent.
    pub service: Option<&'q str>,
    /// The mode; the one in force when absent.
    pub mode: Option<Mode>,
    /// The request as JSON.
    pub request: &'q [u8],
}

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleShown {
    /// The rule set that it is in.
    pub rule_set: String,
    /// Its id.
    pub id: u64,
    /// Its phase.
    pub phase: u8,
    /// Its message, macros unexpanded.
    pub msg: String,
    /// 0 emergency to 7 debug.
    pub severity: Option<u8>,
    /// What a match does: `pass`, `deny 403`.
    pub action: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its file.
    pub file: String,
    /// Its line.
    pub line: u32,
    /// Exceptions that name it, each in words: of which service, at which points, below which paths.
    pub excepted: Vec<String>,
    /// Why it does not run, or not always, each in words with the place that says so.
    pub off: Vec<String>,
    /// It is taken out of the rule set: it never runs.
    pub removed: bool,
    /// What it took in exchanges that were watched; none before the first.
    pub cost: Option<RuleCostShown>,
}

/// What a rule took in the exchanges whose rules were timed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RuleCostShown {
    /// How many exchanges.
    pub sampled: u64,
    /// How often it ran in them.
    pub runs: u64,
    /// Microseconds of an exchange, on average over all of them.
    pub us: f64,
    /// The part of all rules of its set: 0 to 1.
    pub share: f64,
}

/// A policy in force, or staged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyShown {
    /// As Calico's flow log names it.
    pub kind: &'static str,
    /// Empty for a global one.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its tier.
    pub tier: String,
    /// Lower ones are asked first; without one: last.
    pub order: Option<f64>,
    /// Evaluated, not enforced.
    pub staged: bool,
    /// Which workloads it is about.
    pub selector: String,
    /// `ingress`, `egress`, or both.
    pub directions: Vec<&'static str>,
    /// Its rules.
    pub rules: Vec<PolicyRuleShown>,
}

/// A rule of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyRuleShown {
    /// `ingress` or `egress`.
    pub direction: &'static str,
    /// Which one of that direction, from 0.
    pub index: usize,
    /// `Allow`, `Deny`, `Pass` or `Log`.
    pub action: &'static str,
    /// What it asks for, in words; empty where it asks for nothing.
    pub text: String,
}
