//! Objects and versions of the built-in backend that no record names.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{AT_ONCE, Age, CHUNK, Collection, Collector, Disposal, Leftover};
use crate::catalog::{SecretDocument, record_key_of_name};
use crate::names::{SecretName, Slug};
use crate::operations::OperationError;
use crate::operations::held_document::HeldSecret;
use crate::operations::secrets::{NAME_PREFIX, name_of_leaf};
use crate::store::{
    Deletion, ListObjects, ListedVersion, NativeVersionId, RemoteName, StoreError, StoreErrorKind,
};
use planton_envelope::Envelope;

/// An object of the built-in backend.
#[derive(Clone, Debug)]
struct Object {
    secret: SecretName,
    name: RemoteName,
}

/// The versions of an object that no record seems to name.
struct Unnamed {
    /// Whether a record names the object itself.
    is_named: bool,
    versions: Vec<ListedVersion>,
}

impl Collector<'_> {
    /// Finds the objects and versions that no record names and that are old enough.
    pub(super) async fn built_in(
        &self,
        age: Age,
        found: &mut Collection,
    ) -> Result<(), OperationError> {
        let Some(listing) = self.backend.store.listing() else {
            return Ok(());
        };
        let objects = self.objects(listing).await?;
        found.total += objects.len();
        // A look that has not begun takes kilobytes.
        for some in objects.chunks(CHUNK) {
            let looks: Vec<_> = some.iter().map(|it| self.look(listing, it)).collect();
            // All looks end before anything is disposed of, which would wait for what a look
            // that stands still holds.
            let looked: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
            for (object, unnamed) in looked {
                self.interrupt.before("collect")?;
                match unnamed {
                    Ok(unnamed) => {
                        let into = (age, &mut *found);
                        self.dispose_of(listing, object, unnamed, into).await?;
                    }
                    Err(error) => self.unclear(found, object.name.clone(), error)?,
                }
                self.looked(found);
            }
        }
        Ok(())
    }

    /// Lists the objects of the organization.
    async fn objects(&self, listing: &dyn ListObjects) -> Result<Vec<Object>, OperationError> {
        let root = format!("{NAME_PREFIX}/{}", self.keys.organization.slug());
        let environments = listing.children(&format!("{root}/env")).await?;
        let scopes = environments
            .iter()
            .filter_map(|text| Slug::parse(text).ok())
            .map(|environment| (format!("{root}/env/{environment}"), Some(environment)));
        let scopes: Vec<_> = std::iter::once((format!("{root}/org"), None))
            .chain(scopes)
            .collect();
        let listed: Vec<Vec<Object>> = stream::iter(scopes)
            .map(|(folder, environment)| async move {
                let leaves = listing.children(&folder).await?;
                let objects = leaves.into_iter().filter_map(|leaf| {
                    // What does not have our form is not ours.
                    let secret = SecretName {
                        environment: environment.clone(),
                        name: name_of_leaf(&leaf)?,
                    };
                    let name = RemoteName::new(format!("{folder}/{leaf}"));
                    Some(Object { secret, name })
                });
                Ok::<_, OperationError>(objects.collect())
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(listed.into_iter().flatten().collect())
    }

    /// Compares an object with the document of its name.
    async fn look<'a>(
        &self,
        listing: &dyn ListObjects,
        object: &'a Object,
    ) -> (&'a Object, Result<Unnamed, OperationError>) {
        let unnamed = async {
            let key = record_key_of_name(&object.secret);
            let held: HeldSecret = self.keys.organization.hold(key).await?;
            let (is_named, known) = named(&held.document, &object.name);
            let versions = listing.versions_besides(&object.name, &known).await?;
            Ok(Unnamed { is_named, versions })
        };
        let unnamed = unnamed.await;
        (object, unnamed)
    }

    /// Disposes of an object without any record, or of the versions of an object that none
    /// names.
    async fn dispose_of(
        &self,
        listing: &dyn ListObjects,
        object: &Object,
        unnamed: Unnamed,
        (age, found): (Age, &mut Collection),
    ) -> Result<(), OperationError> {
        let Unnamed { is_named, versions } = unnamed;
        let (old, young): (Vec<_>, Vec<_>) = versions
            .into_iter()
            .partition(|version| age.is_enough(version.written_at));
        found.too_young += young.len();
        if is_named || !young.is_empty() {
            for version in old {
                let leftover = Leftover {
                    version: Some(version.id.clone()),
                    ..self.orphan(object.name.clone(), Some(version.written_at))
                };
                let attempt = self.delete_version(listing, object, version.id).await;
                self.settle(found, leftover, attempt)?;
            }
            return Ok(());
        }
        let Some(newest) = old.iter().map(|version| version.written_at).max() else {
            return Ok(());
        };
        let leftover = self.orphan(object.name.clone(), Some(newest));
        let versions = old.into_iter().map(|version| version.id).collect();
        let attempt = self.delete_object(object, versions).await;
        self.settle(found, leftover, attempt)
    }

    /// Deletes an object; `None` if the raised document names it.
    async fn delete_object(
        &self,
        object: &Object,
        versions: Vec<NativeVersionId>,
    ) -> Result<Option<Disposal>, OperationError> {
        for version in &versions {
            self.expect_ours(object, version).await?;
        }
        let key = record_key_of_name(&object.secret);
        let names = |document: &SecretDocument| named(document, &object.name).0;
        if self.unless_named(key, names).await?.is_none() {
            return Ok(None);
        }
        self.delete(object, Deletion::Object { versions }).await
    }

    /// Deletes a version; `None` if the raised document names it.
    async fn delete_version(
        &self,
        listing: &dyn ListObjects,
        object: &Object,
        version: NativeVersionId,
    ) -> Result<Option<Disposal>, OperationError> {
        self.expect_ours(object, &version).await?;
        let key = record_key_of_name(&object.secret);
        let names = |document: &SecretDocument| named(document, &object.name).1.contains(&version);
        let Some(document) = self.unless_named(key, names).await? else {
            return Ok(None);
        };
        // A listed identifier need not be the recorded one, letter by letter. The store
        // decides which of them are the same version.
        let (_, known) = named(&document, &object.name);
        let unnamed = listing.versions_besides(&object.name, &known).await?;
        if unnamed.iter().all(|other| other.id != version) {
            return Ok(None);
        }
        self.delete(object, Deletion::Versions(vec![version])).await
    }

    async fn delete(
        &self,
        object: &Object,
        what: Deletion,
    ) -> Result<Option<Disposal>, OperationError> {
        if !self.deletes {
            return Ok(Some(Disposal::Found));
        }
        self.interrupt.before("collect orphan")?;
        self.backend.store.delete(&object.name, what).await?;
        Ok(Some(Disposal::Deleted))
    }

    /// Checks that an envelope is this organization's and of this backend. Another platform may
    /// have an organization of the same name, with a backend of its own in the same place.
    /// Raising a document here does not stop that one, so none is raised for it.
    async fn expect_ours(
        &self,
        object: &Object,
        version: &NativeVersionId,
    ) -> Result<(), OperationError> {
        let foreign = |why: &str| {
            let kind = StoreErrorKind::Corrupt;
            let error = StoreError::new(kind, "read envelope", object.name.as_str());
            OperationError::from(error.with_source(std::io::Error::other(why)))
        };
        let payload = match self.backend.store.get(&object.name, version).await {
            // Another collection has deleted it.
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(()),
            payload => payload?,
        };
        let envelope =
            Envelope::parse_stored(&payload).map_err(|_| foreign("it is no envelope"))?;
        let context = envelope.context();
        let organization = self.keys.organization.existing().await?.uuid;
        if context.organization == organization && context.backend == self.backend.uuid {
            return Ok(());
        }
        Err(foreign(
            "it was sealed for another organization or backend, which shares this place",
        ))
    }
}

/// Returns whether a document names an object, and which of its versions.
fn named(document: &SecretDocument, object: &RemoteName) -> (bool, Vec<NativeVersionId>) {
    let mut is_named = false;
    let mut versions = Vec::new();
    for secret in document.current.iter().chain(&document.displaced) {
        if secret.remote_name == *object {
            is_named = true;
            versions.extend(secret.stored_ids());
        }
        for lost in secret
            .lost
            .iter()
            .filter(|lost| lost.remote_name == *object)
        {
            is_named = true;
            versions.extend(lost.versions.iter().cloned());
        }
    }
    (is_named, versions)
}
