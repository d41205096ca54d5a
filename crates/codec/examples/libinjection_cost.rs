//! What a verdict costs: nanoseconds a call for ordinary values of some 30 bytes, and the mean over a corpus.
//!
//! `cargo run --release -p palisade-codec --example libinjection_cost -- [FILE.jsonl]`, where each line of the file is an
//! object with a `payload`. Prints the least of many batches, which other work on the machine disturbs little.

use std::hint::black_box;
use std::time::{Duration, Instant};

use palisade_codec::libinjection::{sqli, sqli_ungated, xss, xss_ungated};

const ORDINARY: [&str; 9] = [
    "hello world, this is some text",
    "joe.smith+news@mail.example.com",
    "Mozilla/5.0 (X11; Linux x86_64)",
    "2026-11-21T10:20:30.123456789Z",
    "/shop/products/item-1234.html?",
    "3f2504e0-4f89-11d3-9a0c-0305e8",
    "user_profile_settings_theme_id",
    "text/html,application/xml;q=0.9",
    "123456789012345678901234567890",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{:>9} {:>9} {:>9} {:>9}", "sqli", "no gate", "xss", "no gate");
    for value in ORDINARY {
        print_row(&[value.as_bytes().to_vec()], value);
    }
    print_row(&ORDINARY.map(|value| value.as_bytes().to_vec()), "all of these");
    if let Some(file) = std::env::args().nth(1) {
        let mut corpus = Vec::new();
        for line in std::fs::read_to_string(&file)?.lines() {
            let case: serde_json::Value = serde_json::from_str(line)?;
            corpus.extend(case["payload"].as_str().map(|payload| payload.as_bytes().to_vec()));
        }
        let mean = corpus.iter().map(Vec::len).sum::<usize>() / corpus.len().max(1);
        print_row(&corpus, &format!("{file}: {} values, mean {mean} bytes", corpus.len()));
    }
    Ok(())
}

fn print_row(values: &[Vec<u8>], name: &str) {
    let cells = [
        ns_per_call(values, |value| sqli(value).is_some()),
        ns_per_call(values, |value| sqli_ungated(value).is_some()),
        ns_per_call(values, xss),
        ns_per_call(values, xss_ungated),
    ];
    println!("{:9.1} {:9.1} {:9.1} {:9.1}  {name}", cells[0], cells[1], cells[2], cells[3]);
}

fn ns_per_call(values: &[Vec<u8>], judge: impl Fn(&[u8]) -> bool) -> f64 {
    let rounds = (1000 / values.len()).max(1);
    let started = Instant::now();
    let mut least = Duration::MAX;
    while started.elapsed() < Duration::from_millis(500) {
        let batch = Instant::now();
        for value in values.iter().cycle().take(rounds * values.len()) {
            black_box(judge(black_box(value)));
        }
        least = least.min(batch.elapsed());
    }
    least.as_nanos() as f64 / (rounds * values.len()) as f64
}
