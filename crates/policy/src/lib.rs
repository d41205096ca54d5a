//! Who may talk to whom, and with what request: Calico's application layer policy, exactly, then better.

pub mod labels;
mod selector;

pub use labels::Labels;
pub use selector::{Expr, LABEL_BYTES_MAX, NESTING_MAX, SELECTOR_BYTES_MAX, Selector, SelectorError};
