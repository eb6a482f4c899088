//! libFuzzer's door to the target `locate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::locate(data));
