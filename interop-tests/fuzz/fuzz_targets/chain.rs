//! libFuzzer's door to the target `chain`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::chain(data));
