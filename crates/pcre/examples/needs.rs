//! Prints what CRS's patterns need of a value: `cargo run --example needs -p palisade-pcre -- [VERSION [RULE...]]`.

#[path = "../tests/support/crs.rs"]
mod crs;

use palisade_pcre::{Options, Pattern};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let version = arguments.next().unwrap_or_else(|| "4.28.0".to_owned());
    let wanted: Vec<String> = arguments.collect();
    let Some(folder) = crs::folder(&version) else { return };
    let mut grams = 0;
    for rule in crs::rules(&folder) {
        if !wanted.is_empty() && !wanted.contains(&rule.id) {
            continue;
        }
        let started = std::time::Instant::now();
        let pattern = Pattern::new(&rule.pattern, Options::default()).expect("it compiles");
        let needs = pattern.needs();
        println!(
            "{} length {} gates {:.3?} factors {:?} ({:?})",
            rule.id,
            needs.length_min,
            needs.gates.iter().map(|g| g.iter().map(|w| w.count_ones()).sum::<u32>()).collect::<Vec<_>>(),
            needs.factors.iter().map(|f| (f.grams().len(), f.rate())).collect::<Vec<_>>(),
            started.elapsed()
        );
        grams += needs.factors.iter().map(|f| f.grams().len()).sum::<usize>();
        if !wanted.is_empty() {
            for factor in &needs.factors {
                println!("   {:?}", factor.grams());
            }
        }
    }
    println!("{grams} grams");
}
