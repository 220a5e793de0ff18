//! `gc` finds and deletes what no record needs.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::{Span, SpanRelativeTo};
use serde::Serialize;

use super::count::{agree, count};
use super::operator::{self, Form, Report};
use super::progress::Progress;
use crate::diagnostics::explain;
use planton_core::names::Slug;
use planton_core::operations::{
    Collect, Collection, Disposal, Interrupt, Leftover, OperationError, Organization,
    PLATFORM_BACKEND, Reason,
};

/// Exit statuses, for the help.
pub(super) const STATUSES: &str = "Exit status:
  0  done, or listed
  1  something could not be looked at or deleted, or the command failed; run it again
  2  wrong arguments; nothing was changed";

/// Arguments of `gc`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Gc {
    /// Backend to look at; `platform` is the built-in one. Default: every backend.
    #[arg(long, value_parser = Slug::parse)]
    backend: Option<Slug>,
    /// Also find objects that no record names: those of creations that were killed.
    #[arg(long, requires = "older_than")]
    orphans: bool,
    /// Minimum age of these objects, as in 12h or 7d. After the platform was restored from a
    /// backup, an age that reaches back behind the backup: the restored records do not name
    /// what was written since.
    #[arg(long, value_name = "AGE", value_parser = age, requires = "orphans")]
    older_than: Option<Duration>,
    /// Delete what is found. Without it, the command only lists.
    #[arg(long)]
    delete: bool,
    /// Print the result as one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

/// Parses an age. A day has 24 hours.
fn age(text: &str) -> Result<Duration, String> {
    let invalid = || format!("{text:?} is not an age such as 12h or 7d");
    let span: Span = text.parse().map_err(|_| invalid())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
    let duration = duration.map_err(|_| invalid())?;
    duration.try_into().map_err(|_| invalid())
}

/// Result of the command.
#[derive(Debug, Serialize)]
struct Collected {
    organization: String,
    deleted: usize,
    #[serde(flatten)]
    found: Leftovers,
}

/// What no record needs.
#[derive(Debug, Default, Serialize)]
pub(super) struct Leftovers {
    leftovers: Vec<Found>,
    /// Orphans that are not old enough.
    too_young: usize,
    /// Backends that could not be looked at.
    unlisted: Vec<Unlisted>,
}

#[derive(Debug, Serialize)]
struct Found {
    backend: String,
    object: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    written_at: Option<String>,
    disposal: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Unlisted {
    backend: String,
    error: String,
}

impl From<Leftover> for Found {
    fn from(leftover: Leftover) -> Self {
        let (disposal, error) = match leftover.disposal {
            Disposal::Found => ("found", None),
            Disposal::Deleted => ("deleted", None),
            Disposal::Failed(error) => ("failed", Some(error)),
        };
        Self {
            backend: leftover.backend.to_string(),
            object: leftover.object.to_string(),
            version: leftover.version.map(|version| version.to_string()),
            reason: match leftover.reason {
                Reason::Superseded => "superseded",
                Reason::Orphan => "orphan",
                Reason::Unclear => "unclear",
            },
            written_at: leftover.written_at.map(|at| at.to_string()),
            disposal,
            error,
        }
    }
}

impl Found {
    fn line(&self) -> String {
        let version = self.version.as_deref();
        let version = version.map_or_else(String::new, |id| format!(", version {id}"));
        let since = self.written_at.as_deref();
        let since = since.map_or_else(String::new, |at| format!(", written {at}"));
        let error = self.error.as_deref();
        let error = error.map_or_else(String::new, |error| format!(": {error}"));
        format!(
            "\n  {} ({}, {}{version}{since}): {}{error}",
            self.object, self.backend, self.reason, self.disposal
        )
    }
}

impl Leftovers {
    pub(super) fn add(&mut self, collection: Collection) {
        self.too_young += collection.too_young;
        let found = collection.leftovers.into_iter().map(Found::from);
        self.leftovers.extend(found);
    }

    /// Notes that a backend was not looked at. Returns the error if no other backend would
    /// escape it.
    fn not_looked_at(&mut self, backend: &str, error: OperationError) -> Option<OperationError> {
        if error.ends_all() {
            return Some(error);
        }
        self.note(backend, &error);
        None
    }

    fn note(&mut self, backend: &str, error: &OperationError) {
        self.unlisted.push(Unlisted {
            backend: backend.to_owned(),
            error: explain(error).detail,
        });
    }

    fn with<'a>(&'a self, disposal: &'a str) -> impl Iterator<Item = &'a Found> {
        let leftovers = self.leftovers.iter();
        leftovers.filter(move |one| one.disposal == disposal)
    }

    /// Returns a line for each leftover that is still there, after a sentence that names their
    /// number; nothing if there is none.
    pub(super) fn listed(&self) -> Option<String> {
        let number = self.with("found").count();
        let lines: String = self.with("found").map(Found::line).collect();
        let objects = count(number, "object or version", "objects or versions");
        (number > 0).then(|| format!("{objects} that no record needs:{lines}"))
    }

    /// Returns the lines of what stays because it or its record is not verified, and their
    /// number.
    pub(super) fn failed(&self) -> (String, usize) {
        let lines: Vec<_> = self.with("failed").map(Found::line).collect();
        (lines.concat(), lines.len())
    }

    /// Returns a line for each backend that could not be looked at.
    pub(super) fn unlisted(&self) -> String {
        let unlisted = self.unlisted.iter();
        let line = |one: &Unlisted| {
            format!(
                "\nNot looked for what no record of {} needs: {}",
                one.backend, one.error
            )
        };
        unlisted.map(line).collect()
    }
}

impl Report for Collected {
    fn text(&self) -> String {
        let found = &self.found;
        let mut text = format!("Organization {}: ", self.organization);
        match found.listed() {
            Some(listed) => {
                text.push_str(&listed);
                text.push_str("\nNothing was deleted. To delete what is listed, add --delete.");
            }
            None if self.deleted > 0 => {
                let _ = write!(
                    text,
                    "{} deleted.",
                    count(self.deleted, "object or version", "objects or versions")
                );
                text.extend(found.with("deleted").map(Found::line));
            }
            None => text.push_str("nothing found that no record needs."),
        }
        if found.too_young > 0 {
            let _ = write!(
                text,
                "\nNo record names {} more, which {} not old enough.",
                found.too_young,
                agree(found.too_young, "is", "are"),
            );
        }
        let (failed, number) = found.failed();
        if number > 0 {
            text.push_str("\nThese stay, since they failed or their records are not verified:");
            text.push_str(&failed);
        }
        text + &found.unlisted()
    }

    fn status(&self) -> u8 {
        let (_, failed) = self.found.failed();
        u8::from(failed > 0 || !self.found.unlisted.is_empty())
    }
}

/// Collects what the arguments name.
#[must_use]
pub(super) fn run(gc: Gc) -> ExitCode {
    let form = if gc.json { Form::Json } else { Form::Text };
    operator::run(form, |organization| async move {
        operator::interruptible(|interrupt| async move {
            let what = Collect {
                orphans: gc.older_than.filter(|_| gc.orphans),
                deletes: gc.delete,
            };
            if let Some(backend) = &gc.backend {
                interrupt
                    .bound(organization.backends().expect(backend))
                    .await?;
            }
            let mut found = Leftovers::default();
            let backend = gc.backend.as_ref();
            let ended = leftovers(&organization, backend, what, &mut found, &interrupt).await;
            let deleted = found.with("deleted").count();
            match ended {
                // What was deleted is told, whatever came after it.
                Err(error) if deleted > 0 => found.note("the rest of the organization", &error),
                ended => ended?,
            }
            Ok(Collected {
                organization: organization.slug().to_string(),
                deleted,
                found,
            })
        })
        .await
    })
}

/// Collects in one backend, or in all, and adds it to `found`. A backend that cannot be looked
/// at does not keep the others from being collected.
///
/// # Errors
///
/// What ends the whole collection. `found` then has what was done before.
pub(super) async fn leftovers(
    organization: &Organization,
    backend: Option<&Slug>,
    what: Collect,
    found: &mut Leftovers,
    interrupt: &Interrupt,
) -> Result<(), OperationError> {
    let backends = match backend {
        Some(one) => vec![one.clone()],
        None => {
            let mut all = vec![PLATFORM_BACKEND.parse().expect("a constant slug")];
            match interrupt.bound(organization.backends().in_use()).await {
                Ok(registered) => all.extend(registered),
                Err(error) => {
                    if let Some(error) = found.not_looked_at("the registered backends", error) {
                        return Err(error);
                    }
                }
            }
            all
        }
    };
    let keys = organization.keys();
    for backend in backends {
        let progress = Progress::counting("records and objects", format!("gc of {backend}"));
        let show = |now: &Collection| progress.show(now.looked_at, now.total);
        let shown = interrupt.clone().showing(progress.quota_waits());
        let mut collection = Collection::default();
        let collected = keys.collect(&backend, what, &mut collection, (&show, interrupt));
        let ended = shown.bound(collected).await;
        found.add(collection);
        if let Err(error) = ended
            && let Some(error) = found.not_looked_at(backend.as_str(), error)
        {
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use planton_core::store::{RemoteName, StoreError, StoreErrorKind};

    #[test]
    fn an_age_is_a_duration_whose_days_have_24_hours() {
        assert_eq!(age("12h"), Ok(Duration::from_secs(12 * 3600)));
        assert_eq!(age("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(age("1w 1h"), Ok(Duration::from_secs(7 * 86_400 + 3600)));
        for bad in ["", "7", "-1h", "1 month", "soon"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }

    fn leftover(reason: Reason, disposal: Disposal) -> Leftover {
        Leftover {
            backend: Slug::platform_backend(),
            object: RemoteName::new("planton/acme/org/db-0badcafe".to_owned()),
            version: None,
            reason,
            written_at: Some("2026-01-01T00:00:00Z".parse().expect("a time")),
            disposal,
        }
    }

    fn collected(leftovers: Vec<Leftover>) -> Collected {
        let mut found = Leftovers::default();
        found.add(Collection {
            leftovers,
            too_young: 2,
            ..Collection::default()
        });
        Collected {
            organization: "acme".to_owned(),
            deleted: found.with("deleted").count(),
            found,
        }
    }

    #[test]
    fn a_dry_run_lists_and_says_how_to_delete() {
        let done = collected(vec![leftover(Reason::Orphan, Disposal::Found)]);
        assert_eq!(done.status(), 0);
        insta::assert_snapshot!(done.text(), @r"
        Organization acme: 1 object or version that no record needs:
          planton/acme/org/db-0badcafe (platform, orphan, written 2026-01-01T00:00:00Z): found
        Nothing was deleted. To delete what is listed, add --delete.
        No record names 2 more, which are not old enough.
        ");
    }

    #[test]
    fn whatever_failed_or_was_not_looked_at_is_named_and_the_exit_status_tells() {
        let altered = Disposal::Failed("altered".to_owned());
        let mut done = collected(vec![
            leftover(Reason::Superseded, Disposal::Deleted),
            leftover(Reason::Unclear, altered),
        ]);
        assert_eq!(done.status(), 1);
        let denied = StoreError::new(StoreErrorKind::PermissionDenied, "list", "planton/acme");
        let noted = done.found.not_looked_at("vault", denied.into());
        assert!(noted.is_none());
        insta::assert_snapshot!(done.text(), @r"
        Organization acme: 1 object or version deleted.
          planton/acme/org/db-0badcafe (platform, superseded, written 2026-01-01T00:00:00Z): deleted
        No record names 2 more, which are not old enough.
        These stay, since they failed or their records are not verified:
          planton/acme/org/db-0badcafe (platform, unclear, written 2026-01-01T00:00:00Z): failed: altered
        Not looked for what no record of vault needs: The credentials in use do not permit this operation on the secret backend (list: planton/acme).

        Grant this operation to the role in use.
        ");
        done.found.leftovers.clear();
        assert_eq!(done.status(), 1);
    }
}
