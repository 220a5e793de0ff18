//! What get and describe say of what is there, and of what is not.

use super::payload::sample;
use super::{
    Gap, Outcome, ensure, expect_error, expect_no_payload, expect_payload, name, never_given_out,
    put_versions, status,
};
use crate::store::{Deletion, SecretStore, StoreErrorKind, VersionStatus};

/// Nothing was ever put.
pub async fn get_unknown_object_is_not_found(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let known = name(store, prefix, "get-known");
    let ids = put_versions(store, &known, 1).await?;
    let unknown = name(store, prefix, "get-unknown");
    expect_no_payload(store, &unknown, &ids[0]).await
}

/// The object is there, the version never was.
pub async fn get_unknown_version_is_not_found(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let name = name(store, prefix, "get-unknown-version");
    let ids = put_versions(store, &name, 1).await?;
    expect_no_payload(store, &name, &never_given_out(&ids[0])).await
}

/// A deleted version is gone, and not empty.
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

/// Nothing of a deleted object can be read.
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

/// Every version that was put is there, not the newest only.
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

/// The object is there, the version never was.
pub async fn describe_unknown_version_is_missing(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let name = name(store, prefix, "describe-unknown-version");
    let ids = put_versions(store, &name, 1).await?;
    let unknown = never_given_out(&ids[0]);
    let status = status(store, &name, &unknown, &ids).await?;
    ensure(status == VersionStatus::Missing, || {
        format!("a version that never was is {status:?}")
    })
}

/// A deleted version is missing while others are there.
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

/// Nothing was ever put.
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

/// A deleted object is gone as a whole.
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
