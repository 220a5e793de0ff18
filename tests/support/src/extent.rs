//! How much of the suites runs: as much as CI can bear, or all of it.

use xtask::bucket::BucketService;

/// Set to `1`, it runs what is too slow for CI. CONTRIBUTING.md describes it.
const EXTENSIVE: &str = "PLANTON_TEST_EXTENSIVE";

/// Returns whether everything runs.
///
/// # Panics
///
/// If the variable has another value than `1`, so that a misspelt one is noticed.
#[must_use]
pub fn is_extensive() -> bool {
    std::env::var_os(EXTENSIVE).is_some_and(|value| {
        assert_eq!(value, "1", "{EXTENSIVE} is 1 or not set");
        true
    })
}

/// Returns the services whose buckets a suite runs on, if the suite does not name them. In an
/// ordinary run it is the fastest one.
#[must_use]
pub fn bucket_services() -> &'static [BucketService] {
    match is_extensive() {
        true => &BucketService::ALL,
        false => &[BucketService::Gcs],
    }
}

/// Returns the number of rounds of a race.
#[must_use]
pub fn rounds(ordinary: usize, extensive: usize) -> usize {
    match is_extensive() {
        true => extensive,
        false => ordinary,
    }
}
