//! Compares a store's leftovers with the view of the vendor's official client. It must
//! show our names, our labels, and ciphertext only.
//!
//! A vendor's test runs the conformance suite over a [`Recorded`] store, and leaves one
//! sealed version there ([`leave_sealed`]). It then reads the place through
//! `xtask::reader`, and compares with `Sealed::expect_among`.

mod recorded;
mod sealed;

pub use recorded::Recorded;
pub use sealed::leave_sealed;
