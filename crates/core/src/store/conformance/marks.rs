//! Checks that a listing of marks has each version that exists, and no other.

use super::{Failure, Outcome, Sabotage, ensure, name, put_versions};
use crate::marks::{ListedMarks, Mark, MarkQuery};
use crate::store::{Deletion, NativeVersionId, RemoteName, SecretStore};

/// Checks that a listing of marks has each version until it is deleted, and that those of other
/// folders are in none.
///
/// A store without a listing has nothing to check.
pub async fn list_marks_has_each_version_until_it_is_deleted(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let folder = format!("{prefix}-marks");
    let [one, other] = ["one", "one-more"].map(|last| name(store, &folder, last));
    let neighbour = name(store, &format!("{folder}0"), "one");
    if listed(store, &folder).await?.is_none() {
        return Ok(());
    }
    let ids = put_versions(store, &one, 3).await?;
    let others = put_versions(store, &other, 2).await?;
    put_versions(store, &neighbour, 1).await?;
    let expected = async |of_one: &[NativeVersionId], of_other: &[NativeVersionId]| {
        let mut expected = marks(store, &one, of_one)?;
        expected.extend(marks(store, &other, of_other)?);
        expect(store, &folder, expected).await
    };
    expected(&ids, &others).await?;
    let deleted = Deletion::Versions(vec![ids[1].clone()]);
    store.delete(&one, deleted).await?;
    expected(&[ids[0].clone(), ids[2].clone()], &others).await?;
    let versions = ids.clone();
    store.delete(&one, Deletion::Object { versions }).await?;
    expected(&[], &others).await
}

/// Checks that a listing of marks lacks a version that others removed or replaced.
pub async fn list_marks_lacks_what_was_removed_or_replaced(
    store: &dyn SecretStore,
    sabotage: &dyn Sabotage,
    prefix: &str,
) -> Outcome {
    let folder = format!("{prefix}-marks");
    if listed(store, &folder).await?.is_none() {
        return Ok(());
    }
    let [kept, removed, replaced] =
        ["kept", "removed", "replaced"].map(|last| name(store, &folder, last));
    let ids = put_versions(store, &kept, 1).await?;
    let of_removed = put_versions(store, &removed, 1).await?;
    let of_replaced = put_versions(store, &replaced, 1).await?;
    let mut expected = marks(store, &kept, &ids)?;
    expected.extend(marks(store, &removed, &of_removed)?);
    expected.extend(marks(store, &replaced, &of_replaced)?);
    expect(store, &folder, expected).await?;
    sabotage.remove_object(&removed, &of_removed).await;
    let payload = b"of another program";
    let sabotaged = sabotage.replace_version(&replaced, &of_replaced[0], payload);
    let gap = sabotaged.await == super::Sabotaged::Impossible;
    let listed = listed(store, &folder).await?.unwrap_or_default();
    let has = |name, ids: &[NativeVersionId]| -> Result<bool, Failure> {
        Ok(marks(store, name, ids)?
            .iter()
            .all(|mark| listed.contains(mark)))
    };
    ensure(has(&kept, &ids)?, || "a version is not listed".to_owned())?;
    ensure(!has(&removed, &of_removed)?, || {
        "a removed version is listed".to_owned()
    })?;
    ensure(gap || !has(&replaced, &of_replaced)?, || {
        "a replaced version is listed".to_owned()
    })
}

/// Returns the marks of versions, which a store with a listing knows after the puts.
fn marks(
    store: &dyn SecretStore,
    name: &RemoteName,
    ids: &[NativeVersionId],
) -> Result<Vec<Mark>, Failure> {
    let marks = ids.iter().map(|id| store.mark(name, id));
    let marks: Option<Vec<Mark>> = marks.collect();
    marks.ok_or_else(|| Failure::new("a version that was put has no mark"))
}

async fn expect(store: &dyn SecretStore, folder: &str, mut expected: Vec<Mark>) -> Outcome {
    let mut listed = listed(store, folder).await?.unwrap_or_default();
    for of in [&mut listed, &mut expected] {
        of.sort_unstable_by_key(|mark| mark.to_bytes());
    }
    ensure(listed == expected, || {
        let (found, number) = (listed.len(), expected.len());
        format!("{found} marks are listed, and not those of {number} versions")
    })
}

/// Returns the marks in a folder from pages of two; `None` without a listing.
async fn listed(store: &dyn SecretStore, folder: &str) -> Result<Option<Vec<Mark>>, Failure> {
    let mut marks = Vec::new();
    let mut after = None;
    loop {
        let query = MarkQuery {
            folder,
            after: after.as_deref(),
            limit: 2,
            max_pages: 1_000,
            per_object: 3,
        };
        match store.list_marks(query).await? {
            ListedMarks::Page(page) => {
                marks.extend(page.marks);
                after = page.next;
                if after.is_none() {
                    return Ok(Some(marks));
                }
            }
            ListedMarks::TooLarge => return Err(Failure::new("six versions are too many")),
            ListedMarks::Unavailable => return Ok(None),
        }
    }
}
