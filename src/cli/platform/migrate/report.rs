//! What `platform migrate` reports.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::operator::Report;
use planton_core::operations::{Migrated, MigrationSurvey, Unmoved, pin_of};

/// Number of secrets that the text names.
const MAX_NAMED: usize = 10;

/// Result of the command.
#[derive(Debug, Serialize)]
pub(super) struct Moved {
    pub(super) organization: String,
    /// The platform that is to have the organization, as the block to configure.
    pub(super) target: String,
    /// Whether the target has all, and is in use.
    pub(super) is_complete: bool,
    /// Whether versions may move that no key at hand opens.
    pub(super) allows_unopened: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) survey: Option<Survey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) done: Option<Done>,
}

/// What would move.
#[derive(Debug, Serialize)]
pub(super) struct Survey {
    secrets: usize,
    versions: usize,
    backends: usize,
    rewraps: usize,
    keys: Vec<String>,
    lost: Vec<Named>,
    unopened: Vec<Named>,
    obstacles: Vec<Named>,
}

/// What was moved.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    records: usize,
    versions: usize,
    rewraps: usize,
    lost: Vec<Named>,
    unopened: Vec<Named>,
    failed: Vec<Named>,
}

/// A record or a version, and what is special about it.
#[derive(Debug, Serialize)]
struct Named {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    reason: String,
}

impl From<Unmoved> for Named {
    fn from(unmoved: Unmoved) -> Self {
        Self {
            name: unmoved.subject,
            version: unmoved.version,
            reason: unmoved.reason,
        }
    }
}

impl From<MigrationSurvey> for Survey {
    fn from(survey: MigrationSurvey) -> Self {
        Self {
            secrets: survey.secrets,
            versions: survey.versions,
            backends: survey.backends,
            rewraps: survey.rewraps,
            keys: survey.keys.iter().map(pin_of).collect(),
            lost: named(survey.lost),
            unopened: named(survey.unopened),
            obstacles: named(survey.obstacles),
        }
    }
}

impl From<Migrated> for Done {
    fn from(done: Migrated) -> Self {
        Self {
            records: done.records,
            versions: done.versions,
            rewraps: done.rewraps,
            lost: named(done.lost),
            unopened: named(done.unopened),
            failed: named(done.failed),
        }
    }
}

fn named(all: Vec<Unmoved>) -> Vec<Named> {
    all.into_iter().map(Named::from).collect()
}

impl Report for Moved {
    fn text(&self) -> String {
        let of_survey = self.survey.as_ref().map(|survey| self.survey_text(survey));
        let of_done = self.done.as_ref().map(|done| self.done_text(done));
        let parts: Vec<String> = of_survey.into_iter().chain(of_done).collect();
        parts.join("\n\n")
    }

    fn status(&self) -> u8 {
        let survey = self.survey.as_ref();
        let is_hindered = survey.is_some_and(|survey| self.is_hindered(survey));
        let has_failed = self
            .done
            .as_ref()
            .is_some_and(|done| !done.failed.is_empty() || !done.unopened.is_empty());
        u8::from(is_hindered || has_failed)
    }
}

impl Moved {
    fn is_hindered(&self, survey: &Survey) -> bool {
        !survey.obstacles.is_empty() || !survey.unopened.is_empty() && !self.allows_unopened
    }

    fn survey_text(&self, survey: &Survey) -> String {
        let Survey {
            secrets,
            versions,
            backends,
            rewraps,
            ..
        } = survey;
        let mut text = format!(
            "Organization {} would move to:\n\n  {}\n\n{secrets} secrets, {backends} backends. \
             {versions} versions would move to the new platform. {rewraps} versions on registered \
             backends would be wrapped again.",
            self.organization, self.target
        );
        if !survey.keys.is_empty() {
            let keys = survey.keys.join("\n  ");
            let _ = write!(text, "\n\nKeys of the new platform:\n  {keys}");
        }
        list(&mut text, LOST, &survey.lost);
        list(&mut text, NOT_OPENED, &survey.unopened);
        list(
            &mut text,
            "The migration cannot begin before these are removed",
            &survey.obstacles,
        );
        if !self.is_hindered(survey) && self.done.is_none() {
            text.push_str(
                "\n\nNothing was changed. Run the command again with --apply to move the \
                 organization. Applies and plans fail until it is done.",
            );
        }
        text
    }

    fn done_text(&self, done: &Done) -> String {
        let Done {
            records,
            versions,
            rewraps,
            ..
        } = done;
        let mut text = format!(
            "Organization {}: moved {records} records and {versions} versions; wrapped {rewraps} \
             versions on registered backends again.",
            self.organization
        );
        list(&mut text, LOST, &done.lost);
        list(&mut text, "Copied without being opened", &done.unopened);
        list(&mut text, "Failed", &done.failed);
        if self.is_complete && done.failed.is_empty() {
            let _ = write!(
                text,
                "\n\nThe migration is complete, and what it has copied was verified. Replace the \
                 platform's block in every provider block by:\n\n  {}\n\nStates stay valid. The \
                 former platform keeps its records, which lead whoever comes late to the new one, \
                 and its sealed versions. ",
                self.target
            );
            text.push_str(if done.unopened.is_empty() {
                "Keep its key until no run comes late any more, then delete both by the means of \
                 that platform."
            } else {
                UNOPENED
            });
        } else {
            text.push_str(
                "\n\nNot everything was moved, and nobody can use the organization until it is. \
                 Remove the causes, and run the command again: it continues.",
            );
        }
        text
    }
}

const LOST: &str = "Versions that their backend does not have, or not as recorded. The next plan \
                    of their state shows the present ones as lost, before and after the migration";

const NOT_OPENED: &str = "Versions that would become unreadable. Make their key available (for \
                          Transit, lower min_decryption_version), or write these secrets again. \
                          With --allow-unopened, they are copied as they are";

const UNOPENED: &str = "Do not delete them, nor its key: the versions that were copied without \
                        being opened are still wrapped under that key, and the new platform cannot \
                        read them. Write these secrets again, from a source of their values.";

/// Lists some of `all` below a heading.
fn list(text: &mut String, heading: &str, all: &[Named]) {
    if all.is_empty() {
        return;
    }
    let _ = write!(text, "\n\n{heading}:");
    for one in all.iter().take(MAX_NAMED) {
        let version = one.version.map(|version| format!(", version {version}"));
        let version = version.unwrap_or_default();
        let _ = write!(text, "\n  {}{version}: {}", one.name, one.reason);
    }
    if all.len() > MAX_NAMED {
        let more = all.len() - MAX_NAMED;
        let _ = write!(text, "\n  and {more} more, which --json lists");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved() -> Moved {
        Moved {
            organization: "acme".to_owned(),
            target: "embedded = { path = \"/b\" }".to_owned(),
            is_complete: false,
            allows_unopened: false,
            survey: None,
            done: None,
        }
    }

    fn unmoved(subject: &str) -> Unmoved {
        Unmoved {
            subject: subject.to_owned(),
            version: Some(2),
            reason: "denied".to_owned(),
        }
    }

    #[test]
    fn what_keeps_a_migration_from_beginning_is_named_and_the_exit_status_tells() {
        let survey = MigrationSurvey {
            secrets: 1,
            obstacles: (0..12).map(|_| unmoved("prod/db")).collect(),
            ..MigrationSurvey::default()
        };
        let hindered = Moved {
            survey: Some(survey.into()),
            ..moved()
        };
        assert_eq!(hindered.status(), 1);
        let text = hindered.text();
        assert!(text.contains("prod/db, version 2: denied"), "{text}");
        assert!(text.contains("and 2 more, which --json lists"), "{text}");
        assert!(!text.contains("--apply"), "{text}");
        let free = Moved {
            survey: Some(MigrationSurvey::default().into()),
            ..moved()
        };
        assert_eq!(free.status(), 0);
        assert!(free.text().contains("--apply"));
    }

    #[test]
    fn versions_that_no_key_opens_keep_a_migration_from_beginning_unless_they_are_allowed() {
        for (allows_unopened, status) in [(false, 1), (true, 0)] {
            let survey = MigrationSurvey {
                unopened: vec![unmoved("prod/db")],
                ..MigrationSurvey::default()
            };
            let moved = Moved {
                allows_unopened,
                survey: Some(survey.into()),
                ..moved()
            };
            assert_eq!(moved.status(), status);
            let text = moved.text();
            assert!(text.contains("prod/db, version 2: denied"), "{text}");
            assert_eq!(text.contains("with --apply"), allows_unopened, "{text}");
        }
    }

    #[test]
    fn a_migration_that_is_not_complete_says_to_run_it_again() {
        let done = Migrated {
            failed: vec![unmoved("db")],
            ..Migrated::default()
        };
        let failed = Moved {
            done: Some(done.into()),
            ..moved()
        };
        assert_eq!(failed.status(), 1);
        assert!(failed.text().contains("it continues"), "{}", failed.text());
        let done = Migrated {
            is_complete: true,
            ..Migrated::default()
        };
        let complete = Moved {
            is_complete: true,
            done: Some(done.into()),
            ..moved()
        };
        assert_eq!(complete.status(), 0);
        assert!(complete.text().contains("Replace"), "{}", complete.text());
        assert!(complete.text().contains("then delete both"));
    }

    #[test]
    fn a_migration_that_left_versions_unopened_fails_and_says_to_keep_the_former_key() {
        let done = Migrated {
            is_complete: true,
            unopened: vec![unmoved("db")],
            ..Migrated::default()
        };
        let unopened = Moved {
            is_complete: true,
            done: Some(done.into()),
            ..moved()
        };
        assert_eq!(unopened.status(), 1);
        let text = unopened.text();
        assert!(text.contains("Do not delete them, nor its key"), "{text}");
        assert!(!text.contains("then delete both"), "{text}");
    }
}
