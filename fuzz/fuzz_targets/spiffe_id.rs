//! See `palisade_fuzz_replay::identity::spiffe_id`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::identity::spiffe_id(input));
