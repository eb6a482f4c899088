//! libFuzzer's door to the target `peer_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::peer_record(data));
