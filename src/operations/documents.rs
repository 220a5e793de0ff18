//! Loads and saves the document that holds a secret, verified and fenced.

use uuid::Uuid;

use super::{OperationError, Organization};
use crate::catalog::{CatalogErrorKind, Loaded, RecordKey, Revision, SecretDocument};

/// A document as it is in the catalog, and where.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) key: RecordKey,
    pub(super) document: SecretDocument,
    pub(super) revision: Revision,
}

impl Organization {
    /// Loads the document under `key` and verifies its MAC; a new one where
    /// nothing was ever written.
    pub(super) async fn hold(&self, key: RecordKey) -> Result<Held, OperationError> {
        let loaded = self.catalog.load::<SecretDocument>(&key).await?;
        self.held(key, loaded).await
    }

    /// As [`hold`](Self::hold), past whatever a stale node may answer.
    pub(super) async fn hold_fenced(&self, key: RecordKey) -> Result<Held, OperationError> {
        let loaded = self.catalog.load_fenced::<SecretDocument>(&key).await?;
        self.held(key, loaded).await
    }

    async fn held(
        &self,
        key: RecordKey,
        loaded: Option<Loaded<SecretDocument>>,
    ) -> Result<Held, OperationError> {
        let Some(loaded) = loaded else {
            return Ok(Held {
                key,
                document: SecretDocument::default(),
                revision: Revision::ABSENT,
            });
        };
        loaded.verify(self.mac_key().await?)?;
        Ok(Held {
            key,
            document: loaded.record,
            revision: loaded.revision,
        })
    }

    /// Commits the changed document: the one step that makes anything true.
    ///
    /// # Errors
    ///
    /// `ChangedConcurrently` when another writer came first; a write of ours
    /// whose answer was lost is recognized by its write id.
    pub(super) async fn commit(&self, held: &mut Held) -> Result<(), OperationError> {
        held.document.generation += 1;
        held.document.write_id = Uuid::new_v4();
        let mac_key = self.mac_key().await?;
        let written = self
            .catalog
            .save(&held.key, &held.document, Some(mac_key), held.revision)
            .await;
        match written {
            Ok(revision) => {
                held.revision = revision;
                Ok(())
            }
            Err(error) if error.kind() == CatalogErrorKind::Conflict => {
                let now = self.hold_fenced(held.key.clone()).await?;
                if now.document.write_id == held.document.write_id {
                    held.revision = now.revision;
                    return Ok(());
                }
                Err(OperationError::ChangedConcurrently {
                    subject: subject(&held.document),
                })
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn subject(document: &SecretDocument) -> String {
    let any = document.current.as_ref().or(document.displaced.first());
    any.map_or_else(
        || "the secret".to_owned(),
        |secret| format!("secret {}", secret.name),
    )
}
