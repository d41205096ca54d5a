//! Who comes to the bank: visitors, somebody who tries attacks, a pod with a stolen key, and a customer's pod that looks
//! where it should not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use palisade_sim::microsim::{
    Attack, Bounds, ClientSettings, Common, Counter, Counters, Ended, Ordinary, Simulator,
};
use palisade_sim::{Client, Method, Url};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::bank::Bank;

/// Visitors, each at an address of its own.
const VISITORS: u8 = 3;
/// Between two attempts of an intruder.
const INTRUSION_EVERY: Duration = Duration::from_secs(3);

/// What they did, and what became of it.
pub(super) struct Traffic {
    visitors: Vec<Arc<Counters>>,
    attacker: Option<Arc<Counters>>,
    intrusions: Arc<Intrusions>,
    end: watch::Sender<bool>,
    running: JoinSet<()>,
}

/// Attempts from inside, and those that were refused.
#[derive(Debug, Default)]
pub(super) struct Intrusions {
    stolen: AtomicU64,
    stolen_refused: AtomicU64,
    looks: AtomicU64,
    looks_refused: AtomicU64,
}

impl Traffic {
    /// Begins. The same seed makes the same choices.
    pub(super) fn start(bank: &Bank, seed: u64, attacks: bool) -> Result<Self> {
        let (end, ends) = watch::channel(false);
        let mut running = JoinSet::new();
        let url = Url::parse(&bank.url())?;
        let start = |simulator: Simulator, running: &mut JoinSet<()>| {
            let counters = simulator.counters().clone();
            let mut ends = ends.clone();
            running.spawn(async move {
                let told = async move {
                    let _ = ends.wait_for(|ended| *ended).await;
                };
                let _: Ended = simulator.run(None, Bounds::default(), told).await;
            });
            counters
        };
        let silent = Arc::new(|_: &str| {});
        let visitors = (0..VISITORS)
            .map(|number| {
                let settings = visitor(&url);
                let simulator =
                    Simulator::new(settings, None, seed.wrapping_add(number.into()), silent.clone());
                start(simulator.by(Client::default().from(bank.pods.at(101 + number))), &mut running)
            })
            .collect();
        let attacker = attacks.then(|| {
            let simulator = Simulator::new(attacker(&url), None, seed.wrapping_add(1000), silent.clone());
            start(simulator.by(Client::default().from(bank.pods.at(201))), &mut running)
        });
        Ok(Self { visitors, attacker, intrusions: Arc::default(), end, running })
    }

    /// Attempts from inside, for as long as it is asked. The bank is borrowed, so this is no task of its own.
    pub(super) async fn intrude(bank: &Bank, intrusions: &Intrusions) -> Result<()> {
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        loop {
            let stolen = bank.steal("10000.00").await?;
            count(&intrusions.stolen);
            if stolen.is_none_or(|status| status == 403) {
                count(&intrusions.stolen_refused);
            }
            let look = bank.look(Method::GET).await?;
            count(&intrusions.looks);
            if look.status == 403 {
                count(&intrusions.looks_refused);
            }
            tokio::time::sleep(INTRUSION_EVERY).await;
        }
    }

    pub(super) fn intrusions(&self) -> Arc<Intrusions> {
        self.intrusions.clone()
    }

    /// One line of what has happened so far.
    pub(super) fn summary(&self, bank: &Bank) -> String {
        let sum = |what: Counter| self.visitors.iter().map(|counters| counters.get(what)).sum::<u64>();
        let (refused, failed) = (sum(Counter::Blocked), sum(Counter::Failed) + sum(Counter::Error));
        let pages = sum(Counter::Requests).saturating_sub(refused + sum(Counter::Failed));
        let mut parts = vec![format!("visitors: {pages} pages, {refused} refused, {failed} failed")];
        if let Some(attacker) = &self.attacker {
            let refused: u64 =
                Attack::ALL.iter().map(|kind| attacker.get(Counter::BlockedAttack(*kind))).sum();
            parts.push(format!("attacks: {refused} of {} refused", attacker.get(Counter::Attacks)));
            let of = |refused: &AtomicU64, all: &AtomicU64| {
                format!("{} of {} refused", refused.load(Ordering::Relaxed), all.load(Ordering::Relaxed))
            };
            let inside = &self.intrusions;
            parts.push(format!("stolen key: {}", of(&inside.stolen_refused, &inside.stolen)));
            parts.push(format!(
                "customer's pod at the database: {}",
                of(&inside.looks_refused, &inside.looks)
            ));
        }
        parts.push(format!("attacks seen by services: {}", bank.attacks_seen.load(Ordering::Relaxed)));
        parts.push(format!("balance {}", bank.balance()));
        parts.join(" | ")
    }

    /// Ends; what has begun is waited for.
    pub(super) async fn end(&mut self) {
        let _ = self.end.send(true);
        while self.running.join_next().await.is_some() {}
    }
}

fn visitor(url: &Url) -> ClientSettings {
    ClientSettings { urls: vec![url.clone()], ..settings() }
}

fn attacker(url: &Url) -> ClientSettings {
    ClientSettings {
        urls: vec![url.clone()],
        attacks: Attack::ALL.to_vec(),
        request_probability: 0.0,
        attack_probability: 1.0,
        ..settings()
    }
}

fn settings() -> ClientSettings {
    ClientSettings {
        common: Common {
            stats_port: None,
            statsd_host: None,
            statsd_port: 8125,
            stop_seconds: 0,
            stop_padding: false,
        },
        urls: Vec::new(),
        egress_urls: Vec::new(),
        malware_url: None,
        dga_resolver: None,
        attacks: Vec::new(),
        wait: Duration::from_secs(1),
        request_bytes: 0,
        request_probability: 1.0,
        egress_probability: 0.0,
        attack_probability: 0.0,
        ordinary: Ordinary::Get,
        count_blocked: true,
    }
}
