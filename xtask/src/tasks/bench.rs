//! Measures start-up, binary size, memory, and a thousand secrets on a real
//! OpenBAO.

mod baseline;
mod goals;
mod large;
mod page;
mod peers;
mod places;
mod platforms;
mod process;
mod profile;
mod scale;
mod throughput;
mod vendors;

use std::fs;

use anyhow::{Context, Result};
use xtask::paths;
use xtask::tools::Tools;

use super::{Profile, build_provider, some_terraform, step};

const HANDSHAKES: usize = 50;

/// Measures, and writes docs/benchmarks.md. The section of [`run_large`] stays.
///
/// # Errors
///
/// If a measurement fails.
pub(crate) fn run(secrets: usize) -> Result<()> {
    let tools = step("Tools", Tools::install)?;
    let terraform = some_terraform()?;
    let binary = step("Release build", || build_provider(Profile::Release))?;
    let binary_bytes = fs::metadata(&binary).context("the binary's size")?.len();
    let starts = step("Handshakes", || {
        process::handshakes(&tools, &binary, HANDSHAKES)
    })?;
    let scale = step("Scale", || {
        scale::measure(&tools, &terraform, &binary, secrets)
    })?;
    let backends = step("Backends", || {
        vendors::measure(&tools, &terraform, &binary, secrets)
    })?;
    let platforms = step("Platforms", || {
        platforms::measure(
            &tools,
            &terraform,
            &binary,
            &[secrets.div_ceil(10), secrets],
        )
    })?;
    let throughput = step("Throughput", throughput::measure)?;
    let page = page::page(&page::Measured {
        terraform,
        binary_bytes,
        starts,
        scale,
        backends,
        platforms,
        throughput,
    })?;
    let file = paths::repository().join("docs/benchmarks.md");
    fs::create_dir_all(paths::repository().join("docs")).context("creating docs")?;
    let former = fs::read_to_string(&file).unwrap_or_default();
    let page = match page::section(&former, large::HEADING) {
        Some(large) => page::replaced(&page, large),
        None => page,
    };
    fs::write(&file, &page).with_context(|| format!("writing {}", file.display()))?;
    eprintln!("\n{page}");
    Ok(())
}

/// Measures thousands of secrets and an organization with many records, and writes their
/// section of docs/benchmarks.md.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn run_large() -> Result<()> {
    let tools = step("Tools", Tools::install)?;
    let terraform = some_terraform()?;
    let binary = step("Release build", || build_provider(Profile::Release))?;
    let measured = step("Large", || large::measure(&tools, &terraform, &binary))?;
    replace(&large::section(&measured)?)
}

/// Puts a section into docs/benchmarks.md.
fn replace(section: &str) -> Result<()> {
    let file = paths::repository().join("docs/benchmarks.md");
    let page = fs::read_to_string(&file).context("reading the page")?;
    fs::write(&file, page::replaced(&page, section))
        .with_context(|| format!("writing {}", file.display()))?;
    eprintln!("{section}");
    Ok(())
}

/// Measures sealing and opening alone, and writes their section of docs/benchmarks.md.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn run_throughput() -> Result<()> {
    let measured = step("Throughput", throughput::measure)?;
    replace(&throughput::section(&measured)?)
}
