//! Responses, and the errors of both APIs.

use serde_json::{Value, json};

/// A response.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(super) fn xml(body: String) -> Self {
        let mut answer = Self::new(200).with("content-type", "application/xml; charset=UTF-8");
        answer.body = body.into_bytes();
        answer
    }

    pub(super) fn json(body: &Value) -> Self {
        let mut answer = Self::new(200).with("content-type", "application/json; charset=UTF-8");
        answer.body = body.to_string().into_bytes();
        answer
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Returns the response without its body, whose length stays in the head.
    pub(super) fn to_bytes(&self, method: &str) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} Fake\r\n", self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.status != 204 {
            text.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        if method != "HEAD" && self.status != 204 {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// An error of both APIs:
/// <https://cloud.google.com/storage/docs/xml-api/reference-status>,
/// <https://cloud.google.com/storage/docs/json_api/v1/status-codes>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NoToken,
    BadToken,
    NoBucket,
    NoObject,
    Precondition,
    RateLimited,
    BadName,
    BadDigest,
    BadRequest,
    TooMuchMetadata,
    NotImplemented,
}

impl Refusal {
    /// Returns the status, XML's code and JSON's reason.
    fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::NoToken => (401, "AuthenticationRequired", "required"),
            Self::BadToken => (401, "AuthenticationRequired", "authError"),
            Self::NoBucket => (404, "NoSuchBucket", "notFound"),
            Self::NoObject => (404, "NoSuchKey", "notFound"),
            Self::Precondition => (412, "PreconditionFailed", "conditionNotMet"),
            // https://cloud.google.com/storage/docs/troubleshooting#429
            Self::RateLimited => (429, "SlowDown", "rateLimitExceeded"),
            Self::BadName => (400, "InvalidObjectName", "invalid"),
            Self::BadDigest => (400, "BadDigest", "invalid"),
            Self::BadRequest => (400, "InvalidArgument", "invalid"),
            Self::TooMuchMetadata => (400, "MetadataTooLarge", "invalid"),
            Self::NotImplemented => (501, "NotImplemented", "notImplemented"),
        }
    }

    pub(super) fn to_xml(self) -> Answer {
        let (status, code, _) = self.parts();
        let body = format!(
            "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code>\
             <Message>The fake refused the request.</Message></Error>"
        );
        Answer {
            status,
            ..Answer::xml(body)
        }
    }

    pub(super) fn to_json(self) -> Answer {
        let (status, code, reason) = self.parts();
        let error = json!({"domain": "global", "reason": reason, "message": code});
        let body = json!({"error": {"code": status, "message": code, "errors": [error]}});
        Answer {
            status,
            ..Answer::json(&body)
        }
    }
}
