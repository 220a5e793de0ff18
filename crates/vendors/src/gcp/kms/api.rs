//! The requests to Cloud KMS, with a checksum of everything that is sent and returned:
//! <https://cloud.google.com/kms/docs/data-integrity-guidelines>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::errors::{KmsOperation, explain};
use super::key_name::version_of;
use crate::gcp::client::{Freshness, GcpCall, GcpClient};
use crate::http::{decode_secret, encode_secret, json_object, zeroizing};
use planton_core::kek::{KekError, KekErrorKind};
use planton_secret::{SecretBytes, SecretString};

/// Number of tries of a request whose checksums do not match.
const TRIES: u32 = 2;

/// A key, as far as it matters:
/// <https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys>.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CryptoKey {
    pub(super) name: String,
    #[serde(default)]
    pub(super) purpose: String,
    /// The version that encrypts; absent if the key has none.
    pub(super) primary: Option<CryptoKeyVersion>,
    /// The seconds between automatic rotations, such as `7776000s`.
    pub(super) rotation_period: Option<String>,
    /// Whether all versions are imported.
    #[serde(default)]
    pub(super) import_only: bool,
}

/// A version of a key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CryptoKeyVersion {
    pub(super) name: String,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) protection_level: String,
}

/// What an encryption returns.
pub(super) struct Encrypted {
    /// The number of the version that encrypted.
    pub(super) version: u64,
    pub(super) ciphertext: Vec<u8>,
}

/// Client of Cloud KMS.
#[derive(Debug)]
pub(super) struct Api {
    client: GcpClient,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EncryptAnswer {
    name: String,
    ciphertext: String,
    ciphertext_crc32c: Option<String>,
    #[serde(default)]
    verified_plaintext_crc32c: bool,
    #[serde(default)]
    verified_additional_authenticated_data_crc32c: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DecryptAnswer {
    #[serde(deserialize_with = "zeroizing")]
    plaintext: Zeroizing<String>,
    plaintext_crc32c: Option<String>,
}

impl Api {
    pub(super) fn new(client: GcpClient) -> Self {
        Self { client }
    }

    pub(super) async fn key(&self, name: &str) -> Result<CryptoKey, KekError> {
        let call = GcpCall {
            operation: KmsOperation::Get.name(),
            method: Method::GET,
            resource: name,
            suffix: "",
            query: &[],
            body: None,
            freshness: Freshness::Settled,
        };
        let found = self.client.call(call).await;
        found.map_err(|error| explain(error, KmsOperation::Get, name, None))
    }

    //= docs/format.md#27-kek-in-gcp-kms
    //# A writer MUST send the DEK to `encrypt` as `plaintext` and the binding as
    //# `additionalAuthenticatedData`, both in base64 with padding (RFC 4648, section 4), with
    //# the CRC32C of each.
    //= docs/format.md#27-kek-in-gcp-kms
    //# A writer MUST refuse a response that does not confirm both checksums, or whose
    //# ciphertext has another CRC32C than the response says.
    pub(super) async fn encrypt(
        &self,
        key: &str,
        plaintext: &[u8],
        binding: &[u8],
    ) -> Result<Encrypted, KekError> {
        let operation = KmsOperation::Encrypt;
        let body = json_object(&[
            ("plaintext", encode_secret(&STANDARD, plaintext).expose()),
            ("plaintextCrc32c", checksum(plaintext).expose()),
            ("additionalAuthenticatedData", &STANDARD.encode(binding)),
            (
                "additionalAuthenticatedDataCrc32c",
                checksum(binding).expose(),
            ),
        ]);
        for _ in 0..TRIES {
            let answer: EncryptAnswer = self.post(operation, key, None, &body).await?;
            let Ok(ciphertext) = STANDARD.decode(&answer.ciphertext) else {
                continue;
            };
            let sums_match = answer.verified_plaintext_crc32c
                && answer.verified_additional_authenticated_data_crc32c
                && matches(answer.ciphertext_crc32c.as_deref(), &ciphertext);
            if !sums_match {
                continue;
            }
            let version = version_of(&answer.name, key)
                .ok_or_else(|| KekError::new(KekErrorKind::Unexpected, operation.name(), key))?;
            return Ok(Encrypted {
                version,
                ciphertext,
            });
        }
        Err(damaged(operation, key))
    }

    //= docs/format.md#27-kek-in-gcp-kms
    //# A reader MUST send the ciphertext to `decrypt` with the binding as
    //# `additionalAuthenticatedData`, and refuse a response whose plaintext has another CRC32C
    //# than the response says, or does not have 32 bytes.
    pub(super) async fn decrypt(
        &self,
        key: &str,
        version: u64,
        ciphertext: &[u8],
        binding: &[u8],
    ) -> Result<SecretBytes, KekError> {
        let operation = KmsOperation::Decrypt;
        let body = json_object(&[
            ("ciphertext", &STANDARD.encode(ciphertext)),
            ("ciphertextCrc32c", checksum(ciphertext).expose()),
            ("additionalAuthenticatedData", &STANDARD.encode(binding)),
            (
                "additionalAuthenticatedDataCrc32c",
                checksum(binding).expose(),
            ),
        ]);
        for _ in 0..TRIES {
            let answer: DecryptAnswer = self.post(operation, key, Some(version), &body).await?;
            let plaintext = decode_secret(&STANDARD, &answer.plaintext);
            let matching = plaintext
                .filter(|bytes| matches(answer.plaintext_crc32c.as_deref(), bytes.expose()));
            if let Some(plaintext) = matching {
                return Ok(plaintext);
            }
        }
        Err(damaged(operation, key))
    }

    async fn post<T: serde::de::DeserializeOwned>(
        &self,
        operation: KmsOperation,
        key: &str,
        version: Option<u64>,
        body: &SecretBytes,
    ) -> Result<T, KekError> {
        let call = GcpCall {
            operation: operation.name(),
            method: Method::POST,
            resource: key,
            suffix: operation.suffix(),
            query: &[],
            body: Some(body.clone()),
            freshness: Freshness::Settled,
        };
        let answered = self.client.call(call).await;
        answered.map_err(|error| explain(error, operation, key, version))
    }
}

/// Returns a CRC32C as JSON represents an int64. That of a key narrows it down, so it is
/// zeroized like the key.
fn checksum(bytes: &[u8]) -> SecretString {
    SecretString::new(crc32c::crc32c(bytes).to_string())
}

fn matches(given: Option<&str>, bytes: &[u8]) -> bool {
    given == Some(checksum(bytes).expose())
}

fn damaged(operation: KmsOperation, key: &str) -> KekError {
    KekError::new(KekErrorKind::Unexpected, operation.name(), key).with_remedy(
        "Twice the checksums of request and response did not match: something between this \
         machine and Google damages them. Check the proxy in between.",
    )
}
