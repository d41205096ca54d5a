//! See `palisade_fuzz_replay::http::request_head`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::http::request_head(input));
