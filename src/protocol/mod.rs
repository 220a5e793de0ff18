//! What the wire sees of the plugin protocol.

mod codec;
mod wire;
