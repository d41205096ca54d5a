//! Services that stand behind Palisade in demos and tests: what a WAF protects, not a part of it.
//!
//! - [`vulnerable_shop`]: a web shop that is deliberately vulnerable and only pretends to be.
//! - [`echo`]: answers what it received.
//!
//! Each service is a plain function from a request to an answer; [`serve`] puts them on a socket. What deliberately
//! does not live here: anything of our own HTTP reading. A service behind us is somebody else's server, so this is
//! plain hyper, with hyper's opinions about what a request is.

pub mod echo;
mod server;
pub mod vulnerable_shop;

pub use server::{Answer, BODY_BYTES_MAX, CONNECTIONS_MAX, DRAIN_MAX, Request, serve};
