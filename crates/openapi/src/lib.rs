//! OpenAPI 3.0 and 3.1 as a firewall needs them: a specification is compiled once, and every request is held against it.
//!
//! ```text
//!  text --yaml--> nodes --compile--> Specification: router, operations, schemas (an arena; a $ref is a number)
//!                                        │
//!  RequestHead ──begin──> Check ─ endpoint, authentication, parameters of path, query, header and cookie
//!  body pieces ──feed───>   │
//!              ──end────>   └ body: JSON, forms, multipart ──> Tree ──validate──> Breaches
//! ```
//!
//! The one idea to hold: **a parameter and a JSON body become the same `tree`**, so that one validator knows what a
//! schema means. A parameter's texts stay texts there (`Raw`), and the schema says what they are.
//!
//! Everything is bounded by [`Limits`]: a `$ref` that leads back is a number and costs nothing, what a schema said of a
//! value is remembered where several branches ask again, and the work of one request is counted. At a bound the check
//! says that it stopped; it never passes silently.
//!
//! Not here: what is done about a breach (`palisade-inspect`), files (texts come in), responses, and references to
//! other documents, which are refused.

mod breach;
mod check;
mod compile;
mod credential;
mod fields;
mod format;
mod json;
mod number;
mod operation;
mod pattern;
mod percent;
mod router;
mod schema;
mod style;
mod tree;
mod validate;

pub use breach::{Breach, Violation};
pub use check::Check;
pub use compile::{SPECIFICATION_BYTES_MAX, SpecificationRead, read};
pub use credential::Shown;
pub use operation::Specification;

/// Bounds of what one request may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body that is held against a schema. Longer ones are said to be.
    pub body_bytes_max: usize,
    /// Steps of validation: about one for each value and schema that meet, more for long texts.
    pub work_max: u64,
    /// How deep a JSON body may nest.
    pub depth_max: usize,
    /// Values of a body, and of all parameters.
    pub values_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Wallarm's bound.
            body_bytes_max: 1024 * 1024,
            // A body at the bound above that is all small numbers takes a third of it.
            work_max: 2_000_000,
            depth_max: 100,
            values_max: 300_000,
        }
    }
}
