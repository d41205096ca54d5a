//! See `palisade_fuzz_replay::lists::shared_reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::lists::shared_reply(input));
