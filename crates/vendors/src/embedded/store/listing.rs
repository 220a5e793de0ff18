//! The listing of the embedded platform's objects.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::params;

use super::{EmbeddedStore, store_error};
use planton_core::store::{
    ListObjects, ListedVersion, NativeVersionId, RemoteName, StoreError, StoreErrorKind,
};

#[async_trait]
impl ListObjects for EmbeddedStore {
    async fn children(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let under = format!("{folder}/");
        let found = self.database.read("list objects", move |transaction| {
            // The slash is followed by '0', so this is the range of what the folder contains.
            let end = format!("{}0", under.trim_end_matches('/'));
            let mut statement =
                transaction.prepare("SELECT name FROM objects WHERE name > ?1 AND name < ?2")?;
            let mut rows = statement.query(params![under, end])?;
            let mut children = BTreeSet::new();
            while let Some(row) = rows.next()? {
                let name: String = row.get(0)?;
                let rest = name.strip_prefix(&under).unwrap_or_default();
                children.extend(rest.split('/').next().map(str::to_owned));
            }
            Ok(children.into_iter().collect())
        });
        let name = RemoteName::new(folder.to_owned());
        found.await.map_err(|error| store_error(&name, error))
    }

    async fn versions_besides(
        &self,
        name: &RemoteName,
        known: &[NativeVersionId],
    ) -> Result<Vec<ListedVersion>, StoreError> {
        const OPERATION: &str = "list versions";
        let object = name.as_str().to_owned();
        let found = self.database.read(OPERATION, move |transaction| {
            let mut statement = transaction.prepare(
                "SELECT native_id, written_at FROM versions
                 JOIN objects ON objects.id = versions.object
                 WHERE objects.name = ?1",
            )?;
            let rows = statement.query_map(params![object], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        });
        let found = found.await.map_err(|error| store_error(name, error))?;
        let listed = found.into_iter().map(|(id, seconds)| {
            let written_at = Timestamp::from_second(seconds).map_err(|error| {
                let corrupt = StoreErrorKind::Corrupt;
                StoreError::new(corrupt, OPERATION, name.as_str()).with_source(error)
            })?;
            Ok(ListedVersion {
                id: NativeVersionId::new(id),
                written_at,
            })
        });
        let listed: Result<Vec<_>, StoreError> = listed.collect();
        let listed = listed?.into_iter();
        Ok(listed
            .filter(|version| !known.contains(&version.id))
            .collect())
    }
}
