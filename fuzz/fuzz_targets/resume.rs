//! Parses `PLANTON_RESUME`. A value that parses is equal after it is printed and parsed
//! again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planton_core::operations::Resume;

fuzz_target!(|text: &str| {
    if let Ok(resume) = text.parse::<Resume>() {
        assert_eq!(resume.to_string().parse(), Ok(resume));
    }
});
