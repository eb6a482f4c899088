//! libFuzzer's door to the target `yggdrasil_answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosscast_fuzz::yggdrasil_answer(data));
