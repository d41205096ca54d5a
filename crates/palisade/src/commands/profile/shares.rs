//! Which rule takes which part of the time: each is timed on its own, apart from the measuring of whole exchanges, since
//! reading the clock after every rule costs more than most rules.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use palisade_engine::{Clock, Connection, Enforcement, Progress, Rule, RuleId, RuleSet, Transaction};
use palisade_seclang::ast::Phase;

use crate::exchange::Exchange;

/// What the rules took, on exchanges whose rules were timed one by one.
#[derive(Default)]
pub(super) struct Costs {
    /// Each rule, and with `None` looking at the values for all rules together.
    took: HashMap<Option<RuleId>, Duration>,
    exchanges: u32,
}

impl Costs {
    /// Adds up what each rule takes on the variants of a case, for about so long. Of each variant's runs a rule's
    /// shortest counts: a process that is put aside for a moment would be charged to whichever rule was at work.
    pub(super) fn charge(&mut self, variants: &[Exchange], rules: &Arc<RuleSet>, limit: Duration) {
        let begun = Instant::now();
        let mut least: Vec<HashMap<Option<RuleId>, Duration>> = vec![HashMap::new(); variants.len()];
        for round in 0.. {
            if round > 0 && begun.elapsed() >= limit {
                break;
            }
            for (exchange, least) in variants.iter().zip(&mut least) {
                for (rule, took) in timed(exchange, rules) {
                    let known = least.entry(rule).or_insert(took);
                    *known = took.min(*known);
                }
            }
        }
        self.exchanges += variants.len() as u32;
        for (rule, took) in least.into_iter().flatten() {
            *self.took.entry(rule).or_default() += took;
        }
    }
}

/// Runs an exchange and says how long each rule took.
fn timed(exchange: &Exchange, rules: &Arc<RuleSet>) -> HashMap<Option<RuleId>, Duration> {
    let (sender, receiver) = mpsc::channel();
    let connection =
        Connection { client: exchange.client, server: exchange.server, unique_id: "profile".into() };
    let mut transaction =
        Transaction::new(rules.clone(), connection, Enforcement::AsWritten, Clock::default());
    let last = Arc::new(Mutex::new(Instant::now()));
    let since = last.clone();
    transaction.observe_rules(Box::new(move |rule| {
        let mut last = since.lock().unwrap_or_else(PoisonError::into_inner);
        // Only the receiver of this function is ever gone, and then nobody counts.
        let _ = sender.send((rule, last.elapsed()));
        *last = Instant::now();
    }));
    let phase = |transaction: &mut Transaction, phase| {
        // What happens between phases is nobody's: bodies are read.
        *last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        settle(transaction, phase);
    };
    transaction.request_head(exchange.head.clone());
    phase(&mut transaction, Phase::RequestHeaders);
    transaction.request_body_chunk(&exchange.body);
    transaction.request_body_end();
    phase(&mut transaction, Phase::RequestBody);
    if let Some((head, body)) = &exchange.response {
        transaction.response_head(head.clone());
        phase(&mut transaction, Phase::ResponseHeaders);
        transaction.response_body_chunk(body);
        phase(&mut transaction, Phase::ResponseBody);
    }
    phase(&mut transaction, Phase::Logging);
    drop(transaction);
    let mut took: HashMap<Option<RuleId>, Duration> = HashMap::new();
    for (rule, time) in receiver {
        *took.entry(rule.map(|rule| rules.rule(rule).id)).or_default() += time;
    }
    took
}

fn settle(transaction: &mut Transaction, phase: Phase) {
    let mut progress = transaction.run(phase, Clock::default());
    while progress != Progress::Done {
        if matches!(progress, Progress::Need(_)) {
            transaction.answer(palisade_engine::Answer::Unavailable);
        }
        progress = transaction.resume(Clock::default());
    }
}

/// Who takes which part of the rules' time. The parts of all rules and of looking add up to one.
#[derive(Default)]
pub(super) struct Shares {
    /// The largest first.
    pub(super) rules: Vec<RuleShare>,
    /// The part of looking at the values, once for all rules.
    pub(super) looking: f64,
}

pub(super) struct RuleShare {
    pub(super) id: RuleId,
    pub(super) share: f64,
    /// Of one exchange, on average.
    pub(super) took: Duration,
    pub(super) file: String,
    pub(super) line: u32,
}

impl Shares {
    pub(super) fn of(costs: &Costs, rule_set: Option<&RuleSet>) -> Self {
        let Some(rule_set) = rule_set.filter(|_| costs.exchanges > 0) else { return Self::default() };
        let total: Duration = costs.took.values().sum();
        let part = |took: Duration| took.as_secs_f64() / total.as_secs_f64().max(f64::MIN_POSITIVE);
        let places: HashMap<RuleId, &Rule> = rule_set.rules().map(|rule| (rule.id, rule)).collect();
        let mut rules: Vec<RuleShare> = costs
            .took
            .iter()
            .filter_map(|(id, took)| {
                let rule = places.get(id.as_ref()?)?;
                Some(RuleShare {
                    id: rule.id,
                    share: part(*took),
                    took: *took / costs.exchanges,
                    file: rule_set.file_of(rule).to_owned(),
                    line: rule.line,
                })
            })
            .collect();
        rules.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.id.cmp(&b.id)));
        Self { rules, looking: costs.took.get(&None).map_or(0.0, |took| part(*took)) }
    }
}
