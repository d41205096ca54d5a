//! Rate limits in common: requests are counted here as they come, and told; what all have counted is heard with the answer
//! and counted on from. Between two answers each process lets pass what it would let pass alone.

use std::sync::Arc;
use std::time::Duration;

use palisade_lists::{Counting, Rate, Together};
use tokio::sync::Notify;

use crate::client::{Client, Link};
use crate::counts::add;
use crate::reply;

/// Rate limits of this process.
pub trait Rates: Send + Sync {
    /// Requests that were counted and not told yet, so many keys at most. They count as told.
    fn taken(&self, most: usize) -> Vec<Taken>;
    /// What all have counted.
    fn known(&self, known: Vec<Known>);
    /// Whether what is counted is to be noted, since there is somebody to tell.
    fn tell(&self, tell: bool);
    /// Wakes when there is something to tell.
    fn wake(&self) -> Arc<Notify>;
}

/// Requests of one key.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The limit and the key, hashed: no store need know who asks.
    pub key: [u8; 16],
    /// How they are counted.
    pub rate: Rate,
    /// How many.
    pub count: u32,
}

/// What all have counted of one key.
#[derive(Clone, Debug)]
pub struct Known {
    /// The key, as it was told.
    pub key: [u8; 16],
    /// How much.
    pub together: Together,
}

/// Keys of one batch.
const BATCH: usize = 500;
/// A pause between batches, so that many requests are one.
const PAUSE: Duration = Duration::from_millis(10);

/// Tells and hears of counts, for ever.
pub(crate) async fn run(client: Arc<Client>, rates: Arc<dyn Rates>) {
    let wake = rates.wake();
    loop {
        let link = client.link().await;
        rates.tell(true);
        let why = loop {
            let taken = rates.taken(BATCH);
            if taken.is_empty() {
                // Not for ever: the link may be gone meanwhile.
                let _ = tokio::time::timeout(Duration::from_secs(1), wake.notified()).await;
                if client.holds(link.number()) {
                    continue;
                }
                break "the connection was closed".to_owned();
            }
            match tell(&link, &taken).await {
                Ok(known) => {
                    add(&client.counts.takes, taken.iter().map(|taken| taken.count as usize).sum());
                    rates.known(known);
                }
                Err(why) => break why,
            }
            tokio::time::sleep(PAUSE).await;
        };
        rates.tell(false);
        client.lost(link.number(), &why);
    }
}

async fn tell(link: &Link, taken: &[Taken]) -> Result<Vec<Known>, String> {
    let keys: Vec<String> =
        taken.iter().map(|taken| link.key(&format!("rate:{}", hex(&taken.key)))).collect();
    let mut arguments = Vec::with_capacity(3 * taken.len());
    for Taken { rate, count, .. } in taken {
        let (kind, length) = match rate.by {
            Counting::SlidingWindow => ("w", rate.per.as_millis().max(1)),
            Counting::LeakyBucket { .. } => ("b", rate.each().as_micros()),
        };
        arguments.extend([kind.to_owned(), length.to_string(), count.to_string()]);
    }
    let answer = link.run(include_str!("scripts/rates.lua"), &keys, &arguments).await?;
    let windows: Vec<bool> = taken.iter().map(|taken| taken.rate.by == Counting::SlidingWindow).collect();
    let together = reply::rates(&answer, &windows).ok_or("its counts of rates cannot be read")?;
    let known = taken.iter().zip(together).map(|(taken, together)| Known { key: taken.key, together });
    Ok(known.collect())
}

/// In hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
