//! YAML as a tree whose every node knows where it was written, and what is wrong with it, shown at its place.
//!
//! What a value means is not decided here: a scalar is a text, and the key that it stands under says what it has to be.
//! Readers stand on this: the configuration file's (`palisade-config`), and [`objects`] and [`reader`] for objects of
//! Kubernetes's form (`palisade-policy`, `palisade-events`).
//!
//! The one idea to hold: any bytes give trees or one error, in time and memory bounded by [`YamlLimits`].

pub mod diagnostic;
mod json;
mod nearest;
pub mod node;
pub mod objects;
mod parse;
pub mod reader;

pub use diagnostic::{Diagnostic, Severity, Sink, Style};
pub use nearest::nearest;
pub use node::{Key, Node, Origin, Value, quoted};
pub use parse::{YamlLimits, parse, parse_documents};
