//! See `palisade_fuzz_replay::http::body_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::http::body_json(input));
