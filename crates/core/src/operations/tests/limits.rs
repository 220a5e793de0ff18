//! Limits of a secret's size and versions, and values that are never printed.

use super::*;
use crate::catalog::GenerateSpec;
use crate::kek::KekErrorKind;
use crate::store::{InMemoryStore, NameRules, PayloadEncoding, SecretStore, StoreCapability};
use planton_envelope::max_plaintext_bytes;

fn capability(change: impl FnOnce(&mut StoreCapability)) -> InMemoryStore {
    let mut capability = InMemoryStore::default().capability().clone();
    change(&mut capability);
    InMemoryStore::new(capability)
}

//= docs/format.md#23-limits
//= type=test
//# A writer MUST refuse a value if the greatest possible envelope around it would not fit its
//# secret backend.
#[tokio::test]
async fn the_limit_passes_and_one_byte_more_is_refused_before_any_write() {
    let vault = |c: &mut StoreCapability| {
        c.encoding = PayloadEncoding::Text;
        c.max_payload_bytes = 25_000;
        c.name = NameRules {
            separator: "--",
            max_bytes: 127,
        };
    };
    for (store, text) in [(InMemoryStore::default(), false), (capability(vault), true)] {
        let limit = max_plaintext_bytes(store.capability().max_payload_bytes, text) - 1;
        let world = World::with_store(store);
        let process = world.warm().await;
        let interrupt = Interrupt::default();
        let most = "x".repeat(limit);
        let create = create_of("db", given(&most));
        let view = process.secrets().create(create, &interrupt).await.unwrap();
        assert_eq!(world.value("db").await.unwrap(), most);

        let before = world.counts();
        let more = "x".repeat(limit + 1);
        let create = process
            .secrets()
            .create(create_of("new", given(&more)), &interrupt)
            .await;
        let update = process
            .secrets()
            .update(rotate(&view, &more), &interrupt)
            .await;
        for refused in [create, update] {
            match refused {
                Err(OperationError::ValueTooLarge {
                    bytes, limit: told, ..
                }) => {
                    assert_eq!((bytes, told), (limit + 1, limit));
                }
                other => panic!("{other:?}"),
            }
        }
        let counts = world.counts() - before;
        assert_eq!((counts.write, counts.put, counts.wrap), (0, 0, 0));
        process
            .secrets()
            .check_size(None, &world::text(&most))
            .await
            .unwrap();
        process
            .secrets()
            .check_size(None, &world::text(&more))
            .await
            .unwrap_err();
    }
}

#[tokio::test]
async fn a_value_that_is_refused_leaves_a_deletion_as_it_stands() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let (interrupt, token) = cancellable();
    world.store.before(
        crate::store::StoreVerb::Delete,
        1,
        async move { token.cancel() },
    );
    let process = world.warm().await;
    process
        .secrets()
        .delete(&any(&view.name, view.uuid), &interrupt)
        .await
        .unwrap_err();
    let before = world.document(&view.name).await;
    let requests = [
        create_of("db", given(&"x".repeat(70_000))),
        CreateSecret {
            backend: Some("nowhere".parse().unwrap()),
            ..create_of("db", given("x"))
        },
    ];
    for request in requests {
        process
            .secrets()
            .create(request, &Interrupt::default())
            .await
            .unwrap_err();
        assert_eq!(world.document(&view.name).await, before);
    }
}

#[tokio::test]
async fn an_unknown_backend_is_refused_before_any_write() {
    let world = World::new();
    let process = world.warm().await;
    let before = world.counts();
    let create = CreateSecret {
        backend: Some("nowhere".parse().unwrap()),
        ..create_of("db", given("x"))
    };
    let refused = process
        .secrets()
        .create(create, &Interrupt::default())
        .await;
    assert!(
        matches!(refused, Err(OperationError::UnknownBackend { .. })),
        "{refused:?}"
    );
    assert_eq!((world.counts() - before).write, 0);
}

#[tokio::test]
async fn empty_values_are_values() {
    let world = World::new();
    created(&world, "text", "").await;
    let process = world.warm().await;
    let empty = ValueSource::Given(pairs(&[]));
    let create = create_of("pairs", empty);
    process
        .secrets()
        .create(create, &Interrupt::default())
        .await
        .unwrap();
    assert_eq!(world.value("text").await.unwrap(), "");
    assert_eq!(world.value("pairs").await.unwrap(), "");
    assert_eq!(world.unreferenced(&["text", "pairs"]).await, 0);
}

#[tokio::test]
async fn what_cannot_be_generated_is_refused_before_any_write() {
    let world = World::new();
    let process = world.warm().await;
    let before = world.counts();
    let nothing = GenerateSpec {
        lower: false,
        upper: false,
        numeric: false,
        special: false,
        ..world::spec()
    };
    let create = generate_of("db", nothing);
    let refused = process
        .secrets()
        .create(create, &Interrupt::default())
        .await;
    assert!(refused.is_err());
    assert_eq!((world.counts() - before).write, 0);
}

#[tokio::test]
async fn a_wrap_that_no_envelope_holds_is_the_keys_fault_and_nothing_is_put() {
    let world = World::new();
    let process = world.warm().await;
    world.kek.wrap_oversize();
    let create = create_of("db", given("x"));
    let failed = process
        .secrets()
        .create(create, &Interrupt::default())
        .await;
    assert!(
        matches!(&failed, Err(OperationError::Kek(error)) if error.kind() == KekErrorKind::Misconfigured),
        "{failed:?}"
    );
    assert!(world.store.objects().is_empty());
    assert!(world.document(&name("db")).await.is_tombstone());
}

#[tokio::test]
async fn versions_beyond_keep_versions_go_after_the_commit() {
    let world = World::new();
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let mut view = created(&world, "db", "v1").await;
    for value in ["v2", "v3", "v4", "v5"] {
        view = process
            .secrets()
            .update(rotate(&view, value), &interrupt)
            .await
            .unwrap();
    }
    let mut update = rotate(&view, "v6");
    update.arguments.keep_versions = 3;
    let view = process.secrets().update(update, &interrupt).await.unwrap();
    // Several are gone with the response: they may take longer than a process has at its end.
    let selector = Selector::Uuid(view.uuid);
    for (version, there) in [(3, false), (4, true), (5, true), (6, true)] {
        let opened = process.secrets().open(&selector, Some(version)).await;
        match opened {
            Ok(opened) => assert!(there && world::exposed(&opened.value) == format!("v{version}")),
            Err(OperationError::VersionNotFound { .. }) => assert!(!there, "{version}"),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(world.unreferenced(&["db"]).await, 0);
}

#[tokio::test]
async fn a_lower_keep_versions_takes_effect_without_a_new_version() {
    for deletes in [true, false] {
        let stores = |c: &mut StoreCapability| c.deletes_versions = deletes;
        let world = World::with_store(capability(stores));
        let process = world.warm().await;
        let interrupt = Interrupt::default();
        let mut view = created(&world, "db", "v1").await;
        for value in ["v2", "v3", "v4"] {
            let rotated = process.secrets().update(rotate(&view, value), &interrupt);
            view = rotated.await.unwrap();
        }
        let lower = |keep_versions| {
            let mut update = rotate(&view, "unused");
            update.source = None;
            update.arguments.keep_versions = keep_versions;
            update
        };
        let edited = process.secrets().update(lower(2), &interrupt).await;
        let edited = edited.unwrap();
        assert_eq!(number(&edited), Some(4));
        let selector = Selector::Uuid(view.uuid);
        for (version, there) in [(1, false), (2, false), (3, true), (4, true)] {
            let opened = process.secrets().open(&selector, Some(version)).await;
            assert_eq!(opened.is_ok(), there, "{version}: {opened:?}");
        }
        let left = world.unreferenced(&["db"]).await;
        assert_eq!(left, if deletes { 0 } else { 2 });
    }
}

#[tokio::test]
async fn a_store_that_keeps_few_versions_never_runs_full() {
    let ring = |c: &mut StoreCapability| {
        c.max_versions = Some(4);
        c.deletes_versions = false;
    };
    let world = World::with_store(capability(ring));
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let mut view = created(&world, "db", "v1").await;
    for number in 2..=12 {
        let value = format!("v{number}");
        let updated = process
            .secrets()
            .update(rotate(&view, &value), &interrupt)
            .await;
        view = updated.unwrap_or_else(|error| panic!("{value}: {error:?}"));
        // Every version that the record names still exists.
        world.unreferenced(&["db"]).await;
    }
    assert_eq!(world.value("db").await.unwrap(), "v12");
    let document = world.document(&view.name).await;
    assert!(document.current.unwrap().versions.len() >= 2);
}

#[tokio::test]
async fn nothing_shows_a_value() {
    const PLANTED: &str = "hunter2-planted";
    let world = World::new();
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let create = create_of("db", given(PLANTED));
    let mut told = format!("{create:?}");
    let view = process.secrets().create(create, &interrupt).await.unwrap();
    told += &format!("{view:?}");
    let update = rotate(&view, PLANTED);
    told += &format!("{update:?}");
    let view = process.secrets().update(update, &interrupt).await.unwrap();
    let opened = process
        .secrets()
        .open(&Selector::Uuid(view.uuid), None)
        .await
        .unwrap();
    told += &format!("{opened:?} {process:?} {:?}", pairs(&[("key", PLANTED)]));
    let planted = || create_of("db", given(PLANTED));
    let failures = [
        process
            .secrets()
            .create(planted(), &interrupt)
            .await
            .map(|_| ()),
        process
            .secrets()
            .create(create_of("big", given(&PLANTED.repeat(9_000))), &interrupt)
            .await
            .map(|_| ()),
        process
            .secrets()
            .update(
                UpdateSecret {
                    generation: 99,
                    ..rotate(&view, PLANTED)
                },
                &interrupt,
            )
            .await
            .map(|_| ()),
    ];
    for failure in failures {
        let failure = failure.unwrap_err();
        told += &format!("{failure} {failure:?}");
    }
    world
        .kek
        .deny(KekVerb::Wrap, KekErrorKind::PermissionDenied);
    let failure = process
        .secrets()
        .create(create_of("new", given(PLANTED)), &interrupt)
        .await;
    told += &format!("{failure:?}");
    let document = world.document(&view.name).await;
    told += &format!("{document:?} {}", serde_json::to_string(&document).unwrap());
    assert!(!told.contains("hunter2"), "{told}");
    for payload in world.store.payloads() {
        assert!(!payload.windows(7).any(|window| window == b"hunter2"));
    }
}
