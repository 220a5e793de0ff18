//! Secrets of others in KV version 2, to be taken over.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{OpenBaoStore, check};
use crate::openbao::client::{KvEntry, StoreRequest};
use planton_core::store::{ForeignObjects, ForeignValue, RemoteName, StoreError, StoreErrorKind};
use planton_secret::SecretString;

#[async_trait]
impl ForeignObjects for OpenBaoStore {
    /// The current version: all keys, whose values must be text.
    async fn read_foreign(&self, name: &RemoteName) -> Result<ForeignValue, StoreError> {
        const OPERATION: &str = "read secret";
        let error = |kind| StoreError::new(kind, OPERATION, name.as_str());
        check(name, OPERATION)?;
        let client = self.link.client().await?;
        let entry = client
            .kv()
            .read::<BTreeMap<String, String>>(name.as_str())
            .await;
        match entry.map_err(|error| self.explain(error, StoreRequest::Read))? {
            KvEntry::Absent | KvEntry::Deleted { .. } => Err(error(StoreErrorKind::NotFound)),
            KvEntry::Present { data, .. } => {
                let texts = data.into_iter();
                let texts: BTreeMap<String, SecretString> = texts
                    .map(|(key, text)| (key, SecretString::new(text)))
                    .collect();
                let sealed = |text: &SecretString| text.expose().starts_with("pse1.");
                if texts.values().any(sealed) {
                    return Err(error(StoreErrorKind::Corrupt).with_remedy(
                        "The object is an envelope of this provider, so it is a secret already.",
                    ));
                }
                Ok(ForeignValue::KeyValue(texts))
            }
        }
    }

    async fn delete_foreign(&self, name: &RemoteName) -> Result<(), StoreError> {
        check(name, "delete metadata")?;
        let client = self.link.client().await?;
        let deleted = client.kv().delete_metadata(name.as_str()).await;
        deleted.map_err(|error| self.explain(error, StoreRequest::Write))
    }
}
