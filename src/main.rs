//! A plugin when Terraform starts it, an operator CLI when a person does.

use std::process::ExitCode;

use planton_plugin::protocol::{self, ServeMode, ServeOptions};
use terraform_provider_planton::cli::{self, Request};
use terraform_provider_planton::provider::{self, StartedBy};

/// What `plantonhq/planton` in a configuration stands for: Terraform completes
/// it with the first registry, OpenTofu with the second.
const ADDRESSES: [&str; 2] = [
    "registry.terraform.io/plantonhq/planton",
    "registry.opentofu.org/plantonhq/planton",
];

/// The crates whose logs a host gets: ours alone, since others log headers and
/// bodies at one level or another.
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
                // The key that verifies records is opened.
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
