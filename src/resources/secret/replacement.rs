//! What a plan tells the calls that follow it about a replacement.
//!
//! Terraform plans a replacement twice, the second time as a creation: with a null
//! prior state, and with the private data that the first plan returned. So every
//! plan of a secret that exists leaves a mark there. An ordinary creation comes
//! without private data, and so does that of a tainted secret, whose deletion is
//! told what the plan of the creation returned:
//! <https://github.com/hashicorp/terraform/blob/v1.11.4/internal/terraform/node_resource_abstract_instance.go>

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::state::Private;
use crate::surface::deletion_protected;
use planton_core::operations::{Replaces, Stamp};
use planton_plugin::{Diagnostic, PrivateData, Value};

const MARK: &str = "plan";

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

impl Mark {
    /// Reads the mark of an earlier plan; damaged ones count as none.
    pub(super) fn read(data: &PrivateData) -> Option<Self> {
        serde_json::from_slice(data.bytes(MARK)?).ok()
    }

    /// Adds the mark to what a plan returns.
    pub(super) fn write(&self, data: PrivateData) -> PrivateData {
        let bytes = serde_json::to_vec(self).expect("plain fields serialize");
        data.with(MARK, bytes)
    }
}

impl Existing {
    /// Takes the secret of a state, and what is kept beside that.
    pub(super) fn of(state: &Value, private: &Private) -> Self {
        let text = |name: &str| state.attribute(name).as_str();
        let name = text("name").unwrap_or_default();
        // A deletion that was begun was allowed, and what is not this state's any more
        // is not destroyed.
        let holds = !private.deleting && private.finding.is_none();
        let uuid = text("id").and_then(|id| id.parse().ok());
        Self {
            owned: uuid
                .zip(private.stamp)
                .filter(|_| private.finding.is_none()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn existing(protection: bool, on_destroy: &str, deleting: bool) -> Existing {
        let state = Value::object([
            ("name", Value::from("db")),
            ("environment", Value::from("production")),
            ("deletion_protection", protection.into()),
            ("on_destroy", on_destroy.into()),
        ]);
        let private = Private {
            deleting,
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
            let data = mark.write(PrivateData::new().with("secret", "{}"));
            assert_eq!(Mark::read(&data), Some(mark));
            assert_eq!(data.text("secret"), Some("{}"));
        }
        assert_eq!(Mark::read(&PrivateData::new()), None);
        assert_eq!(Mark::read(&PrivateData::new().with(MARK, "{")), None);
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
