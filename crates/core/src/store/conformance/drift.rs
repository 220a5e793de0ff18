//! What a store says of changes behind our back.

use super::payload::sample;
use super::{
    Gap, Halt, Outcome, Sabotage, ensure, expect_error, expect_no_payload, expect_payload, name,
    put_versions, status,
};
use crate::store::{
    Deletion, NativeVersionId, RemoteName, SecretStore, StoreErrorKind, VersionStatus,
};

/// A version that someone removed is gone; its neighbour is not.
pub async fn get_removed_version_is_not_found(
    store: &dyn SecretStore,
    sabotage: &dyn Sabotage,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "drift-get-version");
    let ids = put_versions(store, &name, 2).await?;
    let removed = sabotage.remove_version(&name, &ids[1]).await;
    removed.or(Gap::NobodyRemovesOneVersion)?;
    expect_no_payload(store, &name, &ids[1]).await?;
    expect_payload(store, &name, &ids[0], &sample(store, 1)).await
}

/// An object that someone removed is gone.
pub async fn get_removed_object_is_not_found(
    store: &dyn SecretStore,
    sabotage: &dyn Sabotage,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "drift-get-object");
    let ids = put_versions(store, &name, 2).await?;
    sabotage.remove_object(&name, &ids).await;
    expect_no_payload(store, &name, &ids[0]).await?;
    expect_no_payload(store, &name, &ids[1]).await
}

/// What someone put in a version's place is never given out as that version.
pub async fn get_replaced_version_is_corrupt_or_not_found(
    store: &dyn SecretStore,
    sabotage: &dyn Sabotage,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "drift-get-replaced");
    let (id, _) = replaced(store, sabotage, &name).await?;
    expect_error(
        store.get(&name, &id).await.map(|payload| payload.len()),
        &[StoreErrorKind::Corrupt, StoreErrorKind::NotFound],
    )
}

/// A version that someone removed is missing while others are there.
pub async fn describe_removed_version_is_missing(
    store: &dyn SecretStore,
    sabotage: &dyn Sabotage,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "drift-describe-version");
    let ids = put_versions(store, &name, 2).await?;
    let removed = sabotage.remove_version(&name, &ids[1]).await;
    removed.or(Gap::NobodyRemovesOneVersion)?;
    let status = status(store, &name, &ids[1], &ids).await?;
    ensure(status == VersionStatus::Missing, || {
        format!("a removed version is {status:?}")
    })
}

/// An object that someone removed is not found, which is more than missing.
pub async fn describe_removed_object_is_not_found(
    store: &dyn SecretStore,
    sabotage: &dyn Sabotage,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "drift-describe-object");
    let ids = put_versions(store, &name, 2).await?;
    sabotage.remove_object(&name, &ids).await;
    expect_error(
        status(store, &name, &ids[1], &ids).await,
        &[StoreErrorKind::NotFound],
    )
}

/// A refresh sees that a version is not the one that was put, without reading
/// its payload.
pub async fn describe_replaced_version_is_not_present(
    store: &dyn SecretStore,
    sabotage: &dyn Sabotage,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "drift-describe-replaced");
    let (id, ids) = replaced(store, sabotage, &name).await?;
    let replaced = status(store, &name, &id, &ids).await?;
    ensure(
        matches!(replaced, VersionStatus::Replaced | VersionStatus::Missing),
        || format!("a replaced version is {replaced:?}"),
    )?;
    let other = status(store, &name, &ids[0], &ids).await?;
    ensure(other == VersionStatus::Present, || {
        format!("the other version is {other:?}")
    })
}

/// What someone removed already counts as removed.
pub async fn delete_of_what_was_removed_succeeds(
    store: &dyn SecretStore,
    sabotage: &dyn Sabotage,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "drift-delete");
    let versions = put_versions(store, &name, 2).await?;
    let removed = sabotage.remove_version(&name, &versions[0]).await;
    let first = Deletion::Versions(vec![versions[0].clone()]);
    store.delete(&name, first).await?;
    sabotage.remove_object(&name, &versions).await;
    store.delete(&name, Deletion::Object { versions }).await?;
    // The object at least was checked.
    removed.or(Gap::NobodyRemovesOneVersion)
}

/// Puts two versions and has the second replaced.
async fn replaced(
    store: &dyn SecretStore,
    sabotage: &dyn Sabotage,
    name: &RemoteName,
) -> Result<(NativeVersionId, Vec<NativeVersionId>), Halt> {
    let ids = put_versions(store, name, 2).await?;
    let payload = sample(store, 3);
    let replaced = sabotage.replace_version(name, &ids[1], &payload).await;
    replaced.or(Gap::NobodyReplacesAVersion)?;
    Ok((ids[1].clone(), ids))
}
