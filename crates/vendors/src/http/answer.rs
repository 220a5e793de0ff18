//! Responses, and the error of a response that has another form than expected.

use std::error::Error;
use std::fmt;

use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use planton_secret::SecretBytes;

/// A response of any status.
#[derive(Debug)]
pub struct HttpResponse {
    /// Host and port of the server.
    pub host: String,
    /// The status of the last try.
    pub status: StatusCode,
    /// The words beside the status, if they are not the usual ones. HTTP/2 has none.
    pub reason: Option<String>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, zeroized on drop, since it may contain a secret.
    pub body: SecretBytes,
    /// Whether an earlier try was sent. That try may have done what this response
    /// rejects.
    pub retried: bool,
}

impl HttpResponse {
    /// Parses the body as JSON.
    ///
    /// # Errors
    ///
    /// [`UnexpectedAnswer`] for any other form. The parser's error is omitted, since it
    /// may quote the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, UnexpectedAnswer> {
        serde_json::from_slice(self.body.expose()).map_err(|_| self.unexpected())
    }

    /// Describes this response as one that cannot be parsed.
    #[must_use]
    pub fn unexpected(&self) -> UnexpectedAnswer {
        UnexpectedAnswer {
            host: self.host.clone(),
            status: self.status.as_u16(),
            content: content(&self.headers, self.body.expose().is_empty()),
        }
    }
}

/// A response that has another form than expected, such as the page of a proxy.
///
/// # Security
///
/// Contains host, status and content type, and nothing of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnexpectedAnswer {
    host: String,
    status: u16,
    content: String,
}

impl fmt::Display for UnexpectedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host,
            status,
            content,
        } = self;
        write!(f, "{host} returned status {status} with {content}")
    }
}

impl Error for UnexpectedAnswer {}

/// Describes the type of a body. Quotes a media type only if it consists of plain
/// characters.
fn content(headers: &HeaderMap, is_empty: bool) -> String {
    if is_empty {
        return "no body".to_owned();
    }
    let named = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|text| text.split(';').next().unwrap_or_default().trim());
    let plain = |text: &&str| {
        let known = |b: u8| b.is_ascii_alphanumeric() || b"/.+-".contains(&b);
        (1..=64).contains(&text.len()) && text.bytes().all(known)
    };
    match named.filter(plain) {
        Some(named) => format!("content type {named}"),
        None => "no content type".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(content_type: Option<&'static str>, body: &str) -> HttpResponse {
        let mut headers = HeaderMap::new();
        if let Some(text) = content_type {
            headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(text));
        }
        HttpResponse {
            host: "vault.example.com:8200".to_owned(),
            status: StatusCode::OK,
            reason: None,
            headers,
            body: SecretBytes::from(body.as_bytes()),
            retried: false,
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_names_host_status_and_content_type_only() {
        for (content_type, body, content) in [
            (
                Some("text/html; charset=hunter2"),
                "<b>hunter2",
                "content type text/html",
            ),
            (
                Some("application/json"),
                "{\"data\":",
                "content type application/json",
            ),
            (Some("hunter2 <b>"), "hunter2", "no content type"),
            (None, "hunter2", "no content type"),
            (Some("application/json"), "", "no body"),
        ] {
            let read = answer(content_type, body).json::<serde_json::Value>();
            let text = read.map_err(|error| format!("{error}"));
            let expected = format!("vault.example.com:8200 returned status 200 with {content}");
            assert_eq!(text, Err(expected));
        }
    }
}
