//! Attacks on an organization whose backend is under a key in AWS KMS.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::Builder;
use aws_sdk_kms::primitives::Blob;
use planton_core::kek::{KeyEncryptionKey as _, WrapContext};
use planton_core::operations::DeclaredKek;
use planton_envelope::{DataKey, WrappedKey};
use planton_vendors::KekConnector;
use planton_vendors::aws::AwsKmsKek;
use planton_vendors::aws::client::{AwsIdentitySettings, AwsSession, StaticCredential};
use serde_json::{Value, json};
use test_support::attacks::a_substituted_wrap_that_a_forged_record_names_is_carried_on_and_opens_nothing as carried_on;
use test_support::attacks::{Encryptor, Target, embedded_platform};
use xtask::moto::Moto;

use super::context::{parts, with_context};
use super::support::Place;
use crate::support::hasty;

/// A principal whose only permission is `kms:Encrypt`.
#[derive(Debug)]
struct EncryptOnly {
    kek: AwsKmsKek,
    client: Client,
    arn: String,
}

impl EncryptOnly {
    async fn of(place: &Place) -> Self {
        let principal = Place {
            arn: place.arn.clone(),
            ..Place::new().await
        };
        let policy = json!({"Statement": [{
            "Effect": "Allow", "Action": "kms:Encrypt", "Resource": place.arn,
        }]});
        let moto = &place.moto;
        moto.attach_policy(&principal.key_id, &policy).unwrap();
        let identity = AwsIdentitySettings {
            region: Some(Moto::REGION.to_owned()),
            credential: Some(StaticCredential {
                access_key_id: principal.key_id.clone(),
                secret_access_key: principal.secret_key.as_str().into(),
                session_token: None,
            }),
            ..AwsIdentitySettings::default()
        };
        let session = AwsSession::connect(identity, hasty()).await.unwrap();
        let builder = Builder::from(session.config()).endpoint_url(moto.address());
        Self {
            kek: principal.kek(),
            client: Client::from_conf(builder.build()),
            arn: place.arn.clone(),
        }
    }
}

#[async_trait]
impl Encryptor for EncryptOnly {
    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> WrappedKey {
        self.kek.wrap(dek, context).await.unwrap()
    }

    async fn downgraded(&self, dek: &DataKey, context: WrapContext<'_>) -> Vec<WrappedKey> {
        let (whole, _) = parts(&self.wrap(dek, context).await);
        let mut fewer = vec![json!({})];
        for name in whole.as_object().unwrap().keys() {
            let mut less = whole.clone();
            less.as_object_mut().unwrap().remove(name);
            fewer.push(less);
        }
        let mut made = Vec::new();
        for pairs in fewer {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let encrypt = self.client.encrypt();
            let encrypt = encrypt.key_id(&self.arn).plaintext(Blob::new(dek.expose()));
            let given = pairs.as_object().unwrap().iter();
            let given = given.map(|(name, value)| (name.clone(), text(value)));
            let encrypt = encrypt.set_encryption_context(Some(given.collect()));
            let answer = encrypt.send().await.unwrap();
            let ciphertext = answer.ciphertext_blob.unwrap().into_inner();
            // Beside the pairs that it has, and beside those that it should have.
            made.push(with_context(&pairs, &ciphertext));
            made.push(with_context(&whole, &ciphertext));
        }
        made
    }
}

async fn target() -> (Place, Target) {
    let (place, theirs) = (Place::new().await, Place::new().await);
    let target = Target {
        connector: Arc::new(KekConnector::new(hasty())),
        platform: embedded_platform(),
        main: Some(DeclaredKek {
            settings: place.settings(json!({})),
            credential: Some(place.credential()),
        }),
        theirs: Arc::new(theirs.kek()),
        encryptor: Arc::new(EncryptOnly::of(&place).await),
    };
    (place, target)
}

test_support::attacks!(target().await);

#[tokio::test]
async fn a_substituted_wrap_that_a_forged_record_names_is_carried_on_and_opens_nothing() {
    let (place, target) = target().await;
    let rotate = async { place.moto.rotate_kms_key(&place.arn).unwrap() };
    carried_on(&target, rotate).await;
}
