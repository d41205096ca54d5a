//! The nouns that every part of Palisade shares. No behaviour that needs a request, a rule or a socket.

mod mode;
mod verdict;

pub use mode::{Mode, UnknownMode};
pub use verdict::{Stage, Verdict};
