//! The command line: operator commands, one module each, and the help.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod count;
mod forget;
mod gc;
mod identities;
mod key_argument;
mod key_file;
mod missing;
mod open;
mod operator;
mod output;
mod platform;
mod progress;
mod renewal;
mod reseal;
mod rewrap;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use forget::Forget;
pub use gc::Gc;
pub use open::Open;
pub use platform::Platform;
pub use reseal::Reseal;
pub use rewrap::Rewrap;
pub use verify::Verify;

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
    /// Create the organization, print its keys, change its escrow keys.
    Platform(Platform),
    /// Move data keys to the present keys and their newest versions.
    Rewrap(Rewrap),
    /// Seal values again, each under a new data key.
    Reseal(Reseal),
    /// Open one envelope with a key at hand.
    Open(Open),
    /// Verify records and stored versions against each other.
    Verify(Verify),
    /// Find and delete what no record needs.
    Gc(Gc),
}

impl Operate {
    /// Runs the command on the platform that the environment variables name, and prints the
    /// result.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self {
            Self::Forget(forget) => forget::run(forget),
            Self::Platform(platform) => platform::run(platform),
            Self::Rewrap(rewrap) => rewrap::run(rewrap),
            Self::Reseal(reseal) => reseal::run(reseal),
            Self::Open(open) => open::run(open),
            Self::Verify(verify) => verify::run(verify),
            Self::Gc(gc) => gc::run(gc),
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
    output::print_result(format_args!(
        "{} {}",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION")
    ));
}

fn request(cli: Cli) -> Request {
    match (cli.debug, cli.command) {
        (true, _) => Request::Debug,
        (false, Some(Command::Version)) => Request::Version,
        (false, Some(Command::Forget(forget))) => Request::Operate(Operate::Forget(forget)),
        (false, Some(Command::Platform(platform))) => Request::Operate(Operate::Platform(platform)),
        (false, Some(Command::Rewrap(rewrap))) => Request::Operate(Operate::Rewrap(rewrap)),
        (false, Some(Command::Reseal(reseal))) => Request::Operate(Operate::Reseal(reseal)),
        (false, Some(Command::Open(open))) => Request::Operate(Operate::Open(open)),
        (false, Some(Command::Verify(verify))) => Request::Operate(Operate::Verify(verify)),
        (false, Some(Command::Gc(gc))) => Request::Operate(Operate::Gc(gc)),
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
    /// one of PLANTON_ADDR (with PLANTON_TOKEN or PLANTON_TOKEN_FILE), PLANTON_DATA_DIR and
    /// PLANTON_BUCKET_URL (with PLANTON_BUCKET_KEY).
    Forget(Forget),
    /// Create the organization on its platform, print its keys, change its escrow keys.
    ///
    /// Reads the platform from the environment variables of the provider block, as `forget`
    /// does.
    Platform(Platform),
    /// Move data keys to the present keys of each backend, and to their newest versions.
    ///
    /// No value is decrypted and no payload changes. Runs beside applies; an interrupted call is
    /// repeated. Requires PLANTON_ORGANIZATION_FINGERPRINT and PLANTON_ALLOWED_KEY_IDS, beside
    /// the variables that `forget` reads.
    #[command(after_help = operator::STATUSES)]
    Rewrap(Rewrap),
    /// Seal the values of a backend again, each under a new data key and in the place of its
    /// version.
    ///
    /// Decrypts each value on this machine. Terraform finds no difference afterwards. Runs
    /// beside applies, and requires the same variables as `rewrap`.
    #[command(after_help = operator::STATUSES)]
    Reseal(Reseal),
    /// Open one envelope with a key at hand: break glass.
    ///
    /// Reads the envelope as its backend stores it, and unwraps with a key file, an identity of
    /// age, a key in a service, or the platform's own key. Says what the result proves. Reads
    /// platform variables only with --from-backend and --platform-key.
    #[command(after_help = operator::STATUSES)]
    Open(Open),
    /// Verify every record and every stored version, without decrypting a value.
    ///
    /// For each record its authentication code; for each version its object, the digest of its
    /// payload and the list of keys that it is wrapped for. Reads the platform from the
    /// environment variables of the provider block, as `forget` does.
    #[command(after_help = verify::STATUSES)]
    Verify(Verify),
    /// List what no record needs: replaced envelopes, and objects of killed creations. Delete it
    /// with --delete.
    ///
    /// Runs beside applies: a creation that is still running begins anew under another name.
    /// Reads the platform from the environment variables of the provider block, as `forget`
    /// does.
    #[command(after_help = gc::STATUSES)]
    Gc(Gc),
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
        for operate in [
            &[
                "platform", "init", "--escrow", "age:age1", "--escrow", "age:age2",
            ][..],
            &["platform", "status", "--json"],
            &["platform", "escrow", "add", "age:age1"],
            &["platform", "escrow", "remove", "age:age1"],
            &["platform", "escrow", "list"],
            &["rewrap"],
            &["rewrap", "--with", "id.txt", "--backend", "vault"],
            &["reseal", "vault", "--json"],
            &["reseal", "vault", "--sealed-before", "2026-11-27T15:00:00Z"],
            &["platform", "key-file", "rotate", "--json"],
            &["platform", "key-file", "create"],
            &["platform", "migrate"],
            &["platform", "migrate", "--apply", "--json"],
            &["platform", "migrate", "--sweep"],
            &["platform", "backup", "file", "--json"],
            &["platform", "restore", "file"],
            &[
                "platform",
                "restore",
                "file",
                "--apply",
                "--overwrite",
                "--with",
                "id.txt",
            ],
            &["platform", "accept-rollback"],
            &[
                "platform",
                "accept-rollback",
                "--platform-restored",
                "--apply",
            ],
            &["open", "--identity", "id.txt"],
            &[
                "verify",
                "--backend",
                "vault",
                "--drill",
                "id.txt",
                "--json",
            ],
            &["open", "envelope", "--key-file", "key", "--reveal"],
            &["open", "envelope", "--platform-key"],
            &[
                "open",
                "--from-backend",
                "--secret",
                "db",
                "--key",
                "aws_kms:key_id=1",
            ],
            &[
                "open",
                "--from-backend",
                "--secret",
                "db",
                "--environment",
                "prod",
                "--secret-version",
                "2",
                "--identity",
                "id.txt",
            ],
            &["rewrap", "--backend", "vault", "--json"],
            &["gc"],
            &[
                "gc",
                "--orphans",
                "--older-than",
                "7d",
                "--delete",
                "--json",
            ],
        ] {
            assert!(
                matches!(parsed(operate), Some(Request::Operate(_))),
                "{operate:?}"
            );
        }
        for wrong in [
            &["platform"][..],
            &["platform", "escrow", "add"],
            &["rewrap", "vault"],
            &["reseal"],
            &["reseal", "vault", "--sealed-before", "yesterday"],
            &["platform", "key-file"],
            &["platform", "migrate", "--apply", "--sweep"],
            &["platform", "backup"],
            &["platform", "restore", "--apply"],
            &["gc", "--orphans"],
            &["gc", "--older-than", "7d"],
            &["gc", "--orphans", "--older-than", "soon"],
            &["open", "envelope"],
            &["open", "--identity", "id.txt", "--key-file", "key"],
            &["open", "--identity", "id.txt", "--reveal", "--json"],
            &["open", "--key", "aws_kms:key_id=1"],
            &["open", "--secret", "db", "--key", "aws_kms:key_id=1"],
            &["open", "--from-backend", "--identity", "id.txt"],
            &[
                "open",
                "envelope",
                "--from-backend",
                "--secret",
                "db",
                "--platform-key",
            ],
            &[
                "open",
                "envelope",
                "--secret-version",
                "2",
                "--platform-key",
            ],
            &["forget"],
            &["forget", "secret"],
            &["forget", "secret", "not a slug"],
        ] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }
}
