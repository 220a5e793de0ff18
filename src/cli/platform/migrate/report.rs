//! What `platform migrate` reports.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};

use crate::cli::count::count;
use crate::cli::operator::Report;
use planton_core::operations::{Migrated, MigrationProgress, MigrationSurvey, Unmoved, pin_of};

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
    /// How far the migration was: `not_begun`, `begun` or `complete`.
    #[serde(serialize_with = "progress_name")]
    progress: MigrationProgress,
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
            progress: survey.progress,
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

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn progress_name<S: Serializer>(
    progress: &MigrationProgress,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match progress {
        MigrationProgress::NotBegun => "not_begun",
        MigrationProgress::Begun => "begun",
        MigrationProgress::Complete => "complete",
    })
}

fn named(all: Vec<Unmoved>) -> Vec<Named> {
    all.into_iter().map(Named::from).collect()
}

impl Report for Moved {
    fn text(&self) -> String {
        let of_survey = self.survey.as_ref().and_then(|it| self.survey_text(it));
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
        let is_halfway = self.done.is_none()
            && survey.is_some_and(|survey| survey.progress == MigrationProgress::Begun);
        u8::from(is_hindered || has_failed || is_halfway)
    }
}

impl Moved {
    fn is_hindered(&self, survey: &Survey) -> bool {
        !survey.obstacles.is_empty() || !survey.unopened.is_empty() && !self.allows_unopened
    }

    /// Returns what a survey has found; `None` if the rest of the report says it.
    fn survey_text(&self, survey: &Survey) -> Option<String> {
        let is_dry = self.done.is_none();
        let mut text = match survey.progress {
            MigrationProgress::NotBegun => self.would_move(survey),
            MigrationProgress::Begun if is_dry => self.begun("is not done"),
            MigrationProgress::Begun => self.begun("continues"),
            MigrationProgress::Complete => return is_dry.then(|| self.complete()),
        };
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
        if !self.is_hindered(survey) && is_dry {
            let what = match survey.progress {
                MigrationProgress::Begun => "finish the migration",
                MigrationProgress::NotBegun | MigrationProgress::Complete => {
                    "move the organization"
                }
            };
            let _ = write!(
                text,
                "\n\nNothing was changed. Run the command again with --apply to {what}. Applies \
                 and plans fail until it is done."
            );
        }
        Some(text)
    }

    fn would_move(&self, survey: &Survey) -> String {
        let Survey {
            secrets,
            versions,
            backends,
            rewraps,
            ..
        } = survey;
        format!(
            "Organization {} would move to:\n\n  {}\n\n{}, {}. {} would move to the new \
             platform. {} on registered backends would be wrapped again.",
            self.organization,
            self.target,
            count(*secrets, "secret", "secrets"),
            count(*backends, "backend", "backends"),
            count(*versions, "version", "versions"),
            count(*rewraps, "version", "versions"),
        )
    }

    fn begun(&self, and: &str) -> String {
        format!(
            "The migration of organization {} was begun by an earlier call, and {and}. It moves \
             to:\n\n  {}",
            self.organization, self.target
        )
    }

    fn complete(&self) -> String {
        format!(
            "The migration of organization {} is complete. It has moved to:\n\n  {}\n\nNothing was \
             changed. The variables without the prefix PLANTON_TARGET_ name the former platform.",
            self.organization, self.target
        )
    }

    fn done_text(&self, done: &Done) -> String {
        let Done {
            records,
            versions,
            rewraps,
            ..
        } = done;
        let mut text = format!(
            "Organization {}: moved {} and {}; wrapped {} on registered backends again.",
            self.organization,
            count(*records, "record", "records"),
            count(*versions, "version", "versions"),
            count(*rewraps, "version", "versions"),
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
mod tests;
