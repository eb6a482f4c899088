//! libFuzzer's door to the target `text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::text(data));
