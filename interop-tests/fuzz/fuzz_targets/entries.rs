//! libFuzzer's door to the target `entries`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::entries(data));
