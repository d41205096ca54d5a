//! See `palisade_fuzz_replay::addresses::proxy_header`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::addresses::proxy_header(input));
