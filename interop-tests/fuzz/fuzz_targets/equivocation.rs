//! libFuzzer's door to the target `equivocation`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::equivocation(data));
