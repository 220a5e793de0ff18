//! Two names whose hashes collide share a document, and neither secret is taken for the
//! other. The documents are written by hand, since such names cannot be found.

use super::*;
use crate::catalog::{SecretDocument, SecretState};
use crate::operations::Replaces;

/// Stores the secret "other" under the record key of "db".
async fn collided(world: &World, state: SecretState) -> (SecretView, SecretDocument) {
    let view = created(world, "db", "theirs").await;
    let mut document = world.document(&view.name).await;
    let secret = document.current.as_mut().unwrap();
    secret.name = name("other");
    secret.state = state;
    world.write_document(&name("db"), &document).await;
    (view, document)
}

#[tokio::test]
async fn a_colliding_secret_is_never_read_adopted_changed_or_deleted() {
    for state in [SecretState::Ready, SecretState::Deleting] {
        let world = World::new();
        let (view, document) = collided(&world, state).await;
        let process = world.warm().await;
        let interrupt = Interrupt::default();
        for value in ["theirs", "mine"] {
            for replaces in [Vec::new(), vec![Replaces::Named(view.uuid)]] {
                let create = CreateSecret {
                    replaces,
                    ..create_of("db", given(value))
                };
                let refused = process.secrets().create(create, &interrupt).await;
                let exists = matches!(refused, Err(OperationError::AlreadyExists { .. }));
                assert!(exists, "{state:?}: {refused:?}");
            }
        }
        let found = process.secrets().find(&name("db")).await;
        assert!(
            matches!(found, Err(OperationError::SecretNotFound { .. })),
            "{found:?}"
        );
        let opened = world.value("db").await;
        assert!(
            matches!(opened, Err(OperationError::SecretNotFound { .. })),
            "{opened:?}"
        );
        assert_eq!(refreshed(&world, &view).await.unwrap(), Refreshed::Gone);
        let request = UpdateSecret {
            generation: document.generation,
            ..rotate(&view, "mine")
        };
        let updated = process.secrets().update(request, &interrupt).await;
        assert!(
            matches!(updated, Err(OperationError::SecretNotFound { .. })),
            "{updated:?}"
        );
        process
            .secrets()
            .delete(&any(&name("db"), view.uuid), &interrupt)
            .await
            .unwrap();

        assert_eq!(world.document(&name("db")).await, document, "{state:?}");
        let counts = world.counts();
        assert_eq!(
            (counts.put, counts.get, counts.delete),
            (1, 0, 0),
            "{state:?}"
        );
    }
}

#[tokio::test]
async fn a_uuid_still_finds_its_secret() {
    let world = World::new();
    let (view, _) = collided(&world, SecretState::Ready).await;
    let found = world
        .process()
        .secrets()
        .find_by_uuid(view.uuid)
        .await
        .unwrap();
    assert_eq!(found.name, name("other"));
}
