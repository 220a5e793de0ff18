//! Checks that a store detects changes of its objects by others.

use super::payload::sample;
use super::{
    Gap, Halt, Outcome, Sabotage, ensure, expect_error, expect_no_payload, expect_payload, name,
    put_versions, status,
};
use crate::store::{
    Deletion, NativeVersionId, RemoteName, SecretStore, StoreErrorKind, VersionStatus,
};

/// Checks that a removed version is absent and its neighbour is not.
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

/// Checks that a removed object is absent.
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

/// Checks that replaced content is never returned as the version.
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

/// Checks that a removed version is missing while others exist.
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

/// Checks that a removed object is not found, instead of missing.
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

/// Checks that a replaced version is detected without reading its payload, as in a
/// refresh.
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

/// Checks that a deletion of a removed version or object succeeds.
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
    // The removal of the object was checked in any case.
    removed.or(Gap::NobodyRemovesOneVersion)
}

/// Puts two versions, then replaces the second.
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
