//! Replacement of a secret: which changes replace it, and what the plan of the existing
//! secret passes on to the calls that follow.
//!
//! Terraform plans a replacement twice, the second time as a creation: with a null
//! prior state, and with the private data that the first plan returned. So every
//! plan of a secret that exists leaves a mark there. An ordinary creation comes
//! without private data, and so does that of a tainted secret, whose deletion is
//! told what the plan of the creation returned:
//! <https://github.com/hashicorp/terraform/blob/v1.11.4/internal/terraform/node_resource_abstract_instance.go>

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::plan::{DECIDED_BY_A_NEW_VERSION, certain_kind};
use super::settings::Settings;
use super::state::Private;
use crate::diagnostics::deletion_protected;
use crate::resources::private_state::PrivateState;
use planton_core::operations::{Replaces, Stamp};
use planton_plugin::{AttributePath, Diagnostic, PlanResponse, PrivateData, Value};

/// What a plan started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mark {
    /// From nothing, as far as the plan knows.
    Creation,
    /// From a secret that exists.
    Existing(Existing),
}

/// A secret that exists, as a plan found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Existing {
    /// What it is to its successor; absent where this state does not own it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owned: Option<(Uuid, Stamp)>,
    /// Its name, with its environment.
    name: String,
    /// It may be neither destroyed nor replaced.
    is_protected: bool,
    /// A destroy leaves it behind, under its name.
    is_retained: bool,
}

impl PrivateState for Mark {
    const KEY: &'static str = "plan";
}

impl Mark {
    /// Returns the mark of an earlier plan; a damaged one counts as none.
    pub(super) fn of(data: &PrivateData) -> Option<Self> {
        Self::stored(data).ok().flatten()
    }
}

impl Existing {
    /// Takes the secret of a state, and what is kept beside that.
    pub(super) fn of(state: &Value, private: &Private) -> Self {
        let text = |name: &str| state.attribute(name).as_str();
        let name = text("name").unwrap_or_default();
        // A deletion that was begun was allowed, and what is not this state's any more
        // is not destroyed.
        let holds = !private.anchor.deleting && private.anchor.finding.is_none();
        let uuid = text("id").and_then(|id| id.parse().ok());
        Self {
            owned: uuid
                .zip(private.anchor.stamp)
                .filter(|_| private.anchor.finding.is_none()),
            name: match text("environment") {
                Some(environment) => format!("{environment}/{name}"),
                None => name.to_owned(),
            },
            is_protected: holds && state.attribute("deletion_protection").as_bool() == Some(true),
            is_retained: holds && text("on_destroy") == Some("retain"),
        }
    }

    /// Returns what its successor replaces. A creation is told of it where the host
    /// keeps planned private data (protocol 6.11).
    pub(super) fn as_replaced(&self) -> Option<Replaces> {
        let (uuid, stamp) = self.owned?;
        Some(Replaces::Owned(uuid, stamp))
    }

    /// Says whether a destroy leaves it as it is.
    pub(super) fn is_retained(&self) -> bool {
        self.is_retained
    }

    /// Says why it may not be destroyed.
    pub(super) fn refuses_destruction(&self) -> Option<Diagnostic> {
        self.is_protected.then(|| deletion_protected(&self.name))
    }

    /// Says why it may not be replaced.
    pub(super) fn refuses_replacement(&self) -> Option<Diagnostic> {
        self.refuses_destruction().or_else(|| {
            self.is_retained.then(|| {
                Diagnostic::error(
                    "Retained Secret Not Replaceable",
                    format!(
                        "This plan replaces secret {:?}, but on_destroy = \"retain\" would leave \
                         the old one behind, under its name.\n\nTo replace it, set on_destroy to \
                         \"delete\" and apply that first. To leave it as it is, remove it from the \
                         state (terraform state rm) and create the new secret under another name.",
                        self.name
                    ),
                )
                .at("on_destroy")
            })
        })
    }

    /// Says why it may not be replaced, as a secret that was tainted: a plan could
    /// not tell.
    pub(super) fn refuses_replacement_of_tainted(&self) -> Option<Diagnostic> {
        let (summary, why) = match (self.is_protected, self.is_retained) {
            (true, _) => (
                "Secret Deletion Protected",
                "it has deletion_protection = true, so it is neither destroyed nor replaced",
            ),
            (false, true) => (
                "Retained Secret Not Replaceable",
                "on_destroy = \"retain\" would leave it behind, under its name",
            ),
            (false, false) => return None,
        };
        Some(
            Diagnostic::error(
                summary,
                format!(
                    "Terraform has marked secret {:?} as tainted and would replace it, but {why}. \
                     Nothing was changed.\n\nTo keep the secret, remove the mark:\n\n  terraform \
                     untaint planton_secret.<name>\n\nTo replace it all the same, remove the mark, \
                     set deletion_protection to false and on_destroy to \"delete\", apply that, and \
                     replace it with terraform apply -replace=planton_secret.<name>.",
                    self.name
                ),
            )
            .at(if self.is_protected {
                "deletion_protection"
            } else {
                "on_destroy"
            }),
        )
    }
}

/// Returns the attributes whose change replaces the secret: its name, its environment and
/// its backend, since a secret never moves.
pub(super) fn replaced_paths(
    prior: &Value,
    planned: &Value,
    private: &Private,
) -> Vec<AttributePath> {
    let mut paths: Vec<_> = ["name", "environment", "backend"]
        .into_iter()
        .filter(|name| planned.attribute(name) != prior.attribute(name))
        .map(AttributePath::attribute)
        .collect();
    if private.anchor.deleting {
        // What is on its way out cannot be brought back: finish, and create anew.
        paths.push(AttributePath::attribute("id"));
    }
    paths
}

/// Plans the replacement, unless the existing secret rejects it.
pub(super) fn plan_replacement(
    mut planned: Value,
    requires_replace: Vec<AttributePath>,
    settings: &Settings,
    existing: &Existing,
) -> Result<PlanResponse, Diagnostic> {
    if let Some(refused) = existing.refuses_replacement() {
        return Err(refused);
    }
    // Whether there is a value is checked by the plan of the creation that follows:
    // that one sees what `ignore_changes` holds back here.
    planned.mark_unknown(&DECIDED_BY_A_NEW_VERSION);
    planned.mark_unknown(&["id", "created_at"]);
    planned.set("kind", certain_kind(settings));
    if settings.backend.is_absent() {
        planned.set("backend", Value::Unknown);
    }
    Ok(PlanResponse {
        requires_replace,
        ..PlanResponse::planned(planned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::private_state::Anchor;

    fn existing(protection: bool, on_destroy: &str, deleting: bool) -> Existing {
        let state = Value::object([
            ("name", Value::from("db")),
            ("environment", Value::from("production")),
            ("deletion_protection", protection.into()),
            ("on_destroy", on_destroy.into()),
        ]);
        let private = Private {
            anchor: Anchor {
                deleting,
                ..Anchor::default()
            },
            ..Private::default()
        };
        Existing::of(&state, &private)
    }

    #[test]
    fn a_mark_comes_back_beside_other_private_data() {
        for mark in [
            Mark::Creation,
            Mark::Existing(existing(true, "delete", false)),
        ] {
            let data = mark.beside(PrivateData::new().with("secret", "{}"));
            assert_eq!(Mark::of(&data), Some(mark));
            assert_eq!(data.text("secret"), Some("{}"));
        }
        assert_eq!(Mark::of(&PrivateData::new()), None);
        assert_eq!(Mark::of(&PrivateData::new().with(Mark::KEY, "{")), None);
    }

    #[test]
    fn what_is_protected_or_retained_is_not_replaced_unless_its_deletion_was_begun() {
        let summary = |refused: Option<Diagnostic>| refused.map(|told| told.summary);
        for (protection, on_destroy, told) in [
            (true, "delete", Some("Secret Deletion Protected")),
            (true, "retain", Some("Secret Deletion Protected")),
            (false, "retain", Some("Retained Secret Not Replaceable")),
            (false, "delete", None),
        ] {
            let told = told.map(str::to_owned);
            let found = existing(protection, on_destroy, false);
            assert_eq!(summary(found.refuses_replacement()), told);
            assert_eq!(summary(found.refuses_replacement_of_tainted()), told);
            let begun = existing(protection, on_destroy, true);
            assert_eq!(summary(begun.refuses_replacement()), None);
            assert_eq!(summary(begun.refuses_replacement_of_tainted()), None);
        }
    }
}
