#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| spotter_fuzz::targets::manifest(bytes));
