//! libFuzzer's door to the target `attestation`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::attestation(data));
