//! What states see of a catalog that was rolled back, before and after somebody accepts it.

use super::*;
use crate::catalog::{CatalogSnapshot, GenerationFloor};
use crate::operations::tests::backends::{change, chosen, create, declared, delete, slug};
use crate::operations::tests::escrow::{id, pinned, record, safe};
use crate::operations::{
    Collect, Collection, DeletedSecret, Lookup, RefreshedBackend, SeenKeys, UpdateBackend, Verify,
};

/// Restores a snapshot of the platform, which leaves no note, and accepts it.
async fn snapshot_accepted(world: &World, snapshot: CatalogSnapshot) -> u64 {
    world.catalog.restore(snapshot);
    let accepted = accept(world, true, true).await.unwrap();
    assert_eq!((accepted.is_due, accepted.backup_of), (true, None));
    accepted.floor
}

fn rolled_back<T: std::fmt::Debug>(result: Result<T, OperationError>) {
    let is_rolled_back = matches!(result, Err(OperationError::RolledBack { .. }));
    assert!(is_rolled_back, "{result:?}");
}

fn changed<T: std::fmt::Debug>(result: Result<T, OperationError>) {
    let is_changed = matches!(result, Err(OperationError::ChangedConcurrently { .. }));
    assert!(is_changed, "{result:?}");
}

/// Returns what a state has of a secret after a refresh that finds it present.
async fn present(world: &World, view: &SecretView) -> SecretView {
    match refreshed(world, view).await {
        Ok(Refreshed::Present(view)) => view,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_version_written_after_the_backup_is_given_up_once_that_is_accepted() {
    let world = World::new();
    let first = created(&world, "db", "v1").await;
    let backup = backed_up(&world).await;
    let pin = Some(fingerprint(&world).await);
    let second = rotated(&world, &first, "v2").await;
    lose(&world);
    restore(&world, pin, &backup, APPLY).await.unwrap();
    rolled_back(refreshed(&world, &second).await);

    let shown = accept(&world, false, false).await.unwrap();
    assert!(shown.is_due && shown.backup_of.is_some());
    rolled_back(refreshed(&world, &second).await);
    let floor = accepted(&world).await.floor;
    // What was planned before is not applied, without a refresh in between either.
    let update = world.warm().await;
    let interrupt = Interrupt::default();
    changed(
        update
            .secrets()
            .update(rotate(&second, "v3"), &interrupt)
            .await,
    );
    changed(update.secrets().delete(&own(&second), &interrupt).await);
    assert_eq!(world.value("db").await.unwrap(), "v1");

    let now = present(&world, &second).await;
    assert_eq!((number(&now), now.generation), (Some(1), floor));
    let third = rotated(&world, &now, "v3").await;
    assert_eq!((number(&third), third.generation), (Some(2), floor + 1));
    assert_eq!(world.value("db").await.unwrap(), "v3");
    // The state that knew another version 2 takes this one.
    assert_eq!(number(&present(&world, &second).await), Some(2));
    // From here on, an older record is a rollback again.
    world
        .write_document(&first.name, &{
            let mut document = world.document(&first.name).await;
            document.generation = 1;
            document.current.as_mut().unwrap().versions.truncate(1);
            document
        })
        .await;
    rolled_back(refreshed(&world, &third).await);
}

#[tokio::test]
async fn a_secret_created_after_the_backup_is_missing_and_not_gone() {
    let world = World::new();
    created(&world, "other", "v").await;
    // A tombstone of the name is in the backup, or nothing is.
    for with_tombstone in [false, true] {
        if with_tombstone {
            let view = created(&world, "db", "v").await;
            let process = world.warm().await;
            process
                .secrets()
                .delete(&own(&view), &Interrupt::default())
                .await
                .unwrap();
        }
        let snapshot = world.catalog.snapshot();
        let lost = created(&world, "db", "lost").await;
        snapshot_accepted(&world, snapshot).await;
        assert_eq!(
            refreshed(&world, &lost).await.unwrap(),
            Refreshed::RecordMissing
        );
        let process = world.warm().await;
        let interrupt = Interrupt::default();
        let update = process
            .secrets()
            .update(rotate(&lost, "x"), &interrupt)
            .await;
        assert!(
            matches!(update, Err(OperationError::RecordMissing { .. })),
            "{update:?}"
        );
        // Another state takes the name, which proves nothing of the lost one.
        let another = created(&world, "db", "another").await;
        assert_eq!(
            refreshed(&world, &lost).await.unwrap(),
            Refreshed::RecordMissing
        );
        let deleted = process
            .secrets()
            .delete(&own(&lost), &interrupt)
            .await
            .unwrap();
        assert_eq!(deleted, DeletedSecret::RecordMissing);
        assert_eq!(world.value("db").await.unwrap(), "another");
        // What is deleted after the acceptance is gone, as always.
        process
            .secrets()
            .delete(&own(&another), &interrupt)
            .await
            .unwrap();
        assert_eq!(refreshed(&world, &another).await.unwrap(), Refreshed::Gone);
        // The tombstone is not of the lost one.
        assert_eq!(
            refreshed(&world, &lost).await.unwrap(),
            Refreshed::RecordMissing
        );
    }
}

/// Deletes or forgets a secret in a separate process.
async fn removed(world: &World, view: &SecretView, forgets: bool) {
    let process = world.warm().await;
    let (secrets, interrupt) = (process.secrets(), Interrupt::default());
    if !forgets {
        let deleted = secrets.delete(&own(view), &interrupt).await.unwrap();
        assert_eq!(deleted, DeletedSecret::Gone);
        return;
    }
    let found = secrets.find_to_forget(&view.name, None).await.unwrap();
    let Lookup::Found(found) = found else {
        panic!("{found:?}");
    };
    secrets.forget(*found, &interrupt).await.unwrap();
}

#[tokio::test]
async fn a_secret_removed_after_the_acceptance_or_before_the_backup_is_gone_for_a_late_state() {
    for forgets in [true, false] {
        let world = World::new();
        let before = created(&world, "before", "v").await;
        let after = created(&world, "after", "v").await;
        removed(&world, &before, forgets).await;
        let snapshot = world.catalog.snapshot();
        // The late state sees a version that the backup does not have.
        let after = rotated(&world, &after, "v2").await;
        snapshot_accepted(&world, snapshot).await;
        let Refreshed::Present(restored) = refreshed(&world, &after).await.unwrap() else {
            panic!("restored");
        };
        removed(&world, &restored, forgets).await;
        for view in [&before, &after] {
            let process = world.warm().await;
            assert_eq!(refreshed(&world, view).await.unwrap(), Refreshed::Gone);
            let interrupt = Interrupt::default();
            let deleted = process.secrets().delete(&own(view), &interrupt).await;
            assert_eq!(deleted.unwrap(), DeletedSecret::Gone);
            let update = process.secrets().update(rotate(view, "x"), &interrupt);
            let update = update.await;
            assert!(
                matches!(update, Err(OperationError::SecretNotFound { .. })),
                "{update:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_restored_tombstone_says_nothing_of_a_secret_that_was_seen_after_it() {
    let world = World::new();
    let view = created(&world, "db", "v").await;
    let with_secret = world.catalog.snapshot();
    removed(&world, &view, true).await;
    let with_tombstone = world.catalog.snapshot();
    world.catalog.restore(with_secret);
    let seen = rotated(&world, &view, "v2").await;
    let seen = rotated(&world, &seen, "v3").await;
    snapshot_accepted(&world, with_tombstone).await;
    assert_eq!(
        refreshed(&world, &seen).await.unwrap(),
        Refreshed::RecordMissing
    );
    // A state that last saw it before the removal drops it.
    assert_eq!(refreshed(&world, &view).await.unwrap(), Refreshed::Gone);
}

#[tokio::test]
async fn a_backend_removed_after_the_acceptance_is_gone_for_a_late_state() {
    let world = World::new();
    let view = declared(&world.warm().await, "vault", "a").await;
    let snapshot = world.catalog.snapshot();
    snapshot_accepted(&world, snapshot).await;
    let process = world.warm().await;
    let refresh = async || {
        let backends = world.warm().await;
        let backends = backends.backends();
        let seen = Some(view.generation);
        backends.refresh(&view.name, view.uuid, seen).await.unwrap()
    };
    let RefreshedBackend::Present(now) = refresh().await else {
        panic!("restored");
    };
    delete(&process, &now).await.unwrap();
    assert_eq!(refresh().await, RefreshedBackend::Gone);
    // Another backend of the name does not change that.
    declared(&world.warm().await, "vault", "a").await;
    assert_eq!(refresh().await, RefreshedBackend::Gone);
    let deleted = delete(&world.warm().await, &view).await.unwrap();
    assert!(
        matches!(deleted.destroyed, crate::operations::Destroyed::Done),
        "{deleted:?}"
    );
}

#[tokio::test]
async fn a_secret_destroyed_after_the_backup_is_shown_as_lost_and_not_healed() {
    let world = World::new();
    let view = created(&world, "db", "v").await;
    let snapshot = world.catalog.snapshot();
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    process
        .secrets()
        .delete(&own(&view), &interrupt)
        .await
        .unwrap();
    snapshot_accepted(&world, snapshot).await;
    let writes = world.counts().put;
    // A state that had not heard of the destruction, and one that imports the secret.
    let Refreshed::VersionLost(_) = refreshed(&world, &view).await.unwrap() else {
        panic!("found");
    };
    let process = world.warm().await;
    let create = create_of("db", given("v"));
    let exists = process.secrets().create(create, &interrupt).await;
    assert!(
        matches!(exists, Err(OperationError::AlreadyExists { .. })),
        "{exists:?}"
    );
    let verified = process.keys();
    let verified = verified
        .verify(Verify::default(), &|_| {}, &interrupt)
        .await
        .unwrap();
    assert_eq!(verified.findings.len(), 1, "{verified:?}");
    assert_eq!(world.store.objects(), []);
    // A creation deletes what it has put beside a record that it then finds.
    assert!(world.counts().put <= writes + 1);
}

#[tokio::test]
async fn a_creation_interrupted_before_the_backup_is_not_resumed_after_the_acceptance() {
    let world = World::new();
    let interrupted = world.warm().await;
    let interrupt = Interrupt::default();
    let create = || create_of("db", given("v"));
    interrupted
        .secrets()
        .create(create(), &interrupt)
        .await
        .unwrap();
    let resume = world.resuming(&interrupted);
    snapshot_accepted(&world, world.catalog.snapshot()).await;
    let refused = resume.secrets().create(create(), &interrupt).await;
    assert!(
        matches!(refused, Err(OperationError::AlreadyExists { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn backends_and_the_default_are_taken_as_they_were_once_that_is_accepted() {
    let world = World::new();
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let backend = declared(&process, "vault", "a").await;
    create(&process, "db", Some("vault")).await.unwrap();
    let snapshot = world.catalog.snapshot();
    let update = UpdateBackend {
        description: Some("changed".to_owned()),
        ..change(&backend)
    };
    let changed = process.backends().update(update, &interrupt).await.unwrap();
    let late = declared(&process, "late", "b").await;
    let default = chosen(&process, "vault", "platform").await;
    world.catalog.restore(snapshot.clone());

    let process = world.warm().await;
    let refresh = async |process: &Organization, view: &crate::operations::BackendView| {
        let seen = Some(view.generation);
        process
            .backends()
            .refresh(&view.name, view.uuid, seen)
            .await
    };
    let refused = refresh(&process, &changed).await;
    assert!(
        matches!(refused, Err(OperationError::BackendRolledBack { .. })),
        "{refused:?}"
    );
    process
        .default_backend()
        .remember(&default.backend, default.generation);
    let refused = process.default_backend().view().await;
    assert!(matches!(
        refused,
        Err(OperationError::DefaultBackendRolledBack { .. })
    ));

    let floor = snapshot_accepted(&world, snapshot).await;
    let process = world.warm().await;
    process
        .default_backend()
        .remember(&default.backend, default.generation);
    let view = process.default_backend().view().await.unwrap();
    assert_eq!((view.backend.as_str(), view.generation), ("platform", 0));
    let Ok(RefreshedBackend::Present(now)) = refresh(&process, &changed).await else {
        panic!("not present");
    };
    assert_eq!((now.description.as_deref(), now.generation), (None, floor));
    // Planned before, against what is lost.
    let stale = UpdateBackend {
        seen: Some(changed.generation),
        ..change(&now)
    };
    let refused = process.backends().update(stale, &interrupt).await;
    let is_refused = matches!(
        refused,
        Err(OperationError::BackendChangedConcurrently { .. })
    );
    assert!(is_refused, "{refused:?}");
    let again = UpdateBackend {
        description: Some("changed".to_owned()),
        ..change(&now)
    };
    let again = process.backends().update(again, &interrupt).await.unwrap();
    assert_eq!(again.generation, floor + 1);
    let missing = refresh(&process, &late).await.unwrap();
    assert!(
        matches!(missing, RefreshedBackend::RecordMissing),
        "{missing:?}"
    );
    // Its name is free, and what another state declares under it is not the lost one.
    declared(&process, "late", "b").await;
    let missing = refresh(&process, &late).await.unwrap();
    assert!(
        matches!(missing, RefreshedBackend::RecordMissing),
        "{missing:?}"
    );
    chosen(&process, "vault", "platform").await;
    assert_eq!(process.value_of("db").await, "hunter2");
}

impl Organization {
    async fn value_of(&self, named: &str) -> String {
        let selector = Selector::Name(name(named));
        let opened = self.secrets().open(&selector, None).await.unwrap();
        crate::operations::tests::world::exposed(&opened.value)
    }
}

#[tokio::test]
async fn an_escrow_key_added_or_removed_after_the_backup_is_a_rollback_until_accepted() {
    for adds in [true, false] {
        let world = World::new();
        let interrupt = Interrupt::default();
        if !adds {
            let process = pinned(&world, &["safe"]).await;
            process.keys().add_escrow(safe(), &interrupt).await.unwrap();
        }
        created(&world, "db", "v").await;
        let snapshot = world.catalog.snapshot();
        let process = pinned(&world, &["safe"]).await;
        match adds {
            true => drop(process.keys().add_escrow(safe(), &interrupt).await.unwrap()),
            false => {
                let key = id(&world, "safe");
                let removed = process.keys().remove_escrow(&key, &interrupt).await;
                drop(removed.unwrap());
            }
        }
        let seen = SeenKeys::of(&record(&world).await);
        world.catalog.restore(snapshot);
        let refused = world.process().keys().expect_seen(&seen).await;
        let is_refused = matches!(refused, Err(OperationError::OrganizationRolledBack { .. }));
        assert!(is_refused, "{refused:?}");
        // A restoration by us neither hides it, nor does its end.
        let backup = backed_up(&world).await;
        let pin = Some(fingerprint(&world).await);
        lose(&world);
        restore(&world, pin, &backup, APPLY).await.unwrap();
        let refused = world.process().keys().expect_seen(&seen).await;
        let is_refused = matches!(refused, Err(OperationError::OrganizationRolledBack { .. }));
        assert!(is_refused, "{refused:?}");

        accepted(&world).await;
        let process = world.process();
        process.keys().expect_seen(&seen).await.unwrap();
        let create = create_of("next", given("v"));
        let view = process.secrets().create(create, &interrupt).await.unwrap();
        let written = world.document(&view.name).await.current.unwrap();
        let keks = written.versions[0].keks.len();
        assert_eq!(
            keks,
            if adds { 1 } else { 2 },
            "as the restored record says"
        );
    }
}

#[tokio::test]
async fn a_rollback_is_accepted_once_and_a_further_one_is_above_it() {
    let world = World::new();
    created(&world, "db", "v").await;
    let snapshot = world.catalog.snapshot();
    let nothing = accept(&world, true, false).await.unwrap();
    assert!(!nothing.is_due, "{nothing:?}");
    let shown = accept(&world, false, true).await.unwrap();
    assert!(shown.is_due && shown.floor == 0);
    assert_eq!(record(&world).await.floor, 0, "a dry run writes nothing");

    let first = snapshot_accepted(&world, snapshot.clone()).await;
    let again = accept(&world, true, false).await.unwrap();
    assert_eq!((again.is_due, again.floor), (false, first));
    let second = accept(&world, true, true).await.unwrap().floor;
    assert!(second > first);
    // The platform is restored to a time before any acceptance. What states saw after the first
    // one is below a floor of a later second.
    let organization = record(&world).await;
    world.catalog.restore(snapshot);
    let now = "2200-01-01T00:00:00Z".parse().unwrap();
    let third = GenerationFloor::at(now, &record(&world).await).unwrap();
    assert!(third > organization.generation + 1_000_000);
}

#[tokio::test]
async fn an_acceptance_whose_answer_is_lost_is_not_repeated() {
    use crate::store::Landing;
    let world = World::new();
    created(&world, "db", "v").await;
    let backup = backed_up(&world).await;
    let pin = Some(fingerprint(&world).await);
    for landing in [Landing::Before, Landing::After] {
        lose(&world);
        restore(&world, pin, &backup, APPLY).await.unwrap();
        world.fail_catalog(
            CatalogVerb::Write,
            1,
            landing,
            CatalogErrorKind::Unavailable,
        );
        accept(&world, true, false).await.unwrap_err();
        let again = accept(&world, true, false).await.unwrap();
        assert_eq!(again.is_due, landing == Landing::Before);
        assert!(record(&world).await.floor > 0);
        // A conflict after a write that landed is the own write.
        lose(&world);
        restore(&world, pin, &backup, APPLY).await.unwrap();
        world.fail_catalog(CatalogVerb::Write, 1, landing, CatalogErrorKind::Conflict);
        accepted(&world).await;
        assert_eq!(world.value("db").await.unwrap(), "v");
    }
}

#[tokio::test]
async fn until_a_restoration_is_accepted_nothing_is_deleted_that_no_record_names() {
    let world = World::new();
    let process = world.warm().await;
    let backend = declared(&process, "vault", "a").await;
    let backup = backed_up(&world).await;
    let pin = Some(fingerprint(&world).await);
    // Their records are lost.
    created(&world, "db", "lost").await;
    create(&process, "on-vault", Some("vault")).await.unwrap();
    let objects = || world.store.objects().len() + world.connector.place("a").objects().len();
    assert_eq!(objects(), 3, "with the marker");
    lose(&world);
    restore(&world, pin, &backup, APPLY).await.unwrap();

    let collect = async |deletes: bool| {
        let process = world.process();
        let what = Collect {
            orphans: Some(std::time::Duration::ZERO),
            deletes,
        };
        let mut found = Collection::default();
        let interrupt = Interrupt::default();
        let platform = slug("platform");
        let keys = process.keys();
        let collected = keys.collect(&platform, what, &mut found, (&|_| {}, &interrupt));
        collected.await.map(|()| found.leftovers.len())
    };
    assert_eq!(collect(false).await.unwrap(), 1);
    let refused = collect(true).await;
    assert!(
        matches!(refused, Err(OperationError::RestoreNotAccepted { .. })),
        "{refused:?}"
    );
    // One of them opened the organization before the loss.
    for process in [process, world.warm().await] {
        let refused = delete(&process, &backend).await;
        assert!(
            matches!(refused, Err(OperationError::RestoreNotAccepted { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(objects(), 3);

    accepted(&world).await;
    assert_eq!(collect(true).await.unwrap(), 1);
    let process = world.warm().await;
    let now = process.backends().find(&slug("vault")).await.unwrap();
    delete(&process, &now).await.unwrap();
}

#[tokio::test]
async fn a_backend_registered_after_the_backup_under_a_used_name_is_missing_and_not_destroyed() {
    let world = World::new();
    let process = world.warm().await;
    let former = declared(&process, "vault", "a").await;
    delete(&process, &former).await.unwrap();
    let snapshot = world.catalog.snapshot();
    let lost = declared(&world.warm().await, "vault", "a").await;
    world.catalog.restore(snapshot.clone());
    snapshot_accepted(&world, snapshot).await;
    let deleted = delete(&world.warm().await, &lost).await.unwrap();
    assert!(
        matches!(
            deleted.destroyed,
            crate::operations::Destroyed::RecordMissing
        ),
        "{deleted:?}"
    );
}
