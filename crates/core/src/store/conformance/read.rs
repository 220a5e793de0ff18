//! Checks the results of get and describe for present and absent versions.

use super::payload::sample;
use super::{
    Gap, Outcome, ensure, expect_error, expect_no_payload, expect_payload, name, never_given_out,
    put_versions, status,
};
use crate::store::{Deletion, SecretStore, StoreErrorKind, VersionStatus};

/// Checks that a get of an object that never existed is not found.
pub async fn get_unknown_object_is_not_found(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let known = name(store, prefix, "get-known");
    let ids = put_versions(store, &known, 1).await?;
    let unknown = name(store, prefix, "get-unknown");
    expect_no_payload(store, &unknown, &ids[0]).await
}

/// Checks that a get of a version that never existed is not found.
pub async fn get_unknown_version_is_not_found(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let name = name(store, prefix, "get-unknown-version");
    let ids = put_versions(store, &name, 1).await?;
    expect_no_payload(store, &name, &never_given_out(&ids[0])).await
}

/// Checks that a get of a deleted version is not found, instead of empty.
pub async fn get_deleted_version_is_not_found_never_empty(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    if !store.capability().deletes_versions {
        return Err(Gap::DeletesNoVersion.into());
    }
    let name = name(store, prefix, "get-deleted-version");
    let ids = put_versions(store, &name, 2).await?;
    let first = Deletion::Versions(vec![ids[0].clone()]);
    store.delete(&name, first).await?;
    expect_no_payload(store, &name, &ids[0]).await
}

/// Checks that no version of a deleted object can be read.
pub async fn get_version_of_a_deleted_object_is_not_found_never_empty(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "get-deleted-object");
    let ids = put_versions(store, &name, 1).await?;
    let object = Deletion::Object {
        versions: ids.clone(),
    };
    store.delete(&name, object).await?;
    expect_no_payload(store, &name, &ids[0]).await
}

/// Checks that every version is present, not only the newest.
pub async fn describe_each_version_is_present(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let name = name(store, prefix, "describe-present");
    let ids = put_versions(store, &name, 2).await?;
    for id in &ids {
        let status = status(store, &name, id, &ids).await?;
        ensure(status == VersionStatus::Present, || {
            format!("{id} is {status:?}")
        })?;
    }
    Ok(())
}

/// Checks that a version that never existed is missing from its object.
pub async fn describe_unknown_version_is_missing(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let name = name(store, prefix, "describe-unknown-version");
    let ids = put_versions(store, &name, 1).await?;
    let unknown = never_given_out(&ids[0]);
    let status = status(store, &name, &unknown, &ids).await?;
    ensure(status == VersionStatus::Missing, || {
        format!("a version that never was is {status:?}")
    })
}

/// Checks that a deleted version is missing while others are present.
pub async fn describe_deleted_version_is_missing(store: &dyn SecretStore, prefix: &str) -> Outcome {
    if !store.capability().deletes_versions {
        return Err(Gap::DeletesNoVersion.into());
    }
    let name = name(store, prefix, "describe-deleted-version");
    let ids = put_versions(store, &name, 2).await?;
    let first = Deletion::Versions(vec![ids[0].clone()]);
    store.delete(&name, first).await?;
    let deleted = status(store, &name, &ids[0], &ids).await?;
    ensure(deleted == VersionStatus::Missing, || {
        format!("a deleted version is {deleted:?}")
    })?;
    let other = status(store, &name, &ids[1], &ids).await?;
    ensure(other == VersionStatus::Present, || {
        format!("the other version is {other:?}")
    })?;
    expect_payload(store, &name, &ids[1], &sample(store, 2)).await
}

/// Checks that an object that never existed is not found.
pub async fn describe_unknown_object_is_not_found(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let known = name(store, prefix, "describe-known");
    let ids = put_versions(store, &known, 1).await?;
    let unknown = name(store, prefix, "describe-unknown");
    expect_error(
        status(store, &unknown, &ids[0], &ids).await,
        &[StoreErrorKind::NotFound],
    )
}

/// Checks that a deleted object is not found.
pub async fn describe_deleted_object_is_not_found(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "describe-deleted-object");
    let ids = put_versions(store, &name, 2).await?;
    let object = Deletion::Object {
        versions: ids.clone(),
    };
    store.delete(&name, object).await?;
    expect_error(
        status(store, &name, &ids[1], &ids).await,
        &[StoreErrorKind::NotFound],
    )
}
