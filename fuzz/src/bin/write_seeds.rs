//! Writes the seeds of the corpus anew: `cargo run --package planton-fuzz --bin write_seeds`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    planton_fuzz::write_seeds(&corpus)
}
