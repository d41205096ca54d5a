//! Cost of a lookup among a million entries, and of a change. `cargo bench -p palisade-lists`; the numbers that are
//! published stand in `bench/record/lists.md`.

use std::hint::black_box;
use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use palisade_lists::{
    Entry, Limits, Listing, Lists, Moment, Network, Nowhere, Origin, Scope, Source, Subject,
};

const ENTRIES: usize = 1_000_000;
const LOOKUPS: usize = 2_000_000;

fn main() {
    let v4 = |bits: fn(u64) -> u8| {
        move |random: u64| Network::around(IpAddr::V4((random as u32).into()), bits(random >> 32))
    };
    let v6 = |bits: fn(u64) -> u8| {
        move |random: u64| {
            let address = u128::from(random.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(random);
            Network::around(IpAddr::V6((0x2000 << 112 | address >> 4).into()), bits(random >> 32))
        }
    };
    let mixed_v4 = v4(|random| 16 + (random % 17) as u8);
    let mixed_v6 = v6(|random| 32 + (random % 97) as u8);
    // Each in a process of its own, so that memory is what it takes and not what another left.
    match std::env::args().nth(1).as_deref() {
        Some("0") => measure("IPv4 addresses", v4(|_| 32)),
        Some("1") => measure("IPv4 networks of 16 to 32 bits", mixed_v4),
        Some("2") => measure("IPv6 networks of 64 bits", v6(|_| 64)),
        Some("3") => measure("IPv6 networks of 32 to 128 bits", mixed_v6),
        Some("4") => measure("the second and the fourth by halves", move |random| {
            if random >> 63 == 0 { mixed_v4(random) } else { mixed_v6(random) }
        }),
        _ => {
            let this = std::env::current_exe().expect("the path of this program");
            for case in ["0", "1", "2", "3", "4"] {
                assert!(Command::new(&this).arg(case).status().expect("it runs").success());
            }
        }
    }
}

fn measure(what: &str, network: impl Fn(u64) -> Network) {
    let mut random = Random(0x853c_49e6_748f_ea9b);
    let mut lists = Lists::new(Limits::default());
    let (by, reason): (Arc<str>, Arc<str>) = ("bench".into(), "bench".into());
    let networks: Vec<Network> = (0..ENTRIES).map(|_| network(random.next())).collect();
    // A third is for two applications, a third ends, some of it before anybody asks.
    let scope = Scope::of(vec![1, 2]).expect("two are not too many");
    let entry = |(number, network): (usize, &Network)| Entry {
        list: Listing::Deny,
        subject: Subject::Network(*network),
        scope: if number % 3 == 0 { scope.clone() } else { Scope::ALL },
        origin: Origin::Api,
        reason: reason.clone(),
        created: Moment(0),
        expires: (number % 3 == 1).then_some(Moment(number as u64 % 100)),
    };
    let resident_before = resident_bytes();
    let began = Instant::now();
    let mut slowest = 0;
    for numbered in networks.iter().enumerate() {
        let one = Instant::now();
        lists.add(entry(numbered), Moment(0), &by).expect("there is room");
        slowest = slowest.max(one.elapsed().as_micros());
    }
    let added = began.elapsed();
    let len = lists.len(Listing::Deny);
    let entry_bytes = resident_bytes().saturating_sub(resident_before) / len;

    let strangers: Vec<IpAddr> = (0..LOOKUPS).map(|_| network(random.next()).address()).collect();
    let listed: Vec<IpAddr> =
        strangers.iter().map(|_| networks[random.next() as usize % ENTRIES].address()).collect();
    let strangers_ns = lookups(&lists, &strangers);
    let listed_ns = lookups(&lists, &listed);

    let began = Instant::now();
    for numbered in networks.iter().enumerate().take(100_000) {
        lists.remove(&entry(numbered).id(), Moment(0), &by);
    }
    let removed = began.elapsed() / 100_000;
    println!(
        "{what}: {len} entries; lookup of strangers {:.0} ns (least {:.0}), of the listed {:.0} ns (least {:.0}); add {:?} \
         (slowest {slowest} us), remove {removed:?}; {entry_bytes} bytes an entry",
        strangers_ns.0,
        strangers_ns.1,
        listed_ns.0,
        listed_ns.1,
        added / ENTRIES as u32
    );
}

/// Nanoseconds of a lookup: the median and the least of batches of ten thousand. On a machine that others use as well the
/// least is nearer to the truth.
fn lookups(lists: &Lists, addresses: &[IpAddr]) -> (f64, f64) {
    let mut batches: Vec<f64> = addresses
        .chunks(10_000)
        .map(|batch| {
            let began = Instant::now();
            for address in batch {
                let source = Source { address: *address, application: Some(1), places: &Nowhere };
                black_box(lists.find(&source, Moment(50)));
            }
            began.elapsed().as_nanos() as f64 / batch.len() as f64
        })
        .collect();
    batches.sort_unstable_by(f64::total_cmp);
    (batches[batches.len() / 2], batches[0])
}

/// Memory of this process that is in use.
fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number of pages") * 4096
}

/// xorshift: numbers without a pattern that matters here, the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
