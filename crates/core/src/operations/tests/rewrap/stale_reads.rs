//! A rewrap takes the keys as another process has just left them, behind a lagging standby.

use super::*;
use crate::catalog::ORGANIZATION_RECORD;
use crate::operations::DeclaredKek;

fn wrapped_for(envelope: &Envelope) -> Vec<&planton_envelope::KekId> {
    let wraps = envelope.wrapped_keys().iter();
    wraps.map(|(kek, _)| kek).collect()
}

#[tokio::test]
async fn a_rewrap_wraps_for_an_escrow_key_that_was_added_a_moment_ago() {
    let world = World::new();
    created(&world, "db", "hunter2").await;
    let organization = RecordKey::new(ORGANIZATION_RECORD);
    let before = world.catalog.snapshot();
    let fingerprint = world.warm().await.keys().fingerprint().await.unwrap();
    let safe = world.kek_connector.key("safe");
    let pins = crate::kek::KekPins {
        organization: Some(fingerprint),
        allowed_key_ids: Some([pin_of(world.kek.id()), pin_of(safe.id())].into()),
    };
    let other = world.process().with_pins(pins.clone());
    let declared: DeclaredKek = keys(None, &["safe"]).escrow.remove(0);
    let interrupt = Interrupt::default();
    let added = other.keys().add_escrow(declared, &interrupt).await;
    assert!(added.unwrap().is_changed);

    // This process has read the record from a standby that has not seen the change, and kept
    // it.
    world.catalog.serve_stale_from(&before, &organization);
    let process = world.process().with_pins(pins);
    let status = process.keys().status().await.unwrap();
    assert!(status.escrow.is_empty(), "the read was not stale");
    let platform = slug("platform");
    let progress = process.keys().rewrap(&platform, &|_| {}, &interrupt);
    assert_eq!(progress.await.unwrap().rewrapped, 1);

    let secret = world.document(&name("db")).await.current.unwrap();
    let version = secret.versions.last().unwrap();
    let stored = world.store.get(&secret.remote_name, &version.native_id);
    let envelope = Envelope::parse_stored(&stored.await.unwrap()).unwrap();
    assert_eq!(wrapped_for(&envelope), [world.kek.id(), safe.id()]);
}

#[tokio::test]
async fn a_rewrap_wraps_for_the_keys_that_its_backend_got_a_moment_ago() {
    let world = World::new();
    let process = world.warm().await;
    let backend = declared_with(&process, keys(Some("one"), &[])).await;
    create(&process, "db", Some("vault")).await.unwrap();
    let before = world.catalog.snapshot();
    let interrupt = Interrupt::default();
    let update = UpdateBackend {
        keys: keys(Some("two"), &["safe"]),
        ..change(&backend)
    };
    let other = world.warm().await;
    other.backends().update(update, &interrupt).await.unwrap();

    let record = RecordKey::new("backends/vault");
    world.catalog.serve_stale_from(&before, &record);
    let late = world.warm().await;
    // It has opened the backend by the older record.
    create(&late, "api", Some("vault")).await.unwrap();
    let progress = rewrap(&late).await.unwrap();
    assert_eq!((progress.rewrapped, progress.failed.len()), (2, 0));
    let ids = ["two", "safe"].map(|key| world.kek_connector.key(key).id().clone());
    for named in ["db", "api"] {
        for envelope in &envelopes(&world, named).await {
            assert_eq!(wrapped_for(envelope), ids.iter().collect::<Vec<_>>());
        }
    }
}
