//! Ownership of the default backend: the changes that another run may make.

use super::ownership::of_run;
use super::{chosen, declared, delete, slug};
use crate::catalog::{CatalogErrorKind, CatalogStore, CatalogVerb, RecordKey};
use crate::operations::tests::world::World;
use crate::operations::{
    DefaultSet, Destroyed, ExistingRecord, Interrupt, KnownDefault, OperationError, Organization,
    SetDefault, Stamp,
};
use crate::store::Landing;

#[tokio::test]
async fn the_default_is_set_once_resumed_by_its_run_and_given_back() {
    let world = World::new();
    let process = world.warm().await;
    for named in ["one", "two"] {
        declared(&process, named, named).await;
    }
    let first = chosen(&of_run(&world, 1, None), "one", "platform").await;
    let owner = first.owner.clone().unwrap();
    for (number, resumes) in [(2, None), (2, Some(3)), (1, Some(1))] {
        let refused = created(&of_run(&world, number, resumes), "one").await;
        match refused {
            Err(OperationError::DefaultBackendExists { existing, .. }) if number == 2 => {
                assert_eq!(*existing, ExistingRecord::new(owner.clone(), true));
            }
            Err(OperationError::DefaultBackendDeclaredTwice) if number == 1 => {}
            other => panic!("{other:?}"),
        }
    }
    // The deletion of another backend writes the record again, unchanged.
    let brief = declared(&process, "brief", "brief").await;
    delete(&process, &brief).await.unwrap();

    let tests = of_run(&world, 2, Some(1));
    let adopted = created(&tests, "one").await.unwrap();
    assert_eq!(adopted.adopted_from.as_ref(), Some(&owner));
    let interrupt = Interrupt::default();
    let unset = tests.default_backend().unset(known(&adopted), &interrupt);
    let former = Box::new(owner.clone());
    assert_eq!(unset.await.unwrap(), Destroyed::ReturnedToOwner(former));
    let view = process.default_backend().view().await.unwrap();
    assert_eq!((view.backend, view.owner), (slug("one"), Some(owner)));

    // The resuming run sets another backend, in the same commit.
    let adopted = created(&of_run(&world, 4, Some(1)), "two").await.unwrap();
    assert_eq!(adopted.view.backend, slug("two"));
    let untouched = created(&of_run(&world, 5, Some(4)), "two").await.unwrap();
    assert!(untouched.adopted_from.is_some());
}

#[tokio::test]
async fn the_default_of_another_state_is_neither_changed_nor_unset() {
    let world = World::new();
    let process = world.warm().await;
    for named in ["one", "two"] {
        declared(&process, named, named).await;
    }
    let first = created(&of_run(&world, 1, None), "one").await.unwrap();
    let taken = created(&of_run(&world, 2, Some(1)), "one").await.unwrap();
    let interrupt = Interrupt::default();
    let change = |backend: &str, set: &DefaultSet| SetDefault {
        backend: slug(backend),
        before: Some(known(set)),
        replaces: None,
    };
    let refused = process
        .default_backend()
        .set(change("two", &first), &interrupt);
    assert!(matches!(
        refused.await,
        Err(OperationError::DefaultBackendOwnedByAnother { .. })
    ));
    let left = process
        .default_backend()
        .unset(known(&first), &interrupt)
        .await;
    let owner = Box::new(taken.view.owner.clone().unwrap());
    assert_eq!(left.unwrap(), Destroyed::OwnedByAnotherState(owner));
    let own = process
        .default_backend()
        .set(change("two", &taken), &interrupt);
    let own = own.await.unwrap();
    assert_eq!(own.view.backend, slug("two"));
    assert_eq!(own.view.owner, taken.view.owner, "the stamp stays");
    // It was changed since, so its run can no longer be resumed.
    let refused = created(&of_run(&world, 3, Some(2)), "two").await;
    assert!(matches!(
        refused,
        Err(OperationError::DefaultBackendExists { existing, .. }) if !existing.is_untouched
    ));
    let unset = process
        .default_backend()
        .unset(known(&own), &interrupt)
        .await;
    assert_eq!(unset.unwrap(), Destroyed::Done);
    let unset = process
        .default_backend()
        .unset(known(&own), &interrupt)
        .await;
    assert_eq!(unset.unwrap(), Destroyed::Done);
    let view = process.default_backend().view().await.unwrap();
    assert_eq!((view.backend, view.owner), (slug("platform"), None));
    created(&of_run(&world, 3, None), "one").await.unwrap();

    world
        .catalog
        .remove(&RecordKey::new("default"))
        .await
        .unwrap();
    let missing = process
        .default_backend()
        .unset(known(&own), &interrupt)
        .await;
    assert_eq!(missing.unwrap(), Destroyed::RecordMissing);
    let missing = process
        .default_backend()
        .set(change("one", &own), &interrupt);
    assert!(matches!(
        missing.await,
        Err(OperationError::DefaultBackendRecordMissing)
    ));
}

#[tokio::test]
async fn a_default_whose_response_was_lost_is_set_and_a_rivals_is_not_taken_for_it() {
    let world = World::new();
    let process = world.warm().await;
    for named in ["one", "two"] {
        declared(&process, named, named).await;
    }
    let conflict = CatalogErrorKind::Conflict;
    world.fail_catalog(CatalogVerb::Write, 1, Landing::After, conflict);
    let set = created(&of_run(&world, 1, None), "one").await.unwrap();
    assert_eq!(set.view.backend, slug("one"));
    let interrupt = Interrupt::default();
    let unset = process.default_backend().unset(known(&set), &interrupt);
    assert_eq!(unset.await.unwrap(), Destroyed::Done);

    let rival = of_run(&world, 2, None);
    world.catalog.before(CatalogVerb::Write, 1, async move {
        created(&rival, "two").await.unwrap();
    });
    let refused = created(&of_run(&world, 3, None), "one").await;
    assert!(refused.is_err(), "{refused:?}");
    let view = process.default_backend().view().await.unwrap();
    assert_eq!(view.backend, slug("two"));
}

/// A replacement that is created before the old choice is unset (protocol 6.11).
#[tokio::test]
async fn a_choice_is_replaced_by_the_state_that_owns_it_alone() {
    let world = World::new();
    let process = world.warm().await;
    for named in ["one", "two"] {
        declared(&process, named, named).await;
    }
    let first = created(&of_run(&world, 1, None), "one").await.unwrap();
    let stamp = |set: &DefaultSet| set.view.owner.as_ref().map(|owner| owner.stamp);
    let replacing = of_run(&world, 2, None);
    let second = replaced(&replacing, "two", stamp(&first)).await.unwrap();
    assert_eq!(second.adopted_from, None);
    assert_ne!(stamp(&second), stamp(&first));
    let interrupt = Interrupt::default();
    // The deletion of the old one leaves the new choice, in this run and in a later one.
    let unset = replacing
        .default_backend()
        .unset(known(&first), &interrupt)
        .await;
    assert_eq!(unset.unwrap(), Destroyed::Done);
    let owner = Box::new(second.view.owner.clone().unwrap());
    let late = of_run(&world, 3, None);
    let left = late
        .default_backend()
        .unset(known(&first), &interrupt)
        .await;
    assert_eq!(left.unwrap(), Destroyed::OwnedByAnotherState(owner.clone()));
    // A state whose stamp is no longer that of the record replaces nothing.
    let refused = replaced(&late, "one", stamp(&first)).await;
    match refused {
        Err(OperationError::DefaultBackendExists { existing, .. }) => {
            assert_eq!(existing.owner, *owner);
        }
        other => panic!("{other:?}"),
    }
    let view = process.default_backend().view().await.unwrap();
    assert_eq!((view.backend, view.owner), (slug("two"), Some(*owner)));
    let unset = late.default_backend().unset(known(&second), &interrupt);
    assert_eq!(unset.await.unwrap(), Destroyed::Done);
    let view = process.default_backend().view().await.unwrap();
    assert_eq!((view.backend, view.owner), (slug("platform"), None));
}

async fn created(process: &Organization, backend: &str) -> Result<DefaultSet, OperationError> {
    replaced(process, backend, None).await
}

async fn replaced(
    process: &Organization,
    backend: &str,
    replaces: Option<Stamp>,
) -> Result<DefaultSet, OperationError> {
    let request = SetDefault {
        backend: slug(backend),
        before: None,
        replaces,
    };
    let interrupt = Interrupt::default();
    process.default_backend().set(request, &interrupt).await
}

fn known(set: &DefaultSet) -> KnownDefault {
    KnownDefault {
        backend: set.view.backend.clone(),
        stamp: set.view.owner.as_ref().map(|owner| owner.stamp),
    }
}
