//! libFuzzer's door to the target `node_info`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::node_info(data));
