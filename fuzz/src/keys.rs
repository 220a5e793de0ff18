//! Key files, and the files of age.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use planton_core::kek::{ConnectKek, KekSettings, KeyEncryptionKey};
use planton_core::store::StoreCredential;
use planton_envelope::{DataKey, KeyFile, MAX_KEY_FILE_BYTES, MAX_ROOT_KEYS, WrappedKey};
use planton_vendors::KekConnector;
use planton_vendors::age::{AgeIdentity, fuzz_identities};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Verdict;
use crate::kms::{block_on, context};

/// A key pair from the tests of rage:
/// <https://github.com/str4d/rage/blob/main/age/src/keys.rs>.
pub(crate) const IDENTITY: &str =
    "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

/// The data key of the seed of [`age_file`].
pub(crate) const DEK: [u8; 32] = *b"the data key that a seed wraps..";

/// Decodes a key file. The checksum follows the input, since no fuzzer computes one.
pub(crate) fn key_file(body: &[u8]) -> Verdict {
    let checksum: [u8; 32] = Sha256::digest(body).into();
    let bytes = [body, &checksum].concat();
    assert!(
        KeyFile::decode(body).is_none_or(|file| file.encode().as_slice() == body),
        "there is one encoding"
    );
    let decoded = KeyFile::decode(&bytes);
    if let Some(file) = &decoded {
        assert!(bytes.len() <= MAX_KEY_FILE_BYTES);
        assert_eq!(file.encode().as_slice(), bytes, "there is one encoding");
        let roots = file.former().iter().chain([file.current()]);
        let ids: Vec<_> = roots.map(planton_envelope::RootKey::id).collect();
        assert!(ids.len() <= MAX_ROOT_KEYS);
        let distinct: BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "no identifier occurs twice");
    }
    let mut cut = bytes;
    cut.pop();
    assert!(KeyFile::decode(&cut).is_none(), "no prefix is a key file");
    Verdict::of(decoded)
}

/// Unwraps an age file with an identity. Only the seed's own data key ever comes out.
pub(crate) fn age_file(file: &[u8]) -> Verdict {
    static OWN: LazyLock<AgeIdentity> =
        LazyLock::new(|| AgeIdentity::parse(IDENTITY).expect("an identity"));
    let wrapped = WrappedKey::new(file.to_vec());
    let opened = block_on(OWN.unwrap(&wrapped, context(OWN.id())));
    let opened = opened.ok();
    if let Some(dek) = &opened {
        let seeds = DataKey::copy_of(&DEK);
        assert!(bool::from(dek.ct_eq(&seeds)), "nobody has encrypted this");
        assert_eq!(file.len(), OWN.max_wrapped_bytes());
    }
    Verdict::of(opened)
}

/// Parses an identity file of age.
pub(crate) fn age_identities(content: &[u8]) -> Verdict {
    let identities = fuzz_identities(content);
    for identity in identities.iter().flatten() {
        let settings = KekSettings {
            kind: "age".to_owned(),
            configuration: [("recipient".to_owned(), identity.recipient().into())].into(),
        };
        let credential = StoreCredential::new();
        let connector = KekConnector::default();
        let recipient = connector.open(&settings, &credential, identity.id());
        let recipient = recipient.expect("an identity's recipient");
        assert_eq!(recipient.id(), identity.id());
        let shown = format!("{identity:?}").to_ascii_uppercase();
        assert!(!shown.contains("AGE-SECRET-KEY"), "no secret is shown");
    }
    if let Some(identities) = &identities {
        let lines = content.split(|byte| *byte == b'\n').count();
        assert!((1..=lines).contains(&identities.len()));
    }
    Verdict::of(identities)
}
