//! Opens a bucket of S3, Google Cloud Storage or Azure Blob Storage as the platform.

mod block;
mod encryption;
mod key_file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;

use super::caller::Caller;
use super::settings::Environment;
use crate::session::BucketKey;
use encryption::{OrganizationKey, ServiceKey, key_of};
use key_file::{Creation, KeyFileKek};
use planton_core::kek::{KekPins, ProvisionKek, ServiceKek};
use planton_core::names::Slug;
use planton_core::operations::{ConnectKek as _, KeyEncryptionKey, Platform};
use planton_plugin::{Attribute, AttributePath, Diagnostic, Diagnostics, PathStep, Value};
use planton_vendors::bucket::{Bucket, BucketCatalog, BucketProblem, BucketStore};
use planton_vendors::http::HttpSettings;
use planton_vendors::{Connector, KekConnector};

/// Name of the block.
pub(super) const BUCKET: &str = "bucket";

/// Start of the names of all variables of the platform.
const VARIABLES: &str = "PLANTON_BUCKET_";

/// Variable that names the bucket.
pub(super) const URL_VARIABLE: &str = "PLANTON_BUCKET_URL";

/// A bucket as the platform of an organization.
#[derive(Debug)]
pub(super) struct BucketPlatform {
    pub(super) platform: Platform,
    pub(super) bucket: Bucket,
    pub(super) key: BucketKey,
}

/// Returns the attribute `bucket`.
pub(super) fn attribute() -> Attribute {
    block::attribute()
}

/// Checks the known part of the block.
pub(super) fn validate(block: &Value, diagnostics: &mut Diagnostics) {
    block::validate(block, diagnostics);
    let connector = KekConnector::default();
    encryption::validate(
        block.attribute(encryption::ENCRYPTION),
        &connector,
        diagnostics,
    );
}

/// Returns whether an environment variable of the platform is set.
pub(super) fn is_in(environment: &Environment) -> bool {
    environment.has_prefix(VARIABLES)
}

/// Opens the platform. Sends no request.
pub(super) fn open(
    block: &Value,
    environment: &Environment,
    organization: &Slug,
    pins: &KekPins,
    caller: Caller,
) -> Result<BucketPlatform, Diagnostic> {
    let settings = block::read(block, environment)?;
    let key = encryption::read(block, environment)?;
    let bucket = Bucket::open(&settings, HttpSettings::default());
    let bucket = bucket.map_err(|problem| unusable(&problem))?;
    let bucket_key = match &key {
        OrganizationKey::File(path) => BucketKey::File(path.clone()),
        OrganizationKey::Service(key) => {
            match key.leaves_mac_key_open() && pins.organization.is_none() {
                true => BucketKey::Unguarded,
                false => BucketKey::Guarded,
            }
        }
    };
    let Keys {
        kek,
        mac_kek,
        former_keks,
    } = match key {
        OrganizationKey::Service(key) => of_service(key, pins, caller)?,
        OrganizationKey::File(path) => of_file(&path, environment, organization, pins),
    };
    let platform = Platform {
        catalog: Arc::new(BucketCatalog::new(&bucket, organization.clone())),
        kek,
        mac_kek,
        former_keks,
        kek_connector: Arc::new(KekConnector::default()),
        store: Arc::new(BucketStore::new(&bucket, organization.clone())),
        connector: Arc::new(Connector::default()),
    };
    Ok(BucketPlatform {
        platform,
        bucket,
        key: bucket_key,
    })
}

/// Opens the bucket that the environment variables name, for no organization of its own. Sends
/// no request.
pub(super) fn open_alone(environment: &Environment) -> Result<Bucket, Diagnostic> {
    let settings = block::read(&Value::Null, environment)?;
    let bucket = Bucket::open(&settings, HttpSettings::default());
    bucket.map_err(|problem| unusable(&problem))
}

/// Returns the key file that the environment variables name; `None` for a key in a service.
pub(super) fn key_file(environment: &Environment) -> Result<Option<PathBuf>, Diagnostic> {
    match encryption::read(&Value::Null, environment)? {
        OrganizationKey::File(path) => Ok(Some(path)),
        OrganizationKey::Service(_) => Ok(None),
    }
}

/// Returns the arguments that environment variables set, without those of a credential.
pub(super) fn arguments_of(
    environment: &Environment,
) -> Result<BTreeMap<String, Json>, Diagnostic> {
    let mut arguments = block::arguments_of(environment);
    let key = encryption::read(&Value::Null, environment)?;
    arguments.insert(encryption::ENCRYPTION.to_owned(), key.as_argument());
    Ok(arguments)
}

/// The keys of an organization in a bucket.
struct Keys {
    kek: Arc<dyn ProvisionKek>,
    mac_kek: Arc<dyn ProvisionKek>,
    former_keks: Vec<Arc<dyn KeyEncryptionKey>>,
}

fn of_service(key: ServiceKey, pins: &KekPins, caller: Caller) -> Result<Keys, Diagnostic> {
    let connector = Arc::new(KekConnector::default());
    for settings in [Some(&key.main), key.mac.as_ref()].into_iter().flatten() {
        let checked = connector.check(settings, Some(&key.credential));
        checked.map_err(|error| encryption::unusable(settings, error))?;
    }
    if key.leaves_mac_key_open() && pins.organization.is_none() && !caller.needs_no_pin() {
        return Err(fingerprint_required(&key));
    }
    let kek = |settings, credential| -> Arc<dyn ProvisionKek> {
        let connector = Arc::clone(&connector);
        Arc::new(ServiceKek::new(settings, credential, connector).with_remedies(in_provider_block))
    };
    let second = key.mac.map(|mac| kek(mac, key.credential.clone()));
    let main = kek(key.main, key.credential);
    Ok(Keys {
        mac_kek: second.unwrap_or_else(|| Arc::clone(&main)),
        kek: main,
        former_keks: Vec::new(),
    })
}

fn of_file(path: &Path, environment: &Environment, organization: &Slug, pins: &KekPins) -> Keys {
    let creation = match (environment.automation(), &pins.allowed_key_ids) {
        (Some(variable), _) => Creation::RefusedInAutomation(variable),
        (None, Some(_)) => Creation::RefusedByPins,
        (None, None) => Creation::Allowed,
    };
    let kek = KeyFileKek::open(path, organization, creation);
    let former_keks = kek.all();
    let kek: Arc<dyn ProvisionKek> = Arc::new(kek);
    Keys {
        // Anybody who can use a key of the file can use any, so a second key protects
        // nothing.
        mac_kek: Arc::clone(&kek),
        kek,
        former_keks,
    }
}

/// Requires the fingerprint where whoever may encrypt could make a MAC key of their own: they
/// could forge every record of an organization that the client has not seen before.
fn fingerprint_required(key: &ServiceKey) -> Diagnostic {
    let second = match key.takes_second() {
        false => "",
        true => {
            " For a new organization, you can give the MAC key a key of its own instead, with \
             mac_key_name."
        }
    };
    Diagnostic::error(
        "Organization Fingerprint Required",
        format!(
            "The organization's only key is {}. A role that may encrypt with this key and write \
             to the bucket could replace the catalog, so the organization's fingerprint has to be \
             pinned.\n\nRun terraform-provider-planton platform init on a machine \
             that you trust, which creates the organization unless it exists, and set \
             organization_fingerprint (or PLANTON_ORGANIZATION_FINGERPRINT) to what it \
             prints.{second}",
            key_of(&key.main)
        ),
    )
    .at("organization_fingerprint")
}

/// Returns the diagnostic of an argument that the client rejects.
fn unusable(problem: &BucketProblem) -> Diagnostic {
    let argument = problem.argument();
    let remedy = problem.remedy();
    let variable = block::variable_of(argument).map_or_else(String::new, |variable| {
        format!(" (or the environment variable {variable})")
    });
    Diagnostic::error(
        "Invalid Bucket Configuration",
        format!("The argument {argument}{variable} cannot be used.\n\n{remedy}"),
    )
    .at(AttributePath::attribute(BUCKET).then(argument))
}

/// Returns a diagnostic about a field of a backend with the names of the provider block, which
/// has no write-only arguments and no trigger.
fn sensitive(one: &Diagnostic) -> Diagnostic {
    let steps = one.path.steps().iter();
    let path = steps.fold(AttributePath::root(), |path, step| match step {
        PathStep::Attribute(name) => path.then(name.strip_suffix("_wo").unwrap_or(name)),
        PathStep::Index(index) => path.index(*index),
        PathStep::Key(key) => path.key(key.clone()),
    });
    Diagnostic {
        detail: in_provider_block(&one.detail),
        path,
        ..one.clone()
    }
}

/// Puts a text about a key of a backend into the words of the provider block, which has neither
/// write-only arguments nor a trigger, and whose key is in no record of a backend.
fn in_provider_block(text: &str) -> String {
    let mut text = text.to_owned();
    for (of_backend, own) in [
        (", and change credentials_wo_version", ""),
        (" and change credentials_wo_version", ""),
        ("Declare the backend again with", "Set"),
        (
            " After a restore into a new cluster, save the key again: that makes it another key, \
             and `rewrap` moves what the former one wrapped.",
            " After a restore into a new cluster, the key is another one: install it with rewrap \
             --with and an escrow identity.",
        ),
    ] {
        text = text.replace(of_backend, own);
    }
    without_suffix(&text)
}

/// Removes `_wo` from the ends of names.
fn without_suffix(text: &str) -> String {
    let mut parts = text.split("_wo");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_in_name = part.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
        if is_in_name {
            plain.push_str("_wo");
        }
        plain.push_str(part);
    }
    plain
}

#[cfg(test)]
mod tests;
