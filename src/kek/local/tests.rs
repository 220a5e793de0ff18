use std::error::Error;
use std::fs;
use std::io;
use std::path::PathBuf;

use subtle::ConstantTimeEq;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

struct Folder {
    folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("folder"),
        }
    }

    fn path(&self) -> PathBuf {
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

fn slug(text: &str) -> Slug {
    text.parse().expect("slug")
}

fn data_key(byte: u8) -> DataKey {
    DataKey::copy_of(&[byte; 32])
}

fn binding(byte: u8, kek: &LocalKek) -> WrapBinding {
    WrapBinding::for_mac_key(Uuid::from_bytes([byte; 16]), kek.id())
}

#[tokio::test]
async fn wrap_opens_again_after_the_file_is_opened_anew() {
    let folder = Folder::new();
    let created = LocalKeyFile::create(&folder.path()).expect("created");
    let kek = LocalKek::new(&created, &slug("acme"));
    let binding = binding(1, &kek);
    let wrapped = kek.wrap(&data_key(7), &binding).await.expect("wrapped");
    kek.provision().await.expect("nothing to do");
    drop((created, kek));

    let opened = LocalKeyFile::open(&folder.path()).expect("opened");
    let kek = LocalKek::new(&opened, &slug("acme"));
    let key = kek.unwrap(&wrapped, &binding).await.expect("unwrapped");
    assert!(bool::from(key.ct_eq(&data_key(7))));
}

#[tokio::test]
async fn wrapping_twice_gives_different_bytes() {
    let folder = Folder::new();
    let kek = LocalKek::new(
        &LocalKeyFile::create(&folder.path()).expect("file"),
        &slug("a"),
    );
    let binding = binding(1, &kek);
    let first = kek.wrap(&data_key(7), &binding).await.expect("wrapped");
    let second = kek.wrap(&data_key(7), &binding).await.expect("wrapped");
    assert_eq!(first.as_bytes().len(), 60);
    assert_ne!(first.as_bytes()[..12], second.as_bytes()[..12]);
    assert_ne!(first.as_bytes()[12..], second.as_bytes()[12..]);
}

#[tokio::test]
async fn unwrap_refuses_another_binding_key_or_organization_and_every_altered_bit() {
    let folder = Folder::new();
    let file = LocalKeyFile::create(&folder.path()).expect("file");
    let kek = LocalKek::new(&file, &slug("acme"));
    let home = binding(1, &kek);
    let wrapped = kek.wrap(&data_key(7), &home).await.expect("wrapped");

    let elsewhere = Folder::new();
    let other_file = LocalKeyFile::create(&elsewhere.path()).expect("file");
    for stranger in [
        LocalKek::new(&file, &slug("acme-2")),
        LocalKek::new(&other_file, &slug("acme")),
    ] {
        let error = stranger.unwrap(&wrapped, &home).await.expect_err("refused");
        assert_eq!(error.kind(), KekErrorKind::Refused);
    }
    let moved = kek.unwrap(&wrapped, &binding(2, &kek)).await;
    assert_eq!(moved.expect_err("refused").kind(), KekErrorKind::Refused);

    let bytes = wrapped.as_bytes();
    let mut altered: Vec<Vec<u8>> = (0..bytes.len() * 8)
        .map(|bit| {
            let mut copy = bytes.to_vec();
            copy[bit / 8] ^= 1 << (bit % 8);
            copy
        })
        .collect();
    altered.extend((0..bytes.len()).map(|length| bytes[..length].to_vec()));
    altered.push([bytes, &[0]].concat());
    for copy in altered {
        let error = kek
            .unwrap(&WrappedKey::new(copy), &home)
            .await
            .expect_err("refused");
        assert_eq!(error.kind(), KekErrorKind::Refused);
    }
}

#[test]
fn keys_of_a_file_differ_by_organization_and_by_use() {
    let folder = Folder::new();
    let file = LocalKeyFile::create(&folder.path()).expect("file");
    let acme = LocalKek::new(&file, &slug("acme"));
    let other = LocalKek::new(&file, &slug("other"));
    assert_eq!(acme.id().provider, "local");
    assert_eq!(acme.id().id, format!("{}/acme", file.id()));
    assert_ne!(acme.wrap_key, other.wrap_key);
    assert_ne!(acme.wrap_key, acme.mac_key);
    assert_eq!(
        acme.mac(b"m"),
        LocalKek::new(&file, &slug("acme")).mac(b"m")
    );
    assert_ne!(acme.mac(b"m"), other.mac(b"m"));
    assert_ne!(acme.mac(b"m"), acme.mac(b"n"));
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

#[test]
fn created_file_has_the_published_form() {
    let folder = Folder::new();
    let file = LocalKeyFile::create(&folder.path()).expect("created");
    let bytes = fs::read(folder.path()).expect("file");
    let head = [
        b"PLK1\x01",
        file.id().as_bytes().as_slice(),
        file.root_key(),
    ]
    .concat();
    let expected = [head.as_slice(), &primitives::sha256(&[&head])].concat();
    assert!(bytes == expected);
}

#[test]
fn identifier_of_a_key_does_not_follow_its_file() {
    let folder = Folder::new();
    let before = LocalKeyFile::create(&folder.path()).expect("created");
    let moved = folder.path().with_file_name("another.key");
    fs::rename(folder.path(), &moved).expect("renamed");
    let after = LocalKeyFile::open(&moved).expect("opened");
    let id = |file| LocalKek::new(file, &slug("acme")).id().clone();
    assert_eq!(id(&before), id(&after));
}

#[test]
fn debug_and_errors_never_show_the_key() {
    let folder = Folder::new();
    let file = LocalKeyFile::create(&folder.path()).expect("created");
    let kek = LocalKek::new(&file, &slug("acme"));
    let shown = format!("{file:?} {kek:?}");
    for key in [file.root_key(), &*kek.wrap_key, &*kek.mac_key] {
        assert!(!shown.contains(&hex::encode(key)), "{shown}");
        assert!(!shown.contains(&format!("{key:?}")), "{shown}");
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

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
    /// Gives `path` to another user, which root alone can.
    fn give_away(path: &std::path::Path) -> bool {
        rustix::process::geteuid().is_root()
            && std::os::unix::fs::chown(path, Some(1), None).is_ok()
    }

    #[test]
    fn open_refuses_a_file_of_another_user() {
        let folder = Folder::new();
        let path = folder.path();
        LocalKeyFile::create(&path).expect("created");
        // Without the means to make one, one of root's serves.
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
