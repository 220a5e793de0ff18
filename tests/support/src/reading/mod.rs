//! What a vendor's official client sees of all that a store left behind: our
//! names, our labels, and ciphertext only.
//!
//! A vendor's test includes it with
//! `#[path = "support/reading/mod.rs"] mod reading;`, runs the conformance suite
//! over a [`Recorded`] store, leaves a version there that is sealed as it really is
//! ([`leave_sealed`]), reads the place through `xtask::reader`, and has
//! `Sealed::expect_among` compare.

mod recorded;
mod sealed;

pub use recorded::Recorded;
pub use sealed::leave_sealed;
