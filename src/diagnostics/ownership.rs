//! Whose a record is, in words: the texts that secrets, backends and the default
//! share.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use planton_core::operations::{MetRecord, Owner, Resume, RunId};
use planton_plugin::Diagnostic;

/// What a read found out of a record that this state may not act on any more. Kept
/// in private data: it overrides refusals in plan, replace and destroy, since what
/// is left of the resource is its entry in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The record bears another stamp than this state's.
    OtherOwner,
    /// The record is missing, without a tombstone.
    RecordMissing,
}

/// A record as the texts name it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The kind and the name, such as `secret "db"`.
    pub what: &'a str,
    /// The resource type that manages it.
    pub resource: &'a str,
    /// By what it is imported.
    pub import_id: &'a str,
}

impl Named<'_> {
    /// Says that a creation met a record of its name that it may not take.
    #[must_use]
    pub fn already_exists(&self, met: &MetRecord) -> String {
        let mut text = format!(
            "{} exists already: {}.",
            capitalized(self.what),
            made_by(&met.owner)
        );
        if let Some(differs) = &met.differs {
            let _ = write!(
                text,
                "\n\nPLANTON_RESUME names that run, but {differs} differs from this configuration \
                 and cannot change in place. Set it as it was and resume again; or destroy what \
                 exists first."
            );
        }
        let _ = write!(
            text,
            "\n\nTo manage it here, import it:\n\n{}\n\nIf you renamed its resource, add a moved \
             block instead.",
            self.import_block()
        );
        if met.is_untouched && met.differs.is_none() {
            let _ = write!(
                text,
                " If that run was interrupted before Terraform saved its state:\n\n  {}",
                resume_line(met.owner.stamp.run)
            );
        }
        text
    }

    /// Says the same where an error about another record of that run says it in full.
    #[must_use]
    pub fn exists_as_well(&self, met: &MetRecord) -> String {
        format!(
            "{} exists already: run {} {} it, too. Another error of this apply shows where that \
             run was, and how to go on. To import this one, use id = \"{}\".",
            capitalized(self.what),
            met.owner.stamp.run,
            verb(&met.owner),
            self.import_id
        )
    }

    /// Says that a creation adopted what an interrupted run had made.
    #[must_use]
    pub fn completed(&self, former: &Owner) -> Diagnostic {
        Diagnostic::warning(
            "Interrupted Creation Completed",
            format!(
                "{} was adopted, as PLANTON_RESUME asks: {}. This state owns it from now \
                 on.\n\nUnset PLANTON_RESUME once this apply is done.",
                capitalized(self.what),
                made_by(former)
            ),
        )
    }

    /// Says that a record belongs to another state now.
    #[must_use]
    pub fn owned_by_another(&self, owner: &Owner) -> String {
        format!(
            "{} belongs to another state: {}. This state leaves it alone.\n\nTo drop it here, \
             remove the resource from the configuration and apply; nothing is destroyed. To take it \
             back, apply that, then import it:\n\n{}",
            capitalized(self.what),
            made_by(owner),
            self.import_block()
        )
    }

    /// Says that another secret has the name.
    #[must_use]
    pub fn displaced(&self, holder: Uuid, met: &MetRecord) -> String {
        let mut text = format!(
            "Another secret ({holder}) has taken over the name of {}: {}. This one is only found by \
             its id.\n\nDestroy or rename the other secret, and the next apply puts this one back \
             under its name; or remove this one from the configuration.",
            self.what,
            made_by(&met.owner)
        );
        if met.is_untouched {
            let _ = write!(
                text,
                " If that run was interrupted before Terraform saved its state, this one takes its \
                 name back, and the other is only found by \"id:{holder}\":\n\n  {}",
                resume_line(met.owner.stamp.run)
            );
        }
        text
    }

    /// Says that a destroy left a record to its owner.
    #[must_use]
    pub fn left_to_owner(&self, owner: &Owner) -> String {
        format!(
            "{} was not destroyed, only removed from this state. It belongs to another state: {}.",
            capitalized(self.what),
            made_by(owner)
        )
    }

    /// Says that a destroy put the owner back from whom this run had adopted.
    #[must_use]
    pub fn given_back(&self, former: &Owner) -> String {
        format!(
            "{} was not destroyed, only removed from this state: this run had adopted it through \
             PLANTON_RESUME, and a run never destroys what it adopted. It belongs to its former \
             owner again: {}.",
            capitalized(self.what),
            made_by(former)
        )
    }

    /// Says that a record is missing which a state has seen.
    #[must_use]
    pub fn record_missing(&self) -> String {
        format!(
            "The catalog has no record of {}, and no tombstone: it was removed by hand, or the \
             catalog was restored from an older backup.\n\nRestore the record from a backup. If it \
             is gone for good, destroy the resource, which removes it from the state.",
            self.what
        )
    }

    fn import_block(&self) -> String {
        format!(
            "  import {{\n    to = {}.<name>\n    id = \"{}\"\n  }}",
            self.resource, self.import_id
        )
    }
}

/// Adds to a failure after which nobody knows whether the creation was committed
/// how to go on if it was.
pub(super) fn unclear(failed: Diagnostic, run: RunId) -> Diagnostic {
    let detail = format!(
        "{}\n\nThe creation may have been committed. If the next apply reports that it exists \
         already:\n\n  {}",
        failed.detail,
        resume_line(run)
    );
    Diagnostic { detail, ..failed }
}

/// Says when, where and by which run a record was created or adopted.
#[must_use]
pub fn made_by(owner: &Owner) -> String {
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
    const NAMED: Named<'_> = Named {
        what: "secret backend \"vault\"",
        resource: "planton_secret_backend",
        import_id: "vault",
    };

    fn owner() -> Owner {
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
    fn a_displaced_secret_is_told_who_has_its_name_and_how_to_resume_an_interrupted_run() {
        let named = Named {
            what: "secret \"db\"",
            ..NAMED
        };
        let by = Uuid::from_u128(7);
        let text = named.displaced(by, &MetRecord::new(owner(), false));
        insta::assert_snapshot!(text, @r#"
        Another secret (00000000-0000-0000-0000-000000000007) has taken over the name of secret "db": run 3f0c7a52-0d43-4a3c-8d0c-0e51a1b0c9de created it at 2026-03-01T12:00:00Z on host "ci-7" in folder "network", label "https://ci.example.com/1". This one is only found by its id.

        Destroy or rename the other secret, and the next apply puts this one back under its name; or remove this one from the configuration.
        "#);
        let text = named.displaced(by, &MetRecord::new(owner(), true));
        for part in ["id:00000000-", &resume_line(owner().stamp.run)[..51]] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn what_exists_is_told_with_who_made_it_and_both_ways_on() {
        let text = NAMED.already_exists(&MetRecord::new(owner(), true));
        let (text, line) = text.rsplit_once("\n\n  ").expect("a line to paste");
        insta::assert_snapshot!(text, @r#"
        Secret backend "vault" exists already: run 3f0c7a52-0d43-4a3c-8d0c-0e51a1b0c9de created it at 2026-03-01T12:00:00Z on host "ci-7" in folder "network", label "https://ci.example.com/1".

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
    fn what_exists_as_well_is_told_in_a_few_lines() {
        insta::assert_snapshot!(NAMED.exists_as_well(&MetRecord::new(owner(), true)), @r#"Secret backend "vault" exists already: run 3f0c7a52-0d43-4a3c-8d0c-0e51a1b0c9de created it, too. Another error of this apply shows where that run was, and how to go on. To import this one, use id = "vault"."#);
    }

    #[test]
    fn no_run_is_offered_for_resumption_whose_record_has_changed_or_differs() {
        let changed = NAMED.already_exists(&MetRecord::new(owner(), false));
        assert!(!changed.contains("PLANTON_RESUME"), "{changed}");
        let differs = MetRecord {
            differs: Some("name_prefix".to_owned()),
            ..MetRecord::new(owner(), true)
        };
        let differs = NAMED.already_exists(&differs);
        assert!(differs.contains("but name_prefix differs"), "{differs}");
        assert!(!differs.contains("PLANTON_RESUME="), "{differs}");
    }
}
