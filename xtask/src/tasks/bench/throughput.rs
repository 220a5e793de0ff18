//! Measures sealing and opening beside AES-256-GCM alone, in one run of one benchmark.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use xtask::paths;

use crate::tasks::{cargo, run};

const HEADING: &str = "\n## Throughput\n";

/// The sizes of the benchmark, by the names that it gives them.
const SIZES: [(&str, u32); 3] = [("32 B", 32), ("1 KiB", 1024), ("64 KiB", 64 * 1024)];

/// Each operation, and the same of aws-lc-rs alone.
const OPERATIONS: [(&str, &str); 2] = [("seal", "raw seal"), ("open", "raw open")];

/// The mean times of one operation on one size.
#[derive(Debug)]
pub(super) struct Measured {
    operation: &'static str,
    size: (&'static str, u32),
    nanoseconds: f64,
    raw_nanoseconds: f64,
}

/// Runs the benchmark of the envelope.
///
/// # Errors
///
/// If it fails, or leaves no result.
pub(super) fn measure() -> Result<Vec<Measured>> {
    run(cargo().args([
        "bench",
        "--package",
        "planton-envelope",
        "--bench",
        "envelope",
    ]))?;
    let results = paths::target().join("criterion");
    let mut measured = Vec::new();
    for (operation, raw) in OPERATIONS {
        for size in SIZES {
            measured.push(Measured {
                operation,
                size,
                nanoseconds: mean(&results, operation, size.0)?,
                raw_nanoseconds: mean(&results, raw, size.0)?,
            });
        }
    }
    Ok(measured)
}

/// Reads a mean in nanoseconds, as Criterion stores it:
/// <https://bheisler.github.io/criterion.rs/book/user_guide/csv_output.html>.
fn mean(results: &Path, group: &str, name: &str) -> Result<f64> {
    let file = results.join(group).join(name).join("new/estimates.json");
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let estimates: Value = serde_json::from_str(&text).context("estimates of another form")?;
    let mean = estimates["mean"]["point_estimate"].as_f64();
    mean.with_context(|| format!("no mean in {}", file.display()))
}

/// Returns the section of the page.
///
/// # Errors
///
/// If formatting fails. Formatting into a string does not fail.
pub(super) fn section(measured: &[Measured]) -> Result<String> {
    let mut text = format!(
        "{HEADING}\nOne core, without a key service: an envelope draws a data key, derives three keys, and authenticates its\n\
         context. `aws-lc-rs` alone encrypts or decrypts the same bytes once with AES-256-GCM. The envelope uses the\n\
         crate `aes-gcm` (docs/adr/0003).\n\n\
         | Operation | Size | Envelope | aws-lc-rs alone |\n| --- | --- | --- | --- |\n"
    );
    for of in measured {
        let (name, bytes) = of.size;
        let cell = |nanoseconds: f64| {
            format!(
                "{:.2} µs, {:.0} MB/s",
                nanoseconds / 1e3,
                f64::from(bytes) * 1e3 / nanoseconds
            )
        };
        writeln!(
            text,
            "| {} | {name} | {} | {} |",
            of.operation,
            cell(of.nanoseconds),
            cell(of.raw_nanoseconds)
        )?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        Measured {
            operation: "seal",
            size: ("1 KiB", 1024),
            nanoseconds: 2048.0,
            raw_nanoseconds: 512.0,
        }
    }

    #[test]
    fn a_row_has_times_and_bytes_a_second() {
        let text = section(&[measured()]).expect("a section");
        let row = "| seal | 1 KiB | 2.05 µs, 500 MB/s | 0.51 µs, 2000 MB/s |\n";
        assert!(text.ends_with(row), "{text}");
    }
}
