//! What the wire sees of the plugin protocol: handshake, mutual TLS, gRPC,
//! MessagePack. Serves whatever is built on [`crate`].
//!
//! Write-only values are nulled here, in one place, before any answer leaves.

mod codec;
mod convert;
mod deadline;
mod guard;
mod handshake;
mod hardening;
mod lifecycle;
mod listener;
mod log;
mod registry;
mod server;
mod service;
mod signals;
mod tls;
mod wire;

#[cfg(feature = "fuzzing")]
pub use codec::fuzz_msgpack;
pub use handshake::{HandshakeError, started_by_host};
pub use hardening::forbid_core_dumps;
pub use server::{ServeError, ServeMode, ServeOptions, serve};
