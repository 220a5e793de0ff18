//! The listing of a bucket's objects.

use async_trait::async_trait;

use super::{BucketStore, StoredVersion, is_valid};
use crate::bucket::client::Listed;
use crate::bucket::policy::Operation;
use planton_core::store::{ListObjects, ListedVersion, NativeVersionId, RemoteName, StoreError};

impl BucketStore {
    /// Returns the objects of all versions of `name`. One request for each thousand.
    pub(super) async fn leaves(&self, name: &RemoteName) -> Result<Vec<Listed>, StoreError> {
        if !is_valid(name) {
            return Ok(Vec::new());
        }
        let folder = self.places.object(name.as_str());
        let listed = self.client.list_folder(&folder).await;
        let listed = listed.map_err(|fault| self.explain(fault, Operation::List, &folder))?;
        // An object with a longer name is a folder beside them.
        let is_version = |listed: &Listed| {
            let leaf = listed.path.filename();
            leaf.is_some_and(StoredVersion::is_leaf)
        };
        Ok(listed.objects.into_iter().filter(is_version).collect())
    }
}

#[async_trait]
impl ListObjects for BucketStore {
    /// One request for each thousand.
    async fn children(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let path = self.places.object(folder);
        let listed = self.client.list_folder(&path).await;
        let listed = listed.map_err(|fault| self.explain(fault, Operation::List, &path))?;
        let names = listed.folders.iter().filter_map(|folder| folder.filename());
        Ok(names.map(str::to_owned).collect())
    }

    /// One request for each thousand.
    async fn versions_besides(
        &self,
        name: &RemoteName,
        known: &[NativeVersionId],
    ) -> Result<Vec<ListedVersion>, StoreError> {
        let known: Vec<_> = known.iter().filter_map(StoredVersion::parse).collect();
        let listed = self.leaves(name).await?.into_iter();
        let others = listed.filter_map(|listed| {
            let leaf = listed.path.filename()?;
            let is_known = known.iter().any(|version| version.leaf() == leaf);
            (!is_known).then(|| ListedVersion {
                id: NativeVersionId::new(leaf.to_owned()),
                written_at: listed.written_at,
            })
        });
        Ok(others.collect())
    }
}
