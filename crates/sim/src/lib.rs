//! What stands around Palisade in demonstrations and tests: services behind it, and clients before it. Not a part of it.
//!
//! - [`bank`]: YAO Bank, three services that know each other by name, with an identity each.
//! - [`microsim`]: a server and a client that make ordinary traffic and attacks, by microsim's environment and words.
//! - [`vulnerable_shop`]: a web shop that is deliberately vulnerable and only pretends to be.
//! - [`echo`]: answers what it received.
//! - [`bulk_index`]: takes what is sent to Elasticsearch or OpenSearch.
//! - [`identity`]: a throw-away certificate authority.
//!
//! Each service is a plain function from a request to an answer; [`serve`] puts it on a socket, and [`Client`] asks one.
//! What deliberately does not live here: anything of our own HTTP reading. A service behind us is somebody else's server,
//! so this is plain hyper, with hyper's opinions about what a request is. Nothing here talks to anybody who was not named
//! to it.

pub mod bank;
pub mod bulk_index;
mod client;
pub mod echo;
pub mod identity;
pub mod microsim;
mod server;
pub mod vulnerable_shop;

pub use hyper::Method;

pub use client::{Call, Client, ClientError, REPLY_BYTES_MAX, Reply, Sockets, Url, UrlError};
pub use server::{Answer, BODY_BYTES_MAX, CONNECTIONS_MAX, DRAIN_MAX, Ends, Request, Service, serve};
