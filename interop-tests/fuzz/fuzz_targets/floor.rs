//! libFuzzer's door to the target `floor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::floor(data));
