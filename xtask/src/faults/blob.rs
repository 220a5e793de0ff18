//! An account of Azure Blob Storage in front of an Azurite.
//!
//! Azurite takes bearer tokens over TLS only, and verifies no signature of them. So the
//! proxy verifies each token at the authority that issued it, and forwards the request with
//! a shared access signature. A real account's name is in its host, and Azurite's in the
//! path.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::conditions::weakened;
use super::scripted::Scripted;
use super::wire::Message;
use crate::azurite::Azurite;

/// The resource of tokens for every account:
/// <https://learn.microsoft.com/azure/storage/blobs/authorize-access-azure-active-directory#resource-id>
const RESOURCE: &str = "https://storage.azure.com";

/// The first version that takes bearer tokens:
/// <https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory>
const FIRST_VERSION: &str = "2017-11-09";

const BOUND: Duration = Duration::from_secs(30);

/// The rules of an account.
#[derive(Debug)]
pub(super) struct BlobRules {
    authority: String,
    /// Tokens that the authority has confirmed.
    confirmed: Arc<Mutex<HashSet<String>>>,
}

impl BlobRules {
    pub(super) fn new(authority: &str) -> Self {
        Self {
            authority: authority.to_owned(),
            confirmed: Arc::default(),
        }
    }

    /// Returns the response to a request without a token, or with a token for something
    /// else.
    pub(super) async fn refuse(&self, request: &Message) -> Option<Scripted> {
        let head = &request.head;
        let bearer = head.header("authorization").next();
        let Some(token) = bearer.and_then(|value| value.strip_prefix("Bearer ")) else {
            return Some(Scripted::blob_error(401, "NoAuthenticationInformation"));
        };
        if head.header("x-ms-version").next() < Some(FIRST_VERSION) {
            return Some(Scripted::blob_error(400, "InvalidHeaderValue"));
        }
        let is_known = {
            let known = self.confirmed.lock();
            known
                .unwrap_or_else(PoisonError::into_inner)
                .contains(token)
        };
        if is_known || self.is_valid(token).await {
            return None;
        }
        Some(Scripted::blob_error(401, "InvalidAuthenticationInfo"))
    }

    /// Returns a request that Azurite carries out.
    pub(super) fn pass(&self, request: &Message) -> Message {
        let request = weakened(request).without_header("authorization");
        let target = request.head.target();
        let sign = if target.contains('?') { '&' } else { '?' };
        let signature = Azurite::SIGNATURE;
        let target = format!("/{}{target}{sign}{signature}", Azurite::ACCOUNT);
        request.with_target(target)
    }

    async fn is_valid(&self, token: &str) -> bool {
        let url = format!("{}/control/token", self.authority);
        let body = json!({ "token": token }).to_string();
        // The proxy has one thread, which must not wait for another server.
        let asking = tokio::task::spawn_blocking(move || {
            let config = ureq::Agent::config_builder().timeout_global(Some(BOUND));
            let agent: ureq::Agent = config.proxy(None).build().into();
            let text = agent.post(url).send(body)?.body_mut().read_to_string()?;
            anyhow::Ok(serde_json::from_str::<Value>(&text)?)
        });
        let answer = asking.await.ok().and_then(Result::ok);
        let is_valid = answer.is_some_and(|answer| {
            let resource = answer["resource"].as_str().unwrap_or_default();
            resource.trim_end_matches('/') == RESOURCE
        });
        if is_valid {
            let mut known = self
                .confirmed
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            known.insert(token.to_owned());
        }
        is_valid
    }
}
