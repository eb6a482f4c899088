//! libFuzzer's door to the target `successor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::successor(data));
