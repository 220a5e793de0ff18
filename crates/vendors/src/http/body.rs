//! Request and response bodies, in memory that is zeroized.

use bytes::Bytes;
use http::Method;
use hyper::ext::ReasonPhrase;
use url::Url;
use zeroize::Zeroizing;

use super::answer::HttpResponse;
use super::error::{HttpError, HttpErrorKind};
use super::target::{host, target};
use planton_secret::SecretBytes;

/// Maximum size of a response body, far above any response of a secret backend.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// Bytes that are zeroized when the last try that shares them ends.
pub(super) trait FromOwnerSecret {
    fn from_owner_secret(secret: SecretBytes) -> Self;
}

impl FromOwnerSecret for Bytes {
    fn from_owner_secret(secret: SecretBytes) -> Self {
        struct Owner(SecretBytes);
        impl AsRef<[u8]> for Owner {
            fn as_ref(&self) -> &[u8] {
                self.0.expose()
            }
        }
        Self::from_owner(Owner(secret))
    }
}

/// Reads a whole response into memory that is zeroized.
pub(super) async fn read(
    mut response: reqwest::Response,
    url: &Url,
    method: &Method,
) -> Result<HttpResponse, HttpError> {
    let announced = response.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    // Allocates the announced size at once: a buffer that grows leaves copies behind.
    let mut body = Zeroizing::new(Vec::with_capacity(announced.clamp(4096, MAX_BODY_BYTES)));
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| HttpError::from_reqwest(error, &target(method, url)))?
    {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(HttpError::new(HttpErrorKind::TooLarge, target(method, url)));
        }
        if body.len() + chunk.len() > body.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * (body.len() + chunk.len())));
            larger.extend_from_slice(&body);
            body = larger;
        }
        body.extend_from_slice(&chunk);
    }
    let reason = response.extensions().get::<ReasonPhrase>();
    let reason = reason.and_then(|words| std::str::from_utf8(words.as_bytes()).ok());
    Ok(HttpResponse {
        host: host(url),
        status: response.status(),
        reason: reason.map(str::to_owned),
        headers: std::mem::take(response.headers_mut()),
        body: SecretBytes::new(std::mem::take(&mut *body)),
        retried: false,
    })
}
