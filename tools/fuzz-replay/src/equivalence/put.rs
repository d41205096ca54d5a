//! Puts an exchange to the engine in some manner and writes down everything that can be seen of it.

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use palisade_engine::persistent::{MemoryStore, UnixMillis};
use palisade_engine::{
    Answer, Clock, Connection, Enforcement, FilterCounts, GeoRecord, Lookup, Phase, Progress, RuleSet,
    Transaction, error_log,
};

use super::exchanges::Exchange;

/// Who evaluates the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluator {
    /// The definition: rule by rule, as they are written.
    Reference,
    /// What is in use.
    Plan,
}

/// How an exchange is put. Nothing of it but `enforcement` and `keeps_silent` may change what is said.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Who evaluates.
    pub evaluator: Evaluator,
    /// Bodies come in pieces of this many bytes; whole with 0.
    pub cut: usize,
    /// Work between two yields.
    pub yield_after: usize,
    /// Whether rules may stop the exchange.
    pub enforcement: Enforcement,
    /// Whether matches of `nolog` rules are kept.
    pub keeps_silent: bool,
}

/// Everything that can be seen of an exchange, as text, so that a difference shows where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What stopped it, and what would have.
    pub stop: String,
    /// Matches with all that they hold, and their error-log lines.
    pub matches: Vec<String>,
    /// The variables of TX in order, which the generated rule sets fill with all others.
    pub tx: Vec<String>,
    /// What kept the engine from looking at everything.
    pub shortfalls: String,
    /// What logs must not show, and what audit logs would.
    pub audit: String,
    /// Changes to persistent collections, in order.
    pub operations: Vec<String>,
    /// What was asked of the world, in order.
    pub asked: Vec<String>,
    /// Whether bodies were wanted.
    pub wanted: [bool; 2],
    /// What the plan's filters left. Not a part of what is compared.
    pub filters: FilterCounts,
}

impl Said {
    /// Whether some rule matched.
    pub fn matched(&self) -> bool {
        !self.matches.is_empty()
    }

    /// Rules that matched and say so in TX:h, as half of the generated ones do.
    pub fn hits(&self) -> usize {
        let mut hits: Vec<&str> = self
            .tx
            .iter()
            .find_map(|text| text.strip_prefix("h="))
            .map_or_else(Vec::new, |hits| hits.split_ascii_whitespace().collect());
        hits.sort_unstable();
        hits.dedup();
        hits.len()
    }

    /// Whether something stopped the exchange, or would have.
    pub fn stopped(&self) -> bool {
        self.stop != NO_STOP
    }

    /// The first things that two sayings differ in, for people.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let mut out = String::new();
        let mut differ = |what: &str, one: &dyn Debug, two: &dyn Debug, same: bool| {
            if !same {
                out.push_str(&format!("{what}:\n   {one:?}\n   {two:?}\n"));
            }
        };
        differ("stop", &self.stop, &other.stop, self.stop == other.stop);
        for (what, one, two) in [
            ("match", &self.matches, &other.matches),
            ("tx", &self.tx, &other.tx),
            ("operation", &self.operations, &other.operations),
            ("question", &self.asked, &other.asked),
        ] {
            let same = one.iter().zip(two).take_while(|(one, two)| one == two).count();
            let what = format!("{what} {same} (of {} and {})", one.len(), two.len());
            differ(&what, &one.get(same), &two.get(same), one == two);
        }
        differ("shortfalls", &self.shortfalls, &other.shortfalls, self.shortfalls == other.shortfalls);
        differ("audit", &self.audit, &other.audit, self.audit == other.audit);
        differ("bodies wanted", &self.wanted, &other.wanted, self.wanted == other.wanted);
        (!out.is_empty()).then_some(out)
    }
}

/// What [`Said::stop`] is when nothing stopped the exchange.
const NO_STOP: &str = "None None";

/// Chooses who evaluates. The plan is what a transaction begins with.
fn choose(transaction: &mut Transaction, evaluator: Evaluator) {
    match evaluator {
        Evaluator::Reference => transaction.use_reference(),
        Evaluator::Plan => {}
    }
}

/// Puts an exchange from its head to its end; `number` moves the clock on. What it asks of persistent collections is
/// read from the store and written to it at the end.
pub fn put(
    rules: &Arc<RuleSet>,
    exchange: &Exchange,
    manner: &Manner,
    number: u64,
    store: &mut MemoryStore,
) -> Said {
    let client: SocketAddr = SocketAddr::new(IpAddr::from([192, 0, 2, 7]), 4000);
    let server: SocketAddr = SocketAddr::new(IpAddr::from([192, 0, 2, 1]), 80);
    let connection = Connection { client, server, unique_id: "u".into() };
    let now = UnixMillis(1_700_000_000_000 + number * 12_000);
    let clock = Clock { now, utc_offset_seconds: 0, monotonic_micros: number };
    let transaction = Transaction::new(rules.clone(), connection, manner.enforcement, clock);
    let mut driver = Driver { transaction, clock, store, asked: Vec::new() };
    choose(&mut driver.transaction, manner.evaluator);
    if manner.keeps_silent {
        driver.transaction.keep_silent_matches();
    }
    driver.transaction.yield_after(manner.yield_after);
    driver.transaction.request_head(exchange.head.clone());
    driver.phase(Phase::RequestHeaders);
    let mut wanted = [driver.transaction.wants_request_body(), false];
    for piece in pieces(&exchange.body, manner.cut) {
        driver.transaction.request_body_chunk(piece);
    }
    driver.transaction.request_body_end();
    driver.phase(Phase::RequestBody);
    if let Some((head, body)) = &exchange.response {
        driver.transaction.response_head(head.clone());
        driver.phase(Phase::ResponseHeaders);
        wanted[1] = driver.transaction.wants_response_body();
        for piece in pieces(body, manner.cut) {
            driver.transaction.response_body_chunk(piece);
        }
        driver.phase(Phase::ResponseBody);
    }
    driver.phase(Phase::Logging);
    driver.said(wanted)
}

struct Driver<'s> {
    transaction: Transaction,
    clock: Clock,
    store: &'s mut MemoryStore,
    asked: Vec<String>,
}

impl Driver<'_> {
    fn phase(&mut self, phase: Phase) {
        let mut progress = self.transaction.run(phase, self.clock);
        loop {
            match progress {
                Progress::Done => return,
                Progress::Yield => {}
                Progress::Need(lookup) => {
                    self.asked.push(format!("{lookup:?}"));
                    let answer = self.answer(&lookup);
                    self.transaction.answer(answer);
                }
            }
            progress = self.transaction.resume(self.clock);
        }
    }

    /// By what is asked and not by when.
    fn answer(&mut self, lookup: &Lookup) -> Answer {
        match lookup {
            Lookup::Dns { name } if name.contains("192") => Answer::Dns(Some(IpAddr::from([127, 0, 0, 2]))),
            Lookup::Dns { name } if name.contains('4') => Answer::Unavailable,
            Lookup::Dns { .. } => Answer::Dns(None),
            Lookup::Geo { address } if address.is_ipv4() => {
                Answer::Geo(Some(GeoRecord { fields: vec![("COUNTRY_CODE".into(), "DE".into())] }))
            }
            Lookup::Geo { .. } => Answer::Geo(None),
            Lookup::Collection(key) => Answer::Collection(self.store.load(key, self.clock.now)),
        }
    }

    fn said(mut self, wanted: [bool; 2]) -> Said {
        let operations = self.transaction.take_operations();
        let transaction = &self.transaction;
        let said = Said {
            stop: format!("{:?} {:?}", transaction.interruption(), transaction.would_interrupt()),
            matches: transaction
                .matches()
                .iter()
                .map(|matched| format!("{matched:?} {}", error_log::line(transaction, matched)))
                .collect(),
            tx: transaction
                .tx()
                .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
                .collect(),
            shortfalls: format!("{:?}", transaction.shortfalls()),
            audit: format!(
                "{:?} {:?} {} {}",
                transaction.sanitised(),
                transaction.audit_engine(),
                transaction.audit_parts(),
                transaction.is_relevant(),
            ),
            operations: operations.iter().map(|operation| format!("{operation:?}")).collect(),
            asked: self.asked,
            wanted,
            filters: transaction.filter_counts(),
        };
        self.store.commit(operations);
        said
    }
}

fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn pieces(body: &[u8], cut: usize) -> impl Iterator<Item = &[u8]> {
    body.chunks(if cut == 0 { body.len().max(1) } else { cut })
}
