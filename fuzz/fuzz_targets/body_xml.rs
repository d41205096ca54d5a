//! See `palisade_fuzz_replay::http::body_xml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::http::body_xml(input));
