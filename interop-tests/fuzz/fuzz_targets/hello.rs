//! libFuzzer's door to the target `hello`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::hello(data));
