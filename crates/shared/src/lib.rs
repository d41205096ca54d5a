//! State that several data planes have in common, in a Redis or Valkey: lists of sources, counts of rate limits, modes of
//! services, persistent collections of rules.
//!
//! ```text
//!   a request ──> what this process knows ──────────────> its answer
//!                    │ changes        ▲ what others did
//!                    ▼                │
//!                 one thread: lists, rates, modes, ... ──> Redis, by scripts that change all of a batch or nothing
//! ```
//!
//! The one idea to hold: nothing that a request needs is in Redis alone. Lists and counts are answered from memory, and
//! exchanged beside requests; a collection that is not known freshly is waited for, a few milliseconds at most. Where Redis
//! is away everything goes on with what this process knows, and what it did meanwhile is told when Redis is back.
//!
//! What is read back is hostile input, whoever wrote it: scripts bound what they send, and [`reply`] takes what holds
//! together.
//!
//! Not here: where the lists are kept and what is done with them (the binary), how rates are counted (`palisade-lists`), what
//! operations on collections mean (`palisade-engine`), configuration and TLS (whoever hands in a [`Connect`]).

mod client;
mod collections;
mod counts;
mod lists;
mod modes;
mod rates;
pub mod reply;

pub use client::{Client, Connect, Opened, Settings, Stream};
pub use collections::Collections;
pub use counts::Counts;
pub use lists::{Lists, Mark, Outbox, Word};
pub use modes::{ModeWord, Modes};
pub use rates::{Known, Rates, Taken};
pub use redis::{Value, parse_redis_value};

use std::sync::Arc;

/// Runs all of it, for ever. In a tokio runtime, best in one of its own: a million entries that come at once hold up nobody
/// else's requests then.
pub async fn run(
    client: Arc<Client>,
    lists: Arc<dyn Lists>,
    outbox: Arc<Outbox>,
    rates: Arc<dyn Rates>,
    modes: Arc<dyn Modes>,
    collections: Arc<Collections>,
) {
    tokio::join!(
        client.clone().run(),
        lists::run(client.clone(), lists, outbox),
        rates::run(client.clone(), rates),
        modes::run(client, modes),
        collections.run(),
    );
}
