//! The plugin protocol, over the wire and with a real process behind it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/plugin_client/mod.rs"]
mod plugin_client;

#[path = "protocol/binary.rs"]
mod binary;
#[path = "protocol/debug.rs"]
mod debug;
#[path = "protocol/planned.rs"]
mod planned;
#[path = "protocol/probe.rs"]
mod probe;
#[path = "protocol/process.rs"]
mod process;
#[path = "protocol/replacement.rs"]
mod replacement;
#[path = "protocol/resources.rs"]
mod resources;
#[path = "protocol/secrecy.rs"]
mod secrecy;
#[path = "protocol/terraform.rs"]
mod terraform;
