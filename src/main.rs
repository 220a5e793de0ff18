//! Runs as a plugin if Terraform starts it, and as an operator command otherwise.

use std::process::ExitCode;

use planton_plugin::protocol::{self, ServeMode, ServeOptions};
use terraform_provider_planton::cli::{self, Request};
use terraform_provider_planton::provider::{self, StartedBy};

/// Full addresses of `plantonhq/planton`: Terraform adds the first registry to it, OpenTofu
/// the second.
const ADDRESSES: [&str; 2] = [
    "registry.terraform.io/plantonhq/planton",
    "registry.opentofu.org/plantonhq/planton",
];

/// Crates whose logs are sent to the host. Other crates may log headers and bodies.
const LOG_TARGETS: [&str; 3] = ["planton_core", "planton_vendors", env!("CARGO_CRATE_NAME")];

fn main() -> ExitCode {
    let outcome = if protocol::started_by_host() {
        serve(ServeMode::Plugin)
    } else {
        match cli::parse() {
            Request::Debug => serve(ServeMode::Debug),
            Request::Version => {
                cli::print_version();
                Ok(())
            }
            Request::Operate(command) => {
                // The command unwraps the key that verifies records.
                protocol::forbid_core_dumps();
                return command.run();
            }
            _ => cli::print_help().map_err(Into::into),
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(mode: ServeMode) -> anyhow::Result<()> {
    let started_by = match mode {
        ServeMode::Plugin => StartedBy::Host,
        _ => StartedBy::Person,
    };
    let mut options = ServeOptions {
        mode,
        ..ServeOptions::new(ADDRESSES)
    };
    options.log_targets.extend(LOG_TARGETS);
    Ok(protocol::serve(provider::provider(started_by), options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_logs_is_a_log_target() {
        let manifests = [
            ("planton_core", include_str!("../crates/core/Cargo.toml")),
            (
                "planton_envelope",
                include_str!("../crates/envelope/Cargo.toml"),
            ),
            (
                "planton_secret",
                include_str!("../crates/secret/Cargo.toml"),
            ),
            (
                "planton_vendors",
                include_str!("../crates/vendors/Cargo.toml"),
            ),
        ];
        for (name, manifest) in manifests {
            let logs = manifest.contains("\ntracing.workspace = true");
            assert_eq!(logs, LOG_TARGETS.contains(&name), "{name}");
        }
    }
}
