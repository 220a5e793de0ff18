//! Defines the listing of a built-in backend: the way to objects that no record names.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{NativeVersionId, RemoteName, StoreError};

/// A version that a listing has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    /// The store's identifier of the version.
    pub id: NativeVersionId,
    /// Time of the put, by the store's clock.
    pub written_at: Timestamp,
}

/// The listing of a store that contains nothing but the objects of this program.
///
/// Only a built-in backend has one, whose store deletes single versions: it leads a collection
/// to objects that no record names. In any other backend, entries of the catalog lead to the
/// objects.
///
/// Implementors guarantee what `store::conformance` checks. A caller deletes nothing by a
/// listing alone: it raises the record of the name first.
#[async_trait]
pub trait ListObjects: Send + Sync + Debug {
    /// Returns the next segments of the object names that begin with `folder` and a slash,
    /// each once and without a slash. For `planton/acme/org` and the object
    /// `planton/acme/org/db-0badcafe` that is `db-0badcafe`.
    ///
    /// Not a stale read: the result has each object whose put was acknowledged before the
    /// call, and none whose deletion was. An object without versions does not exist.
    ///
    /// # Errors
    ///
    /// Those of the store. A folder without objects is empty.
    async fn children(&self, folder: &str) -> Result<Vec<String>, StoreError>;

    /// Returns the versions of an object, in any order, except for those in `known`: the
    /// identifiers that puts returned.
    ///
    /// A returned identifier is the same at each call, and names the version to
    /// [`delete`](super::SecretStore::delete). It need not be the one that the put returned:
    /// the store compares with `known` by what both have in common.
    ///
    /// The result may lack what others put since the last call of
    /// [`children`](Self::children).
    ///
    /// # Errors
    ///
    /// Those of the store. An object that does not exist has no versions.
    async fn versions_besides(
        &self,
        name: &RemoteName,
        known: &[NativeVersionId],
    ) -> Result<Vec<ListedVersion>, StoreError>;
}
