//! Replacement of a secret: the changes that require it, and the mark that the plan of an
//! existing secret leaves for the calls that follow.
//!
//! Terraform plans a replacement twice. The second plan is that of a creation, with a null
//! prior state, but with the private data that the first plan returned. So every plan of an
//! existing secret leaves a mark in its private data. An ordinary creation has no private
//! data, nor has the creation that replaces a tainted secret. The deletion of a tainted secret
//! receives the private data that the plan of that creation returned:
//! <https://github.com/hashicorp/terraform/blob/v1.11.4/internal/terraform/node_resource_abstract_instance.go>

use uuid::Uuid;

use super::plan::DECIDED_BY_A_NEW_VERSION;
use super::settings::Settings;
use super::state::Private;
use crate::diagnostics::deletion_protected;
use crate::resources::private_state::{CompactField, PrivateState, read_optional, write_optional};
use planton_core::operations::{Replaces, Stamp};
use planton_plugin::{
    AttributePath, Diagnostic, FieldReader, FieldWriter, InvalidPrivateData, PlanResponse,
    PrivateData, Value,
};

/// Starting point of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// No secret, as far as the plan knows.
    Creation,
    /// An existing secret.
    Existing(Existing),
}

/// Existing secret, as a plan found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Existing {
    /// UUID and stamp for its successor; absent if this state does not own it.
    owned: Option<(Uuid, Stamp)>,
    /// Name, with its environment.
    name: String,
    /// Whether it may be neither destroyed nor replaced.
    is_protected: bool,
    /// Whether a destroy keeps it, under its name.
    is_retained: bool,
}

impl PrivateState for Mark {
    const KEY: &'static str = "plan";
}

impl CompactField for Mark {
    fn write_to(&self, to: &mut FieldWriter) {
        let existing = match self {
            Self::Creation => None,
            Self::Existing(existing) => Some(existing),
        };
        write_optional(to, existing);
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        let existing = read_optional(from)?;
        Ok(existing.map_or(Self::Creation, Self::Existing))
    }
}

impl CompactField for Existing {
    fn write_to(&self, to: &mut FieldWriter) {
        to.optional(self.owned, |to, (uuid, stamp)| {
            uuid.write_to(to);
            stamp.write_to(to);
        });
        to.text(&self.name);
        to.flag(self.is_protected);
        to.flag(self.is_retained);
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        Ok(Self {
            owned: from.optional(|from| Ok((Uuid::read_from(from)?, Stamp::read_from(from)?)))?,
            name: String::read_from(from)?,
            is_protected: from.flag()?,
            is_retained: from.flag()?,
        })
    }
}

impl Mark {
    /// Returns the mark of an earlier plan. A damaged mark counts as none.
    pub(super) fn of(data: &PrivateData) -> Option<Self> {
        Self::stored(data).ok().flatten()
    }
}

impl Existing {
    /// Reads the secret of a state and its private data.
    pub(super) fn of(state: &Value, private: &Private) -> Self {
        let text = |name: &str| state.attribute(name).as_str();
        let name = text("name").unwrap_or_default();
        // A started deletion was allowed, and a destroy never deletes a secret that this state
        // no longer owns.
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

    /// Returns the secret that its successor replaces. The creation receives it if the host
    /// keeps planned private data (protocol 6.11).
    pub(super) fn as_replaced(&self) -> Option<Replaces> {
        let (uuid, stamp) = self.owned?;
        Some(Replaces::Owned(uuid, stamp))
    }

    /// Returns its UUID, if this state owns it.
    pub(super) fn owned(&self) -> Option<Uuid> {
        Some(self.owned?.0)
    }

    /// Returns whether a destroy keeps it.
    pub(super) fn is_retained(&self) -> bool {
        self.is_retained
    }

    /// Returns the reason why it may not be destroyed.
    pub(super) fn refuses_destruction(&self) -> Option<Diagnostic> {
        self.is_protected.then(|| deletion_protected(&self.name))
    }

    /// Returns the reason why it may not be replaced.
    pub(super) fn refuses_replacement(&self) -> Option<Diagnostic> {
        self.refuses_destruction().or_else(|| {
            self.is_retained.then(|| {
                Diagnostic::error(
                    "Retained Secret Not Replaceable",
                    format!(
                        "This plan replaces secret {:?}, but on_destroy = \"retain\" would keep the \
                         old secret under its name.\n\nTo replace it, set on_destroy to \"delete\" \
                         and apply that first. To keep it, remove it from the state (terraform \
                         state rm) and create the new secret under another name.",
                        self.name
                    ),
                )
                .at("on_destroy")
            })
        })
    }

    /// Returns the reason why it may not be replaced as a tainted secret, which a plan cannot
    /// detect.
    pub(super) fn refuses_replacement_of_tainted(&self) -> Option<Diagnostic> {
        let (summary, why) = match (self.is_protected, self.is_retained) {
            (true, _) => (
                "Secret Deletion Protected",
                "it has deletion_protection = true, so it can be neither destroyed nor replaced",
            ),
            (false, true) => (
                "Retained Secret Not Replaceable",
                "on_destroy = \"retain\" would keep it under its name",
            ),
            (false, false) => return None,
        };
        Some(
            Diagnostic::error(
                summary,
                format!(
                    "Terraform has marked secret {:?} as tainted and would replace it, but {why}. \
                     Nothing was changed.\n\nTo keep the secret, untaint it:\n\n  terraform \
                     untaint planton_secret.<name>\n\nTo replace it anyway, untaint it, set \
                     deletion_protection to false and on_destroy to \"delete\", apply that, and \
                     then run terraform apply -replace=planton_secret.<name>.",
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

/// Arguments whose change requires a replacement, since a secret never moves.
pub(super) const REPLACING: [&str; 3] = ["name", "environment", "backend"];

/// Returns the changed attributes that require a replacement.
pub(super) fn replaced_paths(
    prior: &Value,
    planned: &Value,
    private: &Private,
) -> Vec<AttributePath> {
    let mut paths: Vec<_> = REPLACING
        .into_iter()
        .filter(|name| planned.attribute(name) != prior.attribute(name))
        .map(AttributePath::attribute)
        .collect();
    if private.anchor.deleting {
        // A started deletion cannot be undone: finish it, and create the secret again.
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
    // The plan of the creation that follows checks that there is a value. It sees values under
    // `ignore_changes`, which this plan does not.
    planned.mark_unknown(&DECIDED_BY_A_NEW_VERSION);
    planned.mark_unknown(&["id"]);
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
    fn a_mark_round_trips_beside_other_private_data() {
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
    fn a_protected_or_retained_secret_is_not_replaced_unless_its_deletion_was_started() {
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
