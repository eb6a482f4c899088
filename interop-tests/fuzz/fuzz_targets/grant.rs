//! libFuzzer's door to the target `grant`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::grant(data));
