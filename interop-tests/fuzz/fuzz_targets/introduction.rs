//! libFuzzer's door to the target `introduction`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::introduction(data));
