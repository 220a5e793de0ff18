//! `forget secret` and `forget backend`: for what is gone for good.

use std::fmt::Write as _;
use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use uuid::Uuid;

use super::operator::{self, Failure, Form, Report, STATUSES};
use crate::diagnostics::{deletion_protected, made_by};
use planton_core::names::{SecretName, Slug};
use planton_core::operations::{ForgettableBackend, ForgettableSecret, Found, Organization, Owner};
use planton_plugin::Diagnostic;

/// Which record to forget.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Forget {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum What {
    /// Remove a secret's record from the catalog without asking its backend.
    ///
    /// For a secret whose backend is gone for good. States that hold it drop it at their next
    /// refresh. Its sealed versions stay wherever they still are.
    #[command(after_help = STATUSES)]
    Secret(OfSecret),
    /// Remove a backend's record from the catalog without asking the backend.
    ///
    /// For a backend that is gone for good. Its secrets are forgotten first.
    #[command(after_help = STATUSES)]
    Backend(OfBackend),
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
struct OfSecret {
    /// The secret's name.
    #[arg(value_parser = Slug::parse)]
    name: Slug,
    /// Its environment; without it, the secret of organization scope.
    #[arg(long, value_parser = Slug::parse)]
    environment: Option<Slug>,
    /// Its uuid, to forget one that a replacement has displaced.
    #[arg(long)]
    uuid: Option<Uuid>,
    /// Forget it though it has deletion_protection.
    #[arg(long)]
    ignore_protection: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
struct OfBackend {
    /// The backend's name.
    #[arg(value_parser = Slug::parse)]
    name: Slug,
    #[command(flatten)]
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
struct How {
    /// Do it without asking.
    #[arg(long)]
    yes: bool,
    /// Report one JSON object on stdout.
    #[arg(long)]
    json: bool,
}

impl How {
    fn form(self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

/// What was forgotten.
#[derive(Debug, Serialize)]
struct Forgotten {
    forgotten: &'static str,
    organization: String,
    name: String,
    uuid: Uuid,
    backend: String,
    owner: WhoseItWas,
    /// Names of objects, and never a value.
    may_be_left: Vec<String>,
}

/// Which run owned a record.
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

/// Forgets what was asked for.
#[must_use]
pub(super) fn run(forget: Forget) -> ExitCode {
    let how = match &forget.what {
        What::Secret(asked) => asked.how,
        What::Backend(asked) => asked.how,
    };
    // Before anything is read: nobody could be asked.
    if !how.yes && !std::io::stdin().is_terminal() {
        return operator::fail(how.form(), &Failure::not_confirmed(unasked()));
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
        Found::One(found) => *found,
        Found::Nothing { displaced } => return Err(no_secret(&name, &displaced)),
        Found::Never => return Err(no_secret(&name, &[])),
    };
    if found.is_protected && !asked.ignore_protection {
        let mut refused = deletion_protected(&name.to_string());
        refused.detail += "\n\nIf no state holds it any more, forget it with --ignore-protection.";
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
    if !asked.how.yes {
        confirm(&about_secret(&found, &report), &report.name)?;
    }
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
        Found::One(found) => *found,
        Found::Nothing { .. } | Found::Never => return Err(no_backend(&name)),
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
    if !asked.how.yes {
        confirm(&about_backend(&found), &report.name)?;
    }
    let interrupt = operator::bounds();
    let deleted = organization.backends().forget(found, &interrupt);
    let deleted = interrupt.bound(deleted).await?;
    report.may_be_left = deleted.left_behind;
    Ok(report)
}

fn about_secret(found: &ForgettableSecret, report: &Forgotten) -> String {
    let mut text = format!(
        "Secret {:?} ({}) on backend {} ({}): {}.",
        report.name,
        found.uuid,
        found.backend,
        found.backend_uuid,
        made_by(&found.owner)
    );
    for (is_so, says) in [
        (found.is_displaced, "A replacement has displaced it."),
        (
            found.is_deleting,
            "Its deletion was begun and not finished.",
        ),
        (found.is_protected, "It has deletion_protection."),
    ] {
        if is_so {
            let _ = write!(text, "\n{says}");
        }
    }
    let _ = write!(
        text,
        "\n\nIts record is removed, and its backend is not asked. {}",
        left(&report.may_be_left)
    );
    text
}

fn about_backend(found: &ForgettableBackend) -> String {
    let mut text = format!(
        "Backend {:?} ({}), {}: {}.",
        found.name.as_str(),
        found.uuid,
        found.kind,
        made_by(&found.owner)
    );
    if found.is_deleting {
        text += "\nIts deletion was begun and not finished.";
    }
    text + "\n\nIts record is removed, and its place is not asked. Secrets on it keep it: forget \
            them first."
}

fn left(objects: &[String]) -> String {
    if objects.is_empty() {
        return "Nothing of its own is known to be left in a backend.".to_owned();
    }
    format!(
        "These objects may be left, and nothing refers to them any more:\n  {}\nNothing there can \
         be read without the organization's key. Delete them by hand if the place still exists.",
        objects.join("\n  ")
    )
}

/// Asks for the name to be typed.
fn confirm(about: &str, name: &str) -> Result<(), Failure> {
    let stdin = std::io::stdin().lock();
    ask(about, name, stdin, std::io::stderr())
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
        format!("The name {name:?} was not typed, so nothing was forgotten."),
    )))
}

fn unasked() -> Diagnostic {
    Diagnostic::error(
        "Confirmation Required",
        "Forgetting can't be undone, and there is no terminal to ask for a confirmation, so \
         nothing was forgotten.\n\nRun the command in a terminal, or add --yes.",
    )
}

fn no_secret(name: &SecretName, displaced: &[Uuid]) -> Failure {
    let name = name.to_string();
    let mut text = format!(
        "The catalog has no secret {name:?}, so nothing was forgotten.\n\nCheck its name, \
         --environment and --uuid, and that PLANTON_ORG and the platform's variables are those of \
         the provider block."
    );
    if !displaced.is_empty() {
        let displaced: Vec<_> = displaced.iter().map(ToString::to_string).collect();
        let _ = write!(
            text,
            "\n\nReplacements have displaced secrets of that name. To forget one of them, name it \
             by --uuid: {}.",
            displaced.join(", ")
        );
    }
    Failure::no_such_record(Diagnostic::error("Secret Not Found", text))
}

fn no_backend(name: &Slug) -> Failure {
    Failure::no_such_record(Diagnostic::error(
        "Secret Backend Not Found",
        format!(
            "The catalog has no backend \"{name}\", so nothing was forgotten.\n\nCheck its name, \
             and that PLANTON_ORG and the platform's variables are those of the provider block. \
             The built-in backend has no record."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

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
