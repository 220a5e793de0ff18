//! The run of this process, and the run that it resumes.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::catalog::{Origin, Owner, RunId, Stamp};

/// How long a value of `PLANTON_RESUME` is valid. It is meant for the next command: a
/// variable that is left set in a CI job adopts nothing later.
const RESUME_VALIDITY: SignedDuration = SignedDuration::from_hours(24);

/// How far the clock of the machine that printed the value may be ahead.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(10);

/// The run of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Id of the run, which all its processes share.
    pub id: RunId,
    /// Name of the machine.
    pub host: Option<String>,
    /// Base name of the working directory.
    pub folder: Option<String>,
    /// The workspace, unless it is the default one.
    pub workspace: Option<String>,
    /// Value of `PLANTON_RUN_LABEL`.
    pub label: Option<String>,
    /// The interrupted run whose unchanged creations this run adopts.
    pub resumes: Option<RunId>,
}

impl Run {
    /// Returns a run with this id and no other information.
    #[must_use]
    pub fn new(id: RunId) -> Self {
        Self {
            id,
            host: None,
            folder: None,
            workspace: None,
            label: None,
            resumes: None,
        }
    }

    /// Returns a run of this process alone, with a random id.
    #[must_use]
    pub fn of_its_own() -> Self {
        Self::new(RunId::new(Uuid::new_v4()))
    }

    /// Returns the owner of a record that this run commits in `generation` of its document.
    pub(crate) fn owner(&self, generation: u64) -> Owner {
        Owner {
            stamp: Stamp {
                run: self.id,
                generation,
            },
            origin: Origin {
                at: Timestamp::now(),
                host: self.host.clone(),
                folder: self.folder.clone(),
                workspace: self.workspace.clone(),
                label: self.label.clone(),
            },
            adopted_from: None,
        }
    }
}

/// Value of `PLANTON_RESUME`: the interrupted run to resume and the expiry of the request,
/// as `<run>@<expiry>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    run: RunId,
    expiry: Timestamp,
}

/// Why a value of `PLANTON_RESUME` is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResumeRefused {
    /// It does not have the form `<run>@<expiry>`.
    #[error("not of the form <run>@<expiry>")]
    Malformed,
    /// It has expired.
    #[error("expired at {expiry}")]
    Expired {
        /// When it expired.
        expiry: Timestamp,
    },
    /// It expires later than any value that this software prints.
    #[error("valid for more than 24 hours")]
    TooLong,
}

impl Resume {
    /// Returns the value that is printed for `run` at `now`.
    #[must_use]
    pub fn printed(run: RunId, now: Timestamp) -> Self {
        let expiry = now.checked_add(RESUME_VALIDITY).unwrap_or(Timestamp::MAX);
        // Whole seconds, since users copy the value.
        let whole = Timestamp::from_second(expiry.as_second());
        Self {
            run,
            expiry: whole.unwrap_or(expiry),
        }
    }

    /// Returns the run if the value is valid at `now`.
    ///
    /// # Errors
    ///
    /// `Expired`, `TooLong`.
    pub fn valid_at(&self, now: Timestamp) -> Result<RunId, ResumeRefused> {
        if self.expiry <= now {
            return Err(ResumeRefused::Expired {
                expiry: self.expiry,
            });
        }
        if self.expiry.duration_since(now) > RESUME_VALIDITY + CLOCK_SKEW {
            return Err(ResumeRefused::TooLong);
        }
        Ok(self.run)
    }
}

impl fmt::Display for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.run, self.expiry)
    }
}

impl FromStr for Resume {
    type Err = ResumeRefused;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (run, expiry) = text.split_once('@').ok_or(ResumeRefused::Malformed)?;
        Ok(Self {
            run: run.parse().map_err(|_| ResumeRefused::Malformed)?,
            expiry: expiry.parse().map_err(|_| ResumeRefused::Malformed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const RUN: &str = "3f0c7a52-0d43-4a3c-8d0c-0e51a1b0c9de";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_line_is_valid_for_a_day_and_not_a_second_longer() {
        let run: RunId = RUN.parse().unwrap();
        let now = at("2026-03-01T12:00:00.5Z");
        let line = Resume::printed(run, now).to_string();
        assert_eq!(line, format!("{RUN}@2026-03-02T12:00:00Z"));
        let line: Resume = line.parse().unwrap();
        assert_eq!(line.valid_at(now), Ok(run));
        assert_eq!(line.valid_at(at("2026-03-02T11:59:59Z")), Ok(run));
        let expiry = at("2026-03-02T12:00:00Z");
        let expired = ResumeRefused::Expired { expiry };
        assert_eq!(line.valid_at(expiry), Err(expired));
    }

    #[test]
    fn a_line_that_nobody_printed_is_refused() {
        let now = at("2026-03-01T12:00:00Z");
        let forever: Resume = format!("{RUN}@2036-03-01T12:00:00Z").parse().unwrap();
        assert_eq!(forever.valid_at(now), Err(ResumeRefused::TooLong));
        for malformed in [
            "",
            RUN,
            "@",
            "x@2026-03-02T12:00:00Z",
            &format!("{RUN}@tomorrow"),
        ] {
            let parsed = malformed.parse::<Resume>();
            assert_eq!(parsed, Err(ResumeRefused::Malformed), "{malformed}");
        }
    }
}
