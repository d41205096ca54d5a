//! See `palisade_fuzz_replay::control::control_words`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::control::control_words(input));
