//! See `palisade_fuzz_replay::lists::list_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::lists::list_record(input));
