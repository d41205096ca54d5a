//! The debug log: what the engine did, rule by rule, when `SecDebugLogLevel` or `ctl:debugLogLevel` asks for it.
//!
//! ```text
//! 3  what could not be looked at            (written at the end, from the shortfalls)
//! 4  rules: what they execute, and whether they matched
//! 5  phases, ctl and other actions
//! 8  variables that are set
//! 9  transformations, and every value that an operator looks at
//! ```
//!
//! Entries are raw, so that whoever writes them can mask them by what they are about. They are kept only where the
//! rules name a file by `SecDebugLog`. Without that the transaction has no debug log, and each hook costs one look at an
//! `Option`. Rules are then evaluated as they are written, one after the other: a plan that visits fewer shows fewer.

use palisade_seclang::ast::Phase;

use crate::ruleset::{Effect, Rule};
use crate::store::Name;
use crate::transaction::Transaction;
use crate::variables::Store;

/// One line of the debug log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebugEntry {
    /// From 1 to 9.
    pub level: u8,
    /// What it says.
    pub text: DebugText,
}

/// What a line of the debug log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DebugText {
    /// Our words and the rules'.
    Words(String),
    /// An operator looked at a value, here after its transformations.
    Looked {
        /// `ARGS:q`.
        target: Vec<u8>,
        /// Its beginning.
        value: Vec<u8>,
    },
    /// A rule set a variable.
    Saved {
        /// `TX:score`.
        name: Vec<u8>,
        /// The beginning of its value.
        value: Vec<u8>,
    },
}

/// The entries of one transaction.
#[derive(Debug, Default)]
pub(crate) struct DebugLog {
    entries: Vec<DebugEntry>,
    bytes: usize,
    left_out: u64,
    /// The trace of values is there for us only.
    owns_trace: bool,
    /// Values of the trace that are among the entries.
    traced: usize,
}

/// Bytes of entries that one transaction keeps. CRS at level 4 needs a fifth of it. What comes later is counted.
const ENTRIES_BYTES_MAX: usize = 1 << 20;
/// Bytes of a value that one entry keeps.
const VALUE_BYTES_MAX: usize = 512;

impl Transaction {
    /// Lines for the debug log in order, and how many did not fit.
    pub fn debug_entries(&self) -> (&[DebugEntry], u64) {
        self.debug.as_ref().map_or((&[], 0), |debug| (&debug.entries, debug.left_out))
    }

    /// What `SecDebugLogLevel` and `ctl:debugLogLevel` came to.
    pub fn debug_level(&self) -> u8 {
        self.control.debug_log_level
    }

    /// Begins or ends the debug log, by the level in force.
    pub(crate) fn follow_debug_level(&mut self) {
        if self.control.debug_log_level > 0 && self.rules.settings.debug_log.is_some() && self.debug.is_none()
        {
            self.debug = Some(Box::default());
        }
        if self.debug.is_some() && self.control.debug_log_level >= 4 {
            self.plan.off = true;
        }
    }

    pub(crate) fn debug_phase(&mut self, phase: Phase) {
        if self.debug.is_none() {
            return;
        }
        let rules = self.rules.program(phase).len();
        let name = match phase {
            Phase::RequestHeaders => "REQUEST_HEADERS",
            Phase::RequestBody => "REQUEST_BODY",
            Phase::ResponseHeaders => "RESPONSE_HEADERS",
            Phase::ResponseBody => "RESPONSE_BODY",
            Phase::Logging => "LOGGING",
        };
        self.debug_words(5, || format!("Starting phase {name}. (SecRules {}, {rules} rules)", phase as u8));
    }

    /// Before a rule is run.
    pub(crate) fn debug_rule(&mut self, rule: &Rule) {
        if self.debug.is_none() {
            return;
        }
        if self.control.debug_log_level >= 9 && self.trace.is_none() {
            self.trace = Some(Vec::new());
            if let Some(debug) = &mut self.debug {
                (debug.owns_trace, debug.traced) = (true, 0);
            }
        }
        self.debug_words(4, || {
            let link = &rule.links[0];
            let looks_at = link.targets.iter().map(|target| target.describe()).collect::<Vec<_>>().join("|");
            match &link.condition {
                Some(condition) => format!(
                    "(Rule: {}) Executing operator \"{}{}\" with param \"{}\" against {looks_at}.",
                    rule.id,
                    if condition.negated { "!" } else { "" },
                    condition.name.as_str(),
                    condition.argument
                ),
                None => format!("(Rule: {}) Executing unconditional rule...", rule.id),
            }
        });
        self.debug_words(9, || {
            let names: Vec<String> =
                rule.links[0].transformations.iter().map(|t| format!("t:{}", t.name())).collect();
            format!("Transformations: {}", if names.is_empty() { "none".into() } else { names.join(",") })
        });
    }

    /// After a rule was run.
    pub(crate) fn debug_result(&mut self, matched: Option<bool>) {
        let Some(debug) = &mut self.debug else { return };
        if let Some(trace) = &mut self.trace {
            if self.control.debug_log_level >= 9 {
                for looked in trace.iter().skip(debug.traced) {
                    let (target, value) = (beginning(&looked.target), beginning(&looked.value));
                    debug.push(9, DebugText::Looked { target, value });
                }
            }
            debug.traced = trace.len();
            if debug.owns_trace {
                self.trace = None;
            }
        }
        self.debug_words(4, || match matched {
            Some(matched) => format!("Rule returned {}.", u8::from(matched)),
            None => "Rule waits for an answer.".to_owned(),
        });
    }

    pub(crate) fn debug_effect(&mut self, effect: &Effect) {
        if self.debug.is_none() {
            return;
        }
        self.debug_words(5, || match effect {
            Effect::Ctl(ctl) => format!("Running action: ctl {ctl:?}"),
            Effect::RemoveRules(_) => "Running action: ctl:ruleRemove".to_owned(),
            Effect::RemoveTargets { exclusion, .. } => {
                format!(
                    "Running action: ctl:ruleRemoveTarget {}{}",
                    exclusion.variable,
                    exclusion.selector.describe()
                )
            }
            Effect::ExpireVariable { .. } => "Running action: expirevar".to_owned(),
            Effect::DeprecateVariable { .. } => "Running action: deprecatevar".to_owned(),
            Effect::SetEnvironment { .. } => "Running action: setenv".to_owned(),
            _ => "Running action: sanitise".to_owned(),
        });
    }

    pub(crate) fn debug_saved(&mut self, store: Store, key: &[u8], value: &[u8]) {
        let Some(debug) = &mut self.debug else { return };
        if self.control.debug_log_level < 8 {
            return;
        }
        let collection = match store {
            Store::Tx => "TX".to_owned(),
            Store::Env => "ENV".to_owned(),
            Store::Persistent(collection) => format!("{collection:?}").to_ascii_uppercase(),
        };
        let name = [collection.as_bytes(), b":", &beginning(key)].concat();
        debug.push(8, DebugText::Saved { name, value: beginning(value) });
    }

    /// A variable of TX was set by its number.
    pub(crate) fn debug_numbered(&mut self, name: Name) {
        if self.debug.is_none() {
            return;
        }
        let key = self.vars.tx.names().text(name.written).to_vec();
        let value = self.vars.tx.value(name.slot).map(beginning).unwrap_or_default();
        self.debug_saved(Store::Tx, &key, &value);
    }

    fn debug_words(&mut self, level: u8, words: impl FnOnce() -> String) {
        if self.control.debug_log_level < level {
            return;
        }
        if let Some(debug) = &mut self.debug {
            debug.push(level, DebugText::Words(words()));
        }
    }
}

impl DebugLog {
    fn push(&mut self, level: u8, text: DebugText) {
        let bytes = ENTRY_OVERHEAD_BYTES
            + match &text {
                DebugText::Words(words) => words.len(),
                DebugText::Looked { target: name, value } | DebugText::Saved { name, value } => {
                    name.len() + value.len()
                }
            };
        if self.bytes + bytes > ENTRIES_BYTES_MAX {
            self.left_out += 1;
            return;
        }
        self.bytes += bytes;
        self.entries.push(DebugEntry { level, text });
    }
}

/// What an entry costs beside its texts.
const ENTRY_OVERHEAD_BYTES: usize = 64;

fn beginning(text: &[u8]) -> Vec<u8> {
    text[..text.len().min(VALUE_BYTES_MAX)].to_vec()
}
