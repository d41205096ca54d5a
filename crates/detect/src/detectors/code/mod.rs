//! What the expressions of many languages have in common: names, strings, signs, calls, and what known functions do.
//!
//! Shared by the detectors of templates and of code; which language it is, and whether the text runs, is theirs to say.

mod functions;
mod tokens;

pub(super) use functions::{Does, call, is_handler_name, member_call, python_internal};
pub(super) use tokens::{Kind, Token, Tokens};
