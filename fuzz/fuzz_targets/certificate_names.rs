//! See `palisade_fuzz_replay::identity::certificate_names`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::identity::certificate_names(input));
