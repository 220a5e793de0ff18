//! `platform restore` writes the records of a backup to a catalog that lacks them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::How;
use super::backup::inaccessible;
use crate::cli::count::count;
use crate::cli::identities;
use crate::cli::operator::{self, Failure, Report};
use crate::cli::progress::Progress;
use crate::provider::Caller;
use planton_core::operations::{
    self, AfterRestore, DifferentRecord, Interrupt, Organization, RestoreProgress, Restored,
};

/// Exit statuses, for the help.
pub(super) const STATUSES: &str = "Exit status:
  0  done, or compared
  1  failed, perhaps halfway: run it again; or an altered record of the catalog stays
  2  wrong arguments; nothing was changed";

#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Restore {
    /// Backup that `platform backup` wrote.
    file: PathBuf,
    /// Write the records that the catalog lacks. Without it, the command only compares.
    #[arg(long)]
    apply: bool,
    /// Also replace the records that differ from the backup, newer ones included.
    #[arg(long)]
    overwrite: bool,
    /// Unwrap with the identities of age in this file, after the main key was lost. Afterwards
    /// run `rewrap --with` with the same file.
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

/// How many different records the text names.
const NAMED: usize = 20;

/// Result of the command.
#[derive(Debug, Serialize)]
struct Compared {
    organization: String,
    catalog: String,
    /// Fingerprint that the backup names.
    fingerprint: String,
    backup_taken_at: String,
    records: u64,
    /// Whether records were written.
    applied: bool,
    /// Records that the catalog lacks, or lacked.
    missing: u64,
    equal: u64,
    different: Vec<Different>,
    /// Whether different records were replaced.
    overwritten: bool,
    /// Whether an interrupted restore has to be finished.
    restore_due: bool,
    /// Whether `platform accept-rollback` has to follow.
    accept_rollback_due: bool,
}

#[derive(Debug, Serialize)]
struct Different {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_in_backup: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_in_catalog: Option<u64>,
    /// Whether the MAC of the catalog's record does not verify.
    altered: bool,
}

impl From<DifferentRecord> for Different {
    fn from(record: DifferentRecord) -> Self {
        Self {
            key: record.key.to_string(),
            generation_in_backup: record.in_backup,
            generation_in_catalog: record.in_catalog,
            altered: record.is_altered,
        }
    }
}

impl Different {
    fn line(&self) -> String {
        let generation = |generation: Option<u64>| {
            generation.map_or_else(|| "none".to_owned(), |it| it.to_string())
        };
        let altered = if self.altered { ", altered" } else { "" };
        format!(
            "\n  {}: generation {} in the backup, {} in the catalog{altered}",
            self.key,
            generation(self.generation_in_backup),
            generation(self.generation_in_catalog),
        )
    }
}

impl Compared {
    fn new(restored: Restored, what: operations::Restore) -> Self {
        let Restored {
            header,
            records,
            missing,
            equal,
            different,
            applied,
            next,
        } = restored;
        Self {
            organization: header.organization.to_string(),
            catalog: header.catalog.to_string(),
            fingerprint: header.fingerprint,
            backup_taken_at: header.taken_at.to_string(),
            records,
            applied,
            missing,
            equal,
            overwritten: applied && what.overwrites && !different.is_empty(),
            different: different.into_iter().map(Different::from).collect(),
            restore_due: next == AfterRestore::Restore,
            accept_rollback_due: next == AfterRestore::AcceptRollback,
        }
    }

    fn list_different(&self, text: &mut String) {
        if self.different.is_empty() {
            return;
        }
        text.push_str(match self.overwritten {
            true => "\n\nThese records differed, and were replaced:",
            false => "\n\nThese records differ, and stay as the catalog has them:",
        });
        text.extend(self.different.iter().take(NAMED).map(Different::line));
        if self.different.len() > NAMED {
            let _ = write!(text, "\n  and {} more", self.different.len() - NAMED);
        }
    }
}

impl Report for Compared {
    fn text(&self) -> String {
        let mut text = format!(
            "Backup of organization {}, taken at {}, with {}. The catalog {} {} of them, \
             and has {} unchanged.",
            self.organization,
            self.backup_taken_at,
            count(self.records, "record", "records"),
            if self.applied { "lacked" } else { "lacks" },
            self.missing,
            self.equal,
        );
        self.list_different(&mut text);
        text.push_str(match self {
            Self { applied: true, .. } => {
                "\n\nThe records of the backup are written. States that have seen newer ones \
                 refuse them. Check the catalog with terraform-provider-planton verify, and then \
                 run terraform-provider-planton platform accept-rollback."
            }
            Self {
                restore_due: true, ..
            } => {
                "\n\nNothing was written. A restore was interrupted, and no run can open the \
                 organization until it is finished: add --apply."
            }
            Self { missing: 1.., .. } => {
                "\n\nNothing was written. To write the missing records, stop every apply of the \
                 organization, and add --apply."
            }
            Self {
                accept_rollback_due: true,
                ..
            } => {
                "\n\nNothing was written. A restore is not accepted yet: run \
                 terraform-provider-planton platform accept-rollback."
            }
            _ => "\n\nNothing was written.",
        });
        text
    }

    fn status(&self) -> u8 {
        let stays = !self.overwritten && self.different.iter().any(|record| record.altered);
        u8::from(stays)
    }
}

pub(super) fn run(restore: Restore) -> ExitCode {
    operator::run_as(Caller::Restoration, restore.how.form(), |on| async move {
        operator::interruptible(|interrupt| async move {
            compared(on.organization, &restore, &interrupt).await
        })
        .await
    })
}

async fn compared(
    organization: Organization,
    restore: &Restore,
    interrupt: &Interrupt,
) -> Result<Compared, Failure> {
    let rescue = match &restore.with {
        Some(path) => identities::open(path)?,
        None => Vec::new(),
    };
    let organization = organization.with_rescue(rescue).for_restoring();
    let what = operations::Restore {
        applies: restore.apply,
        overwrites: restore.overwrite,
    };
    let mut source = BufReader::new(File::open(&restore.file).map_err(inaccessible)?);
    let progress = Progress::counting("records", "restore");
    let show = |now: RestoreProgress| {
        let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
        progress.show(count(now.looked_at), count(now.total));
    };
    let shown = interrupt.clone().showing(progress.quota_waits());
    let keys = organization.keys();
    let restored = keys.restore(&mut source, what, &show, interrupt);
    let restored = shown.bound(restored).await?;
    drop(progress);
    Ok(Compared::new(restored, what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use planton_core::catalog::RecordKey;
    use planton_core::operations::BackupHeader;

    fn restored(different: usize, is_altered: bool, applied: bool) -> Restored {
        let different = (0..different).map(|number| DifferentRecord {
            key: RecordKey::new(format!("secrets/{number:015x}")),
            in_backup: Some(1),
            in_catalog: Some(2),
            is_altered,
        });
        Restored {
            header: BackupHeader::new(
                "acme".parse().expect("a slug"),
                uuid::Uuid::nil(),
                "00".repeat(16),
                jiff::Timestamp::UNIX_EPOCH,
            ),
            records: 40,
            missing: 3,
            equal: 5,
            different: different.collect(),
            applied,
            next: match applied {
                true => AfterRestore::AcceptRollback,
                false => AfterRestore::Nothing,
            },
        }
    }

    #[test]
    fn a_comparison_says_what_is_missing_and_how_to_write_it() {
        let compared = Compared::new(restored(1, false, false), operations::Restore::default());
        assert_eq!(compared.status(), 0);
        insta::assert_snapshot!(compared.text(), @r"
        Backup of organization acme, taken at 1970-01-01T00:00:00Z, with 40 records. The catalog lacks 3 of them, and has 5 unchanged.

        These records differ, and stay as the catalog has them:
          secrets/000000000000000: generation 1 in the backup, 2 in the catalog

        Nothing was written. To write the missing records, stop every apply of the organization, and add --apply.
        ");
    }

    #[test]
    fn a_restoration_says_what_follows_and_an_altered_record_that_stays_is_a_failure() {
        let what = operations::Restore {
            applies: true,
            overwrites: false,
        };
        let compared = Compared::new(restored(22, true, true), what);
        assert_eq!(compared.status(), 1);
        let text = compared.text();
        assert!(
            text.contains("2 in the catalog, altered\n  and 2 more\n\nThe records"),
            "{text}"
        );
        let what = operations::Restore {
            overwrites: true,
            ..what
        };
        let compared = Compared::new(restored(22, true, true), what);
        assert_eq!(compared.status(), 0);
        assert!(compared.text().contains("platform accept-rollback"));
    }

    #[test]
    fn a_comparison_says_what_an_earlier_restore_still_needs() {
        for (next, needed) in [
            (AfterRestore::Restore, "was interrupted"),
            (AfterRestore::AcceptRollback, "platform accept-rollback"),
        ] {
            let restored = Restored {
                missing: 0,
                next,
                ..restored(0, false, false)
            };
            let compared = Compared::new(restored, operations::Restore::default());
            assert!(compared.text().contains(needed), "{}", compared.text());
            assert!(compared.restore_due != compared.accept_rollback_due);
        }
    }
}
