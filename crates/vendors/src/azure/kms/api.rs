//! The requests about a key: <https://learn.microsoft.com/rest/api/keyvault/keys>.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::errors::KeyOperation;
use super::key_url::{KeyUrl, KeyVersionUrl};
use crate::azure::client::{AzureConnection, AzureError, VaultCall};
use crate::http::{decode_secret, encode_secret, json_object, zeroizing};
use planton_secret::SecretBytes;

/// RSAES-OAEP with SHA-256 and MGF1 with SHA-256.
const ALGORITHM: &str = "RSA-OAEP-256";

/// A version of a key, and its attributes.
#[derive(Debug, Deserialize)]
pub(super) struct KeyBundle {
    pub(super) key: JsonWebKey,
    #[serde(default)]
    pub(super) attributes: KeyAttributes,
}

#[derive(Debug, Deserialize)]
pub(super) struct JsonWebKey {
    pub(super) kid: String,
    pub(super) kty: String,
    #[serde(default)]
    pub(super) key_ops: Vec<String>,
    /// The RSA modulus.
    #[serde(default)]
    n: String,
}

/// Times are in seconds since 1970.
#[derive(Debug, Default, Deserialize)]
pub(super) struct KeyAttributes {
    pub(super) enabled: Option<bool>,
    pub(super) nbf: Option<i64>,
    pub(super) exp: Option<i64>,
}

/// When a key rotates by itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RotationPolicy {
    #[serde(default)]
    pub(super) lifetime_actions: Vec<LifetimeAction>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LifetimeAction {
    pub(super) action: ActionType,
    #[serde(default)]
    pub(super) trigger: Trigger,
}

#[derive(Debug, Deserialize)]
pub(super) struct ActionType {
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// A time in ISO 8601, such as `P90D`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trigger {
    pub(super) time_after_create: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    kid: String,
    #[serde(deserialize_with = "zeroizing")]
    value: Zeroizing<String>,
}

impl JsonWebKey {
    /// Returns the number of bits of the modulus; 0 if there is none.
    pub(super) fn bits(&self) -> usize {
        let modulus = URL_SAFE_NO_PAD.decode(&self.n).unwrap_or_default();
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        let first = modulus.get(zeros).map_or(0, |byte| byte.leading_zeros());
        8 * (modulus.len() - zeros) - first as usize
    }
}

/// Returns the newest version of a key.
pub(super) async fn newest(
    connection: &AzureConnection,
    key: &KeyUrl,
) -> Result<KeyBundle, AzureError> {
    get(connection, &key.path()).await
}

/// Returns a version of a key.
pub(super) async fn version(
    connection: &AzureConnection,
    version: &KeyVersionUrl,
) -> Result<KeyBundle, AzureError> {
    get(connection, &version.path()).await
}

pub(super) async fn rotation_policy(
    connection: &AzureConnection,
    key: &KeyUrl,
) -> Result<RotationPolicy, AzureError> {
    get(connection, &format!("{}/rotationpolicy", key.path())).await
}

/// Wraps or unwraps `value` with a version of a key.
//= docs/format.md#28-kek-in-azure-key-vault
//# A writer MUST encrypt `DEK ‖ binding` with RSAES-OAEP, SHA-256 and MGF1 with SHA-256,
//# which Key Vault calls `RSA-OAEP-256`, and write the ciphertext as `wrapped`.
pub(super) async fn transform(
    connection: &AzureConnection,
    version: &KeyVersionUrl,
    operation: KeyOperation,
    value: &[u8],
) -> Result<SecretBytes, AzureError> {
    let path = format!("{}/{}", version.path(), operation.path());
    let body = json_object(&[
        ("alg", ALGORITHM),
        ("value", encode_secret(&URL_SAFE_NO_PAD, value).expose()),
    ]);
    let call = VaultCall {
        method: Method::POST,
        path: &path,
        body: Some(body),
    };
    let answer: Answer = send(connection, &call).await?;
    if KeyVersionUrl::parse(&answer.kid).is_none_or(|of| !is_same(&of, version)) {
        return Err(AzureError::unexpected("it answered for another key"));
    }
    decode_secret(&URL_SAFE_NO_PAD, &answer.value)
        .ok_or_else(|| AzureError::unexpected("its value is not in base64url"))
}

/// Returns whether both are the same version of the same key.
pub(super) fn is_same(one: &KeyVersionUrl, other: &KeyVersionUrl) -> bool {
    one.key.is_same(&other.key) && one.version.eq_ignore_ascii_case(&other.version)
}

async fn get<T: DeserializeOwned>(
    connection: &AzureConnection,
    path: &str,
) -> Result<T, AzureError> {
    let call = VaultCall {
        method: Method::GET,
        path,
        body: None,
    };
    send(connection, &call).await
}

async fn send<T: DeserializeOwned>(
    connection: &AzureConnection,
    call: &VaultCall<'_>,
) -> Result<T, AzureError> {
    let response = connection.call(call).await?;
    let read = response.json();
    read.map_err(|answer| AzureError::unexpected(answer.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_of_a_key_is_that_of_its_modulus() {
        let bits = |n: &[u8]| {
            let n = URL_SAFE_NO_PAD.encode(n);
            let key = JsonWebKey {
                kid: String::new(),
                kty: "RSA".to_owned(),
                key_ops: Vec::new(),
                n,
            };
            key.bits()
        };
        assert_eq!(bits(&[0xff; 256]), 2048);
        assert_eq!(bits(&[&[0][..], &[0x80; 256]].concat()), 2048);
        assert_eq!(bits(&[&[0x7f][..], &[0xff; 255]].concat()), 2047);
        assert_eq!(bits(&[0; 3]), 0);
        assert_eq!(bits(&[]), 0);
    }
}
