//! Checks what a put adds, and what it keeps.

use std::collections::BTreeSet;

use super::payload::sample;
use super::{
    Failure, Gap, Outcome, ensure, expect_error, expect_payload, name, options, put_versions,
};
use crate::store::{Deletion, PutOptions, SecretStore, StoreErrorKind};

/// Checks that a get returns the payload of the first put.
pub async fn put_first_version_can_be_read_back(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let name = name(store, prefix, "first");
    let payload = sample(store, 1);
    let id = store.put(&name, &payload, options(1)).await?;
    ensure(!id.as_str().is_empty(), || {
        "the native identifier is empty".to_owned()
    })?;
    expect_payload(store, &name, &id, &payload).await
}

/// Checks that a put is idempotent, so it can be retried after a lost response.
pub async fn put_same_attempt_twice_gives_one_version(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "same-attempt");
    let ids = put_versions(store, &name, 1).await?;
    let payload = sample(store, 2);
    let again = PutOptions {
        keep: ids.clone(),
        ..options(2)
    };
    let first = store.put(&name, &payload, again.clone()).await?;
    let second = store.put(&name, &payload, again).await?;
    ensure(first == second, || {
        format!("the same attempt gave {first} and {second}")
    })?;
    expect_payload(store, &name, &first, &payload).await?;
    expect_payload(store, &name, &ids[0], &sample(store, 1)).await
}

/// Checks that a retried attempt never changes the stored payload.
pub async fn put_same_attempt_with_another_payload_is_refused(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "attempt-payload");
    let payload = sample(store, 1);
    let attempt = options(1);
    let id = store.put(&name, &payload, attempt.clone()).await?;
    let other = store.put(&name, &sample(store, 2), attempt).await;
    // A store with the attempt in the version's path finds a foreign object there.
    expect_error(
        other,
        &[StoreErrorKind::Conflict, StoreErrorKind::AlreadyExists],
    )?;
    expect_payload(store, &name, &id, &payload).await
}

/// Checks that a second version keeps the first one unchanged.
pub async fn put_of_two_versions_keeps_both(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let name = name(store, prefix, "two");
    let ids = put_versions(store, &name, 2).await?;
    ensure(ids[0] != ids[1], || {
        format!("two versions have the identifier {}", ids[0])
    })?;
    expect_payload(store, &name, &ids[0], &sample(store, 1)).await?;
    expect_payload(store, &name, &ids[1], &sample(store, 2)).await
}

/// Checks that many puts keep the versions in `keep`.
///
/// Without a limit, every version remains; with one, the first and the newest.
pub async fn put_of_many_versions_keeps_those_named_in_keep(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "many");
    let Some(max) = store.capability().max_versions else {
        let ids = put_versions(store, &name, 12).await?;
        for (id, seed) in ids.iter().zip(1..) {
            expect_payload(store, &name, id, &sample(store, seed)).await?;
        }
        return Ok(());
    };
    let first = put_versions(store, &name, 1).await?.swap_remove(0);
    let mut newest = first.clone();
    let last = u64::from(max) + 2;
    for version in 2..=last {
        let kept = PutOptions {
            keep: vec![first.clone(), newest],
            ..options(version)
        };
        newest = store.put(&name, &sample(store, version), kept).await?;
    }
    expect_payload(store, &name, &first, &sample(store, 1)).await?;
    expect_payload(store, &name, &newest, &sample(store, last)).await
}

/// Checks that the versions of a recreated object have new identifiers.
///
/// A store that retains the names of deleted objects rejects the put.
pub async fn put_after_delete_gives_a_new_native_id(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "put-after-delete");
    let attempt = options(1);
    let payload = sample(store, 1);
    let old = store.put(&name, &payload, attempt.clone()).await?;
    let object = Deletion::Object {
        versions: vec![old.clone()],
    };
    store.delete(&name, object).await?;
    let mut keeps_name = false;
    // The payloads differ, since no envelope is sealed twice.
    for (seed, options) in [(2, options(2)), (3, attempt.clone())] {
        let is_new = options.attempt != attempt.attempt;
        let payload = sample(store, seed);
        match store.put(&name, &payload, options).await {
            Ok(new) => {
                ensure(new != old, || format!("{old} was given out again"))?;
                expect_payload(store, &name, &new, &payload).await?;
            }
            Err(error)
                if matches!(
                    error.kind(),
                    StoreErrorKind::AlreadyExists | StoreErrorKind::Conflict
                ) =>
            {
                keeps_name |= is_new;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let gone = store.get(&name, &old).await.map(|payload| payload.len());
    expect_error(gone, &[StoreErrorKind::NotFound, StoreErrorKind::Corrupt])?;
    if keeps_name {
        return Err(Gap::KeepsDeletedNames.into());
    }
    Ok(())
}

/// Checks that a further version never recreates an object that is gone, since no index
/// would contain it.
///
/// A store that keeps each version separately, or that sets a secret unconditionally,
/// has a gap.
pub async fn put_of_a_further_version_makes_no_object(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "further");
    let versions = put_versions(store, &name, 1).await?;
    let object = Deletion::Object {
        versions: versions.clone(),
    };
    store.delete(&name, object).await?;
    let further = PutOptions {
        keep: versions,
        ..options(2)
    };
    match store.put(&name, &sample(store, 2), further).await {
        Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(()),
        // The vendor retains the deleted object under its name.
        Err(error)
            if matches!(
                error.kind(),
                StoreErrorKind::AlreadyExists | StoreErrorKind::Conflict
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
        Ok(_) => Err(Gap::MakesObjectsAnew.into()),
    }
}

/// Checks that a put succeeds with any labels, even if the vendor does not allow them.
pub async fn put_with_labels_of_any_form_succeeds(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let name = name(store, prefix, "labels");
    let labels = [
        ("environment", "production"),
        ("Cost Center", "Zürich / 42"),
        ("empty", ""),
    ];
    let options = PutOptions {
        labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        ..options(1)
    };
    let payload = sample(store, 1);
    let id = store.put(&name, &payload, options).await?;
    expect_payload(store, &name, &id, &payload).await
}

/// Checks that concurrent puts under different names are independent.
pub async fn put_under_different_names_at_once_keeps_them_apart(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let put = |seed: u64| async move {
        let name = name(store, prefix, &format!("at-once-{seed}"));
        let payload = sample(store, seed);
        let id = store.put(&name, &payload, options(1)).await?;
        Ok::<_, Failure>((name, id, payload))
    };
    let (a, b, c, d) = tokio::join!(put(1), put(2), put(3), put(4));
    for (name, id, payload) in [a?, b?, c?, d?] {
        expect_payload(store, &name, &id, &payload).await?;
    }
    Ok(())
}

/// Checks that concurrent puts under one name add one version each, with its own
/// payload.
///
/// If an object has a maximum number of versions, a concurrent put may remove the
/// others.
pub async fn put_under_one_name_at_once_gives_each_its_own_version(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let name = &name(store, prefix, "one-name-at-once");
    let put = |seed: u64| async move {
        let payload = sample(store, seed);
        let id = store.put(name, &payload, options(1)).await?;
        Ok::<_, Failure>((id, payload))
    };
    let (a, b, c, d) = tokio::join!(put(1), put(2), put(3), put(4));
    let put = [a?, b?, c?, d?];
    let distinct: BTreeSet<&str> = put.iter().map(|(id, _)| id.as_str()).collect();
    ensure(distinct.len() == put.len(), || {
        format!("four puts gave the identifiers {distinct:?}")
    })?;
    let mut kept = 0;
    for (id, payload) in &put {
        match store.get(name, id).await {
            Ok(stored) => {
                ensure(stored == *payload, || format!("{id} has another payload"))?;
                kept += 1;
            }
            Err(error)
                if error.kind() == StoreErrorKind::NotFound
                    && store.capability().max_versions.is_some() => {}
            Err(error) => return Err(error.into()),
        }
    }
    ensure(kept > 0, || "none of four puts was kept".to_owned())
}
