//! The buckets and their objects.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value};

use super::answer::Refusal;
use super::checksum::crc32c;
use crate::bucket::Metadata;

/// <https://cloud.google.com/storage/docs/objects#naming>
const MAX_NAME_BYTES: usize = 1024;

/// <https://cloud.google.com/storage/quotas#objects>
const MAX_METADATA_BYTES: usize = 8 * 1024;

/// The maximum number of objects on a page:
/// <https://cloud.google.com/storage/docs/xml-api/get-bucket-list>
const PAGE: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct State {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    /// The last generation of all objects.
    generation: u64,
    /// The minimum time between two changes of an object, by bucket.
    pub(super) windows: HashMap<String, Duration>,
    changed: HashMap<(String, String), Instant>,
    /// Fields of the bucket's resource besides those of every bucket.
    pub(super) configurations: HashMap<String, Map<String, Value>>,
    /// The maximum number of objects on a page, by bucket, where it is less than [`PAGE`].
    pub(super) pages: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) content: Vec<u8>,
    pub(super) crc32c: String,
    pub(super) generation: u64,
    pub(super) written_at: SystemTime,
    pub(super) content_type: String,
    pub(super) metadata: BTreeMap<String, String>,
}

/// A write.
#[derive(Debug, Default)]
pub(super) struct Write {
    pub(super) content: Vec<u8>,
    pub(super) content_type: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    /// The generation that must be there; 0 for none.
    pub(super) generation: Option<u64>,
    pub(super) crc32c: Option<String>,
}

/// What a listing asks for.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) prefix: String,
    pub(super) delimiter: Option<String>,
    /// The last name of the page before.
    pub(super) after: String,
    pub(super) limit: Option<usize>,
}

/// A page of a listing.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<(String, Object)>,
    pub(super) prefixes: BTreeSet<String>,
    /// The last name, if there are more.
    pub(super) last: Option<String>,
}

impl State {
    pub(super) fn create_bucket(&mut self, name: &str) {
        self.buckets.entry(name.to_owned()).or_default();
    }

    pub(super) fn has_bucket(&self, name: &str) -> bool {
        self.buckets.contains_key(name)
    }

    pub(super) fn contents(&self, bucket: &str) -> Vec<(String, Vec<u8>)> {
        let objects = self.buckets.get(bucket).into_iter().flatten();
        objects
            .map(|(name, object)| (name.clone(), object.content.clone()))
            .collect()
    }

    pub(super) fn overwrite(
        &mut self,
        bucket: &str,
        name: &str,
        content: &[u8],
        metadata: Metadata,
    ) -> bool {
        let objects = self.buckets.get_mut(bucket);
        let Some(object) = objects.and_then(|objects| objects.get_mut(name)) else {
            return false;
        };
        self.generation += 1;
        object.content = content.to_vec();
        object.crc32c = crc32c(content);
        object.generation = self.generation;
        if metadata == Metadata::Dropped {
            object.metadata.clear();
        }
        true
    }

    pub(super) fn remove(&mut self, bucket: &str, name: &str) -> bool {
        let objects = self.buckets.get_mut(bucket);
        objects.is_some_and(|objects| objects.remove(name).is_some())
    }

    pub(super) fn put(
        &mut self,
        bucket: &str,
        name: &str,
        write: Write,
    ) -> Result<Object, Refusal> {
        if name.is_empty()
            || name.len() > MAX_NAME_BYTES
            || name.contains(['\r', '\n'])
            || [".", ".."].contains(&name)
        {
            return Err(Refusal::BadName);
        }
        let metadata = write.metadata.iter();
        if metadata
            .map(|(key, value)| key.len() + value.len())
            .sum::<usize>()
            > MAX_METADATA_BYTES
        {
            return Err(Refusal::TooMuchMetadata);
        }
        let checksum = crc32c(&write.content);
        if write.crc32c.is_some_and(|declared| declared != checksum) {
            return Err(Refusal::BadDigest);
        }
        self.admit(bucket, name, write.generation)?;
        self.generation += 1;
        let object = Object {
            content: write.content,
            crc32c: checksum,
            generation: self.generation,
            written_at: SystemTime::now(),
            content_type: write
                .content_type
                .unwrap_or_else(|| "application/octet-stream".to_owned()),
            metadata: write.metadata,
        };
        let objects = self.buckets.get_mut(bucket).ok_or(Refusal::NoBucket)?;
        objects.insert(name.to_owned(), object.clone());
        Ok(object)
    }

    pub(super) fn get(
        &self,
        bucket: &str,
        name: &str,
        generation: Option<u64>,
    ) -> Result<&Object, Refusal> {
        let objects = self.buckets.get(bucket).ok_or(Refusal::NoBucket)?;
        let object = objects.get(name).ok_or(Refusal::NoObject)?;
        match generation {
            Some(other) if other != object.generation => Err(Refusal::NoObject),
            _ => Ok(object),
        }
    }

    pub(super) fn delete(
        &mut self,
        bucket: &str,
        name: &str,
        generation: Option<u64>,
    ) -> Result<(), Refusal> {
        if self.get(bucket, name, None) == Err(Refusal::NoObject) && generation.is_none() {
            return Err(Refusal::NoObject);
        }
        self.admit(bucket, name, generation)?;
        match self.remove(bucket, name) {
            true => Ok(()),
            false => Err(Refusal::NoObject),
        }
    }

    /// Checks the condition of a change and its rate.
    fn admit(&mut self, bucket: &str, name: &str, wanted: Option<u64>) -> Result<(), Refusal> {
        let objects = self.buckets.get(bucket).ok_or(Refusal::NoBucket)?;
        let present = objects.get(name).map_or(0, |object| object.generation);
        if wanted.is_some_and(|wanted| wanted != present) {
            return Err(Refusal::Precondition);
        }
        let Some(window) = self.windows.get(bucket).copied() else {
            return Ok(());
        };
        let key = (bucket.to_owned(), name.to_owned());
        if self
            .changed
            .get(&key)
            .is_some_and(|at| at.elapsed() < window)
        {
            return Err(Refusal::RateLimited);
        }
        self.changed.insert(key, Instant::now());
        Ok(())
    }

    pub(super) fn list(&self, bucket: &str, asked: &Listing) -> Result<Page, Refusal> {
        let objects = self.buckets.get(bucket).ok_or(Refusal::NoBucket)?;
        let most = self.pages.get(bucket).copied().unwrap_or(PAGE);
        let limit = asked.limit.unwrap_or(most).clamp(1, most);
        let mut page = Page::default();
        let mut last = String::new();
        let begin = match asked.after < asked.prefix {
            true => Bound::Included(asked.prefix.as_str()),
            false => Bound::Excluded(asked.after.as_str()),
        };
        for (name, object) in objects.range::<str, _>((begin, Bound::Unbounded)) {
            let Some(rest) = name.strip_prefix(&asked.prefix) else {
                break;
            };
            let folder = asked.delimiter.as_deref().and_then(|delimiter| {
                let end = rest.find(delimiter)? + delimiter.len();
                Some(format!("{}{}", asked.prefix, &rest[..end]))
            });
            // The page before ended inside this folder.
            if folder
                .as_ref()
                .is_some_and(|folder| asked.after.starts_with(folder))
            {
                continue;
            }
            let is_new = folder
                .as_ref()
                .is_none_or(|folder| !page.prefixes.contains(folder));
            if is_new && page.objects.len() + page.prefixes.len() == limit {
                page.last = Some(last);
                break;
            }
            match folder {
                Some(folder) => {
                    page.prefixes.insert(folder);
                }
                None => page.objects.push((name.clone(), object.clone())),
            }
            name.clone_into(&mut last);
        }
        Ok(page)
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.generation == other.generation
    }
}
