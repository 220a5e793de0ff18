//! Parses records of the catalog. A record that parses is equal after it is written and
//! parsed again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planton_core::catalog::expect_round_trip;

fuzz_target!(|bytes: &[u8]| expect_round_trip(bytes));
