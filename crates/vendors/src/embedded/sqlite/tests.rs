#![expect(clippy::unwrap_used, reason = "tests")]

mod key_file;

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};

use rusqlite::params;

use super::*;

const PATIENT: DatabaseOptions = DatabaseOptions {
    busy_timeout: Duration::from_secs(60),
};
const IMPATIENT: DatabaseOptions = DatabaseOptions {
    busy_timeout: Duration::from_millis(20),
};

/// Opens the database, and creates it with a key file if it is absent.
async fn open(directory: &Path) -> Result<EmbeddedDatabase, DatabaseError> {
    if EmbeddedDatabase::exists(directory)? {
        return EmbeddedDatabase::open(directory, PATIENT).await;
    }
    let opened = open_with_key(directory, PATIENT, key_opener).await;
    opened.map(|(database, _)| database)
}

async fn insert(database: &EmbeddedDatabase, key: &str) -> Result<usize, DatabaseError> {
    let key = key.to_owned();
    database
        .write("insert", move |transaction| {
            transaction.execute(
                "INSERT INTO records VALUES ('acme', ?1, 1, '{}', '')",
                params![key],
            )
        })
        .await
}

async fn count(database: &EmbeddedDatabase) -> Result<i64, DatabaseError> {
    database
        .read("count", |transaction| {
            transaction.query_row("SELECT count(*) FROM records", [], |row| row.get(0))
        })
        .await
}

fn edit(directory: &Path, sql: &str) {
    let connection = Connection::open(directory.join(DATABASE_FILE)).unwrap();
    connection.execute_batch(sql).unwrap();
}

/// Creates or loads a key file.
fn key_opener(path: &Path, rule: KeyFileRule) -> Result<(String, KeyFileRule), DatabaseError> {
    let failed = |error| DatabaseError::io("open the key file", path, error);
    let made = fs::OpenOptions::new()
        .write(true)
        .create_new(rule == KeyFileRule::CreateIfAbsent)
        .open(path);
    match made {
        Ok(mut file) if rule == KeyFileRule::CreateIfAbsent => {
            file.write_all(b"key").map_err(failed)?;
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    let key = fs::read_to_string(path).map_err(failed)?;
    Ok((key, rule))
}

#[tokio::test]
async fn durability_and_deletion_settings_hold_on_an_open_database() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path()).await.unwrap();
    let settings = database
        .read("settings", |transaction| {
            let number = |pragma: &str| {
                transaction.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            };
            let mode: String =
                transaction.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
            Ok((
                mode,
                number("synchronous")?,
                number("secure_delete")?,
                number("fullfsync")?,
                number("foreign_keys")?,
                number("trusted_schema")?,
            ))
        })
        .await
        .unwrap();
    // synchronous: 2 is FULL.
    assert_eq!(settings, ("wal".to_owned(), 2, 1, 1, 1, 0));
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_in_which_others_may_write_is_refused() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("planton");
    fs::create_dir(&directory).unwrap();
    let link = parent.path().join("link");
    symlink(&directory, &link).unwrap();
    let mode = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(&directory, mode).unwrap();
    };
    for wide in [0o770, 0o720, 0o702, 0o1777] {
        mode(wide);
        for path in [&directory, &link, &link.join("")] {
            let error = open(path).await.unwrap_err();
            assert_eq!(error.kind(), DatabaseErrorKind::Misconfigured, "{wide:o}");
            assert!(error.remedy().unwrap().contains("chmod go-w"), "{error:?}");
            let opened = open_with_key(path, PATIENT, key_opener).await;
            let error = opened.map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), DatabaseErrorKind::Misconfigured, "{wide:o}");
        }
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    }
    for narrow in [0o755, 0o700] {
        mode(narrow);
        open(&link).await.unwrap();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_of_another_user_is_refused() {
    // Root can change the owner. For any other user, the root folder belongs to another
    // user.
    let given = tempfile::tempdir().unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let directory = if is_root {
        std::os::unix::fs::chown(given.path(), Some(1), None).unwrap();
        given.path()
    } else {
        Path::new("/")
    };
    let error = open(directory).await.unwrap_err();
    assert_eq!(error.kind(), DatabaseErrorKind::Misconfigured);
    assert!(
        error.remedy().unwrap().contains("belongs to user"),
        "{error:?}"
    );
    if is_root {
        let target = tempfile::tempdir().unwrap();
        let link = given.path().join("link");
        std::os::unix::fs::symlink(target.path(), &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(1), None).unwrap();
        let error = open(&link).await.unwrap_err();
        assert!(error.remedy().unwrap().contains("The link"), "{error:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn folder_and_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;

    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/planton");
    let database = open(&directory).await.unwrap();
    insert(&database, "a").await.unwrap();
    assert_eq!(mode(&directory), 0o700);
    let files = ["planton.db", "planton.db-wal", "planton.db-shm"];
    for file in files {
        assert_eq!(mode(&directory.join(file)), 0o600, "{file}");
    }
    // Opening restricts the modes again after they were widened.
    for file in files {
        let wide = fs::Permissions::from_mode(0o644);
        fs::set_permissions(directory.join(file), wide).unwrap();
    }
    let again = open(&directory).await.unwrap();
    insert(&again, "b").await.unwrap();
    for file in files {
        assert_eq!(mode(&directory.join(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).await.unwrap());
    let newer = schema::SCHEMA_VERSION + 1;
    edit(directory.path(), &format!("PRAGMA user_version = {newer}"));
    let before = fs::read(directory.path().join(DATABASE_FILE)).unwrap();
    let error = open(directory.path()).await.unwrap_err();
    assert_eq!(error.kind(), DatabaseErrorKind::NewerSchema);
    assert!(error.remedy().unwrap().contains(&newer.to_string()));
    assert_eq!(
        fs::read(directory.path().join(DATABASE_FILE)).unwrap(),
        before
    );
}

#[tokio::test]
async fn a_database_of_another_application_is_refused() {
    for foreign in [
        "CREATE TABLE theirs (a)",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 1",
    ] {
        let directory = tempfile::tempdir().unwrap();
        edit(directory.path(), foreign);
        let error = open(directory.path()).await.unwrap_err();
        assert_eq!(error.kind(), DatabaseErrorKind::NotOurs, "{foreign}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(DATABASE_FILE), [b'x'; 8192]).unwrap();
    let error = open(directory.path()).await.unwrap_err();
    assert_eq!(error.kind(), DatabaseErrorKind::Corrupt);
}

#[tokio::test]
async fn every_damaged_page_is_an_error_or_harmless_and_never_a_panic() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(DATABASE_FILE);
    let database = open(directory.path()).await.unwrap();
    for at in 0..200 {
        insert(&database, &format!("secrets/{at:0>200}"))
            .await
            .unwrap();
    }
    drop(database);
    let sound = fs::read(&file).unwrap();
    let page_bytes = 4096;
    let mut corrupt = 0;
    for page in 1..sound.len() / page_bytes {
        fs::write(&file, &sound).unwrap();
        let mut damaged = fs::OpenOptions::new().write(true).open(&file).unwrap();
        let offset = u64::try_from(page * page_bytes).unwrap();
        damaged.seek(SeekFrom::Start(offset)).unwrap();
        damaged.write_all(&[0xa5; 64]).unwrap();
        drop(damaged);
        let outcome = match open(directory.path()).await {
            Ok(database) => count(&database).await,
            Err(error) => Err(error),
        };
        match outcome {
            // The damaged page belongs to another table.
            Ok(rows) => assert_eq!(rows, 200),
            Err(error) => {
                assert_eq!(error.kind(), DatabaseErrorKind::Corrupt, "{error}");
                corrupt += 1;
            }
        }
    }
    assert!(corrupt > 5, "{corrupt} damaged pages were noticed");
}

#[tokio::test]
async fn a_truncated_database_is_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(DATABASE_FILE);
    drop(open(directory.path()).await.unwrap());
    let sound = fs::read(&file).unwrap();
    fs::write(&file, &sound[..sound.len() / 2 + 100]).unwrap();
    let outcome = match open(directory.path()).await {
        Ok(database) => insert(&database, "a").await,
        Err(error) => Err(error),
    };
    assert_eq!(outcome.unwrap_err().kind(), DatabaseErrorKind::Corrupt);
}

#[tokio::test]
async fn a_writer_that_stays_in_the_way_is_unavailable() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).await.unwrap());
    let database = EmbeddedDatabase::open(directory.path(), IMPATIENT)
        .await
        .unwrap();
    let other = Connection::open(database.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = insert(&database, "a").await.unwrap_err();
    assert_eq!(error.kind(), DatabaseErrorKind::Unavailable);
    // Readers and the writer do not block each other.
    assert_eq!(count(&database).await.unwrap(), 0);
    other.execute_batch("ROLLBACK").unwrap();
    insert(&database, "a").await.unwrap();
}

#[tokio::test]
async fn a_write_that_fails_or_panics_halfway_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path()).await.unwrap();
    let twice = database
        .write("insert twice", |transaction| {
            for _ in 0..2 {
                transaction.execute("INSERT INTO records VALUES ('a', 'k', 1, '', '')", [])?;
            }
            Ok(())
        })
        .await;
    assert!(twice.is_err());
    let clone = database.clone();
    let panicked = task::spawn(async move {
        clone
            .write("panic", |transaction| -> rusqlite::Result<()> {
                transaction.execute("INSERT INTO records VALUES ('a', 'k', 1, '', '')", [])?;
                panic!("expected by this test")
            })
            .await
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!(count(&database).await.unwrap(), 0);
    insert(&database, "a").await.unwrap();
}

#[tokio::test]
async fn many_openers_of_a_new_folder_all_succeed() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("planton");
    let mut openers = task::JoinSet::new();
    for at in 0..8 {
        let directory = directory.clone();
        openers.spawn(async move {
            let database = open(&directory).await?;
            insert(&database, &format!("{at}")).await
        });
    }
    for outcome in openers.join_all().await {
        assert_eq!(outcome.unwrap(), 1);
    }
    let database = open(&directory).await.unwrap();
    assert_eq!(count(&database).await.unwrap(), 8);
}

#[tokio::test]
async fn nothing_is_acknowledged_after_the_file_left_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path()).await.unwrap();
    insert(&database, "a").await.unwrap();
    fs::remove_file(database.path()).unwrap();
    let error = insert(&database, "b").await.unwrap_err();
    assert_eq!(error.kind(), DatabaseErrorKind::Misconfigured);

    let other = tempfile::tempdir().unwrap();
    drop(open(other.path()).await.unwrap());
    fs::rename(other.path().join(DATABASE_FILE), database.path()).unwrap();
    for error in [
        insert(&database, "b").await.map(|_| ()),
        count(&database).await.map(|_| ()),
    ] {
        assert_eq!(error.unwrap_err().kind(), DatabaseErrorKind::Misconfigured);
    }
}
