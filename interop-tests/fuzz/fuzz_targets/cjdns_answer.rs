//! libFuzzer's door to the target `cjdns_answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::cjdns_answer(data));
