//! The Transit engine, whose keys never leave the server:
//! <https://openbao.org/api-docs/secret/transit/>.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde::Deserialize;

use super::call::{Call, Route};
use super::config::MountPath;
use super::error::{OpenBaoError, OpenBaoErrorKind};
use super::openbao_client::OpenBaoClient;
use crate::http::{HttpResponse, decode_secret, encode_secret, json_object};
use planton_secret::SecretBytes;

/// A Transit mount.
#[derive(Clone, Debug)]
pub struct Transit {
    pub(super) client: OpenBaoClient,
    mount: MountPath,
    /// Route of requests about keys. Encryption and decryption never take it.
    route: Route,
}

/// Properties of a key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TransitKey {
    /// Key type, `aes256-gcm96` for ours.
    #[serde(rename = "type")]
    pub cipher: String,
    /// Whether the engine derives a key for each context.
    pub derived: bool,
    /// Whether equal plaintexts have equal ciphertexts. Only derived keys have this field.
    #[serde(default)]
    pub convergent_encryption: bool,
    /// Whether the key can be exported.
    pub exportable: bool,
    /// Whether a backup in plaintext can be taken.
    #[serde(default)]
    pub allow_plaintext_backup: bool,
    /// Whether the key was imported, so that copies of it may exist elsewhere.
    #[serde(default)]
    pub imported_key: bool,
    /// Whether the server may rotate an imported key.
    #[serde(default)]
    pub imported_key_allow_rotation: bool,
    /// The seconds after which the server rotates the key by itself; 0 for never.
    #[serde(default)]
    pub auto_rotate_period: u64,
    /// The newest version.
    pub latest_version: u64,
    /// The oldest version that still decrypts.
    pub min_decryption_version: u64,
}

impl OpenBaoClient {
    /// Returns the configured Transit mount.
    #[must_use]
    pub fn transit(&self) -> Transit {
        Transit {
            client: self.clone(),
            mount: self.0.transit_mount.clone(),
            route: Route::Any,
        }
    }
}

impl Transit {
    /// Sends requests about keys by `route`.
    pub(super) fn through(self, route: Route) -> Self {
        Self { route, ..self }
    }

    /// Returns the mount path.
    #[must_use]
    pub fn mount(&self) -> &MountPath {
        &self.mount
    }

    /// Reads the properties of the key `name`; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// By meaning.
    pub async fn key(&self, name: &str) -> Result<Option<TransitKey>, OpenBaoError> {
        let mut call = self.call("read key", Method::GET, "keys", name);
        call.route = self.route;
        let response = self.client.call(&call).await?;
        if response.status == StatusCode::NOT_FOUND {
            let error = self.client.refusal(&response, &call).await;
            return match error.kind() {
                OpenBaoErrorKind::NotFound => Ok(None),
                _ => Err(error),
            };
        }
        parse(&response, &call).map(Some)
    }

    /// Creates the key `name`: derived, not exportable, AES-256-GCM. The server rotates it
    /// after each `rotation_period`, or never. An existing key of any kind stays unchanged.
    ///
    /// # Errors
    ///
    /// By meaning.
    pub async fn create_derived_key(
        &self,
        name: &str,
        rotation_period: Option<Duration>,
    ) -> Result<(), OpenBaoError> {
        let mut call = self.call("create key", Method::POST, "keys", name);
        let body = serde_json::json!({
            "type": "aes256-gcm96",
            "derived": true,
            "exportable": false,
            "auto_rotate_period": period_text(rotation_period),
        });
        call.body = Some(SecretBytes::new(body.to_string().into_bytes()));
        call.writes = true;
        let response = self.client.call(&call).await?;
        self.found(&response, &call).await
    }

    /// Encrypts `plaintext` under the key `name`, for `context`.
    ///
    /// Read the key first: with a token that may create keys, this call creates a missing
    /// key, which is not derived.
    ///
    /// # Errors
    ///
    /// By meaning.
    //= docs/format.md#14-transit-kek
    //# A writer MUST send the DEK to `encrypt` as `plaintext` and the binding as `context`,
    //# both in base64 with padding (RFC 4648, section 4).
    pub async fn encrypt(
        &self,
        name: &str,
        plaintext: &[u8],
        context: &[u8],
    ) -> Result<String, OpenBaoError> {
        let mut call = self.call("encrypt", Method::POST, "encrypt", name);
        let plaintext = encode_secret(&STANDARD, plaintext);
        call.body = Some(json_object(&[
            ("plaintext", plaintext.expose()),
            ("context", &STANDARD.encode(context)),
        ]));
        self.ciphertext(call).await
    }

    /// Decrypts `ciphertext` with the key `name`, for `context`.
    ///
    /// # Errors
    ///
    /// `Refused` for an altered ciphertext, or one of another key or context; `NotFound` if
    /// the key does not exist.
    pub async fn decrypt(
        &self,
        name: &str,
        ciphertext: &str,
        context: &[u8],
    ) -> Result<SecretBytes, OpenBaoError> {
        #[derive(Deserialize)]
        struct Answer<'a> {
            #[serde(borrow)]
            data: Plaintext<'a>,
        }
        #[derive(Deserialize)]
        struct Plaintext<'a> {
            plaintext: &'a str,
        }
        let mut call = self.call("decrypt", Method::POST, "decrypt", name);
        call.body = Some(json_object(&[
            ("ciphertext", ciphertext),
            ("context", &STANDARD.encode(context)),
        ]));
        let response = self.client.call(&call).await?;
        self.found(&response, &call).await?;
        let answer: Answer<'_> = serde_json::from_slice(response.body.expose())
            .map_err(|_| OpenBaoError::unexpected(&response, call.operation, &call.path))?;
        decode_secret(&STANDARD, answer.data.plaintext)
            .ok_or_else(|| OpenBaoError::unexpected(&response, call.operation, &call.path))
    }

    async fn ciphertext(&self, call: Call) -> Result<String, OpenBaoError> {
        #[derive(Deserialize)]
        struct Ciphertext {
            ciphertext: String,
        }
        let response = self.client.call(&call).await?;
        self.found(&response, &call).await?;
        parse::<Ciphertext>(&response, &call).map(|answer| answer.ciphertext)
    }

    pub(super) fn call(
        &self,
        operation: &'static str,
        method: Method,
        api: &str,
        name: &str,
    ) -> Call {
        Call::new(operation, method, format!("{}/{api}/{name}", self.mount))
    }

    pub(super) async fn found(
        &self,
        response: &HttpResponse,
        call: &Call,
    ) -> Result<(), OpenBaoError> {
        match response.status {
            StatusCode::NOT_FOUND => Err(self.client.refusal(response, call).await),
            _ => Ok(()),
        }
    }
}

/// Returns a rotation period as Transit reads it; `0` for never:
/// <https://openbao.org/api-docs/secret/transit/#auto_rotate_period>.
pub(crate) fn period_text(period: Option<Duration>) -> String {
    match period.map(|period| period.as_secs()) {
        None => "0".to_owned(),
        Some(seconds) if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        Some(seconds) => format!("{seconds}s"),
    }
}

fn parse<T: serde::de::DeserializeOwned>(
    response: &HttpResponse,
    call: &Call,
) -> Result<T, OpenBaoError> {
    #[derive(Deserialize)]
    struct Envelope<T> {
        data: T,
    }
    serde_json::from_slice::<Envelope<T>>(response.body.expose())
        .map(|envelope| envelope.data)
        .map_err(|_| OpenBaoError::unexpected(response, call.operation, &call.path))
}
