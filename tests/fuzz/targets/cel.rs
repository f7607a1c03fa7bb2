#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tako_fuzz::invariants::cel(data));
