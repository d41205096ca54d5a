//! Other people's engines as oracles for our tests, loaded at run time.
//!
//! What lives here: safe wrappers around shared libraries that a Debian machine has or can install. Nothing is
//! linked at build time, so the workspace builds without them and a test that needs one prints why it was skipped.
//!
//! What deliberately does not: anything that ships. No crate but tests and tools may depend on this one, and it
//! depends on none of ours, so that an oracle can never agree with us by sharing our code.

pub mod modsecurity;
pub mod pcre2;
