//! Attacks on an organization whose backend is under an RSA key in Key Vault.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey, PublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use planton_core::kek::WrapContext;
use planton_core::operations::DeclaredKek;
use planton_envelope::{DataKey, WrappedKey};
use planton_vendors::KekConnector;
use serde_json::json;
use test_support::attacks::{Encryptor, Target, embedded_platform};

use super::kms_support::KeyPlace;

/// Anybody who has the public key. No request reaches the vault.
#[derive(Debug)]
struct PublicKey(OaepPublicEncryptingKey);

impl PublicKey {
    /// Takes modulus and exponent, which the vault tells every reader of the key.
    fn of(place: &KeyPlace) -> Self {
        let fake = &place.place.fake;
        let key = fake.key("GET", "keys/planton", &json!(null)).unwrap();
        let part = |name: &str| {
            let text = key["key"][name].as_str().unwrap();
            URL_SAFE_NO_PAD.decode(text).unwrap()
        };
        let components = PublicKeyComponents {
            n: part("n"),
            e: part("e"),
        };
        let key: PublicEncryptingKey = components.try_into().unwrap();
        Self(OaepPublicEncryptingKey::new(key).unwrap())
    }

    fn encrypt(&self, plaintext: &[u8]) -> WrappedKey {
        let mut ciphertext = vec![0; self.0.ciphertext_size()];
        let algorithm = &OAEP_SHA256_MGF1SHA256;
        let encrypted = self.0.encrypt(algorithm, plaintext, &mut ciphertext, None);
        let length = encrypted.unwrap().len();
        ciphertext.truncate(length);
        WrappedKey::new(ciphertext)
    }
}

#[async_trait]
impl Encryptor for PublicKey {
    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> WrappedKey {
        self.encrypt(dek.with_binding(&context.binding).expose())
    }

    async fn downgraded(&self, dek: &DataKey, context: WrapContext<'_>) -> Vec<WrappedKey> {
        let bound = dek.with_binding(&context.binding);
        let bound = bound.expose();
        let unbound = [dek.expose(), &[0; 32][..]].concat();
        let longer = [bound, b"x"].concat();
        let fewer = [&bound[..32], &bound[..48], &bound[..63], &unbound, &longer];
        fewer.map(|plaintext| self.encrypt(plaintext)).into()
    }
}

async fn target() -> (KeyPlace, Target) {
    let place = KeyPlace::new();
    place.create("theirs", &json!({"kty": "RSA"}));
    let theirs = place.declared_with(json!({"key_url": place.url("theirs")}));
    let theirs = theirs.resolve().await.unwrap().kek;
    let target = Target {
        connector: Arc::new(KekConnector::new(place.place.http())),
        platform: embedded_platform(),
        main: Some(DeclaredKek {
            settings: place.settings(json!({})),
            credential: Some(place.credential()),
        }),
        theirs,
        encryptor: Arc::new(PublicKey::of(&place)),
    };
    (place, target)
}

test_support::attacks!(target().await);
