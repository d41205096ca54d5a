//! See `palisade_fuzz_replay::collector::collector_portion`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::collector::collector_portion(input));
