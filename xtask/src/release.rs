//! The targets of a release, and tests that `.goreleaser.yaml` meets the requirements of
//! the Terraform and OpenTofu registries. A mistake would otherwise appear only in a
//! published version, which cannot be withdrawn.
//! <https://developer.hashicorp.com/terraform/registry/providers/publishing>

/// The target platforms of a release.
pub(crate) const TARGETS: [&str; 5] = [
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-gnu",
];

#[cfg(test)]
mod tests;
