//! Ownership of backends: the changes that another run may make.

use super::{
    DONE, arguments, change, chosen, create, declare, declared, delete, password, settings, slug,
};
use crate::catalog::{CatalogErrorKind, CatalogStore, CatalogVerb, RecordKey};
use crate::operations::tests::world::{World, acme};
use crate::operations::{
    BackendView, Destroyed, ExistingRecord, Interrupt, OperationError, Organization,
    RefreshedBackend, RegisterBackend, RegisteredBackend, Run, RunId, UpdateBackend,
};
use crate::store::Landing;
use uuid::Uuid;

/// Returns a process of the run with this number, which resumes another one.
pub(super) fn of_run(world: &World, number: u128, resumes: Option<u128>) -> Organization {
    let id = |number| RunId::new(Uuid::from_u128(number));
    let run = Run {
        resumes: resumes.map(id),
        ..Run::new(id(number))
    };
    Organization::new(acme(), world.platform()).in_run(run)
}

async fn registered(
    process: &Organization,
    request: RegisterBackend,
) -> Result<RegisteredBackend, OperationError> {
    let interrupt = Interrupt::default();
    process.backends().register(request, &interrupt).await
}

fn existing(refused: Result<RegisteredBackend, OperationError>) -> ExistingRecord {
    match refused {
        Err(OperationError::BackendExists { existing, .. }) => *existing,
        other => panic!("{other:?}"),
    }
}

/// Returns the number of marker objects at place `a`.
fn markers(world: &World) -> usize {
    world.connector.place("a").objects().len()
}

#[tokio::test]
async fn a_look_alike_is_refused_with_whose_it_is_and_its_own_run_declares_it_twice() {
    let world = World::new();
    let first = declared(&of_run(&world, 1, None), "vault", "a").await;
    let existing = existing(registered(&of_run(&world, 2, None), declare("vault", "a")).await);
    assert_eq!(existing, ExistingRecord::new(first.owner.clone(), true));
    let twice = registered(&of_run(&world, 1, None), declare("vault", "a")).await;
    assert!(
        matches!(twice, Err(OperationError::BackendDeclaredTwice { .. })),
        "{twice:?}"
    );
    assert_eq!(markers(&world), 1);
    let found = world
        .process()
        .backends()
        .find(&slug("vault"))
        .await
        .unwrap();
    assert_eq!(found, first, "nothing was changed");
}

#[tokio::test]
async fn a_run_to_resume_gives_its_backend_and_what_differs_changes_in_the_same_commit() {
    let world = World::new();
    world.connector.alias("a2", "a");
    let first = declared(&of_run(&world, 1, None), "vault", "a").await;
    let wanted = RegisterBackend {
        description: Some("ours".to_owned()),
        settings: settings("a2"),
        credential: password("x"),
        arguments: arguments("2"),
        ..declare("vault", "a")
    };
    let writes = world.counts().write;
    let adopted = registered(&of_run(&world, 2, Some(1)), wanted)
        .await
        .unwrap();
    assert_eq!(world.counts().write - writes, 1, "one commit");
    assert_eq!(adopted.adopted_from.as_ref(), Some(&first.owner));
    let view = adopted.view;
    assert_eq!(view.uuid, first.uuid);
    assert_eq!(view.description.as_deref(), Some("ours"));
    assert_eq!(view.settings, settings("a2"));
    assert!(view.is_static);
    assert_eq!(view.arguments, arguments("2"));
    assert_eq!(view.created_at, first.created_at);
    assert_eq!(view.owner.stamp.run, RunId::new(Uuid::from_u128(2)));
    assert_eq!(markers(&world), 1);

    // The adoption was killed. Only a run that resumes the adopting run adopts the backend.
    let other = existing(registered(&of_run(&world, 3, Some(1)), declare("vault", "a")).await);
    assert!(other.is_untouched);
    let again = registered(&of_run(&world, 3, Some(2)), declare("vault", "a")).await;
    assert_eq!(again.unwrap().view.uuid, first.uuid);
}

#[tokio::test]
async fn what_changed_since_or_cannot_change_in_place_is_not_adopted() {
    let world = World::new();
    let first = declared(&of_run(&world, 1, None), "vault", "a").await;
    let other_prefix = {
        let mut request = declare("vault", "a");
        request.settings.name_prefix = "other".to_owned();
        request
    };
    let fixed = RegisterBackend {
        settings: settings("b"),
        fixed: vec!["place"],
        ..declare("vault", "a")
    };
    let elsewhere = declare("vault", "b");
    for (request, differs) in [
        (other_prefix, "name_prefix"),
        (fixed, "memory.place"),
        (elsewhere, "the place that its settings lead to"),
    ] {
        let existing = existing(registered(&of_run(&world, 2, Some(1)), request).await);
        assert_eq!(existing.differs.as_deref(), Some(differs));
        assert_eq!(existing.owner, first.owner);
    }
    assert_eq!(markers(&world), 1);
    assert!(world.connector.place("b").objects().is_empty());

    // A change of the default leaves a backend untouched. A new description does not.
    chosen(&of_run(&world, 1, None), "vault", "platform").await;
    let seen = world
        .process()
        .backends()
        .find(&slug("vault"))
        .await
        .unwrap();
    assert!(seen.generation > first.generation);
    let adopted = registered(&of_run(&world, 2, Some(1)), declare("vault", "a")).await;
    let adopted = adopted.unwrap().view;
    let edit = UpdateBackend {
        description: Some("edited".to_owned()),
        ..change(&adopted)
    };
    let interrupt = Interrupt::default();
    let process = of_run(&world, 4, None);
    process.backends().update(edit, &interrupt).await.unwrap();
    let existing = existing(registered(&of_run(&world, 3, Some(2)), declare("vault", "a")).await);
    assert!(!existing.is_untouched);
}

#[tokio::test]
async fn another_stamp_is_neither_changed_nor_deleted() {
    let world = World::new();
    let first = declared(&of_run(&world, 1, None), "vault", "a").await;
    let taken = registered(&of_run(&world, 2, Some(1)), declare("vault", "a")).await;
    let taken = taken.unwrap().view;

    let process = of_run(&world, 3, None);
    let seen = BackendView {
        generation: taken.generation,
        ..first.clone()
    };
    let interrupt = Interrupt::default();
    let refused = process.backends().update(change(&seen), &interrupt);
    match refused.await {
        Err(OperationError::BackendOwnedByAnother { owner, .. }) => assert_eq!(*owner, taken.owner),
        other => panic!("{other:?}"),
    }
    let left = delete(&process, &seen).await.unwrap();
    let owner = Box::new(taken.owner.clone());
    assert_eq!(left.destroyed, Destroyed::OwnedByAnotherState(owner));
    assert_eq!(markers(&world), 1);
    // The state that owns it continues.
    let own = of_run(&world, 4, None);
    let kept = own.backends().update(change(&taken), &interrupt);
    assert_eq!(kept.await.unwrap().uuid, first.uuid);
    assert_eq!(delete(&own, &taken).await.unwrap(), DONE);
    assert_eq!(markers(&world), 0);
}

#[tokio::test]
async fn a_run_gives_back_what_it_adopted_and_destroys_what_it_made() {
    let world = World::new();
    let first = declared(&of_run(&world, 1, None), "vault", "a").await;
    let tests = of_run(&world, 2, Some(1));
    let adopted = registered(&tests, declare("vault", "a"))
        .await
        .unwrap()
        .view;
    let left = delete(&tests, &adopted).await.unwrap();
    let owner = Box::new(first.owner.clone());
    assert_eq!(left.destroyed, Destroyed::ReturnedToOwner(owner));
    let found = world
        .process()
        .backends()
        .find(&slug("vault"))
        .await
        .unwrap();
    assert_eq!(found.owner, first.owner);
    // That run can be resumed again, and its state owns the backend again.
    let again = registered(&of_run(&world, 3, Some(1)), declare("vault", "a")).await;
    assert_eq!(again.unwrap().view.uuid, first.uuid);

    let own = declared(&tests, "own", "b").await;
    assert_eq!(delete(&tests, &own).await.unwrap(), DONE);
}

#[tokio::test]
async fn whoever_loses_the_commit_takes_its_own_marker_along_and_names_the_backend() {
    let world = World::new();
    world.warm().await;
    let rival = of_run(&world, 2, None);
    let other = world.clone();
    let comes_first = async move {
        declared(&of_run(&other, 1, None), "vault", "a").await;
    };
    // Before the commit.
    world.catalog.before(CatalogVerb::Write, 1, comes_first);
    let existing = existing(registered(&rival, declare("vault", "a")).await);
    assert_eq!(existing.owner.stamp.run, RunId::new(Uuid::from_u128(1)));
    assert_eq!(markers(&world), 1, "the winner's");
    create(&world.process(), "db", Some("vault")).await.unwrap();

    // Another backend of the name is declared and deleted meanwhile.
    let other = world.clone();
    let comes_and_goes = async move {
        let process = of_run(&other, 1, None);
        let view = declared(&process, "brief", "b").await;
        delete(&process, &view).await.unwrap();
    };
    world.catalog.before(CatalogVerb::Write, 1, comes_and_goes);
    let lost = registered(&rival, declare("brief", "b")).await;
    match lost {
        Err(OperationError::BackendChangedConcurrently { backend }) => {
            assert_eq!(backend, slug("brief"));
        }
        other => panic!("{other:?}"),
    }
    assert!(world.connector.place("b").objects().is_empty());
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_known_again_though_it_was_built_on() {
    let world = World::new();
    world.warm().await;
    let other = world.clone();
    let builds_on_it = async move {
        let process = of_run(&other, 9, None);
        chosen(&process, "vault", "platform").await;
    };
    // The write lands, and its response is a conflict. The default is set before the next
    // read.
    let kind = CatalogErrorKind::Conflict;
    world.fail_catalog(CatalogVerb::Write, 1, Landing::After, kind);
    world
        .catalog
        .before(CatalogVerb::ReadFenced, 2, builds_on_it);
    let process = of_run(&world, 1, None);
    let view = registered(&process, declare("vault", "a"))
        .await
        .unwrap()
        .view;
    assert_eq!(view.owner.stamp.run, RunId::new(Uuid::from_u128(1)));
    assert_eq!(markers(&world), 1, "its own, which the record names");
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_made_and_a_rivals_is_not_taken_for_it() {
    let world = World::new();
    let process = world.warm().await;
    let view = declared(&process, "vault", "a").await;
    let described = |view: &BackendView, text: &str| UpdateBackend {
        description: Some(text.to_owned()),
        ..change(view)
    };
    let interrupt = Interrupt::default();
    let kind = CatalogErrorKind::Conflict;
    world.fail_catalog(CatalogVerb::Write, 1, Landing::After, kind);
    let ours = process
        .backends()
        .update(described(&view, "ours"), &interrupt);
    let ours = ours.await.unwrap();
    assert_eq!(ours.description.as_deref(), Some("ours"));

    let (rival, theirs) = (world.process(), described(&ours, "theirs"));
    world.catalog.before(CatalogVerb::Write, 1, async move {
        let interrupt = Interrupt::default();
        rival.backends().update(theirs, &interrupt).await.unwrap();
    });
    let lost = process
        .backends()
        .update(described(&ours, "ours again"), &interrupt);
    assert!(
        matches!(
            lost.await,
            Err(OperationError::BackendChangedConcurrently { .. })
        ),
        "another run has changed it"
    );
    let found = process.backends().find(&view.name).await.unwrap();
    assert_eq!(found.description.as_deref(), Some("theirs"));
}

#[tokio::test]
async fn a_failure_that_leaves_a_commit_open_names_the_run_to_resume() {
    for landing in [Landing::Before, Landing::After] {
        let world = World::new();
        world.warm().await;
        let kind = CatalogErrorKind::Unavailable;
        world.fail_catalog(CatalogVerb::Write, 1, landing, kind);
        let open = registered(&of_run(&world, 1, None), declare("vault", "a")).await;
        match open {
            Err(OperationError::CommitUnclear(unclear)) => {
                assert_eq!(unclear.run, RunId::new(Uuid::from_u128(1)));
            }
            other => panic!("{other:?}"),
        }
        let again = registered(&of_run(&world, 2, Some(1)), declare("vault", "a")).await;
        let adopted = again.unwrap().adopted_from.is_some();
        assert_eq!(adopted, landing == Landing::After, "{landing:?}");
    }
}

#[tokio::test]
async fn a_record_that_is_missing_is_no_end_and_a_tombstone_is() {
    let world = World::new();
    let process = world.warm().await;
    let view = declared(&process, "vault", "a").await;
    let refresh = async || {
        let process = world.process();
        let seen = Some(view.generation);
        process
            .backends()
            .refresh(&view.name, view.uuid, seen)
            .await
    };
    assert!(matches!(
        refresh().await.unwrap(),
        RefreshedBackend::Present(_)
    ));
    let key = RecordKey::new("backends/vault");
    let snapshot = world.catalog.snapshot();
    world.catalog.remove(&key).await.unwrap();
    assert_eq!(refresh().await.unwrap(), RefreshedBackend::RecordMissing);
    let interrupt = Interrupt::default();
    let refused = process.backends().update(change(&view), &interrupt).await;
    assert!(
        matches!(refused, Err(OperationError::BackendRecordMissing { .. })),
        "{refused:?}"
    );
    let deleted = delete(&process, &view).await.unwrap();
    assert_eq!(deleted.destroyed, Destroyed::RecordMissing);
    world.catalog.restore(snapshot);

    assert_eq!(delete(&process, &view).await.unwrap(), DONE);
    assert_eq!(refresh().await.unwrap(), RefreshedBackend::Gone);
}
