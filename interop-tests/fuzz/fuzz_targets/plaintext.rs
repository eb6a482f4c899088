//! libFuzzer's door to the target `plaintext`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::plaintext(data));
