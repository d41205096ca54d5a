//! What CRS's patterns cost: compiling, memory, and matching ordinary and attack-like text.
//!
//! `cargo bench -p palisade-pcre` (rules are read from `../shared/crs`, and nothing is measured without them).

#[path = "../tests/support/crs.rs"]
mod crs;

use std::time::Instant;

use palisade_pcre::{Kind, Options, Pattern};

const PROSE: &str = "The committee met on Tuesday; it's 4 o'clock (or so), and \"nothing\" was decided -- see \
    https://example.org/minutes?id=42&lang=en for details. name=Jane+Doe&city=Z%C3%BCrich, total: 13.50 EUR.\n\
    {\"user\":{\"id\":7,\"tags\":[\"a\",\"b\"],\"note\":\"call back = later\"}}\r\n";

fn main() {
    for version in ["4.28.0", "3.3.9"] {
        let Some(folder) = crs::folder(version) else { continue };
        let rules = crs::rules(&folder);
        let compile = || -> Vec<Pattern> {
            rules.iter().map(|r| Pattern::new(&r.pattern, Options::default()).expect("it compiles")).collect()
        };
        let mut best = f64::MAX;
        let before = resident_kb();
        let patterns = compile();
        let grown = resident_kb().saturating_sub(before);
        for _ in 0..5 {
            let started = Instant::now();
            std::hint::black_box(compile());
            best = best.min(started.elapsed().as_secs_f64());
        }
        let bytes: usize = patterns.iter().map(Pattern::memory_usage).sum();
        println!(
            "CRS {version}: {} patterns, compiled in {:.1} ms, {bytes} bytes, resident +{grown} kB",
            rules.len(),
            best * 1e3
        );

        let attacks: Vec<u8> =
            crs::test_texts(&folder).into_iter().flat_map(|(_, t)| [t, b"\n".to_vec()].concat()).collect();
        let prose = PROSE.as_bytes().iter().copied().cycle().take(256 << 10).collect::<Vec<u8>>();
        for (name, text) in [("prose", prose), ("attacks", attacks)] {
            if text.is_empty() {
                continue;
            }
            let text = &text[..text.len().min(256 << 10)];
            for piece in [64, text.len()] {
                let mut total = 0.0;
                let mut slowest = (0.0, "");
                let mut cache_bytes = 0;
                for (pattern, rule) in patterns.iter().zip(&rules) {
                    let mut cache = pattern.create_cache();
                    let mut best = f64::MAX;
                    for _ in 0..3 {
                        let started = Instant::now();
                        for chunk in text.chunks(piece) {
                            let _ = std::hint::black_box(pattern.is_match_with(&mut cache, chunk));
                        }
                        best = best.min(started.elapsed().as_secs_f64());
                    }
                    total += best;
                    if best > slowest.0 {
                        slowest = (best, &rule.id);
                    }
                    cache_bytes += cache.memory_usage();
                }
                println!(
                    "  {name} in pieces of {piece}: {:.2} ns a byte and pattern, slowest {} with {:.1} ns; caches {:.1} MB",
                    total * 1e9 / (text.len() * patterns.len()) as f64,
                    slowest.1,
                    slowest.0 * 1e9 / text.len() as f64,
                    cache_bytes as f64 / 1e6,
                );
            }
        }
        let backtracking = patterns.iter().filter(|p| p.kind() == Kind::Backtracking).count();
        let bounds = patterns.iter().filter(|p| !p.hir_is_exact()).count();
        println!("  {backtracking} backtracking, {bounds} checked by a second matcher");
    }
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}
