//! libFuzzer's door to the target `sealed`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::sealed(data));
