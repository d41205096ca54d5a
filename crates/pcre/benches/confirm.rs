//! What one search of a short value costs: `cargo bench -p palisade-pcre --bench confirm` prints times; under
//! `valgrind --tool=callgrind --toggle-collect='*confirm*search*'` it counts instructions, with `--once` of one round.

#[path = "../tests/support/crs.rs"]
mod crs;

use std::time::Instant;

use palisade_pcre::{Options, Pattern, Workspace};

const VALUE: &[u8] = b"deliver to 12 High St, (rear)";

fn main() {
    let once = std::env::args().any(|argument| argument == "--once");
    let Some(folder) = crs::folder("4.28.0") else { return };
    let patterns: Vec<Pattern> = crs::rules(&folder)
        .iter()
        .map(|rule| Pattern::new(&rule.pattern, Options::default()).expect("it compiles"))
        .collect();
    let mut workspace = Workspace::new();
    // States are built by the first searches.
    let matched = search(&patterns, &mut workspace) + search(&patterns, &mut workspace);
    println!("warm: {} patterns, {matched} matches, {} kB", patterns.len(), workspace.memory_usage() / 1024);
    let rounds = if once { 1 } else { 2_000 };
    let started = Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(search(&patterns, &mut workspace));
    }
    let nanos = started.elapsed().as_nanos() as f64 / f64::from(rounds) / patterns.len() as f64;
    println!("{nanos:.0} ns a search of {} bytes", VALUE.len());
}

#[inline(never)]
fn search(patterns: &[Pattern], workspace: &mut Workspace) -> usize {
    patterns.iter().filter(|pattern| pattern.is_match_in(workspace, VALUE) == Ok(true)).count()
}
