//! libFuzzer's door to the target `carrier`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::carrier(data));
