//! `platform key-file remove-former` removes root keys that no record needs from the key file.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::{How, NeededBy, database_failed, no_database, no_key_file, retired};
use crate::cli::count::{agree, count};
use crate::cli::operator::{self, Failure, Form, Report};
use crate::cli::progress::Progress;
use crate::provider::{self, Environment, KeyPlace};
use planton_core::operations::{Interrupt, OperationError};
use planton_plugin::Diagnostic;
use planton_vendors::bucket::{Bucket, FoundRecord};
use planton_vendors::embedded::sqlite::{EmbeddedDatabase, KEY_FILE};
use planton_vendors::embedded::{LocalKeyFile, Retire, derived_key_prefix};

/// Exit statuses, for the help.
pub(super) const STATUSES: &str = "Exit status:
  0  done, or listed
  1  with --apply, a record needs a former root key; or the command failed
  2  wrong arguments, or another key file than that of the platform; nothing was changed
  3  no platform was found; nothing was changed";

/// Arguments of `platform key-file remove-former`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(super) struct RemoveFormer {
    /// Remove them. Without it, the command only lists.
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    how: How,
}

/// Result of the command.
#[derive(Debug, Serialize)]
struct Removal {
    key_file: String,
    /// The platform whose records were searched.
    platform: String,
    applied: bool,
    /// The former root keys that no record needs, which are removed if `applied`.
    unneeded: Vec<String>,
    needed_by: Vec<NeededBy>,
}

impl Report for Removal {
    fn text(&self) -> String {
        let Self {
            key_file,
            platform,
            applied,
            unneeded,
            needed_by,
        } = self;
        let mut text = format!(
            "Key file {key_file}: {} of {} {} needed by no record of {platform}.",
            unneeded.len(),
            count(
                unneeded.len() + needed_by.len(),
                "former root key",
                "former root keys"
            ),
            agree(unneeded.len(), "is", "are"),
        );
        for id in unneeded {
            let what = if *applied {
                "Former root key removed"
            } else {
                "Not needed"
            };
            let _ = write!(text, "\n  {what}: {id}");
        }
        for needed in needed_by {
            let _ = write!(text, "\n  {}", needed.text());
        }
        match (applied, unneeded.is_empty()) {
            (_, true) => text.push_str("\n\nNothing was changed."),
            (false, false) => text.push_str(
                "\n\nNothing was changed. Other buckets and prefixes that use this file, and \
                 backups of records, may need these root keys: the command cannot see them. Keep a \
                 copy of the file as it is, and add --apply.",
            ),
            (true, false) => text.push_str(
                "\n\nCopy the file to every other machine. Keep the former file as long as you may \
                 restore records from before the rotation.",
            ),
        }
        text
    }

    fn status(&self) -> u8 {
        u8::from(self.applied && !self.needed_by.is_empty())
    }
}

pub(super) fn run(removal: RemoveFormer) -> ExitCode {
    let form = if removal.how.json {
        Form::Json
    } else {
        Form::Text
    };
    operator::run_alone(form, false, async move {
        let environment = Environment::of_process();
        match provider::key_place(&environment)? {
            KeyPlace::Service => Err(no_key_file()),
            KeyPlace::Embedded(directory) => in_directory(&directory, removal.apply).await,
            KeyPlace::File(path) => {
                let bucket = provider::bucket_of(&environment)?;
                operator::interruptible(|interrupt| async move {
                    of_bucket(&bucket, &path, removal.apply, &interrupt).await
                })
                .await
            }
        }
    })
}

/// Looks at the records of an embedded platform.
async fn in_directory(directory: &Path, applies: bool) -> Result<Removal, Failure> {
    if !EmbeddedDatabase::exists(directory).map_err(database_failed)? {
        return Err(no_database(directory));
    }
    let what = if applies {
        Retire::Remove
    } else {
        Retire::Find
    };
    let retired = retired(directory, what).await?;
    Ok(Removal {
        key_file: directory.join(KEY_FILE).display().to_string(),
        platform: "the embedded platform".to_owned(),
        applied: applies,
        unneeded: retired.removed.iter().map(ToString::to_string).collect(),
        needed_by: retired.needed.into_iter().map(NeededBy::from).collect(),
    })
}

/// Looks at the records of every organization below the prefix of a bucket.
async fn of_bucket(
    bucket: &Bucket,
    path: &Path,
    applies: bool,
    interrupt: &Interrupt,
) -> Result<Removal, Failure> {
    let failed = |error| Failure::from(OperationError::Kek(error));
    let file = LocalKeyFile::open(path).map_err(failed)?;
    let former = file.former_root_keys().iter().map(|root| root.id());
    let former: Vec<_> = former.collect();
    // The current root key comes first.
    let all = std::iter::once(file.id()).chain(former.iter().copied());
    let texts: Vec<_> = all.map(derived_key_prefix).collect();
    let platform = bucket.location().to_string();
    let progress = Progress::counting("records", platform.clone());
    let shown = interrupt.clone().showing(progress.quota_waits());
    let show = |done, known| progress.show(done, known);
    let search = async { Ok::<_, OperationError>(bucket.search_records(&texts, &show).await?) };
    let searched = shown.bound(search).await?;
    drop(progress);
    let mut found = searched.found.into_iter();
    // Without it, this may be another bucket or another file, whose root keys are all unneeded.
    if found.next().flatten().is_none() && !former.is_empty() {
        return Err(another_platform(path, &platform));
    }
    let (mut unneeded, mut needed_by) = (Vec::new(), Vec::new());
    for (id, found) in former.into_iter().zip(found) {
        match found {
            None => unneeded.push(id),
            Some(FoundRecord {
                organization,
                record,
            }) => needed_by.push(NeededBy {
                root_key: id.to_string(),
                organization: organization.to_string(),
                record: record.to_string(),
            }),
        }
    }
    if applies && !unneeded.is_empty() {
        LocalKeyFile::remove_former(path, &unneeded).map_err(failed)?;
    }
    Ok(Removal {
        key_file: path.display().to_string(),
        platform,
        applied: applies,
        unneeded: unneeded.iter().map(ToString::to_string).collect(),
        needed_by,
    })
}

fn another_platform(path: &Path, platform: &str) -> Failure {
    Failure::not_confirmed(Diagnostic::error(
        "Key File Not In Use",
        format!(
            "No record of {platform} needs the current root key of the key file {}. Nothing was \
             changed: this may be the key file of another bucket, or of another prefix.\n\nCheck \
             PLANTON_BUCKET_URL and PLANTON_BUCKET_KEY. After a rotation, run \
             terraform-provider-planton rewrap first, for every organization that uses the file.",
            path.display()
        ),
    ))
}
