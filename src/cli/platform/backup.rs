//! `platform backup` writes the records of the catalog to a file.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::How;
use super::draft::Draft;
use crate::cli::count::count;
use crate::cli::operator::{self, Failure, Report};
use crate::cli::progress::Progress;
use planton_core::operations::{
    BackedUp, BackupFileError, Interrupt, OperationError, Organization,
};
use planton_plugin::Diagnostic;

/// Exit statuses, for the help.
pub(super) const STATUSES: &str = "Exit status:
  0  done
  1  failed, and the file was not written; or a record is altered and not in the backup
  2  wrong arguments, or the file exists";

#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Backup {
    /// File to write, with mode 0600. It must not exist.
    file: PathBuf,
    #[command(flatten)]
    how: How,
}

/// Result of the command.
#[derive(Debug, Serialize)]
struct Written {
    organization: String,
    catalog: String,
    fingerprint: String,
    taken_at: String,
    file: String,
    records: u64,
    /// Records that are not in the backup, since their MAC does not verify.
    altered: Vec<String>,
}

impl Report for Written {
    fn text(&self) -> String {
        let mut text = format!(
            "Wrote {} of organization {} to {}.\n\nFingerprint: {}\n\nThe backup has no \
             value, no envelope and no key. Back up the stored envelopes and the keys by the means \
             of the platform: the guide \"Restore a backup\" names them.",
            count(self.records, "record", "records"),
            self.organization,
            self.file,
            self.fingerprint
        );
        if !self.altered.is_empty() {
            text.push_str(
                "\n\nThe MACs of these records do not verify, and they are not in the backup. Run \
                 terraform-provider-planton verify.",
            );
            for key in &self.altered {
                let _ = write!(text, "\n  {key}");
            }
        }
        text
    }

    fn status(&self) -> u8 {
        u8::from(!self.altered.is_empty())
    }
}

pub(super) fn run(backup: Backup) -> ExitCode {
    operator::run(backup.how.form(), |organization| async move {
        operator::interruptible(|interrupt| async move {
            written(&organization, &backup.file, &interrupt).await
        })
        .await
    })
}

async fn written(
    organization: &Organization,
    file: &Path,
    interrupt: &Interrupt,
) -> Result<Written, Failure> {
    if file.symlink_metadata().is_ok() {
        return Err(exists(file));
    }
    let mut draft = Draft::create(file).map_err(inaccessible)?;
    let progress = Progress::counting("records", "backup");
    let show = |now: &BackedUp| progress.show(now.looked_at, now.listed);
    let shown = interrupt.clone().showing(progress.quota_waits());
    let mut out = BufWriter::new(draft.file());
    let keys = organization.keys();
    let (header, done) = shown.bound(keys.backup(&mut out, &show, interrupt)).await?;
    out.flush().map_err(inaccessible)?;
    drop(out);
    drop(progress);
    if !draft.publish().map_err(inaccessible)? {
        return Err(exists(file));
    }
    Ok(Written {
        organization: header.organization.to_string(),
        catalog: header.catalog.to_string(),
        fingerprint: header.fingerprint,
        taken_at: header.taken_at.to_string(),
        file: file.display().to_string(),
        records: done.records,
        altered: done.altered.iter().map(ToString::to_string).collect(),
    })
}

/// Reports a failure of the file.
pub(super) fn inaccessible(error: std::io::Error) -> Failure {
    OperationError::from(BackupFileError::from(error)).into()
}

fn exists(file: &Path) -> Failure {
    Failure::not_confirmed(Diagnostic::error(
        "Backup File Exists",
        format!(
            "The file {} exists, and a backup never replaces a file.\n\nName another file.",
            file.display()
        ),
    ))
}
