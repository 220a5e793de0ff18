//! Opens the platform that block and environment name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::openbao;
use super::settings::{Environment, invalid_path};
use crate::diagnostics::invalid_slug;
use crate::session::Configured;
use planton_core::kek::{KekError, KekErrorKind, LocalKek};
use planton_core::names::Slug;
use planton_core::operations::{Organization, Platform, Run};
use planton_plugin::{AttributePath, Diagnostic, Diagnostics, Value};
use planton_vendors::Connector;
use planton_vendors::embedded::EmbeddedCatalog;
use planton_vendors::embedded::EmbeddedStore;
use planton_vendors::embedded::LocalKeyFile;
use planton_vendors::embedded::sqlite::{
    DatabaseError, DatabaseOptions, KeyFileRule, default_directory, open_with_key,
};
use planton_vendors::openbao::client::check_path;

/// Opens what the block, wholly known and validated, and the environment name.
pub(super) async fn configure(
    config: &Value,
    environment: &Environment,
    run: Run,
    diagnostics: &mut Diagnostics,
) -> Result<Configured, Diagnostic> {
    if let [first, ..] = environment.not_text().as_slice() {
        return Err(Diagnostic::error(
            "Environment Variable Not Text",
            format!(
                "The variable {first} is not valid UTF-8.\n\nCorrect it where it is set, or unset \
                 it."
            ),
        ));
    }
    let organization = organization(config, environment)?;
    let platform = match choose(config, environment)? {
        Choice::OpenBao => openbao::open(config, environment, &organization, diagnostics)?,
        Choice::Embedded(directory) => embedded(&directory, &organization).await?,
        Choice::Unasked => {
            let directory = unasked(environment)?;
            diagnostics.push(Diagnostic::warning(
                "Embedded Platform In Use",
                format!(
                    "Neither openbao nor embedded is configured, so the embedded platform in {} \
                     serves. Whoever can read that directory can open the secrets in it.\n\nTo \
                     keep it and silence this warning, set embedded = {{}}; for work with others, \
                     configure openbao.",
                    directory.display()
                ),
            ));
            embedded(&directory, &organization).await?
        }
    };
    let default_environment = match config.attribute("default_environment").as_str() {
        Some(text) => Some(
            text.parse()
                .map_err(|_| invalid_slug("The environment", text, "default_environment"))?,
        ),
        None => None,
    };
    let labels = config.attribute("default_labels").entries();
    let default_labels = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect::<BTreeMap<_, _>>();
    let organization = Organization::new(organization, platform).in_run(run);
    Ok(Configured::new(
        organization,
        default_environment,
        default_labels,
    ))
}

fn organization(config: &Value, environment: &Environment) -> Result<Slug, Diagnostic> {
    let text = config.attribute("organization").as_str().map(str::to_owned);
    let Some(text) = text.or_else(|| environment.first(&["PLANTON_ORG"])) else {
        return Err(Diagnostic::error(
            "Organization Missing",
            "No organization is configured: it owns the secrets, and every name is relative to \
             it.\n\nSet organization in the provider block, or the variable PLANTON_ORG.",
        )
        .at("organization"));
    };
    text.parse()
        .map_err(|_| invalid_slug("The organization", &text, "organization"))
}

enum Choice {
    OpenBao,
    Embedded(PathBuf),
    /// Nothing is configured and no variable is set.
    Unasked,
}

fn choose(config: &Value, environment: &Environment) -> Result<Choice, Diagnostic> {
    let embedded = config.attribute("embedded");
    let directory = environment.os("PLANTON_DATA_DIR").map(PathBuf::from);
    if let Some(Err(error)) = directory.as_deref().and_then(Path::to_str).map(check_path) {
        let at = AttributePath::attribute("embedded").then("path");
        return Err(invalid_path("The variable PLANTON_DATA_DIR", &error, at));
    }
    if config.attribute("openbao").is_set() {
        return Ok(Choice::OpenBao);
    }
    if embedded.is_set() {
        let path = embedded.attribute("path").as_str().map(PathBuf::from);
        let path = path
            .or(directory)
            .or_else(|| default_directory(|name| environment.os(name)));
        return path.map(Choice::Embedded).ok_or_else(no_data_folder);
    }
    let address = environment.os("PLANTON_ADDR").is_some();
    match (address, directory) {
        (true, Some(_)) => Err(Diagnostic::error(
            "Conflicting Platforms",
            "Both variables PLANTON_ADDR and PLANTON_DATA_DIR are set; an organization lives on \
             one platform.\n\nUnset one of them, or configure openbao or embedded in the provider \
             block.",
        )),
        (true, None) => Ok(Choice::OpenBao),
        (false, Some(path)) => Ok(Choice::Embedded(path)),
        (false, None) if environment.os("BAO_ADDR").is_some() => Ok(Choice::OpenBao),
        (false, None) => Ok(Choice::Unasked),
    }
}

/// The embedded platform that nobody asked for: not in automation, where its
/// directory would be thrown away with the machine.
fn unasked(environment: &Environment) -> Result<PathBuf, Diagnostic> {
    if environment.os("TF_IN_AUTOMATION").is_some() {
        return Err(Diagnostic::error(
            "Platform Missing",
            "Neither openbao nor embedded is configured, and TF_IN_AUTOMATION is set: the embedded \
             platform would be lost together with the machine that this runs on.\n\nConfigure \
             openbao in the provider block (or PLANTON_ADDR); or set embedded = { path = … } if \
             that directory is kept.",
        ));
    }
    default_directory(|name| environment.os(name)).ok_or_else(no_data_folder)
}

fn no_data_folder() -> Diagnostic {
    Diagnostic::error(
        "Data Folder Not Found",
        "The environment names no data folder for the embedded platform (neither XDG_DATA_HOME nor \
         HOME is set).\n\nSet embedded = { path = … } in the provider block, or PLANTON_DATA_DIR.",
    )
    .at(AttributePath::attribute("embedded").then("path"))
}

async fn embedded(directory: &Path, organization: &Slug) -> Result<Platform, Diagnostic> {
    let opened = open_with_key(directory, DatabaseOptions::default(), open_key).await;
    let (database, key_file) = opened.map_err(|error| error.diagnostic(directory))?;
    Ok(Platform {
        catalog: Arc::new(EmbeddedCatalog::new(database.clone(), organization.clone())),
        kek: Arc::new(LocalKek::new(key_file.root_key(), organization)),
        store: Arc::new(EmbeddedStore::new(database)),
        connector: Arc::new(Connector::default()),
    })
}

fn open_key(path: &Path, rule: KeyFileRule) -> Result<LocalKeyFile, EmbeddedError> {
    match LocalKeyFile::open(path) {
        Err(error)
            if error.kind() == KekErrorKind::NotFound && rule == KeyFileRule::CreateIfAbsent =>
        {
            // Whoever loses a race for the file loads the winner's.
            LocalKeyFile::create(path)
                .or_else(|_| LocalKeyFile::open(path))
                .map_err(Into::into)
        }
        opened => opened.map_err(Into::into),
    }
}

/// Why the embedded platform could not be opened.
#[derive(Debug)]
enum EmbeddedError {
    Database(DatabaseError),
    Key(KekError),
}

impl From<DatabaseError> for EmbeddedError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<KekError> for EmbeddedError {
    fn from(error: KekError) -> Self {
        Self::Key(error)
    }
}

impl EmbeddedError {
    fn diagnostic(&self, directory: &Path) -> Diagnostic {
        let (error, remedy): (&dyn std::error::Error, _) = match self {
            Self::Database(error) => (error, error.remedy()),
            Self::Key(error) => (error, error.remedy()),
        };
        let what = error.to_string();
        // The remedy, or the original error, says what is missing.
        let what = what.trim_end_matches(": not set up");
        let remedy = remedy.unwrap_or("Check that the directory can be read and written.");
        let mut chain = String::new();
        let mut source = error.source();
        while let Some(next) = source {
            chain.push_str(if chain.is_empty() {
                "\n\nOriginal error: "
            } else {
                ": "
            });
            chain.push_str(&next.to_string());
            source = next.source();
        }
        Diagnostic::error(
            "Embedded Platform Not Usable",
            format!(
                "The embedded platform in {} could not be opened: {what}.\n\n{remedy}{chain}",
                directory.display()
            ),
        )
        .at(AttributePath::attribute("embedded").then("path"))
    }
}
