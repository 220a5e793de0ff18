#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use crate::{BackendType, Connector};
use planton_core::store::conformance::{self, Sabotage, Sabotaged};
use planton_core::store::{
    ConnectStore as _, Deletion, ForeignValue, NativeVersionId, RemoteName, SecretStore,
    StoreCredential, StoreErrorKind, StoreSettings,
};

/// Anybody with rights in the folder.
struct Intruder(PathBuf);

impl Intruder {
    fn file(&self, name: &RemoteName, version: &NativeVersionId) -> PathBuf {
        let file = format!("{}.sealed", version.as_str());
        self.0.join(name.as_str()).join(file)
    }
}

#[async_trait]
impl Sabotage for Intruder {
    async fn remove_version(&self, name: &RemoteName, version: &NativeVersionId) -> Sabotaged {
        std::fs::remove_file(self.file(name, version)).unwrap();
        Sabotaged::Done
    }

    async fn remove_object(&self, name: &RemoteName, _: &[NativeVersionId]) {
        std::fs::remove_dir_all(self.0.join(name.as_str())).unwrap();
    }

    async fn replace_version(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
        payload: &[u8],
    ) -> Sabotaged {
        std::fs::write(self.file(name, version), payload).unwrap();
        Sabotaged::Done
    }
}

fn settings(folder: &Path) -> StoreSettings {
    StoreSettings {
        kind: "toy_folder".to_owned(),
        name_prefix: "planton".to_owned(),
        configuration: [("path".to_owned(), json!(folder.to_str().unwrap()))].into(),
    }
}

async fn connect(folder: &Path, password: Option<&str>) -> Arc<dyn SecretStore> {
    let credential: StoreCredential = password
        .map(|password| ("password".to_owned(), password.into()))
        .into_iter()
        .collect();
    let connector = Connector::default();
    let connected = connector.connect(&settings(folder), &credential).await;
    connected.unwrap()
}

#[tokio::test]
async fn the_store_passes_the_conformance_suite() {
    let folder = tempfile::tempdir().unwrap();
    let store = connect(folder.path(), None).await;
    let gaps = conformance::run_all(&*store, "all").await.unwrap();
    assert_eq!(gaps.all(), []);
}

#[tokio::test]
async fn the_store_passes_the_conformance_suite_of_drift() {
    let folder = tempfile::tempdir().unwrap();
    let store = connect(folder.path(), None).await;
    let intruder = Intruder(folder.path().to_owned());
    let gaps = conformance::run_drift(&*store, &intruder, "drift").await;
    assert_eq!(gaps.unwrap().all(), []);
}

#[tokio::test]
async fn a_folder_with_a_password_admits_nobody_without_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".passwords"), "hunter1\nhunter2\n").unwrap();
    let name = RemoteName::new("db".to_owned());
    let nothing = || Deletion::Object { versions: vec![] };
    for wrong in [None, Some(""), Some("hunter3")] {
        let store = connect(folder.path(), wrong).await;
        let error = store.delete(&name, nothing()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unauthenticated);
        assert_eq!(error.setting(), Some("password"));
        assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
    }
    for right in ["hunter1", "hunter2"] {
        let store = connect(folder.path(), Some(right)).await;
        store.delete(&name, nothing()).await.unwrap();
    }
}

#[tokio::test]
async fn a_folder_that_is_missing_is_no_proof_that_its_objects_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = connect(&folder.path().join("unmounted"), None).await;
    let name = RemoteName::new("db".to_owned());
    let version = NativeVersionId::new("1".to_owned());
    let error = store.get(&name, &version).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert_eq!(error.setting(), Some("path"));
}

#[tokio::test]
async fn a_file_of_others_is_read_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("legacy"), "plain").unwrap();
    let store = connect(folder.path(), None).await;
    let (name, foreign) = (
        RemoteName::new("legacy".to_owned()),
        store.foreign().unwrap(),
    );
    let ForeignValue::Text(text) = foreign.read_foreign(&name).await.unwrap() else {
        panic!("a file is one text");
    };
    assert_eq!(text.expose(), "plain");
    foreign.delete_foreign(&name).await.unwrap();
    foreign.delete_foreign(&name).await.unwrap();
    let error = foreign.read_foreign(&name).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotFound);
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let known = BackendType::of("toy_folder").unwrap();
    for (setting, value) in [("path", "relative"), ("file_extension", "../x")] {
        let mut settings = settings(Path::new("/folder"));
        let value = json!(value);
        settings.configuration.insert(setting.to_owned(), value);
        let error = (known.check)(&settings).unwrap_err();
        assert_eq!(error.path(), setting);
    }
}
