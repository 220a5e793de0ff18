//! The messages and services of `proto/`, as generated.

use std::fmt;

pub(crate) use tfplugin6::*;

#[expect(unreachable_pub, clippy::all, reason = "generated")]
mod tfplugin6 {
    include!(concat!(env!("OUT_DIR"), "/tfplugin6.rs"));
}

#[expect(unreachable_pub, clippy::all, reason = "generated")]
pub(crate) mod go_plugin {
    include!(concat!(env!("OUT_DIR"), "/plugin.rs"));
}

#[expect(unreachable_pub, clippy::all, reason = "generated")]
pub(crate) mod health {
    include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.rs"));
}

impl fmt::Debug for DynamicValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynamicValue(redacted)")
    }
}

impl fmt::Debug for RawState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawState(redacted)")
    }
}
