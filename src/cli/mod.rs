//! The command line: operator commands, one module each, and the help.

mod forget;
mod operator;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use forget::Forget;

const INSTALL: &str = r#"Terraform and OpenTofu start this program as a plugin. To install it, add it to a
configuration and run `terraform init`:

  terraform {
    required_version = ">= 1.11"
    required_providers {
      planton = {
        source = "plantonhq/planton"
      }
    }
  }"#;

/// Parsed command line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// Serve attaching hosts until an interrupt.
    Debug,
    /// Print the version.
    Version,
    /// Print the help.
    Help,
    /// Run an operator command.
    Operate(Operate),
}

/// Operator command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operate {
    /// Remove the record of a secret or a backend.
    Forget(Forget),
}

impl Operate {
    /// Runs the command on the platform that the environment variables name, and prints the
    /// result.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self {
            Self::Forget(forget) => forget::run(forget),
        }
    }
}

/// Parses the command line. Prints and exits on `--help` and on errors.
#[must_use]
pub fn parse() -> Request {
    request(Cli::parse())
}

/// Prints the help text.
///
/// # Errors
///
/// If stdout cannot be written to.
pub fn print_help() -> std::io::Result<()> {
    use clap::CommandFactory;
    Cli::command().print_help()
}

/// Prints the name and the version.
pub fn print_version() {
    println!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
}

fn request(cli: Cli) -> Request {
    match (cli.debug, cli.command) {
        (true, _) => Request::Debug,
        (false, Some(Command::Version)) => Request::Version,
        (false, Some(Command::Forget(forget))) => Request::Operate(Operate::Forget(forget)),
        (false, None) => Request::Help,
    }
}

/// Encrypts secrets on this machine and stores the ciphertext in a backend of your choice.
#[derive(Debug, Parser)]
#[command(version, about, after_help = INSTALL)]
struct Cli {
    /// Serve for a debugger: print TF_REATTACH_PROVIDERS, and wait for a Terraform that has it
    /// in its environment. The connection is not encrypted; only your user can access its
    /// socket.
    #[arg(long)]
    debug: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the version.
    Version,
    /// Remove a record whose backend is gone for good from the catalog.
    ///
    /// Reads the platform from the environment variables of the provider block: PLANTON_ORG, and
    /// either PLANTON_ADDR with PLANTON_TOKEN or PLANTON_TOKEN_FILE, or PLANTON_DATA_DIR.
    Forget(Forget),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_the_help_explains_the_installation() {
        let mut command = Cli::command();
        command.clone().debug_assert();
        let help = command.render_help().to_string();
        assert!(help.contains("required_providers"), "{help}");
        assert!(help.contains(r#"source = "plantonhq/planton""#), "{help}");
    }

    #[test]
    fn arguments_name_the_request() {
        let parsed = |arguments: &[&str]| {
            Cli::try_parse_from([&["planton"], arguments].concat())
                .map(request)
                .ok()
        };
        assert_eq!(parsed(&[]), Some(Request::Help));
        assert_eq!(parsed(&["version"]), Some(Request::Version));
        assert_eq!(parsed(&["--debug"]), Some(Request::Debug));
        assert_eq!(parsed(&["-debug"]), None);
        assert!(matches!(
            parsed(&["forget", "secret", "db", "--environment", "prod", "--yes"]),
            Some(Request::Operate(Operate::Forget(_)))
        ));
        for wrong in [
            &["forget"][..],
            &["forget", "secret"],
            &["forget", "secret", "not a slug"],
        ] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }
}
