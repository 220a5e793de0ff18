//! Attacks on an organization whose backend is under a key in Cloud KMS.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use planton_core::kek::WrapContext;
use planton_core::operations::DeclaredKek;
use planton_envelope::{DataKey, WrappedKey};
use planton_vendors::KekConnector;
use serde_json::json;
use test_support::attacks::a_substituted_wrap_that_a_forged_record_names_is_not_carried_on_under_the_same_key as not_carried_on;
use test_support::attacks::{Encryptor, Target, embedded_platform};

use super::kms_support::{KmsPlace, RING};
use super::support::hasty;

/// Whoever calls `encrypt`, and nothing else.
struct EncryptOnly(Arc<KmsPlace>);

impl fmt::Debug for EncryptOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptOnly")
    }
}

impl EncryptOnly {
    fn encrypt(&self, dek: &DataKey, additional: Option<&[u8]>) -> WrappedKey {
        let mut body = json!({"plaintext": STANDARD.encode(dek.expose())});
        if let Some(additional) = additional {
            body["additionalAuthenticatedData"] = STANDARD.encode(additional).into();
        }
        let path = format!("{}:encrypt", KmsPlace::name());
        let answer = self.0.ok("POST", &path, &body);
        let text = |name: &str| answer[name].as_str().unwrap();
        let version: u64 = text("name").rsplit('/').next().unwrap().parse().unwrap();
        let ciphertext = STANDARD.decode(text("ciphertext")).unwrap();
        WrappedKey::new([&[1][..], &version.to_be_bytes(), &ciphertext].concat())
    }
}

#[async_trait]
impl Encryptor for EncryptOnly {
    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> WrappedKey {
        self.encrypt(dek, Some(context.binding.as_bytes()))
    }

    async fn downgraded(&self, dek: &DataKey, context: WrapContext<'_>) -> Vec<WrappedKey> {
        let binding = context.binding.as_bytes();
        let fewer = [
            None,
            Some(&binding[..0]),
            Some(&binding[..16]),
            Some(&[0; 32][..]),
        ];
        fewer.map(|additional| self.encrypt(dek, additional)).into()
    }
}

async fn target() -> (Arc<KmsPlace>, Target) {
    let place = Arc::new(KmsPlace::new());
    place.create_key("theirs", &json!({"purpose": "ENCRYPT_DECRYPT"}));
    let theirs = json!({"key_name": format!("{RING}/cryptoKeys/theirs")});
    let theirs = place.declared_with(theirs).resolve().await.unwrap().kek;
    let target = Target {
        connector: Arc::new(KekConnector::new(hasty())),
        platform: embedded_platform(),
        main: Some(DeclaredKek {
            settings: place.settings(json!({})),
            credential: Some(place.credential()),
        }),
        theirs,
        encryptor: Arc::new(EncryptOnly(Arc::clone(&place))),
    };
    (place, target)
}

test_support::attacks!(target().await);

#[tokio::test]
async fn a_substituted_wrap_that_a_forged_record_names_is_not_carried_on_under_the_same_key() {
    let (place, target) = target().await;
    not_carried_on(&target, async { place.rotate() }).await;
}
