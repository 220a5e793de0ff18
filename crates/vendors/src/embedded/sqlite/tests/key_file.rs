//! The key file, which exists before the database.

use super::*;

#[tokio::test]
async fn open_with_key_makes_both_and_then_loads_both() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("planton");
    for rule in [KeyFileRule::CreateIfAbsent, KeyFileRule::MustExist] {
        let (_, key) = open_with_key(&directory, PATIENT, key_opener)
            .await
            .unwrap();
        assert_eq!(key, ("key".to_owned(), rule));
    }
}

#[tokio::test]
async fn open_with_key_completes_a_key_file_without_a_database() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(KEY_FILE), "earlier").unwrap();
    let (_, (key, _)) = open_with_key(directory.path(), PATIENT, key_opener)
        .await
        .unwrap();
    assert_eq!(key, "earlier");
    assert!(EmbeddedDatabase::exists(directory.path()).unwrap());
}

#[tokio::test]
async fn open_completes_an_empty_file_that_a_killed_process_left() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(KEY_FILE), "key").unwrap();
    fs::write(directory.path().join(DATABASE_FILE), "").unwrap();
    let (database, _) = open_with_key(directory.path(), PATIENT, key_opener)
        .await
        .unwrap();
    insert(&database, "a").await.unwrap();
    assert_eq!(count(&database).await.unwrap(), 1);
}

#[tokio::test]
async fn open_with_key_makes_no_database_where_the_key_fails() {
    let directory = tempfile::tempdir().unwrap();
    let failing = |path: &Path, _| -> Result<(), DatabaseError> {
        Err(DatabaseError::at(
            DatabaseErrorKind::Unavailable,
            "open the key file",
            path,
        ))
    };
    let error = open_with_key(directory.path(), PATIENT, failing)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), DatabaseErrorKind::Unavailable);
    assert!(!EmbeddedDatabase::exists(directory.path()).unwrap());
}

#[tokio::test]
async fn a_database_without_its_key_is_an_error_that_names_the_key_file() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).await.unwrap());
    fs::remove_file(directory.path().join(KEY_FILE)).unwrap();
    let never = |_: &Path, _| -> Result<(), DatabaseError> { panic!("no key is to be opened") };
    let error = open_with_key(directory.path(), PATIENT, never)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), DatabaseErrorKind::KeyMissing);
    assert_eq!(Path::new(error.path()), directory.path().join(KEY_FILE));
    assert!(!directory.path().join(KEY_FILE).exists());
}

#[tokio::test]
async fn a_log_without_its_database_is_an_error_and_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("planton.db-wal");
    fs::write(&log, "records").unwrap();
    let error = open_with_key(directory.path(), PATIENT, key_opener)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), DatabaseErrorKind::Misconfigured);
    let error = open(directory.path()).await.unwrap_err();
    assert_eq!(error.kind(), DatabaseErrorKind::Misconfigured);
    assert_eq!(fs::read_to_string(&log).unwrap(), "records");
    assert!(!directory.path().join(KEY_FILE).exists());
}

fn awaited(directory: &Path) -> EmbeddedDatabase {
    let key = |path: &Path, rule| key_opener(path, rule).map(drop);
    EmbeddedDatabase::awaited(directory, PATIENT, Arc::new(key)).unwrap()
}

#[tokio::test]
async fn an_awaited_database_is_empty_and_is_created_with_its_key_by_the_first_write() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/planton");
    let database = awaited(&directory);
    assert_eq!(count(&database).await.unwrap(), 0);
    assert!(database.checkpoint().await.unwrap());
    assert!(!parent.path().join("a").exists(), "a read creates nothing");

    insert(&database, "a").await.unwrap();
    assert_eq!(count(&database).await.unwrap(), 1);
    let key = fs::read_to_string(directory.join(KEY_FILE)).unwrap();
    assert_eq!(key, "key");
    let again = open(&directory).await.unwrap();
    assert_eq!(count(&again).await.unwrap(), 1);
    fs::remove_file(database.path()).unwrap();
    let error = count(&database).await.unwrap_err();
    assert_eq!(error.kind(), DatabaseErrorKind::Misconfigured);
}

#[tokio::test]
async fn an_awaited_database_is_that_of_another_process_once_there_is_one() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("planton");
    let database = awaited(&directory);
    assert_eq!(count(&database).await.unwrap(), 0);
    insert(&open(&directory).await.unwrap(), "a").await.unwrap();
    assert_eq!(count(&database).await.unwrap(), 1);

    // Its key file is never created anew.
    let late = awaited(&directory);
    fs::remove_file(directory.join(KEY_FILE)).unwrap();
    for error in [
        insert(&late, "b").await.map(|_| ()),
        late.create().await,
        count(&late).await.map(|_| ()),
    ] {
        assert_eq!(error.unwrap_err().kind(), DatabaseErrorKind::KeyMissing);
    }
    assert!(!directory.join(KEY_FILE).exists());
}

#[tokio::test]
async fn open_creates_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("planton");
    let error = EmbeddedDatabase::open(&directory, PATIENT).await;
    assert_eq!(error.unwrap_err().kind(), DatabaseErrorKind::Misconfigured);
    assert!(!directory.exists());
}
