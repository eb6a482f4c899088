//! libFuzzer's door to the target `ticket`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::ticket(data));
