//! The secret or the backend that has a name, as a plan that needs the name finds it.

use super::backends::{declared, slug};
use super::*;
use crate::catalog::OnDestroy;
use crate::operations::KeptUnderItsName;
use crate::store::Landing;

#[tokio::test]
async fn a_name_is_held_by_a_secret_until_its_deletion_has_begun() {
    let world = World::new();
    let free = name("db");
    // The organization does not exist yet.
    assert_eq!(
        world.process().secrets().name_holder(&free).await.unwrap(),
        None
    );
    for (protection, on_destroy, kept) in [
        (false, OnDestroy::Delete, None),
        (false, OnDestroy::Forget, None),
        (false, OnDestroy::Retain, Some(KeptUnderItsName::Retained)),
        (true, OnDestroy::Retain, Some(KeptUnderItsName::Protected)),
    ] {
        let world = World::new();
        let mut request = create_of("db", given("x"));
        request.arguments.deletion_protection = protection;
        request.arguments.on_destroy = on_destroy;
        let process = world.warm().await;
        let interrupt = Interrupt::default();
        let made = process.secrets().create(request, &interrupt).await.unwrap();
        let holder = world.process().secrets().name_holder(&free).await.unwrap();
        let holder = holder.unwrap();
        assert_eq!((holder.uuid, holder.kept), (made.uuid, kept));
        assert_eq!(holder.owner, made.owner);
        let other = world.process().secrets().name_holder(&name("other")).await;
        assert_eq!(other.unwrap(), None);
    }

    let view = created(&world, "db", "x").await;
    world.fail_store(
        crate::store::StoreVerb::Delete,
        1,
        Landing::Before,
        crate::store::StoreErrorKind::Unavailable,
    );
    let process = world.process();
    let (delete, interrupt) = (own(&view), Interrupt::default());
    let begun = process.secrets().delete(&delete, &interrupt).await;
    begun.unwrap_err();
    let holder = world.process().secrets().name_holder(&free).await;
    assert_eq!(holder.unwrap(), None, "a creation finishes the deletion");
}

#[tokio::test]
async fn a_run_that_may_adopt_a_secret_finds_its_name_free() {
    let world = World::new();
    let interrupted = world.warm().await;
    let create = interrupted.secrets();
    let interrupt = Interrupt::default();
    let create = create.create(create_of("db", given("x")), &interrupt);
    create.await.unwrap();
    let resuming = world.resuming(&interrupted);
    let holder = resuming.secrets().name_holder(&name("db")).await;
    assert_eq!(holder.unwrap(), None);
}

#[tokio::test]
async fn a_free_name_takes_one_read_and_a_held_one_is_read_again() {
    let world = World::new();
    created(&world, "db", "x").await;
    let process = world.warm().await;
    for (asked, fenced) in [("other", 0), ("db", 1)] {
        let before = world.counts();
        process.secrets().name_holder(&name(asked)).await.unwrap();
        let expected = Counts {
            read: 1,
            fenced,
            ..Counts::default()
        };
        assert_eq!(world.counts() - before, expected, "{asked}");
    }
}

#[tokio::test]
async fn a_name_is_held_by_a_backend() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    let other = world.process();
    let holder = other.backends().name_holder(&slug("vault")).await.unwrap();
    let holder = holder.unwrap();
    assert_eq!((holder.uuid, holder.kept), (vault.uuid, None));
    let free = other.backends().name_holder(&slug("free")).await;
    assert_eq!(free.unwrap(), None);
    let resuming = world.resuming(&process);
    let holder = resuming.backends().name_holder(&slug("vault")).await;
    assert_eq!(holder.unwrap(), None);
}
