//! Collects the license texts of what a release contains.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use xtask::{paths, process};

use super::cargo;
use crate::release::TARGETS;

const PROVIDER: &str = "terraform-provider-planton";

/// The copyright lines of crates under MIT whose package has no license file,
/// by their repository.
const MIT_COPYRIGHTS: [(&str, &str); 3] = [
    // https://github.com/Azure/azure-sdk-for-rust/blob/main/LICENSE.txt
    (
        "https://github.com/azure/azure-sdk-for-rust",
        "Copyright (c) Microsoft Corporation.",
    ),
    // https://github.com/Nugine/simd/blob/main/LICENSE
    (
        "https://github.com/Nugine/simd",
        "Copyright (c) 2021 Nugine",
    ),
    // https://github.com/grpc/grpc-rust/blob/master/LICENSE
    (
        "https://github.com/grpc/grpc-rust",
        "Copyright 2019 gRPC authors.",
    ),
];

/// The parts of a release that are not crates, with their copyright lines. All are under
/// MIT.
const RUNTIMES: [(&str, &str); 2] = [
    // https://github.com/rust-lang/rust/blob/main/COPYRIGHT
    (
        "Rust standard library (MIT OR Apache-2.0)",
        "Copyright (c) The Rust Project contributors",
    ),
    // https://git.musl-libc.org/cgit/musl/tree/COPYRIGHT
    (
        "musl libc (MIT), in the builds for Linux",
        "Copyright (c) 2005-2020 Rich Felker, et al.",
    ),
];

/// The license without its copyright line: <https://spdx.org/licenses/MIT.html>.
const MIT: &str = include_str!("mit.txt");

/// The time limit of downloading the crates of other platforms.
const CARGO_BOUND: Duration = Duration::from_secs(600);

/// A crate at a version, as `cargo tree` prints it.
type CrateId = (String, String);

/// A crate that a release contains.
#[derive(Clone, Debug)]
struct Crate {
    id: CrateId,
    /// The license as an SPDX expression.
    license: String,
    repository: String,
    folder: PathBuf,
}

/// Writes `target/THIRD-PARTY-NOTICES.txt`, which release archives contain.
///
/// # Errors
///
/// If a crate has no license text.
pub(crate) fn run() -> Result<()> {
    let file = paths::target().join("THIRD-PARTY-NOTICES.txt");
    let metadata: Value = serde_json::from_str(&ask(&["metadata", "--format-version", "1"])?)
        .context("reading Cargo's metadata")?;
    let crates = crates(&metadata, &linked()?);
    let notices = notices(&crates)?;
    fs::write(&file, notices).with_context(|| format!("writing {}", file.display()))?;
    eprintln!("    {} crates in {}", crates.len(), file.display());
    Ok(())
}

/// Returns the crates that are linked into the provider on any platform.
///
/// Uses `cargo tree`, because Cargo's metadata also includes the features of tests.
fn linked() -> Result<BTreeSet<CrateId>> {
    let mut linked = BTreeSet::new();
    for target in TARGETS {
        let tree = ask(&[
            "tree",
            "--package",
            PROVIDER,
            "--edges",
            "normal",
            "--target",
            target,
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])?;
        linked.extend(tree.lines().filter_map(crate_id));
    }
    Ok(linked)
}

/// Reads a line such as `syn v2.0.119 (proc-macro)`.
fn crate_id(line: &str) -> Option<CrateId> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let version = words.next()?.strip_prefix('v')?;
    Some((name.to_owned(), version.to_owned()))
}

/// Returns the linked crates that are not in this workspace.
fn crates(metadata: &Value, linked: &BTreeSet<CrateId>) -> Vec<Crate> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let foreign = packages.filter(|package| !package["source"].is_null());
    let crates = foreign.map(|package| {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let manifest = PathBuf::from(text("manifest_path"));
        Crate {
            id: (text("name"), text("version")),
            license: text("license"),
            repository: text("repository"),
            folder: manifest.parent().map(Path::to_owned).unwrap_or_default(),
        }
    });
    let mut crates: Vec<_> = crates.filter(|one| linked.contains(&one.id)).collect();
    crates.sort_by(|a, b| a.id.cmp(&b.id));
    crates
}

/// Writes each distinct text once, below the crates that it belongs to.
fn notices(crates: &[Crate]) -> Result<String> {
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in crates {
        let name = format!("{} {} ({})", one.id.0, one.id.1, one.license);
        for text in license_texts(one)? {
            users.entry(text).or_default().push(name.clone());
        }
    }
    for (name, copyright) in RUNTIMES {
        let text = tidy(&mit(copyright));
        users.entry(text).or_default().push(name.to_owned());
    }
    let mut texts: Vec<_> = users.into_iter().collect();
    texts.sort_by(|(_, a), (_, b)| a.cmp(b));

    let mut notices = format!(
        "{PROVIDER} contains the software below.\n\
         Each license text follows the names of what it applies to.\n"
    );
    for (text, names) in texts {
        let (thick, thin) = ("=".repeat(80), "-".repeat(80));
        let names = names.join("\n");
        write!(notices, "\n{thick}\n{names}\n{thin}\n{text}\n")?;
    }
    Ok(notices)
}

/// Returns the texts of a crate's license, copyright and notice files.
fn license_texts(one: &Crate) -> Result<BTreeSet<String>> {
    let mut files = Vec::new();
    find_license_files(&one.folder, &mut files)?;
    let mut texts = BTreeSet::new();
    for file in files {
        let text = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        texts.insert(tidy(&String::from_utf8_lossy(&text)));
    }
    if texts.is_empty() {
        texts.insert(tidy(&standard_text(one)?));
    }
    Ok(texts)
}

/// Returns the text of a license that a crate names without including it.
fn standard_text(one: &Crate) -> Result<String> {
    let known = MIT_COPYRIGHTS.iter();
    let copyright = known
        .filter(|(repository, _)| one.repository == *repository)
        .map(|(_, line)| line)
        .next();
    match (one.license.as_str(), copyright) {
        ("Apache-2.0", _) => {
            fs::read_to_string(paths::repository().join("LICENSE")).context("reading LICENSE")
        }
        ("MIT", Some(line)) => Ok(mit(line)),
        (license, _) => {
            let ((name, version), repository) = (&one.id, &one.repository);
            bail!(
                "{name} {version} ({license}) has no license file; enter the copyright line of \
                 {repository} in {}",
                file!()
            )
        }
    }
}

fn mit(copyright: &str) -> String {
    format!("MIT License\n\n{copyright}\n\n{MIT}")
}

/// Adds the license files of a folder and of all folders below it, because some crates
/// contain C libraries with their own licenses.
fn find_license_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let reading = || format!("reading {}", folder.display());
    for entry in fs::read_dir(folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let path = entry.path();
        if entry.file_type().with_context(reading)?.is_dir() {
            find_license_files(&path, files)?;
        } else if is_license_file(&entry.file_name().to_string_lossy()) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_license_file(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let names = [
        "license",
        "licence",
        "copying",
        "copyright",
        "notice",
        "unlicense",
    ];
    names.iter().any(|start| name.starts_with(start)) && !name.ends_with(".rs")
}

/// Returns a text with uniform line ends, so that equal texts compare equal.
fn tidy(text: &str) -> String {
    let lines = text.lines().map(str::trim_end);
    lines
        .collect::<Vec<_>>()
        .join("\n")
        .trim_matches('\n')
        .to_owned()
}

fn ask(arguments: &[&str]) -> Result<String> {
    let mut command = cargo();
    command.args(arguments).arg("--locked");
    Ok(process::run(&mut command, CARGO_BOUND)?.ok()?.stdout)
}
