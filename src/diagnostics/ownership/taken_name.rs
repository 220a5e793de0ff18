//! Diagnostics of a replacement whose name another secret or backend has.

use uuid::Uuid;

use super::{Named, made_by};
use planton_core::operations::{KeptUnderItsName, NameHolder};
use planton_plugin::Diagnostic;

/// Replacement under another name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Renamed<'a> {
    /// Name of what is replaced.
    pub(crate) from: &'a str,
    /// What Terraform destroys with it before the creation fails: `its value`.
    pub(crate) loss: &'static str,
}

/// Way out, since a destroy starts with the same plan.
const DESTROY: &str = "To destroy everything, run terraform destroy -refresh=false.";

impl Named {
    /// Checks that no replacement of the same plan, of an object named `needed_by`, takes this name
    /// of `holder`, which keeps it.
    ///
    /// # Errors
    ///
    /// A diagnostic at the name.
    pub(crate) fn expect_kept(
        &self,
        holder: Uuid,
        needed_by: Option<&str>,
        loss: &'static str,
    ) -> Result<(), Diagnostic> {
        let Some(from) = needed_by else {
            return Ok(());
        };
        Err(self.kept_by_plan(holder, Renamed { from, loss }).at("name"))
    }

    /// Rejects a replacement that takes this name, since another resource of the same plan
    /// keeps it.
    pub(crate) fn kept_by_plan(&self, holder: Uuid, renamed: Renamed<'_>) -> Diagnostic {
        self.not_replaceable(
            renamed,
            &format!("another resource of this plan, with id {holder}, keeps that name"),
            "Choose another name. Or destroy or rename the other one, in the same apply or before.",
        )
    }

    /// Rejects a replacement that takes this name, since its holder keeps it whatever a run
    /// plans.
    pub(crate) fn kept_by_argument(
        &self,
        holder: &NameHolder,
        kept: KeptUnderItsName,
        renamed: Renamed<'_>,
    ) -> Diagnostic {
        let argument = match kept {
            KeptUnderItsName::Protected => "deletion_protection = true",
            KeptUnderItsName::Retained => "on_destroy = \"retain\"",
        };
        let remedy = format!(
            "Choose another name. Or remove {argument} from the other one where it is managed, \
             apply that, and destroy or rename it before this change."
        );
        let NameHolder { uuid, owner, .. } = holder;
        let made = made_by(owner);
        self.not_replaceable(
            renamed,
            &format!(
                "another object, with id {uuid}, has that name and keeps it because of {argument}: {made}"
            ),
            &remedy,
        )
    }

    fn not_replaceable(&self, renamed: Renamed<'_>, why: &str, remedy: &str) -> Diagnostic {
        let Renamed { from, loss } = renamed;
        Diagnostic::error(
            self.summary_of_taken(),
            format!(
                "This plan replaces {from:?} with {}, but {why}. The creation would fail. Without \
                 create_before_destroy, Terraform would have destroyed {from:?} with {loss} \
                 before.\n\n{remedy} {DESTROY}",
                self.what
            ),
        )
    }

    /// Warns about a replacement that takes this name, if its present holder may still be
    /// there.
    pub(crate) fn may_be_taken(&self, holder: &NameHolder, renamed: Renamed<'_>) -> Diagnostic {
        let Renamed { from, loss } = renamed;
        let NameHolder { uuid, owner, .. } = holder;
        Diagnostic::warning(
            self.summary_of_taken(),
            format!(
                "This plan replaces {from:?} with {}, but another object, with id {uuid}, has that name: \
                 {}. No resource that Terraform has planned so far with this provider \
                 configuration gives the name up.\n\nUnless create_before_destroy is set, Terraform \
                 destroys {from:?} first, with {loss}. If the other one still exists at that point, the \
                 creation fails, and nothing restores {from:?}. Check that the same apply destroys \
                 or renames the other one. Otherwise choose another name, or destroy the other one \
                 first.",
                self.what,
                made_by(owner)
            ),
        )
    }

    fn summary_of_taken(&self) -> String {
        format!("{} Name Taken", self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::owner;
    use super::*;

    #[test]
    fn a_taken_name_is_explained_with_what_is_lost() {
        let named = Named::secret(&"production/db".parse().expect("a name"));
        let renamed = Renamed {
            from: "db",
            loss: "its value",
        };
        let holder = NameHolder {
            uuid: Uuid::from_u128(7),
            owner: owner(),
            kept: Some(KeptUnderItsName::Protected),
        };
        insta::assert_snapshot!(named.may_be_taken(&holder, renamed).detail, @r#"
        This plan replaces "db" with secret "production/db", but another object, with id 00000000-0000-0000-0000-000000000007, has that name: run 3f0c7a52-0d43-4a3c-8d0c-0e51a1b0c9de created it at 2026-03-01T12:00:00Z on host "ci-7" in folder "network", label "https://ci.example.com/1". No resource that Terraform has planned so far with this provider configuration gives the name up.

        Unless create_before_destroy is set, Terraform destroys "db" first, with its value. If the other one still exists at that point, the creation fails, and nothing restores "db". Check that the same apply destroys or renames the other one. Otherwise choose another name, or destroy the other one first.
        "#);
        let kept = named.kept_by_argument(&holder, KeptUnderItsName::Protected, renamed);
        insta::assert_snapshot!(kept.detail, @r#"
        This plan replaces "db" with secret "production/db", but another object, with id 00000000-0000-0000-0000-000000000007, has that name and keeps it because of deletion_protection = true: run 3f0c7a52-0d43-4a3c-8d0c-0e51a1b0c9de created it at 2026-03-01T12:00:00Z on host "ci-7" in folder "network", label "https://ci.example.com/1". The creation would fail. Without create_before_destroy, Terraform would have destroyed "db" with its value before.

        Choose another name. Or remove deletion_protection = true from the other one where it is managed, apply that, and destroy or rename it before this change. To destroy everything, run terraform destroy -refresh=false.
        "#);
        let kept = named.kept_by_plan(holder.uuid, renamed);
        insta::assert_snapshot!(kept.detail, @r#"
        This plan replaces "db" with secret "production/db", but another resource of this plan, with id 00000000-0000-0000-0000-000000000007, keeps that name. The creation would fail. Without create_before_destroy, Terraform would have destroyed "db" with its value before.

        Choose another name. Or destroy or rename the other one, in the same apply or before. To destroy everything, run terraform destroy -refresh=false.
        "#);
    }
}
