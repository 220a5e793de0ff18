//! Recipients of age, for escrow: anybody wraps for one, and only the holder of its
//! identity unwraps, without this machine's network.
//!
//! A wrapped key is an age file with one X25519 stanza. Any implementation of age opens it.

mod file;
mod identity;
mod kek;
mod recipient;
mod registration;

#[cfg(feature = "testing")]
pub use identity::fuzz_identities;
pub use identity::{AgeIdentity, AgeIdentityFile};
pub(crate) use registration::KEY_TYPE;
