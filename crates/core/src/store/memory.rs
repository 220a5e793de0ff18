//! Implements a store in memory: the reference of a [`SecretStore`], and a test double
//! for its callers.

mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::state::{Object, State};
use super::faults::{Fault, Landing};
use super::{
    Deletion, DescribeOptions, ListObjects, ListedVersion, NameRules, NativeVersionId,
    PayloadEncoding, PutOptions, RemoteName, SecretStore, StoreCapability, StoreError,
    StoreErrorKind, VersionStatus,
};
use crate::marks::{ListedMarks, Mark, MarkQuery};

/// A method of [`SecretStore`], for scripts and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreVerb {
    /// [`SecretStore::put`].
    Put,
    /// [`SecretStore::get`].
    Get,
    /// [`SecretStore::describe`].
    Describe,
    /// [`SecretStore::delete`].
    Delete,
    /// A method of [`ListObjects`].
    List,
    /// [`SecretStore::list_marks`].
    ListMarks,
}

/// A store in memory.
///
/// The first version creates an object. The object remains after the deletion of its
/// versions, until it is deleted itself.
#[derive(Debug)]
pub struct InMemoryStore {
    capability: StoreCapability,
    state: Mutex<State>,
}

impl Default for InMemoryStore {
    /// Returns an empty store of bytes that supports every function of the suite.
    fn default() -> Self {
        Self::new(StoreCapability {
            kind: "memory",
            vendor: "the in-memory store",
            encoding: PayloadEncoding::Binary,
            max_payload_bytes: 65_536,
            name: NameRules {
                separator: "/",
                max_bytes: 512,
            },
            max_versions: None,
            deletes_versions: true,
        })
    }
}

impl InMemoryStore {
    /// Returns an empty store with this capability.
    #[must_use]
    pub fn new(capability: StoreCapability) -> Self {
        Self {
            capability,
            state: Mutex::default(),
        }
    }

    /// Scripts a failure of a call.
    pub fn inject(&self, fault: Fault<StoreVerb, StoreErrorKind>) {
        self.state().script.inject(fault);
    }

    /// Lets each request take a tick of a paused clock from now on. A put takes `puts`
    /// requests in a row.
    #[cfg(test)]
    pub(crate) fn time(&self, puts: u32) {
        let script = &mut self.state().script;
        script.time();
        script.cost(StoreVerb::Put, puts);
    }

    /// Runs `race` to its end at the start of the `nth` call of `verb` from now.
    ///
    /// The call takes effect afterwards. The race may use this store.
    pub fn before(
        &self,
        verb: StoreVerb,
        nth: usize,
        race: impl Future<Output = ()> + Send + 'static,
    ) {
        self.state().script.before(verb, nth, race);
    }

    /// Stands for a store that lists the marks of a folder as a whole, or not at all.
    pub fn list_whole_folders(&self) {
        self.state().lists_whole_folders = true;
    }

    /// Lists at most `marks` in a page.
    pub fn list_pages_of(&self, marks: usize) {
        self.state().marks_per_page = Some(marks);
    }

    /// Returns the number of calls of `verb`.
    #[must_use]
    pub fn calls(&self, verb: StoreVerb) -> usize {
        self.state().script.calls(verb)
    }

    /// Returns the names of all objects, in order.
    #[must_use]
    pub fn objects(&self) -> Vec<RemoteName> {
        let state = self.state();
        state.objects.keys().cloned().map(RemoteName::new).collect()
    }

    /// Returns the versions of an object, oldest first.
    #[must_use]
    pub fn versions(&self, name: &RemoteName) -> Vec<NativeVersionId> {
        let state = self.state();
        match state.objects.get(name.as_str()) {
            Some(Object::Ours(versions)) => {
                versions.iter().map(|version| version.id.clone()).collect()
            }
            Some(Object::Foreign) | None => Vec::new(),
        }
    }

    /// Returns every payload in the store, for tests that search for plaintext.
    #[must_use]
    pub fn payloads(&self) -> Vec<Vec<u8>> {
        let state = self.state();
        let ours = state.objects.values().filter_map(|object| match object {
            Object::Ours(versions) => Some(versions),
            Object::Foreign => None,
        });
        ours.flatten()
            .map(|version| version.payload.clone())
            .collect()
    }

    /// Puts an object of another program under `name`.
    pub fn put_foreign(&self, name: &RemoteName) {
        let mut state = self.state();
        state
            .objects
            .insert(name.as_str().to_owned(), Object::Foreign);
    }

    /// Makes all versions older, as if they had been put earlier.
    pub fn backdate(&self, by: std::time::Duration) {
        for object in self.state().objects.values_mut() {
            if let Object::Ours(versions) = object {
                for version in versions {
                    version.written_at -= by;
                }
            }
        }
    }

    /// Removes an object without a call of the trait; returns whether it existed.
    pub fn remove_object(&self, name: &RemoteName) -> bool {
        self.state().objects.remove(name.as_str()).is_some()
    }

    /// Removes a version without a call of the trait; returns whether it existed.
    pub fn remove_version(&self, name: &RemoteName, id: &NativeVersionId) -> bool {
        let mut state = self.state();
        let Some(Object::Ours(versions)) = state.objects.get_mut(name.as_str()) else {
            return false;
        };
        let before = versions.len();
        versions.retain(|version| version.id != *id);
        versions.len() < before
    }

    /// Replaces the payload of a version without a call of the trait; returns whether
    /// it existed.
    pub fn replace_version(&self, name: &RemoteName, id: &NativeVersionId, payload: &[u8]) -> bool {
        let mut state = self.state();
        let Some(version) = state.version_mut(name, id) else {
            return false;
        };
        payload.clone_into(&mut version.payload);
        version.replaced = true;
        true
    }

    /// Returns whether the store has the capability of a built-in backend.
    fn is_built_in(&self) -> bool {
        self.capability.deletes_versions && self.capability.name.separator == "/"
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one call with its scripted race and fault.
    async fn scripted<T>(
        &self,
        verb: StoreVerb,
        name: &RemoteName,
        call: impl FnOnce(&mut State) -> Result<T, StoreErrorKind> + Send,
    ) -> Result<T, StoreError> {
        let operation = match verb {
            StoreVerb::Put => "put",
            StoreVerb::Get => "get",
            StoreVerb::Describe => "describe",
            StoreVerb::Delete => "delete",
            StoreVerb::List => "list",
            StoreVerb::ListMarks => "list marks",
        };
        let error = |kind| StoreError::new(kind, operation, name.as_str());
        let mut step = self.state().script.step(verb);
        step.pass().await;
        if let Some(race) = step.race.take() {
            race.await;
        }
        if let Some(kind) = step.strikes(Landing::Before) {
            return Err(error(kind));
        }
        let outcome = call(&mut self.state()).map_err(error)?;
        match step.strikes(Landing::After) {
            Some(kind) => Err(error(kind)),
            None => Ok(outcome),
        }
    }
}

#[async_trait]
impl SecretStore for InMemoryStore {
    fn capability(&self) -> &StoreCapability {
        &self.capability
    }

    fn listing(&self) -> Option<&dyn ListObjects> {
        self.is_built_in().then_some(self as &dyn ListObjects)
    }

    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        self.scripted(StoreVerb::Put, name, |state| {
            state.put(&self.capability, name, payload, &options)
        })
        .await
    }

    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError> {
        self.scripted(StoreVerb::Get, name, |state| {
            match state.version_mut(name, version) {
                Some(version) if version.replaced => Err(StoreErrorKind::Corrupt),
                Some(version) => Ok(version.payload.clone()),
                None => Err(StoreErrorKind::NotFound),
            }
        })
        .await
    }

    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        self.scripted(StoreVerb::Describe, name, |state| {
            if !state.objects.contains_key(name.as_str()) {
                return Err(StoreErrorKind::NotFound);
            }
            Ok(match state.version_mut(name, &options.version) {
                Some(version) if version.replaced => VersionStatus::Replaced,
                Some(_) => VersionStatus::Present,
                None => VersionStatus::Missing,
            })
        })
        .await
    }

    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError> {
        self.scripted(StoreVerb::Delete, name, |state| {
            match what {
                Deletion::Object { .. } | Deletion::Purge { .. } => {
                    if let Some(Object::Ours(_)) = state.objects.get(name.as_str()) {
                        state.objects.remove(name.as_str());
                    }
                }
                // Without deletion of single versions, only a put removes old ones.
                Deletion::Versions(_) if !self.capability.deletes_versions => {}
                Deletion::Versions(ids) => {
                    if let Some(Object::Ours(versions)) = state.objects.get_mut(name.as_str()) {
                        versions.retain(|version| !ids.contains(&version.id));
                    }
                }
            }
            Ok(())
        })
        .await
    }

    fn mark(&self, name: &RemoteName, version: &NativeVersionId) -> Option<Mark> {
        Some(Mark::of(&[name.as_str(), version.as_str()]))
    }

    async fn list_marks(&self, query: MarkQuery<'_>) -> Result<ListedMarks, StoreError> {
        if !self.is_built_in() {
            return Ok(ListedMarks::Unavailable);
        }
        let name = RemoteName::new(query.folder.to_owned());
        self.scripted(StoreVerb::ListMarks, &name, |state| Ok(state.marks(query)))
            .await
    }
}

#[async_trait]
impl ListObjects for InMemoryStore {
    async fn children(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let name = RemoteName::new(folder.to_owned());
        self.scripted(StoreVerb::List, &name, |state| {
            let under = state.objects.keys();
            let under = under.filter_map(|name| name.strip_prefix(folder)?.strip_prefix('/'));
            let children = under.map(|rest| rest.split('/').next().unwrap_or(rest).to_owned());
            Ok(children.collect::<BTreeSet<_>>().into_iter().collect())
        })
        .await
    }

    async fn versions_besides(
        &self,
        name: &RemoteName,
        known: &[NativeVersionId],
    ) -> Result<Vec<ListedVersion>, StoreError> {
        self.scripted(StoreVerb::List, name, |state| {
            let Some(Object::Ours(versions)) = state.objects.get(name.as_str()) else {
                return Ok(Vec::new());
            };
            let others = versions
                .iter()
                .filter(|version| !known.contains(&version.id));
            Ok(others
                .map(|version| ListedVersion {
                    id: version.id.clone(),
                    written_at: version.written_at,
                })
                .collect())
        })
        .await
    }
}
