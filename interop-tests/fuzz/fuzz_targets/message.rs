//! libFuzzer's door to the target `message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::message(data));
