//! The requests to AWS KMS in one Region.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_kms::Client;
use aws_sdk_kms::config::Builder;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::KeyMetadata;
use planton_core::kek::KekError;
use planton_envelope::DataKey;
use planton_secret::SecretBytes;

use super::errors::{Place, explain};
use crate::aws::caller::Caller;
use crate::aws::client::{AwsError, AwsErrorKind, AwsSession};
use crate::aws::connection::AwsConnection;
use crate::aws::credential::AwsCredential;

/// The longest ciphertext of a data key that is accepted. AWS documents 6,144 bytes for
/// 4,096 bytes of plaintext; its ciphertext of 32 bytes has about 184:
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>
pub(super) const MAX_CIPHERTEXT_BYTES: usize = 512;

/// Client of AWS KMS in one Region.
#[derive(Debug)]
pub(super) struct KmsClient {
    session: AwsSession,
    client: Client,
    caller: Caller,
}

/// How a key rotates, as AWS answers it.
pub(super) struct RotationStatus {
    pub(super) is_enabled: bool,
    pub(super) period_days: Option<i32>,
}

type Context = BTreeMap<String, String>;

impl KmsClient {
    pub(super) fn new(
        session: AwsSession,
        connection: &AwsConnection,
        credential: &AwsCredential,
    ) -> Self {
        let mut builder = Builder::from(session.config());
        if let Some(endpoint) = connection.endpoint_url() {
            builder = builder.endpoint_url(endpoint);
        }
        Self {
            client: Client::from_conf(builder.build()),
            session,
            caller: Caller::new(connection, credential),
        }
    }

    pub(super) fn region(&self) -> &str {
        self.session.region()
    }

    pub(super) fn requests(&self) -> u64 {
        self.session.requests().total()
    }

    pub(super) fn explain(&self, error: AwsError, operation: &'static str, key: &str) -> KekError {
        let place = Place {
            key,
            region: self.region(),
            caller: &self.caller,
        };
        explain(error, operation, place)
    }

    pub(super) async fn describe(&self, key: &str) -> Result<KeyMetadata, AwsError> {
        let sending = || self.client.describe_key().key_id(key).send();
        let described = self.session.call(sending).await?;
        described
            .key_metadata
            .ok_or_else(|| unexpected("an answer without the key's metadata"))
    }

    pub(super) async fn rotation(&self, key: &str) -> Result<RotationStatus, AwsError> {
        let sending = || self.client.get_key_rotation_status().key_id(key).send();
        let status = self.session.call(sending).await?;
        Ok(RotationStatus {
            is_enabled: status.key_rotation_enabled,
            period_days: status.rotation_period_in_days,
        })
    }

    pub(super) async fn encrypt(
        &self,
        key: &str,
        dek: &DataKey,
        context: &Context,
    ) -> Result<Vec<u8>, AwsError> {
        let sending = || {
            let encrypt = self.client.encrypt().key_id(key);
            encrypt
                .plaintext(Blob::new(dek.expose().as_slice()))
                .set_encryption_context(Some(pairs(context)))
                .send()
        };
        let encrypted = self.session.call(sending).await?;
        same_key(key, encrypted.key_id())?;
        ciphertext(encrypted.ciphertext_blob)
    }

    /// Decrypts a ciphertext of the key `key`, and of no other key.
    //= docs/format.md#26-kek-in-aws-kms
    //# A reader MUST name the key of `kek_id` in its request to `Decrypt`.
    pub(super) async fn decrypt(
        &self,
        key: &str,
        ciphertext: &[u8],
        context: &Context,
    ) -> Result<SecretBytes, AwsError> {
        let sending = || {
            let decrypt = self.client.decrypt().key_id(key);
            decrypt
                .ciphertext_blob(Blob::new(ciphertext))
                .set_encryption_context(Some(pairs(context)))
                .send()
        };
        let decrypted = self.session.call(sending).await?;
        let plaintext = decrypted.plaintext.map(Blob::into_inner);
        let plaintext = plaintext.map(SecretBytes::new);
        same_key(key, decrypted.key_id.as_deref())?;
        plaintext.ok_or_else(|| unexpected("an answer without a plaintext"))
    }

    /// Encrypts under the newest version of the key what a ciphertext of it contains,
    /// inside AWS KMS.
    pub(super) async fn re_encrypt(
        &self,
        key: &str,
        old: &[u8],
        context: &Context,
    ) -> Result<Vec<u8>, AwsError> {
        let sending = || {
            let again = self.client.re_encrypt().ciphertext_blob(Blob::new(old));
            again
                .source_key_id(key)
                .set_source_encryption_context(Some(pairs(context)))
                .destination_key_id(key)
                .set_destination_encryption_context(Some(pairs(context)))
                .send()
        };
        let encrypted = self.session.call(sending).await?;
        same_key(key, encrypted.source_key_id())?;
        same_key(key, encrypted.key_id())?;
        ciphertext(encrypted.ciphertext_blob)
    }
}

fn pairs(context: &Context) -> HashMap<String, String> {
    context.clone().into_iter().collect()
}

/// Checks that the answer is about the key that the request named.
fn same_key(key: &str, answered: Option<&str>) -> Result<(), AwsError> {
    match answered {
        Some(answered) if answered == key => Ok(()),
        _ => Err(unexpected("an answer about another key")),
    }
}

fn ciphertext(blob: Option<Blob>) -> Result<Vec<u8>, AwsError> {
    let ciphertext = blob.map(Blob::into_inner).unwrap_or_default();
    match ciphertext.len() {
        1..=MAX_CIPHERTEXT_BYTES => Ok(ciphertext),
        _ => Err(unexpected("an answer without a ciphertext of a data key")),
    }
}

fn unexpected(what: &str) -> AwsError {
    AwsError::new(AwsErrorKind::Unexpected, what)
}
