//! Compiles the other side of the plugin protocol: a host's.

use std::error::Error;
use std::path::{Path, PathBuf};

const FILES: [&str; 3] = ["tfplugin6.proto", "go_plugin.proto", "health.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/plugin/proto");
    println!("cargo::rerun-if-changed={}", folder.display());
    let definitions = protox::compile(FILES, [folder])?;
    tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .out_dir(PathBuf::from(std::env::var("OUT_DIR")?))
        .compile_fds(definitions)?;
    Ok(())
}
