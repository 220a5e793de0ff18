//! Checks what a deletion removes, and what it keeps.

use super::payload::sample;
use super::{Outcome, expect_no_payload, expect_payload, name, never_given_out, put_versions};
use crate::store::{Deletion, SecretStore};

/// Checks that a deletion of an absent object succeeds.
pub async fn delete_missing_object_succeeds(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let known = name(store, prefix, "delete-known");
    let ids = put_versions(store, &known, 1).await?;
    let missing = name(store, prefix, "delete-missing");
    for what in [
        Deletion::Versions(ids.clone()),
        Deletion::Object {
            versions: ids.clone(),
        },
        Deletion::Object {
            versions: Vec::new(),
        },
    ] {
        store.delete(&missing, what).await?;
    }
    expect_payload(store, &known, &ids[0], &sample(store, 1)).await
}

/// Checks that a deletion is idempotent, so it can be retried after a lost response.
pub async fn delete_twice_succeeds(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let name = name(store, prefix, "delete-twice");
    let versions = put_versions(store, &name, 2).await?;
    for _ in 0..2 {
        let first = Deletion::Versions(vec![versions[0].clone()]);
        store.delete(&name, first).await?;
    }
    for _ in 0..2 {
        let versions = versions.clone();
        store.delete(&name, Deletion::Object { versions }).await?;
    }
    Ok(())
}

/// Checks that only the named version is deleted.
///
/// Without deletion of single versions, the request has no effect.
pub async fn delete_one_version_leaves_the_others(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "delete-one");
    let ids = put_versions(store, &name, 3).await?;
    let second = Deletion::Versions(vec![ids[1].clone()]);
    if store.capability().deletes_versions {
        store.delete(&name, second).await?;
        expect_no_payload(store, &name, &ids[1]).await?;
    } else {
        store.delete(&name, second).await?;
        expect_payload(store, &name, &ids[1], &sample(store, 2)).await?;
    }
    expect_payload(store, &name, &ids[0], &sample(store, 1)).await?;
    expect_payload(store, &name, &ids[2], &sample(store, 3)).await
}

/// Checks that a deletion of an absent version keeps the others.
pub async fn delete_unknown_version_leaves_the_others(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "delete-unknown");
    let ids = put_versions(store, &name, 1).await?;
    let unknown = Deletion::Versions(vec![never_given_out(&ids[0])]);
    store.delete(&name, unknown).await?;
    store.delete(&name, Deletion::Versions(Vec::new())).await?;
    expect_payload(store, &name, &ids[0], &sample(store, 1)).await
}

/// Checks that the deletion of an object removes every version.
pub async fn delete_object_removes_every_version(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let name = name(store, prefix, "delete-object");
    let ids = put_versions(store, &name, 3).await?;
    let object = Deletion::Object {
        versions: ids.clone(),
    };
    store.delete(&name, object).await?;
    for id in &ids {
        expect_no_payload(store, &name, id).await?;
    }
    Ok(())
}

/// Checks that the deletion of an object keeps the objects whose names begin with its
/// name.
pub async fn delete_object_leaves_objects_with_longer_names(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let short = name(store, prefix, "delete-prefix");
    let separator = store.capability().name.separator;
    let longer = [
        name(store, prefix, "delete-prefix-2"),
        name(store, prefix, &format!("delete-prefix{separator}2")),
    ];
    let versions = put_versions(store, &short, 1).await?;
    let mut ids = Vec::new();
    for name in &longer {
        ids.extend(put_versions(store, name, 1).await?);
    }
    store.delete(&short, Deletion::Object { versions }).await?;
    for (name, id) in longer.iter().zip(&ids) {
        expect_payload(store, name, id, &sample(store, 1)).await?;
    }
    Ok(())
}
