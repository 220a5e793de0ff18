//! What the registries of Terraform and OpenTofu expect of a release, and what
//! `.goreleaser.yaml` makes of it. A mistake here would show only once a version
//! is out, and a published version cannot be taken back.

/// The platforms that a release is built for.
pub(crate) const TARGETS: [&str; 5] = [
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-gnu",
];

#[cfg(test)]
mod tests;
