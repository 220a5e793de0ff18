//! What the keys deny to a rewrap is known before it changes anything.

use std::sync::Arc;

use super::*;
use crate::kek::{KekError, KekPins};
use crate::operations::tests::escrow::escrow;
use crate::operations::tests::kek_doubles::TestKek;

fn told(denials: &[KekError]) -> Vec<(KekErrorKind, &str)> {
    let each = denials.iter().map(|error| (error.kind(), error.path()));
    each.collect()
}

async fn denied(world: &World) -> Vec<KekError> {
    let process = world.warm().await;
    let keys = process.keys();
    keys.denied_to_rewrap(&slug("vault")).await.unwrap()
}

/// Denies some calls of keys, and returns what a rewrap of the backend would be denied. Checks
/// that finding it out writes nothing.
async fn denied_with(world: &World, denials: &[(&str, KekVerb)]) -> Vec<String> {
    for (key, verb) in denials {
        let key = world.kek_connector.key(key);
        key.deny(*verb, KekErrorKind::PermissionDenied);
    }
    let (writes, puts) = (world.counts().write, world.connector.place("a").payloads());
    let found = denied(world).await;
    assert_eq!(world.counts().write, writes);
    assert_eq!(world.connector.place("a").payloads(), puts);
    for (key, _) in denials {
        world.kek_connector.key(key).allow();
    }
    let named = |error: &KekError| {
        let keys = ["one", "two", "safe"].into_iter();
        let mut keys = keys.filter(|key| world.kek_connector.key(key).id().id == error.path());
        assert_eq!(error.kind(), KekErrorKind::PermissionDenied);
        keys.next().unwrap().to_owned()
    };
    found.iter().map(named).collect()
}

#[tokio::test]
async fn each_denied_permission_of_a_rewrap_is_found_before_anything_is_written() {
    use KekVerb::{Rewrap, Unwrap, Wrap};
    let world = World::new();
    moved(&world).await;
    assert!(denied(&world).await.is_empty());
    for (denials, expected) in [
        // The versions are under the former key: it unwraps, and the present ones wrap.
        (&[("one", Unwrap)][..], &["one"][..]),
        (&[("two", Wrap)], &["two"]),
        (&[("safe", Wrap)], &["safe"]),
        (
            &[("one", Unwrap), ("two", Wrap), ("safe", Wrap)],
            &["one", "two", "safe"],
        ),
        (&[("two", Rewrap), ("two", Unwrap), ("safe", Unwrap)], &[]),
    ] {
        assert_eq!(denied_with(&world, denials).await, expected, "{denials:?}");
    }
    rewrap(&world.warm().await).await.unwrap();
    world.kek_connector.key("two").rotate();
    for (denials, expected) in [
        // The service moves its own wraps, and those of the escrow key are the newest.
        (&[("two", Rewrap)][..], &["two"][..]),
        (&[("two", Wrap), ("two", Unwrap), ("safe", Wrap)], &[]),
    ] {
        assert_eq!(denied_with(&world, denials).await, expected, "{denials:?}");
    }
    rewrap(&world.warm().await).await.unwrap();
    let all = [Rewrap, Wrap, Unwrap].map(|verb| ("two", verb));
    assert!(denied_with(&world, &all).await.is_empty(), "nothing is due");
}

#[tokio::test]
async fn no_permission_is_asked_of_a_key_that_is_not_pinned() {
    let world = World::new();
    moved(&world).await;
    let two = world.kek_connector.key("two");
    let own = [world.kek.id(), world.mac_kek.id(), two.id()].map(pin_of);
    let pins = KekPins {
        organization: None,
        allowed_key_ids: Some(own.into()),
    };
    let safe = world.kek_connector.key("safe");
    let calls = safe.calls(KekVerb::Wrap);
    let process = world.warm().await.with_pins(pins);
    let denied = process.keys().denied_to_rewrap(&slug("vault")).await;
    assert!(denied.unwrap().is_empty());
    assert_eq!(safe.calls(KekVerb::Wrap), calls);
}

#[tokio::test]
async fn each_denied_permission_for_what_records_contain_is_found_before_anything_is_written() {
    use KekVerb::{Rewrap, Unwrap, Wrap};
    let mac_kek = Arc::new(TestKek::generate());
    let world = World {
        mac_kek,
        ..World::new()
    };
    let interrupt = Interrupt::default();
    let first = world.process();
    let escrow = escrow(&["safe"]);
    first.keys().initialize(&escrow, &interrupt).await.unwrap();
    world.kek_connector.require("own", "secret");
    let mut declared = keys(Some("own"), &[]);
    let own = declared.encryption.as_mut().unwrap();
    own.credential = Some([("password".to_owned(), "secret".into())].into());
    declared_with(&world.warm().await, declared).await;
    let found = async || {
        let writes = world.counts().write;
        let process = world.process();
        let denied = process.keys().denied_to_rewrap_records().await.unwrap();
        assert_eq!(world.counts().write, writes);
        told(&denied).len()
    };
    assert_eq!(found().await, 0);
    for verb in [Rewrap, Wrap] {
        world.mac_kek.deny(verb, KekErrorKind::PermissionDenied);
    }
    assert_eq!(found().await, 0, "nothing is due");
    world.mac_kek.rotate();
    assert_eq!(found().await, 1, "the MAC key's wrap");
    world.mac_kek.allow();
    let safe = world.kek_connector.key("safe");
    safe.deny(Wrap, KekErrorKind::PermissionDenied);
    assert_eq!(found().await, 1, "the escrow key's wrap of the MAC key");
    world.kek.rotate();
    world.kek.deny(Wrap, KekErrorKind::PermissionDenied);
    assert_eq!(found().await, 2, "a credential's wrap as well");
    world.kek.allow();
    safe.allow();
    assert_eq!(found().await, 0);
    world.kek.deny(Unwrap, KekErrorKind::PermissionDenied);
    assert_eq!(found().await, 1, "a credential's unwrap");
}
