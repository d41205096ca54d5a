//! What several threads of a machine do at once when they share nothing: the control of `bench/engine/scaling`.
//!
//! `registers` counts in registers, four sums at a time, so that two threads on the halves of one core share what one of
//! them would fill. `cache` walks 512 KiB of its own in an order that no prefetcher guesses: a second-level cache.
//!
//!     rustc -O controls.rs && ./controls registers SECONDS THREADS
//!
//! Prints steps a second of all threads, and nanoseconds of CPU time a step.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

const CACHE_WORDS: usize = (512 << 10) / 8;
/// Steps between two looks at the clock.
const STEPS: u64 = 1 << 14;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let (Some(kind), Some(seconds), Some(threads)) = (words.get(1), words.get(2), words.get(3)) else {
        panic!("controls registers|cache SECONDS THREADS");
    };
    let limit = Duration::from_secs_f64(seconds.parse().expect("seconds"));
    let threads: usize = threads.parse().expect("threads");
    let step: fn(&mut State) = match kind.as_str() {
        "registers" => registers,
        "cache" => cache,
        other => panic!("{other} is neither registers nor cache"),
    };
    let barrier = Barrier::new(threads);
    let work = || {
        let mut state = State::new();
        run(step, &mut state, limit / 5);
        barrier.wait();
        let (begun, cpu) = (Instant::now(), cpu_nanos());
        let done = run(step, &mut state, limit);
        (done, begun.elapsed().as_secs_f64(), cpu_nanos() - cpu)
    };
    let each: Vec<(u64, f64, f64)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it counts")).collect()
    });
    let rate: f64 = each.iter().map(|(done, took, _)| *done as f64 / took).sum();
    let cpu: f64 = each.iter().map(|(.., cpu)| cpu).sum::<f64>() / each.iter().map(|(done, ..)| *done as f64).sum::<f64>();
    println!("{rate} {cpu}");
}

struct State {
    sums: [u64; 4],
    next: Vec<u64>,
    at: u64,
}

impl State {
    fn new() -> Self {
        // One round through all words: each names the one after it, far away.
        let mut next = vec![0; CACHE_WORDS];
        let mut at = 0_usize;
        for _ in 0..CACHE_WORDS {
            // Full period: the factor is 1 more than a multiple of 4, what is added is odd, and there are 2^16 words.
            let to = (at * 40_501 + 12_345) % CACHE_WORDS;
            next[at] = to as u64;
            at = to;
        }
        Self { sums: [1, 2, 3, 4], next, at: 0 }
    }
}

fn run(step: fn(&mut State), state: &mut State, limit: Duration) -> u64 {
    let begun = Instant::now();
    let mut done = 0;
    while begun.elapsed() < limit {
        step(state);
        done += STEPS;
    }
    done
}

fn registers(state: &mut State) {
    let [mut a, mut b, mut c, mut d] = state.sums;
    for number in 0..STEPS {
        a = a.wrapping_mul(5).wrapping_add(number);
        b = b.wrapping_mul(9) ^ number;
        c = c.rotate_left(7).wrapping_add(number);
        d = (d ^ number).wrapping_mul(3);
    }
    state.sums = black_box([a, b, c, d]);
}

fn cache(state: &mut State) {
    let mut at = state.at;
    for _ in 0..STEPS {
        at = state.next[at as usize];
    }
    state.at = black_box(at);
}

fn cpu_nanos() -> f64 {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    said.split(' ').next().expect("a number").parse().expect("a number")
}
