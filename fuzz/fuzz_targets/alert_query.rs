//! See `palisade_fuzz_replay::events::alert_query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::events::alert_query(input));
