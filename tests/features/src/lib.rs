//! Has the features of dependencies that only tests need, and no code.
//!
//! Cargo compiles a dependency once per set of features. xtask builds the provider's debug
//! build together with this crate, so the documentation and the demo use the dependencies
//! that the tests have compiled. A release does not contain it.
