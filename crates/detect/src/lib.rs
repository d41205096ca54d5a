//! Attacks found without signatures: a request is decoded the way applications decode, and each text in it is asked
//! whether it is code in a language that an application might run.
//!
//! ```text
//!  head ─┐
//!        ├─> descent: points ──> readings (percent, base64, JSON in a field, ...) ──> Value
//!  body ─┘                                                                              │ gate: bytes that must occur
//!                                                                                       ▼
//!                                                                detectors::{sql, xss, shell, ...} ──> Finding
//! ```
//!
//! The one idea to hold: **a detector reads one value at a time and says what it reads there.** Where values come from,
//! how they were wrapped and how much of that is affordable is the descent's; what a finding is worth is `inspect`'s to
//! decide. Nothing here knows of profiles, modes or rules, does I/O, or panics on any input; all work is bounded by
//! [`DetectLimits`] and linear in what is looked at.
//!
//! A new detector is one file in `detectors/`, one line in its table, and one case file in `testdata/detect/`.

mod descent;
mod detection;
mod detectors;
mod finding;
mod limits;
mod recall;
mod value;

pub use descent::BodyForm;
pub use detection::{Detection, Progress, detect_value, detect_with, detectors, prepare, strongest};
pub use finding::{Confidence, Finding, FindingPoint};
pub use limits::{DetectLimits, Spent};
pub use palisade_model::Attack;
pub use recall::Recall;
pub use value::{Decoding, Step, Value};
