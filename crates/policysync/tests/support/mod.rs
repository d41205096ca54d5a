//! An agent of our own: worlds of objects as its messages, and a server that says them.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod agent;
pub(crate) mod wire;
