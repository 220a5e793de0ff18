//! The definitions in `proto/`, generated for a client.

pub use tfplugin6::*;

#[expect(clippy::all, reason = "generated")]
mod tfplugin6 {
    include!(concat!(env!("OUT_DIR"), "/tfplugin6.rs"));
}

#[expect(clippy::all, reason = "generated")]
pub mod plugin {
    include!(concat!(env!("OUT_DIR"), "/plugin.rs"));
}

#[expect(clippy::all, reason = "generated")]
pub mod health {
    include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.rs"));
}
