//! Listings with the metadata of each path, which OpenBAO has and HashiCorp Vault has not:
//! <https://openbao.org/api-docs/secret/kv/kv-v2/>.

use std::collections::HashMap;

use http::{Method, StatusCode};
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;

use super::answer::{KvVersion, parse};
use super::{KvV2, unexpected};
use crate::http::HttpResponse;
use crate::openbao::client::error::{OpenBaoError, OpenBaoErrorKind};

const API: &str = "detailed-metadata";

/// A listing of paths with their metadata.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct KvDetailed {
    /// Paths below the listed one. In a listing of one level, a folder ends in `/`.
    #[serde(default)]
    pub keys: Vec<String>,
    #[serde(default)]
    key_info: HashMap<String, Info>,
}

/// The metadata of a path; that of a folder is empty.
#[derive(Clone, Debug, Default, Deserialize)]
struct Info {
    #[serde(default)]
    current_version: u64,
    #[serde(default)]
    versions: HashMap<u64, KvVersion>,
}

/// The current version of a path, which is readable and which the server will not delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvCurrent<'a> {
    /// Path below the listed one.
    pub path: &'a str,
    /// Number of the version.
    pub version: u64,
    /// Time of the write, in the server's form.
    pub created_time: &'a str,
}

impl KvDetailed {
    /// Returns the current versions that neither were deleted nor have a time of deletion.
    pub fn current(&self) -> impl Iterator<Item = KvCurrent<'_>> {
        self.key_info.iter().filter_map(|(path, info)| {
            let version = info.versions.get(&info.current_version)?;
            let stays = version.deletion_time.is_empty() && !version.destroyed;
            stays.then_some(KvCurrent {
                path,
                version: info.current_version,
                created_time: &version.created_time,
            })
        })
    }
}

/// Whether a server lists metadata.
#[derive(Clone, Debug)]
pub enum KvListed {
    /// It does.
    Detailed(KvDetailed),
    /// The server has no such listing, or the token may not use it.
    Unavailable,
}

impl KvV2 {
    /// Lists at most `limit` names directly under `path`, which come after `after`. One request.
    ///
    /// # Errors
    ///
    /// Outages, and an invalid token.
    pub async fn list_detailed(
        &self,
        path: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<KvListed, OpenBaoError> {
        let mut query = format!("list=true&limit={limit}");
        if let Some(after) = after {
            query.extend(
                ["&after="]
                    .into_iter()
                    .chain(byte_serialize(after.as_bytes())),
            );
        }
        self.detailed(path, query).await
    }

    /// Lists all paths under `path`, at any depth. One request, whose response has some 550
    /// bytes for each path: the server ignores `limit` here (OpenBAO 2.7.2).
    ///
    /// # Errors
    ///
    /// Outages, and an invalid token.
    pub async fn scan_detailed(&self, path: &str) -> Result<KvListed, OpenBaoError> {
        self.detailed(path, "scan=true".to_owned()).await
    }

    async fn detailed(&self, path: &str, query: String) -> Result<KvListed, OpenBaoError> {
        let mut call = self.call("list metadata", Method::GET, API, path);
        call.query = Some(query.into());
        let response = match self.client.call(&call).await {
            Ok(response) => response,
            Err(error) => return unavailable(error),
        };
        if response.status == StatusCode::NOT_FOUND {
            return match is_empty_folder(&response) {
                true => Ok(KvListed::Detailed(KvDetailed::default())),
                false => Ok(KvListed::Unavailable),
            };
        }
        match parse(&response) {
            Ok(detailed) => Ok(KvListed::Detailed(detailed)),
            Err(()) => unavailable(unexpected(&response, &call)),
        }
    }
}

/// Passes outages on. Any other failure means that there is no listing for this token.
fn unavailable(error: OpenBaoError) -> Result<KvListed, OpenBaoError> {
    match error.kind() {
        OpenBaoErrorKind::RateLimited
        | OpenBaoErrorKind::Unavailable
        | OpenBaoErrorKind::Unauthenticated => Err(error),
        OpenBaoErrorKind::NotFound
        | OpenBaoErrorKind::Conflict
        | OpenBaoErrorKind::PermissionDenied
        | OpenBaoErrorKind::TooLarge
        | OpenBaoErrorKind::InvalidPath
        | OpenBaoErrorKind::Refused
        | OpenBaoErrorKind::KeyDisabled
        | OpenBaoErrorKind::Corrupt
        | OpenBaoErrorKind::Unexpected
        | OpenBaoErrorKind::Misconfigured => Ok(KvListed::Unavailable),
    }
}

/// Returns true for the 404 of a folder without content, `{"errors":[]}`. That of Vault's KV
/// for an unknown path contains a warning.
fn is_empty_folder(response: &HttpResponse) -> bool {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {
        errors: [String; 0],
    }
    serde_json::from_slice::<Nothing>(response.body.expose()).is_ok_and(|it| it.errors.is_empty())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn only_a_current_version_that_stays_is_listed() {
        let version = |rest: &str| format!(r#"{{"created_time":"t"{rest}}}"#);
        let path = |name: &str, current: u64, rest: &str| {
            let version = version(rest);
            format!(r#""{name}":{{"current_version":{current},"versions":{{"2":{version}}}}}"#)
        };
        let info = [
            path("kept", 2, r#","deletion_time":"","destroyed":false"#),
            path("overwritten", 3, ""),
            path("destroyed", 2, r#","destroyed":true"#),
            path("deleted", 2, r#","deletion_time":"2020-01-01T00:00:00Z""#),
            path(
                "to-be-deleted",
                2,
                r#","deletion_time":"2999-01-01T00:00:00Z""#,
            ),
            r#""folder/":{}"#.to_owned(),
        ];
        let body = format!(r#"{{"keys":["kept"],"key_info":{{{}}}}}"#, info.join(","));
        let detailed: KvDetailed = serde_json::from_str(&body).unwrap();
        let current: Vec<_> = detailed.current().collect();
        let kept = KvCurrent {
            path: "kept",
            version: 2,
            created_time: "t",
        };
        assert_eq!(current, [kept]);
    }
}
