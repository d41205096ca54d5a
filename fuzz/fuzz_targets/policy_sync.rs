//! See `palisade_fuzz_replay::policysync::policy_sync`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| palisade_fuzz_replay::policysync::policy_sync(input));
