//! Searches what migrations leave behind on both platforms for values and credentials.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use rusqlite::Connection;
use xtask::canary::Canary;
use xtask::openbao::KvVersion;

use super::Place;
use crate::bucket::canary::secret_part;
use crate::canary::{Searched, search};

/// The bytes that migrations leave behind, and the values that they must not contain.
pub(super) struct LeftBehind {
    searched: Searched,
    folders: Vec<PathBuf>,
}

impl LeftBehind {
    /// Returns an empty collection, to be searched for the credentials of these platforms.
    pub(super) fn new(platforms: &[&Place]) -> Self {
        let credentials = platforms.iter().filter_map(|place| match place {
            Place::Bucket(bucket) => {
                let (name, secret) = bucket.on.bucket.credential();
                Some(Canary::of(name, secret_part(&secret)))
            }
            Place::Scene(scene) => {
                let server = scene.openbao()?;
                Some(Canary::of("the token", server.root_token()))
            }
        });
        let folders = platforms.iter().filter_map(|place| embedded(place));
        Self {
            folders: folders.collect(),
            searched: Searched::new(credentials.collect()),
        }
    }

    /// Returns the name that each searched platform must contain.
    pub(super) fn mark(&self) -> &str {
        self.searched.mark.value()
    }

    /// Returns a new value to be stored.
    pub(super) fn plant(&mut self) -> String {
        let canary = Canary::new("a value");
        let value = canary.value().to_owned();
        self.searched.planted.push(canary);
        value
    }

    /// Adds a value that the provider has generated.
    pub(super) fn plant_value(&mut self, label: &str, value: &str) {
        self.searched.planted.push(Canary::of(label, value));
    }

    /// Adds what a migration has printed and logged.
    pub(super) fn add_output(&mut self, hop: usize, output: &Output) {
        let printed = [&output.stdout[..], &output.stderr].concat();
        let place = format!("the output of migration {hop}");
        self.searched.add_quiet(&place, printed);
    }

    /// Adds the write-ahead log, which must contain records.
    pub(super) fn add_log(&mut self, hop: usize, log: &OpenDatabase) {
        let place = format!("the write-ahead log in migration {hop}");
        self.searched.add(&place, log.content());
    }

    /// Adds what is stored on these platforms.
    pub(super) fn add_platforms(&mut self, hop: usize, platforms: &[&Place], log: &OpenDatabase) {
        for place in platforms {
            let (of, content) = match place {
                Place::Bucket(_) => ("the bucket", content_of(place.objects())),
                Place::Scene(scene) => match scene.openbao() {
                    Some(server) => {
                        let dump = server.api().dump_kv("planton", KvVersion::V2).unwrap();
                        ("KV", dump.to_string().into_bytes())
                    }
                    None => {
                        // Whatever is not in the database yet is in the log.
                        let database = fs::read(&log.database).unwrap();
                        ("the database", [database, log.content()].concat())
                    }
                },
            };
            let described = format!("{of} after migration {hop}");
            self.searched.add(&described, content);
        }
    }

    /// Searches all of it, the folders of the embedded platforms, and the storage and the logs
    /// of a server.
    pub(super) fn search(mut self, openbao: &Place) {
        let server = openbao.openbao_server();
        self.searched
            .add_quiet("the server's log", server.server_log());
        // The server encrypts what it stores, but not the keys of its storage.
        let path = Canary::of("a key of the storage", "core/keyring");
        let mut is_storage_searched = false;
        for file in files_below(server.folder()) {
            let content = without_empty_pages(&fs::read(&file).unwrap());
            is_storage_searched |= !path.find_in(&content).is_empty();
            let described = file.display().to_string();
            self.searched.add_quiet(&described, content);
        }
        assert!(is_storage_searched);
        let folders: Vec<&Path> = self.folders.iter().map(PathBuf::as_path).collect();
        search(&self.searched, &folders);
    }
}

/// A connection to the database of an embedded platform. While one is open, SQLite keeps the
/// write-ahead log: <https://www.sqlite.org/wal.html#the_wal_file>.
pub(super) struct OpenDatabase {
    database: PathBuf,
    _connection: Connection,
}

impl OpenDatabase {
    pub(super) fn of(place: &Place) -> Self {
        let database = embedded(place).unwrap().join("planton.db");
        let connection = Connection::open(&database).unwrap();
        // SQLite opens the file with the first statement.
        let records = "SELECT count(*) FROM records";
        let count: i64 = connection.query_row(records, [], |row| row.get(0)).unwrap();
        assert!(count > 0);
        Self {
            database,
            _connection: connection,
        }
    }

    fn content(&self) -> Vec<u8> {
        fs::read(self.database.with_extension("db-wal")).unwrap()
    }
}

fn embedded(place: &Place) -> Option<PathBuf> {
    match place {
        Place::Scene(scene) => scene.embedded(),
        Place::Bucket(_) => None,
    }
}

fn content_of(objects: Vec<(String, Vec<u8>)>) -> Vec<u8> {
    let objects = objects.into_iter();
    objects
        .flat_map(|(key, body)| [key.as_bytes(), b"\n", &body, b"\n"].concat())
        .collect()
}

/// Returns the pages of a database that are in use, which may be a tenth of its file.
fn without_empty_pages(file: &[u8]) -> Vec<u8> {
    let pages = file.chunks(4096);
    let used = pages.filter(|page| page.iter().any(|byte| *byte != 0));
    used.flatten().copied().collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files.extend(files_below(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files
}
