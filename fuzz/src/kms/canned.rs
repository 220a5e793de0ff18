//! The answers that a fuzz target chooses, and what it looks for in them.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use planton_envelope::SecretBytes;
use planton_vendors::http::{
    CannedAnswer, CannedAnswers, HttpRequest, HttpSettings, Proxies, RetryPolicy, Roots,
};
use serde_json::Value;
use url::Url;

/// A status and a body.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            body: body.into(),
        }
    }
}

/// What answers next.
#[derive(Clone, Debug, Default)]
pub(super) struct Script(Arc<Mutex<Answer>>);

impl Script {
    pub(super) fn set(&self, answer: Answer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    pub(super) fn current(&self) -> Answer {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns settings with which `first` answers a request, and this script the others.
    /// No request is repeated.
    pub(super) fn settings(
        &self,
        first: impl Fn(&HttpRequest, &Url) -> Option<CannedAnswer> + Send + Sync + 'static,
    ) -> HttpSettings {
        let script = self.clone();
        HttpSettings {
            roots: Roots::Nobody,
            proxies: Proxies::Ignored,
            retry: RetryPolicy {
                max_tries: 1,
                ..RetryPolicy::default()
            },
            request_log: None,
            canned: Some(CannedAnswers::new(move |request, url| {
                first(request, url).unwrap_or_else(|| canned(script.current()))
            })),
            ..HttpSettings::default()
        }
    }
}

/// Returns an answer as a server would send it.
pub(super) fn canned(answer: Answer) -> CannedAnswer {
    let json = HeaderValue::from_static("application/json");
    CannedAnswer {
        status: StatusCode::from_u16(answer.status).expect("a status"),
        headers: HeaderMap::from_iter([(header::CONTENT_TYPE, json)]),
        body: SecretBytes::new(answer.body),
    }
}

/// Returns all texts of a JSON document. Where it is none, as for a parser that skips what
/// it does not know, those between quotation marks.
pub(super) fn texts_of(body: &[u8]) -> Vec<String> {
    fn collect(value: &Value, texts: &mut Vec<String>) {
        match value {
            Value::String(text) => texts.push(text.clone()),
            Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
            Value::Object(values) => values.values().for_each(|value| collect(value, texts)),
            _ => {}
        }
    }
    let mut texts = Vec::new();
    match serde_json::from_slice(body) {
        Ok(value) => collect(&value, &mut texts),
        Err(_) => {
            let quoted = String::from_utf8_lossy(body);
            texts.extend(quoted.split('"').map(str::to_owned));
        }
    }
    texts
}

/// Returns whether a text is base64 of `bytes`, alone or with more behind them.
pub(super) fn occurs_in(text: &str, bytes: &[u8]) -> bool {
    let engines = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
    let mut decoded = engines.iter().filter_map(|engine| engine.decode(text).ok());
    decoded.any(|decoded| decoded.starts_with(bytes))
}

/// Returns the forms in which a key would stand in a text.
pub(super) fn forms(key: &[u8]) -> [String; 4] {
    [
        STANDARD_NO_PAD.encode(key),
        URL_SAFE_NO_PAD.encode(key),
        hex::encode(key),
        String::from_utf8_lossy(key).into_owned(),
    ]
}
