//! `verify` checks records and stored versions against each other.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::count::{agree, count};
use super::gc::{Leftovers, leftovers};
use super::operator::{self, Failure, Form, Report};
use super::progress::Progress;
use planton_core::names::Slug;
use planton_core::operations::{
    self, Collect, Finding, Interrupt, KeyEncryptionKey, OperationError, Organization, Problem,
    Verification, pin_of,
};
use planton_plugin::Diagnostic;
use planton_vendors::age::AgeIdentityFile;

/// Exit statuses, for the help.
pub(super) const STATUSES: &str = "Exit status:
  0  everything is as the records say
  1  something is wrong, or the command failed
  2  wrong arguments";

/// Age from which an object that no record names is listed: a creation that is still running
/// has put its object before its record.
const LISTED_AGE: Duration = Duration::from_secs(3600);

/// Arguments of `verify`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Verify {
    /// Backend to verify; `platform` is the built-in one. Default: the whole organization.
    #[arg(long, value_parser = Slug::parse)]
    backend: Option<Slug>,
    /// Drill: file with one identity of age, through which alone each version has to open. The
    /// values are dropped at once.
    #[arg(long, value_name = "FILE")]
    drill: Option<PathBuf>,
    /// Print the result as one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

/// Result of the command.
#[derive(Debug, Serialize)]
struct Verified {
    organization: String,
    fingerprint: String,
    documents: usize,
    versions: usize,
    /// Versions that a rewrap would move.
    rewrap_due: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    drill: Option<Drill>,
    findings: Vec<Found>,
    /// What `gc` would delete, which is not wrong, and what nobody can judge, which is.
    #[serde(flatten)]
    leftovers: Leftovers,
}

#[derive(Debug, Serialize)]
struct Drill {
    key: String,
    opened: usize,
}

#[derive(Debug, Serialize)]
struct Found {
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    problem: &'static str,
    detail: String,
}

impl From<Finding> for Found {
    fn from(finding: Finding) -> Self {
        Self {
            subject: finding.subject,
            version: finding.version,
            problem: match finding.problem {
                Problem::Record => "record",
                Problem::Backend => "backend",
                Problem::Envelope => "envelope",
                Problem::Keys => "keys",
                Problem::Drill => "drill",
            },
            detail: finding.detail,
        }
    }
}

impl Report for Verified {
    fn text(&self) -> String {
        let Self {
            organization,
            fingerprint,
            documents,
            versions,
            rewrap_due,
            drill,
            findings,
            leftovers,
        } = self;
        let mut text = format!(
            "Organization {organization}, fingerprint {fingerprint}: {} with {} verified.",
            count(*documents, "secret", "secrets"),
            count(*versions, "version", "versions"),
        );
        if *rewrap_due > 0 {
            let _ = write!(
                text,
                "\n{} not under the present keys and their newest versions: \
                 terraform-provider-planton rewrap moves {}.",
                count(*rewrap_due, "version is", "versions are"),
                agree(*rewrap_due, "it", "them"),
            );
        }
        if let Some(drill) = drill {
            let _ = write!(
                text,
                "\nDrill: {} opened through {}.",
                count(drill.opened, "version", "versions"),
                drill.key
            );
        }
        for Found {
            subject,
            version,
            problem,
            detail,
        } in findings
        {
            let version = version.map_or_else(String::new, |number| format!(", version {number}"));
            let _ = write!(text, "\n  {subject}{version}: {problem}: {detail}");
        }
        if let Some(listed) = leftovers.listed() {
            let _ = write!(
                text,
                "\n{listed}\nterraform-provider-planton gc deletes what is listed: see its --help."
            );
        }
        let (failed, number) = leftovers.failed();
        text.push_str(&failed);
        text.push_str(&leftovers.unlisted());
        match findings.len() + number {
            0 => text.push_str("\nNothing is wrong."),
            number => {
                let _ = write!(
                    text,
                    "\n{}. Find out who can write to the platform or the backend, \
                     and restore what is altered or missing.",
                    count(number, "finding", "findings"),
                );
            }
        }
        text
    }

    fn status(&self) -> u8 {
        let (_, failed) = self.leftovers.failed();
        u8::from(failed > 0 || !self.findings.is_empty())
    }
}

/// Verifies what the arguments name.
#[must_use]
pub(super) fn run(verify: Verify) -> ExitCode {
    let form = if verify.json { Form::Json } else { Form::Text };
    operator::run(form, |organization| async move {
        operator::interruptible(|interrupt| async move {
            verified(&organization, &verify, &interrupt).await
        })
        .await
    })
}

async fn verified(
    organization: &Organization,
    verify: &Verify,
    interrupt: &Interrupt,
) -> Result<Verified, Failure> {
    let identity = match &verify.drill {
        None => None,
        Some(path) => {
            let file = AgeIdentityFile::open(path).map_err(OperationError::Kek)?;
            match <[_; 1]>::try_from(file.into_identities()) {
                Ok([identity]) => Some(identity),
                Err(_) => return Err(several_identities()),
            }
        }
    };
    let keys = organization.keys();
    let what = operations::Verify {
        backend: verify.backend.as_ref(),
        drill: identity.as_ref().map(|key| key as &dyn KeyEncryptionKey),
    };
    let progress = Progress::of("verify");
    let show = |now: &Verification| progress.show(now.looked_at, now.documents);
    let shown = interrupt.clone().showing(progress.quota_waits());
    let found = shown.bound(keys.verify(what, &show, interrupt)).await?;
    drop(progress);
    let everything_old = Collect {
        orphans: Some(LISTED_AGE),
        deletes: false,
    };
    let mut found_leftovers = Leftovers::default();
    let into = &mut found_leftovers;
    leftovers(organization, what.backend, everything_old, into, interrupt).await?;
    let fingerprint = interrupt.bound(keys.fingerprint()).await?;
    Ok(Verified {
        organization: organization.slug().to_string(),
        fingerprint: fingerprint.to_string(),
        documents: found.documents,
        versions: found.versions,
        rewrap_due: found.due,
        drill: identity.map(|key| Drill {
            key: pin_of(key.id()),
            opened: found.drilled,
        }),
        findings: found.findings.into_iter().map(Found::from).collect(),
        leftovers: found_leftovers,
    })
}

fn several_identities() -> Failure {
    Failure::not_confirmed(Diagnostic::error(
        "Several Identities",
        "The file of the drill contains several identities, and a drill opens through one \
         alone.\n\nPass a file with one identity.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use planton_core::operations::{Collection, Disposal, Leftover, Reason};
    use planton_core::store::RemoteName;

    fn verified(rewrap_due: usize, disposal: Disposal) -> Verified {
        let mut leftovers = Leftovers::default();
        leftovers.add(Collection {
            leftovers: vec![Leftover {
                backend: Slug::platform_backend(),
                object: RemoteName::new("planton/acme/org/db-0badcafe".to_owned()),
                version: None,
                reason: Reason::Orphan,
                written_at: None,
                disposal,
            }],
            ..Collection::default()
        });
        Verified {
            organization: "acme".to_owned(),
            fingerprint: "00".to_owned(),
            documents: 1,
            versions: 2,
            rewrap_due,
            drill: None,
            findings: Vec::new(),
            leftovers,
        }
    }

    #[test]
    fn what_gc_would_delete_is_listed_and_is_no_finding() {
        let done = verified(1, Disposal::Found);
        assert_eq!(done.status(), 0);
        insta::assert_snapshot!(done.text(), @r"
        Organization acme, fingerprint 00: 1 secret with 2 versions verified.
        1 version is not under the present keys and their newest versions: terraform-provider-planton rewrap moves it.
        1 object or version that no record needs:
          planton/acme/org/db-0badcafe (platform, orphan): found
        terraform-provider-planton gc deletes what is listed: see its --help.
        Nothing is wrong.
        ");
    }

    #[test]
    fn what_nobody_can_judge_is_a_finding() {
        let done = verified(0, Disposal::Failed("altered".to_owned()));
        assert_eq!(done.status(), 1);
        let text = done.text();
        assert!(
            text.contains("(platform, orphan): failed: altered\n1 finding. Find out"),
            "{text}"
        );
    }
}
