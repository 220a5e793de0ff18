//! `forget secret` and `forget backend` remove records whose backend is gone for good.

use std::fmt::Write as _;
use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use uuid::Uuid;

use super::missing;
use super::operator::{self, Failure, Form, Report, STATUSES};
use crate::diagnostics::{deletion_protected, made_by};
use planton_core::names::{SecretName, Slug};
use planton_core::operations::{Lookup, OperationError, Organization, Owner};
use planton_plugin::Diagnostic;

/// Arguments of `forget`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Forget {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum What {
    /// Remove a secret's record from the catalog without a request to its backend.
    ///
    /// For a secret whose backend is gone for good. States that contain the secret drop it at
    /// their next refresh. Its sealed versions are not deleted.
    #[command(after_help = STATUSES)]
    Secret(OfSecret),
    /// Remove a backend's record from the catalog without a request to the backend.
    ///
    /// For a backend that is gone for good. Fails while secrets use it: forget them first.
    #[command(after_help = STATUSES)]
    Backend(OfBackend),
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
struct OfSecret {
    /// Name of the secret.
    #[arg(value_parser = Slug::parse)]
    name: Slug,
    /// Environment of the secret. Omit it for a secret of organization scope.
    #[arg(long, value_parser = Slug::parse)]
    environment: Option<Slug>,
    /// UUID of the secret, to forget one that a replacement has displaced.
    #[arg(long)]
    uuid: Option<Uuid>,
    /// Forget the secret even if it has deletion_protection.
    #[arg(long)]
    ignore_protection: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
struct OfBackend {
    /// Name of the backend.
    #[arg(value_parser = Slug::parse)]
    name: Slug,
    #[command(flatten)]
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
struct How {
    /// Skip the confirmation.
    #[arg(long)]
    yes: bool,
    /// Print the result as one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

impl How {
    fn form(self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

/// Result of a command.
#[derive(Debug, Serialize)]
struct Forgotten {
    forgotten: &'static str,
    organization: String,
    name: String,
    uuid: Uuid,
    backend: String,
    owner: WhoseItWas,
    /// Names of objects, never a value.
    may_be_left: Vec<String>,
}

/// Run that owned a record.
#[derive(Debug, Serialize)]
struct WhoseItWas {
    run: String,
    at: String,
    host: Option<String>,
    folder: Option<String>,
    workspace: Option<String>,
    label: Option<String>,
}

impl From<&Owner> for WhoseItWas {
    fn from(owner: &Owner) -> Self {
        let origin = owner.origin.clone();
        Self {
            run: owner.stamp.run.to_string(),
            at: origin.at.to_string(),
            host: origin.host,
            folder: origin.folder,
            workspace: origin.workspace,
            label: origin.label,
        }
    }
}

impl Report for Forgotten {
    fn text(&self) -> String {
        let Self {
            forgotten,
            organization,
            name,
            uuid,
            ..
        } = self;
        format!(
            "Forgot {forgotten} {name:?} ({uuid}) of organization {organization}.\n\n{}",
            left(&self.may_be_left)
        )
    }
}

/// Removes the record that the arguments name.
#[must_use]
pub(super) fn run(forget: Forget) -> ExitCode {
    let how = match &forget.what {
        What::Secret(asked) => asked.how,
        What::Backend(asked) => asked.how,
    };
    // Without a terminal nobody can confirm, so this fails before anything is read.
    if !how.yes && !std::io::stdin().is_terminal() {
        return operator::fail(how.form(), &Failure::not_confirmed(no_terminal()));
    }
    operator::run(how.form(), |organization| async move {
        match forget.what {
            What::Secret(asked) => secret(&organization, asked).await,
            What::Backend(asked) => backend(&organization, asked).await,
        }
    })
}

async fn secret(organization: &Organization, asked: OfSecret) -> Result<Forgotten, Failure> {
    let name = SecretName {
        environment: asked.environment,
        name: asked.name,
    };
    let found = organization.secrets().find_to_forget(&name, asked.uuid);
    let found = match operator::bounds().bound(found).await? {
        Lookup::Found(found) => *found,
        Lookup::NoMatch { displaced } => return Err(missing::secret_to_forget(&name, &displaced)),
        Lookup::NeverExisted => return Err(missing::secret_to_forget(&name, &[])),
    };
    if found.is_protected && !asked.ignore_protection {
        let mut refused = deletion_protected(&name.to_string());
        refused.detail +=
            "\n\nIf no state contains it any more, forget it with --ignore-protection.";
        return Err(refused.into());
    }
    let objects: Vec<String> = found.objects.iter().map(ToString::to_string).collect();
    let mut report = Forgotten {
        forgotten: "secret",
        organization: organization.slug().to_string(),
        name: name.to_string(),
        uuid: found.uuid,
        backend: found.backend.to_string(),
        owner: (&found.owner).into(),
        may_be_left: objects,
    };
    let about = About {
        record: format!("Secret {:?}", report.name),
        uuid: found.uuid,
        place: format!(" on backend {} ({})", found.backend, found.backend_uuid),
        owner: &found.owner,
        remarks: vec![
            (found.is_displaced, "A replacement has displaced it."),
            (found.is_deleting, UNFINISHED),
            (found.is_protected, "It has deletion_protection."),
        ],
        effect: format!(
            "This removes its record without a request to its backend. {}",
            left(&report.may_be_left)
        ),
    };
    about.confirm(asked.how, &report.name)?;
    let interrupt = operator::bounds();
    let forgotten = organization.secrets().forget(found, &interrupt);
    interrupt.bound(forgotten).await?;
    for object in &mut report.may_be_left {
        *object = format!("{object} on backend {}", report.backend);
    }
    Ok(report)
}

async fn backend(organization: &Organization, asked: OfBackend) -> Result<Forgotten, Failure> {
    let name = asked.name;
    let found = organization.backends().find_to_forget(&name);
    let found = match operator::bounds().bound(found).await? {
        Lookup::Found(found) => *found,
        Lookup::NoMatch { .. } | Lookup::NeverExisted => return Err(no_backend(&name)),
    };
    let mut report = Forgotten {
        forgotten: "backend",
        organization: organization.slug().to_string(),
        name: name.to_string(),
        uuid: found.uuid,
        backend: found.kind.clone(),
        owner: (&found.owner).into(),
        may_be_left: Vec::new(),
    };
    let about = About {
        record: format!("Backend {:?}", report.name),
        uuid: found.uuid,
        place: format!(", {}", found.kind),
        owner: &found.owner,
        remarks: vec![(found.is_deleting, UNFINISHED)],
        effect: "This removes its record without a request to its place. It fails while secrets \
                 use the backend: forget them first."
            .to_owned(),
    };
    about.confirm(asked.how, &report.name)?;
    let interrupt = operator::bounds();
    let deleted = organization.backends().forget(found, &interrupt);
    let deleted = interrupt.bound(deleted).await.map_err(not_forgotten)?;
    report.may_be_left = deleted.left_behind;
    Ok(report)
}

/// Returns the failure to forget a backend. Where secrets use it, names the command for them.
fn not_forgotten(error: OperationError) -> Failure {
    let has_secrets = matches!(error, OperationError::BackendInUse { total: 1.., .. });
    let mut failure = Failure::from(error);
    if has_secrets {
        failure.diagnostic.detail.push_str(
            "\n\nIf these secrets are gone for good as well, forget each of them first: \
             terraform-provider-planton forget secret <name> --environment <environment>.",
        );
    }
    failure
}

const UNFINISHED: &str = "Its deletion was started and not finished.";

/// A found record, as the confirmation describes it.
struct About<'a> {
    /// Kind and name, as the first words of a sentence.
    record: String,
    uuid: Uuid,
    /// Backend or type, with the punctuation before it.
    place: String,
    owner: &'a Owner,
    /// Facts about the record, each with whether it holds.
    remarks: Vec<(bool, &'static str)>,
    effect: String,
}

impl About<'_> {
    /// Asks for the name to be typed, unless `--yes` was passed.
    fn confirm(&self, how: How, name: &str) -> Result<(), Failure> {
        if how.yes {
            return Ok(());
        }
        ask(
            &self.text(),
            name,
            std::io::stdin().lock(),
            std::io::stderr(),
        )
    }

    fn text(&self) -> String {
        let Self {
            record,
            uuid,
            place,
            owner,
            remarks,
            effect,
        } = self;
        let mut text = format!("{record} ({uuid}){place}: {}.", made_by(owner));
        for (_, remark) in remarks.iter().filter(|(is_so, _)| *is_so) {
            let _ = write!(text, "\n{remark}");
        }
        let _ = write!(text, "\n\n{effect}");
        text
    }
}

fn left(objects: &[String]) -> String {
    if objects.is_empty() {
        return "No object of its own is known to remain in a backend.".to_owned();
    }
    format!(
        "These objects may remain, and no record names them any more:\n  {}\nThey cannot be read \
         without the keys that they are wrapped for: the organization's, or those of their backend. \
         Delete them by hand if the place still exists.",
        objects.join("\n  ")
    )
}

fn ask(
    about: &str,
    name: &str,
    mut input: impl BufRead,
    mut output: impl Write,
) -> Result<(), Failure> {
    let mut typed = String::new();
    let asked = write!(output, "{about}\n\nType {name:?} to forget it: ")
        .and_then(|()| output.flush())
        .and_then(|()| input.read_line(&mut typed));
    if asked.is_ok() && typed.trim() == name {
        return Ok(());
    }
    Err(Failure::not_confirmed(Diagnostic::error(
        "Not Confirmed",
        format!(
            "The typed text is not {name:?}, so nothing was changed.\n\nRun the command again and type the name, or add --yes."
        ),
    )))
}

fn no_terminal() -> Diagnostic {
    Diagnostic::error(
        "Confirmation Required",
        "This command cannot be undone and asks for a confirmation, but stdin is not a terminal. \
         Nothing was changed.\n\nRun the command in a terminal, or add --yes.",
    )
}

/// Returns the failure of a backend without a record, which the built-in one never has.
fn no_backend(name: &Slug) -> Failure {
    let mut failure = missing::backend_of(name);
    failure.diagnostic.detail += " The built-in backend has no record.";
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_that_secrets_use_names_the_command_for_them() {
        let detail = |secrets: &[&str], is_default| {
            let error = OperationError::BackendInUse {
                backend: "old".parse().expect("a slug"),
                secrets: secrets.iter().map(ToString::to_string).collect(),
                total: secrets.len(),
                is_default,
            };
            not_forgotten(error).diagnostic.detail
        };
        assert!(detail(&["db"], false).contains("forget secret <name>"));
        assert!(!detail(&[], true).contains("forget secret"));
    }

    #[test]
    fn only_the_name_confirms() {
        let answered = |typed: &str| {
            let mut output = Vec::new();
            let answer = ask("About it.", "prod/db", typed.as_bytes(), &mut output);
            let output = String::from_utf8(output).expect("text");
            assert_eq!(output, "About it.\n\nType \"prod/db\" to forget it: ");
            answer.map_err(|failure| failure.status)
        };
        assert_eq!(answered("prod/db\n"), Ok(()));
        for other in ["", "\n", "y\n", "db\n", "prod/db2\n"] {
            assert_eq!(answered(other), Err(2), "{other:?}");
        }
    }
}
