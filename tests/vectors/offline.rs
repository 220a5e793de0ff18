//! Envelopes under keys that need no service, opened and sealed by the second implementation.

use planton_core::kek::LocalKek;
use planton_vendors::age::AgeIdentity;
use planton_vendors::embedded::LocalKeyFile;
use test_support::second_implementation::SecondImplementation;

/// A key pair from the tests of rage:
/// <https://github.com/str4d/rage/blob/main/age/src/keys.rs>.
const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

const KEY_FILE: &str = r#"
class FileKek(pse.LocalKek):
    def __init__(self, path, organization):
        with open(path, "rb") as file:
            super().__init__(file.read(), organization)
    def wrap(self, data_key, binding):
        nonce = pse.mac32(os.urandom(32), binding + data_key)[:12]
        return super().wrap(data_key, binding, nonce)
"#;

#[tokio::test]
async fn python_opens_and_seals_with_an_identity_of_age_alone() {
    let identity = AgeIdentity::parse(IDENTITY).expect("an identity");
    let python = SecondImplementation::new("pse.AgeIdentity", &[IDENTITY]);
    python.opens_what_is_sealed_under(&identity).await;
    python.seals_what_opens_under(&identity).await;
}

#[tokio::test]
async fn python_opens_and_seals_with_a_key_file_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("planton.key");
    let file = LocalKeyFile::create(&path).expect("a key file");
    let kek = LocalKek::new(file.root_key(), &"acme".parse().expect("a slug"));
    let path = path.to_str().expect("UTF-8");
    let python = SecondImplementation::new("FileKek", &[path, "acme"]).defined(KEY_FILE);
    python.opens_what_is_sealed_under(&kek).await;
    python.seals_what_opens_under(&kek).await;
}
