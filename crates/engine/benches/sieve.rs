//! What the sieve over CRS's operators costs and lets through.
//!
//! `cargo bench -p palisade-engine --bench sieve` prints, for each release and paranoia level, build time, memory, and
//! for each kind of harmless value the operators left. With `--weak` also which operators they are; with
//! `--sift KIND` it only sifts the values of one kind, for counting instructions.

#[path = "../tests/support/crs.rs"]
mod crs;

use std::collections::HashMap;
use std::time::Instant;

use palisade_codec::ByteSet;
use palisade_engine::operator::{Evaluation, Outcome};
use palisade_engine::{Needs, Phase, Seen, Sieve};
use palisade_seclang::ast::Variable;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let kind_wanted = arguments.iter().position(|a| a == "--sift").and_then(|at| arguments.get(at + 1));
    let mut kinds = crs::harmless();
    kinds.extend(crs::hostile());
    for version in ["4.28.0", "3.3.9"] {
        let Some(folder) = crs::folder(version) else { continue };
        let all = crs::operators(&folder);
        for paranoia in [1, 4] {
            let chosen: Vec<&crs::CrsOperator> = all
                .iter()
                .filter(|o| {
                    o.paranoia <= paranoia && matches!(o.phase, Phase::RequestHeaders | Phase::RequestBody)
                })
                .collect();
            let started = Instant::now();
            let needs: Vec<Needs> = chosen
                .iter()
                .map(|o| if o.negated { Needs::default() } else { Needs::of(&o.operator) })
                .collect();
            let extracted = started.elapsed();
            let started = Instant::now();
            let sieve = Sieve::new(&needs);
            println!(
                "CRS {version} PL{paranoia}: {} operators, needs {extracted:.1?}, sieve {:.1?}, {} states, {} kB",
                chosen.len(),
                started.elapsed(),
                sieve.states(),
                sieve.memory_usage() / 1024,
            );
            if has("--strings") {
                strings(&kinds, &chosen, &needs);
            }
            for (kind, values) in &kinds {
                let of = if kind.starts_with("headers") { Variable::RequestHeaders } else { Variable::Args };
                let of = if kind.starts_with("names") { Variable::ArgsNames } else { of };
                if kind_wanted.is_some_and(|wanted| wanted != kind) {
                    continue;
                }
                let mut asked = vec![0u64; sieve.words()];
                for (slot, operator) in chosen.iter().enumerate() {
                    if operator.variables.contains(&of) && !operator.negated {
                        asked[slot / 64] |= 1 << (slot % 64);
                    }
                }
                let mut seen = Seen::default();
                let mut left = vec![0u64; chosen.len()];
                let mut count = 0;
                let mut hits = asked.clone();
                let presents: Vec<ByteSet> = values.iter().map(|value| ByteSet::of(value)).collect();
                sift_all(&sieve, values, &presents, &asked, &mut hits, &mut seen);
                let started = Instant::now();
                let sum = sift_all(&sieve, values, &presents, &asked, &mut hits, &mut seen);
                let elapsed = started.elapsed();
                if kind_wanted.is_some() {
                    println!(
                        "{sum} left of {} values, {} bytes",
                        values.len(),
                        values.iter().map(Vec::len).sum::<usize>()
                    );
                    return;
                }
                for (value, present) in values.iter().zip(&presents) {
                    hits.copy_from_slice(&asked);
                    sieve.sift(value, present, &mut hits, &mut seen);
                    for slot in 0..chosen.len() {
                        if hits[slot / 64] >> (slot % 64) & 1 == 1 {
                            left[slot] += 1;
                            count += 1;
                        }
                    }
                }
                let bytes: usize = values.iter().map(Vec::len).sum();
                let mut evaluation = Evaluation::new();
                let mut ask = || {
                    let started = Instant::now();
                    for (value, present) in values.iter().zip(&presents) {
                        hits.copy_from_slice(&asked);
                        sieve.sift(value, present, &mut hits, &mut seen);
                        for slot in (0..chosen.len()).filter(|slot| hits[slot / 64] >> (slot % 64) & 1 == 1) {
                            let _ =
                                std::hint::black_box(chosen[slot].operator.evaluate(value, &mut evaluation));
                        }
                    }
                    started.elapsed().as_secs_f64() * 1e9 / bytes.max(1) as f64
                };
                let (first, again) = (ask(), ask());
                println!(
                    "  {kind}: {} of {} bytes on average; {} asked, {:.2} left; {:.2} ns a byte, \
                     with asking those {first:.0}, again {again:.0}; their caches {} kB",
                    values.len(),
                    bytes / values.len().max(1),
                    asked.iter().map(|word| word.count_ones()).sum::<u32>(),
                    count as f64 / values.len().max(1) as f64,
                    elapsed.as_secs_f64() * 1e9 / bytes.max(1) as f64,
                    evaluation.workspace().memory_usage() / 1024,
                );
                if has("--weak") {
                    let mut weak: Vec<(u64, usize)> =
                        left.iter().copied().zip(0..).filter(|(n, _)| *n > 0).collect();
                    weak.sort_unstable_by(|a, b| b.cmp(a));
                    let mut evaluation = Evaluation::new();
                    let mut matched: HashMap<usize, usize> = HashMap::new();
                    for (_, slot) in &weak {
                        let found = values
                            .iter()
                            .filter(|value| {
                                chosen[*slot].operator.evaluate(value, &mut evaluation) == Outcome::Match
                            })
                            .count();
                        matched.insert(*slot, found);
                    }
                    for (count, slot) in weak.iter().take(14) {
                        println!(
                            "      {:.4} {} @{} {} matched {}",
                            *count as f64 / values.len() as f64,
                            chosen[*slot].rule,
                            chosen[*slot].operator.name(),
                            needs[*slot].factors.len(),
                            matched[slot],
                        );
                    }
                }
            }
        }
    }
}

/// The strings that ordinary values bring most often, per kilobyte, with the rules that asked for them.
fn strings(kinds: &[(&str, Vec<Vec<u8>>)], chosen: &[&crs::CrsOperator], needs: &[Needs]) {
    let mut owners: HashMap<Vec<u8>, Vec<u64>> = HashMap::new();
    for (operator, needs) in chosen.iter().zip(needs) {
        for gram in needs.factors.iter().flat_map(|factor| factor.grams()) {
            owners.entry(gram.symbols().collect()).or_default().push(operator.rule);
        }
    }
    for (kind, values) in kinds {
        let mut found: HashMap<&[u8], usize> = HashMap::new();
        let mut bytes = 0;
        for value in values {
            let symbols: Vec<u8> =
                value.iter().map(|byte| palisade_pcre::SYMBOL_OF[usize::from(*byte)]).collect();
            bytes += value.len();
            for length in 2..=6 {
                for window in symbols.windows(length) {
                    if let Some((gram, _)) = owners.get_key_value(window) {
                        *found.entry(gram).or_default() += 1;
                    }
                }
            }
        }
        let mut list: Vec<(usize, &[u8])> = found.into_iter().map(|(gram, count)| (count, gram)).collect();
        list.sort_unstable_by(|a, b| b.cmp(a));
        let total: usize = list.iter().map(|(count, _)| count).sum();
        println!("  {kind}: {:.3} strings a byte", total as f64 / bytes as f64);
        for (count, gram) in list.iter().take(25) {
            let text: String = gram
                .iter()
                .map(|symbol| {
                    let byte = (32..=255u8).find(|b| palisade_pcre::SYMBOL_OF[usize::from(*b)] == *symbol);
                    char::from(byte.unwrap_or(b'?'))
                })
                .collect();
            println!("      {:.2} {text:?} {:?}", *count as f64 * 1e3 / bytes as f64, owners[*gram]);
        }
    }
}

#[inline(never)]
fn sift_all(
    sieve: &Sieve,
    values: &[Vec<u8>],
    presents: &[ByteSet],
    asked: &[u64],
    hits: &mut [u64],
    seen: &mut Seen,
) -> u32 {
    let mut sum = 0;
    for (value, present) in values.iter().zip(presents) {
        hits.copy_from_slice(asked);
        sieve.sift(value, present, hits, seen);
        sum += hits.iter().map(|word| word.count_ones()).sum::<u32>();
    }
    sum
}
