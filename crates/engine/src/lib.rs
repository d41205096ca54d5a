//! The rule engine: a compiled [`RuleSet`] and, for each exchange, a [`Transaction`] that runs it.
//!
//! ```text
//! palisade_seclang::load -> Program -> compile -> RuleSet (immutable, shared)
//!                                                   |
//! head, body, response -> Transaction (owned) ------+--> matches, interruption, operations
//! ```
//!
//! The engine is a function of its inputs: rule files come through a loader, the time through [`Clock`], and
//! what the world knows (names, places, persistent collections) through [`Lookup`] and [`Answer`]. It opens no
//! file and no socket and writes no log; [`error_log`] only says what a line looks like.
//!
//! What it deliberately does not do: run programs or Lua, write uploads to disk, change bodies.

mod audit;
mod caps;
mod compile;
mod debug_log;
mod effects;
pub mod error_log;
mod evaluate;
mod exceptions;
mod expand;
mod interner;
mod keys;
pub mod lookup;
mod matched;
mod number;
pub mod operator;
pub mod persistent;
mod plan;
mod recycle;
mod reference;
mod ruleset;
mod settings;
mod sources;
mod store;
mod transaction;
mod variables;

pub use audit::{FromMacros, RelevantStatus};
pub use caps::Caps;
pub use compile::compile;
pub use debug_log::{DebugEntry, DebugText};
pub use exceptions::{Exception, Exceptions, path_is_below};
pub use interner::Interner;
pub use lookup::{Answer, GeoRecord, Lookup};
pub use number::leading_integer;
pub use palisade_seclang::ast::{LimitAction, Phase, RuleEngine};
pub use plan::{FilterCounts, Needs, Seen, Sieve};
pub use reference::reference;
pub use ruleset::{Disruptive, Link, Removed, Rule, RuleId, RuleIndex, RuleSet, SkipTo, written_text};
pub use settings::{AuditSettings, Settings};
pub use sources::{LoadedRules, RuleSources, load_rules, load_rules_with};
pub use transaction::{
    Enforcement, Evaluated, Interruption, InterruptionAction, MATCH_TEXT_BYTES_MAX, Match, Progress,
    Sanitised, Shortfall, Transaction,
};
pub use variables::{Clock, Connection};
