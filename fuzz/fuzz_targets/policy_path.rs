//! See `palisade_fuzz_replay::policy::policy_path`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::policy::policy_path(input));
