//! Credentials of escrow keys.

use super::keys::{declared_with, envelope, keys};
use super::{change, create, slug};
use crate::catalog::RecordKey;
use crate::kek::{KekErrorKind, KeyEncryptionKey};
use crate::operations::tests::world::World;
use crate::operations::{Interrupt, OperationError, UpdateBackend};

#[tokio::test]
async fn a_credential_of_an_escrow_key_is_sealed_and_serves_a_write_and_a_rewrap_until_renewed() {
    let world = World::new();
    let process = world.warm().await;
    world.kek_connector.require("safe", "hunter3");
    let with = |password: &str| {
        let mut declared = keys(Some("own"), &["safe"]);
        declared.escrow[0].credential = Some([("password".to_owned(), password.into())].into());
        declared
    };
    let backend = declared_with(&process, with("hunter3")).await;
    let body = world.stored(&RecordKey::new("backends/vault")).await;
    let body = body.unwrap().body;
    assert!(
        body.contains("pse1.") && !body.contains("hunter3"),
        "{body}"
    );
    let safe = world.kek_connector.key("safe").id().id.clone();
    let process = world.warm().await;
    create(&process, "db", Some("vault")).await.unwrap();
    let (before, named) = envelope(&world, "db").await;
    assert_eq!(named[1], safe);

    // A rewrap opens the sealed credential as well.
    for key in ["own", "safe"] {
        world.kek_connector.key(key).rotate();
    }
    let (interrupt, vault) = (Interrupt::default(), slug("vault"));
    let rewrapped = world.warm().await;
    let rewrapped = rewrapped.keys().rewrap(&vault, &|_| {}, &interrupt).await;
    assert_eq!(rewrapped.unwrap().rewrapped, 1);
    let (after, named) = envelope(&world, "db").await;
    assert_eq!(named[1], safe);
    assert_ne!(after.wraps_digest(), before.wraps_digest());

    // The service has another credential now. Neither opens with the sealed one, and the backend
    // is not saved with a wrong one.
    world.kek_connector.require("safe", "hunter4");
    let login = |error: OperationError| match error {
        OperationError::Kek(error) | OperationError::KeyProbeFailed { error, .. } => error.kind(),
        other => panic!("{other:?}"),
    };
    let created = create(&world.warm().await, "next", Some("vault")).await;
    assert_eq!(login(created.unwrap_err()), KekErrorKind::Unauthenticated);
    let update = |password| UpdateBackend {
        keys: with(password),
        ..change(&backend)
    };
    let process = world.warm().await;
    let wrong = process
        .backends()
        .update(update("hunter3"), &interrupt)
        .await;
    assert_eq!(login(wrong.unwrap_err()), KekErrorKind::Unauthenticated);
    let renewed = process
        .backends()
        .update(update("hunter4"), &interrupt)
        .await;
    renewed.unwrap();
    create(&world.warm().await, "next", Some("vault"))
        .await
        .unwrap();
    assert_eq!(envelope(&world, "next").await.1[1], safe);
}
