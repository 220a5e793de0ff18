//! The organizations whose platform is one bucket, and the records of all of them.

use futures_util::{StreamExt as _, stream};
use object_store::path::Path;

use super::errors::explain;
use super::policy::Operation;
use super::{Bucket, BucketCatalog};
use planton_core::catalog::{CatalogError, CatalogStore as _, RecordKey};
use planton_core::names::Slug;

/// How many records are read at once.
const AT_ONCE: usize = 8;

/// The records of all organizations, as far as they were searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchedRecords {
    /// For each text that was searched for, the first record that contains it.
    pub found: Vec<Option<FoundRecord>>,
    /// The organizations below the prefix.
    pub organizations: Vec<Slug>,
    /// Number of records that were read.
    pub records: usize,
}

/// A record that contains a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRecord {
    /// Organization of the record.
    pub organization: Slug,
    /// Its key.
    pub record: RecordKey,
}

impl Bucket {
    /// Searches the records of every organization below the prefix for `texts`, until each is
    /// found. Verifies no MAC: an altered record counts as well. `report` is told how many
    /// records were read, of how many that are known.
    ///
    /// # Errors
    ///
    /// Failures of the bucket; `Corrupt` for an object in the place of a record that is none.
    pub async fn search_records(
        &self,
        texts: &[String],
        report: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<SearchedRecords, CatalogError> {
        let mut searched = SearchedRecords {
            found: vec![None; texts.len()],
            organizations: self.organizations().await?,
            records: 0,
        };
        let mut known = 0;
        for organization in searched.organizations.clone() {
            let catalog = BucketCatalog::new(self, organization.clone());
            let keys = catalog.list("").await?;
            known += keys.len();
            for some in keys.chunks(AT_ONCE) {
                if searched.found.iter().all(Option::is_some) {
                    return Ok(searched);
                }
                let each: Vec<_> = some.iter().map(|key| catalog.read(key)).collect();
                let read: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
                for (record, read) in some.iter().zip(read) {
                    // A record that was removed since it was listed names nothing.
                    let Some((stored, _)) = read? else { continue };
                    let missing = searched.found.iter_mut().zip(texts);
                    for (found, text) in missing.filter(|(found, _)| found.is_none()) {
                        *found = stored.body.contains(text.as_str()).then(|| FoundRecord {
                            organization: organization.clone(),
                            record: record.clone(),
                        });
                    }
                }
                searched.records += some.len();
                report(searched.records, known);
            }
        }
        Ok(searched)
    }

    /// Returns the names of the folders below the prefix that may be an organization's.
    async fn organizations(&self) -> Result<Vec<Slug>, CatalogError> {
        let prefix = self.location().prefix();
        let folder = Path::from(prefix);
        let listed = self.client.list_folder(&folder).await;
        let listed = listed
            .map_err(|fault| explain(&self.client, fault, Operation::List, (prefix, prefix)))?;
        let names = listed.folders.iter().filter_map(Path::filename);
        let mut names: Vec<Slug> = names.filter_map(|name| Slug::parse(name).ok()).collect();
        names.sort_unstable();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::bucket::client::scripted::Scripted;
    use planton_core::catalog::{CatalogErrorKind, Revision, StoredRecord};

    async fn write(bucket: &Bucket, organization: &str, key: &str, body: &str) {
        let catalog = BucketCatalog::new(bucket, Slug::parse(organization).unwrap());
        let record = StoredRecord {
            body: body.to_owned(),
            mac: "0f".to_owned(),
        };
        let key = RecordKey::new(key);
        let written = catalog.write(&key, &record, Revision::ABSENT).await;
        written.unwrap();
    }

    #[tokio::test]
    async fn the_records_of_every_organization_below_the_prefix_are_searched() {
        let scripted = Scripted::default();
        let bucket = scripted.bucket();
        write(&bucket, "acme", "organization", "{\"id\":\"one/acme\"}").await;
        for number in 0..20 {
            write(&bucket, "beta", &format!("secrets/{number:02}"), "{}").await;
        }
        write(&bucket, "beta", "secrets/later", "{\"id\":\"two/beta\"}").await;
        let texts = ["one/", "two/", "three/"].map(str::to_owned);
        let searched = bucket.search_records(&texts, &|_, _| {}).await.unwrap();
        let found = |organization: &str, record: &str| {
            Some(FoundRecord {
                organization: Slug::parse(organization).unwrap(),
                record: RecordKey::new(record),
            })
        };
        let expected = [
            found("acme", "organization"),
            found("beta", "secrets/later"),
            None,
        ];
        assert_eq!(searched.found, expected);
        assert_eq!(searched.records, 22);
        // Nothing is read for what was found.
        let searched = bucket.search_records(&texts[..1], &|_, _| {}).await;
        assert_eq!(searched.unwrap().records, 1);
    }

    #[tokio::test]
    async fn an_object_that_is_no_record_ends_the_search() {
        let scripted = Scripted::default();
        let bucket = scripted.bucket();
        write(&bucket, "acme", "organization", "{}").await;
        scripted.overwrite("tf/acme/records/organization.json", b"<html>");
        let texts = ["one/".to_owned()];
        let searched = bucket.search_records(&texts, &|_, _| {}).await;
        let error = searched.unwrap_err();
        assert_eq!(error.kind(), CatalogErrorKind::Corrupt);
    }
}
