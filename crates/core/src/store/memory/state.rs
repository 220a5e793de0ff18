//! The objects of a store in memory.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::StoreVerb;
use crate::marks::{ListedMarks, Mark, MarkQuery, page_of};
use crate::store::faults::Script;
use crate::store::{NativeVersionId, PutOptions, RemoteName, StoreCapability, StoreErrorKind};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) script: Script<StoreVerb, StoreErrorKind>,
    /// Whether a listing of marks returns a folder as a whole.
    pub(super) lists_whole_folders: bool,
    pub(super) marks_per_page: Option<usize>,
}

#[derive(Debug)]
pub(super) enum Object {
    Ours(Vec<Version>),
    Foreign,
}

pub(super) struct Version {
    pub(super) id: NativeVersionId,
    pub(super) attempt: Uuid,
    pub(super) payload: Vec<u8>,
    pub(super) replaced: bool,
    pub(super) written_at: Timestamp,
}

impl State {
    /// Puts a version, as [`SecretStore::put`](super::super::SecretStore::put) does.
    pub(super) fn put(
        &mut self,
        capability: &StoreCapability,
        name: &RemoteName,
        payload: &[u8],
        options: &PutOptions,
    ) -> Result<NativeVersionId, StoreErrorKind> {
        if name.as_str().is_empty() || name.as_str().len() > capability.name.max_bytes {
            return Err(StoreErrorKind::InvalidName);
        }
        if payload.len() > capability.max_payload_bytes {
            return Err(StoreErrorKind::TooLarge);
        }
        if let Some(Object::Foreign) = self.objects.get(name.as_str()) {
            return Err(StoreErrorKind::AlreadyExists);
        }
        if !options.keep.is_empty() && !self.objects.contains_key(name.as_str()) {
            return Err(StoreErrorKind::NotFound);
        }
        let object = self
            .objects
            .entry(name.as_str().to_owned())
            .or_insert_with(|| Object::Ours(Vec::new()));
        let Object::Ours(versions) = object else {
            return Err(StoreErrorKind::AlreadyExists);
        };
        if let Some(same) = versions.iter().find(|v| v.attempt == options.attempt) {
            return if same.payload == payload {
                Ok(same.id.clone())
            } else {
                Err(StoreErrorKind::Conflict)
            };
        }
        if let Some(max) = capability.max_versions {
            make_room(versions, max, &options.keep)?;
        }
        // The identifier is random, so a recreated object never repeats one of its
        // predecessor.
        let id = format!("{}-{}", options.version, Uuid::new_v4().simple());
        let id = NativeVersionId::new(id);
        versions.push(Version {
            id: id.clone(),
            attempt: options.attempt,
            payload: payload.to_owned(),
            replaced: false,
            written_at: Timestamp::now(),
        });
        Ok(id)
    }

    /// Returns the marks of a page.
    pub(super) fn marks(&self, query: MarkQuery<'_>) -> ListedMarks {
        let limit = self.marks_per_page.unwrap_or(query.limit);
        let query = MarkQuery { limit, ..query };
        let versions = self.objects.iter().flat_map(|(name, object)| match object {
            Object::Ours(versions) => versions.iter().map(move |one| (name, one)).collect(),
            Object::Foreign => Vec::new(),
        });
        let present = versions.filter(|(_, version)| !version.replaced);
        let mut listed: Vec<(String, Mark)> = present
            .map(|(name, version)| {
                let place = format!("{name}/{}", version.id);
                (place, Mark::of(&[name, version.id.as_str()]))
            })
            .collect();
        listed.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let listed = listed.iter().map(|(place, mark)| (place.as_str(), *mark));
        if !self.lists_whole_folders {
            return page_of(listed, query);
        }
        let whole = MarkQuery {
            after: None,
            limit: usize::MAX,
            ..query
        };
        match page_of(listed, whole) {
            ListedMarks::Page(page) if page.marks.len() > query.max_marks() => {
                ListedMarks::TooLarge
            }
            listed => listed,
        }
    }

    /// Returns a version, replaced or not.
    pub(super) fn version_mut(
        &mut self,
        name: &RemoteName,
        id: &NativeVersionId,
    ) -> Option<&mut Version> {
        match self.objects.get_mut(name.as_str()) {
            Some(Object::Ours(versions)) => versions.iter_mut().find(|version| version.id == *id),
            Some(Object::Foreign) | None => None,
        }
    }
}

/// Removes the oldest versions outside `keep` until a new one fits.
fn make_room(
    versions: &mut Vec<Version>,
    max: u32,
    keep: &[NativeVersionId],
) -> Result<(), StoreErrorKind> {
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    while versions.len() >= max {
        let oldest = versions
            .iter()
            .position(|version| !keep.contains(&version.id))
            .ok_or(StoreErrorKind::Misconfigured)?;
        versions.remove(oldest);
    }
    Ok(())
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Version")
            .field("id", &self.id)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}
