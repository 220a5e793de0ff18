//! What a provider author sees of the plugin protocol.
