//! See `palisade_fuzz_replay::equivalence::plan_equivalence`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::equivalence::plan_equivalence(input));
