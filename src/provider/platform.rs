//! Opens the platform that the provider block or the environment variables name.

use std::path::{Path, PathBuf};

use super::bucket::{self, BucketPlatform};
use super::caller::Caller;
use super::embedded;
use super::openbao;
use super::pins;
use super::settings::{Environment, invalid_path};
use crate::diagnostics::invalid_slug;
use crate::session::{Configured, PartlyKnown};
use planton_core::names::Slug;
use planton_core::operations::{Organization, Run};
use planton_plugin::{AttributePath, Diagnostic, Diagnostics, Value};
use planton_vendors::embedded::sqlite::default_directory;
use planton_vendors::openbao::client::check_path;

/// Opens the organization on its platform. The block is validated, and known but for the defaults
/// of secrets.
pub(super) async fn configure(
    config: &Value,
    environment: &Environment,
    run: Run,
    caller: Caller,
    diagnostics: &mut Diagnostics,
) -> Result<Configured, Diagnostic> {
    if let [first, ..] = environment.not_text().as_slice() {
        return Err(Diagnostic::error(
            "Environment Variable Not Text",
            format!(
                "The environment variable {first} is not valid UTF-8.\n\nCorrect its value, or unset \
                 it."
            ),
        ));
    }
    let organization = organization(config, environment)?;
    let pins = pins::read(config, environment)?;
    let mut opened_bucket = None;
    let platform = match choose(config, environment)? {
        Choice::OpenBao => openbao::open(config, environment, &organization, diagnostics)?,
        Choice::Bucket => {
            let block = config.attribute(bucket::BUCKET);
            let BucketPlatform {
                platform,
                bucket,
                key,
            } = bucket::open(block, environment, &organization, &pins, caller)?;
            opened_bucket = Some((bucket, key));
            platform
        }
        Choice::Embedded(directory) => embedded::open(&directory, &organization, caller).await?,
        Choice::Default => {
            let directory = default_choice(environment)?;
            diagnostics.push(Diagnostic::warning(
                "Embedded Platform In Use",
                format!(
                    "No platform is configured, so the provider uses the embedded platform in {}. \
                     Anybody who can read that directory can open its secrets.\n\nTo keep it and \
                     silence this warning, set embedded = {{}}. To share secrets with others, \
                     configure openbao or bucket.",
                    directory.display()
                ),
            ));
            embedded::open(&directory, &organization, caller).await?
        }
    };
    let organization = Organization::new(organization, platform)
        .in_run(run)
        .with_pins(pins);
    let configured = Configured::new(organization, PartlyKnown::read(config));
    Ok(match opened_bucket {
        Some((bucket, key)) => configured.on_bucket(bucket, key),
        None => configured,
    })
}

pub(super) fn organization(config: &Value, environment: &Environment) -> Result<Slug, Diagnostic> {
    let text = config.attribute("organization").as_str().map(str::to_owned);
    let Some(text) = text.or_else(|| environment.first(&["PLANTON_ORG"])) else {
        return Err(Diagnostic::error(
            "Organization Missing",
            "No organization is configured. Every secret belongs to one.\n\nSet organization in the \
             provider block, or the environment variable PLANTON_ORG.",
        )
        .at("organization"));
    };
    text.parse()
        .map_err(|_| invalid_slug("The organization", &text, "organization"))
}

pub(super) enum Choice {
    OpenBao,
    Bucket,
    Embedded(PathBuf),
    /// Nothing is configured and no variable is set.
    Default,
}

pub(super) fn choose(config: &Value, environment: &Environment) -> Result<Choice, Diagnostic> {
    let embedded = config.attribute("embedded");
    let directory = environment.os("PLANTON_DATA_DIR").map(PathBuf::from);
    if let Some(Err(error)) = directory.as_deref().and_then(Path::to_str).map(check_path) {
        let at = AttributePath::attribute("embedded").then("path");
        return Err(invalid_path(
            "The environment variable PLANTON_DATA_DIR",
            &error,
            at,
        ));
    }
    if config.attribute("openbao").is_set() {
        return Ok(Choice::OpenBao);
    }
    if config.attribute(bucket::BUCKET).is_set() {
        return Ok(Choice::Bucket);
    }
    if embedded.is_set() {
        let path = embedded.attribute("path").as_str().map(PathBuf::from);
        let path = path
            .or(directory)
            .or_else(|| default_directory(|name| environment.os(name)));
        return path.map(Choice::Embedded).ok_or_else(no_data_folder);
    }
    let chosen = [
        (environment.os("PLANTON_ADDR").is_some(), "PLANTON_ADDR"),
        (directory.is_some(), "PLANTON_DATA_DIR"),
        (
            environment.os(bucket::URL_VARIABLE).is_some(),
            bucket::URL_VARIABLE,
        ),
    ];
    let chosen: Vec<_> = chosen.iter().filter(|(is_set, _)| *is_set).collect();
    if let [(_, first), (_, second), ..] = chosen.as_slice() {
        return Err(Diagnostic::error(
            "Conflicting Platforms",
            format!(
                "The environment variables {first} and {second} are both set, but an organization \
                 has one platform.\n\nUnset one of them, or configure openbao, embedded or bucket \
                 in the provider block."
            ),
        ));
    }
    match (chosen.first().map(|(_, name)| *name), directory) {
        (_, Some(path)) => Ok(Choice::Embedded(path)),
        (Some("PLANTON_ADDR"), None) => Ok(Choice::OpenBao),
        // One of the other variables without the URL is reported as incomplete, and never as
        // no platform at all.
        _ if bucket::is_in(environment) => Ok(Choice::Bucket),
        _ if environment.os("BAO_ADDR").is_some() => Ok(Choice::OpenBao),
        _ => Ok(Choice::Default),
    }
}

/// Where the platform that the environment variables name has its key.
#[derive(Debug)]
pub(crate) enum KeyPlace {
    /// In the key file of an embedded platform, in this directory.
    Embedded(PathBuf),
    /// In the key file of a bucket.
    File(PathBuf),
    /// In a service.
    Service,
}

/// Returns where the platform has its key, without a configuration.
pub(super) fn key_place(environment: &Environment) -> Result<KeyPlace, Diagnostic> {
    Ok(match choose(&Value::Null, environment)? {
        Choice::OpenBao => KeyPlace::Service,
        Choice::Bucket => bucket::key_file(environment)?.map_or(KeyPlace::Service, KeyPlace::File),
        Choice::Embedded(directory) => KeyPlace::Embedded(directory),
        Choice::Default => KeyPlace::Embedded(default_choice(environment)?),
    })
}

/// Returns the directory of the embedded platform, if no platform is configured. Fails in
/// automation, whose machines often delete their directories after the run.
fn default_choice(environment: &Environment) -> Result<PathBuf, Diagnostic> {
    if environment.os("TF_IN_AUTOMATION").is_some() {
        return Err(Diagnostic::error(
            "Platform Missing",
            "No platform is configured. TF_IN_AUTOMATION is set, so the provider does not use the \
             embedded platform by default: its directory may be deleted with the machine of this \
             run.\n\nConfigure openbao or bucket in the provider block (or PLANTON_ADDR, or \
             PLANTON_BUCKET_URL). If the directory is kept, set embedded = { path = … }.",
        ));
    }
    default_directory(|name| environment.os(name)).ok_or_else(no_data_folder)
}

fn no_data_folder() -> Diagnostic {
    Diagnostic::error(
        "Data Folder Not Found",
        "The embedded platform has no default directory, since neither XDG_DATA_HOME nor HOME is \
         set.\n\nSet embedded = { path = … } in the provider block, or PLANTON_DATA_DIR.",
    )
    .at(AttributePath::attribute("embedded").then("path"))
}
