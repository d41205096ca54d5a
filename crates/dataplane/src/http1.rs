//! HTTP/1.1 on the wire: a connection of a client, and both sides of an exchange.
//!
//! Read and written by ourselves, because a library that serves requests hides what an inspecting one has to see.

mod client;
mod connection;
mod head;
mod server;

pub(crate) use self::connection::Connection;
pub(crate) use self::server::Http1Server;
