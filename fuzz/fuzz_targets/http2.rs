//! See `palisade_fuzz_replay::dataplane::http2`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::dataplane::http2(input));
