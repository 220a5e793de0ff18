#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::state::Version;
use super::*;
use crate::store::conformance::{self, Gap, Sabotage, Sabotaged};

fn done(there: bool) -> Sabotaged {
    assert!(there, "nothing was there to sabotage");
    Sabotaged::Done
}

#[async_trait]
impl Sabotage for InMemoryStore {
    async fn remove_version(&self, name: &RemoteName, version: &NativeVersionId) -> Sabotaged {
        done(Self::remove_version(self, name, version))
    }

    async fn remove_object(&self, name: &RemoteName, _: &[NativeVersionId]) {
        done(Self::remove_object(self, name));
    }

    async fn replace_version(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
        payload: &[u8],
    ) -> Sabotaged {
        done(Self::replace_version(self, name, version, payload))
    }
}

fn like_a_vault() -> StoreCapability {
    StoreCapability {
        encoding: PayloadEncoding::Text,
        max_payload_bytes: 25_000,
        name: NameRules {
            separator: "--",
            max_bytes: 127,
        },
        ..InMemoryStore::default().capability
    }
}

fn like_a_ring() -> StoreCapability {
    StoreCapability {
        max_versions: Some(4),
        deletes_versions: false,
        ..InMemoryStore::default().capability
    }
}

fn name() -> RemoteName {
    RemoteName::new("planton/acme/org/db-00000000".to_owned())
}

fn options(version: u64) -> PutOptions {
    PutOptions {
        version,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: BTreeMap::new(),
    }
}

#[tokio::test]
async fn memory_conforms_whatever_its_capability() {
    let of_a_ring = [
        (
            "get_deleted_version_is_not_found_never_empty",
            Gap::DeletesNoVersion,
        ),
        ("describe_deleted_version_is_missing", Gap::DeletesNoVersion),
    ];
    for (capability, gaps) in [
        (InMemoryStore::default().capability, &[][..]),
        (like_a_vault(), &[]),
        (like_a_ring(), &of_a_ring),
    ] {
        let store = InMemoryStore::new(capability);
        let found = conformance::run_all(&store, "run").await.unwrap();
        assert_eq!(found.all(), gaps);
        let drift = conformance::run_drift(&store, &store, "drift").await;
        assert_eq!(drift.unwrap().all(), []);
    }
}

/// A store that breaks one guarantee, to prove that the suite detects it.
#[derive(Debug)]
struct Broken(InMemoryStore, Break);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Break {
    ForgetsAttempts,
    AnswersEmpty,
    PrunesOnPut,
    TakesAnyLength,
    DeletesNothing,
    LosesTheLastByte,
    IsAlwaysPresent,
}

#[async_trait]
impl SecretStore for Broken {
    fn capability(&self) -> &StoreCapability {
        self.0.capability()
    }

    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        mut options: PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        if self.1 == Break::ForgetsAttempts {
            options.attempt = Uuid::new_v4();
        }
        if self.1 == Break::PrunesOnPut {
            for version in self.0.versions(name) {
                InMemoryStore::remove_version(&self.0, name, &version);
            }
        }
        let payload = match self.1 {
            Break::TakesAnyLength => &payload[..payload.len().min(1000)],
            Break::LosesTheLastByte => &payload[..payload.len() - 1],
            _ => payload,
        };
        self.0.put(name, payload, options).await
    }

    async fn get(&self, name: &RemoteName, id: &NativeVersionId) -> Result<Vec<u8>, StoreError> {
        match self.0.get(name, id).await {
            Err(_) if self.1 == Break::AnswersEmpty => Ok(Vec::new()),
            other => other,
        }
    }

    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        match self.0.describe(name, options).await {
            Ok(_) if self.1 == Break::IsAlwaysPresent => Ok(VersionStatus::Present),
            other => other,
        }
    }

    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError> {
        if self.1 == Break::DeletesNothing {
            return Ok(());
        }
        self.0.delete(name, what).await
    }
}

#[tokio::test]
async fn conformance_names_what_a_broken_store_breaks() {
    for (broken, noticed) in [
        (
            Break::ForgetsAttempts,
            "put_same_attempt_twice_gives_one_version",
        ),
        (
            Break::AnswersEmpty,
            "get_deleted_version_is_not_found_never_empty",
        ),
        (Break::PrunesOnPut, "put_of_two_versions_keeps_both"),
        (
            Break::TakesAnyLength,
            "put_payload_above_the_limit_is_too_large_and_writes_nothing",
        ),
        (Break::DeletesNothing, "delete_object_removes_every_version"),
        (
            Break::LosesTheLastByte,
            "put_first_version_can_be_read_back",
        ),
        (
            Break::IsAlwaysPresent,
            "describe_deleted_version_is_missing",
        ),
    ] {
        let store = Broken(InMemoryStore::default(), broken);
        let failures = conformance::run_all(&store, "run").await.unwrap_err();
        assert!(
            failures.names().contains(&noticed),
            "{broken:?} goes unnoticed: {failures}"
        );
    }
}

#[tokio::test]
async fn put_never_overwrites_an_object_that_is_not_ours() {
    let store = InMemoryStore::default();
    store.put_foreign(&name());
    let error = store.put(&name(), b"PSE1", options(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
    let versions = Vec::new();
    store
        .delete(&name(), Deletion::Object { versions })
        .await
        .unwrap();
    assert_eq!(store.objects(), [name()]);
}

#[tokio::test]
async fn put_into_a_full_ring_of_kept_versions_is_refused() {
    let store = InMemoryStore::new(like_a_ring());
    let mut keep = Vec::new();
    for version in 1..=4 {
        keep.push(store.put(&name(), b"PSE1", options(version)).await.unwrap());
    }
    let fifth = PutOptions {
        keep: keep.clone(),
        ..options(5)
    };
    assert!(store.put(&name(), b"PSE1", fifth).await.is_err());
    assert_eq!(store.versions(&name()), keep);
}

#[tokio::test]
async fn a_fault_before_landing_has_no_effect_and_after_landing_all_of_it() {
    let store = InMemoryStore::default();
    for (landing, versions) in [(Landing::Before, 1), (Landing::After, 2)] {
        store.inject(Fault {
            verb: StoreVerb::Put,
            nth: 2,
            landing,
            kind: StoreErrorKind::Unavailable,
        });
        let name = RemoteName::new(format!("{landing:?}"));
        store.put(&name, b"PSE1", options(1)).await.unwrap();
        let error = store.put(&name, b"PSE1", options(2)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert_eq!(store.versions(&name).len(), versions);
    }
    assert_eq!(store.calls(StoreVerb::Put), 4);
}

#[tokio::test]
async fn a_race_runs_before_the_call_takes_effect() {
    let store = Arc::new(InMemoryStore::default());
    let racing = Arc::clone(&store);
    store.before(StoreVerb::Put, 1, async move {
        racing.put(&name(), b"PSE1", options(1)).await.unwrap();
    });
    let id = store.put(&name(), b"PSE1", options(2)).await.unwrap();
    assert_eq!(store.versions(&name()).len(), 2);
    assert_eq!(store.versions(&name())[1], id);
}

#[test]
fn debug_shows_no_payload() {
    let version = Version {
        id: NativeVersionId::new("1".to_owned()),
        attempt: Uuid::nil(),
        payload: b"PSE1-payload".to_vec(),
        replaced: false,
        written_at: Timestamp::UNIX_EPOCH,
    };
    assert_eq!(
        format!("{version:?}"),
        r#"Version { id: NativeVersionId("1"), payload_bytes: 12, .. }"#
    );
}
