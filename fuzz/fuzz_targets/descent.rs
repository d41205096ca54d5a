//! See `palisade_fuzz_replay::detect::descent`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::detect::descent(input));
