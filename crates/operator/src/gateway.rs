//! The gateway's shell: watches what [`crate::ingress`] translates, offers the outcome to a data plane, and tells the cluster
//! what became of it: addresses on Ingresses, statuses of the Gateway API's objects, events about what is not served as it is
//! written. Of several gateways the one that holds the Lease writes.
//!
//! Nothing is decided here. What is watched lies in memory. A change after quiet is translated at once, and what comes in a row
//! together; what the cluster is told of it waits for nobody and holds nobody up, and of what was overtaken nothing is told.

mod objects;
mod statuses;
mod teller;
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use palisade_control::{Offers, Revision};
use tokio::sync::{Notify, watch};

pub use self::objects::ingress_objects;
use self::teller::{Addresses, News, Teller};
use self::world::World;
use crate::ingress::{Settings, Translator};
use crate::runtime::{Leader, LeaderSettings, Metrics};

/// What is watched, and where clients find the gateway.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The watched namespaces; all when empty.
    pub namespaces: Vec<String>,
    /// The controller's ConfigMap, namespace and name.
    pub config: Option<(String, String)>,
    /// The Service whose addresses Ingresses get, namespace and name.
    pub publish_service: Option<(String, String)>,
    /// Addresses that Ingresses get, beside those.
    pub publish_addresses: Vec<String>,
    /// The Lease that whoever writes holds, namespace and name.
    pub lease: (String, String),
    /// Who this is among those that would.
    pub identity: String,
}

/// Runs until the data plane ends. `say` takes lines for people.
pub async fn run(client: Client, scope: Scope, settings: Settings, offers: Offers, say: fn(&str)) {
    let changed = Arc::new(Notify::new());
    let world = World::follow(&client, &scope, &changed);
    let leader = Leader::start(
        client.clone(),
        LeaderSettings {
            namespace: scope.lease.0.clone(),
            name: scope.lease.1.clone(),
            identity: scope.identity.clone(),
            duration: LEASE,
        },
        Arc::new(Metrics::default()),
    );
    let mut leads = leader.leads();
    let mut said: Vec<String> = Vec::new();
    let mut tell_troubles = |world: &World| {
        let troubles = world.troubles();
        // The same trouble is told once.
        troubles.iter().filter(|line| !said.contains(line)).for_each(|line| say(line));
        said = troubles;
    };
    while !world.is_ready() {
        tell_troubles(&world);
        let _ = tokio::time::timeout(SETTLES * 5, changed.notified()).await;
    }
    let mut translator = Translator::default();
    let addresses = Addresses::follow(&client, &scope, &changed).await;
    let (news, told) = watch::channel(None);
    let telling = tokio::spawn(Teller::new(client, scope).follow(told, leader.leads(), say));
    let mut offered: Option<Revision> = None;
    loop {
        tell_troubles(&world);
        let began = Instant::now();
        let addresses = addresses.now();
        let observed = world.observed(&addresses);
        let translation = tokio::task::block_in_place(|| translator.translate(&observed, &settings));
        let revision = translation.bundle.revision();
        let translated = began.elapsed();
        if offered != Some(revision) {
            let Some(applied) = offers.offer(translation.bundle.clone()).await else { break };
            match &applied.outcome {
                Ok(stale) => {
                    offered = Some(revision);
                    for stale in stale {
                        say(&format!("{} {} stays as it was: {}", stale.kind, stale.name, stale.error));
                    }
                    say(&format!(
                        "gateway: {} Ingresses, {} objects of the Gateway API, translated in {} ms, in force after {} ms",
                        translation.ours.len(),
                        translation.statuses.len(),
                        translated.as_millis(),
                        began.elapsed().as_millis()
                    ));
                }
                Err(refused) => say(&format!("gateway: what is in force stays: {refused}")),
            }
        }
        news.send_replace(Some(Arc::new(News { observed, translation, addresses })));
        let done = tokio::time::Instant::now();
        tokio::select! {
            () = changed.notified() => {}
            led = leads.changed() => if led.is_err() { break },
            () = tokio::time::sleep(AGAIN) => {}
        }
        // After quiet this is over already; what comes in a row is translated once.
        tokio::time::sleep_until(done + SETTLES).await;
    }
    telling.abort();
    leader.release().await;
}

/// How long a silent leader keeps its place.
const LEASE: Duration = Duration::from_secs(15);

/// How long what comes in a row is gathered.
const SETTLES: Duration = Duration::from_millis(20);

/// How long what was refused, or what nobody told of, waits at most.
const AGAIN: Duration = Duration::from_secs(60);
