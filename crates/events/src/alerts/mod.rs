//! Calico's alerts: questions that are put to records again and again, and who hears of the answers.
//!
//! ```text
//! files ──kinds──> GlobalAlert ─────┐
//!                  AlertException ──┤
//! batches of the Bus ──take──> Watch (rows within lookback) ──evaluate, each period──> Fired ──event──> JSON (5.3)
//!                                │                                                                       │
//!                              State <──> alerts.json in the data folder                    Bus, webhooks
//! ```
//!
//! An alert without `metric` and `aggregateBy` fires once for each record, ever. With `aggregateBy` it fires for each
//! combination of values that newly came, with `metric` where the value of all records within `lookback` satisfies the
//! condition and that of those it has not fired for yet does so by itself. So windows that overlap repeat nothing: what a
//! fingerprint has fired for is remembered by the newest record's id, since ids grow.
//!
//! Not here: threads, files and clocks, except in [`state`], `engine` and `deliver`.

mod alert;
mod deliver;
mod engine;
mod event;
mod kinds;
mod mail;
mod shown;
pub mod state;
mod template;
#[cfg(test)]
mod tests;
mod watch;
pub mod webhook;

pub use alert::{AlertException, Asks, Condition, GlobalAlert, Metric};
pub use deliver::Hook;
pub use engine::{AlertSet, AlertStatus, Alerts, AlertsSetting, History};
pub use event::{ALERT_KIND, alert_event, security_event, test_event};
pub use kinds::{ALERT_FILE_BYTES_MAX, AlertObject, AlertsRead, read_alerts};
pub use template::Template;
pub use watch::{FIRINGS_MAX, Fired, ROWS_MAX, Watch};
