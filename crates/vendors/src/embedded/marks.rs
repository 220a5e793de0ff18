//! The listings that confirm at a refresh that records and versions are unchanged.

use rusqlite::params;

use super::sqlite::{DatabaseError, EmbeddedDatabase};
use planton_core::marks::{ListedMarks, Mark, MarkPage, MarkQuery};

/// Separates the name of an object from the identifier of a version, where a page ends. Names
/// have no control characters.
const SEPARATOR: char = '\n';

/// Returns the mark of a record.
pub(super) fn of_record(key: &str, revision: u64, (body, mac): (&str, &str)) -> Mark {
    Mark::of(&[key, &revision.to_string(), body, mac])
}

/// Returns the mark of a version.
pub(super) fn of_version(name: &str, native_id: &str) -> Mark {
    Mark::of(&[name, native_id])
}

/// Returns a page of the marks of an organization's records. One transaction.
pub(super) async fn records(
    database: &EmbeddedDatabase,
    organization: String,
    query: MarkQuery<'_>,
) -> Result<ListedMarks, DatabaseError> {
    let (first, end) = bounds(query.folder);
    let after = query.after.map_or(first, str::to_owned);
    let limit = query.limit;
    let listed = database.read("list marks", move |transaction| {
        let mut statement = transaction.prepare(
            "SELECT key, revision, body, mac FROM records
             WHERE organization = ?1 AND key > ?2 AND key < ?3 ORDER BY key LIMIT ?4",
        )?;
        let parameters = params![organization, after, end, most(limit)];
        let rows = statement.query_map(parameters, |row| {
            let (key, revision): (String, i64) = (row.get(0)?, row.get(1)?);
            let (body, mac): (String, String) = (row.get(2)?, row.get(3)?);
            // A negative revision was never issued, so no state has its mark.
            let revision = u64::try_from(revision).unwrap_or_default();
            let mark = of_record(&key, revision, (&body, &mac));
            Ok((key, mark))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    });
    Ok(page(listed.await?, limit))
}

/// Returns a page of the marks of the versions in a folder. One transaction.
pub(super) async fn versions(
    database: &EmbeddedDatabase,
    query: MarkQuery<'_>,
) -> Result<ListedMarks, DatabaseError> {
    let (first, end) = bounds(query.folder);
    let after = query.after.and_then(|after| after.split_once(SEPARATOR));
    let (name, id) = after.unwrap_or((&first, ""));
    let (name, id) = (name.to_owned(), id.to_owned());
    let limit = query.limit;
    let listed = database.read("list marks", move |transaction| {
        let mut statement = transaction.prepare(
            "SELECT name, native_id FROM objects JOIN versions ON versions.object = objects.id
             WHERE (name, native_id) > (?1, ?2) AND name < ?3
             ORDER BY name, native_id LIMIT ?4",
        )?;
        let rows = statement.query_map(params![name, id, end, most(limit)], |row| {
            let (name, id): (String, String) = (row.get(0)?, row.get(1)?);
            Ok((format!("{name}{SEPARATOR}{id}"), of_version(&name, &id)))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    });
    Ok(page(listed.await?, limit))
}

/// Returns the bounds of what a folder contains, both exclusive. The slash is followed by `0`.
fn bounds(folder: &str) -> (String, String) {
    (format!("{folder}/"), format!("{folder}0"))
}

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn page(listed: Vec<(String, Mark)>, limit: usize) -> ListedMarks {
    let is_full = listed.len() >= limit;
    let last = listed.last().map(|(place, _)| place.clone());
    ListedMarks::Page(MarkPage {
        marks: listed.into_iter().map(|(_, mark)| mark).collect(),
        next: last.filter(|_| is_full),
        requests: 1,
    })
}
