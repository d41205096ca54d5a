//! See `palisade_fuzz_replay::addresses::client_addresses`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::addresses::client_addresses(input));
