//! See `palisade_fuzz_replay::authn::key_files`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::authn::key_files(input));
