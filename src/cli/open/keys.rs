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
        let opener = |(key, of_key): &OpenKey| {
            let itself = (key.id() == id).then(|| Arc::clone(key));
            Some((itself.or_else(|| key.version(id))?, of_key.clone()))
        };
        let Some((key, of_key)) = keys.find_map(opener) else {
            continue;
        };
        let mut names = found.names.clone();
        if let Some(organization) = of_key {
            names.organization = organization;
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
        return Ok(as_they_are(organization.keys().own_keys().await?));
    }
    if let Some(path) = &key.key_file {
        let file = LocalKeyFile::open(path).map_err(failed)?;
        let wraps = found.envelope.wrapped_keys().iter().map(|(id, _)| id);
        return Ok(local_keys(
            &file,
            wraps,
            organization.map(Organization::slug),
        ));
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

/// Derives the keys that a file has for the organizations that the `wraps` name: for `own`
/// alone, if the organization is known. An envelope that a backend stores may claim another.
fn local_keys<'a>(
    file: &LocalKeyFile,
    wraps: impl Iterator<Item = &'a KekId>,
    own: Option<&Slug>,
) -> Vec<OpenKey> {
    let roots = std::iter::once(file.root_key()).chain(file.former_root_keys());
    let roots: Vec<_> = roots.collect();
    let mut keys: Vec<OpenKey> = Vec::new();
    for id in wraps {
        let organization = id.id.rsplit_once('/').map(|(_, slug)| slug.parse::<Slug>());
        let Some(Ok(organization)) = organization else {
            continue;
        };
        if own.is_some_and(|own| *own != organization) {
            continue;
        }
        for root in &roots {
            let key = Arc::new(LocalKek::new(root, &organization));
            keys.push((key, Some(organization.clone())));
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_gives_the_keys_of_the_organization_alone_where_it_is_known() {
        let folder = tempfile::tempdir().expect("folder");
        let file = LocalKeyFile::create(&folder.path().join("planton.key")).expect("created");
        let wraps: Vec<KekId> = ["acme", "other"]
            .map(|organization| KekId {
                provider: "local".to_owned(),
                id: format!("{}/{organization}", file.id()),
            })
            .into();
        let derived = |own: Option<&Slug>| -> Vec<String> {
            let keys = local_keys(&file, wraps.iter(), own).into_iter();
            keys.map(|(key, _)| key.id().id.clone()).collect()
        };
        let acme: Slug = "acme".parse().expect("slug");
        assert_eq!(derived(Some(&acme)), [wraps[0].id.clone()]);
        assert_eq!(derived(None), [wraps[0].id.clone(), wraps[1].id.clone()]);
    }
}
