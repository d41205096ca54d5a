//! Operators that die, the one that leads above all, and an API server that goes away, at random: everything converges, and no
//! Service is ever without endpoints. 20 seconds here; `bench/soak/run` does it for ten minutes.
//!
//! `PALISADE_SOAK_SECONDS` and `PALISADE_SOAK_SEED` say how long, and which of all ways.

mod pooled;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pooled::Cluster;
use serde_json::{Value, json};
use support::{Running, Upstream, get};

const SERVICES: [&str; 6] = ["customer", "summary", "database", "cart", "login", "search"];

/// Marsaglia's xorshift: the same seed, the same way.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn told(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is {text}, no number")))
}

#[test]
fn whoever_is_killed_everything_converges_and_no_service_is_without_endpoints() {
    let (seconds, seed) = (told("PALISADE_SOAK_SECONDS", 20), told("PALISADE_SOAK_SEED", 20_261_122));
    println!("{seconds} s, seed {seed}");
    let application = Upstream::start();
    let pod = application.url.strip_prefix("http://").unwrap().parse().unwrap();
    let cluster = Arc::new(Cluster::before(pod, "http", &SERVICES));
    support::eventually("endpoints", || {
        SERVICES.iter().all(|name| !cluster.endpoints_of(name).is_empty()).then_some(())
    });
    let mut operators = [cluster.operator(), cluster.operator()].map(Some);
    let _pool = cluster.pool();

    // Looked at all the time, by somebody who never waits for anybody.
    let (over, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (watched, ends, counted) = (cluster.clone(), over.clone(), looks.clone());
    let watcher = std::thread::spawn(move || {
        while !ends.load(Ordering::Relaxed) {
            for name in SERVICES {
                assert!(!watched.endpoints_of(name).is_empty(), "{name} has no endpoints");
            }
            counted.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
        }
    });

    let mut random = Random(seed.max(1));
    let mut done = [0_u64; 6];
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        let what = random.below(6) as usize;
        match what {
            0 => annotate(&cluster, &mut random),
            1 => {
                let which = random.below(2) as usize;
                kill(&mut operators[which], &cluster);
            }
            2 => {
                // The one that leads, by what it said last.
                let leads = |one: &Option<Running>| {
                    one.as_ref().is_some_and(|one| {
                        one.err()
                            .lines()
                            .rfind(|line| line.contains(" leads") || line.contains("no longer"))
                            .is_some_and(|line| !line.contains("no longer"))
                    })
                };
                if let Some(leader) = operators.iter().position(leads) {
                    kill(&mut operators[leader], &cluster);
                }
            }
            3 => {
                cluster.server.away(true);
                std::thread::sleep(Duration::from_millis(random.below(4000)));
                cluster.server.away(false);
            }
            4 => cluster.server.drop_watches(),
            _ => cluster.server.expire_watches(),
        }
        done[what] += 1;
        assert!(!watcher.is_finished(), "a Service had no endpoints");
        std::thread::sleep(Duration::from_millis(100 + random.below(900)));
    }
    let names = [
        "annotations",
        "operators killed",
        "leaders killed",
        "API server away",
        "watches dropped",
        "watches expired",
    ];
    names.iter().zip(done).for_each(|(name, times)| println!("{name}: {times}"));

    // All of it settles: those that are asked for lead to the pool, the others to their pod, and both answer.
    let wanted = SERVICES.map(|name| random.below(2) == 0 || name == "customer");
    for (name, wanted) in SERVICES.iter().zip(wanted) {
        cluster.annotate_service(name, if wanted { json!("true") } else { Value::Null });
    }
    let begun = Instant::now();
    let settled = |name: &str, wanted: bool| {
        let endpoints = cluster.endpoints_of(name);
        endpoints.len() == 1 && endpoints.contains(&pod) != wanted
    };
    while !SERVICES.iter().zip(wanted).all(|(name, wanted)| settled(name, wanted)) {
        assert!(begun.elapsed() < Duration::from_secs(120), "it does not settle");
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("settled after {:?}", begun.elapsed());
    for name in SERVICES {
        let at = *cluster.endpoints_of(name).first().unwrap();
        assert_eq!(get(at, "/", "").status, 200, "{name}");
    }
    over.store(true, Ordering::Relaxed);
    watcher.join().unwrap();
    println!("each Service looked at {} times, never without endpoints", looks.load(Ordering::Relaxed));
}

fn annotate(cluster: &Cluster, random: &mut Random) {
    let name = SERVICES[random.below(SERVICES.len() as u64) as usize];
    cluster.annotate_service(name, if random.below(2) == 0 { json!("true") } else { Value::Null });
}

/// SIGKILL, and another in its place.
fn kill(one: &mut Option<Running>, cluster: &Cluster) {
    drop(one.take());
    *one = Some(cluster.operator());
}
