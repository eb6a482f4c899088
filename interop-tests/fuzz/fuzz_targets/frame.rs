//! libFuzzer's door to the target `frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::frame(data));
