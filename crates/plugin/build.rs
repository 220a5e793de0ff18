//! Compiles the protocol's definitions, without protoc: docs/adr/0001.

use std::error::Error;
use std::path::PathBuf;

const FILES: [&str; 3] = [
    "proto/tfplugin6.proto",
    "proto/go_plugin.proto",
    "proto/health.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let definitions = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    // Values must not be printed by accident, so `protocol::wire` implements Debug for these.
    let values = [".tfplugin6.DynamicValue", ".tfplugin6.RawState"];
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .skip_debug(values)
        .out_dir(&out)
        .compile_fds(definitions)?;
    Ok(())
}
