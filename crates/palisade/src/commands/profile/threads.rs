//! Several threads at once: how many exchanges they make in a second, and what each exchange takes of a CPU.
//!
//! Told beside the rate is the CPU time, since the rate of several threads says little where others use the machine as
//! well, or where its CPUs are halves of cores. What an exchange costs more beside others than alone is what threads are in
//! each other's way.

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use palisade_inspect::{Detail, MemoryStore, Service};

use super::Case;
use crate::exchange::inspect;

/// What so many threads do at once.
#[derive(Clone, Copy)]
pub(super) struct Throughput {
    /// Exchanges a second, of all threads.
    pub(super) per_second: f64,
    /// CPU time of an exchange; `None` where the system does not say it as Linux does.
    pub(super) cpu: Option<Duration>,
}

/// Of the time that is measured, so much comes before, for each thread to warm what is its own.
const WARM_UP: u32 = 5;

impl Throughput {
    pub(super) fn of(case: &Case, service: &Arc<Service>, threads: usize, limit: Duration) -> Self {
        let barrier = Barrier::new(threads);
        let work = || {
            run(case, service, limit / WARM_UP);
            barrier.wait();
            let (begun, cpu) = (Instant::now(), cpu_time());
            let done = run(case, service, limit);
            let cpu = cpu.zip(cpu_time()).map(|(before, after)| after.saturating_sub(before));
            (done, begun.elapsed(), cpu)
        };
        let each: Vec<(u64, Duration, Option<Duration>)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join().expect("an inspection does not panic")).collect()
        });
        let done: u64 = each.iter().map(|(done, ..)| done).sum();
        let cpu: Option<Duration> = each.iter().map(|(.., cpu)| *cpu).sum();
        Self {
            per_second: each.iter().map(|(done, took, _)| *done as f64 / took.as_secs_f64()).sum(),
            cpu: cpu.map(|cpu| cpu.div_f64(done.max(1) as f64)),
        }
    }
}

/// How often it is done within a time.
fn run(case: &Case, service: &Arc<Service>, limit: Duration) -> u64 {
    let begun = Instant::now();
    let mut store = MemoryStore::default();
    let mut done = 0;
    for exchange in case.variants.iter().cycle() {
        inspect(exchange, service, Detail::Normal, "profile".to_owned(), &mut store);
        done += 1;
        if begun.elapsed() >= limit {
            break;
        }
    }
    done
}

/// CPU time of this thread so far.
fn cpu_time() -> Option<Duration> {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    said.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}
