use std::error::Error;
use std::fs;
use std::io;
use std::path::PathBuf;

use planton_core::kek::{KeyEncryptionKey, LocalKek};
use planton_envelope::{DataKey, LocalKey, WrapBinding};
use subtle::ConstantTimeEq;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

pub(super) struct Folder {
    folder: TempDir,
}

impl Folder {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("folder"),
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("platform.key")
    }

    fn names(&self) -> Vec<String> {
        fs::read_dir(self.folder.path())
            .expect("folder")
            .map(|entry| {
                entry
                    .expect("entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .collect()
    }
}

#[test]
fn create_leaves_an_existing_file_as_it_is() {
    let folder = Folder::new();
    LocalKeyFile::create(&folder.path()).expect("created");
    let before = fs::read(folder.path()).expect("file");

    let error = LocalKeyFile::create(&folder.path()).expect_err("exists");
    assert_eq!(error.kind(), KekErrorKind::Misconfigured);
    let source = error.source().and_then(|s| s.downcast_ref::<io::Error>());
    assert_eq!(
        source.map(io::Error::kind),
        Some(io::ErrorKind::AlreadyExists)
    );
    assert_eq!(fs::read(folder.path()).expect("file"), before);
    assert_eq!(folder.names(), ["platform.key"], "no draft stays behind");
}

#[test]
fn create_by_many_at_once_lets_one_win_and_all_others_open_its_file() {
    let folder = Folder::new();
    let path = folder.path();
    let ids: Vec<(bool, Uuid)> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| match LocalKeyFile::create(&path) {
                    Ok(file) => (true, file.id()),
                    Err(_) => (false, LocalKeyFile::open(&path).expect("the winner's").id()),
                })
            })
            .collect();
        racers
            .into_iter()
            .map(|racer| racer.join().expect("racer"))
            .collect()
    });
    assert_eq!(ids.iter().filter(|(won, _)| *won).count(), 1);
    assert!(ids.iter().all(|(_, id)| *id == ids[0].1));
    assert_eq!(folder.names(), ["platform.key"]);
}

#[test]
fn create_in_a_missing_folder_is_refused() {
    let folder = Folder::new();
    let error = LocalKeyFile::create(&folder.path().join("deeper")).expect_err("no folder");
    assert_eq!(error.kind(), KekErrorKind::Misconfigured);
}

#[test]
fn open_of_a_missing_file_creates_none() {
    let folder = Folder::new();
    let error = LocalKeyFile::open(&folder.path()).expect_err("missing");
    assert_eq!(error.kind(), KekErrorKind::NotFound);
    assert!(folder.names().is_empty());
}

#[test]
fn open_refuses_every_altered_bit_and_every_other_length() {
    let folder = Folder::new();
    let path = folder.path();
    LocalKeyFile::create(&path).expect("created");
    let good = fs::read(&path).expect("file");
    assert_eq!(good.len(), 85);

    let mut bad: Vec<Vec<u8>> = (0..good.len() * 8)
        .map(|bit| {
            let mut copy = good.clone();
            copy[bit / 8] ^= 1 << (bit % 8);
            copy
        })
        .collect();
    bad.extend((0..good.len()).map(|length| good[..length].to_vec()));
    bad.push([good.as_slice(), &[0]].concat());
    bad.push([good.as_slice(), good.as_slice()].concat());
    for bytes in bad {
        fs::write(&path, bytes).expect("written");
        let error = LocalKeyFile::open(&path).expect_err("refused");
        assert_eq!(error.kind(), KekErrorKind::Misconfigured);
    }
    fs::write(&path, good).expect("written");
    LocalKeyFile::open(&path).expect("the file as it was");
}

//= docs/format.md#12-wrapped-deks
//= type=test
//# A writer MUST NOT write an alias of a key as `kek_id`: it names the key permanently.
#[test]
fn identifier_stays_when_the_file_moves() {
    let folder = Folder::new();
    let before = LocalKeyFile::create(&folder.path()).expect("created");
    let moved = folder.path().with_file_name("another.key");
    fs::rename(folder.path(), &moved).expect("renamed");
    let after = LocalKeyFile::open(&moved).expect("opened");
    let id = |file: &LocalKeyFile| LocalKey::new(file.root_key(), "acme").id().clone();
    assert_eq!(id(&before), id(&after));
}

#[test]
fn wrap_opens_again_after_the_file_is_opened_anew() {
    let folder = Folder::new();
    let created = LocalKeyFile::create(&folder.path()).expect("created");
    let key = LocalKey::new(created.root_key(), "acme");
    let binding = WrapBinding::for_mac_key(Uuid::from_bytes([1; 16]), key.id());
    let wrapped = key.wrap(&DataKey::copy_of(&[7; 32]), &binding);
    let wrapped = wrapped.expect("wrapped");
    drop((created, key));

    let opened = LocalKeyFile::open(&folder.path()).expect("opened");
    let key = LocalKey::new(opened.root_key(), "acme");
    let unwrapped = key.unwrap(&wrapped, &binding).expect("unwrapped");
    assert!(bool::from(unwrapped.ct_eq(&DataKey::copy_of(&[7; 32]))));
}

#[test]
fn frozen_key_files_open_and_give_the_frozen_keys() {
    let vectors = include_str!("../../../../../tests/vectors/format-1.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).expect("JSON");
    let folder = Folder::new();
    let path = folder.path();
    let text = |vector: &serde_json::Value, name| vector[name].as_str().expect(name).to_owned();
    let bytes = |vector, name| hex::decode(text(vector, name)).expect(name);
    let frozen = vectors["local_keks"].as_array().expect("a list").iter();
    let mut opened = 0;
    for vector in frozen.filter(|vector| bytes(vector, "key_file").len() == 85) {
        // Overwrites a created file, which has the mode that `open` requires.
        let _ = fs::remove_file(&path);
        LocalKeyFile::create(&path).expect("created");
        fs::write(&path, bytes(vector, "key_file")).expect("written");
        let file = LocalKeyFile::open(&path).expect("the frozen file");
        let organization = text(vector, "organization").parse().expect("slug");
        let kek = LocalKek::new(file.root_key(), &organization);
        assert_eq!(kek.id().id.as_str(), text(vector, "kek_id"));
        let mac = kek.mac(&bytes(vector, "message"));
        assert_eq!(hex::encode(mac), text(vector, "mac"));
        opened += 1;
    }
    assert!(opened >= 3, "{opened}");
}

#[test]
fn debug_never_shows_the_key() {
    let folder = Folder::new();
    let file = LocalKeyFile::create(&folder.path()).expect("created");
    let shown = format!("{file:?}");
    let bytes = fs::read(folder.path()).expect("file");
    let key = &bytes[21..53];
    assert!(!shown.contains(&hex::encode(key)), "{shown}");
    assert!(!shown.contains(&format!("{key:?}")), "{shown}");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    //= docs/format.md#13-local-kek
    //= type=test
    //# On Unix, a writer MUST create a key file with mode 0600.
    #[test]
    fn created_file_is_its_owners_alone() {
        let folder = Folder::new();
        LocalKeyFile::create(&folder.path()).expect("created");
        let mode = fs::metadata(folder.path())
            .expect("file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    //= docs/format.md#13-local-kek
    //= type=test
    //# On Unix, a reader MUST refuse a key file that belongs to another user, or that grants
    //# any permission to group or others.
    #[test]
    fn open_refuses_a_file_that_others_may_open() {
        let folder = Folder::new();
        let path = folder.path();
        LocalKeyFile::create(&path).expect("created");
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
            let error = LocalKeyFile::open(&path).expect_err("refused");
            assert_eq!(error.kind(), KekErrorKind::Misconfigured, "{mode:o}");
            assert!(
                error
                    .remedy()
                    .is_some_and(|remedy| remedy.contains("chmod 600"))
            );
        }
        for mode in [0o600, 0o400] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
            LocalKeyFile::open(&path).expect("its owner's alone");
        }
    }
    /// Changes the owner of `path`, which requires root.
    fn give_away(path: &std::path::Path) -> bool {
        rustix::process::geteuid().is_root()
            && std::os::unix::fs::chown(path, Some(1), None).is_ok()
    }

    //= docs/format.md#13-local-kek
    //= type=test
    //# On Unix, a reader MUST refuse a key file that belongs to another user, or that grants
    //# any permission to group or others.
    #[test]
    fn open_refuses_a_file_of_another_user() {
        let folder = Folder::new();
        let path = folder.path();
        LocalKeyFile::create(&path).expect("created");
        // Without root, a file of root is the other user's file.
        let refused = if give_away(&path) {
            LocalKeyFile::open(&path)
        } else {
            LocalKeyFile::open(std::path::Path::new("/etc/passwd"))
        };
        let error = refused.expect_err("refused");
        assert_eq!(error.kind(), KekErrorKind::Misconfigured);
        let remedy = error.remedy().expect("a remedy");
        assert!(remedy.contains("belongs to user"), "{remedy}");
    }

    #[test]
    fn open_removes_the_drafts_that_are_names_of_the_key() {
        let folder = Folder::new();
        let path = folder.path();
        LocalKeyFile::create(&path).expect("created");
        let name = path.file_name().expect("name").to_str().expect("text");
        let beside = |name: String| path.with_file_name(name);
        let draft = beside(format!(".{name}.left-behind"));
        let copy = beside(format!("{name}.copy"));
        let rival = beside(format!(".{name}.rival"));
        fs::hard_link(&path, &draft).expect("draft");
        fs::hard_link(&path, &copy).expect("copy");
        fs::write(&rival, "another file").expect("rival");
        LocalKeyFile::open(&path).expect("opened");
        assert!(!draft.exists());
        assert!(path.exists() && copy.exists() && rival.exists());
    }
}

#[cfg(unix)]
#[test]
fn open_refuses_what_is_no_regular_file_and_waits_for_nobody() {
    let folder = Folder::new();
    let made = std::process::Command::new("mkfifo")
        .arg(folder.path())
        .status();
    assert!(made.expect("mkfifo runs").success());
    let error = LocalKeyFile::open(&folder.path()).expect_err("a pipe");
    assert_eq!(error.kind(), KekErrorKind::Misconfigured);
    assert!(
        error
            .remedy()
            .is_some_and(|text| text.contains("regular file"))
    );
    let error = LocalKeyFile::open(folder.folder.path()).expect_err("a folder");
    assert_eq!(error.kind(), KekErrorKind::Misconfigured);
}
