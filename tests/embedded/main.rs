//! Tests the embedded platform with several real processes. A test that needs another
//! process starts this test binary again, with environment variables for the child's part
//! of the same test.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod attacks;
mod refresh_listing;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use planton_core::catalog::{CatalogErrorKind, CatalogStore, RecordKey, Revision, StoredRecord};
use planton_core::names::Slug;
use planton_core::store::{
    Deletion, NativeVersionId, PutOptions, RemoteName, SecretStore, conformance,
};
use planton_vendors::embedded::EmbeddedCatalog;
use planton_vendors::embedded::EmbeddedStore;
use planton_vendors::embedded::sqlite::{
    DatabaseError, DatabaseErrorKind, DatabaseOptions, EmbeddedDatabase, open_with_key,
};
use uuid::Uuid;

const CHILD_DIRECTORY: &str = "PLANTON_TEST_CHILD_DIRECTORY";
const DONE: &str = "child is done";

/// A process that runs the child's part of a test. It is killed on drop.
struct OtherProcess {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl OtherProcess {
    fn start(mut program: Command, test: &str, directory: &Path) -> Self {
        let mut process = program
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD_DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// Returns the text after `mark` in the next line that contains it, or `None` at the
    /// end and for a line that a kill truncated.
    fn next(&mut self, mark: &str) -> Option<String> {
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            let whole = line.strip_suffix('\n')?;
            // The test harness may have printed the beginning of the line.
            if let Some((_, rest)) = whole.split_once(mark) {
                return Some(rest.to_owned());
            }
        }
    }

    /// Waits for the child's end, and checks that it completed its part.
    fn finish(mut self) {
        assert!(self.next(DONE).is_some(), "the child ended early");
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for OtherProcess {
    fn drop(&mut self) {
        // These fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn this_program() -> Command {
    Command::new(env::current_exe().unwrap())
}

/// Starts `count` children, and releases them at the same time.
fn start_together(test: &str, directory: &Path, count: usize) -> Vec<OtherProcess> {
    let mut children: Vec<_> = (0..count)
        .map(|_| OtherProcess::start(this_program(), test, directory))
        .collect();
    for child in &mut children {
        child.next("ready").unwrap();
    }
    for child in &mut children {
        let input = child.process.stdin.as_mut().unwrap();
        input.write_all(b"go\n").unwrap();
    }
    children
}

/// Returns the folder if this process runs the child's part.
fn child_directory() -> Option<PathBuf> {
    env::var_os(CHILD_DIRECTORY).map(PathBuf::from)
}

fn say(line: &str) {
    let mut output = io::stdout().lock();
    output.write_all(format!("{line}\n").as_bytes()).unwrap();
    output.flush().unwrap();
}

fn wait_for_go() {
    say("ready");
    io::stdin().lock().read_line(&mut String::new()).unwrap();
}

async fn open(directory: &Path) -> EmbeddedDatabase {
    let key = |path: &Path, _| {
        fs::write(path, "key").unwrap();
        Ok(())
    };
    let database =
        EmbeddedDatabase::awaited(directory, DatabaseOptions::default(), Arc::new(key)).unwrap();
    database.create().await.unwrap();
    database
}

fn catalog(database: &EmbeddedDatabase) -> EmbeddedCatalog {
    EmbeddedCatalog::new(database.clone(), Slug::parse("acme").unwrap())
}

fn record(body: String) -> StoredRecord {
    StoredRecord {
        body,
        mac: "00".to_owned(),
    }
}

fn options(version: u64) -> PutOptions {
    PutOptions {
        version,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: BTreeMap::new(),
    }
}

#[tokio::test]
async fn two_connections_to_one_folder_conform_side_by_side() {
    let directory = tempfile::tempdir().unwrap();
    let a = EmbeddedStore::new(open(directory.path()).await);
    let b = EmbeddedStore::new(open(directory.path()).await);
    let (a, b) = tokio::join!(conformance::run_all(&a, "a"), conformance::run_all(&b, "b"));
    assert_eq!(a.unwrap().all(), []);
    assert_eq!(b.unwrap().all(), []);
}

#[tokio::test]
async fn processes_that_increment_one_record_lose_no_update() {
    const PROCESSES: usize = 3;
    const INCREMENTS: usize = 100;
    let key = RecordKey::new("secrets/counter");
    if let Some(directory) = child_directory() {
        let catalog = catalog(&open(&directory).await);
        wait_for_go();
        let mut done = 0;
        while done < INCREMENTS {
            let (count, revision) = match catalog.read(&key).await.unwrap() {
                Some((record, revision)) => (record.body.parse::<u64>().unwrap(), revision),
                None => (0, Revision::ABSENT),
            };
            let next = record((count + 1).to_string());
            match catalog.write(&key, &next, revision).await {
                Ok(_) => done += 1,
                Err(error) => assert_eq!(error.kind(), CatalogErrorKind::Conflict),
            }
        }
        return say(DONE);
    }

    let directory = tempfile::tempdir().unwrap();
    let test = "processes_that_increment_one_record_lose_no_update";
    for child in start_together(test, directory.path(), PROCESSES) {
        child.finish();
    }
    let catalog = catalog(&open(directory.path()).await);
    let (record, revision) = catalog.read(&key).await.unwrap().unwrap();
    let total = PROCESSES * INCREMENTS;
    assert_eq!(record.body, total.to_string());
    assert_eq!(revision, Revision(u64::try_from(total).unwrap()));
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_that_was_acknowledged() {
    let name = |at: u64| RemoteName::new(format!("planton/acme/org/s-{at}"));
    let key = |at: u64| RecordKey::new(format!("secrets/s-{at}"));
    let payload = |at: u64| at.to_be_bytes().repeat(1000);
    if let Some(directory) = child_directory() {
        let database = open(&directory).await;
        let (store, catalog) = (EmbeddedStore::new(database.clone()), catalog(&database));
        let begin = catalog.list("secrets").await.unwrap().len();
        for at in u64::try_from(begin).unwrap().. {
            let put = store.put(&name(at), &payload(at), options(1)).await;
            let body = record(put.unwrap().to_string());
            let written = catalog.write(&key(at), &body, Revision::ABSENT).await;
            written.unwrap();
            say(&format!("on disk: {at}"));
        }
    }

    let directory = tempfile::tempdir().unwrap();
    let test = "a_killed_writer_loses_nothing_that_was_acknowledged";
    let mut acknowledged = Vec::new();
    for round in 0..8 {
        let mut child = OtherProcess::start(this_program(), test, directory.path());
        for _ in 0..20 + round {
            acknowledged.push(child.next("on disk: ").unwrap());
        }
        // Kills it at any point of its loop.
        child.process.kill().unwrap();
        while let Some(at) = child.next("on disk: ") {
            acknowledged.push(at);
        }
        child.process.wait().unwrap();

        let database = open(directory.path()).await;
        let (store, catalog) = (EmbeddedStore::new(database.clone()), catalog(&database));
        for at in &acknowledged {
            let at: u64 = at.parse().unwrap();
            let (record, _) = catalog.read(&key(at)).await.unwrap().expect("acknowledged");
            let id = NativeVersionId::new(record.body);
            assert_eq!(store.get(&name(at), &id).await.unwrap(), payload(at));
        }
        let sound: String = database
            .read("check", |transaction| {
                transaction.query_row("PRAGMA integrity_check", [], |row| row.get(0))
            })
            .await
            .unwrap();
        assert_eq!(sound, "ok");
    }
}

#[tokio::test]
async fn processes_that_start_together_agree_on_one_key() {
    // The key file's owner writes it completely before it has its name.
    let opener = |path: &Path, _| -> Result<String, DatabaseError> {
        let mine = path.with_extension(Uuid::new_v4().simple().to_string());
        fs::write(&mine, Uuid::new_v4().simple().to_string()).unwrap();
        if let Err(error) = fs::hard_link(&mine, path) {
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        }
        fs::remove_file(&mine).unwrap();
        Ok(fs::read_to_string(path).unwrap())
    };
    if let Some(directory) = child_directory() {
        wait_for_go();
        let opened = open_with_key(&directory, DatabaseOptions::default(), opener).await;
        let (database, key) = opened.unwrap();
        assert_eq!(catalog(&database).list("").await.unwrap(), []);
        say(&format!("the key is {key}"));
        return say(DONE);
    }

    let parent = tempfile::tempdir().unwrap();
    for round in 0..12 {
        let directory = parent.path().join(format!("planton-{round}"));
        let test = "processes_that_start_together_agree_on_one_key";
        let mut keys = Vec::new();
        for mut child in start_together(test, &directory, 4) {
            keys.push(child.next("the key is ").unwrap());
            child.finish();
        }
        assert_eq!(keys.len(), 4);
        keys.dedup();
        assert_eq!(keys.len(), 1, "round {round}: {keys:?}");
    }
}

#[tokio::test]
async fn a_folder_that_may_only_be_read_is_permission_denied() {
    const NOBODY: u32 = 65_534;
    if let Some(directory) = child_directory() {
        let opened = EmbeddedDatabase::open(&directory, DatabaseOptions::default()).await;
        let outcome = match opened {
            Ok(database) => {
                database
                    .write("write", |transaction| {
                        transaction.execute("INSERT INTO objects (name) VALUES ('a')", [])
                    })
                    .await
            }
            Err(error) => Err(error),
        };
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), DatabaseErrorKind::PermissionDenied, "{error}");
        return say(DONE);
    }

    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("planton");
    drop(open(&directory).await);
    let database = directory.join("planton.db");
    // Root ignores modes. There the child runs as nobody, with a copy of the program that
    // nobody can read.
    let root = rustix::process::geteuid().is_root();
    let copy = parent.path().join("child");
    fs::copy(env::current_exe().unwrap(), &copy).unwrap();
    if root {
        for path in [&directory, &database] {
            std::os::unix::fs::chown(path, Some(NOBODY), None).unwrap();
        }
    }
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(parent.path(), 0o755);
    let test = "a_folder_that_may_only_be_read_is_permission_denied";
    // The file is read-only; no log can be created beside it; the file is unreadable; the
    // folder cannot be entered.
    for (of_file, of_folder) in [
        (0o400, 0o700),
        (0o600, 0o500),
        (0o000, 0o700),
        (0o600, 0o000),
    ] {
        mode(&database, of_file);
        mode(&directory, of_folder);
        let mut program = Command::new(&copy);
        program.current_dir(parent.path());
        if root {
            std::os::unix::process::CommandExt::uid(&mut program, NOBODY);
        }
        OtherProcess::start(program, test, &directory).finish();
        mode(&directory, 0o700);
    }
}

/// Counts the occurrences of `needle` in the files of a folder.
///
/// Closing the files drops this process's locks on the database. That is harmless here,
/// because no other process uses it.
fn occurrences(directory: &Path, needle: &[u8]) -> usize {
    fs::read_dir(directory)
        .unwrap()
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .map(|bytes| {
            let windows = bytes.windows(needle.len());
            windows.filter(|window| *window == needle).count()
        })
        .sum()
}

#[tokio::test]
async fn delete_leaves_no_trace_of_the_ciphertext_in_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::new(open(directory.path()).await);
    let needle = b"ciphertext-to-forget";
    let name = RemoteName::new("planton/acme/org/db".to_owned());
    let neighbour = RemoteName::new("planton/acme/org/other".to_owned());

    // One value smaller than a page, one larger than several.
    let mut versions = Vec::new();
    for (version, times) in [(1, 2), (2, 3000)] {
        let payload = needle.repeat(times);
        let put = store.put(&name, &payload, options(version)).await;
        versions.push(put.unwrap());
    }
    let kept = store.put(&neighbour, b"kept", options(1)).await.unwrap();
    assert!(occurrences(directory.path(), needle) > 2000);

    let first = Deletion::Versions(vec![versions[0].clone()]);
    store.delete(&name, first).await.unwrap();
    assert!(occurrences(directory.path(), needle) > 2000);
    let object = Deletion::Object { versions };
    store.delete(&name, object).await.unwrap();
    assert_eq!(occurrences(directory.path(), needle), 0);
    assert_eq!(store.get(&neighbour, &kept).await.unwrap(), b"kept");
}

#[tokio::test]
async fn forget_history_leaves_no_trace_of_what_a_record_held() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = catalog(&open(directory.path()).await);
    let key = RecordKey::new("secrets/db");
    let needle = b"record-to-forget";
    let body = String::from_utf8(needle.repeat(1000)).unwrap();
    let first = catalog.write(&key, &record(body), Revision::ABSENT).await;
    let empty = record("{}".to_owned());
    let second = catalog.write(&key, &empty, first.unwrap()).await.unwrap();
    assert!(occurrences(directory.path(), needle) > 900);
    catalog.forget_history(&key, second).await.unwrap();
    assert_eq!(occurrences(directory.path(), needle), 0);
    let stored = catalog.read(&key).await.unwrap();
    assert_eq!(stored, Some((empty, second)));
}
