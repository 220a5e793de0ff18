//! The key that `open` unwraps with.

use std::sync::Arc;

use super::source::Found;
use super::{Key, failed, wrapped_for};
use crate::cli::operator::Failure;
use crate::cli::{identities, key_argument};
use planton_core::names::Slug;
use planton_core::operations::{
    ConnectKek as _, KeyEncryptionKey, LocalKek, OperationError, Organization, StoreCredential,
    pin_of,
};
use planton_envelope::{DataKey, Envelope, KekId};
use planton_vendors::KekConnector;
use planton_vendors::embedded::LocalKeyFile;

/// Unwraps the data key with the key of the arguments.
pub(super) async fn unwrapped(
    key: &Key,
    found: &Found,
    organization: Option<&Organization>,
) -> Result<(KekId, DataKey), Failure> {
    let envelope = &found.envelope;
    let keys = keys(key, found, organization).await?;
    let mut first_failure = None;
    for (id, wrapped) in envelope.wrapped_keys() {
        let mut keys = keys.iter().filter(|_| found.allows(id));
        let Some((key, of_key)) = keys.find(|(key, _)| key.id() == id) else {
            continue;
        };
        let mut names = found.names.clone();
        if let Some(organization) = of_key {
            names.organization = organization.clone();
        }
        let binding = envelope.binding_in(&found.context, id);
        match key.unwrap(wrapped, names.bound(binding)).await {
            Ok(data_key) => return Ok((id.clone(), data_key)),
            Err(error) => {
                first_failure.get_or_insert_with(|| Failure::from(OperationError::from(error)));
            }
        }
    }
    Err(first_failure.unwrap_or_else(|| no_wrap(envelope)))
}

fn no_wrap(envelope: &Envelope) -> Failure {
    failed(
        "No Wrap For This Key",
        format!(
            "The envelope is not wrapped for the given key. It is wrapped for:\n  {}\n\nPass one of \
             these keys.",
            wrapped_for(envelope).join("\n  ")
        ),
    )
}

/// A key, and the organization that it is derived for.
type OpenKey = (Arc<dyn KeyEncryptionKey>, Option<Slug>);

/// Opens the key of the arguments: each root key of a file, each identity.
async fn keys(
    key: &Key,
    found: &Found,
    organization: Option<&Organization>,
) -> Result<Vec<OpenKey>, Failure> {
    let failed = |error| Failure::from(OperationError::Kek(error));
    let as_they_are = |keys: Vec<Arc<dyn KeyEncryptionKey>>| -> Vec<OpenKey> {
        keys.into_iter().map(|key| (key, None)).collect()
    };
    if let (true, Some(organization)) = (key.platform_key, organization) {
        return Ok(as_they_are(organization.keys().own_keys()));
    }
    if let Some(path) = &key.key_file {
        let file = LocalKeyFile::open(path).map_err(failed)?;
        return Ok(local_keys(&file, &found.envelope));
    }
    if let Some(path) = &key.identity {
        return Ok(as_they_are(identities::open(path)?));
    }
    let text = key.key.as_deref().unwrap_or_default();
    Ok(as_they_are(keys_of_service(text, &found.envelope).await?))
}

/// Opens the key of a service for each wrap that may be its own. Asks the service for the
/// key only if the settings do not name it by themselves: the newest version may be
/// disabled, while the one that wrapped still unwraps.
async fn keys_of_service(
    text: &str,
    envelope: &Envelope,
) -> Result<Vec<Arc<dyn KeyEncryptionKey>>, Failure> {
    let failed = |error| Failure::from(OperationError::Kek(error));
    let settings = key_argument::parse(text)?.settings;
    let connector = KekConnector::default();
    let ambient = StoreCredential::new();
    let mut keys = Vec::new();
    let mut resolved = None;
    for (id, _) in envelope.wrapped_keys() {
        if id.provider != settings.kind {
            continue;
        }
        if !connector.names(&settings, id) {
            if resolved.is_none() {
                let answer = connector.resolve(&settings, &ambient).await;
                resolved = Some(answer.map_err(failed)?.id);
            }
            // Another version of the same key, where the identifier contains the version.
            if resolved.as_ref().map(pin_of) != Some(pin_of(id)) {
                continue;
            }
        }
        keys.push(connector.open(&settings, &ambient, id).map_err(failed)?);
    }
    Ok(keys)
}

/// Derives the keys that a file has for the organizations of the envelope's wraps.
fn local_keys(file: &LocalKeyFile, envelope: &Envelope) -> Vec<OpenKey> {
    let roots = std::iter::once(file.root_key()).chain(file.former_root_keys());
    let roots: Vec<_> = roots.collect();
    let mut keys: Vec<OpenKey> = Vec::new();
    for (id, _) in envelope.wrapped_keys() {
        let organization = id.id.rsplit_once('/').map(|(_, slug)| slug.parse::<Slug>());
        let Some(Ok(organization)) = organization else {
            continue;
        };
        for root in &roots {
            let key = Arc::new(LocalKek::new(root, &organization));
            keys.push((key, Some(organization.clone())));
        }
    }
    keys
}
