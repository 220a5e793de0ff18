//! `platform migrate` moves the organization to another platform.

mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use self::report::Moved;
use super::How;
use crate::cli::operator::{self, Failure};
use crate::cli::progress::Progress;
use crate::provider::{self, Caller, Environment, KeyPlace, OtherKeys, place_of};
use planton_core::operations::{
    Ends, Interrupt, Migrated, Migration, MigrationProgress, MigrationSurvey, OperationError,
};
use planton_plugin::Diagnostic;
use planton_vendors::bucket::Bucket;

/// Exit statuses, for the help.
pub(super) const STATUSES: &str = "Exit status:
  0  done, or nothing keeps the migration from beginning
  1  failed, perhaps halfway: run the command again to finish it; or a migration was begun and
     is not done; or something keeps it from beginning; or versions were copied that no key at
     hand opens
  2  wrong arguments; nothing was changed";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(super) struct Migrate {
    /// Move the organization, or continue to. Requires PLANTON_ORGANIZATION_FINGERPRINT and
    /// PLANTON_ALLOWED_KEY_IDS.
    #[arg(long)]
    apply: bool,
    /// After a migration, copy what a writer has sent to the former platform too late. Requires
    /// the same variables.
    #[arg(long, conflicts_with = "apply")]
    sweep: bool,
    /// Also move versions whose data keys no key at hand unwraps. They stay unreadable without
    /// the key that wraps them now.
    #[arg(long)]
    allow_unopened: bool,
    #[command(flatten)]
    how: How,
}

pub(super) fn run(migrate: &Migrate) -> ExitCode {
    let migrate = *migrate;
    operator::run_alone(migrate.how.form(), false, async move {
        let opened = opened(&Environment::of_process()).await?;
        let (migration, bucket, key_file) = (opened.migration, opened.bucket, opened.key_file);
        let done = operator::interruptible(|interrupt| async move {
            migrated(&migration, migrate, key_file.as_ref(), &interrupt).await
        });
        let done = done.await;
        bucket.iter().for_each(operator::print_advice);
        done
    })
}

/// Both platforms of a migration, opened.
struct Opened {
    migration: Migration,
    /// The target, if it is a bucket.
    bucket: Option<Bucket>,
    /// Its key file, if it has one.
    key_file: Option<TargetKeyFile>,
}

/// The key file of a bucket that is the target.
struct TargetKeyFile {
    path: PathBuf,
    was_there: bool,
    /// The warning that it has to be backed up.
    warning: Diagnostic,
}

impl TargetKeyFile {
    fn has_come(&self) -> bool {
        !self.was_there && self.path.exists()
    }
}

/// Opens both platforms.
async fn opened(environment: &Environment) -> Result<Opened, Failure> {
    let target = environment.of_target();
    let (from, to) = (
        place_of(environment)?,
        place_of(&target).map_err(of_target)?,
    );
    if from.block == to.block {
        return Err(same_kind(&to.block).into());
    }
    let organization = provider::organization_of(environment)?;
    if provider::organization_of(&target)? != organization {
        return Err(another_organization().into());
    }
    let path = match provider::key_place(&target).map_err(of_target)? {
        KeyPlace::File(path) => Some(path),
        KeyPlace::Embedded(_) | KeyPlace::Service => None,
    };
    let was_there = path.as_ref().is_some_and(|path| path.exists());
    let (source, warnings) = provider::operated(environment, Caller::Ordinary).await?;
    let opened = provider::operated(&target, Caller::Creation).await;
    let (target, more) = opened.map_err(of_target)?;
    for warning in warnings.iter().chain(&more) {
        operator::print(warning);
    }
    let bucket = target.bucket();
    let warning = target.key_file_to_back_up(OtherKeys::Unknown);
    let key_file = path.zip(warning).map(|(path, warning)| TargetKeyFile {
        path,
        was_there,
        warning,
    });
    let migration = Migration::new(Ends {
        source: source.organization,
        target: target.organization,
        from,
        to,
    });
    Ok(Opened {
        migration,
        bucket,
        key_file,
    })
}

/// Names the variables of the target in a diagnostic about it.
fn of_target(diagnostic: Diagnostic) -> Diagnostic {
    if diagnostic.detail.contains("PLANTON_TARGET_") {
        return diagnostic;
    }
    Diagnostic {
        detail: diagnostic.detail.replace("PLANTON_", "PLANTON_TARGET_"),
        ..diagnostic
    }
}

fn same_kind(block: &str) -> Diagnostic {
    Diagnostic::error(
        "Migration Within A Platform",
        format!(
            "Both platforms are of the type {block}. A migration moves an organization between \
             different types.\n\nUse the means of that platform: a snapshot of OpenBAO, a copy of \
             the bucket, or a copy of the directory."
        ),
    )
}

fn another_organization() -> Diagnostic {
    Diagnostic::error(
        "Organization Renamed",
        "PLANTON_TARGET_ORG names another organization than PLANTON_ORG. A migration moves an \
         organization, and does not rename it.\n\nUnset PLANTON_TARGET_ORG.",
    )
}

async fn migrated(
    migration: &Migration,
    migrate: Migrate,
    key_file: Option<&TargetKeyFile>,
    interrupt: &Interrupt,
) -> Result<Moved, Failure> {
    let mut moved = Moved {
        organization: migration.slug().to_string(),
        target: migration.to().to_string(),
        is_complete: false,
        allows_unopened: migrate.allow_unopened,
        survey: None,
        done: None,
    };
    if migrate.apply || migrate.sweep {
        migration.expect_pins()?;
    }
    if !migrate.sweep {
        let survey = survey(migration, interrupt).await?;
        let is_hindered =
            !survey.obstacles.is_empty() || !survey.unopened.is_empty() && !migrate.allow_unopened;
        moved.is_complete = survey.progress == MigrationProgress::Complete;
        let will_move = migrate.apply && !is_hindered && !moved.is_complete;
        // A survey may make the key file as well, which a later call then finds.
        let key_file = key_file.filter(|file| will_move || file.has_come());
        if let Some(file) = key_file {
            operator::print(&file.warning);
        }
        moved.survey = Some(survey.into());
        if is_hindered || !migrate.apply {
            return Ok(moved);
        }
    }
    let progress = Progress::counting("records", "migration");
    let shown = interrupt.clone().showing(progress.quota_waits());
    let show = |now: &Migrated| progress.show(now.looked_at, now.total);
    let done = async {
        match migrate.sweep {
            true => migration.sweep(&show, interrupt).await,
            false => migration.run(&show, interrupt).await,
        }
    };
    let done = shown.bound(done).await;
    drop(progress);
    let done = done?;
    moved.is_complete = done.is_complete;
    moved.done = Some(done.into());
    Ok(moved)
}

async fn survey(
    migration: &Migration,
    interrupt: &Interrupt,
) -> Result<MigrationSurvey, OperationError> {
    let progress = Progress::counting("records", "survey");
    let shown = interrupt.clone().showing(progress.quota_waits());
    let show = |now: &MigrationSurvey| progress.show(now.looked_at, now.total);
    shown.bound(migration.survey(&show, interrupt)).await
}
