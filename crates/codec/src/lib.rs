//! Bytes to bytes: the codecs that rules and detectors share.
//!
//! [`transform`] holds SecLang's transformations and the decoders they are made of, [`libinjection`] the verdicts
//! behind `@detectSQLi` and `@detectXSS`. Nothing here knows of requests, rules or engines, does I/O, or panics on
//! any input.

pub mod libinjection;
pub mod transform;

pub use transform::{ByteSet, Context, Effect, Transformation, UnicodeMap, UnicodeMapError};
