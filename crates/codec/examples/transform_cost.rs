//! What transformations cost on text of a kind, for callgrind:
//!
//! ```text
//! cargo build --profile bench -p palisade-codec --example transform_cost
//! valgrind --tool=callgrind --toggle-collect='*Transformation::apply*' \
//!     target/release/examples/transform_cost urlDecodeUni '%41'
//! ```
//!
//! The text is the second argument again and again, 65,536 bytes of it; divide what callgrind collected by that.
//! Without arguments it prints times instead, of all transformations on a few texts.

use std::hint::black_box;
use std::time::Instant;

use palisade_codec::{Context, Transformation};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut out = Vec::with_capacity(4 * SIZE);
    if let (Some(name), Some(unit)) = (arguments.next(), arguments.next()) {
        let transformation = Transformation::from_name(&name).expect("a transformation's name");
        let _ = black_box(transformation.apply(&text(unit.as_bytes()), &mut out, &Context::default()));
        return;
    }
    for unit in
        [&b"prose, as it is written. "[..], b"%41", b"\\u0041", b"&#65;", b"A", b"../", "\u{e9}".as_bytes()]
    {
        let text = text(unit);
        for &transformation in Transformation::ALL {
            let start = Instant::now();
            for _ in 0..REPEATS {
                let _ = black_box(transformation.apply(&text, &mut out, &Context::default()));
            }
            let nanoseconds = start.elapsed().as_nanos() as f64 / f64::from(REPEATS) / SIZE as f64;
            println!(
                "{:24} {:20} {nanoseconds:.2} ns a byte",
                unit.escape_ascii().to_string(),
                transformation.name()
            );
        }
    }
}

fn text(unit: &[u8]) -> Vec<u8> {
    unit.iter().cycle().copied().take(SIZE).collect()
}

const SIZE: usize = 65_536;
const REPEATS: u32 = 20;
