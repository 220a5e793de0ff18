//! The plugin protocol on the wire: handshake, mutual TLS, gRPC and MessagePack. Serves any
//! provider that is built on [`crate`].
//!
//! The runtime sets write-only values to null in one place, before it sends a response.

mod codec;
mod convert;
mod deadline;
mod handshake;
mod hardening;
mod lifecycle;
mod listener;
mod log;
mod panics;
mod registry;
mod server;
mod service;
mod signals;
mod tls;
mod wire;

#[cfg(feature = "testing")]
pub use codec::fuzz_msgpack;
pub use handshake::{HandshakeError, started_by_host};
pub use hardening::forbid_core_dumps;
pub use server::{ServeError, ServeMode, ServeOptions, serve};
