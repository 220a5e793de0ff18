//! `platform`: the organization on its platform, its keys and its escrow keys, and backups of
//! its catalog.

mod accept_rollback;
mod backup;
mod draft;
mod escrow;
mod init;
mod migrate;
mod report;
mod restore;
mod status;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::key_file::{self, KeyFile};
use super::operator::{Form, STATUSES};

/// Arguments of `platform`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Platform {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum What {
    /// Create the organization, with its keys, before the first apply.
    ///
    /// The first apply does the same without escrow keys. Prints the fingerprint and the key
    /// identifiers to pin. An interrupted call is repeated.
    #[command(after_help = STATUSES)]
    Init(init::Init),
    /// Print the organization's fingerprint, its keys and how they rotate.
    #[command(after_help = STATUSES)]
    Status(How),
    /// Add, remove and list the organization's escrow keys.
    ///
    /// Each of them opens the platform's own secrets, the credentials of backends and the key
    /// that authenticates the catalog, alone and without the main key.
    Escrow(escrow::Escrow),
    /// Rotate a key file, remove its former root keys, or create it anew after a loss.
    KeyFile(KeyFile),
    /// Move the organization to another platform. Says what would move; moves it with --apply.
    ///
    /// Reads the other platform from the same variables with the prefix PLANTON_TARGET_:
    /// PLANTON_TARGET_ADDR with PLANTON_TARGET_TOKEN, PLANTON_TARGET_DATA_DIR, or
    /// PLANTON_TARGET_BUCKET_URL with PLANTON_TARGET_BUCKET_KEY. While it moves, applies and plans
    /// of the organization fail. States stay valid. An interrupted call is repeated.
    #[command(after_help = migrate::STATUSES)]
    Migrate(migrate::Migrate),
    /// Write every record of the catalog to a file.
    ///
    /// The file has names, labels and settings, but no value, no envelope and no key. Runs beside
    /// applies: each record is as it was at some time during the backup.
    #[command(after_help = backup::STATUSES)]
    Backup(backup::Backup),
    /// Compare a backup with the catalog. Write what the catalog lacks with --apply.
    ///
    /// Stop every apply of the organization first. While records are written, nothing else opens
    /// the organization; an interrupted call is repeated. Where the catalog lacks the
    /// organization's own record, requires PLANTON_ORGANIZATION_FINGERPRINT.
    #[command(after_help = restore::STATUSES)]
    Restore(restore::Restore),
    /// Say whether the catalog was rolled back. Make states take it as it is with --apply.
    ///
    /// States refuse records that are older than those that they have seen. Run this after
    /// `restore`, or after the platform itself was restored.
    #[command(after_help = accept_rollback::STATUSES)]
    AcceptRollback(accept_rollback::AcceptRollback),
}

/// Output of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
struct How {
    /// Print the result as one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

impl How {
    fn form(self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

/// Runs the command that the arguments name.
#[must_use]
pub(super) fn run(platform: Platform) -> ExitCode {
    match platform.what {
        What::Init(init) => init::run(&init),
        What::Status(how) => status::run(how),
        What::Escrow(escrow) => escrow::run(escrow),
        What::KeyFile(key_file) => key_file::run(key_file),
        What::Migrate(migrate) => migrate::run(&migrate),
        What::Backup(backup) => backup::run(backup),
        What::Restore(restore) => restore::run(restore),
        What::AcceptRollback(accept) => accept_rollback::run(accept),
    }
}
