//! Batches of Transit: one request for many items, each of which succeeds or fails by
//! itself.
//!
//! Encryption and decryption return status 400 as soon as one item fails, and `rewrap`
//! returns 200. Both hold the outcome of each item:
//! <https://github.com/openbao/openbao/blob/main/builtin/logical/transit/path_encrypt.go>,
//! <https://github.com/openbao/openbao/blob/main/builtin/logical/transit/path_rewrap.go>.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde::Deserialize;

use super::call::Call;
use super::error::OpenBaoError;
use super::transit::Transit;
use crate::http::{HttpResponse, decode_secret, encode_secret, json_array};
use planton_secret::{SecretBytes, SecretString};

/// The most items of one batch. A server rejects a request with more strings than 1,000 by
/// default, and counts three an item:
/// <https://openbao.org/docs/configuration/listener/tcp/#max_request_json_strings>.
pub const MAX_BATCH: usize = 100;

/// What is to be encrypted, and its context.
#[derive(Debug)]
pub struct Plain {
    /// The plaintext.
    pub plaintext: SecretBytes,
    /// The context of a derived key.
    pub context: [u8; 32],
}

/// What is to be decrypted or rewrapped, and its context.
#[derive(Clone, Debug)]
pub struct Encrypted {
    /// The ciphertext.
    pub ciphertext: String,
    /// The context of a derived key.
    pub context: [u8; 32],
}

/// The outcomes of a batch, in the order of its items.
pub type Outcomes<T> = Vec<Result<T, OpenBaoError>>;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Results<'a>,
}

#[derive(Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    batch_results: Vec<Item<'a>>,
}

/// An empty text stands for an absent one.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default)]
    ciphertext: Option<Cow<'a, str>>,
    /// Borrowed, so that no copy of a data key stays behind.
    #[serde(borrow, default)]
    plaintext: Option<&'a str>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
}

impl Transit {
    /// Encrypts each of `items` under the key `name`, as [`encrypt`](Self::encrypt) does.
    ///
    /// # Errors
    ///
    /// If the request fails as a whole. Otherwise each item fails by itself.
    pub async fn encrypt_batch(
        &self,
        name: &str,
        items: &[Plain],
    ) -> Result<Outcomes<String>, OpenBaoError> {
        let encoded: Vec<(SecretString, String)> = items
            .iter()
            .map(|item| {
                let plaintext = encode_secret(&STANDARD, item.plaintext.expose());
                (plaintext, STANDARD.encode(item.context))
            })
            .collect();
        let fields: Vec<_> = encoded
            .iter()
            .map(|(plaintext, context)| {
                [
                    ("plaintext", plaintext.expose()),
                    ("context", context.as_str()),
                ]
            })
            .collect();
        let call = self.batch("encrypt", name, json_array("batch_input", &fields));
        self.outcomes(&call, items.len(), ciphertext_of).await
    }

    /// Decrypts each of `items` with the key `name`, as [`decrypt`](Self::decrypt) does.
    ///
    /// # Errors
    ///
    /// As [`encrypt_batch`](Self::encrypt_batch).
    pub async fn decrypt_batch(
        &self,
        name: &str,
        items: &[Encrypted],
    ) -> Result<Outcomes<SecretBytes>, OpenBaoError> {
        let call = self.batch("decrypt", name, encrypted(items));
        let plaintext = |item: &Item<'_>| decode_secret(&STANDARD, item.plaintext?);
        self.outcomes(&call, items.len(), plaintext).await
    }

    /// Encrypts the plaintext of each of `items` again under the key's newest version. The
    /// plaintexts stay on the server. An item at the newest version gets a new ciphertext
    /// too.
    ///
    /// # Errors
    ///
    /// As [`encrypt_batch`](Self::encrypt_batch).
    pub async fn rewrap_batch(
        &self,
        name: &str,
        items: &[Encrypted],
    ) -> Result<Outcomes<String>, OpenBaoError> {
        let call = self.batch("rewrap", name, encrypted(items));
        self.outcomes(&call, items.len(), ciphertext_of).await
    }

    fn batch(&self, operation: &'static str, name: &str, body: SecretBytes) -> Call {
        let mut call = self.call(operation, Method::POST, operation, name);
        call.body = Some(body);
        call.has_items = true;
        call
    }

    async fn outcomes<T>(
        &self,
        call: &Call,
        count: usize,
        value: impl Fn(&Item<'_>) -> Option<T>,
    ) -> Result<Outcomes<T>, OpenBaoError> {
        let response = self.client.call(call).await?;
        self.found(&response, call).await?;
        let answer = serde_json::from_slice::<Answer<'_>>(response.body.expose());
        match answer {
            Ok(answer) if answer.data.batch_results.len() == count => {
                let items = answer.data.batch_results.iter();
                Ok(items
                    .map(|item| outcome(&response, call, item, &value))
                    .collect())
            }
            // The whole request was rejected.
            _ if response.status == StatusCode::BAD_REQUEST => {
                Err(self.client.refusal(&response, call).await)
            }
            _ => Err(unexpected(&response, call)),
        }
    }
}

fn outcome<T>(
    response: &HttpResponse,
    call: &Call,
    item: &Item<'_>,
    value: impl Fn(&Item<'_>) -> Option<T>,
) -> Result<T, OpenBaoError> {
    match item.error.as_deref() {
        None | Some("") => value(item).ok_or_else(|| unexpected(response, call)),
        Some(error) => Err(OpenBaoError::of_item(
            error.to_owned(),
            call.operation,
            &call.path,
        )),
    }
}

fn ciphertext_of(item: &Item<'_>) -> Option<String> {
    let ciphertext = item.ciphertext.as_deref()?;
    (!ciphertext.is_empty()).then(|| ciphertext.to_owned())
}

fn encrypted(items: &[Encrypted]) -> SecretBytes {
    let contexts: Vec<String> = items
        .iter()
        .map(|item| STANDARD.encode(item.context))
        .collect();
    let fields: Vec<_> = items
        .iter()
        .zip(&contexts)
        .map(|(item, context)| {
            [
                ("ciphertext", item.ciphertext.as_str()),
                ("context", context.as_str()),
            ]
        })
        .collect();
    json_array("batch_input", &fields)
}

fn unexpected(response: &HttpResponse, call: &Call) -> OpenBaoError {
    OpenBaoError::unexpected(response, call.operation, &call.path)
}
