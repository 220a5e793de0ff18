//! The definitions in `proto/`, as a client sees them.

pub(crate) use tfplugin6::*;

#[expect(unreachable_pub, clippy::all, reason = "generated")]
mod tfplugin6 {
    include!(concat!(env!("OUT_DIR"), "/client/tfplugin6.rs"));
}

#[expect(unreachable_pub, clippy::all, reason = "generated")]
pub(crate) mod plugin {
    include!(concat!(env!("OUT_DIR"), "/client/plugin.rs"));
}

#[expect(unreachable_pub, clippy::all, reason = "generated")]
pub(crate) mod health {
    include!(concat!(env!("OUT_DIR"), "/client/grpc.health.v1.rs"));
}
