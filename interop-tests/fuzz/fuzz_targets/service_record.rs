//! libFuzzer's door to the target `service_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::service_record(data));
