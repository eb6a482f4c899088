//! libFuzzer's door to the target `cbor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::cbor(data));
