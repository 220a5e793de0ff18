//! One request to the API, before a token and a consistency index are added.

use std::borrow::Cow;

use http::Method;

use planton_secret::SecretBytes;

/// One request to the API.
pub(super) struct Call {
    /// Name of the operation in errors.
    pub(super) operation: &'static str,
    pub(super) method: Method,
    /// Path after `/v1/`.
    pub(super) path: String,
    pub(super) query: Option<Cow<'static, str>>,
    pub(super) body: Option<SecretBytes>,
    /// Whether the request changes data that standbys replicate later.
    pub(super) writes: bool,
    pub(super) route: Route,
    /// Whether a response of status 400 may hold the outcome of each item of a batch.
    pub(super) has_items: bool,
}

/// How a request reaches a node whose state is current.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Route {
    /// Sent as it is: the consistency index goes with it, or no node lags.
    #[default]
    Any,
    /// Forwarded by a standby to the active node. OpenBAO 2.6.2 and later forward every
    /// request whose response is to be wrapped:
    /// <https://github.com/openbao/openbao/pull/3790>.
    Active,
}

impl Call {
    /// Describes a request without a body that changes nothing.
    pub(super) fn new(operation: &'static str, method: Method, path: impl Into<String>) -> Self {
        Self {
            operation,
            method,
            path: path.into(),
            query: None,
            body: None,
            writes: false,
            route: Route::Any,
            has_items: false,
        }
    }
}
