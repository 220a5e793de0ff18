//! Operator commands.

use clap::{Parser, Subcommand};

const INSTALL: &str = r#"Terraform and OpenTofu start this program themselves. To install it, name it in a
configuration, and run `terraform init`:

  terraform {
    required_version = ">= 1.11"
    required_providers {
      planton = {
        source = "plantonhq/planton"
      }
    }
  }"#;

/// What a person asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// Serve hosts that attach, until an interrupt.
    Debug,
    /// Print the version.
    Version,
    /// Print the help.
    Help,
}

/// Parses the command line; on `--help` and on errors, prints and exits.
#[must_use]
pub fn parse() -> Request {
    request(Cli::parse())
}

/// Prints the help text.
///
/// # Errors
///
/// When stdout takes nothing.
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
        (false, None) => Request::Help,
    }
}

/// Seals secrets on this machine and stores them where you choose.
#[derive(Debug, Parser)]
#[command(version, about, after_help = INSTALL)]
struct Cli {
    /// Serve for a debugger: print TF_REATTACH_PROVIDERS and wait for a
    /// Terraform that has it in its environment. Unencrypted, on a socket that
    /// only you can reach.
    #[arg(long)]
    debug: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the version.
    Version,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_the_help_says_how_to_install() {
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
    }
}
