#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailhaul::fuzzing::job_file(input));
