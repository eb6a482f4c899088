//! libFuzzer's door to the target `join_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::join_request(data));
