//! Texts about the ownership of a record, shared by secrets, backends and the default
//! backend.

mod taken_name;

use std::fmt::Write as _;

use jiff::Timestamp;
use uuid::Uuid;

use planton_core::names::{SecretName, Slug};
use planton_core::operations::{ExistingRecord, Owner, Resume, RunId};
use planton_plugin::Diagnostic;
pub(crate) use taken_name::Renamed;

/// Why this state may no longer act on a record, as its last read found. Private data keeps
/// it. It overrides protection in plan, replace and destroy, since a destroy then removes
/// the resource from the state only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The record has another stamp than this state knows.
    OtherOwner,
    /// The record is missing, without a tombstone.
    RecordMissing,
}

/// A record as diagnostics name it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// First words of a summary, such as `Secret`.
    title: &'static str,
    /// Kind and name in a text, such as `secret "db"`.
    what: String,
    /// Resource type that manages it.
    resource: &'static str,
    import_id: String,
}

impl Named {
    /// Names a secret.
    pub(crate) fn secret(name: &SecretName) -> Self {
        let import_id = name.to_string();
        Self {
            title: "Secret",
            what: format!("secret {import_id:?}"),
            resource: "planton_secret",
            import_id,
        }
    }

    /// Names a secret backend.
    pub(crate) fn backend(name: &Slug) -> Self {
        Self {
            title: "Backend",
            what: format!("secret backend \"{name}\""),
            resource: "planton_secret_backend",
            import_id: name.to_string(),
        }
    }

    /// Names the default backend of an organization.
    pub(crate) fn default_backend(name: &Slug) -> Self {
        Self {
            title: "Default Backend",
            what: format!("the default backend (\"{name}\")"),
            resource: "planton_default_backend",
            import_id: name.to_string(),
        }
    }

    /// Explains that a creation found a record of its name that it may not adopt.
    pub(super) fn already_exists(&self, existing: &ExistingRecord) -> String {
        let mut text = format!(
            "{} already exists: {}.",
            capitalized(&self.what),
            made_by(&existing.owner)
        );
        if let Some(differs) = &existing.differs {
            let _ = write!(
                text,
                "\n\nPLANTON_RESUME names that run, but {differs} differs from this configuration \
                 and cannot change in place. Restore the former {differs} and resume again, or \
                 destroy the existing object first."
            );
        }
        let _ = write!(
            text,
            "\n\nTo manage it here, import it:\n\n{}\n\nIf you renamed its resource, add a moved \
             block instead.",
            self.import_block()
        );
        if existing.is_untouched && existing.differs.is_none() {
            let _ = write!(
                text,
                " If that run was interrupted before Terraform saved its state:\n\n  {}",
                resume_line(existing.owner.stamp.run)
            );
        }
        text
    }

    /// Explains the same in short, after another error has described that run in full.
    pub(crate) fn also_exists(&self, existing: &ExistingRecord) -> String {
        format!(
            "{} already exists: run {} {} it. Another error of this apply describes that run and \
             the remedy. To import this object, use id = \"{}\".",
            capitalized(&self.what),
            existing.owner.stamp.run,
            verb(&existing.owner),
            self.import_id
        )
    }

    /// Warns that a creation adopted the record of an interrupted run.
    pub(crate) fn adopted(&self, former: &Owner) -> Diagnostic {
        Diagnostic::warning(
            "Interrupted Creation Completed",
            format!(
                "This apply adopted {}, which the run in PLANTON_RESUME left behind: {}. This \
                 state owns it now.\n\nUnset PLANTON_RESUME after this apply.",
                self.what,
                made_by(former)
            ),
        )
    }

    /// Rejects a change of a record that another state owns.
    pub(crate) fn owned_by_another(&self, owner: &Owner) -> Diagnostic {
        Diagnostic::error(
            format!("{} Owned By Another State", self.title),
            format!(
                "{} belongs to another state: {}. This state does not change it.\n\nTo drop it \
                 from this state, remove the resource from the configuration and apply; nothing is \
                 destroyed. To take it back, apply that first, then import it:\n\n{}",
                capitalized(&self.what),
                made_by(owner),
                self.import_block()
            ),
        )
    }

    /// Rejects a change of a secret whose name another secret has taken over.
    pub(crate) fn displaced(&self, holder: Uuid, existing: &ExistingRecord) -> Diagnostic {
        let mut text = format!(
            "Another secret ({holder}) has taken over the name of {}: {}. This secret can be \
             found by its id only.\n\nDestroy or rename the other secret, and the next apply \
             restores this one under its name. Or remove this one from the configuration.",
            self.what,
            made_by(&existing.owner)
        );
        if existing.is_untouched {
            let _ = write!(
                text,
                " If that run was interrupted before Terraform saved its state, this command \
                 restores this secret under its name; the other can then be found by \
                 \"id:{holder}\" only:\n\n  {}",
                resume_line(existing.owner.stamp.run)
            );
        }
        Diagnostic::error(format!("{} Displaced", self.title), text)
    }

    /// Warns that a destroy did not touch a record of another owner.
    pub(crate) fn left_to_owner(&self, owner: &Owner) -> Diagnostic {
        Diagnostic::warning(
            format!("{} Left To Its Owner", self.title),
            format!(
                "{} was removed from this state, but not destroyed, since it belongs to another \
                 state: {}.",
                capitalized(&self.what),
                made_by(owner)
            ),
        )
    }

    /// Warns that a destroy returned a record to the owner that this run adopted it from.
    pub(crate) fn returned_to_owner(&self, former: &Owner) -> Diagnostic {
        Diagnostic::warning(
            format!("{} Left To Its Owner", self.title),
            format!(
                "{} was removed from this state, but not destroyed: this run adopted it through \
                 PLANTON_RESUME, and a run never destroys what it adopted. It belongs to its former \
                 owner again: {}.",
                capitalized(&self.what),
                made_by(former)
            ),
        )
    }

    /// Rejects a change of a record that is missing although this state has seen it.
    pub(crate) fn record_missing(&self) -> Diagnostic {
        Diagnostic::error(
            format!("{} Record Missing", self.title),
            format!(
                "The catalog has no record of {}, and no tombstone: the record was deleted by \
                 hand, or the catalog was restored from an older backup.\n\nRestore the record \
                 from a backup. If it is lost, destroy the resource, which removes it from the \
                 state.",
                self.what
            ),
        )
    }

    /// Returns the warning of a read about a record that this state may not act on.
    pub(crate) fn finding(&self, finding: Option<Finding>, owner: &Owner) -> Option<Diagnostic> {
        match finding? {
            Finding::OtherOwner => Some(self.owned_by_another(owner).into_warning()),
            Finding::RecordMissing => Some(self.record_missing().into_warning()),
        }
    }

    fn import_block(&self) -> String {
        format!(
            "  import {{\n    to = {}.<name>\n    id = \"{}\"\n  }}",
            self.resource, self.import_id
        )
    }
}

/// Adds a remedy to a failure that leaves open whether the creation was committed.
pub(super) fn unclear(failed: Diagnostic, run: RunId) -> Diagnostic {
    let detail = format!(
        "{}\n\nThe creation may have been committed. If the next apply reports that the object \
         already exists, run:\n\n  {}",
        failed.detail,
        resume_line(run)
    );
    Diagnostic { detail, ..failed }
}

/// Describes when, where and by which run a record was created or adopted.
pub(crate) fn made_by(owner: &Owner) -> String {
    let origin = &owner.origin;
    let mut text = format!(
        "run {} {} it at {}",
        owner.stamp.run,
        verb(owner),
        to_the_second(origin.at)
    );
    for (before, part) in [
        (" on host", &origin.host),
        (" in folder", &origin.folder),
        (", workspace", &origin.workspace),
        (", label", &origin.label),
    ] {
        if let Some(part) = part {
            let _ = write!(text, "{before} {part:?}");
        }
    }
    text
}

fn verb(owner: &Owner) -> &'static str {
    match owner.adopted_from {
        None => "created",
        Some(_) => "adopted",
    }
}

fn resume_line(run: RunId) -> String {
    let resume = Resume::printed(run, Timestamp::now());
    format!("PLANTON_RESUME={resume} terraform apply")
}

fn to_the_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use planton_core::operations::{Origin, Stamp};

    const RUN: &str = "3f0c7a52-0d43-4a3c-8d0c-0e51a1b0c9de";
    fn named() -> Named {
        Named::backend(&Slug::parse("vault").expect("a slug"))
    }

    pub(super) fn owner() -> Owner {
        Owner {
            stamp: Stamp {
                run: RUN.parse().expect("a run"),
                generation: 1,
            },
            origin: Origin {
                at: "2026-03-01T12:00:00.5Z".parse().expect("a time"),
                host: Some("ci-7".to_owned()),
                folder: Some("network".to_owned()),
                workspace: None,
                label: Some("https://ci.example.com/1".to_owned()),
            },
            adopted_from: None,
        }
    }

    #[test]
    fn a_displaced_secret_names_the_run_that_took_its_name_and_how_to_resume_it() {
        let named = Named::secret(&"db".parse().expect("a name"));
        let by = Uuid::from_u128(7);
        let text = named
            .displaced(by, &ExistingRecord::new(owner(), false))
            .detail;
        insta::assert_snapshot!(text, @r#"
        Another secret (00000000-0000-0000-0000-000000000007) has taken over the name of secret "db": run 3f0c7a52-0d43-4a3c-8d0c-0e51a1b0c9de created it at 2026-03-01T12:00:00Z on host "ci-7" in folder "network", label "https://ci.example.com/1". This secret can be found by its id only.

        Destroy or rename the other secret, and the next apply restores this one under its name. Or remove this one from the configuration.
        "#);
        let text = named
            .displaced(by, &ExistingRecord::new(owner(), true))
            .detail;
        for part in ["id:00000000-", &resume_line(owner().stamp.run)[..51]] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn an_existing_record_is_described_with_its_run_and_both_remedies() {
        let text = named().already_exists(&ExistingRecord::new(owner(), true));
        let (text, line) = text.rsplit_once("\n\n  ").expect("a line to paste");
        insta::assert_snapshot!(text, @r#"
        Secret backend "vault" already exists: run 3f0c7a52-0d43-4a3c-8d0c-0e51a1b0c9de created it at 2026-03-01T12:00:00Z on host "ci-7" in folder "network", label "https://ci.example.com/1".

        To manage it here, import it:

          import {
            to = planton_secret_backend.<name>
            id = "vault"
          }

        If you renamed its resource, add a moved block instead. If that run was interrupted before Terraform saved its state:
        "#);
        let line = line.strip_prefix("PLANTON_RESUME=").expect("the variable");
        let resume: Resume = line
            .strip_suffix(" terraform apply")
            .and_then(|resume| resume.parse().ok())
            .expect("a resume line");
        assert_eq!(resume.valid_at(Timestamp::now()), Ok(owner().stamp.run));
    }

    #[test]
    fn a_second_record_of_the_same_run_is_explained_in_short() {
        insta::assert_snapshot!(named().also_exists(&ExistingRecord::new(owner(), true)), @r#"Secret backend "vault" already exists: run 3f0c7a52-0d43-4a3c-8d0c-0e51a1b0c9de created it. Another error of this apply describes that run and the remedy. To import this object, use id = "vault"."#);
    }

    #[test]
    fn no_run_is_offered_for_resumption_whose_record_has_changed_or_differs() {
        let changed = named().already_exists(&ExistingRecord::new(owner(), false));
        assert!(!changed.contains("PLANTON_RESUME"), "{changed}");
        let differs = ExistingRecord {
            differs: Some("name_prefix".to_owned()),
            ..ExistingRecord::new(owner(), true)
        };
        let differs = named().already_exists(&differs);
        assert!(differs.contains("but name_prefix differs"), "{differs}");
        assert!(!differs.contains("PLANTON_RESUME="), "{differs}");
    }
}
