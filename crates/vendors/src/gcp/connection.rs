//! The settings of a connection to one of Google's APIs, which backends and keys share.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::gcp::client::{GcpClient, GcpCredential, GcpEndpoint, ServiceAccountEmail, TokenSource};
use crate::http::HttpSettings;
use planton_core::store::StoreError;

/// The universe domain of Google's own cloud.
const UNIVERSE: &str = "googleapis.com";

/// The parsed settings of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GcpConnection {
    /// The service account to impersonate, if any.
    pub(crate) impersonate: Option<ServiceAccountEmail>,
    /// The address of the API, if it is not the public one.
    pub(super) endpoint: Option<GcpEndpoint>,
}

impl GcpConnection {
    /// Parses `impersonate_service_account` and `endpoint`.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for an invalid setting, whose name is the path.
    pub(crate) fn read(configuration: &BTreeMap<String, Value>) -> Result<Self, StoreError> {
        let text = |name| configuration.get(name).and_then(Value::as_str);
        let impersonate = text("impersonate_service_account")
            .map(ServiceAccountEmail::parse)
            .transpose()
            .map_err(|error| {
                let setting = "impersonate_service_account";
                StoreError::unusable_setting(setting, format!("{setting} {error}."))
            })?;
        let endpoint = text("endpoint")
            .map(GcpEndpoint::parse)
            .transpose()
            .map_err(|error| {
                StoreError::unusable_setting("endpoint", format!("endpoint {error}."))
            })?;
        Ok(Self {
            impersonate,
            endpoint,
        })
    }

    /// Returns a client of `service` (`secretmanager`), which messages call `title`. Does
    /// no I/O.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a key file of another cloud than Google's own, unless an
    /// endpoint is configured.
    pub(super) fn client(
        &self,
        service: &'static str,
        title: &str,
        credential: GcpCredential,
        http: HttpSettings,
    ) -> Result<GcpClient, StoreError> {
        if let GcpCredential::ServiceAccount(key) = &credential
            && self.endpoint.is_none()
            && key
                .universe_domain()
                .is_some_and(|domain| domain != UNIVERSE)
        {
            let remedy = format!(
                "The key file belongs to another cloud than Google's own (universe_domain). Set \
                 endpoint to that cloud's {title}."
            );
            return Err(StoreError::unusable_setting("endpoint", remedy));
        }
        let mut tokens = TokenSource::new(credential);
        if let Some(account) = &self.impersonate {
            // A stand-in for Google on this machine also stands in for IAM.
            let iam = self.endpoint.clone().filter(GcpEndpoint::is_loopback);
            let iam = iam.unwrap_or_else(|| GcpEndpoint::public("iamcredentials"));
            tokens = tokens.impersonating(account.clone(), iam);
        }
        Ok(GcpClient::new(service, self.endpoint.clone(), http, tokens))
    }
}
