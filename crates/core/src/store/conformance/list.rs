//! Checks that a listing finds what was put, and nothing that was deleted.

use super::{Failure, Outcome, name, put_versions};
use crate::store::{
    Absence, Deletion, DescribeOptions, ListObjects, NativeVersionId, RemoteName, SecretStore,
    VersionStatus,
};

/// Checks that a listing contains each object until it is deleted.
///
/// A store without a listing has nothing to check.
pub async fn list_contains_each_object_until_it_is_deleted(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let Some(listing) = store.listing() else {
        return Ok(());
    };
    let one = name(store, prefix, "list-one");
    let versions = put_versions(store, &one, 1).await?;
    let (folder, leaf) = split(&one)?;
    let expected = |children: Vec<String>| children.iter().filter(|child| *child == leaf).count();
    if expected(listing.children(folder).await?) != 1 {
        return Err(Failure::new("an object is not listed exactly once").into());
    }
    store.delete(&one, Deletion::Object { versions }).await?;
    if expected(listing.children(folder).await?) != 0 {
        return Err(Failure::new("a deleted object is listed").into());
    }
    if !listing
        .children(&format!("{folder}/{leaf}/none"))
        .await?
        .is_empty()
    {
        return Err(Failure::new("a folder without objects is not empty").into());
    }
    Ok(())
}

/// Checks that a listing returns the versions that the caller does not know, with the time of
/// their put and an identifier that deletes them.
pub async fn list_returns_the_versions_that_are_not_known(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let Some(listing) = store.listing() else {
        return Ok(());
    };
    let name = name(store, prefix, "list-versions");
    let before = jiff::Timestamp::now() - CLOCK_SKEW;
    let ids = put_versions(store, &name, 3).await?;
    let after = jiff::Timestamp::now() + CLOCK_SKEW;
    expect_versions(listing, &name, (&ids, 0)).await?;
    let (unknown, known) = (&ids[0], &ids[1..]);
    let [found] = &listing.versions_besides(&name, known).await?[..] else {
        return Err(Failure::new("one version is not known, and another number is listed").into());
    };
    if found.written_at < before || found.written_at > after {
        return Err(Failure::new(format!("{found:?} was not written at that time")).into());
    }
    if listing.versions_besides(&name, known).await? != [found.clone()] {
        return Err(Failure::new("a version is listed in another way each time").into());
    }
    expect_versions(listing, &name, (&[], 3)).await?;
    let one = Deletion::Versions(vec![found.id.clone()]);
    store.delete(&name, one).await?;
    expect_versions(listing, &name, (known, 0)).await?;
    expect_versions(listing, &name, (&[], 2)).await?;
    let options = DescribeOptions {
        version: unknown.clone(),
        others: known.to_vec(),
        absence: Absence::Confirmed,
    };
    if store.describe(&name, options).await? == VersionStatus::Present {
        return Err(Failure::new("the identifier of a listing deleted another version").into());
    }
    let versions = known.to_vec();
    store.delete(&name, Deletion::Object { versions }).await?;
    expect_versions(listing, &name, (&[], 0)).await
}

/// Difference between the clocks of this machine and of the store.
const CLOCK_SKEW: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

async fn expect_versions(
    listing: &dyn ListObjects,
    name: &RemoteName,
    (known, expected): (&[NativeVersionId], usize),
) -> Outcome {
    let found = listing.versions_besides(name, known).await?;
    match found.len() == expected {
        true => Ok(()),
        false => Err(Failure::new(format!("{found:?} instead of {expected} versions")).into()),
    }
}

fn split(name: &RemoteName) -> Result<(&str, &str), Failure> {
    let parts = name.as_str().rsplit_once('/');
    parts.ok_or_else(|| Failure::new("a listing needs names of several parts"))
}
