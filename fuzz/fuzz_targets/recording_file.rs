//! See `palisade_fuzz_replay::recording::recording_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::recording::recording_file(input));
