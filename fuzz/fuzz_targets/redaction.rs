//! See `palisade_fuzz_replay::redaction::redaction`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::redaction::redaction(input));
