//! KV version 2.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::config::MountPath;
use super::error::{OpenBaoError, OpenBaoErrorKind};
use super::fence::Route;
use super::request::{Call, OpenBaoClient};
use crate::http::HttpResponse;
use planton_secret::SecretBytes;

/// A KV version 2 mount.
#[derive(Clone, Debug)]
pub struct KvV2 {
    pub(super) client: OpenBaoClient,
    mount: MountPath,
    route: Route,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvEntry<T> {
    /// The current version.
    Present {
        /// What was written.
        data: T,
        /// Its number.
        version: u64,
        /// When it was written, in the server's own form.
        created_time: String,
    },
    /// The current version was deleted or destroyed; its number still counts.
    Deleted {
        /// Its number.
        version: u64,
    },
    /// Nothing was ever written here, or all of it was removed.
    Absent,
}

/// A version that was written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KvWritten {
    /// Its number.
    pub version: u64,
    /// When, in the server's own form.
    pub created_time: String,
}

/// What is known of a path without reading it.
#[derive(Clone, Debug, Deserialize)]
pub struct KvMetadata {
    /// The newest version; 0 for none.
    pub current_version: u64,
    /// Versions that are still counted.
    #[serde(default)]
    pub versions: BTreeMap<u64, KvVersion>,
}

/// What is known of a version without reading it.
#[derive(Clone, Debug, Deserialize)]
pub struct KvVersion {
    /// When it was written, in the server's own form.
    pub created_time: String,
    /// When it was, or will be, deleted; empty for never.
    #[serde(default)]
    pub deletion_time: String,
    /// True when its data is gone for good.
    #[serde(default)]
    pub destroyed: bool,
}

impl KvVersion {
    /// Returns true while its data can be read at `now`.
    #[must_use]
    pub fn is_readable(&self, now: Timestamp) -> bool {
        let deleted = match self.deletion_time.parse::<Timestamp>() {
            // A mount may have its versions deleted at a later time.
            Ok(at) => at <= now,
            Err(_) => !self.deletion_time.is_empty(),
        };
        !self.destroyed && !deleted
    }
}

impl KvV2 {
    pub(super) fn new(client: OpenBaoClient, mount: MountPath) -> Self {
        Self {
            client,
            mount,
            route: Route::Any,
        }
    }

    /// Sends all requests this way.
    pub(super) fn through(self, route: Route) -> Self {
        Self { route, ..self }
    }

    /// Returns where it is mounted.
    #[must_use]
    pub fn mount(&self) -> &MountPath {
        &self.mount
    }

    /// Reads the current version at `path`. One request.
    ///
    /// # Errors
    ///
    /// `Corrupt` when it is not of the form `T`; `Misconfigured` when the mount
    /// is missing or is not KV version 2.
    pub async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<KvEntry<T>, OpenBaoError> {
        let call = self.call("read secret", Method::GET, "data", path);
        let response = self.client.call(&call).await?;
        // 404 comes with metadata where a version was deleted.
        let Ok(answer) = parse::<Read<T>>(&response) else {
            return match response.status {
                StatusCode::NOT_FOUND => self
                    .absent(&response, &call)
                    .await
                    .map(|()| KvEntry::Absent),
                _ if parse::<Version1>(&response).is_ok() => Err(self.not_v2(&call).await),
                // Somebody else's value: the answer is a server's own.
                _ if parse::<Read<IgnoredAny>>(&response).is_ok() => Err(corrupt(&call)),
                _ => Err(unexpected(&response, &call)),
            };
        };
        let Written {
            version,
            created_time,
        } = answer.metadata;
        Ok(match answer.data {
            Some(data) => KvEntry::Present {
                data,
                version,
                created_time,
            },
            None => KvEntry::Deleted { version },
        })
    }

    /// Writes a version at `path` if the current one is number `cas`: 0 where
    /// nothing was ever written. One request; `data` is a JSON object.
    ///
    /// # Errors
    ///
    /// `Conflict` when it is not, which may also follow a retry of a write that
    /// had landed. `Misconfigured` where the mount, or the path, would have the
    /// server delete after a time what was written.
    pub async fn write(
        &self,
        path: &str,
        data: &serde_json::Value,
        cas: u64,
    ) -> Result<KvWritten, OpenBaoError> {
        // At the top level `cas` would be ignored, silently.
        let body = serde_json::json!({"options": {"cas": cas}, "data": data});
        let mut call = self.call("write secret", Method::POST, "data", path);
        call.body = Some(SecretBytes::new(body.to_string().into_bytes()));
        call.writes = true;
        let response = self.found(self.client.call(&call).await?, &call).await?;
        if response.status == StatusCode::NO_CONTENT {
            // KV version 1 took the request's body for the value. Take it back,
            // as far as that goes: the error is the same either way.
            if cas == 0 {
                let _ = self.soft_delete(path).await;
            }
            return Err(self.not_v2(&call).await);
        }
        let answer: WriteAnswer = parse(&response).map_err(|()| unexpected(&response, &call))?;
        if !answer.deletion_time.is_empty() {
            let version = answer.written.version;
            return Err(self.expires(&call, path, version).await);
        }
        Ok(answer.written)
    }

    /// Reads what is known of `path` without its data; `None` where nothing
    /// was ever written. One request.
    ///
    /// # Errors
    ///
    /// By meaning.
    pub async fn metadata(&self, path: &str) -> Result<Option<KvMetadata>, OpenBaoError> {
        let call = self.call("read metadata", Method::GET, "metadata", path);
        let response = self.client.call(&call).await?;
        if response.status == StatusCode::NOT_FOUND {
            return self.absent(&response, &call).await.map(|()| None);
        }
        let metadata = parse(&response).map(Some);
        metadata.map_err(|()| unexpected(&response, &call))
    }

    /// Removes all versions at `path`, and what is known of them. Removing
    /// nothing is fine.
    ///
    /// # Errors
    ///
    /// By meaning.
    pub async fn delete_metadata(&self, path: &str) -> Result<(), OpenBaoError> {
        let call = self.call("delete metadata", Method::DELETE, "metadata", path);
        self.change(call).await
    }

    /// Destroys the data of `versions` at `path`. Destroying nothing is fine.
    ///
    /// # Errors
    ///
    /// By meaning.
    pub async fn destroy(&self, path: &str, versions: &[u64]) -> Result<(), OpenBaoError> {
        let mut call = self.call("destroy versions", Method::POST, "destroy", path);
        let body = serde_json::json!({"versions": versions});
        call.body = Some(SecretBytes::new(body.to_string().into_bytes()));
        self.change(call).await
    }

    /// Deletes the current version at `path`; it can be restored.
    ///
    /// # Errors
    ///
    /// By meaning.
    pub async fn soft_delete(&self, path: &str) -> Result<(), OpenBaoError> {
        let call = self.call("delete secret", Method::DELETE, "data", path);
        self.change(call).await
    }

    /// Returns what stands directly under `path`; a name that ends in `/` has
    /// more beneath it. Empty where there is nothing.
    ///
    /// # Errors
    ///
    /// By meaning.
    pub async fn list(&self, path: &str) -> Result<Vec<String>, OpenBaoError> {
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<String>,
        }
        // A folder, as an earlier list has named it, ends in a slash, and no path does.
        let folder = path.trim_end_matches('/');
        let mut call = self.call("list secrets", Method::GET, "metadata", folder);
        call.query = Some("list=true");
        let response = self.client.call(&call).await?;
        if response.status == StatusCode::NOT_FOUND {
            return self.absent(&response, &call).await.map(|()| Vec::new());
        }
        let keys: Keys = parse(&response).map_err(|()| unexpected(&response, &call))?;
        Ok(keys.keys)
    }

    async fn change(&self, mut call: Call) -> Result<(), OpenBaoError> {
        call.writes = true;
        if self.route == Route::Any {
            // A standby that knows nothing of the path yet has nothing to
            // change, and says that it is done.
            call.route = self.client.route().await?;
        }
        let response = self.client.call(&call).await?;
        match response.status {
            StatusCode::NOT_FOUND => self.absent(&response, &call).await,
            // Usually without a body; with one where there are warnings.
            _ => Ok(()),
        }
    }

    pub(super) fn call(
        &self,
        operation: &'static str,
        method: Method,
        api: &str,
        path: &str,
    ) -> Call {
        let mut call = Call::new(operation, method, format!("{}/{api}/{path}", self.mount));
        call.route = self.route;
        call
    }

    /// Accepts a 404 that says that nothing is there, and no other.
    async fn absent(&self, response: &HttpResponse, call: &Call) -> Result<(), OpenBaoError> {
        let error = self.client.refusal(response, call).await;
        match error.kind() {
            OpenBaoErrorKind::NotFound => Ok(()),
            _ => Err(error),
        }
    }

    /// Refuses a 404.
    pub(super) async fn found(
        &self,
        response: HttpResponse,
        call: &Call,
    ) -> Result<HttpResponse, OpenBaoError> {
        match response.status {
            StatusCode::NOT_FOUND => Err(self.client.refusal(&response, call).await),
            _ => Ok(response),
        }
    }

    async fn expires(&self, call: &Call, path: &str, version: u64) -> OpenBaoError {
        let mount = &self.mount;
        let command = self.client.vendor().await.command();
        OpenBaoError::new(OpenBaoErrorKind::Misconfigured, call.operation, &call.path).with_remedy(
            format!(
                "The server would delete what was written after a time: delete_version_after is \
                 set, on the mount or on the path. Unset it:\n  {command} write {mount}/config \
                 delete_version_after=0s\n  {command} kv metadata put -mount={mount} \
                 -delete-version-after=0s {path}\nThen keep what this write left \
                 behind:\n  {command} kv undelete -mount={mount} \
                 -versions={version} {path}"
            ),
        )
    }

    pub(super) async fn not_v2(&self, call: &Call) -> OpenBaoError {
        let vendor = self.client.vendor().await;
        OpenBaoError::not_kv_v2(call.operation, &call.path, &self.mount, vendor)
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct Read<T> {
    data: Option<T>,
    metadata: Written,
}

type Written = KvWritten;

#[derive(Deserialize)]
struct WriteAnswer {
    #[serde(flatten)]
    written: KvWritten,
    /// Set where what was written is to be deleted by itself.
    #[serde(default)]
    deletion_time: String,
}

/// What KV version 1 answers: a value without metadata.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Version1 {
    #[serde(rename = "data")]
    _data: IgnoredAny,
    #[serde(rename = "options", default)]
    _options: Option<IgnoredAny>,
}

/// Reads the `data` of an answer. The parser's own error stays out of ours: it
/// may quote a value.
pub(super) fn parse<T: DeserializeOwned>(response: &HttpResponse) -> Result<T, ()> {
    serde_json::from_slice::<Envelope<T>>(response.body.expose())
        .map(|envelope| envelope.data)
        .map_err(|_| ())
}

fn unexpected(response: &HttpResponse, call: &Call) -> OpenBaoError {
    OpenBaoError::unexpected(response, call.operation, &call.path)
}

fn corrupt(call: &Call) -> OpenBaoError {
    OpenBaoError::new(OpenBaoErrorKind::Corrupt, call.operation, &call.path)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn a_version_is_readable_until_it_is_deleted_or_destroyed() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (deletion_time, destroyed, readable) in [
            ("", false, true),
            ("", true, false),
            ("2025-12-31T23:59:59.123456789Z", false, false),
            ("2026-01-01T00:00:01Z", false, true),
            ("soon", false, false),
        ] {
            let version = KvVersion {
                created_time: String::new(),
                deletion_time: deletion_time.to_owned(),
                destroyed,
            };
            assert_eq!(
                version.is_readable(now),
                readable,
                "{deletion_time} {destroyed}"
            );
        }
    }
}
